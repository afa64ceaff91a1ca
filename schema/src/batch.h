/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Some exits that follow each other, on their way into rows: what they have in common goes into a
 * row of `block`, one a vCPU, and the rest into rows of `exit`.
 */
#ifndef XRW_SCHEMA_BATCH_H
#define XRW_SCHEMA_BATCH_H

#include "packed.h"
#include "row.h"

#include <stdbool.h>
#include <stdint.h>

#define XRW_BATCH_EXITS 256u

struct xrw_batch_exit {
    uint64_t id, site;
    uint32_t vcpu;
    uint32_t known;         /* bit n: based value n */
    uint32_t after;         /* bit n: hot register n differs after; value in after_value[n] */
    uint32_t unknown;       /* bit n: hot register n is not known after */
    uint32_t after_sysregs; /* 0: as before */
    bool resume;            /* the resume state is known */
    bool has_qualification, has_entries, has_entry_tsc, has_gap, rip_known;
    uint64_t rip, qualification, entries, entry_tsc; /* but rip: only if they are not elsewhere */
    int64_t gap;                                     /* from VM entry to exit, in host TSC */
    uint64_t set[XRW_SETS];                          /* ids */
    int64_t based[XRW_BASED_COUNT];
    uint64_t after_value[XRW_HOT_COUNT];
};

/* A row of `block`. */
struct xrw_block {
    uint64_t id;
    uint32_t vcpu;
    bool resume;
    uint32_t exits;
    uint32_t known; /* bit n: base n is not NULL */
    int64_t base[XRW_BASED_COUNT];
};

struct xrw_batch {
    unsigned count, blocks;
    struct xrw_batch_exit exit[XRW_BATCH_EXITS];
    uint8_t block_of[XRW_BATCH_EXITS];
    struct xrw_block block[XRW_BATCH_EXITS];
};

/* What an exit shares with others at the same place; bit n of known: field n. */
struct xrw_site {
    uint64_t insn; /* 0: not known */
    uint64_t rip;
    uint64_t field[XRW_SITE_FIELD_COUNT];
    uint32_t known, rip_known;
};

/* A row of `kept` or `work`; bit n of known: column n. */
struct xrw_register_set {
    uint64_t value[XRW_SET_MAX];
    uint64_t known;
};

/* Names and number of the registers of each set. */
extern const uint8_t xrw_set_registers[XRW_SETS][XRW_SET_MAX]; /* enum xrw_register */
extern const unsigned xrw_set_sizes[XRW_SETS];

/* Take a packed exit apart into what its site says, its sets of registers, and the rest; the ids of
 * site and sets are the caller's to set. */
void xrw_batch_unpack(const struct xrw_packed_exit *packed, struct xrw_batch_exit *exit,
                      struct xrw_site *site, struct xrw_register_set sets[XRW_SETS]);

/* Find the blocks of the exits in the batch and choose their bases; their ids go on from
 * last_block. */
void xrw_batch_make_blocks(struct xrw_batch *batch, uint64_t last_block);

/* The row of the batch's exit at that index. */
void xrw_batch_make_row(const struct xrw_batch *batch, unsigned index, struct xrw_row *row);

#endif
