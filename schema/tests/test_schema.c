/* SPDX-License-Identifier: GPL-2.0-or-later */
/* schema.sql and views.sql are written by hand: they must have what core's tables have. */
#include "columns.h"
#include "sample.h"
#include "sql.h"

#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

static int open_schema(void **state)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, xrw_sql_schema, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, xrw_sql_views, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, xrw_sql_indexes, NULL, NULL, NULL), SQLITE_OK);
    *state = db;
    return 0;
}

static int close_schema(void **state)
{
    return sqlite3_close(*state) != SQLITE_OK;
}

static sqlite3_stmt *columns_of(sqlite3 *db, const char *table, int skip)
{
    sqlite3_stmt *stmt;

    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT name, type FROM pragma_table_info(?) WHERE cid >= ?", -1,
                           &stmt, NULL),
        SQLITE_OK);
    sqlite3_bind_text(stmt, 1, table, -1, SQLITE_TRANSIENT);
    sqlite3_bind_int(stmt, 2, skip);
    return stmt;
}

static void assert_column(sqlite3_stmt *stmt, const char *name)
{
    if (sqlite3_step(stmt) != SQLITE_ROW)
        fail_msg("column %s is missing", name);
    assert_string_equal((const char *)sqlite3_column_text(stmt, 0), name);
    assert_string_equal((const char *)sqlite3_column_text(stmt, 1), "INTEGER");
}

static void assert_registers(sqlite3_stmt *stmt, enum xrw_register_group group)
{
    for (unsigned reg = 0; reg < XRW_REGISTER_COUNT; reg++)
        if (xrw_register_table[reg].group == group)
            assert_column(stmt, xrw_register_table[reg].name);
    assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
    sqlite3_finalize(stmt);
}

/* Exactly these columns after the first `skip`. */
static void assert_columns(sqlite3 *db, const char *table, int skip, const char *const *names,
                           size_t count)
{
    sqlite3_stmt *stmt = columns_of(db, table, skip);

    for (size_t i = 0; i < count; i++)
        assert_column(stmt, names[i]);
    assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
    sqlite3_finalize(stmt);
}

#define NAME(name) #name,
#define PREFIX_WHOLE ""
#define PREFIX_BASED "d_"
#define PREFIX_RARE "d_"
#define PREFIX_AFTER "after_"
#define COLUMN(kind, name) PREFIX_##kind #name,

static void exits_are_spread_as_the_tables_say(void **state)
{
    static const char *const exit[] = {XRW_EXIT_COLUMN_TABLE(COLUMN)};
    static const char *const block[] = {XRW_BASED_TABLE(NAME)};
    static const char *const kept[] = {XRW_KEPT_TABLE(NAME)};
    static const char *const work[] = {XRW_WORK_TABLE(NAME)};
    static const char *const site[] = {XRW_SITE_FIELD_TABLE(NAME) "exits", "first_exit",
                                       "last_exit"};

    assert_columns(*state, "exit", 1, exit, XRW_EXIT_COLUMN_COUNT);
    assert_columns(*state, "block", 5, block, XRW_BASED_COUNT);
    assert_columns(*state, "kept", 1, kept, sizeof kept / sizeof *kept);
    assert_columns(*state, "work", 1, work, sizeof work / sizeof *work);
    assert_columns(*state, "site", 3, site, sizeof site / sizeof *site);
}

/* Every field and every hot register is in one place. */
static void everything_has_a_place(void **state)
{
    static const char *const places[] = {XRW_BASED_TABLE(NAME) XRW_SITE_FIELD_TABLE(NAME)
                                             XRW_KEPT_TABLE(NAME) XRW_WORK_TABLE(NAME)
                                         /* These have columns of their own. */
                                         "entry_tsc",
                                         "rip"};

    (void)state;
    assert_int_equal(sizeof places / sizeof *places - 1, /* sysregs is no field */
                     XRW_EXIT_FIELD_COUNT + XRW_HOT_COUNT);
    for (unsigned i = 0; i < XRW_EXIT_FIELD_COUNT + XRW_HOT_COUNT; i++) {
        const char *name = i < XRW_EXIT_FIELD_COUNT
                               ? xrw_exit_field_table[i].name
                               : xrw_register_table[i - XRW_EXIT_FIELD_COUNT].name;
        unsigned found = 0;

        for (size_t j = 0; j < sizeof places / sizeof *places; j++)
            found += !strcmp(places[j], name);
        assert_int_equal(found, 1);
    }
}

static void sysregs_has_the_system_registers(void **state)
{
    assert_registers(columns_of(*state, "sysregs", 1), XRW_GROUP_SYSTEM);
}

static void hot_registers_come_first_and_fit_a_mask(void **state)
{
    (void)state;
    assert_true(XRW_HOT_COUNT < 63);
    for (unsigned reg = 0; reg < XRW_REGISTER_COUNT; reg++)
        assert_int_equal(xrw_register_table[reg].group == XRW_GROUP_HOT, reg < XRW_HOT_COUNT);
}

/* state has every field and register; registers, which reads it, has one row for each. */
static void views_have_every_register(void **state)
{
    sqlite3_stmt *stmt;
    char sql[160];

    for (unsigned i = 0; i < XRW_EXIT_FIELD_COUNT; i++) {
        (void)snprintf(sql, sizeof sql, "SELECT %s FROM state", xrw_exit_field_table[i].name);
        assert_int_equal(sqlite3_exec(*state, sql, NULL, NULL, NULL), SQLITE_OK);
    }
    assert_int_equal(sqlite3_exec(*state,
                                  "INSERT INTO sysregs(id) VALUES(1);"
                                  "INSERT INTO site(id, exits, first_exit, last_exit)"
                                  " VALUES(1, 1, 1, 1);"
                                  "INSERT INTO block(id, run, vcpu, resume, exits)"
                                  " VALUES(1, 1, 0, 0, 1);"
                                  "INSERT INTO kept(id) VALUES(1); INSERT INTO work(id) VALUES(1);"
                                  "INSERT INTO exit(id, site, block, kept, work)"
                                  " VALUES(1, 1, 1, 1, 1);",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(*state, "SELECT register FROM registers WHERE id = 1", -1, &stmt, NULL),
        SQLITE_OK);
    for (unsigned reg = 0; reg < XRW_REGISTER_COUNT; reg++) {
        const char *name = xrw_register_table[reg].name;

        if (sqlite3_step(stmt) != SQLITE_ROW)
            fail_msg("registers has no %s", name);
        assert_string_equal((const char *)sqlite3_column_text(stmt, 0), name);
        (void)snprintf(sql, sizeof sql, "SELECT %s, after_%s FROM state", name, name);
        assert_int_equal(sqlite3_exec(*state, sql, NULL, NULL, NULL), SQLITE_OK);
    }
    assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
    sqlite3_finalize(stmt);
}

static void all_tables_are_strict(void **state)
{
    sqlite3_stmt *stmt;

    assert_int_equal(sqlite3_prepare_v2(*state,
                                        "SELECT name FROM pragma_table_list WHERE schema = 'main'"
                                        " AND type = 'table' AND NOT strict"
                                        " AND name NOT LIKE 'sqlite_%'",
                                        -1, &stmt, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
    sqlite3_finalize(stmt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exits_are_spread_as_the_tables_say),
        cmocka_unit_test(everything_has_a_place),
        cmocka_unit_test(sysregs_has_the_system_registers),
        cmocka_unit_test(hot_registers_come_first_and_fit_a_mask),
        cmocka_unit_test(views_have_every_register),
        cmocka_unit_test(all_tables_are_strict),
    };

    return cmocka_run_group_tests(tests, open_schema, close_schema);
}
