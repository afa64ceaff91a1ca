/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SQL from a user over a file from a stranger: it may read, for a while, and nothing else. */
#include "db.h"
#include "file_check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Functions that a query may call, sorted: those that only compute. */
static const char *const functions[] = {
    "->",
    "->>",
    "abs",
    "acos",
    "asin",
    "atan",
    "atan2",
    "avg",
    "ceil",
    "ceiling",
    "char",
    "coalesce",
    "cos",
    "count",
    "cume_dist",
    "date",
    "datetime",
    "degrees",
    "dense_rank",
    "exp",
    "first_value",
    "floor",
    "format",
    "glob",
    "group_concat",
    "hex",
    "ifnull",
    "iif",
    "instr",
    "json",
    "json_array",
    "json_extract",
    "json_group_array",
    "json_group_object",
    "json_object",
    "julianday",
    "lag",
    "last_value",
    "lead",
    "length",
    "like",
    "likelihood",
    "likely",
    "ln",
    "log",
    "log10",
    "log2",
    "lower",
    "ltrim",
    "max",
    "min",
    "mod",
    "nth_value",
    "ntile",
    "nullif",
    "percent_rank",
    "pow",
    "power",
    "printf",
    "quote",
    "rank",
    "replace",
    "round",
    "row_number",
    "rtrim",
    "sign",
    "sqrt",
    "strftime",
    "substr",
    "substring",
    "sum",
    "time",
    "total",
    "trim",
    "trunc",
    "typeof",
    "unicode",
    "unixepoch",
    "unlikely",
    "upper",
};

static int compare_names(const void *key, const void *element)
{
    return sqlite3_stricmp(key, *(const char *const *)element);
}

static bool is_safe_function(const char *name)
{
    return name && bsearch(name, functions, sizeof functions / sizeof *functions, sizeof *functions,
                           compare_names);
}

int xrw_query_authorize(void *arg, int action, const char *a, const char *b, const char *database,
                        const char *trigger)
{
    struct xrw_store *store = arg;

    (void)a;
    (void)database;
    (void)trigger;
    if (!store->in_query || action == SQLITE_SELECT || action == SQLITE_READ ||
        action == SQLITE_RECURSIVE || (action == SQLITE_FUNCTION && is_safe_function(b)))
        return SQLITE_OK;
    store->query_refused = true;
    return SQLITE_DENY;
}

int xrw_db_distrust(struct xrw_store *store, struct xrw_error *err)
{
    static const struct {
        int option, value;
    } options[] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1},
        {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
        {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
    };
    static const struct {
        int limit, value;
    } limits[] = {
        {SQLITE_LIMIT_LENGTH, 4 << 20},      {SQLITE_LIMIT_SQL_LENGTH, 256 << 10},
        {SQLITE_LIMIT_COLUMN, 512},          {SQLITE_LIMIT_EXPR_DEPTH, 200},
        {SQLITE_LIMIT_COMPOUND_SELECT, 256}, {SQLITE_LIMIT_FUNCTION_ARG, 100},
        {SQLITE_LIMIT_ATTACHED, 0},          {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000},
        {SQLITE_LIMIT_VARIABLE_NUMBER, 200}, {SQLITE_LIMIT_TRIGGER_DEPTH, 1},
        {SQLITE_LIMIT_WORKER_THREADS, 0},
    };
    int rc = SQLITE_OK;

    for (size_t i = 0; i < sizeof options / sizeof *options && rc == SQLITE_OK; i++)
        rc = sqlite3_db_config(store->db, options[i].option, options[i].value, NULL);
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        (void)sqlite3_limit(store->db, limits[i].limit, limits[i].value);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(store->db,
                          "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;"
                          "PRAGMA cache_size = -32768;",
                          NULL, NULL, NULL);
    sqlite3_set_authorizer(store->db, xrw_query_authorize, store);
    return xrw_db_error(store, rc, "opening it", err);
}

struct deadline {
    uint64_t ns; /* CLOCK_MONOTONIC */
    bool passed;
};

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int check_deadline(void *arg)
{
    struct deadline *deadline = arg;

    deadline->passed = now_ns() >= deadline->ns;
    return deadline->passed;
}

static int prepare(struct xrw_store *store, const char *sql, sqlite3_stmt **stmt,
                   struct xrw_error *err)
{
    const char *rest = "";
    int rc = sqlite3_prepare_v2(store->db, sql, -1, stmt, &rest);

    if (store->query_refused)
        return xrw_error_set(err, -EPERM, "only SELECT is allowed here, with functions that read");
    if (rc != SQLITE_OK)
        return xrw_error_set(err, (rc & 0xff) == SQLITE_CORRUPT ? -EUCLEAN : -EINVAL, "SQL: %s",
                             sqlite3_errmsg(store->db));
    if (!*stmt)
        return xrw_error_set(err, -EINVAL, "SQL: no statement");
    if (!sqlite3_stmt_readonly(*stmt))
        return xrw_error_set(err, -EPERM, "only SELECT is allowed here");
    if (rest[strspn(rest, " \t\r\n;")])
        return xrw_error_set(err, -EINVAL, "SQL: one statement at a time");
    return 0;
}

static int each_row(struct xrw_store *store, sqlite3_stmt *stmt, uint64_t max_rows,
                    const char **names, const char **values, int columns, xrw_store_row row,
                    void *ctx, struct xrw_error *err)
{
    uint64_t rows = 0;
    int rc, ret;

    for (int i = 0; i < columns; i++)
        names[i] = sqlite3_column_name(stmt, i);
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (rows++ == max_rows)
            return xrw_error_set(err, -EOVERFLOW, "more than %" PRIu64 " rows; add a LIMIT",
                                 max_rows);
        for (int i = 0; i < columns; i++)
            values[i] = (const char *)sqlite3_column_text(stmt, i);
        ret = row(ctx, columns, names, values);
        if (ret)
            return ret;
    }
    return rc == SQLITE_DONE ? 0 : xrw_db_error(store, rc, "answering the query", err);
}

static int run_statement(struct xrw_store *store, sqlite3_stmt *stmt, uint64_t max_rows,
                         unsigned max_ms, xrw_store_row row, void *ctx, struct xrw_error *err)
{
    struct deadline deadline = {.ns = now_ns() + (uint64_t)max_ms * 1000000u};
    int columns = sqlite3_column_count(stmt);
    const char **texts = calloc(2 * (size_t)columns + 1, sizeof *texts);
    int ret;

    if (!texts)
        return xrw_error_set(err, -ENOMEM, "out of memory");
    sqlite3_progress_handler(store->db, 4000, check_deadline, &deadline);
    ret = each_row(store, stmt, max_rows, texts, texts + columns, columns, row, ctx, err);
    sqlite3_progress_handler(store->db, 0, NULL, NULL);
    if (ret == -EINTR && deadline.passed)
        ret = xrw_error_set(err, -ETIMEDOUT, "the query took longer than %u ms", max_ms);
    free((void *)texts);
    return ret;
}

int xrw_store_query(struct xrw_store *store, const char *sql, uint64_t max_rows, unsigned max_ms,
                    xrw_store_row row, void *ctx, struct xrw_error *err)
{
    sqlite3_stmt *stmt = NULL;
    int ret;

    xrw_queue_settle(store);
    store->in_query = true;
    store->query_refused = false;
    ret = prepare(store, sql, &stmt, err);
    if (!ret)
        ret = run_statement(store, stmt, max_rows, max_ms, row, ctx, err);
    sqlite3_finalize(stmt);
    store->in_query = false;
    if (err)
        xrw_file_clean_text(err->text);
    return ret;
}
