/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "site_index.h"

#include "db.h"
#include "xrw/reason.h"

#include <errno.h>
#include <stdlib.h>

static bool is_host(const struct xrw_site *site)
{
    struct xrw_exit exit = {0};

    if (!(site->known >> XRW_SITE_reason & 1))
        return false;
    xrw_exit_set(&exit, XRW_EXIT_reason, site->field[XRW_SITE_reason]);
    if (site->known >> XRW_SITE_intr_info & 1)
        xrw_exit_set(&exit, XRW_EXIT_intr_info, site->field[XRW_SITE_intr_info]);
    return xrw_exit_is_host(&exit);
}

void xrw_site_entry_fill(struct xrw_site_entry *entry, const struct xrw_site *site)
{
    entry->rip_known = site->rip_known;
    entry->rip = site->rip;
    entry->reason_known = site->known >> XRW_SITE_reason & 1;
    entry->reason = (uint16_t)site->field[XRW_SITE_reason];
    entry->host = is_host(site);
}

bool xrw_site_entry_matches(const struct xrw_site_entry *entry,
                            const struct xrw_exit_filter *filter)
{
    if (filter->by_reason &&
        (!entry->reason_known ||
         (entry->reason != filter->reason && entry->reason != xrw_reason_twin(filter->reason))))
        return false;
    if (filter->by_rip &&
        (!entry->rip_known || entry->rip < filter->rip_first || entry->rip > filter->rip_last))
        return false;
    return !filter->guest_only || !entry->host;
}

static int compare(const void *a, const void *b)
{
    const struct xrw_site_entry *x = a, *y = b;

    if (x->rip_known != y->rip_known)
        return x->rip_known ? -1 : 1;
    return x->rip == y->rip ? (x->id > y->id) - (x->id < y->id) : x->rip > y->rip ? 1 : -1;
}

static int count_rows(struct xrw_store *store, uint64_t *count, bool *indexed,
                      struct xrw_error *err)
{
    sqlite3_stmt *stmt;
    int ret = xrw_db_statement(store, XRW_SQL_COUNT_SITES, &stmt, err);

    if (!ret)
        ret = xrw_db_step(store, stmt, "counting sites", err);
    if (ret <= 0)
        return ret;
    *count = xrw_db_u64(stmt, 0);
    *indexed = xrw_db_u64(stmt, 1) != 0;
    sqlite3_reset(stmt);
    return 0;
}

static int read_entries(struct xrw_store *store, struct xrw_site_index *index, uint64_t room,
                        struct xrw_error *err)
{
    sqlite3_stmt *stmt;
    int ret = xrw_db_statement(store, XRW_SQL_ALL_SITES, &stmt, err);

    if (ret)
        return ret;
    while ((ret = xrw_db_step(store, stmt, "reading sites", err)) == 1 && index->count < room) {
        struct xrw_site_entry *entry = &index->entry[index->count++];
        struct xrw_site site = {.rip = xrw_db_u64(stmt, 1), .rip_known = !xrw_db_is_null(stmt, 1)};

        site.known = (uint32_t)!xrw_db_is_null(stmt, 2) << XRW_SITE_reason |
                     (uint32_t)!xrw_db_is_null(stmt, 3) << XRW_SITE_intr_info;
        site.field[XRW_SITE_reason] = xrw_db_u64(stmt, 2);
        site.field[XRW_SITE_intr_info] = xrw_db_u64(stmt, 3);
        xrw_site_entry_fill(entry, &site);
        entry->id = xrw_db_u64(stmt, 0);
        entry->first = xrw_db_u64(stmt, 4);
        entry->last = xrw_db_u64(stmt, 5);
        index->known_rips += entry->rip_known;
    }
    sqlite3_reset(stmt);
    return ret < 0 ? ret : 0;
}

int xrw_site_index_get(struct xrw_store *store, const struct xrw_site_index **out,
                       struct xrw_error *err)
{
    struct xrw_site_index *index;
    uint64_t count = 0;
    bool indexed = false;
    int ret;

    *out = store->site_index;
    if (store->site_index)
        return 0;
    ret = count_rows(store, &count, &indexed, err);
    if (ret || count > XRW_SITE_INDEX_MAX)
        return ret;
    index = calloc(1, sizeof *index + (size_t)count * sizeof index->entry[0]);
    if (!index)
        return xrw_error_set(err, -ENOMEM, "out of memory");
    index->exits_indexed = indexed;
    ret = read_entries(store, index, count, err);
    if (ret) {
        free(index);
        return ret;
    }
    qsort(index->entry, index->count, sizeof index->entry[0], compare);
    *out = store->site_index = index;
    return 0;
}

/* First entry whose rip is not below. */
static size_t lower_bound(const struct xrw_site_index *index, uint64_t rip)
{
    size_t low = 0, high = index->known_rips;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (index->entry[middle].rip < rip)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t xrw_site_index_next(const struct xrw_site_index *index, const struct xrw_exit_filter *filter,
                           size_t from)
{
    size_t end = index->count;

    if (filter->by_rip) {
        size_t first = from ? from : lower_bound(index, filter->rip_first);

        from = first;
        end = index->known_rips;
    }
    for (; from < end; from++) {
        if (filter->by_rip && index->entry[from].rip > filter->rip_last)
            break;
        if (xrw_site_entry_matches(&index->entry[from], filter))
            return from;
    }
    return index->count;
}
