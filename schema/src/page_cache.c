/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "page_cache.h"

#include "xrw/types.h"

#include <stdlib.h>
#include <string.h>

#define WAYS 4u
#define SETS 512u /* 8 MiB of pages */

struct entry {
    uint64_t used; /* clock of the last use; 0: free */
    uint64_t id;
    uint8_t page[XRW_PAGE_BYTES];
};

struct xrw_page_cache {
    uint64_t clock;
    struct entry entries[SETS][WAYS];
};

struct xrw_page_cache *xrw_page_cache_create(void)
{
    return calloc(1, sizeof(struct xrw_page_cache));
}

void xrw_page_cache_destroy(struct xrw_page_cache *cache)
{
    free(cache);
}

const uint8_t *xrw_page_cache_find(struct xrw_page_cache *cache, uint64_t id)
{
    if (!cache)
        return NULL;
    for (unsigned way = 0; way < WAYS; way++) {
        struct entry *entry = &cache->entries[id % SETS][way];

        if (entry->used && entry->id == id) {
            entry->used = ++cache->clock;
            return entry->page;
        }
    }
    return NULL;
}

void xrw_page_cache_add(struct xrw_page_cache *cache, uint64_t id, const uint8_t *page)
{
    struct entry *oldest;

    if (!cache)
        return;
    oldest = cache->entries[id % SETS];
    for (unsigned way = 1; way < WAYS; way++)
        if (cache->entries[id % SETS][way].used < oldest->used)
            oldest = &cache->entries[id % SETS][way];
    oldest->used = ++cache->clock;
    oldest->id = id;
    memcpy(oldest->page, page, XRW_PAGE_BYTES);
}
