/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file of a recording that is being made. */
#ifndef XRW_RECORDER_RECORDING_FILE_H
#define XRW_RECORDER_RECORDING_FILE_H

#include "source.h"
#include "xrw/recorder.h"
#include "xrw/store.h"

/* Before anything is touched: may the file be made? */
int recording_check_path(const struct xrw_record_options *options, struct xrw_error *err);

/* Make it, in place of another one if that is wanted, and say how it is made. */
int recording_create(const struct xrw_record_options *options, const struct source *source,
                     struct xrw_store **store, struct xrw_error *err);

/* Remove a recording with what SQLite may have put beside it.  0 or a negative errno. */
int recording_remove(const char *path);

#endif
