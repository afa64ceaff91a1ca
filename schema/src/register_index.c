/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "register_index.h"

#include "db.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

const char *const xrw_set_tables[XRW_SETS] = {
    [XRW_SET_KEPT] = "kept",
    [XRW_SET_WORK] = "work",
};

bool xrw_register_set_of(enum xrw_register reg, enum xrw_set *set)
{
    for (unsigned s = 0; s < XRW_SETS; s++)
        for (unsigned i = 0; i < xrw_set_sizes[s]; i++)
            if (xrw_set_registers[s][i] == (unsigned)reg) {
                *set = (enum xrw_set)s;
                return true;
            }
    return false;
}

void xrw_register_index_sql(enum xrw_set set, enum xrw_register reg,
                            char sql[XRW_REGISTER_INDEX_SQL_BYTES])
{
    const char *table = xrw_set_tables[set], *name = xrw_register_table[reg].name;

    (void)snprintf(sql, XRW_REGISTER_INDEX_SQL_BYTES,
                   "CREATE INDEX IF NOT EXISTS exit_by_%s ON exit(%s);"
                   "CREATE INDEX IF NOT EXISTS %s_by_%s ON %s(%s);",
                   table, table, table, name, table, name);
}

int xrw_register_index_find(struct xrw_store *store, enum xrw_set set, enum xrw_register reg,
                            uint64_t *reach, struct xrw_error *err)
{
    const char *table = xrw_set_tables[set];
    sqlite3_stmt *stmt = NULL;
    char sql[256];
    int ret, rc;

    (void)snprintf(sql, sizeof sql,
                   "SELECT value FROM meta WHERE key = '%s_reach' AND"
                   " 2 = (SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND"
                   " name IN ('exit_by_%s', '%s_by_%s'))",
                   table, table, table, xrw_register_table[reg].name);
    rc = sqlite3_prepare_v2(store->db, sql, -1, &stmt, NULL);
    ret = xrw_db_error(store, rc, "looking for an index", err);
    if (!ret)
        ret = xrw_db_step(store, stmt, "looking for an index", err);
    if (ret == 1)
        *reach = xrw_db_u64(stmt, 0);
    sqlite3_finalize(stmt);
    return ret;
}

/* ---- making them ----------------------------------------------------- */

static int measure_reach(struct xrw_store *store, enum xrw_set set, struct xrw_error *err)
{
    const char *table = xrw_set_tables[set];
    char sql[256];

    (void)snprintf(sql, sizeof sql,
                   "INSERT OR REPLACE INTO meta SELECT '%s_reach', coalesce(max(newest - %s), 0)"
                   " FROM (SELECT %s, max(%s) OVER (ORDER BY id) AS newest FROM exit)",
                   table, table, table, table);
    return xrw_db_exec(store, sql, "measuring for an index", err);
}

static int make(struct xrw_store *store, enum xrw_set set, enum xrw_register reg,
                struct xrw_error *err)
{
    char sql[XRW_REGISTER_INDEX_SQL_BYTES];
    /* As when recording: being killed does no harm. */
    int ret =
        xrw_db_exec(store, "PRAGMA journal_mode = WAL; BEGIN IMMEDIATE;", "building an index", err);

    xrw_register_index_sql(set, reg, sql);
    if (!ret)
        ret = xrw_db_exec(store, sql, "building an index", err);
    if (!ret)
        ret = measure_reach(store, set, err);
    if (!ret)
        ret = xrw_db_exec(store, "COMMIT", "building an index", err);
    xrw_db_leave_wal(store);
    return ret;
}

int xrw_store_index_register(const char *path, enum xrw_register reg, struct xrw_error *err)
{
    struct xrw_store *store;
    enum xrw_set set;
    char closed[4];
    int ret;

    if ((unsigned)reg >= XRW_REGISTER_COUNT || !xrw_register_set_of(reg, &set))
        return xrw_error_set(err, -EINVAL, "there is no index by %s",
                             (unsigned)reg < XRW_REGISTER_COUNT ? xrw_register_table[reg].name
                                                                : "that register");
    ret = xrw_db_open_to_add(&store, path, err);
    if (ret)
        return ret;
    if (xrw_store_get_meta(store, "closed", closed, sizeof closed))
        ret = xrw_error_set(err, -EBUSY, "%s is still being recorded, or was cut off", path);
    else
        ret = make(store, set, reg, err);
    xrw_db_release(store);
    return ret;
}
