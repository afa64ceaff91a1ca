/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The writing thread's side of memory and contexts. */
#include "db.h"
#include "file_check.h"
#include "page_codec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A difference up to so many bytes is taken without trying whether the whole would be shorter. */
#define SMALL_DIFFERENCE 512u

struct encoded {
    enum xrw_page_encoding encoding;
    uint64_t base;
    size_t bytes;
    uint8_t data[XRW_PAGE_BYTES];
};

static int insert_page(struct xrw_store *store, uint64_t id, const void *hash,
                       const struct encoded *encoded, struct xrw_error *err)
{
    sqlite3_stmt *stmt;
    int ret = xrw_db_statement(store, XRW_SQL_ADD_PAGE, &stmt, err);

    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, id);
    (void)sqlite3_bind_blob64(stmt, 2, hash, XRW_PAGE_HASH_BYTES, SQLITE_STATIC);
    xrw_db_bind_u64(stmt, 3, encoded->encoding);
    xrw_db_bind_known(stmt, 4, encoded->encoding == XRW_PAGE_DIFFERENCE, encoded->base);
    (void)sqlite3_bind_blob64(stmt, 5, encoded->data, encoded->bytes, SQLITE_STATIC);
    return xrw_db_insert(store, stmt, "adding a page", err);
}

int xrw_page_add_zero(struct xrw_store *store, struct xrw_error *err)
{
    static const uint8_t zeros[XRW_PAGE_BYTES];
    struct encoded encoded = {.encoding = XRW_PAGE_ZERO};
    XXH128_canonical_t hash;

    XXH128_canonicalFromHash(&hash, XXH3_128bits(zeros, sizeof zeros));
    return insert_page(store, 0, &hash, &encoded, err);
}

/* ---- whole or difference --------------------------------------------- */

static int remember_base(struct xrw_store_drain *drain, uint64_t id, uint64_t base)
{
    if (id >= drain->page_capacity) {
        size_t capacity = drain->page_capacity ? 2 * drain->page_capacity : 1024;
        uint32_t *bigger;

        while (capacity <= id)
            capacity *= 2;
        bigger = realloc(drain->page_base, capacity * sizeof *bigger);
        if (!bigger)
            return -ENOMEM;
        memset(bigger + drain->page_capacity, 0,
               (capacity - drain->page_capacity) * sizeof *bigger);
        drain->page_base = bigger;
        drain->page_capacity = capacity;
    }
    drain->page_base[id] = (uint32_t)base;
    return 0;
}

/* The nearest whole content that the page's last version stands on; 0: there is none. */
static uint64_t whole_before(const struct xrw_store_drain *drain, uint64_t before)
{
    if (!before || before >= drain->page_capacity)
        return 0;
    return drain->page_base[before] ? drain->page_base[before] : before;
}

/* As a difference from the content that the page had, if that is shorter. */
static int encode(struct xrw_store *store, const struct xrw_packed_page *packed,
                  struct encoded *encoded, struct xrw_error *err)
{
    struct encoded whole = {.encoding = XRW_PAGE_ZERO};
    uint8_t base[XRW_PAGE_BYTES];
    int ret;

    encoded->base = whole_before(&store->drain, packed->before);
    encoded->bytes = XRW_PAGE_BYTES;
    if (encoded->base) {
        ret = xrw_db_page(store, encoded->base, base, err);
        if (ret)
            return ret;
        encoded->encoding = XRW_PAGE_DIFFERENCE;
        encoded->bytes = xrw_page_encode_difference(packed->page, base, encoded->data);
        if (encoded->bytes && encoded->bytes <= SMALL_DIFFERENCE)
            return 0;
    }
    whole.encoding = xrw_page_encode(packed->page, whole.data, &whole.bytes);
    if (!encoded->base || !encoded->bytes || whole.bytes <= encoded->bytes + encoded->bytes / 2)
        *encoded = whole;
    return 0;
}

int xrw_drain_page(struct xrw_store *store, const struct xrw_packed_page *packed,
                   struct xrw_error *err)
{
    struct encoded encoded;
    int ret = xrw_drain_begin(store, err);

    if (!ret)
        ret = encode(store, packed, &encoded, err);
    if (!ret)
        ret = insert_page(store, packed->id, packed->hash, &encoded, err);
    if (ret)
        return ret;
    if (encoded.encoding != XRW_PAGE_DIFFERENCE)
        xrw_page_cache_add(store->pages, packed->id, packed->page);
    if (remember_base(&store->drain, packed->id,
                      encoded.encoding == XRW_PAGE_DIFFERENCE ? encoded.base : 0))
        return xrw_error_set(err, -ENOMEM, "out of memory");
    return 0;
}

int xrw_drain_version(struct xrw_store *store, const struct xrw_packed_version *packed,
                      struct xrw_error *err)
{
    sqlite3_stmt *stmt;
    int ret = xrw_drain_begin(store, err);

    if (!ret)
        ret = xrw_db_statement(store, XRW_SQL_ADD_PAGE_VERSION, &stmt, err);
    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, packed->run);
    xrw_db_bind_u64(stmt, 2, packed->gfn);
    xrw_db_bind_u64(stmt, 3, packed->exit);
    xrw_db_bind_u64(stmt, 4, packed->page);
    return xrw_db_insert(store, stmt, "adding a version of a page", err);
}

int xrw_drain_frame(struct xrw_store *store, const struct xrw_packed_frame *packed,
                    struct xrw_error *err)
{
    sqlite3_stmt *stmt;
    int ret = xrw_drain_begin(store, err);

    if (!ret)
        ret = xrw_db_statement(store, XRW_SQL_ADD_FRAME, &stmt, err);
    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, packed->run);
    xrw_db_bind_u64(stmt, 2, packed->exit);
    return xrw_db_insert(store, stmt, "adding a memory frame", err);
}

/* ---- contexts -------------------------------------------------------- */

static int context_unchanged(struct xrw_store *store, const struct xrw_packed_context *packed,
                             struct xrw_error *err)
{
    sqlite3_stmt *stmt;
    int ret =
        xrw_db_context(store, packed->run, packed->kind, packed->vcpu, packed->exit, &stmt, err);

    if (ret != 1)
        return ret;
    ret = sqlite3_column_bytes(stmt, 0) == (int)packed->bytes &&
          !memcmp(sqlite3_column_blob(stmt, 0), packed->data, packed->bytes);
    sqlite3_reset(stmt);
    return ret;
}

int xrw_drain_context(struct xrw_store *store, const struct xrw_packed_context *packed,
                      struct xrw_error *err)
{
    sqlite3_stmt *stmt;
    int ret = xrw_drain_begin(store, err);

    if (!ret && !strcmp(packed->kind, "fxsave"))
        ret = context_unchanged(store, packed, err);
    if (ret)
        return ret < 0 ? ret : 0;
    ret = xrw_db_statement(store, XRW_SQL_ADD_CONTEXT, &stmt, err);
    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, packed->run);
    xrw_db_bind_text(stmt, 2, packed->kind);
    xrw_db_bind_u64(stmt, 3, packed->vcpu);
    xrw_db_bind_u64(stmt, 4, packed->exit);
    (void)sqlite3_bind_blob64(stmt, 5, packed->data, packed->bytes, SQLITE_STATIC);
    return xrw_db_insert(store, stmt, "adding a context", err);
}
