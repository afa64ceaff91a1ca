/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What re-execution reads beside exits and pages: what changed at an exit, and whole contexts. */
#include "db.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

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

static int copy_blob(sqlite3_stmt *stmt, uint8_t **data, size_t *bytes)
{
    size_t size = (size_t)sqlite3_column_bytes(stmt, 0);
    uint8_t *copy;

    if (size > XRW_STORE_CONTEXT_MAX_BYTES)
        return -EUCLEAN;
    copy = malloc(size ? size : 1);
    if (!copy)
        return -ENOMEM;
    if (size)
        memcpy(copy, sqlite3_column_blob(stmt, 0), size);
    *data = copy;
    *bytes = size;
    return 0;
}

int xrw_store_context(struct xrw_store *store, uint64_t run, const char *kind, uint32_t vcpu,
                      xrw_exit_id exit, uint8_t **data, size_t *bytes, struct xrw_error *err)
{
    sqlite3_stmt *stmt;
    int ret = xrw_db_statement(store, XRW_SQL_CONTEXT_AS_OF, &stmt, err);

    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, run);
    xrw_db_bind_text(stmt, 2, kind);
    xrw_db_bind_u64(stmt, 3, vcpu);
    xrw_db_bind_u64(stmt, 4, exit);
    ret = xrw_db_step(store, stmt, "reading a context", err);
    if (ret == 0)
        return xrw_error_set(err, -ENODATA, "no context '%s' was recorded up to exit %" PRIu64,
                             kind, exit);
    if (ret < 0)
        return ret;
    ret = copy_blob(stmt, data, bytes);
    sqlite3_reset(stmt);
    return ret ? xrw_error_set(err, ret, "a context is too large") : 0;
}
