/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows that SQLite copies from an image are those that it writes when they are bound and stepped:
 * random rows and batches, among other changes to the file.
 */
#include "columns.h"
#include "image.h"
#include "row.h"
#include "sample.h"
#include "sql.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#define TABLES 3u
static const char *const tables[TABLES] = {"exit", "kept", "work"};
static const unsigned columns[TABLES] = {XRW_EXIT_COLUMN_COUNT, XRW_KEPT_COUNT, XRW_WORK_COUNT};

/* Two files that must come to hold the same. */
struct pair {
    struct sample_random *random;
    sqlite3 *copied, *bound;
    struct xrw_image *image[TABLES];
    sqlite3_stmt *insert[TABLES];
    uint64_t last[TABLES];
    unsigned sites;
};

static void exec(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
}

static void assert_text(sqlite3 *db, const char *sql, const char *expected)
{
    sqlite3_stmt *stmt = NULL;

    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_string_equal(sqlite3_column_text(stmt, 0), expected);
    sqlite3_finalize(stmt);
}

static sqlite3 *create(const char *name, unsigned page_bytes)
{
    sqlite3 *db = NULL;
    char sql[128];

    assert_int_equal(sqlite3_open(sample_path(name), &db), SQLITE_OK);
    (void)snprintf(sql, sizeof sql, "PRAGMA page_size = %u; PRAGMA cache_size = 20;", page_bytes);
    exec(db, sql);
    exec(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;");
    exec(db, xrw_sql_schema);
    return db;
}

static void prepare(struct pair *pair, unsigned table)
{
    char sql[512];
    int used = snprintf(sql, sizeof sql, "INSERT INTO %s VALUES (?", tables[table]);

    for (unsigned i = 0; i < columns[table]; i++)
        used += snprintf(sql + used, sizeof sql - (size_t)used, ", ?");
    (void)snprintf(sql + used, sizeof sql - (size_t)used, ")");
    assert_int_equal(sqlite3_prepare_v2(pair->bound, sql, -1, &pair->insert[table], NULL),
                     SQLITE_OK);
    pair->image[table] = xrw_image_create(pair->copied, tables[table]);
    assert_non_null(pair->image[table]);
    pair->last[table] = 0;
}

static void open_pair(struct pair *pair, struct sample_random *random)
{
    static const unsigned sizes[] = {512, 1024, 4096, 16384, 65536};
    bool made;
    unsigned page_bytes = sizes[sample_below(random, sizeof sizes / sizeof *sizes)];

    pair->random = random;
    pair->copied = create("copied.db", page_bytes);
    pair->bound = create("bound.db", 4096);
    pair->sites = 0;
    exec(pair->copied, "ATTACH ':memory:' AS src");
    exec(pair->copied, "BEGIN");
    exec(pair->bound, "BEGIN");
    assert_int_equal(xrw_image_prepare(pair->copied, tables, TABLES, &made), SQLITE_OK);
    assert_true(made);
    for (unsigned i = 0; i < TABLES; i++)
        prepare(pair, i);
}

static void flush(struct pair *pair, unsigned table)
{
    int rc = xrw_image_flush(pair->image[table]);

    if (rc != SQLITE_OK)
        fail_msg("copying rows into %s: %s", tables[table], sqlite3_errmsg(pair->copied));
}

static void flush_all(struct pair *pair)
{
    for (unsigned i = 0; i < TABLES; i++)
        flush(pair, i);
}

/* Any number of bits. */
static int64_t any_value(struct sample_random *random)
{
    uint64_t value = sample_next(random) >> sample_below(random, 64);

    return (int64_t)(sample_below(random, 2) ? value : -value);
}

/* A row of columns up to any one; those after it have their default. */
static void make_row(struct pair *pair, unsigned table, struct xrw_row *row)
{
    bool large = sample_below(pair->random, 4) == 0, full = table != 0;

    memset(row, 0, sizeof *row);
    for (unsigned i = 0; i < columns[table]; i++) {
        row->value[i] = large ? INT64_MIN : any_value(pair->random);
        row->null[i] = i >= 4 && sample_below(pair->random, 8) == 0; /* the first are NOT NULL */
    }
    row->used = full || large ? columns[table]
                              : 4 + (unsigned)sample_below(pair->random, columns[table] - 3);
}

/* Of `exit`, a column that its declaration gives 0 where the row does not say; else NULL. */
static bool defaults_to_zero(unsigned column)
{
#define ZERO_WHOLE(name)                                                                           \
    XRW_COLUMN_WHOLE_##name == XRW_COLUMN_WHOLE_advance ||                                         \
        XRW_COLUMN_WHOLE_##name == XRW_COLUMN_WHOLE_unknown,
#define ZERO_BASED(name) true,
#define ZERO_RARE(name) false,
#define ZERO_AFTER(name) false,
#define ZERO(kind, name) ZERO_##kind(name)
    static const bool zero[XRW_EXIT_COLUMN_COUNT] = {XRW_EXIT_COLUMN_TABLE(ZERO)};

    return zero[column];
}

static void bind_row(struct pair *pair, unsigned table, uint64_t id, const struct xrw_row *row)
{
    sqlite3_stmt *stmt = pair->insert[table];

    sqlite3_bind_int64(stmt, 1, (sqlite3_int64)id);
    for (unsigned i = 0; i < columns[table]; i++) {
        bool null = i < row->used ? row->null[i] : !defaults_to_zero(i);

        if (null)
            sqlite3_bind_null(stmt, (int)i + 2);
        else
            sqlite3_bind_int64(stmt, (int)i + 2, i < row->used ? row->value[i] : 0);
    }
    assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
    sqlite3_reset(stmt);
}

static void add_rows(struct pair *pair, unsigned table, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct xrw_row row;
        uint8_t *record = xrw_image_reserve(pair->image[table], XRW_ROW_MAX_BYTES);

        pair->last[table]++;
        if (!record) {
            flush(pair, table);
            record = xrw_image_reserve(pair->image[table], XRW_ROW_MAX_BYTES);
        }
        make_row(pair, table, &row);
        xrw_image_add(pair->image[table], pair->last[table], xrw_row_encode(&row, record));
        bind_row(pair, table, pair->last[table], &row);
    }
}

/* What else happens in a file meanwhile: rows with long ones among them, and pages that come free.
 */
static void do_something_else(struct pair *pair)
{
    char sql[256];

    (void)snprintf(sql, sizeof sql, "INSERT INTO meta VALUES ('k%u', hex(zeroblob(%u)))",
                   ++pair->sites, (unsigned)sample_below(pair->random, 20000));
    exec(pair->copied, sql);
    exec(pair->bound, sql);
    if (sample_below(pair->random, 4) == 0) {
        exec(pair->copied, "DELETE FROM meta");
        exec(pair->bound, "DELETE FROM meta");
    }
}

/* After that SQLite reads the structure again, and the images' aliases are gone. */
static void change_structure(void)
{
    sqlite3 *other = NULL;

    assert_int_equal(sqlite3_open(sample_path("copied.db"), &other), SQLITE_OK);
    exec(other, "CREATE TABLE IF NOT EXISTS of_someone_else(x)");
    sqlite3_close(other);
}

static void take_step(struct pair *pair)
{
    unsigned table = (unsigned)sample_below(pair->random, TABLES);

    switch (sample_below(pair->random, 16)) {
    case 0:
        flush_all(pair);
        exec(pair->copied, "COMMIT");
        if (sample_below(pair->random, 8) == 0)
            change_structure();
        exec(pair->copied, "BEGIN");
        return;
    case 1:
        add_rows(pair, table, 3000);
        return;
    case 2:
    case 3:
        do_something_else(pair);
        return;
    case 4:
        flush(pair, table);
        return;
    default:
        add_rows(pair, table, (unsigned)sample_below(pair->random, 200));
    }
}

static void assert_same_rows(struct pair *pair, unsigned table)
{
    char sql[256];

    (void)snprintf(sql, sizeof sql,
                   "SELECT count(*) FROM (SELECT * FROM main.%s EXCEPT SELECT * FROM bound.%s)",
                   tables[table], tables[table]);
    assert_text(pair->copied, sql, "0");
    (void)snprintf(sql, sizeof sql,
                   "SELECT (SELECT count(*) FROM main.%s) - (SELECT count(*) FROM bound.%s)",
                   tables[table], tables[table]);
    assert_text(pair->copied, sql, "0");
}

static void close_pair(struct pair *pair)
{
    for (unsigned i = 0; i < TABLES; i++) {
        xrw_image_destroy(pair->image[i]);
        sqlite3_finalize(pair->insert[i]);
    }
    sqlite3_close(pair->copied);
    sqlite3_close(pair->bound);
    (void)remove(sample_path("copied.db"));
    (void)remove(sample_path("bound.db"));
}

/* As others see it: to the connection that copied, tables with an alias are there twice. */
static void assert_file_is_sound(void)
{
    sqlite3 *other = NULL;

    assert_int_equal(sqlite3_open(sample_path("copied.db"), &other), SQLITE_OK);
    assert_text(other, "PRAGMA integrity_check", "ok");
    assert_text(other, "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%by_order'", "0");
    sqlite3_close(other);
}

static void compare(struct pair *pair)
{
    char sql[512];

    flush_all(pair);
    exec(pair->copied, "COMMIT");
    exec(pair->bound, "COMMIT");
    assert_file_is_sound();
    (void)snprintf(sql, sizeof sql, "ATTACH '%s' AS bound", sample_path("bound.db"));
    exec(pair->copied, sql);
    for (unsigned i = 0; i < TABLES; i++)
        assert_same_rows(pair, i);
}

/* XRW_IMAGES: how many files, by default a few. */
static void copied_rows_are_those_that_were_bound(void **state)
{
    struct sample_random random = sample_seed();
    const char *given = getenv("XRW_IMAGES");
    unsigned files = given ? (unsigned)strtoul(given, NULL, 0) : 6;

    (void)state;
    for (unsigned i = 0; i < files; i++) {
        unsigned steps = (unsigned)sample_below(&random, 80);
        struct pair pair;

        open_pair(&pair, &random);
        for (unsigned step = 0; step < steps; step++)
            take_step(&pair);
        compare(&pair);
        close_pair(&pair);
    }
}

/* Ids that are not those of the rows must not be committed. */
static void rows_of_someone_else_are_noticed(void **state)
{
    struct sample_random random = sample_seed();
    struct pair pair;

    (void)state;
    open_pair(&pair, &random);
    add_rows(&pair, 0, 10);
    flush_all(&pair);
    add_rows(&pair, 0, 10);
    exec(pair.copied, "INSERT INTO exit(id, site, block, kept, work) VALUES (15, 1, 1, 1, 1)");
    assert_int_equal(xrw_image_flush(pair.image[0]), XRW_IMAGE_OUT_OF_ORDER);
    close_pair(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copied_rows_are_those_that_were_bound),
        cmocka_unit_test(rows_of_someone_else_are_noticed),
    };

    return cmocka_run_group_tests_name("store_image", tests, sample_set_up, sample_tear_down);
}
