/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of memory.h share. */
#ifndef XRW_RECORDER_MEMORY_PRIVATE_H
#define XRW_RECORDER_MEMORY_PRIVATE_H

#include "gfn_map.h"
#include "memory.h"
#include "parent_pages.h"
#include "ram.h"

#define GROUP 64u       /* pages of a fork mapped in one piece: mappings are a scarce resource */
#define TABLE_NOTES 16u /* page tables noticed at one exit */

/* Pages mapped in one piece. */
struct group {
    const uint8_t *pages;
    size_t count, users; /* slots that use one of them; 0: free */
};

/* A page that is watched. */
struct slot {
    xrw_gfn gfn;
    bool private;       /* Xen says so; else a shared page table */
    bool given;         /* to page(), as what it is now */
    bool original;      /* private since the fork was made */
    bool marked;        /* shared when first seen: it may have been marked since the beginning */
    bool reached;       /* looked at by memory_reached() */
    uint8_t *copy;      /* content last given to page() */
    const uint8_t *map; /* the fork's page */
    size_t group;
};

struct memory {
    const struct memory_ops *ops;
    void *ctx;
    struct ram ram;
    struct slot *slots;
    size_t count, capacity;
    struct group *groups;
    size_t group_count, group_capacity, free_groups;
    size_t singles; /* groups of one page */
    struct gfn_map by_gfn;
    uint64_t private_count;
    uint64_t unexplained;    /* pages that the fork owns beside the private ones known */
    uint64_t original_pages; /* that it owned when it was made */
    xrw_gfn tables[TABLE_NOTES];
    size_t table_count;
    struct parent_pages parent;
    struct gfn_map reached; /* pages given by memory_reached(), or never to be */
};

/* The page that is watched there; NULL: none. */
struct slot *memory_slot(const struct memory *m, xrw_gfn gfn);

/* Ask Xen about one page, and watch it if it is private, or shared and a page table. */
int memory_look_at(struct memory *m, xrw_gfn gfn, bool page_table);

/* Map anew, in whole groups, all slots or those that are mapped alone. */
int memory_regroup(struct memory *m, bool all);

/* How many pages the fork owns that are not explained. */
int memory_count_unexplained(struct memory *m, uint64_t *unexplained);

/* What is private before the guest has run is so after each reset. */
int memory_note_originals(struct memory *m);

#endif
