/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a recording is whole: every row where it should be, and every content what it says. */
#include "db.h"
#include "xrw/reason.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Each gives how many rows are wrong and one of them; nothing else may be wrong with them than what
 * the words say. */
static const struct {
    const char *words; /* "3 exits ..., the first is 17" */
    const char *sql;
} questions[] = {
    {"runs are not numbered 1, 2, 3 ...",
     "SELECT count(*), min(id) FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM run)"
     " WHERE id <> n"},
    {"runs do not begin where the one before ends",
     "SELECT count(*), min(id) FROM (SELECT id, first_exit, last_exit,"
     " lag(last_exit, 1, 0) OVER (ORDER BY id) AS before FROM run)"
     " WHERE first_exit <> before + 1 OR last_exit < first_exit - 1"},
    {"runs say what is no memory policy",
     "SELECT count(*), min(id) FROM run WHERE memory NOT IN ('none', 'exit', 'frames')"},
    {"runs are based on one that has no base image of its own",
     "SELECT count(*), min(r.id) FROM run r LEFT JOIN run b ON b.id = r.base_run"
     " WHERE r.base_run <> 0 AND (b.id IS NULL OR b.id > r.id OR b.base_run <> b.id)"},
    {"exits are missing, or more than the runs have",
     "SELECT abs(e.n - r.last) + (e.n > 0 AND (e.least <> 1 OR e.most <> e.n)), e.most"
     " FROM (SELECT count(*) AS n, min(id) AS least, max(id) AS most FROM exit) e,"
     " (SELECT coalesce(max(last_exit), 0) AS last FROM run) r"},
    {"exits name a site that is not there",
     "SELECT count(*), min(e.id) FROM exit e LEFT JOIN site s ON s.id = e.site WHERE s.id IS NULL"},
    {"exits name registers that are not there",
     "SELECT count(*), min(e.id) FROM exit e LEFT JOIN kept k ON k.id = e.kept"
     " LEFT JOIN work w ON w.id = e.work WHERE k.id IS NULL OR w.id IS NULL"},
    {"exits name a block that is not there, or one of another run",
     "SELECT count(*), min(e.id) FROM exit e LEFT JOIN block b ON b.id = e.block"
     " LEFT JOIN run r ON r.id = b.run"
     " WHERE r.id IS NULL OR e.id NOT BETWEEN r.first_exit AND r.last_exit"},
    {"exits name system registers that are not there",
     "SELECT count(*), min(e.id) FROM exit e JOIN block b ON b.id = e.block"
     " LEFT JOIN sysregs s ON s.id = b.sysregs + e.d_sysregs"
     " LEFT JOIN sysregs a ON a.id = e.after_sysregs"
     " WHERE s.id IS NULL OR (e.after_sysregs IS NOT NULL AND a.id IS NULL)"},
    {"exits have a time before that of the exit before",
     "SELECT count(*), min(id) FROM (SELECT e.id, b.time_ns + e.d_time_ns AS time,"
     " lag(b.time_ns + e.d_time_ns) OVER (PARTITION BY b.run ORDER BY e.id) AS before"
     " FROM exit e JOIN block b ON b.id = e.block) WHERE time < before"},
    {"exits have a time, or another number, that is no integer of 64 bits",
     "SELECT count(*), min(e.id) FROM exit e JOIN block b ON b.id = e.block"
     " WHERE 'real' IN (typeof(b.time_ns + e.d_time_ns), typeof(b.tsc + e.d_tsc),"
     " typeof(b.gpa + e.d_gpa), typeof(b.gla + e.d_gla), typeof(b.r9 + e.d_r9),"
     " typeof(b.r10 + e.d_r10), typeof(b.sysregs + e.d_sysregs))"},
    {"sites do not have the exits that they count",
     "SELECT count(*), min(s.id) FROM site s LEFT JOIN (SELECT site, count(*) AS n,"
     " min(id) AS first, max(id) AS last FROM exit GROUP BY site) e ON e.site = s.id"
     " WHERE s.exits IS NOT e.n OR s.first_exit IS NOT e.first OR s.last_exit IS NOT e.last"},
    {"address spaces do not have the exits that they count",
     "SELECT count(*), min(s.id) FROM space s LEFT JOIN (SELECT k.cr3, y.cr0, y.cr4, y.efer,"
     " count(*) AS n, min(e.id) AS first, max(e.id) AS last FROM exit e"
     " JOIN kept k ON k.id = e.kept JOIN block b ON b.id = e.block"
     " JOIN sysregs y ON y.id = b.sysregs + e.d_sysregs GROUP BY 1, 2, 3, 4) e"
     " ON e.cr3 IS s.cr3 AND e.cr0 IS s.cr0 AND e.cr4 IS s.cr4 AND e.efer IS s.efer"
     " WHERE s.exits IS NOT e.n OR s.first_exit IS NOT e.first OR s.last_exit IS NOT e.last"},
    {"blocks do not have the exits that they count",
     "SELECT count(*), min(b.id) FROM block b LEFT JOIN (SELECT block, count(*) AS n"
     " FROM exit GROUP BY block) e ON e.block = b.id WHERE b.exits IS NOT e.n"},
    {"blocks are of a vCPU that the run does not have",
     "SELECT count(*), min(b.id) FROM block b JOIN run r ON r.id = b.run"
     " WHERE b.vcpu < 0 OR b.vcpu >= r.vcpus"},
    {"sites name an instruction that is not there",
     "SELECT count(*), min(s.id) FROM site s LEFT JOIN insn i ON i.id = s.insn"
     " WHERE s.insn IS NOT NULL AND (i.id IS NULL OR i.rip IS NOT s.rip)"},
    {"instructions have no, or more than 15, bytes",
     "SELECT count(*), min(id) FROM insn WHERE length(code) NOT BETWEEN 1 AND 15"
     " OR mode NOT IN (16, 32, 64)"},
    {"versions of pages name a content that is not there",
     "SELECT count(*), min(v.gfn) FROM page_version v LEFT JOIN page p ON p.id = v.page"
     " WHERE p.id IS NULL"},
    {"versions of pages are of an exit that their run does not have",
     "SELECT count(*), min(v.gfn) FROM page_version v LEFT JOIN run r ON r.id = v.run"
     " WHERE (v.run <> 0 OR v.exit <> 0) AND (r.id IS NULL"
     " OR (v.exit <> 0 AND v.exit NOT BETWEEN r.first_exit AND r.last_exit))"},
    {"key frames are of an exit that their run does not have",
     "SELECT count(*), min(f.exit) FROM memory_frame f LEFT JOIN run r ON r.id = f.run"
     " WHERE r.id IS NULL OR f.exit NOT BETWEEN r.first_exit AND r.last_exit"},
    {"contexts are of an exit that their run does not have, or of a wrong size",
     "SELECT count(*), min(c.exit) FROM context c LEFT JOIN run r ON r.id = c.run"
     " WHERE ((c.run <> 0 OR c.exit <> 0) AND (r.id IS NULL"
     " OR (c.exit <> 0 AND c.exit NOT BETWEEN r.first_exit AND r.last_exit)))"
     " OR (c.kind = 'fxsave' AND length(c.data) <> 512)"},
    {"inputs are of no run",
     "SELECT count(*), min(i.run) FROM input i LEFT JOIN run r ON r.id = i.run WHERE r.id IS NULL"},
};

struct checker {
    struct xrw_store *store;
    const struct xrw_check_options *options;
    struct xrw_check_result result;
    struct xrw_error *err;
};

static void report(struct checker *checker, const char *problem)
{
    checker->result.problems++;
    if (checker->options->problem)
        checker->options->problem(checker->options->ctx, problem);
}

static int stop_if_asked(void *arg)
{
    const struct checker *checker = arg;

    return checker->options->interrupted && checker->options->interrupted(checker->options->ctx);
}

/* What cannot be read is a problem too, but not running out of memory. */
static int take_failure(struct checker *checker, int ret, const char *text)
{
    if (ret != -EUCLEAN && ret != -EINVAL)
        return ret;
    report(checker, text);
    return 0;
}

/* ---- SQLite's own structure ------------------------------------------ */

static int check_structure(struct checker *checker)
{
    struct xrw_error local = {""};
    sqlite3_stmt *stmt = NULL;
    int rc =
        sqlite3_prepare_v2(checker->store->db, "PRAGMA main.integrity_check(50)", -1, &stmt, NULL);
    int ret = xrw_db_error(checker->store, rc, "checking the structure", &local);

    while (!ret && (ret = xrw_db_step(checker->store, stmt, "checking it", &local)) == 1) {
        const char *text = (const char *)sqlite3_column_text(stmt, 0);

        if (text && strcmp(text, "ok") != 0)
            report(checker, text);
        ret = 0;
    }
    sqlite3_finalize(stmt);
    return ret ? take_failure(checker, ret, local.text) : 0;
}

/* ---- rows ------------------------------------------------------------ */

static int ask(struct checker *checker, const char *words, const char *sql)
{
    struct xrw_error local = {""};
    sqlite3_stmt *stmt = NULL;
    char text[256];
    int rc = sqlite3_prepare_v2(checker->store->db, sql, -1, &stmt, NULL);
    int ret = xrw_db_error(checker->store, rc, words, &local);

    if (!ret)
        ret = xrw_db_step(checker->store, stmt, "checking it", &local);
    if (ret == 1 && sqlite3_column_int64(stmt, 0)) {
        (void)snprintf(text, sizeof text, "%" PRIu64 " %s; number %lld for one",
                       xrw_db_u64(stmt, 0), words, (long long)sqlite3_column_int64(stmt, 1));
        report(checker, text);
    }
    sqlite3_finalize(stmt);
    return ret < 0 ? take_failure(checker, ret, local.text) : 0;
}

static int check_rows(struct checker *checker)
{
    int ret = 0;

    for (size_t i = 0; !ret && i < sizeof questions / sizeof *questions; i++)
        ret = ask(checker, questions[i].words, questions[i].sql);
    return ret;
}

/* The names of exit reasons are for readers of the file; they must be those we know. */
static int check_reasons(struct checker *checker)
{
    sqlite3_stmt *stmt = NULL;
    uint64_t right = 0, rows = 0;
    int rc = sqlite3_prepare_v2(checker->store->db, "SELECT reason, name FROM exit_reason", -1,
                                &stmt, NULL);
    int ret = xrw_db_error(checker->store, rc, "reading exit reasons", checker->err);

    while (!ret && (ret = xrw_db_step(checker->store, stmt, "reading them", checker->err)) == 1) {
        const char *name = xrw_reason_name((unsigned)xrw_db_u64(stmt, 0));
        const char *found = (const char *)sqlite3_column_text(stmt, 1);

        right += name && found && !strcmp(name, found);
        rows++;
        ret = 0;
    }
    sqlite3_finalize(stmt);
    if (!ret && (right != rows || rows != xrw_reason_count()))
        report(checker, "exit reasons do not have the names that they should");
    return ret;
}

/* ---- contents -------------------------------------------------------- */

static int check_page(struct checker *checker, uint64_t id)
{
    struct xrw_error local = {""};
    uint8_t page[XRW_PAGE_BYTES];
    char text[sizeof local.text + 32];
    int ret = xrw_db_page(checker->store, id, page, &local);

    if (!ret)
        return 0;
    local.text[strcspn(local.text, "\n")] = '\0';
    (void)snprintf(text, sizeof text, "page %" PRIu64 ": %s", id, local.text);
    return take_failure(checker, ret, text);
}

static int check_pages(struct checker *checker)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(checker->store->db, "SELECT id FROM page", -1, &stmt, NULL);
    int ret = xrw_db_error(checker->store, rc, "reading pages", checker->err);

    while (!ret && (ret = xrw_db_step(checker->store, stmt, "reading pages", checker->err)) == 1) {
        checker->result.pages++;
        ret = stop_if_asked(checker) ? xrw_error_set(checker->err, -EINTR, "interrupted")
                                     : check_page(checker, xrw_db_u64(stmt, 0));
    }
    sqlite3_finalize(stmt);
    return ret;
}

static int count(struct checker *checker)
{
    struct xrw_run run;
    int ret = 0;

    checker->result.runs = xrw_store_run_count(checker->store);
    if (checker->result.runs)
        ret = xrw_store_run(checker->store, checker->result.runs, &run, checker->err);
    if (!ret && checker->result.runs)
        checker->result.exits = run.last_exit;
    return ret == -EUCLEAN || ret == -ENOENT ? 0 : ret;
}

int xrw_store_check(struct xrw_store *store, const struct xrw_check_options *options,
                    struct xrw_check_result *result, struct xrw_error *err)
{
    struct checker checker = {.store = store, .options = options, .err = err};
    int ret;

    if (store->writable)
        return xrw_error_set(err, -EBUSY, "%s is being written", store->path);
    sqlite3_progress_handler(store->db, 100000, stop_if_asked, &checker);
    ret = check_structure(&checker);
    if (!ret)
        ret = check_rows(&checker);
    if (!ret)
        ret = check_reasons(&checker);
    if (!ret)
        ret = check_pages(&checker);
    if (!ret)
        ret = count(&checker);
    sqlite3_progress_handler(store->db, 0, NULL, NULL);
    if (!ret)
        *result = checker.result;
    return ret;
}
