/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An exit taken apart into what it shares with others, which is stored once, and the rest. */
#ifndef XRW_SCHEMA_SPLIT_H
#define XRW_SCHEMA_SPLIT_H

#include "columns.h"
#include "xrw/exit.h"

#include <stdbool.h>
#include <stdint.h>

/* What an exit shares with others at the same place; bit n of known: field n. */
struct xrw_site {
    uint64_t insn; /* 0: not known */
    uint64_t rip;
    uint64_t field[XRW_SITE_FIELD_COUNT];
    uint32_t known, rip_known;
};

/* A row of `kept` or `work`; bit n of known: column n. */
struct xrw_register_set {
    uint64_t known;
    uint64_t value[XRW_SET_MAX];
};

/* Names and number of the registers of each set. */
extern const uint8_t xrw_set_registers[XRW_SETS][XRW_SET_MAX]; /* enum xrw_register */
extern const unsigned xrw_set_sizes[XRW_SETS];

/* The rest.  Ids of 0 are not known, or not set yet. */
struct xrw_split_exit {
    uint64_t id, site, space;
    uint64_t set[XRW_SETS]; /* ids */
    uint32_t vcpu;
    uint32_t known;         /* bit n: based value n */
    uint32_t unknown;       /* bit n: hot register n is not known after */
    uint32_t after;         /* bit n: hot register n differs after */
    uint32_t after_sysregs; /* 0: as before */
    bool resume;            /* the resume state is known */
    bool has_qualification, has_entries, has_entry_tsc, has_gap, rip_known;
    uint64_t rip, qualification, entries, entry_tsc; /* but rip: only if they are not elsewhere */
    int64_t gap;                                     /* from VM entry to exit, in host TSC */
    int64_t based[XRW_BASED_COUNT];
    uint64_t after_value[XRW_HOT_COUNT]; /* of those that differ, in the order of the table */
};

/*
 * Take an exit apart; ids are the caller's to set, but that of the exit.  Returns how many bytes of
 * `out` are in use: what would follow are values that do not differ.
 */
size_t xrw_exit_split(const struct xrw_exit *exit, struct xrw_split_exit *out,
                      struct xrw_site *site, struct xrw_register_set sets[XRW_SETS]);

#endif
