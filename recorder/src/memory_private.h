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
#define KEPT_OWN GROUP  /* pages that are made a fork's own again after a reset, at most */

/* Pages mapped in one piece. */
struct group {
    uint8_t *pages;
    bool own;            /* mapped to be written */
    bool stays;          /* mapped while the fork is reset */
    size_t count, users; /* slots that use one of them; 0: free */
};

/* A page that is watched. */
struct slot {
    xrw_gfn gfn;
    bool private;   /* Xen says so; else a shared page table */
    bool fresh;     /* private since it was last given to page(): it may have changed back */
    bool given;     /* to page(), or as it was at the start of the run: copy is valid */
    bool changed;   /* in this run, since it was given first */
    bool original;  /* private since the fork was made */
    bool table;     /* a page table: watched also while it is shared */
    bool marked;    /* shared when first seen: it may have been marked since the beginning */
    bool reached;   /* looked at by memory_reached() */
    bool kept;      /* for the next run */
    bool unlike;    /* start is not what the base image has */
    uint8_t *copy;  /* content last given to page() */
    uint8_t *start; /* content at the start of every run; NULL: not known */
    uint8_t *map;   /* the fork's page; NULL: not mapped */
    size_t group;
};

struct memory {
    const struct memory_ops *ops;
    void *ctx;
    bool frames;       /* not looked at at every exit */
    bool reset_passes; /* over pages that are mapped: found out at the first reset */
    bool reset_frees;  /* them */
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

/* A slot for a page, not mapped yet; the last one then. */
int memory_new_slot(struct memory *m, xrw_gfn gfn, bool private);

/*
 * Map the pages of n slots (at most GROUP) in one piece; those mapped before leave their groups.
 * A page that the fork does not have any more keeps its old mapping: it reads as it last was.
 */
int memory_map_slots(struct memory *m, enum map_as as, const size_t *indexes, size_t n);

/* Map anew, in whole groups, all slots or those that are mapped alone. */
int memory_regroup(struct memory *m, bool all);

/* Give a page that is mapped to page(), as it is now; returns what that did. */
int memory_give(struct slot *slot, source_page page, void *page_ctx, struct xrw_error *err);

/* How many pages the fork owns that are not explained. */
int memory_count_unexplained(struct memory *m, uint64_t *unexplained);

/* What is private before the guest has run is so after each reset. */
int memory_note_originals(struct memory *m);

#endif
