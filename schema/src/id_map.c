/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "id_map.h"

#include <stdlib.h>

#define FIRST_CAPACITY ((size_t)1 << 10)
#define MAX_CAPACITY ((size_t)1 << 24) /* 512 MiB of map, 64 GiB of distinct pages */

/* Where the key is, or the free entry where it would go. */
static struct xrw_id_map_entry *slot(const struct xrw_id_map *map, XXH128_hash_t key)
{
    size_t i = (size_t)key.low64;

    for (;; i++) {
        struct xrw_id_map_entry *entry = &map->entries[i & (map->capacity - 1)];

        if (!entry->id || XXH128_isEqual(entry->key, key))
            return entry;
    }
}

static int grow(struct xrw_id_map *map)
{
    struct xrw_id_map bigger = {.capacity = map->capacity ? map->capacity * 2 : FIRST_CAPACITY,
                                .used = map->used};

    if (bigger.capacity > MAX_CAPACITY)
        return -1;
    bigger.entries = calloc(bigger.capacity, sizeof *bigger.entries);
    if (!bigger.entries)
        return -1;
    for (size_t i = 0; i < map->capacity; i++)
        if (map->entries[i].id)
            *slot(&bigger, map->entries[i].key) = map->entries[i];
    free(map->entries);
    *map = bigger;
    return 0;
}

uint64_t xrw_id_map_find(const struct xrw_id_map *map, XXH128_hash_t key)
{
    return map->capacity ? slot(map, key)->id : 0;
}

void xrw_id_map_add(struct xrw_id_map *map, XXH128_hash_t key, uint64_t id)
{
    /* At most three quarters full, so that a search ends soon. */
    if (map->used >= map->capacity / 4 * 3 && grow(map))
        return;
    *slot(map, key) = (struct xrw_id_map_entry){key, id};
    map->used++;
}

void xrw_id_map_clear(struct xrw_id_map *map)
{
    free(map->entries);
    *map = (struct xrw_id_map){0};
}
