/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "statements.h"

#include "columns.h"

/* Lists of columns and of as many parameters, from the tables of core. */
#define SYSTEM_NAME_HOT(name)
#define SYSTEM_NAME_SYSTEM(name) "," #name
#define SYSTEM_NAME(name, bits, group) SYSTEM_NAME_##group(name)
#define SYSTEM_MARK_HOT
#define SYSTEM_MARK_SYSTEM ",?"
#define SYSTEM_MARK(name, bits, group) SYSTEM_MARK_##group

#define SYSTEMS XRW_REGISTER_TABLE(SYSTEM_NAME)
#define SYSTEM_MARKS XRW_REGISTER_TABLE(SYSTEM_MARK)

#define PLAIN_NAME(name) "," #name
#define PLAIN_MARK(name) ",?"
#define SITE_FIELDS XRW_SITE_FIELD_TABLE(PLAIN_NAME)
#define SITE_MARKS XRW_SITE_FIELD_TABLE(PLAIN_MARK)
#define BASES XRW_BASED_TABLE(PLAIN_NAME)
#define BASE_MARKS XRW_BASED_TABLE(PLAIN_MARK)

#define KEPT XRW_KEPT_TABLE(PLAIN_NAME)
#define KEPT_MARKS XRW_KEPT_TABLE(PLAIN_MARK)
#define WORK XRW_WORK_TABLE(PLAIN_NAME)
#define WORK_MARKS XRW_WORK_TABLE(PLAIN_MARK)

#define COLUMN_PREFIX_WHOLE ""
#define COLUMN_PREFIX_BASED "d_"
#define COLUMN_PREFIX_RARE "d_"
#define COLUMN_PREFIX_AFTER "after_"
#define COLUMN_NAME(kind, name) "," COLUMN_PREFIX_##kind #name
#define COLUMN_MARK(kind, name) ",?"
#define COLUMNS XRW_EXIT_COLUMN_TABLE(COLUMN_NAME)
#define COLUMN_MARKS XRW_EXIT_COLUMN_TABLE(COLUMN_MARK)

const char *const xrw_statement_text[XRW_SQL_COUNT] = {
    [XRW_SQL_BEGIN] = "BEGIN",
    [XRW_SQL_COMMIT] = "COMMIT",
    [XRW_SQL_ROLLBACK] = "ROLLBACK",
    [XRW_SQL_SET_META] = "INSERT OR REPLACE INTO meta(key, value) VALUES(?, ?)",
    [XRW_SQL_GET_META] = "SELECT value FROM meta WHERE key = ?",
    [XRW_SQL_ADD_REASON] = "INSERT INTO exit_reason(reason, name, what, vendor) VALUES(?, ?, ?, ?)",
    [XRW_SQL_ADD_RUN] =
        "INSERT INTO run(first_exit, last_exit, end_unix_ns, stop, stop_detail, path, id, source,"
        " mode, memory, vcpus, interrupts, reexecutable, fitness, domain, parent, start_unix_ns, "
        "base_run)"
        " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [XRW_SQL_UPDATE_RUN] =
        "UPDATE run SET first_exit = ?, last_exit = ?, end_unix_ns = ?, stop = ?,"
        " stop_detail = ?, path = ? WHERE id = ?",
    [XRW_SQL_ADD_INPUT] = "INSERT INTO input(run, n, space, address, name, data)"
                          " VALUES(?, ?, ?, ?, ?, ?)",
    [XRW_SQL_ADD_SITE] =
        "INSERT INTO site(id, insn, rip" SITE_FIELDS ", exits, first_exit, last_exit)"
        " VALUES(?1, ?, ?" SITE_MARKS ", 0, ?, 0)",
    [XRW_SQL_COUNT_SITE] = "UPDATE site SET exits = ?, last_exit = ? WHERE id = ?",
    [XRW_SQL_ADD_SPACE] = "INSERT INTO space(id, cr3, cr0, cr4, efer, exits, first_exit, last_exit)"
                          " VALUES(?, ?, ?, ?, ?, 0, ?, 0)",
    [XRW_SQL_COUNT_SPACE] = "UPDATE space SET exits = ?, last_exit = ? WHERE id = ?",
    [XRW_SQL_SPACE] = "SELECT cr3, cr0, cr4, efer, first_exit, last_exit FROM space WHERE id = ?",
    [XRW_SQL_ADD_BLOCK] = "INSERT INTO block(id, run, vcpu, resume, exits" BASES
                          ") VALUES(?, ?, ?, ?, ?" BASE_MARKS ")",
    [XRW_SQL_ADD_KEPT] = "INSERT INTO kept(id" KEPT ") VALUES(?" KEPT_MARKS ")",
    [XRW_SQL_ADD_WORK] = "INSERT INTO work(id" WORK ") VALUES(?" WORK_MARKS ")",
    [XRW_SQL_ADD_EXIT] = "INSERT INTO exit(id" COLUMNS ") VALUES(?" COLUMN_MARKS ")",
    [XRW_SQL_ADD_SYSREGS] = "INSERT INTO sysregs(id" SYSTEMS ") VALUES(?" SYSTEM_MARKS ")",
    [XRW_SQL_ADD_INSN] = "INSERT INTO insn(id, rip, mode, code, text) VALUES(?, ?, ?, ?, ?)",
    [XRW_SQL_ADD_PAGE] = "INSERT INTO page(id, hash, encoding, base, data) VALUES(?, ?, ?, ?, ?)",
    [XRW_SQL_ADD_PAGE_VERSION] =
        "INSERT INTO page_version(run, gfn, exit, page) VALUES(?, ?, ?, ?)",
    [XRW_SQL_ADD_FRAME] = "INSERT OR IGNORE INTO memory_frame(run, exit) VALUES(?, ?)",
    [XRW_SQL_ADD_CONTEXT] =
        "INSERT OR REPLACE INTO context(run, kind, vcpu, exit, data) VALUES(?, ?, ?, ?, ?)",
    [XRW_SQL_DROP_PAGES_OF_EXIT] = "DELETE FROM page_version WHERE run = ? AND exit = ?",
    [XRW_SQL_DROP_CONTEXT_OF_EXIT] = "DELETE FROM context WHERE run = ? AND exit = ?",
    [XRW_SQL_DROP_FRAME_OF_EXIT] = "DELETE FROM memory_frame WHERE run = ? AND exit = ?",
    [XRW_SQL_RUN_COUNT] = "SELECT count(*) FROM run",
    [XRW_SQL_RUN] = "SELECT source, mode, memory, vcpus, interrupts, reexecutable, fitness, domain,"
                    " parent, start_unix_ns, end_unix_ns, first_exit, last_exit, stop, stop_detail,"
                    " base_run, path FROM run WHERE id = ?",
    [XRW_SQL_INPUT] = "SELECT space, address, name, length(data) FROM input"
                      " WHERE run = ? AND n = ?",
    [XRW_SQL_EXIT] = "SELECT id" COLUMNS " FROM exit WHERE id = ?",
    [XRW_SQL_SITE] = "SELECT id, insn, rip" SITE_FIELDS " FROM site WHERE id = ?",
    [XRW_SQL_BASE] = "SELECT v.gfn, v.page, p.hash FROM page_version v JOIN page p ON p.id = v.page"
                     " WHERE v.run = ? AND v.exit = 0 AND length(p.hash) = 16",
    [XRW_SQL_COUNT_SITES] =
        "SELECT (SELECT count(*) FROM site),"
        " (SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND name = 'exit_by_site')",
    [XRW_SQL_ALL_SITES] = "SELECT id, rip, reason, intr_info, first_exit, last_exit FROM site",
    [XRW_SQL_KEPT] = "SELECT id" KEPT " FROM kept WHERE id = ?",
    [XRW_SQL_WORK] = "SELECT id" WORK " FROM work WHERE id = ?",
    [XRW_SQL_BLOCK] = "SELECT id, run, vcpu, resume, exits" BASES " FROM block WHERE id = ?",
    [XRW_SQL_SYSREGS] = "SELECT id" SYSTEMS " FROM sysregs WHERE id = ?",
    [XRW_SQL_INSN] = "SELECT i.code, i.text FROM exit e JOIN site s ON s.id = e.site"
                     " JOIN insn i ON i.id = s.insn WHERE e.id = ?",
    [XRW_SQL_PAGE_AS_OF] = "SELECT page, exit FROM page_version"
                           " WHERE run = ? AND gfn = ? AND exit <= ? ORDER BY exit DESC LIMIT 1",
    [XRW_SQL_PAGE] = "SELECT encoding, data, hash, base FROM page WHERE id = ?",
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
    [XRW_SQL_CHANGED_PAGES] =
        "SELECT gfn FROM page_version WHERE exit = ? AND run = ? AND gfn >= ? ORDER BY gfn LIMIT 1",
};
