/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The caller's side of writing memory and contexts. */
#include "db.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Whether something of this exit can be added now; notes it if the exit itself is still to come. */
static int check_exit(struct xrw_store *store, uint64_t run, xrw_exit_id exit,
                      struct xrw_error *err)
{
    struct xrw_store_writer *writer = &store->writer;
    int ret = xrw_db_writable(store, err);

    if (ret)
        return ret;
    if (!writer->run.id || (run == 0 && exit) || (run && run != writer->run.id) ||
        (exit && (exit < writer->run.first_exit || exit > writer->run.last_exit + writer->in_run)))
        return xrw_error_set(err, -EINVAL,
                             "%s: exit %" PRIu64 " of run %" PRIu64 " is not being recorded",
                             store->path, exit, run);
    if (exit > writer->run.last_exit)
        writer->pending = true;
    return 0;
}

/* Hand over a content that is new. */
static int push_page(struct xrw_store *store, uint64_t id, xrw_gfn gfn, uint64_t before,
                     XXH128_hash_t hash, const uint8_t *page, struct xrw_error *err)
{
    struct xrw_packed_page *packed = xrw_queue_reserve(store, sizeof *packed, err);
    XXH128_canonical_t canonical;

    if (!packed)
        return xrw_queue_refused(store);
    packed->record = (struct xrw_ring_record){sizeof *packed, XRW_PACKED_PAGE};
    packed->id = id;
    packed->gfn = gfn;
    packed->before = before;
    XXH128_canonicalFromHash(&canonical, hash);
    memcpy(packed->hash, &canonical, sizeof packed->hash);
    memcpy(packed->page, page, XRW_PAGE_BYTES);
    xrw_queue_push(store);
    return 0;
}

static bool is_zero(const uint8_t *page)
{
    return !page[0] && !memcmp(page, page + 1, XRW_PAGE_BYTES - 1);
}

/* Id of the row of `page` with this content, added if there is none. */
static int page_row(struct xrw_store *store, xrw_gfn gfn, const uint8_t *page, XXH128_hash_t hash,
                    uint64_t before, uint64_t *id, struct xrw_error *err)
{
    struct xrw_store_writer *writer = &store->writer;
    uint64_t found = 0;

    if (!is_zero(page)) {
        found = xrw_id_map_find(&writer->pages, hash);
        if (!found) {
            int ret = push_page(store, writer->page_rows + 1, gfn, before, hash, page, err);

            if (ret)
                return ret;
            found = ++writer->page_rows;
            xrw_id_map_add(&writer->pages, hash, found);
        }
    }
    *id = found;
    return 0;
}

static int push_version(struct xrw_store *store, uint64_t run,
                        const struct xrw_gfn_version *version, struct xrw_error *err)
{
    struct xrw_packed_version *packed = xrw_queue_reserve(store, sizeof *packed, err);

    if (!packed)
        return xrw_queue_refused(store);
    *packed = (struct xrw_packed_version){
        {sizeof *packed, XRW_PACKED_VERSION}, run, version->gfn, version->exit, version->page};
    xrw_queue_push(store);
    return 0;
}

/* The last version of a page: the run's own, or else that of the base image; NULL: none. */
static const struct xrw_gfn_version *last_version(const struct xrw_store_writer *writer,
                                                  uint64_t run, xrw_gfn gfn, bool *own)
{
    const struct xrw_gfn_version *last =
        xrw_gfn_versions_find(run ? &writer->versions : &writer->base, gfn);

    *own = last != NULL;
    if (!last && writer->run.base_run != writer->run.id)
        last = xrw_gfn_versions_find(&writer->base, gfn);
    return last;
}

int xrw_store_add_page(struct xrw_store *store, uint64_t run, xrw_gfn gfn, xrw_exit_id exit,
                       const uint8_t *page, bool force, struct xrw_error *err)
{
    struct xrw_gfn_version version = {.gfn = gfn, .exit = exit};
    const struct xrw_gfn_version *last;
    bool own = true;
    int ret = check_exit(store, run, exit, err);

    if (!ret && store->writer.ring_file.header)
        ret = xrw_error_set(err, -EINVAL, "%s: memory, though rows are made later", store->path);
    if (ret)
        return ret;
    version.hash = XXH3_128bits(page, XRW_PAGE_BYTES);
    last = last_version(&store->writer, run, gfn, &own);
    if (last && XXH128_isEqual(last->hash, version.hash)) {
        if ((own && last->exit >= exit) || !force)
            return 0;
    } else if (last && own && last->exit >= exit) {
        return xrw_error_set(err, -EINVAL,
                             "%s: page %#" PRIx64 " given with two contents at exit %" PRIu64,
                             store->path, gfn, exit);
    }
    ret = page_row(store, gfn, page, version.hash, last ? last->page : 0, &version.page, err);
    if (!ret)
        ret = push_version(store, run, &version, err);
    if (!ret && xrw_gfn_versions_set(run ? &store->writer.versions : &store->writer.base, &version))
        ret = xrw_error_set(err, -ENOMEM, "out of memory");
    return ret;
}

bool xrw_store_has_own_page(const struct xrw_store *store, xrw_gfn gfn)
{
    return xrw_gfn_versions_find(&store->writer.versions, gfn) != NULL;
}

int xrw_store_add_memory_frame(struct xrw_store *store, uint64_t run, xrw_exit_id exit,
                               struct xrw_error *err)
{
    struct xrw_packed_frame *packed;
    int ret = check_exit(store, run, exit, err);

    if (ret)
        return ret;
    packed = xrw_queue_reserve(store, sizeof *packed, err);
    if (!packed)
        return xrw_queue_refused(store);
    *packed = (struct xrw_packed_frame){{sizeof *packed, XRW_PACKED_FRAME}, run, exit};
    xrw_queue_push(store);
    return 0;
}

int xrw_store_add_context(struct xrw_store *store, uint64_t run, xrw_exit_id exit, uint32_t vcpu,
                          const char *kind, const void *data, size_t bytes, struct xrw_error *err)
{
    struct xrw_packed_context *packed;
    int ret;

    if (!bytes || bytes > XRW_STORE_CONTEXT_MAX_BYTES || strlen(kind) >= sizeof packed->kind ||
        (!strcmp(kind, "fxsave") && bytes != XRW_FXSAVE_BYTES))
        return xrw_error_set(err, -EINVAL, "%s: a %s context of %zu bytes", store->path, kind,
                             bytes);
    ret = check_exit(store, run, exit, err);
    if (ret)
        return ret;
    packed = xrw_queue_reserve(store, sizeof *packed + bytes, err);
    if (!packed)
        return xrw_queue_refused(store);
    packed->record =
        (struct xrw_ring_record){(uint32_t)(sizeof *packed + bytes), XRW_PACKED_CONTEXT};
    packed->run = run;
    packed->exit = exit;
    packed->vcpu = vcpu;
    packed->bytes = (uint32_t)bytes;
    memcpy(packed->kind, kind, strlen(kind) + 1);
    memcpy(packed->data, data, bytes);
    xrw_queue_push(store);
    return 0;
}
