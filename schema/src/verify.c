/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A trigger or a table of a stranger's making could turn what we read into something else.  So the
 * structure of a recording must be, text for text, the one that this library makes.  Views are for
 * others that read the file: the library hides them behind its own, so only their names matter.
 */
#include "db.h"
#include "register_index.h"
#include "sql.h"

#include <errno.h>
#include <string.h>

static int make_register_indexes(sqlite3 *reference)
{
    int rc = SQLITE_OK;

    for (unsigned set = 0; set < XRW_SETS; set++)
        for (unsigned i = 0; i < xrw_set_sizes[set] && rc == SQLITE_OK; i++) {
            char sql[XRW_REGISTER_INDEX_SQL_BYTES];

            xrw_register_index_sql((enum xrw_set)set, (enum xrw_register)xrw_set_registers[set][i],
                                   sql);
            rc = sqlite3_exec(reference, sql, NULL, NULL, NULL);
        }
    return rc;
}

/* An empty recording in memory to compare with. */
static int open_reference(sqlite3 **out)
{
    int rc = sqlite3_open_v2(":memory:", out, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_exec(*out, xrw_sql_schema, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(*out, xrw_sql_views, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(*out, xrw_sql_indexes, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = make_register_indexes(*out);
    return rc;
}

/* Whether our structure has the object in the current row: 1, 0 or a negative errno. */
static int is_ours(struct xrw_store *store, sqlite3_stmt *found, sqlite3_stmt *ours,
                   struct xrw_error *err)
{
    int rc = SQLITE_OK;

    for (int column = 0; column < 4 && rc == SQLITE_OK; column++)
        rc = sqlite3_bind_value(ours, column + 1, sqlite3_column_value(found, column));
    if (rc == SQLITE_OK)
        rc = sqlite3_step(ours);
    sqlite3_reset(ours);
    if (rc == SQLITE_ROW || rc == SQLITE_DONE)
        return rc == SQLITE_ROW;
    return xrw_db_error(store, rc, "comparing the structure", err);
}

static int refuse(const struct xrw_store *store, sqlite3_stmt *found, struct xrw_error *err)
{
    const char *type = (const char *)sqlite3_column_text(found, 0);
    const char *name = (const char *)sqlite3_column_text(found, 1);

    return xrw_error_set(err, -EUCLEAN,
                         "%s: %.20s \"%.60s\" does not belong in a recording of format %d\n"
                         "Keep tables and views of your own in another database and ATTACH this.",
                         store->path, type ? type : "an object", name ? name : "?",
                         XRW_STORE_FORMAT_VERSION);
}

static int compare(struct xrw_store *store, sqlite3_stmt *found, sqlite3_stmt *ours,
                   int64_t expected, struct xrw_error *err)
{
    int64_t tables = 0;
    int ret;

    while ((ret = xrw_db_step(store, found, "reading the structure", err)) > 0) {
        const char *type = (const char *)sqlite3_column_text(found, 0);

        ret = is_ours(store, found, ours, err);
        if (ret == 0)
            ret = refuse(store, found, err);
        if (ret < 0)
            break;
        /* Indexes come when it is closed: a recording that was cut off has none. */
        tables += type && !strcmp(type, "table");
    }
    sqlite3_reset(found);
    if (ret == 0 && tables != expected)
        return xrw_db_damaged(store, "a table is missing", err);
    return ret;
}

static int verify_against(struct xrw_store *store, sqlite3 *reference, struct xrw_error *err)
{
    sqlite3_stmt *found = NULL, *ours = NULL, *count = NULL;
    int rc, ret;

    rc = sqlite3_prepare_v2(reference,
                            "SELECT 1 FROM sqlite_schema WHERE type IS ? AND name IS ?"
                            " AND tbl_name IS ? AND (sql IS ? OR type = 'view')",
                            -1, &ours, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(
            reference, "SELECT count(*) FROM sqlite_schema WHERE type = 'table'", -1, &count, NULL);
    if (rc == SQLITE_OK && sqlite3_step(count) != SQLITE_ROW)
        rc = SQLITE_NOMEM;
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(store->db, "SELECT type, name, tbl_name, sql FROM sqlite_schema",
                                -1, &found, NULL);
    ret = xrw_db_error(store, rc, "reading the structure", err);
    if (!ret)
        ret = compare(store, found, ours, sqlite3_column_int64(count, 0), err);
    sqlite3_finalize(found);
    sqlite3_finalize(count);
    sqlite3_finalize(ours);
    return ret;
}

int xrw_db_verify(struct xrw_store *store, struct xrw_error *err)
{
    sqlite3 *reference = NULL;
    int ret;

    if (open_reference(&reference) == SQLITE_OK)
        ret = verify_against(store, reference, err);
    else
        ret = xrw_error_set(err, -ENOMEM, "%s: cannot set up the structure to compare with",
                            store->path);
    sqlite3_close(reference);
    return ret;
}
