/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is written into the guest's memory before a run. */
#ifndef XRW_RECORDER_INPUT_H
#define XRW_RECORDER_INPUT_H

#include "source.h"
#include "xrw/recorder.h"
#include "xrw/store.h"

/* Whether all files of the options can be read, before anything is touched. */
int input_check(const struct xrw_record_options *options, struct xrw_error *err);

/* Write the inputs of the run (1, 2 ...) into the guest, which does not run yet, and add them to
 * the store; the pages that were written are given to page(). */
int input_write(const struct xrw_record_options *options, uint64_t run, const struct source *source,
                struct xrw_store *store, source_page page, void *page_ctx, struct xrw_error *err);

#endif
