/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The history of a piece of guest memory: every change of it, with what it was and became. */
#ifndef XRW_WRITES_H
#define XRW_WRITES_H

#include "xrw/error.h"
#include "xrw/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define XRW_WRITES_MAX_BYTES 256u

/* A change: seen between two exits, the guest having run after `older` up to `newer`. */
struct xrw_write {
    xrw_exit_id older, newer;
    size_t bytes;
    bool old_known, new_known; /* unmapped or not known, if false */
    uint8_t old_value[XRW_WRITES_MAX_BYTES], new_value[XRW_WRITES_MAX_BYTES];
    bool by_hypervisor;     /* it may have been: by handling one of these exits */
    struct xrw_exit before; /* `older`: the guest went on from its resume state */
    struct xrw_exit exit;   /* `newer` */
};

struct xrw_writes_query {
    uint64_t run;
    uint64_t address; /* linear, through the page tables and CR3 of each exit; or physical */
    size_t bytes;     /* 1 to XRW_WRITES_MAX_BYTES */
    bool physical;
    uint64_t max; /* changes at most; 0: all */
    bool (*interrupted)(void *ctx);
    /* Told of each change, in order; nonzero ends the listing and is returned. */
    int (*change)(void *ctx, const struct xrw_write *write);
    void *ctx;
};

/* List the changes.  Returns 0; -EINVAL for a wrong length; -EINTR; what the store reports. */
int xrw_writes_list(struct xrw_store *store, const struct xrw_writes_query *query,
                    struct xrw_error *err);

/* A line: "exit 164 to 166: 0x1b -> 0x1c; by the guest, between 0x1000 and 0x1010 (CPUID)". */
void xrw_report_write(FILE *out, const struct xrw_write *write);

#ifdef __cplusplus
}
#endif
#endif
