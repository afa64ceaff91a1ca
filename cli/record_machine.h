/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `record' takes for a guest of the embedded engine. */
#ifndef XENREWIND_RECORD_MACHINE_H
#define XENREWIND_RECORD_MACHINE_H

#include "xrw/recorder.h"

struct record_machine {
    struct xrw_record_machine machine;
    const char *option; /* one that is for such a guest alone, if any was given */
    bool asked_for;     /* --source machine */
};

/* Take an option by its long name.  0, or an exit code. */
int record_machine_option(struct record_machine *m, const char *name, const char *value);

/*
 * After all options: operands is their rest, count of them.  Fills options->machine if such a guest
 * is recorded.  0, or an exit code.
 */
int record_machine_finish(const struct record_machine *m, char **operands, int count,
                          struct xrw_record_options *options);

#endif
