/* SPDX-License-Identifier: GPL-2.0-or-later */
/* schema.sql and views.sql are written by hand: they must have what core's tables have. */
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

static void exit_has_the_fields_and_hot_registers(void **state)
{
    sqlite3_stmt *stmt = columns_of(*state, "exit", 5);

    for (unsigned i = 0; i < XRW_EXIT_FIELD_COUNT; i++)
        assert_column(stmt, xrw_exit_field_table[i].name);
    assert_registers(stmt, XRW_GROUP_HOT);
}

static void sysregs_has_the_system_registers(void **state)
{
    assert_registers(columns_of(*state, "sysregs", 1), XRW_GROUP_SYSTEM);
}

static void resume_has_the_hot_registers(void **state)
{
    assert_registers(columns_of(*state, "resume", 3), XRW_GROUP_HOT);
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
                                  "INSERT INTO exit(id, run, vcpu, sysregs) VALUES(1, 1, 0, 1);",
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
        cmocka_unit_test(exit_has_the_fields_and_hot_registers),
        cmocka_unit_test(sysregs_has_the_system_registers),
        cmocka_unit_test(resume_has_the_hot_registers),
        cmocka_unit_test(hot_registers_come_first_and_fit_a_mask),
        cmocka_unit_test(views_have_every_register),
        cmocka_unit_test(all_tables_are_strict),
    };

    return cmocka_run_group_tests(tests, open_schema, close_schema);
}
