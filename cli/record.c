/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "commands.h"
#include "gdb.h"
#include "record_arguments.h"

#include "xrw/kaslr.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;

static void on_signal(int signal)
{
    (void)signal;
    interrupted = 1;
}

static void catch_signals(void)
{
    /* Writes go on; waiting for an exit ends all the same: a poll at once, a read by its tick. */
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGHUP, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

/* With the symbols at hand, find out by how much the guest moved its kernel: gdb will be told. That
 * it cannot be found out is no failure of the recording. */
static int note_kaslr(void *ctx, struct xrw_store *store, struct xrw_error *err)
{
    const struct xrw_record_options *options = &((const struct record_arguments *)ctx)->options;
    const char *symbols = options->symbol_file;
    struct xrw_kaslr kaslr;
    struct xrw_store *reader;
    struct xrw_error why;
    char beside[PATH_MAX];
    int rc;

    if (!symbols || xrw_store_open(&reader, options->path, &why))
        return 0;
    if (xrw_symbol_file(options->path, symbols, beside))
        symbols = beside;
    rc = access(symbols, R_OK) ? -ENOENT : xrw_kaslr_find(reader, symbols, &kaslr, &why);
    (void)xrw_store_close(reader, NULL);
    if (rc == -EILSEQ)
        record_show_notice(ctx, why.text);
    return rc ? 0 : xrw_kaslr_record(store, &kaslr, err);
}

/* The command line as one text, for the recording. */
static void join(char *text, size_t bytes, int argc, char **argv)
{
    size_t used = (size_t)snprintf(text, bytes, "xenrewind");

    for (int i = 0; i < argc && used < bytes; i++)
        used += (size_t)snprintf(text + used, bytes - used, " %s", argv[i]);
}

static int record(struct record_arguments *args)
{
    struct xrw_record_result result;
    struct xrw_error err = {""};

    args->options.interrupted = &interrupted;
    args->options.progress = args->quiet ? NULL : record_show_progress;
    args->options.notice = record_show_notice;
    args->options.finish = note_kaslr;
    args->options.ctx = args;
    catch_signals();
    if (xrw_record(&args->options, &result, &err)) {
        if (args->tty && !args->quiet)
            (void)fputs("\r\033[K", stderr);
        return xrw_cli_fail(&err);
    }
    return record_show_result(args, &result);
}

int xrw_cli_record(int argc, char **argv)
{
    struct record_arguments args = {
        .options = {.path = "recording.db", .until_reason = -1, .idle_seconds = 5},
        .tty = isatty(STDERR_FILENO)};
    char command_line[1024];
    bool done = false;
    int rc;

    join(command_line, sizeof command_line, argc, argv);
    args.options.command_line = command_line;
    rc = record_parse(argc, argv, &args, &done);
    if (!rc && !done)
        rc = record(&args);
    xrw_cli_inputs_deinit(&args.inputs);
    return rc;
}
