/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "db.h"

#include "file_check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct {
    int rc; /* primary result code */
    int error;
    const char *hint; /* second line, if any */
} translations[] = {
    {SQLITE_FULL, -ENOSPC, NULL},
    {SQLITE_CORRUPT, -EUCLEAN, "The file is damaged; `sqlite3 FILE .recover` may save a part."},
    {SQLITE_NOTADB, -EUCLEAN, "The file is damaged; `sqlite3 FILE .recover` may save a part."},
    {SQLITE_FORMAT, -EUCLEAN, NULL},
    {SQLITE_SCHEMA, -EUCLEAN, NULL},
    {SQLITE_TOOBIG, -EUCLEAN, NULL},
    {SQLITE_CONSTRAINT, -EINVAL, NULL},
    {SQLITE_MISMATCH, -EUCLEAN, NULL},
    {SQLITE_BUSY, -EBUSY, "Another program holds it; try again."},
    {SQLITE_LOCKED, -EBUSY, "Another program holds it; try again."},
    {SQLITE_PROTOCOL, -EBUSY, "Another program holds it; try again."},
    {SQLITE_NOMEM, -ENOMEM, NULL},
    {SQLITE_INTERRUPT, -EINTR, NULL},
    {SQLITE_PERM, -EACCES, NULL},
    {SQLITE_READONLY, -EROFS, NULL},
    {SQLITE_CANTOPEN, -EROFS, NULL}, /* the WAL or its index cannot be made */
    {SQLITE_AUTH, -EPERM, NULL},
    {SQLITE_ERROR, -EINVAL, NULL},
};

/* errno of the last failed write: SQLite's VFS keeps one for the file and one for the journal. */
static int write_errno(sqlite3 *db)
{
    sqlite3_file *journal = NULL;
    int error = 0;

    (void)sqlite3_file_control(db, "main", SQLITE_FCNTL_LAST_ERRNO, &error);
    if (error)
        return error;
    (void)sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &journal);
    if (journal && journal->pMethods)
        (void)journal->pMethods->xFileControl(journal, SQLITE_FCNTL_LAST_ERRNO, &error);
    return error;
}

/* A quota or a limit that is reached shows up as a failed write, not as SQLITE_FULL. */
static bool is_full(sqlite3 *db, int rc)
{
    int error;

    if ((rc & 0xff) != SQLITE_IOERR)
        return (rc & 0xff) == SQLITE_FULL;
    error = write_errno(db);
    return error == ENOSPC || error == EDQUOT || error == EFBIG;
}

int xrw_db_error(const struct xrw_store *store, int rc, const char *doing, struct xrw_error *err)
{
    const char *message = store->db ? sqlite3_errmsg(store->db) : sqlite3_errstr(rc);

    if (rc == SQLITE_OK)
        return 0;
    if (store->writable && is_full(store->db, rc))
        return xrw_error_set(err, -ENOSPC,
                             "%s: no space left, or a limit on file size reached, while %s\n"
                             "The recording is intact up to exit %" PRIu64 ".",
                             store->path, doing, store->drain.committed_exit);
    if (rc == SQLITE_IOERR_NOMEM)
        return xrw_error_set(err, -ENOMEM, "%s: out of memory while %s", store->path, doing);
    for (size_t i = 0; i < sizeof translations / sizeof *translations; i++)
        if (translations[i].rc == (rc & 0xff))
            return xrw_error_set(err, translations[i].error, "%s: %s while %s%s%s", store->path,
                                 message, doing, translations[i].hint ? "\n" : "",
                                 translations[i].hint ? translations[i].hint : "");
    return xrw_error_set(err, -EIO, "%s: %s while %s", store->path, message, doing);
}

int xrw_db_damaged(const struct xrw_store *store, const char *what, struct xrw_error *err)
{
    return xrw_error_set(err, -EUCLEAN,
                         "%s: the recording contradicts itself: %s\n"
                         "It is damaged or was changed; what other exits hold may still be good.",
                         store->path, what);
}

/* SQLite is for one thread at a time: before the caller's uses it, the writing thread must rest. */
static void rest_writer(struct xrw_store *store)
{
    if (store->writer.started && !pthread_equal(pthread_self(), store->writer.thread))
        xrw_queue_settle(store);
}

int xrw_db_statement(struct xrw_store *store, enum xrw_statement which, sqlite3_stmt **out,
                     struct xrw_error *err)
{
    int rc = SQLITE_OK;

    rest_writer(store);
    if (!store->statement[which])
        rc = sqlite3_prepare_v3(store->db, xrw_statement_text[which], -1, SQLITE_PREPARE_PERSISTENT,
                                &store->statement[which], NULL);
    if (rc != SQLITE_OK)
        return xrw_db_error(store, rc, "preparing a statement", err);
    *out = store->statement[which];
    return 0;
}

int xrw_db_step(struct xrw_store *store, sqlite3_stmt *stmt, const char *doing,
                struct xrw_error *err)
{
    int rc = sqlite3_step(stmt);

    if (rc == SQLITE_ROW)
        return 1;
    rc = rc == SQLITE_DONE ? 0 : xrw_db_error(store, rc, doing, err);
    sqlite3_reset(stmt);
    return rc;
}

int xrw_db_exec(struct xrw_store *store, const char *sql, const char *doing, struct xrw_error *err)
{
    rest_writer(store);
    return xrw_db_error(store, sqlite3_exec(store->db, sql, NULL, NULL, NULL), doing, err);
}

void xrw_db_bind_u64(sqlite3_stmt *stmt, int parameter, uint64_t value)
{
    (void)sqlite3_bind_int64(stmt, parameter, (sqlite3_int64)value);
}

void xrw_db_bind_known(sqlite3_stmt *stmt, int parameter, bool known, uint64_t value)
{
    if (known)
        xrw_db_bind_u64(stmt, parameter, value);
    else
        (void)sqlite3_bind_null(stmt, parameter);
}

void xrw_db_bind_text(sqlite3_stmt *stmt, int parameter, const char *text)
{
    (void)sqlite3_bind_text(stmt, parameter, text, -1, SQLITE_STATIC);
}

uint64_t xrw_db_u64(sqlite3_stmt *stmt, int column)
{
    return (uint64_t)sqlite3_column_int64(stmt, column);
}

bool xrw_db_is_null(sqlite3_stmt *stmt, int column)
{
    return sqlite3_column_type(stmt, column) == SQLITE_NULL;
}

void xrw_db_text(sqlite3_stmt *stmt, int column, char *text, size_t bytes)
{
    const unsigned char *value = sqlite3_column_text(stmt, column);

    (void)snprintf(text, bytes, "%s", value ? (const char *)value : "");
    xrw_file_clean_text(text);
}
