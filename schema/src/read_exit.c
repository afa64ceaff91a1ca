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

/* The row of `exit`; *sysregs is the id of the system registers, which are not read yet. */
static int read_before(struct xrw_store *store, struct xrw_exit *exit, uint64_t *sysregs,
                       struct xrw_error *err)
{
    sqlite3_stmt *stmt;
    int column = 3;
    int ret = xrw_db_statement(store, XRW_SQL_EXIT, &stmt, err);

    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, exit->id);
    ret = xrw_db_step(store, stmt, doing, err);
    if (ret == 0)
        return xrw_error_set(err, -ENOENT, "%s: no exit %" PRIu64, store->path, exit->id);
    if (ret < 0)
        return ret;
    exit->run = xrw_db_u64(stmt, 0);
    exit->vcpu = (uint32_t)xrw_db_u64(stmt, 1);
    *sysregs = xrw_db_u64(stmt, 2);
    for (unsigned i = 0; i < XRW_EXIT_FIELD_COUNT; i++, column++)
        if (!xrw_db_is_null(stmt, column))
            xrw_exit_set(exit, (enum xrw_exit_field)i, xrw_db_u64(stmt, column));
    take_registers(stmt, column, &exit->before, 0, XRW_HOT_COUNT);
    sqlite3_reset(stmt);
    return 0;
}

/* The row of `resume`, if there is one, over the hot registers before. */
static int read_after(struct xrw_store *store, struct xrw_exit *exit, uint64_t *sysregs,
                      struct xrw_error *err)
{
    sqlite3_stmt *stmt;
    uint64_t unknown;
    int ret = xrw_db_statement(store, XRW_SQL_RESUME, &stmt, err);

    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, exit->id);
    ret = xrw_db_step(store, stmt, doing, err);
    if (ret <= 0)
        return ret;
    exit->has_after = true;
    exit->after = exit->before;
    unknown = xrw_db_u64(stmt, 0);
    if (!xrw_db_is_null(stmt, 1))
        *sysregs = xrw_db_u64(stmt, 1);
    take_registers(stmt, 2, &exit->after, 0, XRW_HOT_COUNT);
    sqlite3_reset(stmt);
    for (unsigned reg = 0; reg < XRW_HOT_COUNT; reg++)
        if (unknown >> reg & 1) {
            exit->after.known[reg] = false;
            exit->after.value[reg] = 0;
        }
    return 0;
}

int xrw_store_exit(struct xrw_store *store, xrw_exit_id id, struct xrw_exit *exit,
                   struct xrw_error *err)
{
    struct xrw_exit read = {.id = id};
    uint64_t before = 0, after;
    int ret = read_before(store, &read, &before, err);

    after = before;
    if (!ret)
        ret = read_after(store, &read, &after, err);
    if (!ret)
        ret = system_registers(store, before, &read.before, err);
    if (!ret && read.has_after)
        ret = system_registers(store, after, &read.after, err);
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
