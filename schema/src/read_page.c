/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "db.h"
#include "page_codec.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static const char doing[] = "reading a page";

static int unknown_page(struct xrw_store *store, xrw_gfn gfn, xrw_exit_id exit,
                        struct xrw_error *err)
{
    char base[16] = "";

    (void)xrw_store_get_meta(store, "base", base, sizeof base);
    return xrw_error_set(
        err, -ENODATA, "page %#" PRIx64 " is not known at exit %" PRIu64 " (%s%s)", gfn, exit,
        store->path, strcmp(base, "touched") ? "" : ": only pages that the run reached were kept");
}

/* Step a statement whose parameters are run, gfn and exit, and take its first columns. */
static int look_up(struct xrw_store *store, enum xrw_statement which, uint64_t run, xrw_gfn gfn,
                   xrw_exit_id exit, uint64_t *first, uint64_t *second, struct xrw_error *err)
{
    sqlite3_stmt *stmt;
    int ret = xrw_db_statement(store, which, &stmt, err);

    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, run);
    xrw_db_bind_u64(stmt, 2, gfn);
    xrw_db_bind_u64(stmt, 3, exit);
    ret = xrw_db_step(store, stmt, doing, err);
    if (ret != 1)
        return ret;
    *first = xrw_db_u64(stmt, 0);
    if (second)
        *second = xrw_db_u64(stmt, 1);
    sqlite3_reset(stmt);
    return 1;
}

/* First frame at or after exit: 1 with *frame, 0 if there is none, or a negative errno. */
static int next_frame(struct xrw_store *store, uint64_t run, xrw_exit_id exit, xrw_exit_id *frame,
                      struct xrw_error *err)
{
    sqlite3_stmt *stmt;
    int ret = xrw_db_statement(store, XRW_SQL_NEXT_FRAME, &stmt, err);

    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, run);
    xrw_db_bind_u64(stmt, 2, exit);
    ret = xrw_db_step(store, stmt, doing, err);
    if (ret == 1) {
        *frame = xrw_db_u64(stmt, 0);
        sqlite3_reset(stmt);
    }
    return ret;
}

/*
 * Whether the last version as of exit is the content at exit: 1, 0 or a negative errno.
 * Between two frames only a page that had no version of its own by the later frame is known:
 * it was the parent's all the time.  One that had may have changed and changed back.
 */
static int is_known(struct xrw_store *store, const struct xrw_run *run, xrw_gfn gfn,
                    xrw_exit_id exit, struct xrw_error *err)
{
    xrw_exit_id frame = 0;
    uint64_t one;
    int ret;

    if (exit == 0)
        return 1;
    if (run->memory == XRW_MEMORY_NONE || exit < run->first_exit || exit > run->last_exit)
        return 0;
    if (run->memory == XRW_MEMORY_EXIT)
        return 1;
    ret = next_frame(store, run->id, exit, &frame, err);
    if (ret <= 0 || frame == exit)
        return ret;
    ret = look_up(store, XRW_SQL_PAGE_TOUCHED, run->id, gfn, frame, &one, NULL, err);
    return ret < 0 ? ret : !ret;
}

/* The version of a page as of an exit: the run's own, or else that of the base image.  1 with the
 * id of its content and the exit it is from (0: the start), 0 if there is none, or a negative
 * errno. */
static int version_as_of(struct xrw_store *store, const struct xrw_run *run, xrw_gfn gfn,
                         xrw_exit_id exit, uint64_t *id, xrw_exit_id *from, struct xrw_error *err)
{
    int ret = look_up(store, XRW_SQL_PAGE_AS_OF, run->id, gfn, exit, id, from, err);

    if (ret || run->base_run == run->id)
        return ret;
    return look_up(store, XRW_SQL_PAGE_AS_OF, run->base_run, gfn, 0, id, from, err);
}

/* A row of `page`, and the page that it is a difference from; NULL if it is whole. */
static int decode_row(struct xrw_store *store, sqlite3_stmt *stmt, const uint8_t *base,
                      uint8_t *page, struct xrw_error *err)
{
    XXH128_canonical_t hash;
    int ret = xrw_page_decode(sqlite3_column_int64(stmt, 0), sqlite3_column_blob(stmt, 1),
                              (size_t)sqlite3_column_bytes(stmt, 1), base, page);

    if (ret)
        return xrw_db_damaged(store, "a page does not unpack to 4096 bytes", err);
    XXH128_canonicalFromHash(&hash, XXH3_128bits(page, XRW_PAGE_BYTES));
    if (sqlite3_column_bytes(stmt, 2) != (int)sizeof hash ||
        memcmp(sqlite3_column_blob(stmt, 2), &hash, sizeof hash) != 0)
        return xrw_db_damaged(store, "a page does not have the content it should", err);
    return 0;
}

/* Read a row of `page`: 1 if it is a difference and base is NULL, from *base_id, and nothing was
 * decoded; else 0 or an error. */
static int read_row(struct xrw_store *store, uint64_t id, const uint8_t *base, uint8_t *page,
                    uint64_t *base_id, struct xrw_error *err)
{
    sqlite3_stmt *stmt;
    int ret = xrw_db_statement(store, XRW_SQL_PAGE, &stmt, err);

    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, id);
    ret = xrw_db_step(store, stmt, doing, err);
    if (ret == 0)
        return xrw_db_damaged(store, "the content of a page is missing", err);
    if (ret < 0)
        return ret;
    if (!base && sqlite3_column_int64(stmt, 0) == XRW_PAGE_DIFFERENCE) {
        *base_id = xrw_db_u64(stmt, 3);
        ret = 1;
    } else {
        ret = decode_row(store, stmt, base, page, err);
    }
    sqlite3_reset(stmt);
    return ret;
}

/* A page that is whole; kept for others that are differences from it. */
static int read_whole(struct xrw_store *store, uint64_t id, uint8_t *page, struct xrw_error *err)
{
    const uint8_t *cached = xrw_page_cache_find(store->pages, id);
    uint64_t base_id;
    int ret;

    if (cached) {
        memcpy(page, cached, XRW_PAGE_BYTES);
        return 0;
    }
    ret = read_row(store, id, NULL, page, &base_id, err);
    if (ret > 0)
        return xrw_db_damaged(store, "a page is a difference from one that is none itself", err);
    if (!ret)
        xrw_page_cache_add(store->pages, id, page);
    return ret;
}

int xrw_db_page(struct xrw_store *store, uint64_t id, uint8_t *page, struct xrw_error *err)
{
    uint8_t content[XRW_PAGE_BYTES], base[XRW_PAGE_BYTES];
    const uint8_t *cached;
    uint64_t base_id = 0;
    int ret;

    if (!store->pages)
        store->pages = xrw_page_cache_create();
    cached = xrw_page_cache_find(store->pages, id);
    if (cached) {
        memcpy(page, cached, XRW_PAGE_BYTES);
        return 0;
    }
    ret = read_row(store, id, NULL, content, &base_id, err);
    if (ret > 0) {
        ret = read_whole(store, base_id, base, err);
        if (!ret)
            ret = read_row(store, id, base, content, &base_id, err);
    }
    if (ret)
        return ret;
    xrw_page_cache_add(store->pages, id, content);
    memcpy(page, content, XRW_PAGE_BYTES);
    return 0;
}

/* Earliest version that has this content without a break: a page that became the fork's own
 * unchanged has a version that begins nothing. */
static int first_seen(struct xrw_store *store, const struct xrw_run *run, xrw_gfn gfn, uint64_t id,
                      xrw_exit_id version, xrw_exit_id *since, struct xrw_error *err)
{
    uint64_t earlier_id = id, earlier = version;
    int ret = 1;

    while (version > 0 && ret == 1 && earlier_id == id) {
        version = earlier;
        if (version > 0)
            ret = version_as_of(store, run, gfn, version - 1, &earlier_id, &earlier, err);
    }
    if (ret < 0)
        return ret;
    *since = version;
    return 0;
}

int xrw_store_page(struct xrw_store *store, uint64_t run, xrw_gfn gfn, xrw_exit_id exit,
                   uint8_t *page, xrw_exit_id *since, struct xrw_error *err)
{
    const struct xrw_run *info;
    uint64_t id, version;
    int ret = xrw_db_run(store, run, &info, err);

    if (!ret && exit > info->last_exit) {
        /* A recorder may have gone on since. */
        store->last_run.id = 0;
        ret = xrw_db_run(store, run, &info, err);
    }
    if (ret)
        return ret;
    ret = is_known(store, info, gfn, exit, err);
    if (ret > 0)
        ret = version_as_of(store, info, gfn, exit, &id, &version, err);
    if (ret == 0)
        return unknown_page(store, gfn, exit, err);
    if (ret < 0)
        return ret;
    ret = xrw_db_page(store, id, page, err);
    if (!ret && since)
        ret = first_seen(store, info, gfn, id, version, since, err);
    return ret;
}

int xrw_store_find_page_change(struct xrw_store *store, uint64_t run, xrw_gfn gfn, xrw_exit_id from,
                               bool forward, xrw_exit_id *exit, struct xrw_error *err)
{
    return look_up(store, forward ? XRW_SQL_NEXT_CHANGE : XRW_SQL_PREVIOUS_CHANGE, run, gfn, from,
                   exit, NULL, err);
}

int xrw_store_next_changed_page(struct xrw_store *store, uint64_t run, xrw_exit_id exit,
                                xrw_gfn *gfn, struct xrw_error *err)
{
    sqlite3_stmt *stmt;
    int ret = xrw_db_statement(store, XRW_SQL_CHANGED_PAGES, &stmt, err);

    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, exit);
    xrw_db_bind_u64(stmt, 2, run);
    xrw_db_bind_u64(stmt, 3, *gfn);
    ret = xrw_db_step(store, stmt, "reading which pages changed", err);
    if (ret == 1) {
        *gfn = xrw_db_u64(stmt, 0);
        sqlite3_reset(stmt);
    }
    return ret;
}
