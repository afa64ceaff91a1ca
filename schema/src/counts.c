/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The writing thread's side of rows that count exits: sites and address spaces. */
#include "db.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int grow(struct xrw_counts *counts)
{
    size_t capacity = counts->capacity ? 2 * counts->capacity : 1024;
    struct xrw_count *count = realloc(counts->count, capacity * sizeof *count);
    uint64_t *dirty;

    if (!count)
        return -ENOMEM;
    counts->count = count;
    dirty = realloc(counts->dirty, capacity * sizeof *dirty);
    if (!dirty)
        return -ENOMEM;
    counts->dirty = dirty;
    counts->capacity = capacity;
    return 0;
}

int xrw_drain_count(struct xrw_counts *counts, uint64_t id, xrw_exit_id exit)
{
    struct xrw_count *count;

    if (id >= counts->capacity && grow(counts))
        return -ENOMEM;
    if (id > counts->rows) {
        counts->rows = (size_t)id;
        counts->count[id] = (struct xrw_count){0};
    }
    count = &counts->count[id];
    count->exits++;
    count->last = exit;
    if (!count->dirty) {
        count->dirty = true;
        counts->dirty[counts->dirty_rows++] = id;
    }
    return 0;
}

static int write_counts(struct xrw_store *store, struct xrw_counts *counts,
                        enum xrw_statement statement, struct xrw_error *err)
{
    sqlite3_stmt *stmt;
    int ret = xrw_db_statement(store, statement, &stmt, err);

    for (size_t i = 0; !ret && i < counts->dirty_rows; i++) {
        struct xrw_count *count = &counts->count[counts->dirty[i]];

        xrw_db_bind_u64(stmt, 1, count->exits);
        xrw_db_bind_u64(stmt, 2, count->last);
        xrw_db_bind_u64(stmt, 3, counts->dirty[i]);
        ret = xrw_db_insert(store, stmt, "counting exits", err);
        count->dirty = false;
    }
    if (!ret)
        counts->dirty_rows = 0;
    return ret;
}

int xrw_drain_counts(struct xrw_store *store, struct xrw_error *err)
{
    int ret = write_counts(store, &store->drain.site_counts, XRW_SQL_COUNT_SITE, err);

    return ret ? ret : write_counts(store, &store->drain.space_counts, XRW_SQL_COUNT_SPACE, err);
}

/* ---- address spaces -------------------------------------------------- */

int xrw_drain_paging_mode(struct xrw_store *store, const struct xrw_packed_sysregs *packed,
                          struct xrw_error *err)
{
    struct xrw_store_drain *drain = &store->drain;
    struct xrw_paging_mode *mode;

    _Static_assert(XRW_REG_cr4 == XRW_HOT_COUNT + 1 && XRW_REG_efer == XRW_HOT_COUNT + 2,
                   "cr0, cr4 and efer come first");
    while (packed->id >= drain->mode_capacity) {
        size_t capacity = drain->mode_capacity ? 2 * drain->mode_capacity : 256;
        struct xrw_paging_mode *modes = realloc(drain->modes, capacity * sizeof *modes);

        if (!modes)
            return xrw_error_set(err, -ENOMEM, "out of memory");
        drain->modes = modes;
        drain->mode_capacity = capacity;
    }
    mode = &drain->modes[packed->id];
    mode->known = 0;
    for (unsigned i = 0; i < 3; i++) {
        mode->value[i] = packed->known[i] ? packed->value[i] : 0;
        mode->known |= (uint64_t)packed->known[i] << i;
    }
    return 0;
}

static int insert_space(struct xrw_store *store, uint64_t id, const struct xrw_space_key *key,
                        xrw_exit_id exit, struct xrw_error *err)
{
    sqlite3_stmt *stmt;
    int ret = xrw_drain_begin(store, err);

    if (!ret)
        ret = xrw_db_statement(store, XRW_SQL_ADD_SPACE, &stmt, err);
    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, id);
    xrw_db_bind_known(stmt, 2, key->cr3_known != 0, key->cr3);
    for (unsigned i = 0; i < 3; i++)
        xrw_db_bind_known(stmt, 3 + (int)i, key->mode.known >> i & 1, key->mode.value[i]);
    xrw_db_bind_u64(stmt, 6, exit);
    return xrw_db_insert(store, stmt, "adding an address space", err);
}

/* The row of `space` for the key, added if there is none. */
static int space_row(struct xrw_store *store, const struct xrw_space_key *key, xrw_exit_id exit,
                     uint64_t *id, struct xrw_error *err)
{
    struct xrw_store_drain *drain = &store->drain;
    XXH128_hash_t hash = XXH3_128bits(key, sizeof *key);

    *id = xrw_id_map_find(&drain->spaces, hash);
    if (!*id) {
        int ret = insert_space(store, drain->space_counts.rows + 1, key, exit, err);

        if (ret)
            return ret;
        *id = drain->space_counts.rows + 1;
        xrw_id_map_add(&drain->spaces, hash, *id);
    }
    return 0;
}

int xrw_drain_space(struct xrw_store *store, const struct xrw_batch_exit *exit,
                    const struct xrw_register_set *kept, struct xrw_error *err)
{
    const unsigned cr3 = XRW_KEPT_cr3;
    struct xrw_store_drain *drain = &store->drain;
    uint64_t sysregs = (uint64_t)exit->based[XRW_BASED_sysregs];

    if (!drain->last_space || drain->last_space_sysregs != sysregs ||
        drain->last_space_cr3 != kept->value[cr3] || !(kept->known >> cr3 & 1)) {
        struct xrw_space_key key = {drain->modes[sysregs], kept->value[cr3],
                                    kept->known >> cr3 & 1};
        int ret = space_row(store, &key, exit->id, &drain->last_space, err);

        if (ret)
            return ret;
        drain->last_space_sysregs = sysregs;
        drain->last_space_cr3 = key.cr3;
        if (!key.cr3_known)
            drain->last_space_sysregs = 0;
    }
    return xrw_drain_count(&drain->space_counts, drain->last_space, exit->id)
               ? xrw_error_set(err, -ENOMEM, "out of memory")
               : 0;
}
