/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pages of the parent, which stands still: read when wanted, a few of them kept. */
#ifndef XRW_RECORDER_PARENT_PAGES_H
#define XRW_RECORDER_PARENT_PAGES_H

#include "memory.h"

#define PARENT_PAGES_KEPT 256u

struct parent_page {
    bool valid;
    xrw_gfn gfn;
    uint8_t content[XRW_PAGE_BYTES];
};

/* Begins as all zeros. */
struct parent_pages {
    struct parent_page kept[PARENT_PAGES_KEPT];
};

/*
 * Content of a page as the parent has it, XRW_PAGE_BYTES, valid until the next call.  It is mapped
 * for a moment only: a page that stays mapped cannot be shared with the fork.  0, -ENODATA if the
 * parent has no such page, or what the map operation returned.
 */
int parent_pages_read(struct parent_pages *pages, const struct memory_ops *ops, void *ctx,
                      xrw_gfn gfn, const uint8_t **content);

#endif
