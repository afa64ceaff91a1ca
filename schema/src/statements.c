/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "statements.h"

#include "xrw/exit.h"
#include "xrw/registers.h"

/* Lists of columns and of as many parameters, from the tables of core. */
#define FIELD_NAME(name, bits, what) "," #name
#define FIELD_MARK(name, bits, what) ",?"

#define HOT_NAME_HOT(name) "," #name
#define HOT_NAME_SYSTEM(name)
#define HOT_NAME(name, bits, group) HOT_NAME_##group(name)
#define HOT_MARK_HOT ",?"
#define HOT_MARK_SYSTEM
#define HOT_MARK(name, bits, group) HOT_MARK_##group

#define SYSTEM_NAME_HOT(name)
#define SYSTEM_NAME_SYSTEM(name) "," #name
#define SYSTEM_NAME(name, bits, group) SYSTEM_NAME_##group(name)
#define SYSTEM_MARK_HOT
#define SYSTEM_MARK_SYSTEM ",?"
#define SYSTEM_MARK(name, bits, group) SYSTEM_MARK_##group

#define FIELDS XRW_EXIT_FIELD_TABLE(FIELD_NAME)
#define FIELD_MARKS XRW_EXIT_FIELD_TABLE(FIELD_MARK)
#define HOTS XRW_REGISTER_TABLE(HOT_NAME)
#define HOT_MARKS XRW_REGISTER_TABLE(HOT_MARK)
#define SYSTEMS XRW_REGISTER_TABLE(SYSTEM_NAME)
#define SYSTEM_MARKS XRW_REGISTER_TABLE(SYSTEM_MARK)

const char *const xrw_statement_text[XRW_SQL_COUNT] = {
    [XRW_SQL_BEGIN] = "BEGIN IMMEDIATE",
    [XRW_SQL_COMMIT] = "COMMIT",
    [XRW_SQL_ROLLBACK] = "ROLLBACK",
    [XRW_SQL_SET_META] = "INSERT OR REPLACE INTO meta(key, value) VALUES(?, ?)",
    [XRW_SQL_GET_META] = "SELECT value FROM meta WHERE key = ?",
    [XRW_SQL_ADD_REASON] = "INSERT INTO exit_reason(reason, name, what) VALUES(?, ?, ?)",
    [XRW_SQL_ADD_RUN] =
        "INSERT INTO run(first_exit, last_exit, end_unix_ns, stop, stop_detail, id, source, mode,"
        " memory, vcpus, interrupts, reexecutable, fitness, domain, parent, start_unix_ns, "
        "base_run)"
        " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [XRW_SQL_END_RUN] = "UPDATE run SET first_exit = ?, last_exit = ?, end_unix_ns = ?, stop = ?,"
                        " stop_detail = ?, path = ? WHERE id = ?",
    [XRW_SQL_ADD_INPUT] = "INSERT INTO input(run, n, space, address, name, data)"
                          " VALUES(?, ?, ?, ?, ?, ?)",
    [XRW_SQL_EXTEND_RUN] = "UPDATE run SET last_exit = ? WHERE id = ?",
    [XRW_SQL_ADD_EXIT] = "INSERT INTO exit(id, run, vcpu, insn, sysregs" FIELDS HOTS
                         ") VALUES(?, ?, ?, ?, ?" FIELD_MARKS HOT_MARKS ")",
    [XRW_SQL_ADD_RESUME] =
        "INSERT INTO resume(exit, unknown, sysregs" HOTS ") VALUES(?, ?, ?" HOT_MARKS ")",
    [XRW_SQL_ADD_SYSREGS] = "INSERT INTO sysregs(id" SYSTEMS ") VALUES(?" SYSTEM_MARKS ")",
    [XRW_SQL_ADD_INSN] = "INSERT INTO insn(id, rip, mode, code, text) VALUES(?, ?, ?, ?, ?)",
    [XRW_SQL_ADD_PAGE] = "INSERT INTO page(id, hash, encoding, data) VALUES(?, ?, ?, ?)",
    [XRW_SQL_ADD_PAGE_VERSION] =
        "INSERT INTO page_version(run, gfn, exit, page) VALUES(?, ?, ?, ?)",
    [XRW_SQL_ADD_FRAME] = "INSERT OR IGNORE INTO memory_frame(run, exit) VALUES(?, ?)",
    [XRW_SQL_ADD_CONTEXT] =
        "INSERT OR REPLACE INTO context(run, kind, vcpu, exit, data) VALUES(?, ?, ?, ?, ?)",
    [XRW_SQL_DROP_PAGES_OF_EXIT] = "DELETE FROM page_version WHERE run = ? AND exit = ?",
    [XRW_SQL_DROP_CONTEXT_OF_EXIT] = "DELETE FROM context WHERE run = ? AND exit = ?",
    [XRW_SQL_DROP_FRAME_OF_EXIT] = "DELETE FROM memory_frame WHERE run = ? AND exit = ?",
    [XRW_SQL_HASH_AS_OF] =
        "SELECT p.hash, v.exit FROM page_version v JOIN page p ON p.id = v.page"
        " WHERE v.run = ? AND v.gfn = ? AND v.exit <= ? ORDER BY v.exit DESC LIMIT 1",
    [XRW_SQL_RUN_COUNT] = "SELECT count(*) FROM run",
    [XRW_SQL_RUN] = "SELECT source, mode, memory, vcpus, interrupts, reexecutable, fitness, domain,"
                    " parent, start_unix_ns, end_unix_ns, first_exit, last_exit, stop, stop_detail,"
                    " base_run, path FROM run WHERE id = ?",
    [XRW_SQL_INPUT] = "SELECT space, address, name, length(data) FROM input"
                      " WHERE run = ? AND n = ?",
    [XRW_SQL_EXIT] = "SELECT run, vcpu, sysregs" FIELDS HOTS " FROM exit WHERE id = ?",
    [XRW_SQL_RESUME] = "SELECT unknown, sysregs" HOTS " FROM resume WHERE exit = ?",
    [XRW_SQL_SYSREGS] = "SELECT id" SYSTEMS " FROM sysregs WHERE id = ?",
    [XRW_SQL_INSN] =
        "SELECT i.code, i.text FROM exit e JOIN insn i ON i.id = e.insn WHERE e.id = ?",
    [XRW_SQL_PAGE_AS_OF] = "SELECT page, exit FROM page_version"
                           " WHERE run = ? AND gfn = ? AND exit <= ? ORDER BY exit DESC LIMIT 1",
    [XRW_SQL_PAGE] = "SELECT encoding, data, hash FROM page WHERE id = ?",
    [XRW_SQL_NEXT_FRAME] = "SELECT exit FROM memory_frame"
                           " WHERE run = ? AND exit >= ? ORDER BY exit LIMIT 1",
    [XRW_SQL_PAGE_TOUCHED] = "SELECT 1 FROM page_version"
                             " WHERE run = ? AND gfn = ? AND exit > 0 AND exit <= ? LIMIT 1",
    [XRW_SQL_NEXT_CHANGE] = "SELECT exit FROM page_version"
                            " WHERE run = ? AND gfn = ? AND exit > ? ORDER BY exit LIMIT 1",
    [XRW_SQL_PREVIOUS_CHANGE] =
        "SELECT exit FROM page_version"
        " WHERE run = ? AND gfn = ? AND exit < ? AND exit > 0 ORDER BY exit DESC LIMIT 1",
    [XRW_SQL_CONTEXT_AS_OF] =
        "SELECT data FROM context"
        " WHERE run = ? AND kind = ? AND vcpu = ? AND exit <= ? ORDER BY exit DESC LIMIT 1",
};
