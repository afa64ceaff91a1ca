/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XRW_RECORDER_MACHINE_SOURCE_H
#define XRW_RECORDER_MACHINE_SOURCE_H

#include "source.h"
#include "xrw/recorder.h"

/* The embedded source: a guest on the virtual platform, as options->machine says.  Returns 0 or
 * -ENOMEM. */
int machine_source_create(struct source *source, const struct xrw_record_options *options,
                          struct xrw_error *err);
void machine_source_destroy(struct source *source);

#endif
