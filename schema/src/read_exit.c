/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "db.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static const char doing[] = "reading an exit";

/* Take registers first..last - 1 from consecutive columns; NULL leaves the register as it is. */
static void take_registers(sqlite3_stmt *stmt, int column, struct xrw_registers *regs,
                           unsigned first, unsigned last)
{
    for (unsigned reg = first; reg < last; reg++, column++)
        if (!xrw_db_is_null(stmt, column))
            xrw_registers_set(regs, (enum xrw_register)reg, xrw_db_u64(stmt, column));
}

/*
 * Columns 1 to `columns` of a row of integers, null where they are NULL, with value 0; those that a
 * row may leave out are set by the caller to what they then are.  1, 0 if there is no such row, or
 * an error.  The statement selects all columns by an id.
 */
static int read_row(struct xrw_store *store, enum xrw_btree_table table, enum xrw_statement which,
                    uint64_t id, unsigned columns, int64_t *value, bool *null,
                    struct xrw_error *err)
{
    sqlite3_stmt *stmt;
    int ret;

    if (xrw_btree_row(store->btree, table, id, columns, value, null))
        return 1;
    ret = xrw_db_statement(store, which, &stmt, err);
    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, id);
    ret = xrw_db_step(store, stmt, doing, err);
    if (ret != 1)
        return ret;
    for (unsigned i = 0; i < columns; i++) {
        value[i] = (int64_t)xrw_db_u64(stmt, (int)i + 1);
        null[i] = xrw_db_is_null(stmt, (int)i + 1);
    }
    sqlite3_reset(stmt);
    return 1;
}

static int read_sysregs(struct xrw_store *store, uint64_t id, struct xrw_registers *regs,
                        struct xrw_error *err)
{
    sqlite3_stmt *stmt;
    int ret = xrw_db_statement(store, XRW_SQL_SYSREGS, &stmt, err);

    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, id);
    ret = xrw_db_step(store, stmt, doing, err);
    if (ret == 0)
        return xrw_db_damaged(store, "an exit's system registers are missing", err);
    if (ret < 0)
        return ret;
    memset(regs, 0, sizeof *regs);
    take_registers(stmt, 1, regs, XRW_HOT_COUNT, XRW_REGISTER_COUNT);
    sqlite3_reset(stmt);
    return 0;
}

/* Set the system registers of *regs, and no others, to those of a row. */
static int system_registers(struct xrw_store *store, uint64_t id, struct xrw_registers *regs,
                            struct xrw_error *err)
{
    struct xrw_sysregs_cache *cache = &store->sysregs;
    unsigned slot = (unsigned)(id % XRW_SYSREGS_CACHE);
    const struct xrw_registers *row = &cache->registers[slot];

    if (cache->id[slot] != id || !id) {
        int ret;

        cache->id[slot] = 0;
        ret = read_sysregs(store, id, &cache->registers[slot], err);
        if (ret)
            return ret;
        cache->id[slot] = id;
    }
    memcpy(&regs->value[XRW_HOT_COUNT], &row->value[XRW_HOT_COUNT],
           sizeof row->value - XRW_HOT_COUNT * sizeof row->value[0]);
    memcpy(&regs->known[XRW_HOT_COUNT], &row->known[XRW_HOT_COUNT],
           sizeof row->known - XRW_HOT_COUNT * sizeof row->known[0]);
    return 0;
}

/* ---- sites and blocks ------------------------------------------------ */

static int read_site(struct xrw_store *store, uint64_t id, struct xrw_site *site,
                     struct xrw_error *err)
{
    sqlite3_stmt *stmt;
    int ret = xrw_db_statement(store, XRW_SQL_SITE, &stmt, err);

    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, id);
    ret = xrw_db_step(store, stmt, doing, err);
    if (ret == 0)
        return xrw_db_damaged(store, "an exit's site is missing", err);
    if (ret < 0)
        return ret;
    memset(site, 0, sizeof *site);
    site->insn = xrw_db_u64(stmt, 1);
    site->rip_known = !xrw_db_is_null(stmt, 2);
    site->rip = xrw_db_u64(stmt, 2);
    for (unsigned i = 0; i < XRW_SITE_FIELD_COUNT; i++) {
        site->known |= (uint32_t)!xrw_db_is_null(stmt, 3 + (int)i) << i;
        site->field[i] = xrw_db_u64(stmt, 3 + (int)i);
    }
    sqlite3_reset(stmt);
    return 0;
}

int xrw_db_site(struct xrw_store *store, uint64_t id, const struct xrw_site **site,
                struct xrw_error *err)
{
    struct xrw_site_cache *cache = &store->sites;
    unsigned slot = (unsigned)(id % XRW_SITE_CACHE);

    if (cache->id[slot] != id || !id) {
        int ret;

        cache->id[slot] = 0;
        ret = read_site(store, id, &cache->site[slot], err);
        if (ret)
            return ret;
        cache->id[slot] = id;
    }
    *site = &cache->site[slot];
    return 0;
}

/* Columns of `block` between its id and the bases. */
enum { BLOCK_RUN, BLOCK_VCPU, BLOCK_RESUME, BLOCK_EXITS, BLOCK_BASES };

static int read_block(struct xrw_store *store, uint64_t id, struct xrw_block *block, uint64_t *run,
                      struct xrw_error *err)
{
    int64_t value[BLOCK_BASES + XRW_BASED_COUNT] = {0};
    bool null[BLOCK_BASES + XRW_BASED_COUNT];
    int ret;

    memset(null, true, sizeof null);
    ret = read_row(store, XRW_BTREE_BLOCK, XRW_SQL_BLOCK, id, BLOCK_BASES + XRW_BASED_COUNT, value,
                   null, err);
    if (ret == 0)
        return xrw_db_damaged(store, "an exit's block is missing", err);
    if (ret < 0)
        return ret;
    *run = (uint64_t)value[BLOCK_RUN];
    block->vcpu = (uint32_t)value[BLOCK_VCPU];
    block->resume = value[BLOCK_RESUME] != 0;
    block->known = 0;
    for (unsigned i = 0; i < XRW_BASED_COUNT; i++) {
        block->known |= (uint32_t)!null[BLOCK_BASES + i] << i;
        block->base[i] = value[BLOCK_BASES + i];
    }
    return 0;
}

int xrw_db_block(struct xrw_store *store, uint64_t id, const struct xrw_block **block,
                 uint64_t *run, struct xrw_error *err)
{
    struct xrw_block_cache *cache = &store->blocks;
    unsigned slot = (unsigned)(id % XRW_BLOCK_CACHE);

    if (cache->block[slot].id != id || !id) {
        int ret;

        cache->block[slot].id = 0;
        ret = read_block(store, id, &cache->block[slot], &cache->run[slot], err);
        if (ret)
            return ret;
        cache->block[slot].id = id;
    }
    *block = &cache->block[slot];
    *run = cache->run[slot];
    return 0;
}

/* ---- sets of registers ----------------------------------------------- */

static int read_set(struct xrw_store *store, enum xrw_set which, uint64_t id,
                    struct xrw_register_set *set, struct xrw_error *err)
{
    bool kept = which == XRW_SET_KEPT;
    int64_t value[XRW_SET_MAX] = {0};
    bool null[XRW_SET_MAX];
    int ret;

    memset(null, true, sizeof null);
    ret = read_row(store, kept ? XRW_BTREE_KEPT : XRW_BTREE_WORK,
                   kept ? XRW_SQL_KEPT : XRW_SQL_WORK, id, xrw_set_sizes[which], value, null, err);
    if (ret == 0)
        return xrw_db_damaged(store, "an exit's registers are missing", err);
    if (ret < 0)
        return ret;
    set->known = 0;
    for (unsigned i = 0; i < xrw_set_sizes[which]; i++) {
        set->known |= (uint64_t)!null[i] << i;
        set->value[i] = (uint64_t)value[i];
    }
    return 0;
}

static int take_set(struct xrw_store *store, enum xrw_set which, uint64_t id, struct xrw_exit *exit,
                    struct xrw_error *err)
{
    struct xrw_set_cache *cache = &store->sets;
    unsigned slot = (unsigned)(id % XRW_SET_CACHE);
    const struct xrw_register_set *set = &cache->set[which][slot];

    if (cache->id[which][slot] != id || !id) {
        int ret;

        cache->id[which][slot] = 0;
        ret = read_set(store, which, id, &cache->set[which][slot], err);
        if (ret)
            return ret;
        cache->id[which][slot] = id;
    }
    for (unsigned i = 0; i < xrw_set_sizes[which]; i++)
        if (set->known >> i & 1)
            xrw_registers_set(&exit->before, (enum xrw_register)xrw_set_registers[which][i],
                              set->value[i]);
    return 0;
}

/* ---- an exit --------------------------------------------------------- */

/* The row of `exit` as it is. */
static int read_exit_row(struct xrw_store *store, xrw_exit_id id, struct xrw_row *row,
                         struct xrw_error *err)
{
    int ret;

    memset(row->value, 0, sizeof row->value);
    xrw_row_clear(row);
    ret = read_row(store, XRW_BTREE_EXIT, XRW_SQL_EXIT, id, XRW_EXIT_COLUMN_COUNT, row->value,
                   row->null, err);
    if (ret == 0)
        return xrw_error_set(err, -ENOENT, "%s: no exit %" PRIu64, store->path, id);
    return ret < 0 ? ret : 0;
}

/* Fields that the site says. */
static void take_site(const struct xrw_site *site, struct xrw_exit *exit)
{
#define SITE_PLACE(name) XRW_EXIT_##name,
    static const enum xrw_exit_field places[] = {XRW_SITE_FIELD_TABLE(SITE_PLACE)};

    for (unsigned i = 0; i < XRW_SITE_FIELD_COUNT; i++)
        if (site->known >> i & 1)
            xrw_exit_set(exit, places[i], site->field[i]);
    if (site->rip_known)
        xrw_registers_set(&exit->before, XRW_REG_rip, site->rip);
}

/* A value that is kept as a difference: where it belongs. */
static void take_based(struct xrw_exit *exit, unsigned based, uint64_t value, uint64_t *sysregs)
{
    static const enum xrw_exit_field fields[] = {
        [XRW_BASED_time_ns] = XRW_EXIT_time_ns,
        [XRW_BASED_tsc] = XRW_EXIT_tsc,
        [XRW_BASED_entry_tsc_offset] = XRW_EXIT_entry_tsc_offset,
        [XRW_BASED_entries] = XRW_EXIT_entries,
        [XRW_BASED_gpa] = XRW_EXIT_gpa,
        [XRW_BASED_gla] = XRW_EXIT_gla,
    };

    if (based == XRW_BASED_sysregs)
        *sysregs = value;
    else if (based < XRW_BASED_sysregs)
        xrw_exit_set(exit, fields[based], based == XRW_BASED_entries ? value + exit->id : value);
    else
        xrw_registers_set(&exit->before, based == XRW_BASED_r9 ? XRW_REG_r9 : XRW_REG_r10, value);
}

/* What each column means for an exit. */
enum target { TO_ELSEWHERE, TO_BASED, TO_AFTER };

#define TARGET_WHOLE(name)                                                                         \
    {                                                                                              \
        TO_ELSEWHERE, 0                                                                            \
    }
#define TARGET_BASED(name)                                                                         \
    {                                                                                              \
        TO_BASED, XRW_BASED_##name                                                                 \
    }
#define TARGET_RARE(name)                                                                          \
    {                                                                                              \
        TO_BASED, XRW_BASED_##name                                                                 \
    }
#define TARGET_AFTER(name)                                                                         \
    {                                                                                              \
        TO_AFTER, XRW_REG_##name                                                                   \
    }
#define TARGET(kind, name) TARGET_##kind(name),

static const struct {
    uint8_t target, index;
} targets[XRW_EXIT_COLUMN_COUNT] = {XRW_EXIT_COLUMN_TABLE(TARGET)};

static void take_before(const struct xrw_row *row, const struct xrw_block *block,
                        struct xrw_exit *exit, uint64_t *sysregs)
{
    for (unsigned i = 0; i < XRW_EXIT_COLUMN_COUNT; i++) {
        unsigned based = targets[i].index;

        if (targets[i].target == TO_BASED && !row->null[i] && block->known >> based & 1)
            take_based(exit, based, (uint64_t)block->base[based] + (uint64_t)row->value[i],
                       sysregs);
    }
    if (!row->null[XRW_COLUMN_WHOLE_qualification])
        xrw_exit_set(exit, XRW_EXIT_qualification,
                     (uint64_t)row->value[XRW_COLUMN_WHOLE_qualification]);
    if (!row->null[XRW_COLUMN_WHOLE_whole_entries])
        xrw_exit_set(exit, XRW_EXIT_entries, (uint64_t)row->value[XRW_COLUMN_WHOLE_whole_entries]);
    if (!row->null[XRW_COLUMN_WHOLE_whole_entry_tsc])
        xrw_exit_set(exit, XRW_EXIT_entry_tsc,
                     (uint64_t)row->value[XRW_COLUMN_WHOLE_whole_entry_tsc]);
    else if (!row->null[XRW_COLUMN_WHOLE_gap] && exit->field_known[XRW_EXIT_tsc])
        xrw_exit_set(exit, XRW_EXIT_entry_tsc,
                     exit->field[XRW_EXIT_tsc] - (uint64_t)row->value[XRW_COLUMN_WHOLE_gap]);
}

/* The hot registers after, over those before. */
static void take_after(const struct xrw_row *row, struct xrw_exit *exit)
{
    uint64_t unknown = (uint64_t)row->value[XRW_COLUMN_WHOLE_unknown];

    exit->after = exit->before;
    for (unsigned i = 0; i < XRW_EXIT_COLUMN_COUNT; i++)
        if (targets[i].target == TO_AFTER && !row->null[i])
            xrw_registers_set(&exit->after, (enum xrw_register)targets[i].index,
                              (uint64_t)row->value[i]);
    if (!row->null[XRW_COLUMN_WHOLE_after_rip])
        xrw_registers_set(&exit->after, XRW_REG_rip,
                          (uint64_t)row->value[XRW_COLUMN_WHOLE_after_rip]);
    else if (exit->before.known[XRW_REG_rip])
        xrw_registers_set(&exit->after, XRW_REG_rip,
                          exit->before.value[XRW_REG_rip] +
                              (uint64_t)row->value[XRW_COLUMN_WHOLE_advance]);
    for (unsigned reg = 0; reg < XRW_HOT_COUNT; reg++)
        if (unknown >> reg & 1) {
            exit->after.known[reg] = false;
            exit->after.value[reg] = 0;
        }
}

static int put_together(struct xrw_store *store, const struct xrw_row *row, struct xrw_exit *exit,
                        struct xrw_error *err)
{
    uint64_t before = 0, after, run;
    const struct xrw_block *block;
    const struct xrw_site *site;
    int ret = xrw_db_block(store, (uint64_t)row->value[XRW_COLUMN_WHOLE_block], &block, &run, err);

    if (!ret)
        ret = xrw_db_site(store, (uint64_t)row->value[XRW_COLUMN_WHOLE_site], &site, err);
    if (ret)
        return ret;
    exit->run = run;
    exit->vcpu = block->vcpu;
    exit->has_after = block->resume;
    take_site(site, exit);
    take_before(row, block, exit, &before);
    ret = take_set(store, XRW_SET_KEPT, (uint64_t)row->value[XRW_COLUMN_WHOLE_kept], exit, err);
    if (!ret)
        ret = take_set(store, XRW_SET_WORK, (uint64_t)row->value[XRW_COLUMN_WHOLE_work], exit, err);
    if (ret)
        return ret;
    after = before;
    if (!row->null[XRW_COLUMN_WHOLE_after_sysregs])
        after = (uint64_t)row->value[XRW_COLUMN_WHOLE_after_sysregs];
    if (exit->has_after)
        take_after(row, exit);
    ret = system_registers(store, before, &exit->before, err);
    return ret || !exit->has_after ? ret : system_registers(store, after, &exit->after, err);
}

int xrw_store_exit(struct xrw_store *store, xrw_exit_id id, struct xrw_exit *exit,
                   struct xrw_error *err)
{
    struct xrw_exit read = {.id = id};
    struct xrw_row row;
    int ret = read_exit_row(store, id, &row, err);

    if (!ret)
        ret = put_together(store, &row, &read, err);
    if (!ret)
        *exit = read;
    return ret;
}

int xrw_store_insn(struct xrw_store *store, xrw_exit_id id, uint8_t *code, size_t *bytes,
                   char *text, size_t text_bytes, struct xrw_error *err)
{
    sqlite3_stmt *stmt;
    int size;
    int ret = xrw_db_statement(store, XRW_SQL_INSN, &stmt, err);

    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, id);
    ret = xrw_db_step(store, stmt, "reading an instruction", err);
    if (ret == 0)
        return xrw_error_set(err, -ENOENT, "%s: no instruction recorded at exit %" PRIu64,
                             store->path, id);
    if (ret < 0)
        return ret;
    size = sqlite3_column_bytes(stmt, 0);
    if (size < 0 || size > 15) {
        ret = xrw_db_damaged(store, "an instruction of more than 15 bytes", err);
    } else {
        ret = 0;
        if (size)
            memcpy(code, sqlite3_column_blob(stmt, 0), (size_t)size);
        *bytes = (size_t)size;
        if (text)
            xrw_db_text(stmt, 1, text, text_bytes);
    }
    sqlite3_reset(stmt);
    return ret;
}

int xrw_store_space(struct xrw_store *store, uint64_t n, struct xrw_space *space,
                    struct xrw_error *err)
{
    static const enum xrw_register registers[] = {XRW_REG_cr3, XRW_REG_cr0, XRW_REG_cr4,
                                                  XRW_REG_efer};
    sqlite3_stmt *stmt;
    int ret = xrw_db_statement(store, XRW_SQL_SPACE, &stmt, err);

    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, n);
    ret = xrw_db_step(store, stmt, "reading an address space", err);
    if (ret == 0)
        return xrw_error_set(err, -ENOENT, "%s: no address space %" PRIu64, store->path, n);
    if (ret < 0)
        return ret;
    memset(space, 0, sizeof *space);
    for (int i = 0; i < 4; i++)
        if (!xrw_db_is_null(stmt, i))
            xrw_registers_set(&space->registers, registers[i], xrw_db_u64(stmt, i));
    space->first_exit = xrw_db_u64(stmt, 4);
    space->last_exit = xrw_db_u64(stmt, 5);
    sqlite3_reset(stmt);
    return 0;
}
