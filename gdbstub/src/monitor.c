/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void gs_console_flush(struct gdbstub_console *console)
{
    struct gdbstub *stub = console->stub;

    if (console->size == 0)
        return;
    gs_clear(&stub->reply);
    gs_put_text(&stub->reply, "O");
    gs_put_hex(&stub->reply, console->block, console->size);
    gs_send(stub);
    gs_clear(&stub->reply);
    console->size = 0;
}

void gdbstub_console_write(struct gdbstub_console *console, const void *bytes, size_t size)
{
    const uint8_t *next = bytes;

    while (size > 0) {
        size_t room = GS_CONSOLE_BLOCK - console->size;
        size_t part = size < room ? size : room;
        memcpy(console->block + console->size, next, part);
        console->size += part;
        next += part;
        size -= part;
        if (console->size == GS_CONSOLE_BLOCK)
            gs_console_flush(console);
    }
}

void gdbstub_console_print(struct gdbstub_console *console, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    int size = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (size > 0)
        gdbstub_console_write(console, text,
                              (size_t)size < sizeof(text) ? (size_t)size : sizeof(text) - 1);
}

static void print_help(const struct gdbstub *stub, struct gdbstub_console *console)
{
    int width = (int)strlen("help");

    for (size_t i = 0; i < stub->command_count; i++) {
        const struct gdbstub_command *command = &stub->commands[i];
        size_t size = strlen(command->name) + (command->usage ? strlen(command->usage) + 1 : 0);
        width = size < 48 && (int)size > width ? (int)size : width;
    }
    gdbstub_console_print(console, "%-*s  %s\n", width, "help", "this list");
    for (size_t i = 0; i < stub->command_count; i++) {
        const struct gdbstub_command *command = &stub->commands[i];
        char left[128];
        snprintf(left, sizeof(left), "%s%s%s", command->name, command->usage ? " " : "",
                 command->usage ? command->usage : "");
        gdbstub_console_print(console, "%-*s  %s\n", width, left, command->help);
    }
}

/* The command that a word means, in full or by a prefix of its own; NULL otherwise. */
static const struct gdbstub_command *find_command(const struct gdbstub *stub, const char *word,
                                                  size_t size, bool *ambiguous)
{
    const struct gdbstub_command *found = NULL;

    *ambiguous = false;
    for (size_t i = 0; i < stub->command_count; i++) {
        const char *name = stub->commands[i].name;
        if (strncmp(name, word, size) != 0)
            continue;
        if (strlen(name) == size) {
            *ambiguous = false;
            return &stub->commands[i];
        }
        *ambiguous = *ambiguous || found;
        found = &stub->commands[i];
    }
    return *ambiguous ? NULL : found;
}

static int run_line(struct gdbstub *stub, char *line, struct gdbstub_console *console,
                    struct gdbstub_reason *reason)
{
    static const char blanks[] = " \t\r\n";
    char *word = line + strspn(line, blanks);
    size_t size = strcspn(word, blanks);
    char *args = word + size + strspn(word + size, blanks);
    size_t args_size = strlen(args);
    bool ambiguous = false;

    while (args_size > 0 && strchr(blanks, args[args_size - 1]))
        args[--args_size] = '\0';
    if (size == 0 || (size == 4 && memcmp(word, "help", 4) == 0)) {
        print_help(stub, console);
        return 0;
    }

    const struct gdbstub_command *command = find_command(stub, word, size, &ambiguous);
    if (!command) {
        gdbstub_reason_set(reason, "%s monitor command \"%.*s\"; see \"monitor help\"",
                           ambiguous ? "ambiguous" : "unknown", size < 64 ? (int)size : 64, word);
        return -EINVAL;
    }
    return command->run(stub->ctx, args, console, reason);
}

enum gs_answer gs_monitor(struct gdbstub *stub, struct gs_cursor args)
{
    struct gdbstub_console console = {.stub = stub};
    struct gdbstub_reason reason = {""};
    size_t size = gs_left(&args) / 2;

    if (gs_left(&args) % 2 != 0 || !gs_decode_hex(args.next, size, stub->scratch))
        return gs_reply_malformed(stub);
    /* Half a packet: the terminating zero fits. */
    stub->scratch[size] = '\0';

    int ret = run_line(stub, (char *)stub->scratch, &console, &reason);
    if (ret < 0 && reason.text[0] == '\0')
        gdbstub_reason_set(&reason, "%s", strerror(-ret));
    /* Before gdb 16 an error here reads "Protocol error with Rcmd": print the sentence instead. */
    if (ret < 0 && !stub->peer.error_message)
        gdbstub_console_print(&console, "%s\n", reason.text);
    gs_console_flush(&console);
    if (ret < 0 && stub->peer.error_message)
        return gs_reply_strict_error(stub, ret, &reason);
    return gs_reply_ok(stub);
}
