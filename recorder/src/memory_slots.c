/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pages of a fork that are watched, and how they are mapped. */
#include "memory_private.h"

#include <errno.h>
#include <stdlib.h>

/* Room for one more element. */
static int grow(void **array, size_t *capacity, size_t count, size_t element)
{
    size_t wanted = *capacity ? *capacity * 2 : 256;
    void *bigger;

    if (count < *capacity)
        return 0;
    bigger = realloc(*array, wanted * element);
    if (!bigger)
        return -ENOMEM;
    *array = bigger;
    *capacity = wanted;
    return 0;
}

int memory_new_slot(struct memory *m, xrw_gfn gfn, bool private)
{
    struct slot slot = {.gfn = gfn, .private = private, .fresh = private, .marked = !private};
    int rc = grow((void **)&m->slots, &m->capacity, m->count, sizeof *m->slots);

    if (rc)
        return rc;
    slot.copy = malloc(XRW_PAGE_BYTES);
    if (!slot.copy)
        return -ENOMEM;
    rc = gfn_map_add(&m->by_gfn, gfn, m->count);
    if (rc) {
        free(slot.copy);
        return rc;
    }
    m->slots[m->count++] = slot;
    m->private_count += private;
    return 0;
}

/* ---- groups of mapped pages ------------------------------------------ */

static int new_group(struct memory *m, size_t *index)
{
    int rc;

    for (size_t i = 0; m->free_groups && i < m->group_count; i++)
        if (!m->groups[i].users) {
            m->free_groups--;
            *index = i;
            return 0;
        }
    rc = grow((void **)&m->groups, &m->group_capacity, m->group_count, sizeof *m->groups);
    if (rc)
        return rc;
    *index = m->group_count++;
    m->groups[*index] = (struct group){0};
    return 0;
}

static void leave_group(struct memory *m, size_t index)
{
    struct group *group = &m->groups[index];

    if (--group->users)
        return;
    m->ops->unmap(m->ctx, group->pages, group->count);
    m->singles -= group->count == 1 && !group->own;
    m->free_groups++;
}

int memory_map_slots(struct memory *m, enum map_as as, const size_t *indexes, size_t n)
{
    xrw_gfn gfns[GROUP];
    bool present[GROUP];
    uint8_t *pages;
    size_t group, users = 0;
    int rc = new_group(m, &group);

    if (rc)
        return rc;
    for (size_t i = 0; i < n; i++)
        gfns[i] = m->slots[indexes[i]].gfn;
    rc = m->ops->map(m->ctx, as, gfns, n, &pages, present);
    for (size_t i = 0; i < n && !rc; i++)
        users += present[i];
    if (rc || !users) {
        m->free_groups++;
        if (!rc)
            m->ops->unmap(m->ctx, pages, n);
        return rc;
    }
    m->groups[group] =
        (struct group){.pages = pages, .own = as == MAP_OWN, .count = n, .users = users};
    m->singles += n == 1 && as != MAP_OWN;
    for (size_t i = 0; i < n; i++) {
        struct slot *slot = &m->slots[indexes[i]];

        if (!present[i])
            continue;
        if (slot->map)
            leave_group(m, slot->group);
        slot->map = pages + i * XRW_PAGE_BYTES;
        slot->group = group;
    }
    return 0;
}

int memory_regroup(struct memory *m, bool all)
{
    size_t indexes[GROUP], n = 0;
    int rc = 0;

    for (size_t i = 0; i < m->count && !rc; i++) {
        const struct slot *slot = &m->slots[i];
        const struct group *group = slot->map ? &m->groups[slot->group] : NULL;

        if (all || !group || (group->count == 1 && !group->own))
            indexes[n++] = i;
        if (n == GROUP || (n && i + 1 == m->count)) {
            rc = memory_map_slots(m, MAP_FORK, indexes, n);
            n = 0;
        }
    }
    return rc;
}

int memory_own(struct memory *m, xrw_gfn gfn)
{
    struct slot *slot = memory_slot(m, gfn);
    size_t index = slot ? (size_t)(slot - m->slots) : m->count;
    int rc = 0;

    if (slot && slot->private && slot->map && m->groups[slot->group].own)
        return 0;
    if (!slot)
        rc = memory_new_slot(m, gfn, false);
    if (!rc && !slot)
        m->slots[index].marked = false;
    if (!rc)
        rc = memory_map_slots(m, MAP_OWN, &index, 1);
    if (rc == -EINVAL || rc == -ENOENT)
        return -ENODATA;
    if (rc)
        return rc;
    slot = &m->slots[index];
    if (!slot->map || !m->groups[slot->group].own)
        return -ENODATA;
    m->private_count += !slot->private;
    slot->fresh = slot->fresh || !slot->private;
    slot->private = true;
    return 0;
}
