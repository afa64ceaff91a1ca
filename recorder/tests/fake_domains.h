/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A parent and its fork as Xen has them: frames of machine memory, a table of guest frames each,
 * and mappings that go on showing the frame that was there when they were made.
 */
#ifndef RECORDER_TEST_FAKE_DOMAINS_H
#define RECORDER_TEST_FAKE_DOMAINS_H

#include "memory.h"

#include <stdbool.h>

#define FAKE_FRAMES 2048u /* of machine memory */
#define FAKE_GFNS 1024u   /* of low guest memory */
#define FAKE_HIGH 128u    /* and of each piece that starts elsewhere */

struct fake_page {
    enum page_type type;
    unsigned frame;
};

struct fake_domain {
    struct fake_page low[FAKE_GFNS], middle[FAKE_HIGH], high[FAKE_HIGH];
};

#define FAKE_MAPPINGS 256u
struct fake_mapping {
    const uint8_t *pages; /* NULL: free */
    size_t count;
    bool of_fork;
    xrw_gfn gfns[512];
};

struct fake {
    int memory; /* the frames */
    uint8_t *frames;
    unsigned used;
    xrw_gfn middle, high; /* where the pieces begin; 0: there is none */
    struct fake_domain parent, fork;
    uint64_t fork_pages, parent_pages;
    size_t mapped; /* pages, now */
    size_t mappings, most_mappings;
    struct fake_mapping mapping[FAKE_MAPPINGS];
    bool reset_frees;  /* pages that are mapped, too, as Xen 4.14 does */
    size_t brought_in; /* pages that a mapping made shared: must not happen */
    size_t made_own;   /* of the fork's, by mapping them to be written */
    unsigned calls, fail_at;
    unsigned type_calls;
};

extern const struct memory_ops fake_ops;

void fake_init(struct fake *f);
void fake_deinit(struct fake *f);

/* Give the parent a page; its first word is the word. */
void fake_add_page(struct fake *f, xrw_gfn gfn, uint64_t word);

/* What the fork's guest sees there. */
uint64_t fake_word(struct fake *f, xrw_gfn gfn);

/* The fork reads a page, or Xen copies it, as before a write. */
void fake_share(struct fake *f, xrw_gfn gfn);
void fake_copy(struct fake *f, xrw_gfn gfn);

/* Write to a page of the fork that is private; to the frame itself, whatever it belongs to. */
void fake_write(struct fake *f, xrw_gfn gfn, uint64_t word);
void fake_write_through(struct fake *f, xrw_gfn gfn, uint64_t word);

/* The fork has the pages that it had when it was new: private ones that it got since are holes, but
 * those that are mapped. */
void fake_reset(struct fake *f);

/* The frame there is replaced by another, as by XENMEM_exchange. */
void fake_replace(struct fake *f, xrw_gfn gfn, uint64_t word);

#endif
