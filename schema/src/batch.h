/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Some exits that follow each other, on their way into rows: what they have in common goes into a
 * row of `block`, one a vCPU, and the rest into rows of `exit`.
 */
#ifndef XRW_SCHEMA_BATCH_H
#define XRW_SCHEMA_BATCH_H

#include "row.h"
#include "split.h"

#include <stdbool.h>
#include <stdint.h>

#define XRW_BATCH_EXITS 256u

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
    struct xrw_split_exit exit[XRW_BATCH_EXITS];
    uint8_t block_of[XRW_BATCH_EXITS];
    struct xrw_block block[XRW_BATCH_EXITS];
};

/* Find the blocks of the exits in the batch and choose their bases; their ids go on from
 * last_block. */
void xrw_batch_make_blocks(struct xrw_batch *batch, uint64_t last_block);

/* The row of the batch's exit at that index. */
void xrw_batch_make_row(const struct xrw_batch *batch, unsigned index, struct xrw_row *row);

#endif
