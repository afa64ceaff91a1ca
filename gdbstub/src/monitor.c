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

static bool begins_with(const char *name, const char *word, size_t size)
{
    return strncmp(name, word, size) == 0;
}

/* The commands that begin with a word; returns how many. */
static size_t print_help(const struct gdbstub *stub, const char *word, size_t word_size,
                         struct gdbstub_console *console)
{
    int width = (int)strlen("help [COMMAND]");
    size_t printed = 0;

    for (size_t i = 0; i < stub->command_count; i++) {
        const struct gdbstub_command *command = &stub->commands[i];
        size_t size = strlen(command->name) + (command->usage ? strlen(command->usage) + 1 : 0);
        width = size < 48 && (int)size > width ? (int)size : width;
    }
    if (word_size == 0)
        gdbstub_console_print(console, "%-*s  %s\n", width, "help [COMMAND]",
                              "this list, or what begins like that");
    for (size_t i = 0; i < stub->command_count; i++) {
        const struct gdbstub_command *command = &stub->commands[i];
        char left[128];
        if (!begins_with(command->name, word, word_size))
            continue;
        snprintf(left, sizeof(left), "%s%s%s", command->name, command->usage ? " " : "",
                 command->usage ? command->usage : "");
        gdbstub_console_print(console, "%-*s  %s\n", width, left, command->help);
        printed++;
    }
    return printed;
}

/* The command that a word means, in full or by a prefix of its own; NULL otherwise, and then
 * *matches says whether it could have meant several. */
static const struct gdbstub_command *find_command(const struct gdbstub *stub, const char *word,
                                                  size_t size, size_t *matches)
{
    const struct gdbstub_command *found = NULL;

    *matches = 0;
    for (size_t i = 0; i < stub->command_count; i++) {
        const char *name = stub->commands[i].name;
        if (!begins_with(name, word, size))
            continue;
        ++*matches;
        found = &stub->commands[i];
        if (strlen(name) == size)
            return found;
    }
    return *matches == 1 ? found : NULL;
}

static int refuse_word(const struct gdbstub *stub, const char *word, size_t size, size_t matches,
                       struct gdbstub_reason *reason)
{
    int shown = size < 32 ? (int)size : 32;
    char candidates[128] = "";

    for (size_t i = 0; matches > 0 && i < stub->command_count; i++) {
        size_t used = strlen(candidates);
        if (begins_with(stub->commands[i].name, word, size))
            snprintf(candidates + used, sizeof(candidates) - used, " %s", stub->commands[i].name);
    }
    if (matches > 0)
        gdbstub_reason_set(reason, "ambiguous monitor command \"%.*s\":%s", shown, word,
                           candidates);
    else
        gdbstub_reason_set(reason, "unknown monitor command \"%.*s\"; see \"monitor help\"", shown,
                           word);
    return -EINVAL;
}

static int run_line(struct gdbstub *stub, char *line, struct gdbstub_console *console,
                    struct gdbstub_reason *reason)
{
    static const char blanks[] = " \t\r\n";
    char *word = line + strspn(line, blanks);
    size_t size = strcspn(word, blanks);
    char *args = word + size + strspn(word + size, blanks);
    size_t args_size = strlen(args);
    size_t matches;

    while (args_size > 0 && strchr(blanks, args[args_size - 1]))
        args[--args_size] = '\0';
    if (size == 0 || (size == 4 && memcmp(word, "help", 4) == 0)) {
        args_size = strcspn(args, blanks);
        if (print_help(stub, args, args_size, console) > 0 || args_size == 0)
            return 0;
        return refuse_word(stub, args, args_size, 0, reason);
    }

    const struct gdbstub_command *command = find_command(stub, word, size, &matches);
    if (!command)
        return refuse_word(stub, word, size, matches, reason);
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
