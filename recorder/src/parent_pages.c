/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "parent_pages.h"

#include <errno.h>
#include <string.h>

static int fetch(struct parent_page *page, const struct memory_ops *ops, void *ctx, xrw_gfn gfn)
{
    uint8_t *map;
    bool present;
    int rc = ops->map(ctx, MAP_PARENT, &gfn, 1, &map, &present);

    if (rc)
        return rc;
    if (present)
        memcpy(page->content, map, XRW_PAGE_BYTES);
    ops->unmap(ctx, map, 1);
    page->gfn = gfn;
    page->valid = present;
    return present ? 0 : -ENODATA;
}

int parent_pages_read(struct parent_pages *pages, const struct memory_ops *ops, void *ctx,
                      xrw_gfn gfn, const uint8_t **content)
{
    struct parent_page *page = &pages->kept[gfn % PARENT_PAGES_KEPT];
    int rc = page->valid && page->gfn == gfn ? 0 : fetch(page, ops, ctx, gfn);

    if (rc)
        return rc;
    *content = page->content;
    return 0;
}
