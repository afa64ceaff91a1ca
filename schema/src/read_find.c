/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Searching the exits.  An exit matches by its site, of which there are few: the next exit of each
 * site that matches is one step in the index by site, and the nearest of these is the answer,
 * however far it is.  Where many exits match, the answer is near, and looking at some exits one by
 * one finds it sooner; where there is no index (while recording, or after being cut off) that is
 * all there is.
 */
#include "find.h"
#include "site_index.h"

#include <errno.h>

/* Exits looked at one by one before the index is asked. */
#define NEAR 48u

enum { SCAN_FORWARD, SCAN_BACKWARD, SEEK_FORWARD, SEEK_BACKWARD };

static int statement(const struct finder *finder, unsigned which, sqlite3_stmt **out)
{
    static const char *const sql[XRW_FIND_STATEMENTS] = {
        [SCAN_FORWARD] = "SELECT id, site, block FROM exit WHERE id BETWEEN ?1 AND ?2 ORDER BY id",
        [SCAN_BACKWARD] =
            "SELECT id, site, block FROM exit WHERE id BETWEEN ?1 AND ?2 ORDER BY id DESC",
        [SEEK_FORWARD] = "SELECT id FROM exit WHERE id BETWEEN ?1 AND ?2 AND site = ?3"
                         " ORDER BY id LIMIT 1",
        [SEEK_BACKWARD] = "SELECT id FROM exit WHERE id BETWEEN ?1 AND ?2 AND site = ?3"
                          " ORDER BY id DESC LIMIT 1",
    };
    struct xrw_store *store = finder->store;
    int rc = SQLITE_OK;

    xrw_queue_settle(store);
    if (!store->find[which])
        rc = sqlite3_prepare_v3(store->db, sql[which], -1, SQLITE_PREPARE_PERSISTENT,
                                &store->find[which], NULL);
    *out = store->find[which];
    return xrw_db_error(store, rc, "preparing a search", finder->err);
}

bool xrw_find_interrupted(const struct finder *finder)
{
    if (!finder->interrupted || !finder->interrupted(finder->ctx))
        return false;
    (void)xrw_error_set(finder->err, -EINTR, "interrupted");
    return true;
}

/* ---- one by one ------------------------------------------------------ */

int xrw_find_row_matches(const struct finder *finder, uint64_t site_id, uint64_t block_id)
{
    const struct xrw_exit_filter *filter = finder->filter;
    const struct xrw_block *block;
    const struct xrw_site *site;
    struct xrw_site_entry entry;
    uint64_t run;
    int ret;

    if (filter->by_reason || filter->by_rip || filter->guest_only) {
        ret = xrw_db_site(finder->store, site_id, &site, finder->err);
        if (ret)
            return ret;
        xrw_site_entry_fill(&entry, site);
        if (!xrw_site_entry_matches(&entry, filter))
            return 0;
    }
    if (!filter->by_vcpu)
        return 1;
    ret = xrw_db_block(finder->store, block_id, &block, &run, finder->err);
    return ret ? ret : block->vcpu == filter->vcpu;
}

/* Whether the register that is searched for has its value, if one is. */
static bool value_matches(const struct finder *finder, sqlite3_stmt *stmt)
{
    return !finder->filter->by_register ||
           (!xrw_db_is_null(stmt, 3) && xrw_db_u64(stmt, 3) == finder->filter->value);
}

int xrw_find_scan(const struct finder *finder, sqlite3_stmt *stmt, uint64_t *left, xrw_exit_id *id)
{
    int ret = 0;

    xrw_db_bind_u64(stmt, 1, finder->first);
    xrw_db_bind_u64(stmt, 2, finder->last);
    while (*left &&
           (ret = xrw_db_step(finder->store, stmt, "searching the exits", finder->err)) == 1) {
        xrw_exit_id at = xrw_db_u64(stmt, 0);

        ret = 0;
        if (value_matches(finder, stmt))
            ret = xrw_find_row_matches(finder, xrw_db_u64(stmt, 1), xrw_db_u64(stmt, 2));
        if (ret) {
            *id = at;
            break;
        }
        if (--*left % 256 == 0 && xrw_find_interrupted(finder)) {
            ret = -EINTR;
            break;
        }
    }
    sqlite3_reset(stmt);
    return ret;
}

static int scan(const struct finder *finder, uint64_t *left, xrw_exit_id *id)
{
    sqlite3_stmt *stmt;
    int ret = statement(finder, finder->forward ? SCAN_FORWARD : SCAN_BACKWARD, &stmt);

    return ret ? ret : xrw_find_scan(finder, stmt, left, id);
}

/* ---- by index -------------------------------------------------------- */

/* Nearest exit of a site in first..last: 1 with *id, 0 or an error. */
static int seek(const struct finder *finder, uint64_t site, xrw_exit_id first, xrw_exit_id last,
                xrw_exit_id *id)
{
    sqlite3_stmt *stmt;
    int ret = statement(finder, finder->forward ? SEEK_FORWARD : SEEK_BACKWARD, &stmt);

    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, first);
    xrw_db_bind_u64(stmt, 2, last);
    xrw_db_bind_u64(stmt, 3, site);
    ret = xrw_db_step(finder->store, stmt, "searching the exits", finder->err);
    if (ret == 1)
        *id = xrw_db_u64(stmt, 0);
    sqlite3_reset(stmt);
    return ret;
}

/* As that, on the vCPU asked for. */
static int seek_on_vcpu(const struct finder *finder, uint64_t site, xrw_exit_id first,
                        xrw_exit_id last, xrw_exit_id *id)
{
    struct xrw_exit exit;
    int ret = 0;

    while (first <= last && (ret = seek(finder, site, first, last, id)) == 1) {
        if (!finder->filter->by_vcpu)
            break;
        ret = xrw_store_exit(finder->store, *id, &exit, finder->err);
        if (ret < 0)
            break;
        ret = 1;
        if (exit.vcpu == finder->filter->vcpu)
            break;
        ret = 0;
        if (finder->forward)
            first = *id + 1;
        else
            last = *id - 1;
        if (xrw_find_interrupted(finder))
            return -EINTR;
    }
    return ret;
}

/* The nearest of the next exits of all sites that match. */
static int find_by_site(const struct finder *finder, const struct xrw_site_index *index,
                        xrw_exit_id *id)
{
    xrw_exit_id first = finder->first, last = finder->last;
    size_t looked = 0;
    int found = 0;

    for (size_t i = xrw_site_index_next(index, finder->filter, 0); i < index->count;
         i = xrw_site_index_next(index, finder->filter, i + 1)) {
        const struct xrw_site_entry *entry = &index->entry[i];
        xrw_exit_id low = entry->first > first ? entry->first : first;
        xrw_exit_id high = entry->last < last ? entry->last : last, at = 0;
        int ret;

        if (low > high)
            continue;
        ret = seek_on_vcpu(finder, entry->id, low, high, &at);
        if (ret < 0)
            return ret;
        if (ret) {
            found = 1;
            *id = at;
            if (finder->forward)
                last = at - 1;
            else
                first = at + 1;
        }
        if (++looked % 256 == 0 && xrw_find_interrupted(finder))
            return -EINTR;
    }
    return found;
}

static int find(const struct finder *finder, xrw_exit_id *id)
{
    const struct xrw_exit_filter *filter = finder->filter;
    bool by_site = filter->by_reason || filter->by_rip;
    const struct xrw_site_index *index = NULL;
    uint64_t left = UINT64_MAX;
    int ret = by_site ? xrw_site_index_get(finder->store, &index, finder->err) : 0;

    if (ret)
        return ret;
    if (index && index->exits_indexed)
        left = filter->by_rip ? 0 : NEAR;
    ret = left ? scan(finder, &left, id) : 0;
    return ret || left ? ret : find_by_site(finder, index, id);
}

int xrw_store_find_exit(struct xrw_store *store, const struct xrw_exit_filter *filter,
                        xrw_exit_id from, bool forward, xrw_exit_id first, xrw_exit_id last,
                        bool (*interrupted)(void *ctx), void *ctx, xrw_exit_id *id,
                        struct xrw_error *err)
{
    struct finder finder = {store, filter, forward, first, last, interrupted, ctx, err};

    if (forward ? from >= last : from <= first || from == 0)
        return 0;
    if (filter->by_rip && filter->rip_first > filter->rip_last)
        return 0;
    if (forward && from + 1 > first)
        finder.first = from + 1;
    if (!forward && from - 1 < last)
        finder.last = from - 1;
    if (finder.last > INT64_MAX)
        finder.last = INT64_MAX;
    if (finder.first > finder.last)
        return 0;
    return filter->by_register ? xrw_find_by_register(&finder, id) : find(&finder, id);
}
