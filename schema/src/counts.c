/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The writing thread's side of rows that count exits: sites and address spaces. */
#include "db.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int grow(struct xrw_counts *counts)
{
    size_t capacity = counts->capacity ? 2 * counts->capacity : 1024;
    struct xrw_count *count = realloc(counts->count, capacity * sizeof *count);
    uint64_t *dirty;

    if (!count)
        return -ENOMEM;
    counts->count = count;
    dirty = realloc(counts->dirty, capacity * sizeof *dirty);
    if (!dirty)
        return -ENOMEM;
    counts->dirty = dirty;
    counts->capacity = capacity;
    return 0;
}

int xrw_drain_count(struct xrw_counts *counts, uint64_t id, xrw_exit_id exit)
{
    struct xrw_count *count;

    if (id >= counts->capacity && grow(counts))
        return -ENOMEM;
    if (id > counts->rows) {
        counts->rows = (size_t)id;
        counts->count[id] = (struct xrw_count){0};
    }
    count = &counts->count[id];
    count->exits++;
    count->last = exit;
    if (!count->dirty) {
        count->dirty = true;
        counts->dirty[counts->dirty_rows++] = id;
    }
    return 0;
}

static int write_counts(struct xrw_store *store, struct xrw_counts *counts,
                        enum xrw_statement statement, struct xrw_error *err)
{
    sqlite3_stmt *stmt;
    int ret = xrw_db_statement(store, statement, &stmt, err);

    for (size_t i = 0; !ret && i < counts->dirty_rows; i++) {
        struct xrw_count *count = &counts->count[counts->dirty[i]];

        xrw_db_bind_u64(stmt, 1, count->exits);
        xrw_db_bind_u64(stmt, 2, count->last);
        xrw_db_bind_u64(stmt, 3, counts->dirty[i]);
        ret = xrw_db_insert(store, stmt, "counting exits", err);
        count->dirty = false;
    }
    if (!ret)
        counts->dirty_rows = 0;
    return ret;
}

int xrw_drain_counts(struct xrw_store *store, struct xrw_error *err)
{
    int ret = write_counts(store, &store->drain.site_counts, XRW_SQL_COUNT_SITE, err);

    return ret ? ret : write_counts(store, &store->drain.space_counts, XRW_SQL_COUNT_SPACE, err);
}
