/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The caller's side of writing: checks what is added, gives ids to contents that are new, and hands
 * it to the writing thread.  Nothing here waits for the disk, unless the ring is full.
 */
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
        writer->ring = xrw_ring_create(xrw_ring_default_bytes());
    if (!store->drain.batch)
        store->drain.batch = malloc(sizeof *store->drain.batch);
    if (!store->drain.recent)
        store->drain.recent = calloc(1, sizeof *store->drain.recent);
    if (!writer->ring || !store->drain.batch || !store->drain.recent)
        return xrw_error_set(err, -ENOMEM, "out of memory");
    store->drain.batch->count = 0;
    error = pthread_create(&writer->thread, NULL, xrw_drain_thread, store);
    if (error)
        return xrw_error_set(err, -error, "%s: no thread to write with: %s", store->path,
                             strerror(error));
    writer->started = true;
    return 0;
}

void *xrw_queue_reserve(struct xrw_store *store, size_t bytes, struct xrw_error *err)
{
    if (!store->writer.started && start(store, err))
        return NULL;
    return xrw_ring_reserve(store->writer.ring, bytes);
}

void xrw_queue_push(struct xrw_store *store)
{
    store->writer.settled = false;
    xrw_ring_push(store->writer.ring);
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

/* ---- exits ----------------------------------------------------------- */

/* Hash of the system registers, unknown ones as such. */
static XXH128_hash_t hash_system(const struct xrw_registers *regs)
{
    uint64_t image[2 * XRW_SYSTEM_COUNT];

    for (unsigned i = 0; i < XRW_SYSTEM_COUNT; i++) {
        image[2 * i] = regs->known[XRW_HOT_COUNT + i];
        image[2 * i + 1] = regs->known[XRW_HOT_COUNT + i] ? regs->value[XRW_HOT_COUNT + i] : 0;
    }
    return XXH3_128bits(image, sizeof image);
}

static bool same_system(const struct xrw_registers *a, const struct xrw_registers *b)
{
    return !memcmp(a->value + XRW_HOT_COUNT, b->value + XRW_HOT_COUNT,
                   XRW_SYSTEM_COUNT * sizeof a->value[0]) &&
           !memcmp(a->known + XRW_HOT_COUNT, b->known + XRW_HOT_COUNT,
                   XRW_SYSTEM_COUNT * sizeof a->known[0]);
}

static int push_sysregs(struct xrw_store *store, uint64_t id, const struct xrw_registers *regs,
                        struct xrw_error *err)
{
    struct xrw_packed_sysregs *packed = xrw_queue_reserve(store, sizeof *packed, err);

    if (!packed)
        return -ENOMEM;
    packed->record = (struct xrw_ring_record){sizeof *packed, XRW_PACKED_SYSREGS};
    packed->id = id;
    memcpy(packed->value, regs->value + XRW_HOT_COUNT, sizeof packed->value);
    memcpy(packed->known, regs->known + XRW_HOT_COUNT, sizeof packed->known);
    xrw_queue_push(store);
    return 0;
}

int xrw_queue_sysregs(struct xrw_store *store, const struct xrw_registers *regs, uint64_t *id,
                      struct xrw_error *err)
{
    struct xrw_store_writer *writer = &store->writer;
    XXH128_hash_t key;
    uint64_t found;

    if (writer->last_sysregs && same_system(regs, &writer->last_registers)) {
        *id = writer->last_sysregs;
        return 0;
    }
    key = hash_system(regs);
    found = xrw_id_map_find(&writer->sysregs, key);
    if (!found) {
        int ret = push_sysregs(store, writer->sysregs_rows + 1, regs, err);

        if (ret)
            return ret;
        found = ++writer->sysregs_rows;
        xrw_id_map_add(&writer->sysregs, key, found);
    }
    writer->last_sysregs = found;
    writer->last_registers = *regs;
    *id = found;
    return 0;
}

static int push_exit(struct xrw_store *store, const struct xrw_exit *exit, uint64_t before,
                     uint64_t after, struct xrw_error *err)
{
    struct xrw_packed_exit *packed = xrw_queue_reserve(store, sizeof *packed, err);

    if (!packed)
        return -ENOMEM;
    (void)xrw_pack_exit(exit, packed);
    packed->insn = store->writer.next_insn;
    packed->sysregs = (uint32_t)before;
    packed->after_sysregs = (uint32_t)after;
    xrw_queue_push(store);
    return 0;
}

int xrw_store_add_exit(struct xrw_store *store, const struct xrw_exit *exit, struct xrw_error *err)
{
    struct xrw_store_writer *writer = &store->writer;
    uint64_t before, after = 0;
    int ret = xrw_db_writable(store, err);

    if (ret)
        return ret;
    if (!writer->in_run || exit->run != writer->run.id || exit->id != writer->run.last_exit + 1)
        return xrw_error_set(err, -EINVAL,
                             "%s: exit %" PRIu64 " of run %" PRIu64 " cannot follow exit %" PRIu64
                             " of run %" PRIu64,
                             store->path, exit->id, exit->run, writer->run.last_exit,
                             writer->run.id);
    ret = xrw_queue_sysregs(store, &exit->before, &before, err);
    if (!ret && exit->has_after)
        ret = xrw_queue_sysregs(store, &exit->after, &after, err);
    if (!ret)
        ret = push_exit(store, exit, before, after, err);
    if (ret)
        return ret;
    xrw_path_add(&writer->path, exit);
    writer->run.last_exit = exit->id;
    writer->next_insn = 0;
    writer->pending = false;
    if (!writer->commit_due)
        return 0;
    writer->commit_due = false;
    return xrw_store_commit(store, err);
}

static int push_insn(struct xrw_store *store, uint64_t id, xrw_gva rip, unsigned mode,
                     const uint8_t *code, size_t bytes, const char *text, struct xrw_error *err)
{
    size_t text_bytes = strlen(text) + 1;
    struct xrw_packed_insn *packed = xrw_queue_reserve(store, sizeof *packed + text_bytes, err);

    if (!packed)
        return -ENOMEM;
    packed->record =
        (struct xrw_ring_record){(uint32_t)(sizeof *packed + text_bytes), XRW_PACKED_INSN};
    packed->id = id;
    packed->rip = rip;
    packed->mode = mode;
    packed->bytes = (uint32_t)bytes;
    memcpy(packed->code, code, bytes);
    memcpy(packed->text, text, text_bytes);
    xrw_queue_push(store);
    return 0;
}

#define TEXT_MAX_BYTES 4096u

int xrw_store_add_insn(struct xrw_store *store, xrw_gva rip, unsigned mode, const uint8_t *code,
                       size_t bytes, const char *text, uint64_t *insn, struct xrw_error *err)
{
    struct xrw_store_writer *writer = &store->writer;
    uint8_t image[sizeof rip + sizeof mode + XRW_INSN_MAX_BYTES];
    XXH128_hash_t key;
    uint64_t found;
    int ret = xrw_db_writable(store, err);

    if (ret)
        return ret;
    if (bytes > XRW_INSN_MAX_BYTES || strlen(text) >= TEXT_MAX_BYTES)
        return xrw_error_set(err, -EINVAL, "%s: an instruction of %zu bytes", store->path, bytes);
    memcpy(image, &rip, sizeof rip);
    memcpy(image + sizeof rip, &mode, sizeof mode);
    memcpy(image + sizeof rip + sizeof mode, code, bytes);
    key = XXH3_128bits(image, sizeof rip + sizeof mode + bytes);
    found = xrw_id_map_find(&writer->insns, key);
    if (!found) {
        ret = push_insn(store, writer->insn_rows + 1, rip, mode, code, bytes, text, err);
        if (ret)
            return ret;
        found = ++writer->insn_rows;
        xrw_id_map_add(&writer->insns, key, found);
    }
    *insn = found;
    return 0;
}

void xrw_store_set_next_insn(struct xrw_store *store, uint64_t insn)
{
    store->writer.next_insn = insn;
}
