/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Several runs in one recording: a base image that they share, inputs, paths. */
#include "sample.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE_PAGES 16u
#define RUNS 5u
#define RUN_EXITS 4u

static void add_page(struct xrw_store *store, uint64_t run, xrw_gfn gfn, xrw_exit_id exit,
                     uint64_t content)
{
    struct xrw_error err = {""};
    uint8_t page[XRW_PAGE_BYTES];

    sample_page(gfn, content, page);
    assert_done(xrw_store_add_page(store, run, gfn, exit, page, false, &err), err);
}

static void assert_page(struct xrw_store *store, uint64_t run, xrw_gfn gfn, xrw_exit_id exit,
                        uint64_t content, xrw_exit_id since)
{
    struct xrw_error err = {""};
    uint8_t page[XRW_PAGE_BYTES], expected[XRW_PAGE_BYTES];
    xrw_exit_id found;

    sample_page(gfn, content, expected);
    assert_done(xrw_store_page(store, run, gfn, exit, page, &found, &err), err);
    assert_memory_equal(page, expected, sizeof page);
    assert_int_equal(found, since);
}

/* Exits of a path: the RIPs are the path's own. */
static void add_exits(struct xrw_store *store, uint64_t run, xrw_exit_id first, uint64_t path)
{
    struct xrw_error err = {""};

    for (unsigned i = 0; i < RUN_EXITS; i++) {
        struct xrw_exit exit = {.id = first + i, .run = run};

        xrw_exit_set(&exit, XRW_EXIT_reason, 10);
        xrw_registers_set(&exit.before, XRW_REG_rip, path * 0x1000 + i);
        xrw_registers_set(&exit.before, XRW_REG_rax, run);
        add_page(store, run, 3, exit.id, run * 10 + i);
        assert_done(xrw_store_add_exit(store, &exit, &err), err);
    }
}

static void add_input(struct xrw_store *store, uint64_t run, const char *name)
{
    struct xrw_input input = {.address = 0x5008, .bytes = strlen(name)};
    struct xrw_error err = {""};

    (void)snprintf(input.name, sizeof input.name, "%s", name);
    assert_done(xrw_store_add_input(store, run, &input, name, &err), err);
    add_page(store, run, 5, 0, 100 + run);
}

/* Run 1 has the base image; the others are based on it.  Odd runs take one path, even ones another.
 */
static struct xrw_store *record(const char *path)
{
    struct xrw_error err = {""};
    struct xrw_store *store;

    assert_done(xrw_store_create(&store, path, &err), err);
    for (uint64_t id = 1; id <= RUNS; id++) {
        struct xrw_run run = sample_run(id, (id - 1) * RUN_EXITS + 1, XRW_MEMORY_EXIT);
        char name[16];

        run.base_run = 1;
        assert_done(xrw_store_begin_run(store, &run, &err), err);
        for (xrw_gfn gfn = 0; gfn < BASE_PAGES && id == 1; gfn++)
            add_page(store, 1, gfn, 0, 0);
        (void)snprintf(name, sizeof name, "input-%" PRIu64, id);
        if (id > 1)
            add_input(store, id, name);
        add_exits(store, id, run.first_exit, id % 2);
        run.end_unix_ns = run.start_unix_ns + 1;
        (void)snprintf(run.stop, sizeof run.stop, "until-rip");
        assert_done(xrw_store_end_run(store, &run, &err), err);
    }
    return store;
}

static void close_store(struct xrw_store *store)
{
    struct xrw_error err = {""};

    assert_done(xrw_store_close(store, &err), err);
}

static struct xrw_store *reopen(struct xrw_store *store, const char *path)
{
    struct xrw_error err = {""};

    close_store(store);
    assert_done(xrw_store_open(&store, path, &err), err);
    return store;
}

static int take_number(void *ctx, int columns, const char *const *names, const char *const *values)
{
    (void)columns, (void)names;
    *(uint64_t *)ctx = strtoull(values[0], NULL, 10);
    return 0;
}

static uint64_t ask(struct xrw_store *store, const char *sql)
{
    struct xrw_error err = {""};
    uint64_t number = UINT64_MAX;

    assert_done(xrw_store_query(store, sql, 1, 1000, take_number, &number, &err), err);
    return number;
}

static void a_base_image_is_stored_once(void **state)
{
    const char *path = sample_path("base.db");
    struct xrw_store *store = reopen(record(path), path);

    (void)state;
    assert_int_equal(ask(store, "SELECT count(*) FROM page_version WHERE run = 1 AND exit = 0"),
                     BASE_PAGES);
    /* One input, and a version at each exit. */
    assert_int_equal(ask(store, "SELECT count(*) FROM page_version WHERE run = 4"), 1 + RUN_EXITS);
    for (uint64_t run = 1; run <= RUNS; run++) {
        xrw_exit_id first = (run - 1) * RUN_EXITS + 1;

        assert_page(store, run, 7, 0, 0, 0);
        assert_page(store, run, 7, first + 2, 0, 0);
        assert_page(store, run, 3, 0, 0, 0);
        assert_page(store, run, 3, first, run * 10, first);
        assert_page(store, run, 3, first + 3, run * 10 + 3, first + 3);
        assert_page(store, run, 5, 0, run > 1 ? 100 + run : 0, 0);
        assert_page(store, run, 5, first + 3, run > 1 ? 100 + run : 0, 0);
    }
    close_store(store);
}

static void what_is_as_in_the_base_image_is_not_stored_again(void **state)
{
    const char *path = sample_path("same.db");
    struct xrw_store *store = record(path);
    struct xrw_run run = sample_run(RUNS + 1, RUNS * RUN_EXITS + 1, XRW_MEMORY_EXIT);
    struct xrw_error err = {""};

    (void)state;
    run.base_run = 1;
    assert_done(xrw_store_begin_run(store, &run, &err), err);
    add_page(store, run.id, 7, 0, 0);
    add_page(store, run.id, 7, run.first_exit, 0);
    add_exits(store, run.id, run.first_exit, 1);
    add_page(store, run.id, 7, run.first_exit + RUN_EXITS - 1, 1);
    assert_done(xrw_store_end_run(store, &run, &err), err);
    store = reopen(store, path);
    assert_int_equal(ask(store, "SELECT count(*) FROM page_version WHERE run = 6 AND gfn = 7"), 1);
    assert_int_equal(ask(store, "SELECT count(*) FROM memory_write WHERE run = 6 AND gfn = 7"), 1);
    close_store(store);
}

static void a_page_that_became_its_own_unchanged_is_no_write(void **state)
{
    const char *path = sample_path("forced.db");
    struct xrw_store *store = record(path);
    struct xrw_run run = sample_run(RUNS + 1, RUNS * RUN_EXITS + 1, XRW_MEMORY_FRAMES);
    struct xrw_error err = {""};
    uint8_t page[XRW_PAGE_BYTES];

    (void)state;
    run.base_run = 1;
    sample_page(7, 0, page);
    assert_done(xrw_store_begin_run(store, &run, &err), err);
    assert_done(xrw_store_add_page(store, run.id, 7, run.first_exit, page, true, &err), err);
    add_exits(store, run.id, run.first_exit, 1);
    assert_done(xrw_store_end_run(store, &run, &err), err);
    store = reopen(store, path);
    assert_int_equal(ask(store, "SELECT count(*) FROM page_version WHERE run = 6 AND gfn = 7"), 1);
    assert_int_equal(ask(store, "SELECT count(*) FROM memory_write WHERE run = 6 AND gfn = 7"), 0);
    close_store(store);
}

static void inputs_are_kept(void **state)
{
    const char *path = sample_path("inputs.db");
    struct xrw_store *store = reopen(record(path), path);
    struct xrw_input input;
    struct xrw_error err = {""};

    (void)state;
    assert_done(xrw_store_input(store, 4, 1, &input, &err), err);
    assert_string_equal(input.name, "input-4");
    assert_int_equal(input.address, 0x5008);
    assert_int_equal(input.bytes, 7);
    assert_false(input.physical);
    assert_int_equal(xrw_store_input(store, 4, 2, &input, &err), -ENOENT);
    assert_int_equal(xrw_store_input(store, 1, 1, &input, &err), -ENOENT);
    assert_int_equal(ask(store, "SELECT count(*) FROM input WHERE data = CAST(name AS BLOB)"), 4);
    close_store(store);
}

static void paths_group_runs(void **state)
{
    const char *path = sample_path("paths.db");
    struct xrw_store *store = reopen(record(path), path);
    struct xrw_run run[RUNS + 1];
    struct xrw_error err = {""};

    (void)state;
    for (uint64_t id = 1; id <= RUNS; id++) {
        assert_done(xrw_store_run(store, id, &run[id], &err), err);
        assert_true(run[id].path_known);
        assert_int_equal(run[id].base_run, 1);
    }
    assert_true(run[1].path == run[3].path && run[2].path == run[4].path);
    assert_true(run[1].path != run[2].path);
    assert_int_equal(ask(store, "SELECT count(DISTINCT path_hex) FROM runs"), 2);
    assert_int_equal(ask(store, "SELECT same_as FROM runs WHERE id = 4"), 2);
    assert_int_equal(ask(store, "SELECT exits FROM runs WHERE input = 'input-3'"), RUN_EXITS);
    close_store(store);
}

static void what_makes_no_sense_is_refused(void **state)
{
    struct xrw_store *store = record(sample_path("refused.db"));
    struct xrw_run run = sample_run(RUNS + 1, RUNS * RUN_EXITS + 1, XRW_MEMORY_EXIT);
    struct xrw_input input = {.bytes = XRW_INPUT_MAX_BYTES + 1};
    struct xrw_error err;

    (void)state;
    assert_int_equal(xrw_store_add_input(store, RUNS, &input, "", &err), -EINVAL);
    run.base_run = RUNS + 2;
    assert_int_equal(xrw_store_begin_run(store, &run, &err), -EINVAL);
    run.base_run = run.id;
    assert_done(xrw_store_begin_run(store, &run, &err), err);
    assert_int_equal(xrw_store_add_input(store, run.id, &input, "", &err), -EINVAL);
    close_store(store);
}

/* Of runs that all have inputs none has the image that they share. */
static void a_base_image_may_belong_to_no_run(void **state)
{
    const char *path = sample_path("none.db");
    struct xrw_run run = sample_run(1, 1, XRW_MEMORY_EXIT);
    struct xrw_error err = {""};
    struct xrw_store *store;
    uint8_t page[XRW_PAGE_BYTES] = {0};

    (void)state;
    assert_done(xrw_store_create(&store, path, &err), err);
    assert_int_equal(xrw_store_add_page(store, 0, 5, 0, page, false, &err), -EINVAL);
    assert_done(xrw_store_begin_run(store, &run, &err), err);
    assert_int_equal(xrw_store_add_page(store, 0, 5, 1, page, false, &err), -EINVAL);
    for (xrw_gfn gfn = 0; gfn < BASE_PAGES; gfn++)
        add_page(store, 0, gfn, 0, 0);
    add_input(store, 1, "first");
    add_page(store, 1, 7, 0, 0);
    add_exits(store, 1, 1, 1);
    assert_done(xrw_store_end_run(store, &run, &err), err);
    run = sample_run(2, RUN_EXITS + 1, XRW_MEMORY_EXIT);
    assert_done(xrw_store_begin_run(store, &run, &err), err);
    add_exits(store, 2, RUN_EXITS + 1, 1);
    assert_done(xrw_store_end_run(store, &run, &err), err);
    store = reopen(store, path);
    assert_page(store, 1, 5, 0, 101, 0);
    assert_page(store, 1, 5, 1, 101, 0);
    assert_page(store, 2, 5, 0, 0, 0);
    assert_page(store, 2, 5, RUN_EXITS + 1, 0, 0);
    assert_page(store, 1, 7, 1, 0, 0);
    assert_int_equal(ask(store, "SELECT count(*) FROM page_version WHERE run = 1 AND gfn = 7"), 0);
    assert_int_equal(ask(store, "SELECT count(*) FROM page_version WHERE run = 0"), BASE_PAGES);
    close_store(store);
}

static void a_run_that_is_cut_off_has_no_path(void **state)
{
    const char *path = sample_path("cut.db");
    struct xrw_store *store = record(path);
    struct xrw_run run = sample_run(RUNS + 1, RUNS * RUN_EXITS + 1, XRW_MEMORY_EXIT);
    struct xrw_error err = {""};

    (void)state;
    run.base_run = 1;
    assert_done(xrw_store_begin_run(store, &run, &err), err);
    add_exits(store, run.id, run.first_exit, 1);
    store = reopen(store, path);
    assert_done(xrw_store_run(store, run.id, &run, &err), err);
    assert_false(run.path_known);
    assert_int_equal(run.last_exit - run.first_exit + 1, RUN_EXITS);
    assert_page(store, run.id, 7, run.last_exit, 0, 0);
    close_store(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_base_image_is_stored_once),
        cmocka_unit_test(what_is_as_in_the_base_image_is_not_stored_again),
        cmocka_unit_test(a_page_that_became_its_own_unchanged_is_no_write),
        cmocka_unit_test(inputs_are_kept),
        cmocka_unit_test(paths_group_runs),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(a_base_image_may_belong_to_no_run),
        cmocka_unit_test(a_run_that_is_cut_off_has_no_path),
    };

    return cmocka_run_group_tests(tests, sample_set_up, sample_tear_down);
}
