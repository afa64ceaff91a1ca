/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of what a recorder left in its ring's file when it was killed.  Neither the recording nor
 * that file is trusted.
 */
#include "db.h"
#include "packed_check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what the recording has ------------------------------------------ */

static int highest(struct xrw_store *store, const char *sql, uint64_t *id, struct xrw_error *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(store->db, sql, -1, &stmt, NULL);
    int ret = xrw_db_error(store, rc, "looking for the last row", err);

    if (!ret)
        ret = xrw_db_step(store, stmt, "looking for the last row", err);
    if (ret == 1)
        *id = xrw_db_u64(stmt, 0);
    sqlite3_finalize(stmt);
    return ret < 0 ? ret : 0;
}

static int read_known(struct xrw_store *store, struct xrw_packed_known *known,
                      struct xrw_error *err)
{
    const struct {
        const char *sql;
        uint64_t *id;
    } ids[] = {
        {"SELECT max(id) FROM sysregs", &known->sysregs},
        {"SELECT max(id) FROM insn", &known->insns},
        {"SELECT max(id) FROM site", &known->sites},
        {"SELECT max(id) FROM space", &known->spaces},
        {"SELECT max(id) FROM kept", &known->sets[XRW_SET_KEPT]},
        {"SELECT max(id) FROM work", &known->sets[XRW_SET_WORK]},
        {"SELECT max(id) FROM exit", &known->exit},
        {"SELECT max(id) FROM run", &known->run},
        {"SELECT max(id) FROM block", &store->drain.last_block},
    };
    int ret = 0;

    for (size_t i = 0; !ret && i < sizeof ids / sizeof *ids; i++)
        ret = highest(store, ids[i].sql, ids[i].id, err);
    return ret;
}

/* How often rows were counted: id, exits, last exit. */
static int read_counts(struct xrw_store *store, const char *sql, struct xrw_counts *counts,
                       struct xrw_error *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(store->db, sql, -1, &stmt, NULL);
    int ret = xrw_db_error(store, rc, "reading counts", err);

    while (!ret && (ret = xrw_db_step(store, stmt, "reading counts", err)) == 1) {
        uint64_t id = xrw_db_u64(stmt, 0);

        /* Rows are numbered without a hole. */
        if (id != counts->rows + 1)
            ret = xrw_db_damaged(store, "rows that count exits are missing", err);
        else if (xrw_drain_count(counts, id, xrw_db_u64(stmt, 2)))
            ret = xrw_error_set(err, -ENOMEM, "out of memory");
        else
            counts->count[id].exits = xrw_db_u64(stmt, 1);
        ret = ret == 1 ? 0 : ret;
    }
    sqlite3_finalize(stmt);
    return ret < 0 ? ret : 0;
}

/* As the recorder had it. */
static int restore(struct xrw_store *store, struct xrw_packed_known *known, struct xrw_error *err)
{
    struct xrw_store_drain *drain = &store->drain;
    int ret = read_known(store, known, err);

    if (!ret)
        ret = read_counts(store, "SELECT id, exits, last_exit FROM site ORDER BY id",
                          &drain->site_counts, err);
    if (!ret)
        ret = read_counts(store, "SELECT id, exits, last_exit FROM space ORDER BY id",
                          &drain->space_counts, err);
    if (!ret && known->run) {
        ret = xrw_store_run(store, known->run, &drain->run, err);
        drain->run_written = true;
        known->in_run = !ret && !drain->run.stop[0];
        if (!known->in_run)
            drain->run.id = 0;
    }
    if (ret)
        return ret;
    drain->applied_exit = known->exit;
    drain->image_tried = true; /* rows one by one */
    drain->batch = calloc(1, sizeof *drain->batch);
    return drain->batch ? 0 : xrw_error_set(err, -ENOMEM, "out of memory");
}

/* ---- the ring -------------------------------------------------------- */

static int damaged(const struct xrw_store *store, const struct xrw_ring_file *file,
                   struct xrw_error *err)
{
    return xrw_error_set(err, -EUCLEAN,
                         "%s: damaged; of what it held no exits after %" PRIu64 " could be kept\n"
                         "It was removed: try again, and you have the recording up to there.",
                         file->path, store->drain.applied_exit);
}

/* From where on there are no rows yet; -ESTALE if the recording's ring is another. */
static int read_position(struct xrw_store *store, const char *ring_id, uint64_t *position)
{
    char text[80], id[40];
    int ret = xrw_store_get_meta(store, XRW_META_RING, text, sizeof text);

    if (ret)
        return ret == -ENOENT ? -ESTALE : ret;
    if (sscanf(text, "%39s %" SCNu64, id, position) != 2 || strcmp(id, ring_id) != 0)
        return -ESTALE;
    return 0;
}

uint64_t xrw_store_bytes_without_rows(struct xrw_store *store)
{
    uint64_t position, head;
    char id[40];

    if (xrw_ring_file_peek(store->path, id, &head) || read_position(store, id, &position))
        return 0;
    return head > position ? head - position : 0;
}

/* What is in the ring, from one position to another. */
struct span {
    const struct xrw_ring_file *file;
    uint64_t position, head;
};

/* The record at the position, and in `left` how many bytes of it there are at most; NULL: the end.
 */
static const struct xrw_ring_record *peek(struct span *span, size_t *left)
{
    while (span->position < span->head) {
        size_t offset = (size_t)(span->position & (span->file->bytes - 1));
        const struct xrw_ring_record *record = (const void *)(span->file->buffer + offset);

        *left = span->file->bytes - offset;
        if (*left > span->head - span->position)
            *left = (size_t)(span->head - span->position);
        if (*left < sizeof *record || record->type != XRW_RING_SKIP || record->bytes != *left)
            return record;
        span->position += *left;
    }
    return NULL;
}

static void pop(struct span *span, const struct xrw_ring_record *record)
{
    span->position += xrw_ring_room(record->bytes);
}

/* Whether nothing is missing that belongs to it: the exit of what is new in it comes last. */
static bool completes(const struct xrw_ring_record *record, const struct xrw_packed_known *known)
{
    const struct xrw_packed_context *context = (const void *)record;

    return record->type == XRW_PACKED_EXIT || record->type == XRW_PACKED_RUN_BEGIN ||
           record->type == XRW_PACKED_RUN_END ||
           (record->type == XRW_PACKED_CONTEXT && context->exit <= known->exit);
}

/* How far there are whole exits; false: something else stands in the way. */
static bool check(struct span span, struct xrw_packed_known known, uint64_t *end)
{
    const struct xrw_ring_record *record;
    size_t left;

    *end = span.position;
    while ((record = peek(&span, &left)) != NULL) {
        if (!xrw_packed_check(record, left, &known))
            return false;
        pop(&span, record);
        if (completes(record, &known))
            *end = span.position;
    }
    return true;
}

static int make_rows(struct xrw_store *store, struct span span, struct xrw_error *err)
{
    const struct xrw_ring_record *record;
    size_t left;
    int ret = 0;

    while (!ret && (record = peek(&span, &left)) != NULL) {
        ret = xrw_drain_record(store, record, err);
        pop(&span, record);
    }
    return ret;
}

/* Whether what there are no rows of is all there still. */
static bool is_there(const struct xrw_ring_file *file, uint64_t position, uint64_t head)
{
    return position % 8 == 0 && position <= head && head - position <= file->bytes;
}

/* done: the ring is of no use any more. */
static int recover(struct xrw_store *store, const struct xrw_ring_file *file, bool *done,
                   struct xrw_error *err)
{
    struct span span = {file, 0, atomic_load(&file->header->head)};
    struct xrw_packed_known known = {0};
    uint64_t end = 0;
    bool whole;
    int ret = read_position(store, file->header->id, &span.position);

    *done = !ret && span.position == span.head;
    if (ret || *done)
        return ret;
    ret = restore(store, &known, err);
    if (ret)
        return ret;
    whole = is_there(file, span.position, span.head) && check(span, known, &end);
    if (end)
        ret = make_rows(store, (struct span){file, span.position, end}, err);
    if (!ret)
        ret = xrw_drain_ring(store, file, span.head, err);
    if (!ret)
        ret = xrw_db_commit(store, err);
    *done = !ret;
    return ret || whole ? ret : damaged(store, file, err);
}

int xrw_db_recover(const char *path, struct xrw_error *err)
{
    struct xrw_ring_file file;
    struct xrw_store *store;
    bool done = false;
    int ret = xrw_ring_file_open(&file, path, err);

    if (ret)
        return ret == -ENOENT || ret == -EBUSY || ret == -ESTALE ? 0 : ret;
    ret = xrw_db_open_to_add(&store, path, err);
    if (!ret) {
        ret = recover(store, &file, &done, err);
        xrw_db_release(store);
    }
    if (done)
        xrw_ring_file_remove(&file);
    else
        xrw_ring_file_close(&file);
    return ret == -ESTALE ? 0 : ret;
}
