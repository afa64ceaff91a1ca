/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What re-execution found of a recording's gaps, in a SQLite file of its own beside it: the
 * recording itself stays as it is.  Table `gap`: exit (gap n begins there), instructions, verdict,
 * cause, detail; table `meta`: which recording it is about.
 */
#ifndef XRW_GAPS_H
#define XRW_GAPS_H

#include "xrw/error.h"
#include "xrw/store.h"
#include "xrw/types.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define XRW_GAPS_APPLICATION_ID 0x58525747 /* "XRWG" */

/* Texts are static or live as long as the call. */
struct xrw_gap_row {
    xrw_exit_id exit;
    uint64_t instructions;
    const char *verdict, *cause, *detail;
};

/* One row at a time, in increasing order: 1 with *row, 0 at the end. */
typedef int (*xrw_gap_source)(void *ctx, struct xrw_gap_row *row);

/*
 * Write the file anew: it appears whole or not at all, in place of an older one.  Returns 0, or a
 * negative errno with err.
 */
int xrw_gaps_write(const char *path, struct xrw_store *recording, xrw_gap_source next, void *ctx,
                   struct xrw_error *err);

#ifdef __cplusplus
}
#endif
#endif
