/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "db.h"
#include "file_check.h"
#include "sql.h"
#include "xrw/reason.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* SQLite gives names such as ":memory:" a meaning of their own; a path with a slash has none. */
static char *plain_path(const char *path)
{
    const char *prefix = path[0] == '/' ? "" : "./";
    size_t bytes = strlen(prefix) + strlen(path) + 1;
    char *plain = malloc(bytes);

    if (plain)
        (void)snprintf(plain, bytes, "%s%s", prefix, path);
    return plain;
}

static struct xrw_store *allocate(const char *path, struct xrw_error *err)
{
    struct xrw_store *store = calloc(1, sizeof *store);

    if (store) {
        store->path = plain_path(path);
        store->writer.ring_file.fd = -1;
    }
    if (store && store->path)
        return store;
    free(store);
    xrw_error_set(err, -ENOMEM, "out of memory");
    return NULL;
}

void xrw_db_release(struct xrw_store *store)
{
    for (unsigned i = 0; i < XRW_SQL_COUNT; i++)
        sqlite3_finalize(store->statement[i]);
    for (unsigned i = 0; i < XRW_FIND_STATEMENTS; i++)
        sqlite3_finalize(store->find[i]);
    xrw_btree_destroy(store->btree);
    sqlite3_close(store->db);
    xrw_ring_destroy(store->writer.ring);
    xrw_ring_file_close(&store->writer.ring_file);
    for (unsigned i = 0; i < XRW_BULKS; i++)
        xrw_image_destroy(store->drain.image[i]);
    free(store->drain.batch);
    free(store->drain.site_counts.count);
    free(store->drain.site_counts.dirty);
    free(store->drain.space_counts.count);
    free(store->drain.space_counts.dirty);
    free(store->drain.page_base);
    free(store->site_index);
    xrw_gfn_versions_clear(&store->writer.versions);
    xrw_gfn_versions_clear(&store->writer.base);
    xrw_id_map_clear(&store->writer.insns);
    xrw_id_map_clear(&store->writer.pages);
    xrw_id_map_clear(&store->writer.sysregs);
    xrw_id_map_clear(&store->writer.sites);
    xrw_id_map_clear(&store->writer.spaces);
    free(store->writer.recent);
    free(store->writer.lately);
    xrw_page_cache_destroy(store->pages);
    free(store->path);
    free(store);
}

/* ---- create ---------------------------------------------------------- */

static int fill_reasons(struct xrw_store *store, struct xrw_error *err)
{
    sqlite3_stmt *stmt;
    int ret = xrw_db_statement(store, XRW_SQL_ADD_REASON, &stmt, err);

    for (size_t i = 0; !ret && i < xrw_reason_count(); i++) {
        const struct xrw_reason_info *info = xrw_reason_at(i);

        xrw_db_bind_u64(stmt, 1, info->reason);
        xrw_db_bind_text(stmt, 2, info->name);
        xrw_db_bind_text(stmt, 3, info->what);
        xrw_db_bind_text(stmt, 4, xrw_reason_vendor(info->reason));
        ret = xrw_db_step(store, stmt, "creating the recording", err);
        sqlite3_reset(stmt);
    }
    return ret;
}

/* The whole structure in one transaction: a file is a recording or it is empty. */
static int make_structure(struct xrw_store *store, struct xrw_error *err)
{
    static const char doing[] = "creating the recording";
    char ids[96];
    int ret;

    (void)snprintf(ids, sizeof ids, "PRAGMA application_id = %d; PRAGMA user_version = %d;",
                   XRW_STORE_APPLICATION_ID, XRW_STORE_FORMAT_VERSION);
    /* Small pages: a random exit costs some of them, and the system copies each. */
    ret = xrw_db_exec(store, "PRAGMA page_size = 4096; BEGIN EXCLUSIVE;", doing, err);
    if (!ret)
        ret = xrw_db_exec(store, ids, doing, err);
    if (!ret)
        ret = xrw_db_exec(store, xrw_sql_schema, doing, err);
    if (!ret)
        ret = xrw_drain_prepare_images(store, err);
    if (!ret)
        ret = xrw_db_exec(store, xrw_sql_views, doing, err);
    if (!ret)
        ret = fill_reasons(store, err);
    if (!ret)
        ret = xrw_page_add_zero(store, err);
    if (!ret)
        ret = xrw_db_exec(store, "COMMIT;", doing, err);
    return ret;
}

static int start_writing(struct xrw_store *store, struct xrw_error *err)
{
    int rc =
        sqlite3_open_v2(store->path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    int ret;

    store->writable = true;
    if (rc != SQLITE_OK)
        return xrw_db_error(store, rc, "creating the recording", err);
    sqlite3_extended_result_codes(store->db, 1);
    sqlite3_busy_timeout(store->db, 2000);
    ret = make_structure(store, err);
    if (ret)
        return ret;
    /* WAL: others can read while we write, and being killed does no harm. */
    ret = xrw_db_exec(
        store,
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;"
        "PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 4000; ATTACH ':memory:' AS src;",
        "creating the recording", err);
    if (!ret)
        store->pages = xrw_page_cache_create();
    sqlite3_set_authorizer(store->db, xrw_query_authorize, store);
    return ret;
}

int xrw_store_create(struct xrw_store **out, const char *path, struct xrw_error *err)
{
    struct xrw_store *store;
    int fd, ret;

    fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0666);
    if (fd < 0)
        return xrw_file_create_error(path, errno, err);
    close(fd);
    store = allocate(path, err);
    if (!store) {
        (void)unlink(path);
        return -ENOMEM;
    }
    ret = start_writing(store, err);
    if (ret) {
        xrw_db_release(store);
        (void)unlink(path);
        return ret;
    }
    *out = store;
    return 0;
}

int xrw_store_make_durable(struct xrw_store *store, struct xrw_error *err)
{
    int ret = store->drain.in_transaction ? xrw_store_commit(store, err) : 0;

    return ret ? ret : xrw_db_exec(store, "PRAGMA synchronous = FULL;", "making it durable", err);
}

/* ---- open ------------------------------------------------------------ */

static int try_open(struct xrw_store *store, const char *name, int flags, struct xrw_error *err)
{
    int rc =
        sqlite3_open_v2(name, &store->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | flags, NULL);
    int ret;

    if (rc != SQLITE_OK)
        return xrw_db_error(store, rc, "opening it", err);
    sqlite3_extended_result_codes(store->db, 1);
    sqlite3_busy_timeout(store->db, 2000);
    ret = xrw_db_distrust(store, err);
    if (!ret)
        ret = xrw_db_verify(store, err);
    return ret ? ret : xrw_db_exec(store, xrw_sql_temp_views, "opening it", err);
}

/* A recording in WAL mode without its WAL, on a medium where none can be made: nothing is missing
 * from it and nobody can change it. */
static int open_immutable(struct xrw_store *store, struct xrw_error *err)
{
    char *uri = xrw_file_immutable_uri(store->path);
    int ret;

    if (!uri)
        return xrw_error_set(err, -ENOMEM, "out of memory");
    sqlite3_close(store->db);
    store->db = NULL;
    ret = try_open(store, uri, SQLITE_OPEN_URI, err);
    free(uri);
    return ret;
}

/* One long transaction over a recording that nobody writes: it cannot change under us, and a read
 * saves taking its locks. */
static int hold(struct xrw_store *store, struct xrw_error *err)
{
    int ret = xrw_db_exec(store, "BEGIN", "opening it", err);

    if (!ret)
        store->btree = xrw_btree_create(store->db);
    return ret;
}

int xrw_store_open(struct xrw_store **out, const char *path, struct xrw_error *err)
{
    struct xrw_file_state file = {0};
    struct xrw_store *store;
    int ret = xrw_file_check(path, &file, err);

    if (!ret)
        ret = xrw_db_recover(path, err);
    if (!ret)
        ret = xrw_file_check(path, &file, err);
    if (ret)
        return ret;
    store = allocate(path, err);
    if (!store)
        return -ENOMEM;
    ret = try_open(store, store->path, 0, err);
    if (ret == -EROFS)
        ret = file.wal ? xrw_file_needs_folder(path, err) : open_immutable(store, err);
    if (!ret && !file.wal_mode)
        ret = hold(store, err);
    if (ret) {
        if (err)
            xrw_file_clean_text(err->text);
        xrw_db_release(store);
        return ret;
    }
    *out = store;
    return 0;
}

int xrw_db_open_to_add(struct xrw_store **out, const char *path, struct xrw_error *err)
{
    struct xrw_file_state file = {0};
    struct xrw_store *store;
    int rc, ret = xrw_file_check(path, &file, err);

    if (ret)
        return ret;
    store = allocate(path, err);
    if (!store)
        return -ENOMEM;
    rc =
        sqlite3_open_v2(store->path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    ret = xrw_db_error(store, rc, "opening it", err);
    if (!ret)
        ret = xrw_db_verify(store, err);
    if (ret) {
        xrw_db_release(store);
        return ret;
    }
    *out = store;
    return 0;
}

void xrw_db_forget(struct xrw_store *store)
{
    memset(&store->last_run, 0, sizeof store->last_run);
    free(store->site_index);
    store->site_index = NULL;
}

int xrw_store_refresh(struct xrw_store *store, struct xrw_error *err)
{
    xrw_db_forget(store);
    /* Who can add exits can change the structure too. */
    return store->writable ? 0 : xrw_db_verify(store, err);
}

/* ---- commit, close --------------------------------------------------- */

int xrw_store_commit(struct xrw_store *store, struct xrw_error *err)
{
    int ret;

    if (!store->writable)
        return 0;
    ret = xrw_db_writable(store, err);
    if (!ret && store->writer.pending) {
        store->writer.commit_due = true;
        return 0;
    }
    xrw_queue_settle(store);
    if (!ret)
        ret = xrw_db_writable(store, err);
    return ret ? ret : xrw_db_commit(store, err);
}

void xrw_db_leave_wal(struct xrw_store *store)
{
    /* With a rollback journal, being killed in this moment would leave one to be rolled back, and
     * a reader cannot.  What is written is one word of the header, so no journal is needed. */
    (void)sqlite3_exec(store->db, "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = OFF;",
                       NULL, NULL, NULL);
}

static int end_recording(struct xrw_store *store, struct xrw_error *err)
{
    struct xrw_store_writer *writer = &store->writer;
    int ret = xrw_db_write(store, err);

    if (!ret && writer->pending)
        ret = xrw_drain_drop(store, writer->run.id, writer->run.last_exit + 1, err);
    if (!ret && !writer->in_run)
        ret = xrw_store_set_meta(store, "closed", "1", err);
    if (!ret)
        ret = xrw_db_commit(store, err);
    /* After the commit: without room for the indexes the recording is still whole, only slower. */
    if (!ret && !writer->in_run)
        ret = xrw_db_exec(store, xrw_sql_indexes, "building the indexes", err);
    return ret;
}

static int finish_writing(struct xrw_store *store, struct xrw_error *err)
{
    int ret = end_recording(store, err);

    xrw_queue_stop(store);
    for (unsigned i = 0; i < XRW_SQL_COUNT; i++)
        sqlite3_reset(store->statement[i]);
    sqlite3_busy_timeout(store->db, 0);
    xrw_db_leave_wal(store);
    if (!ret)
        xrw_ring_file_remove(&store->writer.ring_file);
    return ret;
}

int xrw_store_close(struct xrw_store *store, struct xrw_error *err)
{
    int ret = 0;

    if (!store)
        return 0;
    if (store->writable)
        ret = finish_writing(store, err);
    xrw_db_release(store);
    return ret;
}

/* ---- meta, size ------------------------------------------------------ */

int xrw_store_set_meta(struct xrw_store *store, const char *key, const char *value,
                       struct xrw_error *err)
{
    sqlite3_stmt *stmt;
    int ret = xrw_db_write(store, err);

    if (!ret)
        ret = xrw_db_statement(store, XRW_SQL_SET_META, &stmt, err);
    if (ret)
        return ret;
    xrw_db_bind_text(stmt, 1, key);
    xrw_db_bind_text(stmt, 2, value);
    return xrw_db_insert(store, stmt, "writing a meta text", err);
}

int xrw_store_get_meta(struct xrw_store *store, const char *key, char *value, size_t bytes)
{
    sqlite3_stmt *stmt;
    int ret = xrw_db_statement(store, XRW_SQL_GET_META, &stmt, NULL);

    if (ret)
        return ret;
    xrw_db_bind_text(stmt, 1, key);
    ret = xrw_db_step(store, stmt, "reading a meta text", NULL);
    if (ret == 1)
        xrw_db_text(stmt, 0, value, bytes);
    sqlite3_reset(stmt);
    return ret == 1 ? 0 : ret ? ret : -ENOENT;
}

uint64_t xrw_store_file_bytes(const struct xrw_store *store)
{
    return xrw_file_bytes(store->path);
}
