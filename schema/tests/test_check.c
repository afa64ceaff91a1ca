/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The check of whole recordings: nothing to say of a good one, the right words of each bad one. */
#include "sample.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

static int set_up(void **state)
{
    (void)state;
    sample_make_folder();
    sample_tour(sample_path("tour.db"));
    sample_recording(sample_path("random.db"), (struct sample_random){7}, 600);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sample_remove_folder();
    return 0;
}

static void append(void *ctx, const char *problem)
{
    char *text = ctx;

    (void)snprintf(text + strlen(text), 4096 - strlen(text), "%s\n", problem);
}

static uint64_t check(const char *path, char *text)
{
    const struct xrw_check_options options = {.problem = append, .ctx = text};
    struct xrw_check_result result = {0};
    struct xrw_error err = {""};
    struct xrw_store *store;

    text[0] = '\0';
    assert_done(xrw_store_open(&store, path, &err), err);
    assert_done(xrw_store_check(store, &options, &result, &err), err);
    assert_done(xrw_store_close(store, &err), err);
    assert_true(result.pages > 0 && result.runs == 1);
    return result.problems;
}

static void good_recordings_pass(void **state)
{
    char text[4096];

    (void)state;
    assert_int_equal(check(sample_path("tour.db"), text), 0);
    assert_string_equal(text, "");
    /* Its times are random, and its instructions are not of the place. */
    assert_int_equal(check(sample_path("random.db"), text), 2);
    assert_non_null(strstr(text, "time before"));
    assert_non_null(strstr(text, "an instruction that is not there"));
}

static void each_damage_is_named(void **state)
{
    static const struct {
        const char *sql, *words;
    } cases[] = {
        {"DELETE FROM exit WHERE id = 9", "exits are missing"},
        {"DELETE FROM exit WHERE id = 50", "exits are missing"},
        {"UPDATE exit SET site = 999 WHERE id = 9", "a site that is not there"},
        {"UPDATE exit SET kept = 999 WHERE id = 9", "registers that are not there"},
        {"UPDATE exit SET work = 0 WHERE id = 9", "registers that are not there"},
        {"UPDATE exit SET block = 99 WHERE id = 9", "a block that is not there"},
        {"UPDATE block SET run = 2", "of another run"},
        {"UPDATE exit SET after_sysregs = 99 WHERE id = 9", "system registers that are not there"},
        {"UPDATE exit SET d_sysregs = 99 WHERE id = 9", "system registers that are not there"},
        {"UPDATE exit SET d_time_ns = d_time_ns - 999999 WHERE id = 40", "time before"},
        {"UPDATE exit SET d_tsc = 0x7fffffffffffffff WHERE id = 40", "no integer"},
        {"UPDATE site SET exits = exits + 1 WHERE id = 3", "the exits that they count"},
        {"UPDATE site SET last_exit = 1 WHERE id = 3", "the exits that they count"},
        {"UPDATE space SET last_exit = 1", "address spaces do not have"},
        {"UPDATE block SET exits = 0", "blocks do not have"},
        {"UPDATE block SET vcpu = 77", "a vCPU that"},
        {"UPDATE site SET insn = 0 WHERE id = 2", "an instruction that is not there"},
        {"UPDATE insn SET code = zeroblob(16) WHERE id = 2", "15, bytes"},
        {"UPDATE page_version SET page = 9999 WHERE gfn = 2", "a content that is not there"},
        {"UPDATE page_version SET exit = 777 WHERE gfn = 2 AND exit = 6", "of an exit that"},
        {"UPDATE context SET data = x'00' WHERE kind = 'fxsave'", "of a wrong size"},
        {"UPDATE run SET last_exit = 7", "exits are missing"},
        {"UPDATE run SET base_run = 4", "no base image"},
        {"INSERT INTO input VALUES(9, 1, 'gva', 0, '', x'00')", "inputs are of no run"},
        {"INSERT INTO memory_frame VALUES(1, 999)", "key frames"},
        {"UPDATE exit_reason SET name = 'NOTHING' WHERE reason = 10", "the names that they should"},
        {"UPDATE page SET data = zeroblob(length(data)) WHERE id = 1", "page 1: "},
        {"UPDATE page SET encoding = 3, base = 2 WHERE id = 1", "page 1: "},
        {"UPDATE page SET encoding = 3, base = 1 WHERE id = 1", "page 1: "},
        {"UPDATE page SET hash = zeroblob(16) WHERE id = 0", "page 0: "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = sample_path("bad.db");
        char command[512], text[4096];
        sqlite3 *db;

        (void)snprintf(command, sizeof command, "cp '%s' '%s'", sample_path("tour.db"), path);
        assert_int_equal(system(command), 0);
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        if (sqlite3_exec(db, cases[i].sql, NULL, NULL, NULL) != SQLITE_OK)
            fail_msg("%s: %s", cases[i].sql, sqlite3_errmsg(db));
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        if (!check(path, text) || !strstr(text, cases[i].words))
            fail_msg("%s: \"%s\" does not say \"%s\"", cases[i].sql, text, cases[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_recordings_pass),
        cmocka_unit_test(each_damage_is_named),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
