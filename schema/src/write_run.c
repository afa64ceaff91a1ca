/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The writing thread's side of runs and their inputs. */
#include "db.h"

#include <string.h>

/* ---- the run's row --------------------------------------------------- */

/* Parameters 1 to 6 of ADD_RUN and UPDATE_RUN. */
static void bind_changing(sqlite3_stmt *stmt, const struct xrw_run *run)
{
    xrw_db_bind_u64(stmt, 1, run->first_exit);
    xrw_db_bind_u64(stmt, 2, run->last_exit);
    xrw_db_bind_known(stmt, 3, run->end_unix_ns != 0, run->end_unix_ns);
    xrw_db_bind_text(stmt, 4, run->stop[0] ? run->stop : NULL);
    xrw_db_bind_text(stmt, 5, run->stop_detail[0] ? run->stop_detail : NULL);
    xrw_db_bind_known(stmt, 6, run->path_known, run->path);
}

static void bind_constant(sqlite3_stmt *stmt, const struct xrw_run *run)
{
    xrw_db_bind_text(stmt, 8, run->source);
    xrw_db_bind_text(stmt, 9, run->mode);
    xrw_db_bind_text(stmt, 10, xrw_memory_names[run->memory]);
    xrw_db_bind_u64(stmt, 11, run->vcpus);
    xrw_db_bind_u64(stmt, 12, run->interrupts);
    xrw_db_bind_u64(stmt, 13, run->reexecutable);
    xrw_db_bind_text(stmt, 14, run->fitness);
    xrw_db_bind_u64(stmt, 15, run->domain);
    xrw_db_bind_known(stmt, 16, run->parent != 0, run->parent);
    xrw_db_bind_u64(stmt, 17, run->start_unix_ns);
    xrw_db_bind_u64(stmt, 18, run->base_run);
}

static int write_row(struct xrw_store *store, struct xrw_error *err)
{
    struct xrw_store_drain *drain = &store->drain;
    sqlite3_stmt *stmt;
    int ret = xrw_drain_begin(store, err);

    if (!ret)
        ret = xrw_db_statement(store, drain->run_written ? XRW_SQL_UPDATE_RUN : XRW_SQL_ADD_RUN,
                               &stmt, err);
    if (ret)
        return ret;
    bind_changing(stmt, &drain->run);
    xrw_db_bind_u64(stmt, 7, drain->run.id);
    if (!drain->run_written)
        bind_constant(stmt, &drain->run);
    ret = xrw_db_insert(store, stmt, "writing the row of a run", err);
    drain->run_written = drain->run_written || !ret;
    return ret;
}

int xrw_drain_run(struct xrw_store *store, struct xrw_error *err)
{
    struct xrw_store_drain *drain = &store->drain;

    if (!drain->run.id || (drain->run_written && drain->run.last_exit == drain->applied_exit))
        return 0;
    drain->run.last_exit = drain->applied_exit;
    return write_row(store, err);
}

/* ---- begin and end --------------------------------------------------- */

int xrw_drain_begin_run(struct xrw_store *store, const struct xrw_packed_run *packed,
                        struct xrw_error *err)
{
    store->drain.run = packed->run;
    store->drain.run_written = false;
    store->drain.applied_exit = packed->run.last_exit;
    return xrw_drain_begin(store, err);
}

int xrw_drain_drop(struct xrw_store *store, uint64_t run, xrw_exit_id exit, struct xrw_error *err)
{
    static const enum xrw_statement drops[] = {
        XRW_SQL_DROP_PAGES_OF_EXIT, XRW_SQL_DROP_CONTEXT_OF_EXIT, XRW_SQL_DROP_FRAME_OF_EXIT};
    int ret = 0;

    for (size_t i = 0; !ret && i < sizeof drops / sizeof *drops; i++) {
        sqlite3_stmt *stmt;

        ret = xrw_db_statement(store, drops[i], &stmt, err);
        if (ret)
            break;
        xrw_db_bind_u64(stmt, 1, run);
        xrw_db_bind_u64(stmt, 2, exit);
        ret = xrw_db_insert(store, stmt, "dropping an unfinished exit", err);
    }
    return ret;
}

int xrw_drain_end_run(struct xrw_store *store, const struct xrw_packed_run *packed,
                      struct xrw_error *err)
{
    struct xrw_store_drain *drain = &store->drain;
    /* A block of exits is of one run. */
    int ret = drain->batch->count ? xrw_drain_batch(store, err) : 0;

    if (!ret && packed->dropped)
        ret = xrw_drain_drop(store, packed->run.id, packed->dropped, err);
    drain->run = packed->run;
    if (!ret)
        ret = write_row(store, err);
    drain->run.id = 0;
    return ret;
}

int xrw_drain_input(struct xrw_store *store, const struct xrw_packed_input *packed,
                    const void *data, struct xrw_error *err)
{
    const struct xrw_input *input = &packed->input;
    sqlite3_stmt *stmt;
    int ret = xrw_drain_begin(store, err);

    if (!ret)
        ret = xrw_db_statement(store, XRW_SQL_ADD_INPUT, &stmt, err);
    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, packed->run);
    xrw_db_bind_u64(stmt, 2, packed->n);
    xrw_db_bind_text(stmt, 3, input->physical ? "gpa" : "gva");
    xrw_db_bind_u64(stmt, 4, input->address);
    xrw_db_bind_text(stmt, 5, input->name);
    (void)sqlite3_bind_blob64(stmt, 6, input->bytes ? data : "", input->bytes, SQLITE_STATIC);
    return xrw_db_insert(store, stmt, "adding an input", err);
}
