/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest-physical memory: a tree of pages, parts of which snapshots share. */
#ifndef XRW_MACHINE_PHYSICAL_H
#define XRW_MACHINE_PHYSICAL_H

#include "cpu.h"

#define NODE_BITS 9
#define NODE_ENTRIES (1u << NODE_BITS)
#define NODE_LEVELS 4
#define PHYSICAL_GFN_BITS (NODE_BITS * NODE_LEVELS)

/* A node belongs to all trees that refer to it; one with more than one reference is never changed.
 * So is a frame. */
struct node {
    uint32_t references;
    union {
        struct node *child[NODE_ENTRIES];
        struct page page[NODE_ENTRIES]; /* at the lowest level */
    };
};

struct physical {
    struct node *root;
    struct frames *frames;
};

struct node *physical_share(struct node *root);
void physical_release(struct node *root);

#endif
