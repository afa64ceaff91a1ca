/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The last version of each guest page of the run that is being recorded. */
#ifndef XRW_SCHEMA_GFN_VERSIONS_H
#define XRW_SCHEMA_GFN_VERSIONS_H

#include "xrw/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xxhash.h>

struct xrw_gfn_version {
    xrw_gfn gfn;
    xrw_exit_id exit; /* since when */
    uint64_t page;    /* id of the content */
    XXH128_hash_t hash;
    bool used;
};

/* All zero is an empty map. */
struct xrw_gfn_versions {
    struct xrw_gfn_version *entries;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
};

/* The page's last version; NULL if it has none. */
struct xrw_gfn_version *xrw_gfn_versions_find(const struct xrw_gfn_versions *map, xrw_gfn gfn);

/* Set it.  0 or -ENOMEM. */
int xrw_gfn_versions_set(struct xrw_gfn_versions *map, const struct xrw_gfn_version *version);

/* Forget everything and free the memory. */
void xrw_gfn_versions_clear(struct xrw_gfn_versions *map);

#endif
