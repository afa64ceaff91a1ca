/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `record' is told to write into the fork before each run: --input and --inputs. */
#ifndef XENREWIND_INPUTS_H
#define XENREWIND_INPUTS_H

#include "xrw/recorder.h"

#define XRW_CLI_INPUTS_MAX 64u

struct xrw_cli_inputs {
    struct xrw_record_input input[XRW_CLI_INPUTS_MAX];
    size_t count;
    const char *folder; /* --inputs; NULL: none */
    char **files;       /* of it, sorted by name; to be freed */
    size_t file_count;
};

/* Take one --input: gva=ADDR,file=PATH or gpa=ADDR,file=PATH; the path is kept.  0 or an exit code,
 * having said why. */
int xrw_cli_add_input(struct xrw_cli_inputs *inputs, char *text);

/* Check them, list the folder, and fill them into the options.  0 or an exit code. */
int xrw_cli_take_inputs(struct xrw_cli_inputs *inputs, struct xrw_record_options *options);

void xrw_cli_inputs_deinit(struct xrw_cli_inputs *inputs);

#endif
