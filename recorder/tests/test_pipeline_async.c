/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A source that lets the guest go on at once, and holds it where it is asked to. */
#include "support.h"

#include "world.h"

#include <errno.h>
#include <unistd.h>

static int setup(void **state)
{
    int rc = world_setup(state);
    struct world *w = *state;

    w->fake.lets_go = true;
    return rc;
}

#define ASYNC_TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, world_teardown)

/* Where the fake was held all is known, and elsewhere what the event says alone. */
static void check_exits(struct world *w, bool (*held)(const struct world *w, uint64_t exit))
{
    for (uint64_t id = 1; id <= w->run.last_exit; id++) {
        struct xrw_exit exit;
        uint8_t code[XRW_INSN_MAX_BYTES];
        size_t bytes;

        assert_int_equal(xrw_store_exit(w->store, id, &exit, NULL), 0);
        assert_int_equal(exit.before.value[XRW_REG_rax], id);
        assert_int_equal(exit.has_after, held(w, id));
        assert_int_equal(xrw_store_insn(w->store, id, code, &bytes, NULL, 0, NULL),
                         held(w, id) ? 0 : -ENOENT);
    }
}

static bool at_none(const struct world *w, uint64_t exit)
{
    (void)w;
    (void)exit;
    return false;
}

static void test_registers_only(void **state)
{
    struct world *w = *state;
    uint64_t word;

    world_recorded(w, "guest-end", 20);
    assert_string_equal(w->run.mode, "async");
    assert_int_equal(w->run.memory, XRW_MEMORY_NONE);
    check_exits(w, at_none);
    assert_int_equal(world_stored_word(w, 0, 0, &word), -ENODATA);
    assert_int_equal(w->notices, 0);
}

/* What the recording's file beside it is called while rows are still to be made. */
static bool ring_is_there(const struct world *w)
{
    char ring[sizeof w->path + 8];

    (void)snprintf(ring, sizeof ring, "%s-ring", w->path);
    return !access(ring, F_OK);
}

/* While the guest runs no rows are made. */
static void look_for_rows(struct fake_source *fake, uint64_t exit)
{
    struct world *w = fake->at_exit_ctx;
    struct xrw_store *reader;
    struct xrw_run run;

    if (exit < 3)
        return;
    assert_true(ring_is_there(w));
    assert_int_equal(xrw_store_open(&reader, w->path, NULL), 0);
    assert_int_equal(xrw_store_run(reader, 1, &run, NULL), 0);
    assert_int_equal(run.last_exit, 0);
    assert_int_equal(xrw_store_close(reader, NULL), 0);
}

static void test_rows_later(void **state)
{
    struct world *w = *state;

    w->options.rows = XRW_RECORD_ROWS_LATER;
    w->fake.at_exit = look_for_rows;
    w->fake.at_exit_ctx = w;
    world_recorded(w, "guest-end", 20);
    check_exits(w, at_none);
    assert_true(w->result.rows_seconds >= 0);
    assert_true(w->result.progress.file_bytes > 0);
    assert_false(ring_is_there(w));
}

static void test_rows_later_is_not_for_all(void **state)
{
    struct world *w = *state;
    const struct {
        enum xrw_record_memory memory;
        bool durable;
        uint64_t runs;
    } tries[] = {
        {XRW_RECORD_MEMORY_END, false, 0},
        {XRW_RECORD_MEMORY_NONE, true, 0},
        {XRW_RECORD_MEMORY_NONE, false, 2},
    };

    w->options.rows = XRW_RECORD_ROWS_LATER;
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        fake_source_init(&w->fake, 20);
        w->fake.lets_go = true;
        w->options.memory = tries[i].memory;
        w->options.durable = tries[i].durable;
        w->options.runs = tries[i].runs;
        assert_int_equal(world_record(w), -EINVAL);
        assert_non_null(strstr(w->err.text, "--rows"));
        assert_int_equal(access(w->path, F_OK), -1);
    }
}

static bool at_multiples_and_the_end(const struct world *w, uint64_t exit)
{
    return exit && at_frames(w, exit);
}

static void test_every(void **state)
{
    struct world *w = *state;

    w->options.memory = XRW_RECORD_MEMORY_EVERY;
    w->options.memory_every = 6;
    w->options.max_exits = 16;
    world_recorded(w, "exits", 16);
    assert_int_equal(w->run.memory, XRW_MEMORY_FRAMES);
    check_exits(w, at_multiples_and_the_end);
    world_check_memory(w, at_frames);
    /* At the start, at 6, 12 and 16. */
    assert_int_equal(w->fake.contexts, 4);
}

static bool at_13(const struct world *w, uint64_t exit)
{
    (void)w;
    return exit == 13;
}

/* It cannot be held at once: the recording goes on until it is. */
static void test_end_comes_late(void **state)
{
    struct world *w = *state;

    w->options.memory = XRW_RECORD_MEMORY_END;
    w->options.until_rip = true;
    w->options.rip = FAKE_CODE + 2 * 9;
    w->fake.hold_delay = 3;
    world_recorded(w, "until-rip", 13);
    assert_non_null(strstr(w->run.stop_detail, "at exit 9"));
    check_exits(w, at_13);
    world_check_memory(w, at_the_end);
}

static bool at_8_13_18(const struct world *w, uint64_t exit)
{
    (void)w;
    return exit == 8 || exit == 13 || exit == 18;
}

/* A frame that comes late is followed by the next one in time. */
static void test_frames_come_late(void **state)
{
    struct world *w = *state;

    w->options.memory = XRW_RECORD_MEMORY_EVERY;
    w->options.memory_every = 5;
    w->fake.hold_delay = 3;
    world_recorded(w, "guest-end", 20);
    check_exits(w, at_8_13_18);
    for (uint64_t id = 0; id <= 20; id++)
        for (xrw_gfn gfn = 0; gfn < FAKE_PAGES; gfn++) {
            uint64_t word;

            if (!id || at_8_13_18(w, id) || id == 20)
                assert_int_equal(world_stored_word(w, gfn, id, &word), 0);
        }
}

static void test_every_exit(void **state)
{
    struct world *w = *state;

    w->options.memory = XRW_RECORD_MEMORY_EXIT;
    w->fake.unheld_at = 9;
    world_recorded(w, "guest-end", 20);
    assert_int_equal(w->run.memory, XRW_MEMORY_FRAMES);
    for (uint64_t id = 1; id <= 20; id++) {
        struct xrw_exit exit;
        uint64_t word;

        assert_int_equal(xrw_store_exit(w->store, id, &exit, NULL), 0);
        assert_int_equal(exit.has_after, id != 9);
        assert_int_equal(world_stored_word(w, id % FAKE_PAGES, id, &word), id == 9 ? -ENODATA : 0);
    }
    assert_int_equal(w->notices, 0);
}

static void test_by_time(void **state)
{
    struct world *w = *state;
    unsigned frames = 0;

    w->options.memory = XRW_RECORD_MEMORY_EVERY;
    w->options.memory_every_ns = 4000000; /* 4 exits of the fake's */
    w->options.max_exits = 18;
    world_recorded(w, "exits", 18);
    for (uint64_t id = 1; id <= 18; id++) {
        struct xrw_exit exit;

        assert_int_equal(xrw_store_exit(w->store, id, &exit, NULL), 0);
        frames += exit.has_after;
        assert_true(id != 18 || exit.has_after);
    }
    assert_in_range(frames, 4, 5);
    world_check_memory(w, at_the_end);
}

/* The guest runs, and exits no more: what its memory is, is not known. */
static void test_never_held(void **state)
{
    struct world *w = *state;

    w->fake.afterwards = SOURCE_TIMEOUT;
    w->fake.step_ns = 100000000;
    w->options.max_seconds = 1.5;
    w->options.memory = XRW_RECORD_MEMORY_END;
    w->fake.hold_delay = 100;
    world_recorded(w, "seconds", 20);
    world_check_memory(w, at_the_start);
    assert_int_equal(w->notices, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ASYNC_TEST(registers_only),   ASYNC_TEST(every),      ASYNC_TEST(end_comes_late),
        ASYNC_TEST(frames_come_late), ASYNC_TEST(every_exit), ASYNC_TEST(by_time),
        ASYNC_TEST(never_held),       ASYNC_TEST(rows_later), ASYNC_TEST(rows_later_is_not_for_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
