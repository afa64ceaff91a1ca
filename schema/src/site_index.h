/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sites of a recording in memory: which of them a search is about, and where they begin and
 * end. */
#ifndef XRW_SCHEMA_SITE_INDEX_H
#define XRW_SCHEMA_SITE_INDEX_H

#include "xrw/store.h"

struct xrw_site_entry {
    uint64_t id, rip;
    xrw_exit_id first, last;
    uint16_t reason;
    bool rip_known, reason_known, host;
};

/* Sorted by rip; those whose rip is not known come last. */
struct xrw_site_index {
    size_t count, known_rips;
    bool exits_indexed; /* `exit` can be searched by site */
    struct xrw_site_entry entry[];
};

/* More sites than this are not held in memory. */
#define XRW_SITE_INDEX_MAX (UINT64_C(1) << 20)

/* The index, read when it is first asked for; NULL with 0 if there are too many sites. */
int xrw_site_index_get(struct xrw_store *store, const struct xrw_site_index **out,
                       struct xrw_error *err);

struct xrw_site;

/* What a search asks of a site; its id, first and last are left. */
void xrw_site_entry_fill(struct xrw_site_entry *entry, const struct xrw_site *site);

/* Whether an exit there matches the filter but for its vCPU. */
bool xrw_site_entry_matches(const struct xrw_site_entry *entry,
                            const struct xrw_exit_filter *filter);

/* First entry from `from` on that matches; index->count if there is none. */
size_t xrw_site_index_next(const struct xrw_site_index *index, const struct xrw_exit_filter *filter,
                           size_t from);

#endif
