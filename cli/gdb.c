/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gdb.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARGUMENTS_MAX 256

/* gdb hands the command to a shell: put a word into single quotes. */
static void print_quoted(FILE *out, const char *word)
{
    (void)fputc('\'', out);
    for (; *word; word++)
        if (*word == '\'')
            (void)fputs("'\\''", out);
        else
            (void)fputc(*word, out);
    (void)fputc('\'', out);
}

static int own_path(char path[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);

    if (n < 0)
        return -errno;
    path[n] = '\0';
    return 0;
}

/* "target remote | '/usr/bin/xenrewind' replay --stdio --run 1 'FILE'" */
static char *connect_command(const char *program, const char *recording, uint64_t run)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);

    if (!out)
        return NULL;
    (void)fputs("target remote | exec ", out);
    print_quoted(out, program);
    (void)fprintf(out, " replay --stdio --run %" PRIu64 " ", run);
    print_quoted(out, recording);
    if (fclose(out)) {
        free(text);
        return NULL;
    }
    return text;
}

/* Our gdb commands: beside the program in a build, in share/ once installed. */
static bool find_script(const char *program, char path[PATH_MAX])
{
    static const char *const places[] = {"xenrewind-gdb.py", "../share/xenrewind/xenrewind-gdb.py"};
    int folder = (int)(strrchr(program, '/') + 1 - program);

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        int n = snprintf(path, PATH_MAX, "%.*s%s", folder, program, places[i]);

        if (n > 0 && n < PATH_MAX && !access(path, R_OK))
            return true;
    }
    return false;
}

bool xrw_symbol_file(const char *recording, const char *named, char path[PATH_MAX])
{
    const char *slash = strrchr(recording, '/');
    int folder = slash && *named != '/' ? (int)(slash + 1 - recording) : 0;
    int n = snprintf(path, PATH_MAX, "%.*s%s", folder, recording, named);
    struct stat st;

    return *named && n > 0 && n < PATH_MAX && !stat(path, &st) && S_ISREG(st.st_mode) &&
           !access(path, R_OK);
}

struct arguments {
    size_t count;
    const char *value[ARGUMENTS_MAX + 1];
};

static void add(struct arguments *arguments, const char *option, const char *value)
{
    if (arguments->count + 2 > ARGUMENTS_MAX)
        return;
    arguments->value[arguments->count++] = option;
    if (value)
        arguments->value[arguments->count++] = value;
}

int xrw_gdb_start(const char *recording, uint64_t run, const char *symbols, char **more,
                  struct xrw_error *err)
{
    struct arguments arguments = {0};
    char program[PATH_MAX], script[PATH_MAX], *command;
    int ret = own_path(program);

    if (ret)
        return xrw_error_set(err, ret, "cannot find this program: %s", strerror(-ret));
    command = connect_command(program, recording, run);
    if (!command)
        return xrw_error_set(err, -ENOMEM, "out of memory");
    add(&arguments, "gdb", "-q");
    add(&arguments, "-iex", "set pagination off");
    add(&arguments, "-iex", "set confirm off");
    if (*symbols)
        add(&arguments, "-se", symbols);
    add(&arguments, "-ex", "set architecture i386:x86-64");
    if (find_script(program, script))
        add(&arguments, "-x", script);
    add(&arguments, "-ex", command);
    for (; *more; more++)
        add(&arguments, *more, NULL);
    (void)execvp("gdb", (char *const *)(const void *)arguments.value);
    ret = -errno;
    free(command);
    return xrw_error_set(err, ret, "cannot start gdb: %s%s", strerror(-ret),
                         ret == -ENOENT ? "; install the package gdb" : "");
}
