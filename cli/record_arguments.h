/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `record' was asked to do: its command line taken apart, and what it says meanwhile. */
#ifndef XENREWIND_RECORD_ARGUMENTS_H
#define XENREWIND_RECORD_ARGUMENTS_H

#include "inputs.h"

#include "xrw/recorder.h"

struct record_arguments {
    struct xrw_record_options options;
    struct xrw_cli_inputs inputs; /* the caller calls xrw_cli_inputs_deinit() */
    bool quiet, json, tty;
    double last_line; /* when progress was last shown where there is no terminal */
};

/* Take the command line apart.  0, or an exit code, having said why; *done: help was printed, there
 * is nothing more to do. */
int record_parse(int argc, char **argv, struct record_arguments *args, bool *done);

/* For xrw_record_options.progress and .notice; ctx is the arguments. */
void record_show_progress(void *ctx, const struct xrw_record_progress *progress);
void record_show_notice(void *ctx, const char *text);

/* After the recording, as the arguments ask: what was recorded, which paths several runs took, and
 * the same as JSON.  0 or an exit code. */
int record_show_result(const struct record_arguments *args, const struct xrw_record_result *result);

#endif
