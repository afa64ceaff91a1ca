/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The writing thread: takes records from the ring and makes rows of them, in transactions that
 * never part an exit from its memory.
 */
#include "db.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define COMMIT_EXITS 32768u
#define COMMIT_NS 250000000u
#define COMMIT_NS_MAX 1000000000u
#define COMMIT_SHARE 50u   /* a commit takes no more than this part of the time */
#define COMMIT_RECORDS 64u /* how often to look whether one is due */

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- transactions ---------------------------------------------------- */

/* Nothing more is taken after a failure: what would follow would have a hole. */
static void give_up(struct xrw_store *store, int error, const char *text)
{
    struct xrw_store_drain *drain = &store->drain;

    if (!sqlite3_get_autocommit(store->db))
        (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    drain->in_transaction = false;
    if (atomic_load(&drain->failed))
        return;
    (void)snprintf(drain->failure, sizeof drain->failure, "%s", text);
    atomic_store_explicit(&drain->failed, error, memory_order_release);
    if (store->writer.ring && xrw_ring_is_kept(store->writer.ring))
        xrw_ring_abandon(store->writer.ring);
}

int xrw_drain_result(struct xrw_store *store, int rc, const char *doing, struct xrw_error *err)
{
    struct xrw_error local = {""};
    int ret = xrw_db_error(store, rc, doing, &local);

    if (!ret)
        return 0;
    give_up(store, ret, local.text);
    return xrw_error_set(err, ret, "%s", local.text);
}

int xrw_db_insert(struct xrw_store *store, sqlite3_stmt *stmt, const char *doing,
                  struct xrw_error *err)
{
    struct xrw_error local = {""};
    int ret;

    /* SQLite gives a transaction up by itself after some errors: what came now would stand alone.
     */
    if (store->drain.in_transaction && sqlite3_get_autocommit(store->db))
        ret = xrw_error_set(&local, -EIO, "%s: the batch was lost while %s", store->path, doing);
    else
        ret = xrw_db_step(store, stmt, doing, &local);
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
    if (!ret)
        return 0;
    give_up(store, ret, local.text);
    return xrw_error_set(err, ret, "%s", local.text);
}

int xrw_drain_begin(struct xrw_store *store, struct xrw_error *err)
{
    struct xrw_store_drain *drain = &store->drain;
    sqlite3_stmt *stmt;
    int ret;

    if (drain->in_transaction)
        return 0;
    ret = xrw_db_statement(store, XRW_SQL_BEGIN, &stmt, err);
    if (!ret)
        ret = xrw_db_insert(store, stmt, "beginning a batch", err);
    drain->in_transaction = !ret;
    return ret;
}

/* All that was taken, as rows. */
static int write_rows(struct xrw_store *store, struct xrw_error *err)
{
    struct xrw_store_drain *drain = &store->drain;
    int ret = drain->batch && drain->batch->count ? xrw_drain_batch(store, err) : 0;

    if (!ret)
        ret = xrw_drain_images(store, err);
    return ret ? ret : xrw_drain_run(store, err);
}

/* How long to the next commit: a quarter of a second, or longer where one takes long. */
static uint64_t commit_interval(uint64_t last_took_ns)
{
    uint64_t ns = last_took_ns * COMMIT_SHARE;

    return ns < COMMIT_NS ? COMMIT_NS : ns > COMMIT_NS_MAX ? COMMIT_NS_MAX : ns;
}

int xrw_drain_ring(struct xrw_store *store, const struct xrw_ring_file *file, uint64_t position,
                   struct xrw_error *err)
{
    char value[sizeof file->header->id + 24];
    sqlite3_stmt *stmt;
    int ret = xrw_drain_begin(store, err);

    if (!ret)
        ret = xrw_db_statement(store, XRW_SQL_SET_META, &stmt, err);
    if (ret)
        return ret;
    (void)snprintf(value, sizeof value, "%s %" PRIu64, file->header->id, position);
    xrw_db_bind_text(stmt, 1, XRW_META_RING);
    xrw_db_bind_text(stmt, 2, value);
    return xrw_db_insert(store, stmt, "committing", err);
}

static int commit(struct xrw_store *store, struct xrw_error *err)
{
    struct xrw_store_drain *drain = &store->drain;
    uint64_t began_ns = now_ns();
    sqlite3_stmt *stmt;
    int ret = write_rows(store, err);

    if (ret || !drain->in_transaction)
        return ret;
    ret = xrw_drain_counts(store, err);
    if (!ret && store->writer.ring && xrw_ring_is_kept(store->writer.ring))
        ret = xrw_drain_ring(store, &store->writer.ring_file, xrw_ring_taken(store->writer.ring),
                             err);
    if (!ret)
        ret = xrw_db_statement(store, XRW_SQL_COMMIT, &stmt, err);
    if (!ret)
        ret = xrw_db_insert(store, stmt, "committing", err);
    if (ret)
        return ret;
    if (store->writer.ring)
        xrw_ring_release(store->writer.ring);
    drain->in_transaction = false;
    drain->uncommitted = 0;
    drain->committed_exit = drain->applied_exit;
    drain->last_commit_ns = now_ns();
    drain->commit_ns = commit_interval(drain->last_commit_ns - began_ns);
    return 0;
}

int xrw_db_commit(struct xrw_store *store, struct xrw_error *err)
{
    struct xrw_error local = {""};
    int ret = commit(store, &local);

    if (!ret)
        return 0;
    give_up(store, ret, local.text);
    return xrw_error_set(err, ret, "%s", local.text);
}

/* ---- records --------------------------------------------------------- */

int xrw_drain_record(struct xrw_store *store, const struct xrw_ring_record *record,
                     struct xrw_error *err)
{
    const void *packed = record;

    store->drain.half = record->type != XRW_PACKED_EXIT && record->type != XRW_PACKED_RUN_END;
    switch (record->type) {
    case XRW_PACKED_EXIT:
        return xrw_drain_exit(store, packed, err);
    case XRW_PACKED_SYSREGS:
        return xrw_drain_sysregs(store, packed, err);
    case XRW_PACKED_SITE:
        return xrw_drain_site(store, packed, err);
    case XRW_PACKED_SPACE:
        return xrw_drain_space(store, packed, err);
    case XRW_PACKED_SET:
        return xrw_drain_set(store, packed, err);
    case XRW_PACKED_INSN:
        return xrw_drain_insn(store, packed, err);
    case XRW_PACKED_PAGE:
        return xrw_drain_page(store, packed, err);
    case XRW_PACKED_VERSION:
        return xrw_drain_version(store, packed, err);
    case XRW_PACKED_FRAME:
        return xrw_drain_frame(store, packed, err);
    case XRW_PACKED_RUN_BEGIN:
        return xrw_drain_begin_run(store, packed, err);
    case XRW_PACKED_RUN_END:
        return xrw_drain_end_run(store, packed, err);
    case XRW_PACKED_INPUT:
        return xrw_drain_input(store, packed, ((const struct xrw_packed_input *)packed)->data, err);
    default:
        return xrw_drain_context(store, packed, err);
    }
}

/* Commit where an exit is complete, after many exits or some time; of a ring that is kept, when
 * what it keeps is much, or all that there is. */
static int commit_if_due(struct xrw_store *store, struct xrw_error *err)
{
    struct xrw_store_drain *drain = &store->drain;
    struct xrw_ring *ring = store->writer.ring;

    if (drain->half || !drain->uncommitted)
        return 0;
    if (xrw_ring_is_kept(ring))
        return xrw_ring_unreleased(ring) < store->writer.ring_file.bytes / 4 && xrw_ring_peek(ring)
                   ? 0
                   : xrw_db_commit(store, err);
    if (drain->uncommitted < COMMIT_EXITS && now_ns() - drain->last_commit_ns < drain->commit_ns)
        return 0;
    return xrw_db_commit(store, err);
}

/* All that is there now.  After a failure the rest is passed over: nobody must wait for it; in a
 * ring that is kept it stays, for when there is room again. */
static void take_records(struct xrw_store *store)
{
    struct xrw_ring *ring = store->writer.ring;
    const struct xrw_ring_record *record;
    struct xrw_error err;
    unsigned taken = 0;

    while ((record = xrw_ring_peek(ring)) != NULL) {
        if (!atomic_load_explicit(&store->drain.failed, memory_order_relaxed)) {
            int ret = xrw_drain_record(store, record, &err);

            xrw_ring_pop(ring);
            if (!ret && ++taken >= COMMIT_RECORDS && !store->drain.half) {
                ret = commit_if_due(store, &err);
                taken = 0;
            }
            if (ret)
                give_up(store, ret, err.text);
        } else {
            xrw_ring_pop(ring);
        }
    }
}

/* A failure is kept, and told to the caller at its next call. */
static void finish_batch(struct xrw_store *store)
{
    struct xrw_error err;
    int ret = atomic_load(&store->drain.failed) ? 0 : write_rows(store, &err);

    if (ret)
        give_up(store, ret, err.text);
}

static void commit_when_idle(struct xrw_store *store)
{
    struct xrw_error err;

    if (!atomic_load(&store->drain.failed) && commit_if_due(store, &err))
        give_up(store, -EIO, err.text);
}

void *xrw_drain_thread(void *arg)
{
    struct xrw_store *store = arg;
    struct xrw_ring *ring = store->writer.ring;
    int state;

    store->drain.last_commit_ns = now_ns();
    store->drain.commit_ns = COMMIT_NS;
    while ((state = xrw_ring_wait(ring)) != XRW_RING_ENDED) {
        if (state != XRW_RING_IDLE)
            take_records(store);
        if (state == XRW_RING_SETTLE) {
            finish_batch(store);
            xrw_ring_settled(ring);
        } else {
            commit_when_idle(store);
        }
    }
    return NULL;
}
