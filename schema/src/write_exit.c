/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "db.h"
#include "xrw/insn.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define SYSTEM_COUNT (XRW_REGISTER_COUNT - XRW_HOT_COUNT)

/* Hash of the system registers, unknown ones as such. */
static XXH128_hash_t hash_system(const struct xrw_registers *regs)
{
    uint64_t image[2 * SYSTEM_COUNT];

    for (unsigned i = 0; i < SYSTEM_COUNT; i++) {
        image[2 * i] = regs->known[XRW_HOT_COUNT + i];
        image[2 * i + 1] = regs->known[XRW_HOT_COUNT + i] ? regs->value[XRW_HOT_COUNT + i] : 0;
    }
    return XXH3_128bits(image, sizeof image);
}

/* Bind registers first..last - 1 to consecutive parameters. */
static void bind_registers(sqlite3_stmt *stmt, int parameter, const struct xrw_registers *regs,
                           unsigned first, unsigned last)
{
    for (unsigned reg = first; reg < last; reg++)
        xrw_db_bind_known(stmt, parameter++, regs->known[reg], regs->value[reg]);
}

/* Id of the row of `sysregs` with these values, added if there is none. */
static int sysregs_row(struct xrw_store *store, const struct xrw_registers *regs, uint64_t *id,
                       struct xrw_error *err)
{
    struct xrw_store_writer *writer = &store->writer;
    XXH128_hash_t key = hash_system(regs);
    uint64_t found = xrw_id_map_find(&writer->sysregs, key);
    sqlite3_stmt *stmt;
    int ret;

    if (!found) {
        found = writer->sysregs_rows + 1;
        ret = xrw_db_statement(store, XRW_SQL_ADD_SYSREGS, &stmt, err);
        if (ret)
            return ret;
        xrw_db_bind_u64(stmt, 1, found);
        bind_registers(stmt, 2, regs, XRW_HOT_COUNT, XRW_REGISTER_COUNT);
        ret = xrw_db_insert(store, stmt, "adding system registers", err);
        if (ret)
            return ret;
        writer->sysregs_rows = found;
        xrw_id_map_add(&writer->sysregs, key, found);
    }
    *id = found;
    return 0;
}

static int add_row(struct xrw_store *store, const struct xrw_exit *exit, uint64_t sysregs,
                   struct xrw_error *err)
{
    sqlite3_stmt *stmt;
    int parameter = 6;
    int ret = xrw_db_statement(store, XRW_SQL_ADD_EXIT, &stmt, err);

    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, exit->id);
    xrw_db_bind_u64(stmt, 2, exit->run);
    xrw_db_bind_u64(stmt, 3, exit->vcpu);
    xrw_db_bind_known(stmt, 4, store->writer.next_insn != 0, store->writer.next_insn);
    xrw_db_bind_u64(stmt, 5, sysregs);
    for (unsigned i = 0; i < XRW_EXIT_FIELD_COUNT; i++)
        xrw_db_bind_known(stmt, parameter++, exit->field_known[i], exit->field[i]);
    bind_registers(stmt, parameter, &exit->before, 0, XRW_HOT_COUNT);
    return xrw_db_insert(store, stmt, "adding an exit", err);
}

/* NULL where the register is as it was at the exit; a bit where it is not known any more. */
static void bind_changes(sqlite3_stmt *stmt, const struct xrw_exit *exit)
{
    uint64_t unknown = 0;

    for (unsigned reg = 0; reg < XRW_HOT_COUNT; reg++) {
        bool changed =
            exit->after.known[reg] &&
            (!exit->before.known[reg] || exit->after.value[reg] != exit->before.value[reg]);

        if (!exit->after.known[reg])
            unknown |= UINT64_C(1) << reg;
        xrw_db_bind_known(stmt, 4 + (int)reg, changed, exit->after.value[reg]);
    }
    xrw_db_bind_u64(stmt, 2, unknown);
}

static int add_resume(struct xrw_store *store, const struct xrw_exit *exit, uint64_t sysregs,
                      struct xrw_error *err)
{
    uint64_t after;
    sqlite3_stmt *stmt;
    int ret = sysregs_row(store, &exit->after, &after, err);

    if (!ret)
        ret = xrw_db_statement(store, XRW_SQL_ADD_RESUME, &stmt, err);
    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, exit->id);
    xrw_db_bind_known(stmt, 3, after != sysregs, after);
    bind_changes(stmt, exit);
    return xrw_db_insert(store, stmt, "adding a resume state", err);
}

int xrw_store_add_exit(struct xrw_store *store, const struct xrw_exit *exit, struct xrw_error *err)
{
    struct xrw_store_writer *writer = &store->writer;
    uint64_t sysregs;
    int ret = xrw_db_write(store, err);

    if (ret)
        return ret;
    if (!writer->in_run || exit->run != writer->run.id || exit->id != writer->run.last_exit + 1)
        return xrw_error_set(err, -EINVAL,
                             "%s: exit %" PRIu64 " of run %" PRIu64 " cannot follow exit %" PRIu64
                             " of run %" PRIu64,
                             store->path, exit->id, exit->run, writer->run.last_exit,
                             writer->run.id);
    ret = sysregs_row(store, &exit->before, &sysregs, err);
    if (!ret)
        ret = add_row(store, exit, sysregs, err);
    if (!ret && exit->has_after)
        ret = add_resume(store, exit, sysregs, err);
    if (ret)
        return ret;
    xrw_path_add(&writer->path, exit);
    writer->run.last_exit = exit->id;
    writer->next_insn = 0;
    writer->pending = false;
    return writer->commit_due ? xrw_db_commit(store, err) : 0;
}

int xrw_store_add_insn(struct xrw_store *store, xrw_gva rip, unsigned mode, const uint8_t *code,
                       size_t bytes, const char *text, uint64_t *insn, struct xrw_error *err)
{
    struct xrw_store_writer *writer = &store->writer;
    uint8_t image[sizeof rip + sizeof mode + XRW_INSN_MAX_BYTES];
    XXH128_hash_t key;
    uint64_t found;
    sqlite3_stmt *stmt;
    int ret = xrw_db_write(store, err);

    if (ret)
        return ret;
    if (bytes > XRW_INSN_MAX_BYTES)
        return xrw_error_set(err, -EINVAL, "%s: an instruction of %zu bytes", store->path, bytes);
    memcpy(image, &rip, sizeof rip);
    memcpy(image + sizeof rip, &mode, sizeof mode);
    memcpy(image + sizeof rip + sizeof mode, code, bytes);
    key = XXH3_128bits(image, sizeof rip + sizeof mode + bytes);
    found = xrw_id_map_find(&writer->insns, key);
    if (!found) {
        found = writer->insn_rows + 1;
        ret = xrw_db_statement(store, XRW_SQL_ADD_INSN, &stmt, err);
        if (ret)
            return ret;
        xrw_db_bind_u64(stmt, 1, found);
        xrw_db_bind_u64(stmt, 2, rip);
        xrw_db_bind_u64(stmt, 3, mode);
        (void)sqlite3_bind_blob64(stmt, 4, code, bytes, SQLITE_STATIC);
        xrw_db_bind_text(stmt, 5, text);
        ret = xrw_db_insert(store, stmt, "adding an instruction", err);
        if (ret)
            return ret;
        writer->insn_rows = found;
        xrw_id_map_add(&writer->insns, key, found);
    }
    *insn = found;
    return 0;
}

void xrw_store_set_next_insn(struct xrw_store *store, uint64_t insn)
{
    store->writer.next_insn = insn;
}
