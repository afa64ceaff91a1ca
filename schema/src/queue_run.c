/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The caller's side of writing runs and their inputs. */
#include "db.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define QUEUED_INPUT_BYTES ((uint64_t)1 << 20) /* a larger one is written at once */

/* What the base image has of each page, if it is another run's. */
static int read_base(struct xrw_store *store, const struct xrw_run *run, struct xrw_error *err)
{
    struct xrw_store_writer *writer = &store->writer;
    sqlite3_stmt *stmt;
    int ret;

    if (run->base_run == run->id || run->base_run == writer->base_run)
        return 0;
    ret = xrw_db_write(store, err);
    if (ret)
        return ret;
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

static int push_run(struct xrw_store *store, enum xrw_packed_type type, const struct xrw_run *run,
                    xrw_exit_id dropped, struct xrw_error *err)
{
    struct xrw_packed_run *packed = xrw_queue_reserve(store, sizeof *packed, err);

    if (!packed)
        return xrw_queue_refused(store);
    packed->record = (struct xrw_ring_record){sizeof *packed, type};
    packed->run = *run;
    packed->dropped = dropped;
    xrw_queue_push(store);
    return 0;
}

int xrw_store_begin_run(struct xrw_store *store, const struct xrw_run *run, struct xrw_error *err)
{
    struct xrw_store_writer *writer = &store->writer;
    int ret = xrw_db_writable(store, err);

    if (ret)
        return ret;
    if (writer->in_run || run->id != writer->run.id + 1)
        return xrw_error_set(err, -EINVAL, "%s: run %" PRIu64 " cannot begin after run %" PRIu64,
                             store->path, run->id, writer->run.id);
    if (run->first_exit != writer->run.last_exit + 1 || run->last_exit != run->first_exit - 1)
        return xrw_error_set(err, -EINVAL, "%s: run %" PRIu64 " must begin at exit %" PRIu64,
                             store->path, run->id, writer->run.last_exit + 1);
    if (run->memory != XRW_MEMORY_NONE && writer->ring_file.header)
        return xrw_error_set(err, -EINVAL, "%s: memory, though rows are made later", store->path);
    if ((unsigned)run->memory >= XRW_MEMORY_POLICIES)
        return xrw_error_set(err, -EINVAL, "%s: no such memory policy", store->path);
    if (run->base_run > run->id)
        return xrw_error_set(err, -EINVAL, "%s: run %" PRIu64 " cannot be based on run %" PRIu64,
                             store->path, run->id, run->base_run);
    ret = read_base(store, run, err);
    if (ret)
        return ret;
    writer->run = *run;
    writer->run.path_known = false;
    ret = push_run(store, XRW_PACKED_RUN_BEGIN, &writer->run, 0, err);
    if (ret)
        return ret;
    writer->in_run = true;
    xrw_gfn_versions_clear(&writer->versions);
    writer->path = (struct xrw_path){0};
    writer->inputs = 0;
    return 0;
}

int xrw_store_end_run(struct xrw_store *store, const struct xrw_run *run, struct xrw_error *err)
{
    struct xrw_store_writer *writer = &store->writer;
    struct xrw_run ended = *run;
    int ret = xrw_db_writable(store, err);

    if (ret)
        return ret;
    if (!writer->in_run || run->id != writer->run.id)
        return xrw_error_set(err, -EINVAL, "%s: run %" PRIu64 " is not the one being recorded",
                             store->path, run->id);
    ended.base_run = writer->run.base_run;
    ended.first_exit = writer->run.first_exit;
    ended.last_exit = writer->run.last_exit;
    ended.path = writer->path.hash;
    ended.path_known = true;
    ret =
        push_run(store, XRW_PACKED_RUN_END, &ended, writer->pending ? ended.last_exit + 1 : 0, err);
    if (ret)
        return ret;
    writer->run = ended;
    writer->in_run = writer->pending = false;
    return 0;
}

int xrw_store_add_input(struct xrw_store *store, uint64_t run, const struct xrw_input *input,
                        const void *data, struct xrw_error *err)
{
    struct xrw_store_writer *writer = &store->writer;
    struct xrw_packed_input head = {.run = run, .n = writer->inputs + 1, .input = *input};
    size_t bytes = sizeof head + (size_t)input->bytes;
    struct xrw_packed_input *packed;
    int ret = xrw_db_writable(store, err);

    if (ret)
        return ret;
    if (!writer->in_run || run != writer->run.id || input->bytes > XRW_INPUT_MAX_BYTES)
        return xrw_error_set(err, -EINVAL, "%s: an input of %" PRIu64 " bytes for run %" PRIu64,
                             store->path, input->bytes, run);
    writer->inputs++;
    if (input->bytes > QUEUED_INPUT_BYTES) {
        ret = xrw_db_write(store, err);
        return ret ? ret : xrw_drain_input(store, &head, data, err);
    }
    packed = xrw_queue_reserve(store, bytes, err);
    if (!packed)
        return xrw_queue_refused(store);
    *packed = head;
    packed->record = (struct xrw_ring_record){(uint32_t)bytes, XRW_PACKED_INPUT};
    if (input->bytes)
        memcpy(packed->data, data, (size_t)input->bytes);
    xrw_queue_push(store);
    return 0;
}
