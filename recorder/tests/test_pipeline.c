/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a fake source into real files: what, and until when. */
#include "support.h"

#include "world.h"
#include "xrw/vmx.h"

#include <errno.h>
#include <unistd.h>

/* ---- what is recorded ------------------------------------------------ */

static void test_exits(void **state)
{
    struct world *w = *state;
    struct xrw_exit exit;
    uint8_t code[XRW_INSN_MAX_BYTES], fxsave[XRW_FXSAVE_BYTES];
    char text[64];
    size_t bytes;

    w->fake.unheld_at = 9;
    w->options.symbol_file = "vmlinux";
    world_recorded(w, "guest-end", 20);
    assert_string_equal(w->run.stop_detail, "the guest powered off");
    for (uint64_t id = 1; id <= 20; id++) {
        assert_int_equal(xrw_store_exit(w->store, id, &exit, NULL), 0);
        assert_int_equal(xrw_exit_basic_reason(&exit),
                         id % FAKE_VMCALL_EVERY ? XRW_VMX_CPUID : XRW_VMX_VMCALL);
        assert_int_equal(exit.before.value[XRW_REG_rax], id);
        assert_int_equal(exit.has_after, id != 9);
        assert_int_equal(exit.after.value[XRW_REG_rax], id == 9 ? 0 : 2 * id);
        assert_int_equal(exit.field[XRW_EXIT_time_ns], id * 1000000);
        assert_int_equal(xrw_store_insn(w->store, id, code, &bytes, text, sizeof text, NULL),
                         id == 9 ? -ENOENT : 0);
        if (id == 9)
            continue;
        assert_int_equal(bytes, 2);
        assert_memory_equal(code, "\x0f\xa2", 2);
        assert_string_equal(text, "cpuid");
        assert_int_equal(xrw_store_fxsave(w->store, id, fxsave, NULL), 0);
        assert_int_equal(fxsave[100], (id == 9 ? 8 : id) / 4);
    }
    assert_int_equal(xrw_store_exit(w->store, 21, &exit, NULL), -ENOENT);
    assert_int_equal(xrw_store_get_meta(w->store, "symbol_file", text, sizeof text), 0);
    assert_string_equal(text, "vmlinux");
    assert_int_equal(xrw_store_get_meta(w->store, "hypervisor", text, sizeof text), 0);
    assert_int_equal(w->notices, 1); /* of the exit that was not held */
}

/* Reads through a handle of its own what was recorded, and writes what it learned of it. */
static int finish(void *ctx, struct xrw_store *store, struct xrw_error *err)
{
    struct world *w = ctx;
    struct xrw_store *reader;
    struct xrw_exit exit;

    assert_int_equal(xrw_store_open(&reader, w->options.path, err), 0);
    assert_int_equal(xrw_store_exit(reader, 20, &exit, err), 0);
    assert_int_equal(xrw_store_close(reader, NULL), 0);
    return xrw_store_set_meta(store, "kaslr", exit.before.value[XRW_REG_rax] == 20 ? "20" : "",
                              err);
}

static void test_last_words(void **state)
{
    struct world *w = *state;
    char text[64];

    w->options.finish = finish;
    world_recorded(w, "guest-end", 20);
    assert_int_equal(xrw_store_get_meta(w->store, "kaslr", text, sizeof text), 0);
    assert_string_equal(text, "20");
}

/* ---- when it stops --------------------------------------------------- */

static void test_stop_exits(void **state)
{
    struct world *w = *state;

    w->options.max_exits = 7;
    world_recorded(w, "exits", 7);
    /* The guest did not go on after the last one. */
    assert_int_equal(w->fake.delivered, 7);
    assert_int_equal(w->fake.resumed, 6);
}

static void test_stop_seconds(void **state)
{
    struct world *w = *state;

    w->fake.step_ns = 100000000;
    w->options.max_seconds = 0.75;
    world_recorded(w, "seconds", 8);
}

static void test_stop_seconds_without_exits(void **state)
{
    struct world *w = *state;

    w->fake.exits = 0;
    w->fake.afterwards = SOURCE_IDLE;
    w->fake.step_ns = 100000000;
    w->options.max_seconds = 2;
    w->options.memory = XRW_RECORD_MEMORY_END;
    world_recorded(w, "seconds", 0); /* the base image is there */
    assert_int_equal(w->fake.clock_ns, 2000000000);
}

static void test_stop_rip(void **state)
{
    struct world *w = *state;

    w->options.until_rip = true;
    w->options.rip = FAKE_CODE + 2 * 11;
    world_recorded(w, "until-rip", 11);
}

static void test_stop_reason(void **state)
{
    struct world *w = *state;

    w->options.until_reason = XRW_VMX_VMCALL;
    world_recorded(w, "until-reason", FAKE_VMCALL_EVERY);
    assert_non_null(strstr(w->run.stop_detail, "VMCALL"));
}

static void test_stop_idle(void **state)
{
    struct world *w = *state;

    w->fake.afterwards = SOURCE_IDLE;
    w->fake.step_ns = 100000000;
    w->options.idle_seconds = 1.5;
    world_recorded(w, "guest-idle", 20);
    assert_int_equal(w->fake.clock_ns, (20 + 15) * UINT64_C(100000000));
    assert_non_null(strstr(w->run.stop_detail, "--allow-interrupts"));
}

/* A guest that runs without an exit is not idle, however long. */
static void stop_after_a_minute(struct fake_source *fake, uint64_t exit)
{
    (void)exit;
    if (fake->clock_ns > UINT64_C(60000000000))
        world_interrupted = 1;
}

static void test_running_is_not_idle(void **state)
{
    struct world *w = *state;

    w->fake.afterwards = SOURCE_TIMEOUT;
    w->fake.step_ns = 100000000;
    w->fake.at_exit = stop_after_a_minute;
    w->options.idle_seconds = 1;
    world_recorded(w, "interrupted", 20);
}

static void interrupt_at_13(struct fake_source *fake, uint64_t exit)
{
    (void)fake;
    if (exit == 13)
        world_interrupted = 1;
}

static void test_stop_interrupted(void **state)
{
    struct world *w = *state;

    w->fake.at_exit = interrupt_at_13;
    world_recorded(w, "interrupted", 13);
}

static void test_interrupted_before_it_began(void **state)
{
    struct world *w = *state;

    world_interrupted = 1;
    assert_int_equal(world_record(w), -EINTR);
    assert_int_equal(w->fake.stops, 1);
    assert_false(w->fake.going);
    assert_int_not_equal(access(w->path, F_OK), 0);
}

/* ---- memory -------------------------------------------------------- */

static void test_memory_exit(void **state)
{
    struct world *w = *state;

    w->options.memory = XRW_RECORD_MEMORY_EXIT;
    world_recorded(w, "guest-end", 20);
    assert_int_equal(w->run.memory, XRW_MEMORY_EXIT);
    world_check_memory(w, at_every_exit);
}

static void test_memory_every(void **state)
{
    struct world *w = *state;

    w->options.memory = XRW_RECORD_MEMORY_EVERY;
    w->options.memory_every = 6;
    w->options.max_exits = 16;
    world_recorded(w, "exits", 16);
    assert_int_equal(w->run.memory, XRW_MEMORY_FRAMES);
    world_check_memory(w, at_frames);
}

/* Private now, with the content it had. */
static void copy_page_5(struct fake_source *fake, uint64_t exit)
{
    fake->changed[5] = fake->changed[5] || exit == 2;
}

/* Between two frames it may have changed and changed back. */
static void test_memory_of_a_private_page_between_frames(void **state)
{
    struct world *w = *state;
    uint64_t word;

    w->options.memory = XRW_RECORD_MEMORY_EVERY;
    w->options.memory_every = 4;
    w->options.max_exits = 4;
    w->fake.at_exit = copy_page_5;
    world_recorded(w, "exits", 4);
    assert_int_equal(world_stored_word(w, 5, 2, &word), -ENODATA);
    assert_int_equal(world_stored_word(w, 5, 4, &word), 0);
    assert_int_equal(word, fake_source_word(5, 0));
    /* The fork never had this one. */
    assert_int_equal(world_stored_word(w, 0, 2, &word), 0);
    assert_int_equal(word, fake_source_word(0, 0));
}

static void test_memory_end(void **state)
{
    static const int outcomes[] = {SOURCE_ENDED, SOURCE_IDLE};
    struct world *w = *state;

    for (size_t i = 0; i < 2; i++) {
        fake_source_init(&w->fake, 20);
        w->fake.afterwards = outcomes[i];
        w->fake.step_ns = 100000000;
        w->options.idle_seconds = 1;
        w->options.memory = XRW_RECORD_MEMORY_END;
        world_recorded(w, outcomes[i] == SOURCE_ENDED ? "guest-end" : "guest-idle", 20);
        world_check_memory(w, at_the_end);
        world_remove_files(w);
    }
    fake_source_init(&w->fake, 20);
    w->options.max_exits = 11;
    world_recorded(w, "exits", 11);
    world_check_memory(w, at_the_end);
    assert_int_equal(w->notices, 0);
}

/* It was not at an exit when it was stopped: no exit's memory is known, and that is said. */
static void test_memory_end_of_a_running_guest(void **state)
{
    struct world *w = *state;

    w->fake.afterwards = SOURCE_TIMEOUT;
    w->fake.step_ns = 100000000;
    w->options.max_seconds = 10;
    w->options.memory = XRW_RECORD_MEMORY_END;
    world_recorded(w, "seconds", 20);
    world_check_memory(w, at_the_start);
    assert_int_equal(w->notices, 1);
}

static void test_memory_start(void **state)
{
    struct world *w = *state;

    w->options.memory = XRW_RECORD_MEMORY_START;
    world_recorded(w, "guest-end", 20);
    assert_int_equal(w->run.memory, XRW_MEMORY_NONE);
    world_check_memory(w, at_the_start);
}

static void test_memory_none(void **state)
{
    struct world *w = *state;
    uint64_t word;

    w->options.memory = XRW_RECORD_MEMORY_NONE;
    w->fake.final_at = 15;
    world_recorded(w, "one-exit", 15);
    assert_int_equal(w->run.memory, XRW_MEMORY_NONE);
    assert_int_equal(world_stored_word(w, 0, 0, &word), -ENODATA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(exits),
        WORLD_TEST(last_words),
        WORLD_TEST(stop_exits),
        WORLD_TEST(stop_seconds),
        WORLD_TEST(stop_seconds_without_exits),
        WORLD_TEST(stop_rip),
        WORLD_TEST(stop_reason),
        WORLD_TEST(stop_idle),
        WORLD_TEST(running_is_not_idle),
        WORLD_TEST(stop_interrupted),
        WORLD_TEST(interrupted_before_it_began),
        WORLD_TEST(memory_exit),
        WORLD_TEST(memory_every),
        WORLD_TEST(memory_of_a_private_page_between_frames),
        WORLD_TEST(memory_end),
        WORLD_TEST(memory_end_of_a_running_guest),
        WORLD_TEST(memory_start),
        WORLD_TEST(memory_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
