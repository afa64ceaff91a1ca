/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "db.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

int xrw_db_drop_pending(struct xrw_store *store, struct xrw_error *err)
{
    static const enum xrw_statement drops[] = {
        XRW_SQL_DROP_PAGES_OF_EXIT, XRW_SQL_DROP_CONTEXT_OF_EXIT, XRW_SQL_DROP_FRAME_OF_EXIT};
    struct xrw_store_writer *writer = &store->writer;
    int ret = 0;

    for (size_t i = 0; !ret && writer->pending && i < sizeof drops / sizeof *drops; i++) {
        sqlite3_stmt *stmt;

        ret = xrw_db_statement(store, drops[i], &stmt, err);
        if (ret)
            break;
        xrw_db_bind_u64(stmt, 1, writer->run.id);
        xrw_db_bind_u64(stmt, 2, writer->run.last_exit + 1);
        ret = xrw_db_insert(store, stmt, "dropping an unfinished exit", err);
    }
    if (!ret)
        writer->pending = false;
    return ret;
}

/* Parameters 1 to 5 of ADD_RUN and END_RUN. */
static void bind_changing(sqlite3_stmt *stmt, const struct xrw_run *run)
{
    xrw_db_bind_u64(stmt, 1, run->first_exit);
    xrw_db_bind_u64(stmt, 2, run->last_exit);
    xrw_db_bind_known(stmt, 3, run->end_unix_ns != 0, run->end_unix_ns);
    xrw_db_bind_text(stmt, 4, run->stop[0] ? run->stop : NULL);
    xrw_db_bind_text(stmt, 5, run->stop_detail[0] ? run->stop_detail : NULL);
}

static int add_run(struct xrw_store *store, const struct xrw_run *run, struct xrw_error *err)
{
    sqlite3_stmt *stmt;
    int ret = xrw_db_statement(store, XRW_SQL_ADD_RUN, &stmt, err);

    if (ret)
        return ret;
    bind_changing(stmt, run);
    xrw_db_bind_u64(stmt, 6, run->id);
    xrw_db_bind_text(stmt, 7, run->source);
    xrw_db_bind_text(stmt, 8, run->mode);
    xrw_db_bind_text(stmt, 9, xrw_memory_names[run->memory]);
    xrw_db_bind_u64(stmt, 10, run->vcpus);
    xrw_db_bind_u64(stmt, 11, run->interrupts);
    xrw_db_bind_u64(stmt, 12, run->reexecutable);
    xrw_db_bind_text(stmt, 13, run->fitness);
    xrw_db_bind_u64(stmt, 14, run->domain);
    xrw_db_bind_known(stmt, 15, run->parent != 0, run->parent);
    xrw_db_bind_u64(stmt, 16, run->start_unix_ns);
    xrw_db_bind_u64(stmt, 17, run->base_run);
    return xrw_db_insert(store, stmt, "beginning a run", err);
}

/* What the base image has of each page, if it is another run's. */
static int read_base(struct xrw_store *store, const struct xrw_run *run, struct xrw_error *err)
{
    struct xrw_store_writer *writer = &store->writer;
    sqlite3_stmt *stmt;
    int ret;

    if (run->base_run == run->id || run->base_run == writer->base_run)
        return 0;
    xrw_gfn_versions_clear(&writer->base);
    writer->base_run = 0;
    ret = xrw_db_statement(store, XRW_SQL_BASE, &stmt, err);
    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, run->base_run);
    while ((ret = xrw_db_step(store, stmt, "reading the base image", err)) == 1) {
        struct xrw_gfn_version version = {.gfn = xrw_db_u64(stmt, 0), .page = xrw_db_u64(stmt, 1)};
        XXH128_canonical_t hash;

        memcpy(&hash, sqlite3_column_blob(stmt, 2), sizeof hash);
        version.hash = XXH128_hashFromCanonical(&hash);
        ret = xrw_gfn_versions_set(&writer->base, &version);
        if (ret)
            break;
    }
    sqlite3_reset(stmt);
    if (!ret)
        writer->base_run = run->base_run;
    return ret;
}

int xrw_store_begin_run(struct xrw_store *store, const struct xrw_run *run, struct xrw_error *err)
{
    struct xrw_store_writer *writer = &store->writer;
    int ret;

    if (writer->in_run || run->id != writer->run.id + 1)
        return xrw_error_set(err, -EINVAL, "%s: run %" PRIu64 " cannot begin after run %" PRIu64,
                             store->path, run->id, writer->run.id);
    if (run->first_exit != writer->run.last_exit + 1 || run->last_exit != run->first_exit - 1)
        return xrw_error_set(err, -EINVAL, "%s: run %" PRIu64 " must begin at exit %" PRIu64,
                             store->path, run->id, writer->run.last_exit + 1);
    if ((unsigned)run->memory >= XRW_MEMORY_POLICIES)
        return xrw_error_set(err, -EINVAL, "%s: no such memory policy", store->path);
    if (run->base_run > run->id)
        return xrw_error_set(err, -EINVAL, "%s: run %" PRIu64 " cannot be based on run %" PRIu64,
                             store->path, run->id, run->base_run);
    ret = xrw_db_write(store, err);
    if (!ret)
        ret = read_base(store, run, err);
    if (!ret)
        ret = add_run(store, run, err);
    if (ret)
        return ret;
    writer->run = *run;
    writer->in_run = true;
    xrw_gfn_versions_clear(&writer->versions);
    store->drain.run = run->id;
    store->drain.applied_exit = store->drain.committed_exit = run->last_exit;
    writer->path = (struct xrw_path){0};
    writer->inputs = 0;
    return 0;
}

static int update_run(struct xrw_store *store, struct xrw_error *err)
{
    sqlite3_stmt *stmt;
    int ret = xrw_db_statement(store, XRW_SQL_END_RUN, &stmt, err);

    if (ret)
        return ret;
    bind_changing(stmt, &store->writer.run);
    xrw_db_bind_u64(stmt, 6, store->writer.run.path);
    xrw_db_bind_u64(stmt, 7, store->writer.run.id);
    return xrw_db_insert(store, stmt, "ending a run", err);
}

int xrw_store_end_run(struct xrw_store *store, const struct xrw_run *run, struct xrw_error *err)
{
    struct xrw_store_writer *writer = &store->writer;
    const struct xrw_run so_far = writer->run;
    int ret = xrw_db_write(store, err);

    if (ret)
        return ret;
    if (!writer->in_run || run->id != writer->run.id)
        return xrw_error_set(err, -EINVAL, "%s: run %" PRIu64 " is not the one being recorded",
                             store->path, run->id);
    ret = xrw_db_drop_pending(store, err);
    if (ret)
        return ret;
    writer->run = *run;
    writer->run.base_run = so_far.base_run;
    writer->run.first_exit = so_far.first_exit;
    writer->run.last_exit = so_far.last_exit;
    writer->run.path = writer->path.hash;
    writer->run.path_known = true;
    ret = update_run(store, err);
    writer->in_run = ret != 0;
    store->drain.run = ret ? run->id : 0;
    return ret;
}

int xrw_store_add_input(struct xrw_store *store, uint64_t run, const struct xrw_input *input,
                        const void *data, struct xrw_error *err)
{
    struct xrw_store_writer *writer = &store->writer;
    sqlite3_stmt *stmt;
    int ret = xrw_db_write(store, err);

    if (ret)
        return ret;
    if (!writer->in_run || run != writer->run.id || input->bytes > XRW_INPUT_MAX_BYTES)
        return xrw_error_set(err, -EINVAL, "%s: an input of %" PRIu64 " bytes for run %" PRIu64,
                             store->path, input->bytes, run);
    ret = xrw_db_statement(store, XRW_SQL_ADD_INPUT, &stmt, err);
    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, run);
    xrw_db_bind_u64(stmt, 2, ++writer->inputs);
    xrw_db_bind_text(stmt, 3, input->physical ? "gpa" : "gva");
    xrw_db_bind_u64(stmt, 4, input->address);
    xrw_db_bind_text(stmt, 5, input->name);
    (void)sqlite3_bind_blob64(stmt, 6, input->bytes ? data : "", input->bytes, SQLITE_STATIC);
    return xrw_db_insert(store, stmt, "adding an input", err);
}
