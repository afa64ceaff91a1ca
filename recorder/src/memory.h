/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a fork's memory holds, exit by exit, without touching it.
 *
 * A page of a fork is a hole (never touched), shared with the parent (only read so far), or
 * private.  The content of the first two is the parent's, which stands still; only private pages
 * change.  They are mapped, and compared with a copy at each exit.
 */
#ifndef XRW_RECORDER_MEMORY_H
#define XRW_RECORDER_MEMORY_H

#include "source.h"

/* What a domain's second-level page table says of a page. */
enum page_type { PAGE_HOLE, PAGE_SHARED, PAGE_PRIVATE };

/* How pages are mapped. */
enum map_as {
    MAP_PARENT, /* the parent's, to be read */
    MAP_FORK,   /* the fork's, to be read */
    MAP_OWN,    /* the fork's, to be written: they become its own */
};

/*
 * The two domains, as the Xen source or a test has them.  `parent' chooses between them; where a
 * domain is recorded whose parent is not known, both are the same one.  0 or a negative errno.
 */
struct memory_ops {
    /* Types of n pages from first on, without changing them. */
    int (*types)(void *ctx, bool parent, xrw_gfn first, size_t n, enum page_type *types);

    /* Map n pages in one piece; present[i]: the i-th could be mapped. */
    int (*map)(void *ctx, enum map_as as, const xrw_gfn *gfns, size_t n, uint8_t **pages,
               bool *present);
    void (*unmap)(void *ctx, uint8_t *pages, size_t n);

    /* Highest page of the parent, and how many it has. */
    int (*extent)(void *ctx, xrw_gfn *last, uint64_t *pages);

    /* How many pages the fork owns. */
    int (*fork_pages)(void *ctx, uint64_t *pages);
};

struct memory;
struct ram;

/* ops must outlive it.  frames: memory_changes() is not called at every exit.  0 or -ENOMEM. */
int memory_create(struct memory **out, const struct memory_ops *ops, void *ctx, bool frames);

/* Unmaps everything; to be called before the fork is destroyed or reset.  NULL is allowed. */
void memory_destroy(struct memory *memory);

/* Find the RAM, and the pages that are private from the beginning.  Once, first. */
int memory_find(struct memory *memory, struct xrw_error *err);

/* Give every page of it to page() as the fork has it.  Once, before it runs. */
int memory_base(struct memory *memory, source_page page, void *page_ctx, struct xrw_error *err);

/*
 * In place of memory_base(): give pages as they were in the beginning to page(), each once, that
 * the fork has reached.  Before it runs, those of its own; at an exit, before memory_changes(),
 * those that it changed; all: also those that it only read, at the end and before a reset.  A page
 * table that may have been marked before it was seen is not given.
 */
int memory_reached(struct memory *memory, bool all, source_page page, void *page_ctx,
                   struct xrw_error *err);

/* Take notice of an exit at which the fork is held: of the pages that it made private. */
int memory_exit(struct memory *memory, const struct xrw_exit *exit, struct xrw_error *err);

/* The same after any number of exits of which it took no notice. */
int memory_catch_up(struct memory *memory, struct xrw_error *err);

/* Give every page that changed since the last call to page(), or, with frames, became private: it
 * may have changed and changed back.  Also a page table once that is watched from now on. */
int memory_changes(struct memory *memory, source_page page, void *page_ctx, struct xrw_error *err);

/*
 * The fork is going to be reset: Xen passes over pages that are mapped.  All are unmapped but those
 * of which it is known what they are to hold, which saves mapping and copying them again.  all:
 * these too, as another fork takes its place.
 */
void memory_release(struct memory *memory, bool all);

/*
 * The fork was reset, or is another one of the same parent: it has the pages that it had when it
 * was new.  Those of them that do not hold what the base image has (page tables that the processor
 * marked in the parent) are given to page(), which returns 1 if it is so.  Some pages that the last
 * run changed are the fork's own at once, as its write would make them: that saves an exit for
 * each.  -EBUSY if the reset left pages as they were.
 */
int memory_reset(struct memory *memory, source_page page, void *page_ctx, struct xrw_error *err);

/* Make a page the fork's own, as its first write would.  0; -ENODATA if it is not RAM. */
int memory_own(struct memory *memory, xrw_gfn gfn);

/* Write to a page of the fork, which does not run, and give it to page(). */
int memory_write(struct memory *memory, xrw_gpa gpa, const void *data, size_t bytes,
                 source_page page, void *page_ctx, struct xrw_error *err);

/* As xrw_read_physical, of the held fork. */
int memory_read(struct memory *memory, xrw_gpa gpa, void *buf, size_t bytes);

/* The same for an entry of a page table that the guest uses: the table is watched from then on,
 * see memory.c. */
int memory_read_table(struct memory *memory, xrw_gpa gpa, void *buf, size_t bytes);

/* Its RAM, as memory_find() found it. */
const struct ram *memory_ram(const struct memory *memory);

/* Pages private to the fork, as far as they are RAM of the guest. */
uint64_t memory_private_pages(const struct memory *memory);

#endif
