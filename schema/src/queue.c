/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The caller's side of writing, and the writing thread as it sees it. */
#include "db.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int xrw_db_writable(struct xrw_store *store, struct xrw_error *err)
{
    int failed;

    if (!store->writable)
        return xrw_error_set(err, -EROFS, "%s is open for reading only", store->path);
    failed = atomic_load_explicit(&store->drain.failed, memory_order_acquire);
    return failed ? xrw_error_set(err, failed, "%s", store->drain.failure) : 0;
}

int xrw_db_write(struct xrw_store *store, struct xrw_error *err)
{
    int ret = xrw_db_writable(store, err);

    if (ret)
        return ret;
    xrw_queue_settle(store);
    ret = xrw_db_writable(store, err);
    return ret ? ret : xrw_drain_begin(store, err);
}

/* ---- the writing thread ---------------------------------------------- */

static int start(struct xrw_store *store, struct xrw_error *err)
{
    struct xrw_store_writer *writer = &store->writer;
    int error;

    if (!writer->ring)
        writer->ring = writer->ring_file.header ? xrw_ring_create_in(&writer->ring_file)
                                                : xrw_ring_create(xrw_ring_default_bytes());
    if (!store->drain.batch)
        store->drain.batch = malloc(sizeof *store->drain.batch);
    if (!writer->recent)
        writer->recent = malloc(sizeof *writer->recent);
    if (!writer->lately)
        writer->lately = calloc(XRW_LATELY, sizeof *writer->lately);
    if (!writer->ring || !store->drain.batch || !writer->recent || !writer->lately)
        return xrw_error_set(err, -ENOMEM, "out of memory");
    /* All of it is touched now, not while the guest waits. */
    memset(writer->recent, 0, sizeof *writer->recent);
    store->drain.batch->count = 0;
    error = pthread_create(&writer->thread, NULL, xrw_drain_thread, store);
    if (error)
        return xrw_error_set(err, -error, "%s: no thread to write with: %s", store->path,
                             strerror(error));
    writer->started = true;
    return 0;
}

int xrw_store_make_rows_later(struct xrw_store *store, size_t bytes, struct xrw_error *err)
{
    struct xrw_store_writer *writer = &store->writer;
    uint64_t random[2];
    char id[33];
    int ret;

    if (!store->writable || writer->run.id || writer->ring_file.header ||
        (bytes && (bytes < XRW_RING_FILE_MIN_BYTES || bytes & (bytes - 1))))
        return xrw_error_set(err, -EINVAL, "%s: rows cannot be made later now", store->path);
    xrw_queue_stop(store);
    xrw_ring_destroy(writer->ring);
    writer->ring = NULL;
    sqlite3_randomness(sizeof random, random);
    (void)snprintf(id, sizeof id, "%016" PRIx64 "%016" PRIx64, random[0], random[1]);
    ret = xrw_ring_file_create(&writer->ring_file, store->path, id,
                               bytes ? bytes : xrw_ring_default_bytes(), err);
    if (!ret)
        ret = xrw_drain_ring(store, &writer->ring_file, 0, err);
    return ret ? ret : xrw_db_commit(store, err);
}

void *xrw_queue_reserve(struct xrw_store *store, size_t bytes, struct xrw_error *err)
{
    void *room;

    if (!store->writer.started && start(store, err))
        return NULL;
    room = xrw_ring_reserve(store->writer.ring, bytes);
    if (!room)
        (void)xrw_db_writable(store, err);
    return room;
}

int xrw_queue_refused(const struct xrw_store *store)
{
    int failed = atomic_load(&store->drain.failed);

    return failed ? failed : -ENOMEM;
}

void xrw_queue_push(struct xrw_store *store)
{
    store->writer.settled = false;
    xrw_ring_push(store->writer.ring);
}

void xrw_queue_push_all(struct xrw_store *store, size_t bytes)
{
    store->writer.settled = false;
    xrw_ring_push_all(store->writer.ring, bytes);
}

void xrw_queue_settle(struct xrw_store *store)
{
    struct xrw_store_writer *writer = &store->writer;

    if (!writer->started || writer->settled)
        return;
    xrw_ring_settle(writer->ring);
    writer->settled = true;
}

void xrw_queue_stop(struct xrw_store *store)
{
    struct xrw_store_writer *writer = &store->writer;

    if (!writer->started)
        return;
    xrw_queue_settle(store);
    xrw_ring_end(writer->ring);
    (void)pthread_join(writer->thread, NULL);
    writer->started = false;
}

void xrw_store_stalls(const struct xrw_store *store, uint64_t *count, uint64_t *ns)
{
    *count = *ns = 0;
    if (store->writer.ring)
        xrw_ring_stalls(store->writer.ring, count, ns);
}
