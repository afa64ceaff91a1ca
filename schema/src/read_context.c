/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading parts of a vCPU's state that are kept whole. */
#include "db.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int xrw_db_context(struct xrw_store *store, uint64_t run, const char *kind, uint32_t vcpu,
                   xrw_exit_id exit, sqlite3_stmt **out, struct xrw_error *err)
{
    sqlite3_stmt *stmt;
    int ret = xrw_db_statement(store, XRW_SQL_CONTEXT_AS_OF, &stmt, err);

    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, run);
    xrw_db_bind_text(stmt, 2, kind);
    xrw_db_bind_u64(stmt, 3, vcpu);
    xrw_db_bind_u64(stmt, 4, exit);
    *out = stmt;
    return xrw_db_step(store, stmt, "reading a context", err);
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
    int ret = xrw_db_context(store, run, kind, vcpu, exit, &stmt, err);

    if (ret == 0)
        return xrw_error_set(err, -ENODATA, "no context '%s' was recorded up to exit %" PRIu64,
                             kind, exit);
    if (ret < 0)
        return ret;
    ret = copy_blob(stmt, data, bytes);
    sqlite3_reset(stmt);
    return ret ? xrw_error_set(err, ret, "a context is too large") : 0;
}

int xrw_store_fxsave(struct xrw_store *store, xrw_exit_id id, uint8_t *fxsave,
                     struct xrw_error *err)
{
    const struct xrw_run *run;
    struct xrw_exit exit;
    sqlite3_stmt *stmt;
    int ret = xrw_store_exit(store, id, &exit, err);

    if (!ret)
        ret = xrw_db_run(store, exit.run, &run, err);
    if (ret)
        return ret;
    ret = xrw_db_context(store, run->id, "fxsave", exit.vcpu, id, &stmt, err);
    if (!ret && run->base_run != run->id)
        ret = xrw_db_context(store, run->base_run, "fxsave", exit.vcpu, 0, &stmt, err);
    if (ret == 0)
        return xrw_error_set(err, -ENODATA, "%s: no FPU state recorded at exit %" PRIu64,
                             store->path, id);
    if (ret < 0)
        return ret;
    if (sqlite3_column_bytes(stmt, 0) == (int)XRW_FXSAVE_BYTES) {
        memcpy(fxsave, sqlite3_column_blob(stmt, 0), XRW_FXSAVE_BYTES);
        ret = 0;
    } else {
        ret = xrw_db_damaged(store, "an FPU state of the wrong size", err);
    }
    sqlite3_reset(stmt);
    return ret;
}
