/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The writing thread's side of exits, and what belongs to them. */
#include "db.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

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

/* ---- sites, address spaces ------------------------------------------- */

int xrw_drain_site(struct xrw_store *store, const struct xrw_packed_site *packed,
                   struct xrw_error *err)
{
    const struct xrw_site *site = &packed->site;
    sqlite3_stmt *stmt;
    int ret = xrw_drain_begin(store, err);

    if (!ret)
        ret = xrw_db_statement(store, XRW_SQL_ADD_SITE, &stmt, err);
    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, packed->id);
    xrw_db_bind_known(stmt, 2, site->insn != 0, site->insn);
    xrw_db_bind_known(stmt, 3, site->rip_known, site->rip);
    for (unsigned i = 0; i < XRW_SITE_FIELD_COUNT; i++)
        xrw_db_bind_known(stmt, 4 + (int)i, site->known >> i & 1, site->field[i]);
    xrw_db_bind_u64(stmt, 4 + XRW_SITE_FIELD_COUNT, packed->first_exit);
    return xrw_db_insert(store, stmt, "adding a site", err);
}

int xrw_drain_space(struct xrw_store *store, const struct xrw_packed_space *packed,
                    struct xrw_error *err)
{
    const struct xrw_space_key *space = &packed->space;
    sqlite3_stmt *stmt;
    int ret = xrw_drain_begin(store, err);

    if (!ret)
        ret = xrw_db_statement(store, XRW_SQL_ADD_SPACE, &stmt, err);
    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, packed->id);
    xrw_db_bind_known(stmt, 2, space->known & 1, space->cr3);
    xrw_db_bind_known(stmt, 3, space->known >> 1 & 1, space->cr0);
    xrw_db_bind_known(stmt, 4, space->known >> 2 & 1, space->cr4);
    xrw_db_bind_known(stmt, 5, space->known >> 3 & 1, space->efer);
    xrw_db_bind_u64(stmt, 6, packed->first_exit);
    return xrw_db_insert(store, stmt, "adding an address space", err);
}

/* ---- tables that get most rows --------------------------------------- */

static const struct {
    const char *table, *doing;
    enum xrw_statement add;
    unsigned columns; /* beside the id */
} bulks[XRW_BULKS] = {
    [XRW_BULK_EXIT] = {"exit", "adding exits", XRW_SQL_ADD_EXIT, XRW_EXIT_COLUMN_COUNT},
    [XRW_BULK_KEPT] = {"kept", "adding registers", XRW_SQL_ADD_KEPT, XRW_KEPT_COUNT},
    [XRW_BULK_WORK] = {"work", "adding registers", XRW_SQL_ADD_WORK, XRW_WORK_COUNT},
};

int xrw_drain_prepare_images(struct xrw_store *store, struct xrw_error *err)
{
    const char *tables[XRW_BULKS];

    for (unsigned i = 0; i < XRW_BULKS; i++)
        tables[i] = bulks[i].table;
    return xrw_db_error(store,
                        xrw_image_prepare(store->db, tables, XRW_BULKS, &store->drain.may_copy),
                        "creating the recording", err);
}

/* Where this SQLite can copy rows from an image in memory, do so. */
static void try_images(struct xrw_store *store)
{
    struct xrw_store_drain *drain = &store->drain;

    for (unsigned i = 0; drain->may_copy && i < XRW_BULKS; i++)
        drain->image[i] = xrw_image_create(store->db, bulks[i].table);
    drain->image_tried = true;
}

static int insert_row(struct xrw_store *store, enum xrw_bulk bulk, uint64_t id,
                      const struct xrw_row *row, struct xrw_error *err)
{
    sqlite3_stmt *stmt;
    int ret = xrw_drain_begin(store, err);

    if (!ret)
        ret = xrw_db_statement(store, bulks[bulk].add, &stmt, err);
    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, id);
    for (unsigned i = 0; i < bulks[bulk].columns; i++)
        xrw_db_bind_known(stmt, 2 + (int)i, !row->null[i], (uint64_t)row->value[i]);
    return xrw_db_insert(store, stmt, bulks[bulk].doing, err);
}

static int flush_image(struct xrw_store *store, enum xrw_bulk bulk, struct xrw_error *err)
{
    struct xrw_image *image = store->drain.image[bulk];
    int rc, ret;

    if (!image || !xrw_image_rows(image))
        return 0;
    ret = xrw_drain_begin(store, err);
    if (ret)
        return ret;
    rc = xrw_image_flush(image);
    if (rc == XRW_IMAGE_OUT_OF_ORDER)
        return xrw_error_set(err, -EUCLEAN,
                             "%s: something else has added rows to it\n"
                             "recording ends with what was committed before",
                             store->path);
    return xrw_drain_result(store, rc, bulks[bulk].doing, err);
}

int xrw_drain_images(struct xrw_store *store, struct xrw_error *err)
{
    int ret = 0;

    for (unsigned i = 0; !ret && i < XRW_BULKS; i++)
        ret = flush_image(store, (enum xrw_bulk)i, err);
    return ret;
}

static int add_row(struct xrw_store *store, enum xrw_bulk bulk, uint64_t id,
                   const struct xrw_row *row, struct xrw_error *err)
{
    struct xrw_image *image;
    uint8_t *record;
    int ret;

    if (!store->drain.image_tried)
        try_images(store);
    image = store->drain.image[bulk];
    if (!image)
        return insert_row(store, bulk, id, row, err);
    record = xrw_image_reserve(image, XRW_ROW_MAX_BYTES);
    if (!record) {
        ret = flush_image(store, bulk, err);
        if (ret)
            return ret;
        record = xrw_image_reserve(image, XRW_ROW_MAX_BYTES);
    }
    xrw_image_add(image, id, xrw_row_encode(row, record));
    return 0;
}

/* ---- exits ----------------------------------------------------------- */

int xrw_drain_set(struct xrw_store *store, const struct xrw_packed_set *packed,
                  struct xrw_error *err)
{
    struct xrw_row row;

    row.used = xrw_set_sizes[packed->which];
    for (unsigned i = 0; i < row.used; i++) {
        row.value[i] = (int64_t)packed->set.value[i];
        row.null[i] = !(packed->set.known >> i & 1);
    }
    return add_row(store, packed->which == XRW_SET_KEPT ? XRW_BULK_KEPT : XRW_BULK_WORK, packed->id,
                   &row, err);
}

int xrw_drain_exit(struct xrw_store *store, const struct xrw_packed_exit *packed,
                   struct xrw_error *err)
{
    struct xrw_store_drain *drain = &store->drain;
    struct xrw_split_exit *exit = &drain->batch->exit[drain->batch->count];

    memcpy(exit, &packed->exit, packed->record.bytes - offsetof(struct xrw_packed_exit, exit));
    if (xrw_drain_count(&drain->site_counts, exit->site, exit->id) ||
        xrw_drain_count(&drain->space_counts, exit->space, exit->id))
        return xrw_error_set(err, -ENOMEM, "out of memory");
    drain->batch->count++;
    drain->uncommitted++;
    drain->applied_exit = exit->id;
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
    xrw_db_bind_u64(stmt, 2, store->drain.run.id);
    xrw_db_bind_u64(stmt, 3, block->vcpu);
    xrw_db_bind_u64(stmt, 4, block->resume);
    xrw_db_bind_u64(stmt, 5, block->exits);
    for (unsigned i = 0; i < XRW_BASED_COUNT; i++)
        xrw_db_bind_known(stmt, 6 + (int)i, block->known >> i & 1, (uint64_t)block->base[i]);
    return xrw_db_insert(store, stmt, "adding a block of exits", err);
}

int xrw_drain_batch(struct xrw_store *store, struct xrw_error *err)
{
    struct xrw_store_drain *drain = &store->drain;
    struct xrw_batch *batch = drain->batch;
    struct xrw_row row;
    int ret = xrw_drain_begin(store, err);

    xrw_batch_make_blocks(batch, drain->last_block);
    for (unsigned i = 0; !ret && i < batch->blocks; i++)
        ret = insert_block(store, &batch->block[i], err);
    for (unsigned i = 0; !ret && i < batch->count; i++) {
        xrw_batch_make_row(batch, i, &row);
        ret = add_row(store, XRW_BULK_EXIT, batch->exit[i].id, &row, err);
    }
    drain->last_block += batch->blocks;
    batch->count = 0;
    return ret;
}
