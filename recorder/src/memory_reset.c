/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A fork that is reset between runs, and written to before them. */
#include "memory_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int memory_note_originals(struct memory *m)
{
    for (size_t i = 0; i < m->count; i++)
        m->slots[i].original = m->slots[i].private;
    return m->ops->fork_pages(m->ctx, &m->original_pages);
}

void memory_release(struct memory *m)
{
    for (size_t i = 0; i < m->group_count; i++)
        if (m->groups[i].users)
            m->ops->unmap(m->ctx, m->groups[i].pages, m->groups[i].count);
    for (size_t i = 0; i < m->count; i++)
        m->slots[i].map = NULL;
    m->group_count = m->free_groups = m->singles = 0;
}

/* If the fork owns more or fewer pages than a new one, is one of those still there that went? */
static int check_reset(struct memory *m, struct xrw_error *err)
{
    uint64_t pages;
    int rc = m->ops->fork_pages(m->ctx, &pages);

    for (size_t i = 0; !rc && pages != m->original_pages && i < m->count; i++) {
        const struct slot *slot = &m->slots[i];
        enum page_type type;

        if (slot->original || !slot->private)
            continue;
        rc = m->ops->types(m->ctx, false, slot->gfn, 1, &type);
        if (!rc && type == PAGE_PRIVATE)
            return xrw_error_set(err, -EBUSY,
                                 "the reset left page %#" PRIx64 " of the fork as it was\n"
                                 "another program has it mapped: end that one",
                                 slot->gfn);
    }
    return rc;
}

/* Forget the pages that became private; page tables stay watched. */
static int drop_private(struct memory *m)
{
    size_t kept = 0;
    int rc = 0;

    gfn_map_deinit(&m->by_gfn);
    m->by_gfn = (struct gfn_map){0};
    m->private_count = 0;
    for (size_t i = 0; i < m->count; i++) {
        struct slot *slot = &m->slots[i];

        if (rc || (slot->private && !slot->original)) {
            free(slot->copy);
            continue;
        }
        rc = gfn_map_add(&m->by_gfn, slot->gfn, kept);
        m->private_count += slot->private;
        m->slots[kept++] = *slot;
    }
    m->count = kept;
    return rc;
}

/* Give what differs from what it held when it was given last. */
static int give_changed(struct memory *m, source_page page, void *page_ctx, struct xrw_error *err)
{
    int rc = 0;

    for (size_t i = 0; i < m->count && !rc; i++) {
        struct slot *slot = &m->slots[i];

        if (!slot->map)
            continue;
        memcpy(slot->copy, slot->map, XRW_PAGE_BYTES);
        slot->given = true;
        rc = page(page_ctx, slot->gfn, slot->copy, false, err);
    }
    return rc;
}

int memory_reset(struct memory *m, source_page page, void *page_ctx, struct xrw_error *err)
{
    int rc = check_reset(m, err);

    if (rc == -EBUSY)
        return rc;
    m->table_count = 0;
    if (!rc)
        rc = drop_private(m);
    if (!rc)
        rc = memory_regroup(m, true);
    if (!rc)
        rc = memory_count_unexplained(m, &m->unexplained);
    if (rc)
        return xrw_error_set(err, rc, "cannot find the memory of the fork after its reset: %s",
                             strerror(-rc));
    return give_changed(m, page, page_ctx, err);
}

int memory_written(struct memory *m, xrw_gfn gfn, source_page page, void *page_ctx,
                   struct xrw_error *err)
{
    struct slot *slot;
    int rc = memory_look_at(m, gfn, false);

    if (!rc)
        rc = memory_count_unexplained(m, &m->unexplained);
    if (rc)
        return xrw_error_set(err, rc, "cannot follow the fork's memory: %s", strerror(-rc));
    slot = memory_slot(m, gfn);
    if (!slot || !slot->map)
        return xrw_error_set(err, -ENODATA, "page %#" PRIx64 " is not RAM of the guest", gfn);
    memcpy(slot->copy, slot->map, XRW_PAGE_BYTES);
    slot->given = true;
    return page(page_ctx, gfn, slot->copy, false, err);
}
