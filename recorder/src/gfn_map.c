/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gfn_map.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#define FIRST_CAPACITY 1024u /* a power of two, as all */

struct gfn_map_entry {
    xrw_gfn gfn;
    size_t index; /* + 1; 0: free */
};

/* Where the frame is, or would be. */
static struct gfn_map_entry *place(const struct gfn_map *map, xrw_gfn gfn)
{
    size_t at = (size_t)(gfn * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (map->capacity - 1);

    while (map->entries[at].index && map->entries[at].gfn != gfn)
        at = (at + 1) & (map->capacity - 1);
    return &map->entries[at];
}

size_t gfn_map_find(const struct gfn_map *map, xrw_gfn gfn)
{
    if (!map->capacity)
        return GFN_MAP_NONE;
    return place(map, gfn)->index - 1; /* 0 becomes GFN_MAP_NONE */
}

static int grow(struct gfn_map *map)
{
    struct gfn_map bigger = {.capacity = map->capacity ? 2 * map->capacity : FIRST_CAPACITY,
                             .count = map->count};

    bigger.entries = calloc(bigger.capacity, sizeof *bigger.entries);
    if (!bigger.entries)
        return -ENOMEM;
    for (size_t i = 0; i < map->capacity; i++)
        if (map->entries[i].index)
            *place(&bigger, map->entries[i].gfn) = map->entries[i];
    free(map->entries);
    *map = bigger;
    return 0;
}

int gfn_map_add(struct gfn_map *map, xrw_gfn gfn, size_t index)
{
    int rc = 2 * (map->count + 1) > map->capacity ? grow(map) : 0;

    if (rc)
        return rc;
    *place(map, gfn) = (struct gfn_map_entry){gfn, index + 1};
    map->count++;
    return 0;
}

void gfn_map_deinit(struct gfn_map *map)
{
    free(map->entries);
    *map = (struct gfn_map){0};
}
