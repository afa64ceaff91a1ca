/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xrw/gaps.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

static const char tables[] =
    "CREATE TABLE meta (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE gap ("
    "  exit         INTEGER PRIMARY KEY," /* exit.id of the recording: the gap is what follows it */
    "  instructions INTEGER NOT NULL,"
    "  verdict      TEXT NOT NULL,"
    "  cause        TEXT NOT NULL,"
    "  detail       TEXT NOT NULL"
    ") STRICT;";

static int failed(sqlite3 *db, const char *path, struct xrw_error *err)
{
    int rc = sqlite3_errcode(db) == SQLITE_FULL ? -ENOSPC : -EIO;

    return xrw_error_set(err, rc, "cannot write %s: %s", path, sqlite3_errmsg(db));
}

static int set_meta(sqlite3 *db, const char *key, uint64_t value)
{
    sqlite3_stmt *stmt = NULL;
    char text[24];
    int rc = sqlite3_prepare_v2(db, "INSERT INTO meta VALUES(?, ?)", -1, &stmt, NULL);

    (void)snprintf(text, sizeof text, "%" PRIu64, value);
    if (!rc)
        rc = sqlite3_bind_text(stmt, 1, key, -1, SQLITE_STATIC);
    if (!rc)
        rc = sqlite3_bind_text(stmt, 2, text, -1, SQLITE_STATIC);
    if (!rc && sqlite3_step(stmt) != SQLITE_DONE)
        rc = SQLITE_ERROR;
    sqlite3_finalize(stmt);
    return rc;
}

/* What tells this recording from another. */
static int write_identity(sqlite3 *db, struct xrw_store *recording, struct xrw_error *err)
{
    struct xrw_run run;
    int rc = xrw_store_run(recording, 1, &run, err);

    if (rc)
        return rc;
    if (set_meta(db, "start_unix_ns", run.start_unix_ns) ||
        set_meta(db, "runs", xrw_store_run_count(recording)))
        return -EIO;
    return 0;
}

static int write_row(sqlite3_stmt *stmt, const struct xrw_gap_row *row)
{
    (void)sqlite3_bind_int64(stmt, 1, (sqlite3_int64)row->exit);
    (void)sqlite3_bind_int64(stmt, 2, (sqlite3_int64)row->instructions);
    (void)sqlite3_bind_text(stmt, 3, row->verdict, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(stmt, 4, row->cause, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(stmt, 5, row->detail, -1, SQLITE_STATIC);
    if (sqlite3_step(stmt) != SQLITE_DONE)
        return -EIO;
    return sqlite3_reset(stmt) ? -EIO : 0;
}

static int write_rows(sqlite3 *db, xrw_gap_source next, void *ctx)
{
    sqlite3_stmt *stmt = NULL;
    struct xrw_gap_row row;
    int more, rc = sqlite3_prepare_v2(db, "INSERT INTO gap VALUES(?, ?, ?, ?, ?)", -1, &stmt, NULL);

    rc = rc ? -EIO : 0;
    while (!rc && (more = next(ctx, &row)) != 0)
        rc = more < 0 ? more : write_row(stmt, &row);
    sqlite3_finalize(stmt);
    return rc;
}

static int fill(sqlite3 *db, const char *path, struct xrw_store *recording, xrw_gap_source next,
                void *ctx, struct xrw_error *err)
{
    char pragma[64];
    int rc;

    (void)snprintf(pragma, sizeof pragma, "PRAGMA application_id = %d", XRW_GAPS_APPLICATION_ID);
    if (sqlite3_exec(db, pragma, NULL, NULL, NULL) || sqlite3_exec(db, "BEGIN", NULL, NULL, NULL) ||
        sqlite3_exec(db, tables, NULL, NULL, NULL))
        return failed(db, path, err);
    rc = write_identity(db, recording, err);
    if (!rc)
        rc = write_rows(db, next, ctx);
    if (rc)
        return rc == -EIO ? failed(db, path, err) : rc;
    return sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) ? failed(db, path, err) : 0;
}

static int write_file(const char *temporary, const char *path, struct xrw_store *recording,
                      xrw_gap_source next, void *ctx, struct xrw_error *err)
{
    sqlite3 *db = NULL;
    int rc;

    if (sqlite3_open_v2(temporary, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL))
        rc = failed(db, path, err);
    else
        rc = fill(db, path, recording, next, ctx, err);
    if (sqlite3_close(db) && !rc)
        rc = xrw_error_set(err, -EIO, "cannot write %s", path);
    if (!rc && rename(temporary, path)) {
        rc = -errno;
        xrw_error_set(err, rc, "cannot write %s: %s", path, strerror(-rc));
    }
    if (rc)
        (void)unlink(temporary);
    return rc;
}

int xrw_gaps_write(const char *path, struct xrw_store *recording, xrw_gap_source next, void *ctx,
                   struct xrw_error *err)
{
    size_t bytes = strlen(path) + sizeof ".new";
    char *temporary = malloc(bytes);
    int rc;

    if (!temporary)
        return xrw_error_set(err, -ENOMEM, "out of memory");
    (void)snprintf(temporary, bytes, "%s.new", path);
    (void)unlink(temporary);
    rc = write_file(temporary, path, recording, next, ctx, err);
    free(temporary);
    return rc;
}
