/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page contents read last, by page id: bounded, four ways a set, the least recently used goes.
 */
#ifndef XRW_SCHEMA_PAGE_CACHE_H
#define XRW_SCHEMA_PAGE_CACHE_H

#include <stdint.h>

struct xrw_page_cache;

/* NULL if there is no memory; a NULL cache is empty and stays so. */
struct xrw_page_cache *xrw_page_cache_create(void);
void xrw_page_cache_destroy(struct xrw_page_cache *cache);

/* Content of the page, valid until the next call that adds; NULL if it is not there. */
const uint8_t *xrw_page_cache_find(struct xrw_page_cache *cache, uint64_t id);

void xrw_page_cache_add(struct xrw_page_cache *cache, uint64_t id, const uint8_t *page);

#endif
