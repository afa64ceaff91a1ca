/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gfn_versions.h"

#include <errno.h>
#include <stdlib.h>

#define FIRST_CAPACITY ((size_t)1 << 6) /* a short run has few, and there may be many runs */

static struct xrw_gfn_version *slot(const struct xrw_gfn_versions *map, xrw_gfn gfn)
{
    size_t i = (size_t)(gfn * UINT64_C(0x9e3779b97f4a7c15) >> 20);

    for (;; i++) {
        struct xrw_gfn_version *entry = &map->entries[i & (map->capacity - 1)];

        if (!entry->used || entry->gfn == gfn)
            return entry;
    }
}

static int grow(struct xrw_gfn_versions *map)
{
    struct xrw_gfn_versions bigger = {
        .capacity = map->capacity ? map->capacity * 2 : FIRST_CAPACITY, .count = map->count};

    bigger.entries = calloc(bigger.capacity, sizeof *bigger.entries);
    if (!bigger.entries)
        return -ENOMEM;
    for (size_t i = 0; i < map->capacity; i++)
        if (map->entries[i].used)
            *slot(&bigger, map->entries[i].gfn) = map->entries[i];
    free(map->entries);
    *map = bigger;
    return 0;
}

struct xrw_gfn_version *xrw_gfn_versions_find(const struct xrw_gfn_versions *map, xrw_gfn gfn)
{
    struct xrw_gfn_version *entry = map->capacity ? slot(map, gfn) : NULL;

    return entry && entry->used ? entry : NULL;
}

int xrw_gfn_versions_set(struct xrw_gfn_versions *map, const struct xrw_gfn_version *version)
{
    struct xrw_gfn_version *entry;

    if (map->count >= map->capacity / 4 * 3 && grow(map))
        return -ENOMEM;
    entry = slot(map, version->gfn);
    map->count += !entry->used;
    *entry = *version;
    entry->used = true;
    return 0;
}

void xrw_gfn_versions_clear(struct xrw_gfn_versions *map)
{
    free(map->entries);
    *map = (struct xrw_gfn_versions){0};
}
