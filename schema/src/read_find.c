/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "db.h"
#include "xrw/vmx.h"

#include <errno.h>
#include <stdio.h>

/* How a filter constrains rip.  As signed integers, in which they are stored, unsigned ranges that
 * cross 2^63 fall into two. */
enum rip_form { RIP_ANY, RIP_ONE, RIP_RANGE, RIP_SPLIT_RANGE };

/* `+rip` keeps SQLite from walking the index over a whole range and sorting it by id. */
static const char *const rip_terms[] = {
    [RIP_ANY] = "",
    [RIP_ONE] = " AND rip = ?4",
    [RIP_RANGE] = " AND +rip BETWEEN ?4 AND ?5",
    [RIP_SPLIT_RANGE] = " AND (+rip >= ?4 OR +rip <= ?5)",
};

static enum rip_form rip_form(const struct xrw_exit_filter *filter)
{
    if (!filter->by_rip)
        return RIP_ANY;
    if (filter->rip_first == filter->rip_last)
        return RIP_ONE;
    return filter->rip_first >> 63 == filter->rip_last >> 63 ? RIP_RANGE : RIP_SPLIT_RANGE;
}

/* The statement for the members that the filter sets; prepared once for each combination. */
static int find_statement(struct xrw_store *store, const struct xrw_exit_filter *filter,
                          bool forward, sqlite3_stmt **out, struct xrw_error *err)
{
    enum rip_form form = rip_form(filter);
    unsigned which = (unsigned)form | (unsigned)filter->by_reason << 2 |
                     (unsigned)filter->by_vcpu << 3 | (unsigned)forward << 4;
    sqlite3_stmt **stmt = &store->find[which];
    int rc = SQLITE_OK;

    if (!*stmt) {
        char sql[256];

        (void)snprintf(sql, sizeof sql,
                       "SELECT id, reason, intr_info FROM exit WHERE id BETWEEN ?1 AND ?2%s%s%s"
                       " ORDER BY id %s",
                       filter->by_reason ? " AND (reason & 0xffff) = ?3" : "", rip_terms[form],
                       filter->by_vcpu ? " AND vcpu = ?6" : "", forward ? "ASC" : "DESC");
        rc = sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL);
    }
    *out = *stmt;
    return xrw_db_error(store, rc, "preparing a search", err);
}

static bool is_host_exit(sqlite3_stmt *stmt)
{
    struct xrw_exit exit = {0};

    if (!xrw_db_is_null(stmt, 1))
        xrw_exit_set(&exit, XRW_EXIT_reason, xrw_db_u64(stmt, 1));
    if (!xrw_db_is_null(stmt, 2))
        xrw_exit_set(&exit, XRW_EXIT_intr_info, xrw_db_u64(stmt, 2));
    return exit.field_known[XRW_EXIT_reason] && xrw_vmx_is_host_exit(&exit);
}

struct interruption {
    bool (*asked)(void *ctx);
    void *ctx;
};

static int poll_interruption(void *arg)
{
    const struct interruption *interruption = arg;

    return interruption->asked(interruption->ctx);
}

static int search(struct xrw_store *store, sqlite3_stmt *stmt, bool guest_only, xrw_exit_id *id,
                  struct xrw_error *err)
{
    int ret;

    while ((ret = xrw_db_step(store, stmt, "searching the exits", err)) == 1)
        if (!guest_only || !is_host_exit(stmt)) {
            *id = xrw_db_u64(stmt, 0);
            break;
        }
    sqlite3_reset(stmt);
    return ret;
}

int xrw_store_find_exit(struct xrw_store *store, const struct xrw_exit_filter *filter,
                        xrw_exit_id from, bool forward, xrw_exit_id first, xrw_exit_id last,
                        bool (*interrupted)(void *ctx), void *ctx, xrw_exit_id *id,
                        struct xrw_error *err)
{
    struct interruption interruption = {interrupted, ctx};
    sqlite3_stmt *stmt;
    int ret;

    if (forward ? from >= last : from <= first || from == 0)
        return 0;
    if (filter->by_rip && filter->rip_first > filter->rip_last)
        return 0;
    if (forward && from + 1 > first)
        first = from + 1;
    if (!forward && from - 1 < last)
        last = from - 1;
    if (last > INT64_MAX)
        last = INT64_MAX;
    if (first > last)
        return 0;
    ret = find_statement(store, filter, forward, &stmt, err);
    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, first);
    xrw_db_bind_u64(stmt, 2, last);
    xrw_db_bind_u64(stmt, 3, filter->reason);
    xrw_db_bind_u64(stmt, 4, filter->rip_first);
    xrw_db_bind_u64(stmt, 5, filter->rip_last);
    xrw_db_bind_u64(stmt, 6, filter->vcpu);
    if (interrupted)
        sqlite3_progress_handler(store->db, 1000, poll_interruption, &interruption);
    ret = search(store, stmt, filter->guest_only, id, err);
    sqlite3_progress_handler(store->db, 0, NULL, NULL);
    return ret;
}
