/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows read without SQLite are those that SQLite reads, and pages that are damaged do no harm. */
#include "btree.h"

#include "db.h"
#include "sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

enum { COLUMNS = 6 };

static void exec(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
}

static sqlite3 *open_file(const char *name)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(sample_path(name), &db), SQLITE_OK);
    return db;
}

static sqlite3 *create(const char *name, const char *pragmas)
{
    sqlite3 *db;

    (void)remove(sample_path(name));
    db = open_file(name);
    exec(db, pragmas);
    exec(db, "PRAGMA synchronous = OFF; CREATE TABLE exit(id INTEGER PRIMARY KEY, a, b, c, d);");
    return db;
}

/* Of any number of bytes. */
static int64_t random_integer(struct sample_random *random)
{
    return (int64_t)sample_next(random) >> sample_below(random, 64);
}

static void bind_row(sqlite3_stmt *insert, struct sample_random *random, int64_t id)
{
    (void)sqlite3_bind_int64(insert, 1, id);
    for (int i = 2; i <= 5; i++)
        if (sample_below(random, 6))
            (void)sqlite3_bind_int64(insert, i, random_integer(random));
        else
            (void)sqlite3_bind_null(insert, i);
    assert_int_equal(sqlite3_step(insert), SQLITE_DONE);
    (void)sqlite3_reset(insert);
}

/* Rows with holes between them; last some with columns that the others leave out. */
static void fill(sqlite3 *db, struct sample_random *random, unsigned rows)
{
    sqlite3_stmt *insert = NULL;
    int64_t id = -20;

    assert_int_equal(
        sqlite3_prepare_v2(db, "INSERT INTO exit VALUES(?, ?, ?, ?, ?)", -1, &insert, NULL),
        SQLITE_OK);
    exec(db, "BEGIN");
    for (unsigned i = 0; i < rows; i++) {
        id += 1 + (int64_t)(sample_below(random, 4) ? 0 : sample_below(random, 3));
        bind_row(insert, random, id);
    }
    bind_row(insert, random, INT64_MAX);
    bind_row(insert, random, INT64_MIN);
    (void)sqlite3_finalize(insert);
    exec(db, "COMMIT; ALTER TABLE exit ADD COLUMN e INTEGER DEFAULT 7;"
             "ALTER TABLE exit ADD COLUMN f INTEGER; INSERT INTO exit(id, e, f) VALUES(0x7ffffffe, "
             "0, 1);"
             "DELETE FROM exit WHERE id % 1000 BETWEEN 30 AND 70");
}

/* Row of an id by both, equal. */
static void assert_same(struct xrw_btree *tree, sqlite3_stmt *select, int64_t id)
{
    int64_t value[COLUMNS] = {0, 0, 0, 0, 7, 0};
    bool null[COLUMNS] = {true, true, true, true, false, true};
    bool found = xrw_btree_row(tree, XRW_BTREE_EXIT, (uint64_t)id, COLUMNS, value, null);

    (void)sqlite3_bind_int64(select, 1, id);
    assert_int_equal(found, sqlite3_step(select) == SQLITE_ROW);
    for (int i = 0; found && i < COLUMNS; i++) {
        assert_int_equal(null[i], sqlite3_column_type(select, i) == SQLITE_NULL);
        assert_int_equal(value[i], sqlite3_column_int64(select, i));
    }
    (void)sqlite3_reset(select);
}

static sqlite3_stmt *prepare_select(sqlite3 *db)
{
    sqlite3_stmt *select = NULL;

    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT a, b, c, d, e, f FROM exit WHERE id = ?", -1, &select, NULL),
        SQLITE_OK);
    return select;
}

static void rows_are_those_of_sqlite(void **state)
{
    static const unsigned rows[] = {0, 1, 5, 1000, 60000}; /* up to three levels of pages */
    struct sample_random random = sample_seed();

    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        sqlite3 *db = create("rows.db", "");
        sqlite3_stmt *select;
        struct xrw_btree *tree;

        fill(db, &random, rows[i]);
        exec(db, "BEGIN");
        tree = xrw_btree_create(db);
        assert_non_null(tree);
        select = prepare_select(db);
        for (int64_t id = -40; id < 3 * (int64_t)rows[i] / 2 + 40; id++)
            assert_same(tree, select, id);
        assert_same(tree, select, 0x7ffffffe);
        assert_same(tree, select, INT64_MAX);
        assert_same(tree, select, INT64_MAX - 1);
        assert_same(tree, select, INT64_MIN);
        (void)sqlite3_finalize(select);
        xrw_btree_destroy(tree);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
    }
}

/* What has no row here, though SQLite has one: text, numbers with a fraction, rows that go on in
 * other pages, tables that are not there, and everything outside a transaction. */
static void the_rest_is_left_to_sqlite(void **state)
{
    sqlite3 *db = create("rest.db", "");
    struct xrw_btree *tree;
    int64_t value[4];
    bool null[4];

    (void)state;
    exec(db, "INSERT INTO exit VALUES(1, 2, 3, 4, 5), (2, 'x', 1, 1, 1), (3, 1.5, 1, 1, 1),"
             " (4, 1, 2, x'00', 3), (5, zeroblob(5000), 1, 1, 1), (6, 1, 1, 1, zeroblob(5000))");
    exec(db, "BEGIN");
    tree = xrw_btree_create(db);
    assert_non_null(tree);
    assert_true(xrw_btree_row(tree, XRW_BTREE_EXIT, 1, 4, value, null));
    assert_int_equal(value[3], 5);
    for (uint64_t id = 2; id <= 7; id++)
        assert_false(xrw_btree_row(tree, XRW_BTREE_EXIT, id, 4, value, null));
    assert_false(xrw_btree_row(tree, XRW_BTREE_KEPT, 1, 4, value, null));
    assert_false(xrw_btree_row(NULL, XRW_BTREE_EXIT, 1, 4, value, null));
    exec(db, "COMMIT");
    assert_false(xrw_btree_row(tree, XRW_BTREE_EXIT, 1, 4, value, null));
    xrw_btree_destroy(tree);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void other_files_are_left_to_sqlite(void **state)
{
    static const char *const pragmas[] = {"PRAGMA page_size = 1024", "PRAGMA page_size = 65536",
                                          "PRAGMA journal_mode = WAL"};

    (void)state;
    for (unsigned i = 0; i < sizeof pragmas / sizeof *pragmas; i++) {
        sqlite3 *db = create("other.db", pragmas[i]);

        exec(db, "BEGIN");
        assert_null(xrw_btree_create(db));
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
    }
}

/* XRW_TEST_ROUNDS asks for more than a test run has time for. */
static unsigned rounds(void)
{
    const char *given = getenv("XRW_TEST_ROUNDS");

    return given ? (unsigned)strtoul(given, NULL, 0) : 200;
}

/* Some bytes of pages but the first: mostly in headers, where they lead elsewhere. */
static void damage(struct sample_random *random, const uint8_t *good, uint8_t *bad, size_t bytes)
{
    memcpy(bad, good, bytes);
    for (uint64_t n = 1 + sample_below(random, 20); n; n--) {
        size_t page = 4096 * (1 + sample_below(random, bytes / 4096 - 1));
        size_t at = sample_below(random, sample_below(random, 3) ? 32 : 4096);

        bad[page + at] =
            (uint8_t)(sample_below(random, 2) ? sample_next(random) : sample_below(random, 16));
    }
}

static void read_damaged(const char *name)
{
    sqlite3 *db = open_file(name);
    struct xrw_btree *tree;
    int64_t value[COLUMNS];
    bool null[COLUMNS];

    exec(db, "BEGIN");
    tree = xrw_btree_create(db);
    for (int64_t id = -40; id < 4000; id += 3)
        (void)xrw_btree_row(tree, XRW_BTREE_EXIT, (uint64_t)id, COLUMNS, value, null);
    xrw_btree_destroy(tree);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void write_file(const char *path, const uint8_t *data, size_t bytes)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

static uint8_t *read_file(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "r");
    uint8_t *data;

    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *bytes = (size_t)ftell(file);
    rewind(file);
    data = malloc(*bytes);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, *bytes, file), *bytes);
    (void)fclose(file);
    return data;
}

static void damaged_pages_do_no_harm(void **state)
{
    struct sample_random random = sample_seed();
    sqlite3 *db = create("good.db", "");
    uint8_t *good, *bad;
    size_t bytes;

    (void)state;
    fill(db, &random, 3000);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    good = read_file(sample_path("good.db"), &bytes);
    bad = malloc(bytes);
    assert_non_null(bad);
    for (unsigned i = 0; i < rounds(); i++) {
        damage(&random, good, bad, bytes);
        write_file(sample_path("bad.db"), bad, bytes);
        read_damaged("bad.db");
    }
    /* Each page is its own child, and there is no end. */
    memcpy(bad, good, bytes);
    for (size_t page = 2; page <= bytes / 4096; page++) {
        memset(bad + 4096 * (page - 1), 0, 12);
        bad[4096 * (page - 1)] = 5;
        bad[4096 * (page - 1) + 11] = (uint8_t)page;
    }
    write_file(sample_path("bad.db"), bad, bytes);
    read_damaged("bad.db");
    /* Cut off within a page. */
    write_file(sample_path("bad.db"), good, bytes / 2 + 1000);
    read_damaged("bad.db");
    free(good);
    free(bad);
}

/* A recording of every kind of exit, with and without SQLite. */
static void exits_are_the_same(void **state)
{
    struct xrw_exit one, other;
    struct xrw_error err = {""};
    struct xrw_store *store, *plain;
    struct xrw_run run;

    (void)state;
    sample_recording(sample_path("random.db"), sample_seed(), 2000);
    assert_done(xrw_store_open(&store, sample_path("random.db"), &err), err);
    assert_done(xrw_store_open(&plain, sample_path("random.db"), &err), err);
    assert_done(xrw_store_run(store, 1, &run, &err), err);
    assert_non_null(store->btree);
    xrw_btree_destroy(plain->btree);
    plain->btree = NULL;
    for (xrw_exit_id id = 1; id <= run.last_exit; id++) {
        assert_done(xrw_store_exit(store, id, &one, &err), err);
        assert_done(xrw_store_exit(plain, id, &other, &err), err);
        assert_memory_equal(&one, &other, sizeof one);
    }
    /* That it was read so, and not by SQLite after all. */
    assert_null(store->statement[XRW_SQL_EXIT]);
    assert_null(store->statement[XRW_SQL_BLOCK]);
    assert_null(store->statement[XRW_SQL_KEPT]);
    assert_null(store->statement[XRW_SQL_WORK]);
    assert_done(xrw_store_close(store, &err), err);
    assert_done(xrw_store_close(plain, &err), err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_those_of_sqlite),
        cmocka_unit_test(the_rest_is_left_to_sqlite),
        cmocka_unit_test(other_files_are_left_to_sqlite),
        cmocka_unit_test(damaged_pages_do_no_harm),
        cmocka_unit_test(exits_are_the_same),
    };

    return cmocka_run_group_tests(tests, sample_set_up, sample_tear_down);
}
