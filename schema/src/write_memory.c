/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "db.h"
#include "file_check.h"
#include "page_codec.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Whether something of this exit can be added now; notes it if the exit itself is still to come. */
static int check_exit(struct xrw_store *store, uint64_t run, xrw_exit_id exit,
                      struct xrw_error *err)
{
    struct xrw_store_writer *writer = &store->writer;
    int ret = xrw_db_write(store, err);

    if (ret)
        return ret;
    if (run == 0 || run != writer->run.id ||
        (exit && (exit < writer->run.first_exit || exit > writer->run.last_exit + writer->in_run)))
        return xrw_error_set(err, -EINVAL,
                             "%s: exit %" PRIu64 " of run %" PRIu64 " is not being recorded",
                             store->path, exit, run);
    if (exit > writer->run.last_exit)
        writer->pending = true;
    return 0;
}

/* How the content compares with the version as of this exit. */
enum { DIFFERENT, SAME_AS_BEFORE, THERE_ALREADY };

/* The last version of the run as of this exit: 1 with where it is from and whether it has this
 * content; 0 if there is none; or a negative errno. */
static int last_version(struct xrw_store *store, uint64_t run, xrw_gfn gfn, xrw_exit_id exit,
                        const XXH128_canonical_t *hash, xrw_exit_id *from, bool *same,
                        struct xrw_error *err)
{
    sqlite3_stmt *stmt;
    int ret = xrw_db_statement(store, XRW_SQL_HASH_AS_OF, &stmt, err);

    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, run);
    xrw_db_bind_u64(stmt, 2, gfn);
    xrw_db_bind_u64(stmt, 3, exit);
    ret = xrw_db_step(store, stmt, "looking for the page's last version", err);
    if (ret != 1)
        return ret;
    *same = sqlite3_column_bytes(stmt, 0) == (int)sizeof *hash &&
            !memcmp(sqlite3_column_blob(stmt, 0), hash, sizeof *hash);
    *from = xrw_db_u64(stmt, 1);
    sqlite3_reset(stmt);
    return 1;
}

/* One of these or a negative errno.  A run without a version of its own has that of the base
 * image. */
static int compare_with_version(struct xrw_store *store, const struct xrw_run *run, xrw_gfn gfn,
                                xrw_exit_id exit, const XXH128_canonical_t *hash,
                                struct xrw_error *err)
{
    xrw_exit_id from;
    bool same, own;
    int ret = last_version(store, run->id, gfn, exit, hash, &from, &same, err);

    own = ret == 1;
    if (!ret && run->base_run != run->id)
        ret = last_version(store, run->base_run, gfn, 0, hash, &from, &same, err);
    if (ret != 1)
        return ret < 0 ? ret : DIFFERENT;
    if (!own || from != exit)
        return same ? SAME_AS_BEFORE : DIFFERENT;
    return same ? THERE_ALREADY
                : xrw_error_set(err, -EINVAL,
                                "%s: page %#" PRIx64 " given with two contents at exit %" PRIu64,
                                store->path, gfn, exit);
}

static int insert_page(struct xrw_store *store, uint64_t id, const XXH128_canonical_t *hash,
                       const uint8_t *page, struct xrw_error *err)
{
    uint8_t data[XRW_PAGE_BYTES];
    size_t bytes;
    enum xrw_page_encoding encoding = xrw_page_encode(page, data, &bytes);
    sqlite3_stmt *stmt;
    int ret = xrw_db_statement(store, XRW_SQL_ADD_PAGE, &stmt, err);

    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, id);
    (void)sqlite3_bind_blob64(stmt, 2, hash, sizeof *hash, SQLITE_STATIC);
    xrw_db_bind_u64(stmt, 3, encoding);
    (void)sqlite3_bind_blob64(stmt, 4, data, bytes, SQLITE_STATIC);
    return xrw_db_insert(store, stmt, "adding a page", err);
}

int xrw_page_add_zero(struct xrw_store *store, struct xrw_error *err)
{
    static const uint8_t zeros[XRW_PAGE_BYTES];
    XXH128_canonical_t hash;

    XXH128_canonicalFromHash(&hash, XXH3_128bits(zeros, sizeof zeros));
    return insert_page(store, 0, &hash, zeros, err);
}

/* Id of the row of `page` with this content, added if there is none. */
static int page_row(struct xrw_store *store, const uint8_t *page, XXH128_hash_t key,
                    const XXH128_canonical_t *hash, uint64_t *id, struct xrw_error *err)
{
    static const uint8_t zeros[XRW_PAGE_BYTES];
    struct xrw_store_writer *writer = &store->writer;
    uint64_t found = 0;
    int ret;

    if (memcmp(page, zeros, sizeof zeros) != 0) {
        found = xrw_id_map_find(&writer->pages, key);
        if (!found) {
            found = writer->page_rows + 1;
            ret = insert_page(store, found, hash, page, err);
            if (ret)
                return ret;
            writer->page_rows = found;
            xrw_id_map_add(&writer->pages, key, found);
        }
    }
    *id = found;
    return 0;
}

int xrw_store_add_page(struct xrw_store *store, uint64_t run, xrw_gfn gfn, xrw_exit_id exit,
                       const uint8_t *page, bool force, struct xrw_error *err)
{
    XXH128_hash_t key = XXH3_128bits(page, XRW_PAGE_BYTES);
    XXH128_canonical_t hash;
    sqlite3_stmt *stmt;
    uint64_t id;
    int ret = check_exit(store, run, exit, err);

    if (ret)
        return ret;
    XXH128_canonicalFromHash(&hash, key);
    ret = compare_with_version(store, &store->writer.run, gfn, exit, &hash, err);
    if (ret < 0)
        return ret;
    if (ret == THERE_ALREADY || (ret == SAME_AS_BEFORE && !force))
        return 0;
    ret = page_row(store, page, key, &hash, &id, err);
    if (!ret)
        ret = xrw_db_statement(store, XRW_SQL_ADD_PAGE_VERSION, &stmt, err);
    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, run);
    xrw_db_bind_u64(stmt, 2, gfn);
    xrw_db_bind_u64(stmt, 3, exit);
    xrw_db_bind_u64(stmt, 4, id);
    return xrw_db_insert(store, stmt, "adding a version of a page", err);
}

int xrw_store_add_memory_frame(struct xrw_store *store, uint64_t run, xrw_exit_id exit,
                               struct xrw_error *err)
{
    sqlite3_stmt *stmt;
    int ret = check_exit(store, run, exit, err);

    if (!ret)
        ret = xrw_db_statement(store, XRW_SQL_ADD_FRAME, &stmt, err);
    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, run);
    xrw_db_bind_u64(stmt, 2, exit);
    return xrw_db_insert(store, stmt, "adding a memory frame", err);
}

static int context_unchanged(struct xrw_store *store, uint64_t run, xrw_exit_id exit, uint32_t vcpu,
                             const char *kind, const void *data, size_t bytes,
                             struct xrw_error *err)
{
    sqlite3_stmt *stmt;
    int ret = xrw_db_statement(store, XRW_SQL_CONTEXT_AS_OF, &stmt, err);

    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, run);
    xrw_db_bind_text(stmt, 2, kind);
    xrw_db_bind_u64(stmt, 3, vcpu);
    xrw_db_bind_u64(stmt, 4, exit);
    ret = xrw_db_step(store, stmt, "looking for the last context", err);
    if (ret == 1)
        ret = sqlite3_column_bytes(stmt, 0) == (int)bytes &&
              !memcmp(sqlite3_column_blob(stmt, 0), data, bytes);
    sqlite3_reset(stmt);
    return ret;
}

int xrw_store_add_context(struct xrw_store *store, uint64_t run, xrw_exit_id exit, uint32_t vcpu,
                          const char *kind, const void *data, size_t bytes, struct xrw_error *err)
{
    bool is_fxsave = !strcmp(kind, "fxsave");
    sqlite3_stmt *stmt;
    int ret;

    if (!bytes || bytes > XRW_STORE_CONTEXT_MAX_BYTES || (is_fxsave && bytes != XRW_FXSAVE_BYTES))
        return xrw_error_set(err, -EINVAL, "%s: a %s context of %zu bytes", store->path, kind,
                             bytes);
    ret = check_exit(store, run, exit, err);
    if (!ret && is_fxsave)
        ret = context_unchanged(store, run, exit, vcpu, kind, data, bytes, err);
    if (ret)
        return ret < 0 ? ret : 0;
    ret = xrw_db_statement(store, XRW_SQL_ADD_CONTEXT, &stmt, err);
    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, run);
    xrw_db_bind_text(stmt, 2, kind);
    xrw_db_bind_u64(stmt, 3, vcpu);
    xrw_db_bind_u64(stmt, 4, exit);
    (void)sqlite3_bind_blob64(stmt, 5, data, bytes, SQLITE_STATIC);
    return xrw_db_insert(store, stmt, "adding a context", err);
}
