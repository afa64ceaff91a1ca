/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which guest frames are RAM. */
#ifndef XRW_RECORDER_RAM_H
#define XRW_RECORDER_RAM_H

#include "memory.h"

#define RAM_BATCH 256u /* pages asked for at a time */

struct ram_extent {
    xrw_gfn first;
    size_t count;
};

struct ram {
    struct ram_extent *extents; /* disjoint, in no order */
    size_t count, capacity;
    uint64_t pages;
};

/* Find the frames that the parent has.  0 or a negative errno; deinit in both cases. */
int ram_find(struct ram *ram, const struct memory_ops *ops, void *ctx);

void ram_deinit(struct ram *ram);

#endif
