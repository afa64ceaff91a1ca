/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An exit as a raw log would have it: what is known of it only, and after its handling what
 * differs. */
#ifndef XENREWIND_BENCH_RAW_RECORD_H
#define XENREWIND_BENCH_RAW_RECORD_H

#include "ring.h"
#include "xrw/exit.h"

struct raw_record {
    struct xrw_ring_record record;
    uint64_t id, insn;
    uint32_t vcpu;
    uint32_t sysregs, after_sysregs; /* ids of sets of system registers */
    uint32_t fields;                 /* bit n: field n is known */
    uint32_t before;                 /* bit n: hot register n is known */
    uint32_t after;                  /* bit n: hot register n is given */
    uint32_t unknown;                /* bit n: hot register n is not known after */
    uint32_t values;
    uint64_t value[XRW_EXIT_FIELD_COUNT + 2 * XRW_HOT_COUNT];
};

/* All but the ids of instruction and system registers. */
void raw_record_fill(struct raw_record *record, const struct xrw_exit *exit);

#endif
