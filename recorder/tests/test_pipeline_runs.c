/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Several runs of a fake guest into one file: resets, inputs, and where they end. */
#include "support.h"

#include "world.h"

#include <errno.h>
#include <unistd.h>

#define INPUT_ADDRESS 0x3010u

static void put_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* First word of a page of any run; -ENODATA. */
static uint64_t word_of(struct world *w, uint64_t run, xrw_gfn gfn, uint64_t exit)
{
    uint8_t page[XRW_PAGE_BYTES];
    uint64_t word;

    assert_int_equal(xrw_store_page(w->store, run, gfn, exit, page, NULL, NULL), 0);
    memcpy(&word, page, sizeof word);
    return word;
}

static struct xrw_run run_of(struct world *w, uint64_t id)
{
    struct xrw_run run;

    assert_int_equal(xrw_store_run(w->store, id, &run, NULL), 0);
    return run;
}

static void test_runs(void **state)
{
    struct world *w = *state;

    w->options.runs = 4;
    assert_int_equal(world_record(w), 0);
    world_reopen(w);
    assert_int_equal(w->fake.resets, 3);
    assert_int_equal(w->fake.stops, 1);
    assert_int_equal(w->result.progress.runs, 4);
    assert_int_equal(xrw_store_run_count(w->store), 4);
    for (uint64_t id = 1; id <= 4; id++) {
        struct xrw_run run = run_of(w, id);

        assert_int_equal(run.first_exit, (id - 1) * 20 + 1);
        assert_int_equal(run.last_exit, id * 20);
        assert_string_equal(run.stop, "guest-end");
        assert_true(run.path_known && run.path == run_of(w, 1).path);
        for (xrw_gfn gfn = 0; gfn < FAKE_PAGES; gfn++)
            for (uint64_t n = 0; n <= 20; n++)
                assert_int_equal(word_of(w, id, gfn, n ? run.first_exit + n - 1 : 0),
                                 fake_source_word(gfn, n));
    }
}

static void test_limits_are_of_each_run(void **state)
{
    struct world *w = *state;

    w->options.runs = 3;
    w->options.max_exits = 6;
    w->options.memory = XRW_RECORD_MEMORY_EVERY;
    w->options.memory_every = 4;
    assert_int_equal(world_record(w), 0);
    world_reopen(w);
    for (uint64_t id = 1; id <= 3; id++) {
        struct xrw_run run = run_of(w, id);
        uint8_t page[XRW_PAGE_BYTES];

        assert_int_equal(run.last_exit - run.first_exit + 1, 6);
        assert_string_equal(run.stop, "exits");
        assert_int_equal(word_of(w, id, 4, run.first_exit + 3), 4);
        assert_int_equal(word_of(w, id, 5, run.last_exit), 5);
        assert_int_equal(xrw_store_page(w->store, id, 1, run.first_exit, page, NULL, NULL),
                         -ENODATA);
    }
}

static void test_inputs(void **state)
{
    struct world *w = *state;
    char path[3][128];
    const char *const files[] = {path[0], path[1]};
    const struct xrw_record_input inputs[] = {{.address = INPUT_ADDRESS},
                                              {.address = 0, .physical = true, .file = path[2]}};

    for (unsigned i = 0; i < 3; i++)
        (void)snprintf(path[i], sizeof path[i], "%s/input-%u", w->folder, i);
    put_file(path[0], "first");
    put_file(path[1], "2");
    put_file(path[2], "constant");
    w->options.runs = 2;
    w->options.inputs = inputs;
    w->options.input_count = 2;
    w->options.run_files = files;
    w->options.max_exits = 5;
    assert_int_equal(world_record(w), 0);
    world_reopen(w);
    for (uint64_t id = 1; id <= 2; id++) {
        const char *text = id == 1 ? "first" : "2";
        struct xrw_input input;
        uint8_t page[XRW_PAGE_BYTES];

        assert_int_equal(xrw_store_input(w->store, id, 1, &input, NULL), 0);
        assert_string_equal(input.name, id == 1 ? "input-0" : "input-1");
        assert_int_equal(input.bytes, strlen(text));
        assert_int_equal(xrw_store_input(w->store, id, 2, &input, NULL), 0);
        assert_true(input.physical);
        assert_int_equal(
            xrw_store_page(w->store, id, INPUT_ADDRESS / XRW_PAGE_BYTES, 0, page, NULL, NULL), 0);
        /* The one before, longer, left nothing behind. */
        assert_string_equal((char *)page + INPUT_ADDRESS % XRW_PAGE_BYTES, text);
        assert_int_equal(xrw_store_page(w->store, id, 0, 0, page, NULL, NULL), 0);
        assert_memory_equal(page, "constant", 8);
        assert_int_equal(word_of(w, id, 5, 0), 1005);
    }
    for (unsigned i = 0; i < 3; i++)
        (void)unlink(path[i]);
}

static void test_one_run_with_an_input(void **state)
{
    struct world *w = *state;
    char path[128];
    const struct xrw_record_input input = {.address = INPUT_ADDRESS, .file = path};
    uint8_t page[XRW_PAGE_BYTES];

    (void)snprintf(path, sizeof path, "%s/input", w->folder);
    put_file(path, "bytes");
    w->options.inputs = &input;
    w->options.input_count = 1;
    assert_int_equal(world_record(w), 0);
    world_reopen(w);
    assert_int_equal(xrw_store_page(w->store, 1, 3, 0, page, NULL, NULL), 0);
    assert_memory_equal(page + INPUT_ADDRESS % XRW_PAGE_BYTES, "bytes", 5);
    assert_int_equal(word_of(w, 1, 3, 3), 3);
    (void)unlink(path);
}

static void test_inputs_are_checked_first(void **state)
{
    struct world *w = *state;
    const struct xrw_record_input input = {.file = "/no/such/input"};

    w->options.inputs = &input;
    w->options.input_count = 1;
    assert_int_equal(world_record(w), -ENOENT);
    assert_non_null(strstr(w->err.text, "/no/such/input"));
    assert_int_equal(w->fake.starts, 0);
}

/* What a processor left in the parent's page tables is what the next run begins with. */
static void test_pages_that_a_reset_leaves_otherwise(void **state)
{
    struct world *w = *state;
    uint8_t page[XRW_PAGE_BYTES];

    w->fake.marks = true;
    w->options.runs = 3;
    w->options.max_exits = 1;
    assert_int_equal(world_record(w), 0);
    world_reopen(w);
    for (uint64_t id = 1; id <= 3; id++) {
        assert_int_equal(xrw_store_page(w->store, id, 2, id, page, NULL, NULL), 0);
        assert_int_equal(page[100], id - 1);
    }
}

static void interrupt_in_the_third(struct fake_source *fake, uint64_t exit)
{
    if (fake->resets == 2 && exit == 7)
        world_interrupted = 1;
}

static void test_interrupted(void **state)
{
    struct world *w = *state;

    w->options.runs = 1000;
    w->fake.at_exit = interrupt_in_the_third;
    assert_int_equal(world_record(w), 0);
    world_reopen(w);
    assert_int_equal(xrw_store_run_count(w->store), 3);
    assert_string_equal(run_of(w, 2).stop, "guest-end");
    assert_string_equal(run_of(w, 3).stop, "interrupted");
    assert_int_equal(run_of(w, 3).last_exit, 47);
}

static void test_idle_runs_do_not_wait(void **state)
{
    struct world *w = *state;

    w->options.runs = 5;
    w->options.idle_seconds = 5;
    w->fake.afterwards = SOURCE_IDLE;
    assert_int_equal(world_record(w), 0);
    world_reopen(w);
    assert_string_equal(run_of(w, 5).stop, "guest-idle");
    assert_true(w->fake.clock_ns < 1000000000u);
}

static void fail_each_call_once(struct world *w, bool base_touched)
{
    struct xrw_record_options options = w->options;

    options.runs = 3;
    options.max_exits = 2;
    options.base_touched = base_touched;
    for (unsigned n = 1;; n++) {
        int rc;

        fake_source_init(&w->fake, 20);
        w->fake.fail_at = n;
        w->options = options;
        rc = world_record(w);
        if (!w->fake.failed) {
            assert_int_equal(rc, 0);
            break;
        }
        assert_int_equal(rc, -EIO);
        assert_int_equal(w->fake.starts, w->fake.stops);
        if (access(w->path, F_OK))
            continue;
        world_reopen(w);
        /* Runs before the one that failed are whole. */
        for (uint64_t id = 1; id < xrw_store_run_count(w->store); id++)
            assert_string_equal(run_of(w, id).stop, "exits");
        world_remove_files(w);
    }
    world_reopen(w);
    assert_int_equal(xrw_store_run_count(w->store), 3);
}

/* The guest of three exits writes pages 1 to 3, and its code is in page 1. */
static void test_base_of_what_is_touched(void **state)
{
    struct world *w = *state;
    struct xrw_error err = {""};
    uint8_t page[XRW_PAGE_BYTES];
    char text[32];

    fake_source_init(&w->fake, 3);
    w->options.base_touched = true;
    world_recorded(w, "guest-end", 3);
    assert_int_equal(xrw_store_get_meta(w->store, "base", text, sizeof text), 0);
    assert_string_equal(text, "touched");
    for (uint64_t exit = 0; exit <= 3; exit++)
        for (xrw_gfn gfn = 0; gfn < FAKE_PAGES; gfn++) {
            int rc = xrw_store_page(w->store, 1, gfn, exit, page, NULL, &err);

            if (gfn >= 1 && gfn <= 3)
                assert_int_equal(word_of(w, 1, gfn, exit), fake_source_word(gfn, exit));
            else
                assert_int_equal(rc, -ENODATA);
        }
    assert_non_null(strstr(err.text, "only pages that the run reached were kept"));
}

/* What one run reached is known in the others too: their memory begins alike. */
static void test_base_of_what_runs_touch(void **state)
{
    struct world *w = *state;
    uint8_t page[XRW_PAGE_BYTES];

    fake_source_init(&w->fake, 4);
    w->options.base_touched = true;
    w->options.runs = 3;
    assert_int_equal(world_record(w), 0);
    world_reopen(w);
    for (uint64_t id = 1; id <= 3; id++) {
        for (xrw_gfn gfn = 1; gfn <= 4; gfn++)
            for (uint64_t n = 0; n <= 4; n++)
                assert_int_equal(word_of(w, id, gfn, n ? run_of(w, id).first_exit + n - 1 : 0),
                                 fake_source_word(gfn, n));
        assert_int_equal(xrw_store_page(w->store, id, 5, 0, page, NULL, NULL), -ENODATA);
    }
}

static void test_each_call_fails_once(void **state)
{
    fail_each_call_once(*state, false);
}

static void test_each_call_fails_once_with_a_touched_base(void **state)
{
    fail_each_call_once(*state, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(runs),
        WORLD_TEST(limits_are_of_each_run),
        WORLD_TEST(inputs),
        WORLD_TEST(one_run_with_an_input),
        WORLD_TEST(inputs_are_checked_first),
        WORLD_TEST(pages_that_a_reset_leaves_otherwise),
        WORLD_TEST(base_of_what_is_touched),
        WORLD_TEST(base_of_what_runs_touch),
        WORLD_TEST(interrupted),
        WORLD_TEST(idle_runs_do_not_wait),
        WORLD_TEST(each_call_fails_once),
        WORLD_TEST(each_call_fails_once_with_a_touched_base),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
