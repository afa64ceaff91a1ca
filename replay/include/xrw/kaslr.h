/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * By how much a Linux guest moved its kernel at boot (KASLR): found once a recording, and kept in
 * it as the text "kaslr" of its meta table.
 */
#ifndef XRW_KASLR_H
#define XRW_KASLR_H

#include "xrw/error.h"
#include "xrw/store.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct xrw_kaslr {
    uint64_t slide;
    char how[24];  /* "VMCOREINFO", "LSTAR" or "IDT" */
    bool compared; /* the kernel's version text stands in memory where the symbols say */
};

/*
 * Find it in run 1: in the guest's VMCOREINFO note, else from LSTAR or from the handler of page
 * faults, compared with the symbols of the file (NULL or "": none, then VMCOREINFO alone can tell).
 * Looks at all of the guest's first memory at worst.
 * Returns 0; -ENOENT if this cannot be told, or -EILSEQ if the symbols are not this guest's: err
 * says so in words; what the store reports.
 */
int xrw_kaslr_find(struct xrw_store *store, const char *symbols, struct xrw_kaslr *kaslr,
                   struct xrw_error *err);

/* What the recording says of it.  Returns 0 or -ENOENT. */
int xrw_kaslr_recorded(struct xrw_store *store, struct xrw_kaslr *kaslr);

/* Write it into a recording that is being made. */
int xrw_kaslr_record(struct xrw_store *store, const struct xrw_kaslr *kaslr, struct xrw_error *err);

#ifdef __cplusplus
}
#endif
#endif
