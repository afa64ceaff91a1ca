/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which row holds a content already: from a 128-bit content hash to a row id. */
#ifndef XRW_SCHEMA_ID_MAP_H
#define XRW_SCHEMA_ID_MAP_H

#include <stddef.h>
#include <stdint.h>

#include <xxhash.h>

struct xrw_id_map_entry {
    XXH128_hash_t key;
    uint64_t id; /* 0: free */
};

/* All zero is an empty map. */
struct xrw_id_map {
    struct xrw_id_map_entry *entries;
    size_t capacity; /* a power of two, or 0 */
    size_t used;
};

/* Id of the content; 0 if it is not in the map. */
uint64_t xrw_id_map_find(const struct xrw_id_map *map, XXH128_hash_t key);

/* Remember a content that is not in the map; id is not 0.  A map that is full, or for which there
 * is no memory, forgets it: the content is then stored twice, which is wasteful but not wrong. */
void xrw_id_map_add(struct xrw_id_map *map, XXH128_hash_t key, uint64_t id);

/* Forget everything and free the memory. */
void xrw_id_map_clear(struct xrw_id_map *map);

#endif
