/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a record that was found in a file can be one of ours. */
#ifndef XRW_SCHEMA_PACKED_CHECK_H
#define XRW_SCHEMA_PACKED_CHECK_H

#include "packed.h"

#include <stdbool.h>
#include <stddef.h>

/* What the recording has so far: highest ids. */
struct xrw_packed_known {
    uint64_t sysregs, insns, sites, spaces, sets[XRW_SETS];
    uint64_t run, exit;
    bool in_run;
};

/*
 * Whether the record, of which `left` bytes are there, is whole, and follows what is known; if so,
 * it is known.  One that belongs to memory is not: where memory is taken rows are not made later.
 */
bool xrw_packed_check(const struct xrw_ring_record *record, size_t left,
                      struct xrw_packed_known *known);

#endif
