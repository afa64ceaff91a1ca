/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A fork that is reset between runs, and written to before them. */
#include "memory_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int memory_note_originals(struct memory *m)
{
    for (size_t i = 0; i < m->count; i++) {
        m->slots[i].original = m->slots[i].private;
        m->slots[i].fresh = false; /* the base image is going to have it */
    }
    return m->ops->fork_pages(m->ctx, &m->original_pages);
}

/* ---- before the reset ------------------------------------------------ */

/* While its pages can be seen still. */
static void note_changes(struct memory *m)
{
    for (size_t i = 0; i < m->count; i++) {
        struct slot *slot = &m->slots[i];

        slot->changed = slot->changed || !slot->given ||
                        (slot->map && memcmp(slot->copy, slot->map, XRW_PAGE_BYTES) != 0);
    }
}

/* Page tables are watched on, and a page that this run changed the next one may change, too. */
static void choose_kept(struct memory *m)
{
    size_t own = 0;

    for (size_t i = 0; i < m->count; i++) {
        struct slot *slot = &m->slots[i];

        slot->kept = slot->original || slot->table || (slot->changed && own < KEPT_OWN);
        own += slot->kept && !slot->original;
    }
}

/* A page stays mapped if its content can be put back, and with it all that were mapped in one
 * piece. */
static void choose_staying(struct memory *m, bool all)
{
    for (size_t i = 0; i < m->group_count; i++) {
        struct group *group = &m->groups[i];

        group->stays = !all && group->own && group->users == group->count;
    }
    for (size_t i = 0; i < m->count; i++) {
        const struct slot *slot = &m->slots[i];

        if (slot->map && !(slot->kept && slot->start))
            m->groups[slot->group].stays = false;
    }
}

static void unmap_others(struct memory *m)
{
    m->free_groups = m->singles = 0;
    for (size_t i = 0; i < m->count; i++)
        if (m->slots[i].map && !m->groups[m->slots[i].group].stays)
            m->slots[i].map = NULL;
    for (size_t i = 0; i < m->group_count; i++) {
        struct group *group = &m->groups[i];

        if (group->users && !group->stays) {
            m->ops->unmap(m->ctx, group->pages, group->count);
            group->users = 0;
        }
        m->free_groups += !group->users;
    }
}

void memory_release(struct memory *m, bool all)
{
    note_changes(m);
    choose_kept(m);
    choose_staying(m, all || m->reset_frees);
    unmap_others(m);
}

/* ---- after it -------------------------------------------------------- */

static int left_as_it_was(xrw_gfn gfn, struct xrw_error *err)
{
    return xrw_error_set(err, -EBUSY,
                         "the reset left page %#" PRIx64 " of the fork as it was\n"
                         "another program has it mapped: end that one",
                         gfn);
}

/* Whether the pages that stayed mapped are the fork's still, as Xen has it since 4.17. */
static int check_staying(struct memory *m)
{
    bool freed = false;
    size_t staying = 0;
    int rc = 0;

    for (size_t i = 0; i < m->count && !rc && !m->reset_passes; i++) {
        enum page_type type = PAGE_PRIVATE;

        if (!m->slots[i].map)
            continue;
        rc = m->ops->types(m->ctx, false, m->slots[i].gfn, 1, &type);
        freed = freed || type != PAGE_PRIVATE;
        staying++;
    }
    if (rc)
        return rc;
    m->reset_passes = m->reset_passes || (staying && !freed);
    m->reset_frees = freed;
    if (freed) {
        choose_staying(m, true);
        unmap_others(m);
    }
    return 0;
}

/* If the fork owns more or fewer pages than a new one, is one of those still there that went? */
static int check_gone(struct memory *m, struct xrw_error *err)
{
    uint64_t pages, expected = m->original_pages;
    int rc = m->ops->fork_pages(m->ctx, &pages);

    for (size_t i = 0; i < m->count; i++)
        expected += m->slots[i].map && !m->slots[i].original;
    for (size_t i = 0; !rc && pages != expected && i < m->count; i++) {
        const struct slot *slot = &m->slots[i];
        enum page_type type;

        if (slot->original || slot->map || !slot->private)
            continue;
        rc = m->ops->types(m->ctx, false, slot->gfn, 1, &type);
        if (!rc && type == PAGE_PRIVATE)
            return left_as_it_was(slot->gfn, err);
    }
    return rc;
}

static int map_by_gfn(struct memory *m)
{
    int rc = 0;

    gfn_map_deinit(&m->by_gfn);
    m->by_gfn = (struct gfn_map){0};
    for (size_t i = 0; i < m->count && !rc; i++)
        rc = gfn_map_add(&m->by_gfn, m->slots[i].gfn, i);
    return rc;
}

/* Forget the other pages that became private. */
static int drop_others(struct memory *m)
{
    size_t kept = 0, own = 0;

    for (size_t i = 0; i < m->count; i++) {
        struct slot *slot = &m->slots[i];

        if (!slot->kept) {
            free(slot->copy);
            free(slot->start);
            continue;
        }
        slot->private = slot->original || own++ < KEPT_OWN;
        slot->changed = slot->fresh = false;
        m->slots[kept++] = *slot;
    }
    if (kept == m->count)
        return 0;
    m->count = kept;
    return map_by_gfn(m);
}

/* Map the slots that are not, and are to be the fork's own, or the others. */
static int map_kind(struct memory *m, enum map_as as)
{
    size_t indexes[GROUP], n = 0;
    int rc = 0;

    for (size_t i = 0; i < m->count && !rc; i++) {
        if (!m->slots[i].map && m->slots[i].private == (as == MAP_OWN))
            indexes[n++] = i;
        if (n == GROUP || (n && i + 1 == m->count)) {
            rc = memory_map_slots(m, as, indexes, n);
            n = 0;
        }
    }
    return rc;
}

static int map_kept(struct memory *m)
{
    int rc = map_kind(m, MAP_OWN);

    if (!rc)
        rc = map_kind(m, MAP_FORK);
    m->private_count = 0;
    for (size_t i = 0; i < m->count && !rc; i++) {
        struct slot *slot = &m->slots[i];

        slot->private = slot->private && slot->map; /* there may be no memory for a copy */
        m->private_count += slot->private;
    }
    return rc;
}

/* What the page holds now is what it holds at the start of the run. */
static int give_start(struct slot *slot, source_page page, void *page_ctx, struct xrw_error *err)
{
    int rc = memory_give(slot, page, page_ctx, err);

    slot->unlike = rc == 1;
    return rc < 0 ? rc : 0;
}

/* A page that was mapped now.  But for originals and page tables it is a copy of the parent's. */
static int begin_slot(struct slot *slot, source_page page, void *page_ctx, struct xrw_error *err)
{
    bool known = slot->start && !memcmp(slot->start, slot->map, XRW_PAGE_BYTES);

    if (!slot->start && slot->private) {
        slot->start = malloc(XRW_PAGE_BYTES);
        if (!slot->start)
            return -ENOMEM;
        memcpy(slot->start, slot->map, XRW_PAGE_BYTES);
    }
    if (!known && (slot->original || slot->table))
        return give_start(slot, page, page_ctx, err);
    memcpy(slot->copy, slot->map, XRW_PAGE_BYTES);
    return 0;
}

/* A page that stayed mapped, over which the reset passed. */
static int begin_slot_again(struct slot *slot, source_page page, void *page_ctx,
                            struct xrw_error *err)
{
    if (memcmp(slot->map, slot->start, XRW_PAGE_BYTES) != 0)
        memcpy(slot->map, slot->start, XRW_PAGE_BYTES);
    if (slot->unlike)
        return give_start(slot, page, page_ctx, err);
    memcpy(slot->copy, slot->start, XRW_PAGE_BYTES);
    return 0;
}

static int begin_slots(struct memory *m, source_page page, void *page_ctx, struct xrw_error *err)
{
    int rc = 0;

    for (size_t i = 0; i < m->count && !rc; i++) {
        struct slot *slot = &m->slots[i];

        if (!slot->map)
            continue;
        rc = m->groups[slot->group].stays ? begin_slot_again(slot, page, page_ctx, err)
                                          : begin_slot(slot, page, page_ctx, err);
        slot->given = true;
        slot->fresh = slot->private && !slot->original;
    }
    return rc;
}

int memory_reset(struct memory *m, source_page page, void *page_ctx, struct xrw_error *err)
{
    int rc = check_staying(m);

    if (!rc)
        rc = check_gone(m, err);
    if (rc == -EBUSY)
        return rc;
    m->table_count = 0;
    if (!rc)
        rc = drop_others(m);
    if (!rc)
        rc = map_kept(m);
    if (!rc)
        rc = memory_count_unexplained(m, &m->unexplained);
    if (rc)
        return xrw_error_set(err, rc, "cannot find the memory of the fork after its reset: %s",
                             strerror(-rc));
    return begin_slots(m, page, page_ctx, err);
}

/* ---- input ----------------------------------------------------------- */

int memory_write(struct memory *m, xrw_gpa gpa, const void *data, size_t bytes, source_page page,
                 void *page_ctx, struct xrw_error *err)
{
    struct slot *slot;
    int rc = memory_own(m, gpa >> XRW_PAGE_SHIFT);

    if (rc == -ENODATA)
        return xrw_error_set(
            err, rc, "no input can be written to guest-physical %#" PRIx64 ": that is not RAM",
            gpa);
    if (rc)
        return xrw_error_set(err, rc, "cannot write to the fork's memory: %s", strerror(-rc));
    slot = memory_slot(m, gpa >> XRW_PAGE_SHIFT);
    memcpy(slot->map + gpa % XRW_PAGE_BYTES, data, bytes);
    slot->changed = true;
    rc = memory_give(slot, page, page_ctx, err);
    return rc < 0 ? rc : 0;
}
