/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of its parent's memory a fork has reached: pages that it got, shared or its own.  The parent
 * stands still, so that they hold there what they held in the beginning, with one exception: page
 * tables that the processor marks while they are shared (see memory.c).
 */
#include "memory_private.h"

#include <errno.h>
#include <string.h>

/* Give a page as the parent has it. */
static int give(struct memory *m, xrw_gfn gfn, source_page page, void *page_ctx,
                struct xrw_error *err)
{
    const uint8_t *content;
    int rc = gfn_map_add(&m->reached, gfn, 0);

    if (!rc)
        rc = parent_pages_read(&m->parent, m->ops, m->ctx, gfn, &content);
    if (rc == -ENODATA) /* the fork alone has it */
        return 0;
    return rc ? rc : page(page_ctx, gfn, content, false, err);
}

static int give_slot(struct memory *m, struct slot *slot, source_page page, void *page_ctx,
                     struct xrw_error *err)
{
    if (slot->marked)
        return gfn_map_add(&m->reached, slot->gfn, 0);
    if (!slot->original)
        return give(m, slot->gfn, page, page_ctx, err);
    if (!slot->map)
        return 0;
    memcpy(slot->copy, slot->map, XRW_PAGE_BYTES);
    slot->given = true;
    return page(page_ctx, slot->gfn, slot->copy, false, err);
}

static int give_slots(struct memory *m, source_page page, void *page_ctx, struct xrw_error *err)
{
    int rc = 0;

    for (size_t i = 0; i < m->count && !rc; i++) {
        struct slot *slot = &m->slots[i];

        if (slot->reached)
            continue;
        slot->reached = true;
        if (gfn_map_find(&m->reached, slot->gfn) == GFN_MAP_NONE)
            rc = give_slot(m, slot, page, page_ctx, err);
    }
    return rc;
}

/* Pages that the fork only read are watched by nobody. */
static int give_all(struct memory *m, source_page page, void *page_ctx, struct xrw_error *err)
{
    enum page_type types[RAM_BATCH];
    int rc = 0;

    for (size_t i = 0; i < m->ram.count && !rc; i++) {
        const struct ram_extent *extent = &m->ram.extents[i];

        for (size_t done = 0, n; done < extent->count && !rc; done += n) {
            n = extent->count - done < RAM_BATCH ? extent->count - done : RAM_BATCH;
            rc = m->ops->types(m->ctx, false, extent->first + done, n, types);
            for (size_t j = 0; j < n && !rc; j++) {
                xrw_gfn gfn = extent->first + done + j;
                const struct slot *slot = memory_slot(m, gfn);

                if (types[j] != PAGE_HOLE && !(slot && slot->original) &&
                    gfn_map_find(&m->reached, gfn) == GFN_MAP_NONE)
                    rc = give(m, gfn, page, page_ctx, err);
            }
        }
    }
    return rc;
}

int memory_reached(struct memory *m, bool all, source_page page, void *page_ctx,
                   struct xrw_error *err)
{
    struct xrw_error local = {""};
    int rc = give_slots(m, page, page_ctx, &local);

    if (!rc && all)
        rc = give_all(m, page, page_ctx, &local);
    if (rc && !local.text[0])
        return xrw_error_set(err, rc, "cannot read the parent's memory: %s", strerror(-rc));
    return rc ? xrw_error_set(err, rc, "%s", local.text) : 0;
}
