/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The writing thread's side of exits, and what belongs to them. */
#include "db.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Below this many rows, preparing a copy from an image costs more than it saves. */
#define IMAGE_ROWS_MIN 96u

/* ---- system registers, instructions ---------------------------------- */

int xrw_drain_sysregs(struct xrw_store *store, const struct xrw_packed_sysregs *packed,
                      struct xrw_error *err)
{
    sqlite3_stmt *stmt;
    int ret = xrw_drain_begin(store, err);

    if (!ret)
        ret = xrw_db_statement(store, XRW_SQL_ADD_SYSREGS, &stmt, err);
    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, packed->id);
    for (unsigned i = 0; i < XRW_SYSTEM_COUNT; i++)
        xrw_db_bind_known(stmt, 2 + (int)i, packed->known[i], packed->value[i]);
    return xrw_db_insert(store, stmt, "adding system registers", err);
}

int xrw_drain_insn(struct xrw_store *store, const struct xrw_packed_insn *packed,
                   struct xrw_error *err)
{
    sqlite3_stmt *stmt;
    int ret = xrw_drain_begin(store, err);

    if (!ret)
        ret = xrw_db_statement(store, XRW_SQL_ADD_INSN, &stmt, err);
    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, packed->id);
    xrw_db_bind_u64(stmt, 2, packed->rip);
    xrw_db_bind_u64(stmt, 3, packed->mode);
    (void)sqlite3_bind_blob64(stmt, 4, packed->code, packed->bytes, SQLITE_STATIC);
    xrw_db_bind_text(stmt, 5, packed->text);
    return xrw_db_insert(store, stmt, "adding an instruction", err);
}

/* ---- sites ----------------------------------------------------------- */

static int grow_sites(struct xrw_store_drain *drain)
{
    size_t capacity = drain->site_capacity ? 2 * drain->site_capacity : 1024;
    struct xrw_site_count *counts = realloc(drain->site_count, capacity * sizeof *counts);
    uint64_t *dirty;

    if (!counts)
        return -ENOMEM;
    drain->site_count = counts;
    dirty = realloc(drain->dirty_sites, capacity * sizeof *dirty);
    if (!dirty)
        return -ENOMEM;
    drain->dirty_sites = dirty;
    drain->site_capacity = capacity;
    return 0;
}

static int insert_site(struct xrw_store *store, uint64_t id, const struct xrw_site *site,
                       xrw_exit_id exit, struct xrw_error *err)
{
    sqlite3_stmt *stmt;
    int ret = xrw_drain_begin(store, err);

    if (!ret)
        ret = xrw_db_statement(store, XRW_SQL_ADD_SITE, &stmt, err);
    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, id);
    xrw_db_bind_known(stmt, 2, site->insn != 0, site->insn);
    xrw_db_bind_known(stmt, 3, site->rip_known, site->rip);
    for (unsigned i = 0; i < XRW_SITE_FIELD_COUNT; i++)
        xrw_db_bind_known(stmt, 4 + (int)i, site->known >> i & 1, site->field[i]);
    xrw_db_bind_u64(stmt, 4 + XRW_SITE_FIELD_COUNT, exit);
    return xrw_db_insert(store, stmt, "adding a site", err);
}

static int add_site(struct xrw_store *store, const struct xrw_site *site, XXH128_hash_t key,
                    xrw_exit_id exit, uint64_t *id, struct xrw_error *err)
{
    struct xrw_store_drain *drain = &store->drain;
    int ret;

    if (drain->site_rows + 1 >= drain->site_capacity && grow_sites(drain))
        return xrw_error_set(err, -ENOMEM, "out of memory");
    ret = insert_site(store, drain->site_rows + 1, site, exit, err);
    if (ret)
        return ret;
    *id = ++drain->site_rows;
    drain->site_count[*id] = (struct xrw_site_count){.first = exit};
    xrw_id_map_add(&drain->sites, key, *id);
    return 0;
}

/* The site of an exit, counted. */
static int site_of(struct xrw_store *store, const struct xrw_site *site, xrw_exit_id exit,
                   uint64_t *id, struct xrw_error *err)
{
    struct xrw_store_drain *drain = &store->drain;
    XXH128_hash_t key = XXH3_128bits(site, sizeof *site);
    struct xrw_site_count *count;
    int ret;

    *id = xrw_id_map_find(&drain->sites, key);
    if (!*id) {
        ret = add_site(store, site, key, exit, id, err);
        if (ret)
            return ret;
    }
    count = &drain->site_count[*id];
    count->exits++;
    count->last = exit;
    if (!count->dirty) {
        count->dirty = true;
        drain->dirty_sites[drain->dirty++] = *id;
    }
    return 0;
}

int xrw_drain_site_counts(struct xrw_store *store, struct xrw_error *err)
{
    struct xrw_store_drain *drain = &store->drain;
    sqlite3_stmt *stmt;
    int ret = xrw_db_statement(store, XRW_SQL_COUNT_SITE, &stmt, err);

    for (size_t i = 0; !ret && i < drain->dirty; i++) {
        struct xrw_site_count *count = &drain->site_count[drain->dirty_sites[i]];

        xrw_db_bind_u64(stmt, 1, count->exits);
        xrw_db_bind_u64(stmt, 2, count->last);
        xrw_db_bind_u64(stmt, 3, drain->dirty_sites[i]);
        ret = xrw_db_insert(store, stmt, "counting exits", err);
        count->dirty = false;
    }
    if (!ret)
        drain->dirty = 0;
    return ret;
}

/* ---- exits ----------------------------------------------------------- */

int xrw_drain_exit(struct xrw_store *store, const struct xrw_packed_exit *packed,
                   struct xrw_error *err)
{
    struct xrw_store_drain *drain = &store->drain;
    struct xrw_batch_exit *exit = &drain->batch->exit[drain->batch->count];
    struct xrw_site site;
    int ret;

    xrw_batch_unpack(packed, exit, &site);
    ret = site_of(store, &site, packed->id, &exit->site, err);
    if (ret)
        return ret;
    drain->batch->count++;
    drain->uncommitted++;
    drain->applied_exit = packed->id;
    return drain->batch->count == XRW_BATCH_EXITS ? xrw_drain_batch(store, err) : 0;
}

static int insert_block(struct xrw_store *store, const struct xrw_block *block,
                        struct xrw_error *err)
{
    sqlite3_stmt *stmt;
    int ret = xrw_db_statement(store, XRW_SQL_ADD_BLOCK, &stmt, err);

    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, block->id);
    xrw_db_bind_u64(stmt, 2, store->drain.run);
    xrw_db_bind_u64(stmt, 3, block->vcpu);
    xrw_db_bind_u64(stmt, 4, block->resume);
    xrw_db_bind_u64(stmt, 5, block->exits);
    for (unsigned i = 0; i < XRW_BASED_COUNT; i++)
        xrw_db_bind_known(stmt, 6 + (int)i, block->known >> i & 1, (uint64_t)block->base[i]);
    return xrw_db_insert(store, stmt, "adding a block of exits", err);
}

static int insert_row(struct xrw_store *store, uint64_t id, const struct xrw_row *row,
                      struct xrw_error *err)
{
    sqlite3_stmt *stmt;
    int ret = xrw_db_statement(store, XRW_SQL_ADD_EXIT, &stmt, err);

    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, id);
    for (unsigned i = 0; i < XRW_EXIT_COLUMN_COUNT; i++)
        xrw_db_bind_known(stmt, 2 + (int)i, !row->null[i], (uint64_t)row->value[i]);
    return xrw_db_insert(store, stmt, "adding an exit", err);
}

/* Where this SQLite can copy rows from an image in memory, do so. */
static void try_image(struct xrw_store *store)
{
    sqlite3_stmt *stmt = NULL;
    struct xrw_store_drain *drain = &store->drain;

    drain->image_tried = true;
    if (sqlite3_prepare_v2(store->db, "SELECT sql FROM sqlite_schema WHERE name = 'exit'", -1,
                           &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        drain->image = xrw_image_create((const char *)sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
}

static int add_to_image(struct xrw_store *store, uint64_t id, const struct xrw_row *row,
                        struct xrw_error *err)
{
    struct xrw_image *image = store->drain.image;
    uint8_t *record = xrw_image_reserve(image, XRW_ROW_MAX_BYTES);

    if (!record) {
        int ret = xrw_drain_image(store, err);

        if (ret)
            return ret;
        record = xrw_image_reserve(image, XRW_ROW_MAX_BYTES);
    }
    xrw_image_add(image, id, xrw_row_encode(row, record));
    return 0;
}

int xrw_drain_image(struct xrw_store *store, struct xrw_error *err)
{
    struct xrw_image *image = store->drain.image;

    if (!image || !xrw_image_rows(image))
        return 0;
    return xrw_drain_result(store, xrw_image_flush(image, store->db, "exit"), "adding exits", err);
}

int xrw_drain_batch(struct xrw_store *store, struct xrw_error *err)
{
    struct xrw_store_drain *drain = &store->drain;
    struct xrw_batch *batch = drain->batch;
    struct xrw_row row;
    bool by_image;
    int ret = xrw_drain_begin(store, err);

    if (!drain->image_tried && batch->count >= IMAGE_ROWS_MIN)
        try_image(store);
    by_image = drain->image && (batch->count >= IMAGE_ROWS_MIN || xrw_image_rows(drain->image));
    xrw_batch_make_blocks(batch, drain->last_block);
    for (unsigned i = 0; !ret && i < batch->blocks; i++)
        ret = insert_block(store, &batch->block[i], err);
    for (unsigned i = 0; !ret && i < batch->count; i++) {
        xrw_batch_make_row(batch, i, &row);
        ret = by_image ? add_to_image(store, batch->exit[i].id, &row, err)
                       : insert_row(store, batch->exit[i].id, &row, err);
    }
    drain->last_block += batch->blocks;
    batch->count = 0;
    return ret;
}
