/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "commands.h"
#include "json.h"
#include "record_arguments.h"

#include "xrw/runs.h"

#include <inttypes.h>
#include <stdio.h>

#define LINE_SECONDS 5.0

void record_show_progress(void *ctx, const struct xrw_record_progress *progress)
{
    struct record_arguments *args = ctx;
    double rate = progress->seconds > 0 ? (double)progress->exits / progress->seconds : 0;

    if (!args->tty && progress->seconds >= args->last_line &&
        progress->seconds - args->last_line < LINE_SECONDS)
        return;
    args->last_line = progress->seconds;
    (void)fputs(args->tty ? "\r\033[K" : "", stderr);
    if (args->options.runs > 1 && progress->exits)
        (void)fprintf(stderr, "run %" PRIu64 " of %" PRIu64 ", %.1f/s, ", progress->runs,
                      args->options.runs,
                      progress->seconds > 0 ? (double)progress->runs / progress->seconds : 0);
    if (progress->exits)
        (void)fprintf(stderr,
                      "%" PRIu64 " exits, %.0f/s, %" PRIu64 " private pages, %.1f MiB, %.0f s",
                      progress->exits, rate, progress->private_pages,
                      (double)progress->file_bytes / 1048576, progress->seconds);
    else
        (void)fprintf(stderr, "reading the guest's memory: %.0f MiB",
                      (double)progress->base_pages / 256);
    (void)fputs(args->tty ? "" : "\n", stderr);
}

void record_show_notice(void *ctx, const char *text)
{
    (void)ctx;
    (void)fprintf(stderr, "xenrewind: note: %s\n", text);
}

static void show_summary(const struct record_arguments *args,
                         const struct xrw_record_result *result)
{
    const struct xrw_record_progress *progress = &result->progress;

    (void)fprintf(
        stderr,
        "%s%s: %" PRIu64 " exits in %.1f s, %.1f MiB, %" PRIu64 " private pages; stopped: %s\n",
        args->tty ? "\r\033[K" : "", args->options.path, progress->exits, progress->seconds,
        (double)progress->file_bytes / 1048576, progress->private_pages, result->stop_detail);
    if (result->rows_seconds > 0)
        (void)fprintf(stderr, "rows were made in %.1f s more\n", result->rows_seconds);
}

/* Of several runs: which paths they took. */
static int show_paths(const char *path)
{
    struct xrw_error err = {""};
    struct xrw_store *store;
    struct xrw_runs runs;
    int rc = xrw_store_open(&store, path, &err);

    if (rc)
        return xrw_cli_fail(&err);
    rc = xrw_runs_read(store, &runs, &err);
    if (!rc) {
        rc = xrw_runs_print_paths(store, &runs, stderr, &err);
        xrw_runs_deinit(&runs);
    }
    (void)xrw_store_close(store, NULL);
    return rc ? xrw_cli_fail(&err) : XRW_CLI_OK;
}

static int print_json(const struct record_arguments *args, const struct xrw_record_result *result)
{
    json_t *object = json_object();
    struct xrw_error err = {""};
    int rc;

    json_object_set_new(object, "file", xrw_json_text(args->options.path));
    json_object_set_new(object, "runs", xrw_json_u64(result->progress.runs));
    json_object_set_new(object, "exits", xrw_json_u64(result->progress.exits));
    json_object_set_new(object, "seconds", json_real(result->progress.seconds));
    json_object_set_new(object, "rows_seconds", json_real(result->rows_seconds));
    json_object_set_new(object, "private_pages", xrw_json_u64(result->progress.private_pages));
    json_object_set_new(object, "file_bytes", xrw_json_u64(result->progress.file_bytes));
    json_object_set_new(object, "stop", xrw_json_text(result->stop));
    json_object_set_new(object, "stop_detail", xrw_json_text(result->stop_detail));
    rc = xrw_json_print(object, 0, &err);
    json_decref(object);
    return rc ? xrw_cli_fail(&err) : xrw_cli_finish();
}

int record_show_result(const struct record_arguments *args, const struct xrw_record_result *result)
{
    int rc = XRW_CLI_OK;

    if (!args->quiet)
        show_summary(args, result);
    if (!args->quiet && args->options.runs > 1)
        rc = show_paths(args->options.path);
    return rc || !args->json ? rc : print_json(args, result);
}
