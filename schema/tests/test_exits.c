/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is written is read back: exits, resume states, instructions, runs, meta. */
#include "sample.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void assert_same_exit(const struct xrw_exit *a, const struct xrw_exit *b)
{
    assert_int_equal(a->id, b->id);
    assert_int_equal(a->run, b->run);
    assert_int_equal(a->vcpu, b->vcpu);
    for (unsigned i = 0; i < XRW_EXIT_FIELD_COUNT; i++) {
        assert_int_equal(a->field_known[i], b->field_known[i]);
        if (a->field_known[i])
            assert_true(a->field[i] == b->field[i]);
    }
    assert_true(xrw_registers_equal(&a->before, &b->before));
    assert_int_equal(a->has_after, b->has_after);
    if (a->has_after)
        assert_true(xrw_registers_equal(&a->after, &b->after));
}

static void random_exits_come_back(void **state)
{
    struct sample_random random = sample_seed(), again = random;
    struct xrw_error err = {""};
    struct xrw_exit written, read;
    struct xrw_store *store;

    (void)state;
    sample_recording(sample_path("random.db"), random, 2000);
    assert_done(xrw_store_open(&store, sample_path("random.db"), &err), err);
    for (xrw_exit_id id = 1; id <= 2000; id++) {
        sample_exit(&again, 1, id, &written);
        assert_done(xrw_store_exit(store, id, &read, &err), err);
        assert_same_exit(&written, &read);
    }
    memset(&read, 0x5a, sizeof read);
    assert_int_equal(xrw_store_exit(store, 2001, &read, &err), -ENOENT);
    assert_int_equal(xrw_store_exit(store, 0, &read, &err), -ENOENT);
    assert_int_equal(xrw_store_exit(store, UINT64_MAX, &read, &err), -ENOENT);
    assert_true(read.id == UINT64_C(0x5a5a5a5a5a5a5a5a));
    assert_done(xrw_store_close(store, &err), err);
}

struct upright {
    const struct xrw_exit *exit;
    unsigned reg;
};

static void assert_value(const char *text, bool known, uint64_t value)
{
    char expected[32] = "";

    if (known)
        (void)snprintf(expected, sizeof expected, "%" PRId64, (int64_t)value);
    assert_string_equal(text ? text : "", expected);
}

static int compare_register(void *ctx, int columns, const char *const *names,
                            const char *const *values)
{
    struct upright *upright = ctx;
    const struct xrw_exit *exit = upright->exit;
    unsigned reg = upright->reg++;

    (void)columns;
    (void)names;
    assert_string_equal(values[0], xrw_register_table[reg].name);
    assert_value(values[1], exit->before.known[reg], exit->before.value[reg]);
    assert_value(values[2], exit->has_after && exit->after.known[reg], exit->after.value[reg]);
    return 0;
}

/* The views are SQL of their own: they must say what the library says. */
static void the_views_agree_with_the_library(void **state)
{
    struct xrw_error err = {""};
    struct xrw_store *store;

    (void)state;
    sample_recording(sample_path("views.db"), sample_seed(), 60);
    assert_done(xrw_store_open(&store, sample_path("views.db"), &err), err);
    for (xrw_exit_id id = 1; id <= 60; id++) {
        struct xrw_exit exit;
        struct upright upright = {&exit, 0};
        char sql[96];

        assert_done(xrw_store_exit(store, id, &exit, &err), err);
        (void)snprintf(sql, sizeof sql,
                       "SELECT register, before, after FROM registers WHERE id = %" PRIu64, id);
        assert_done(xrw_store_query(store, sql, 1000, 5000, compare_register, &upright, &err), err);
        assert_int_equal(upright.reg, XRW_REGISTER_COUNT);
    }
    assert_done(xrw_store_close(store, &err), err);
}

/* A register that was known and is not any more is not the same as one that did not change. */
static void known_and_unknown_are_told_apart_after_the_exit(void **state)
{
    struct xrw_run run = sample_run(1, 1, XRW_MEMORY_NONE);
    struct xrw_error err = {""};
    struct xrw_exit exit = {.id = 1, .run = 1, .has_after = true}, read;
    struct xrw_store *store;

    (void)state;
    xrw_registers_set(&exit.before, XRW_REG_rax, 1); /* becomes unknown */
    xrw_registers_set(&exit.after, XRW_REG_rcx, 2);  /* becomes known */
    xrw_registers_set(&exit.before, XRW_REG_rdx, 3); /* stays */
    xrw_registers_set(&exit.after, XRW_REG_rdx, 3);
    xrw_registers_set(&exit.before, XRW_REG_cr4, 4); /* a system register becomes unknown */
    assert_done(xrw_store_create(&store, sample_path("known.db"), &err), err);
    assert_done(xrw_store_begin_run(store, &run, &err), err);
    assert_done(xrw_store_add_exit(store, &exit, &err), err);
    assert_done(xrw_store_exit(store, 1, &read, &err), err);
    assert_same_exit(&exit, &read);
    assert_done(xrw_store_close(store, &err), err);
}

/* A source may number the system registers; whether it does, and where it begins anew to compare
 * them, makes no difference. */
static void numbered_system_registers_come_back(void **state)
{
    static const struct {
        uint64_t number, cr4;
    } cases[] = {{7, 1}, {7, 1}, {8, 2}, {0, 2}, {8, 2}, {7, 1}, {0, 3}, {9, 1}, {9, 1}, {0, 2}};
    const unsigned count = sizeof cases / sizeof *cases;
    struct xrw_run run = sample_run(1, 1, XRW_MEMORY_NONE);
    struct xrw_error err = {""};
    struct xrw_exit exit[sizeof cases / sizeof *cases] = {{0}}, read;
    struct xrw_store *store;

    (void)state;
    assert_done(xrw_store_create(&store, sample_path("numbers.db"), &err), err);
    assert_done(xrw_store_begin_run(store, &run, &err), err);
    for (unsigned i = 0; i < count; i++) {
        exit[i] = (struct xrw_exit){
            .id = i + 1, .run = 1, .has_after = true, .system_id = cases[i].number};
        xrw_registers_set(&exit[i].before, XRW_REG_cr4, cases[i].cr4);
        xrw_registers_set(&exit[i].after, XRW_REG_cr4, i % 4);
        assert_done(xrw_store_add_exit(store, &exit[i], &err), err);
    }
    for (unsigned i = 0; i < count; i++) {
        assert_done(xrw_store_exit(store, i + 1, &read, &err), err);
        assert_same_exit(&exit[i], &read);
    }
    assert_done(xrw_store_close(store, &err), err);
}

static void exits_must_follow_one_another(void **state)
{
    struct xrw_run run = sample_run(1, 1, XRW_MEMORY_NONE);
    struct xrw_error err = {""};
    struct xrw_exit exit = {.id = 2, .run = 1};
    struct xrw_store *store;

    (void)state;
    assert_done(xrw_store_create(&store, sample_path("order.db"), &err), err);
    assert_int_equal(xrw_store_add_exit(store, &exit, &err), -EINVAL);
    assert_done(xrw_store_begin_run(store, &run, &err), err);
    assert_int_equal(xrw_store_add_exit(store, &exit, &err), -EINVAL);
    exit.id = 1;
    assert_done(xrw_store_add_exit(store, &exit, &err), err);
    assert_int_equal(xrw_store_add_exit(store, &exit, &err), -EINVAL);
    assert_int_equal(xrw_store_begin_run(store, &run, &err), -EINVAL);
    assert_done(xrw_store_end_run(store, &run, &err), err);
    exit.id = 2;
    assert_int_equal(xrw_store_add_exit(store, &exit, &err), -EINVAL);
    run = sample_run(3, 2, XRW_MEMORY_NONE);
    assert_int_equal(xrw_store_begin_run(store, &run, &err), -EINVAL);
    run = sample_run(2, 7, XRW_MEMORY_NONE);
    assert_int_equal(xrw_store_begin_run(store, &run, &err), -EINVAL);
    run = sample_run(2, 2, XRW_MEMORY_NONE);
    assert_done(xrw_store_begin_run(store, &run, &err), err);
    exit.run = 2;
    assert_done(xrw_store_add_exit(store, &exit, &err), err);
    assert_done(xrw_store_close(store, &err), err);
}

static void runs_come_back(void **state)
{
    struct xrw_run run = sample_run(1, 1, XRW_MEMORY_FRAMES), read;
    struct xrw_error err = {""};
    struct xrw_store *store;

    (void)state;
    assert_done(xrw_store_create(&store, sample_path("runs.db"), &err), err);
    assert_int_equal(xrw_store_run_count(store), 0);
    assert_int_equal(xrw_store_run(store, 1, &read, &err), -ENOENT);
    assert_done(xrw_store_begin_run(store, &run, &err), err);
    run.end_unix_ns = 77;
    (void)strcpy(run.stop, "until-rip");
    (void)strcpy(run.stop_detail, "rip 0x1000 reached");
    assert_done(xrw_store_end_run(store, &run, &err), err);
    assert_done(xrw_store_close(store, &err), err);
    assert_done(xrw_store_open(&store, sample_path("runs.db"), &err), err);
    assert_int_equal(xrw_store_run_count(store), 1);
    memset(&read, 0, sizeof read);
    assert_done(xrw_store_run(store, 1, &read, &err), err);
    assert_string_equal(read.source, "xen");
    assert_string_equal(read.mode, "pause");
    assert_int_equal(read.memory, XRW_MEMORY_FRAMES);
    assert_int_equal(read.vcpus, 4);
    assert_true(read.interrupts && read.reexecutable);
    assert_string_equal(read.fitness, run.fitness);
    assert_int_equal(read.domain, 7);
    assert_int_equal(read.parent, 5);
    assert_true(read.start_unix_ns == run.start_unix_ns);
    assert_int_equal(read.end_unix_ns, 77);
    assert_int_equal(read.first_exit, 1);
    assert_int_equal(read.last_exit, 0);
    assert_string_equal(read.stop, "until-rip");
    assert_string_equal(read.stop_detail, "rip 0x1000 reached");
    assert_int_equal(xrw_store_run(store, 2, &read, &err), -ENOENT);
    assert_done(xrw_store_close(store, &err), err);
}

static void meta_and_instructions_come_back(void **state)
{
    struct xrw_error err = {""};
    struct xrw_store *store;
    char text[64];
    uint8_t code[15] = {0};
    size_t bytes = 0;

    (void)state;
    sample_tour(sample_path("tour.db"));
    assert_done(xrw_store_open(&store, sample_path("tour.db"), &err), err);
    assert_done(xrw_store_get_meta(store, "program", text, sizeof text), err);
    assert_string_equal(text, "xenrewind test");
    assert_done(xrw_store_get_meta(store, "program", text, 4), err);
    assert_string_equal(text, "xen");
    assert_done(xrw_store_get_meta(store, "closed", text, sizeof text), err);
    assert_string_equal(text, "1");
    assert_int_equal(xrw_store_get_meta(store, "nothing", text, sizeof text), -ENOENT);
    assert_done(xrw_store_insn(store, 3, code, &bytes, text, sizeof text, &err), err);
    assert_string_equal(text, "out 0xe9, al");
    assert_int_equal(bytes, 1);
    assert_int_equal(code[0], 0x90);
    assert_int_equal(xrw_store_insn(store, 999, code, &bytes, NULL, 0, &err), -ENOENT);
    assert_int_equal(xrw_store_set_meta(store, "a", "b", &err), -EROFS);
    assert_true(xrw_store_file_bytes(store) > 100000);
    assert_done(xrw_store_close(store, &err), err);
}

/* A reader sees what has been committed, whole exits only, while the recorder goes on. */
static void a_growing_recording_can_be_read(void **state)
{
    struct xrw_run run = sample_run(1, 1, XRW_MEMORY_EXIT), read;
    struct xrw_error err = {""};
    struct xrw_exit exit = {.id = 1, .run = 1};
    struct xrw_store *writer, *reader;
    uint8_t page[XRW_PAGE_BYTES] = {1};

    (void)state;
    assert_done(xrw_store_create(&writer, sample_path("grow.db"), &err), err);
    assert_done(xrw_store_begin_run(writer, &run, &err), err);
    assert_done(xrw_store_add_exit(writer, &exit, &err), err);
    assert_done(xrw_store_commit(writer, &err), err);
    assert_done(xrw_store_open(&reader, sample_path("grow.db"), &err), err);
    exit.id = 2;
    assert_done(xrw_store_add_page(writer, 1, 9, 2, page, false, &err), err);
    assert_done(xrw_store_commit(writer, &err), err); /* waits for exit 2 */
    assert_done(xrw_store_refresh(reader, &err), err);
    assert_done(xrw_store_run(reader, 1, &read, &err), err);
    assert_int_equal(read.last_exit, 1);
    assert_int_equal(xrw_store_exit(reader, 2, &exit, &err), -ENOENT);
    exit.id = 2;
    assert_done(xrw_store_add_exit(writer, &exit, &err), err);
    assert_done(xrw_store_refresh(reader, &err), err);
    assert_done(xrw_store_run(reader, 1, &read, &err), err);
    assert_int_equal(read.last_exit, 2);
    assert_done(xrw_store_page(reader, 1, 9, 2, page, NULL, &err), err);
    assert_done(xrw_store_end_run(writer, &run, &err), err);
    assert_done(xrw_store_close(writer, &err), err);
    assert_done(xrw_store_exit(reader, 2, &exit, &err), err);
    assert_done(xrw_store_close(reader, &err), err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_exits_come_back),
        cmocka_unit_test(the_views_agree_with_the_library),
        cmocka_unit_test(known_and_unknown_are_told_apart_after_the_exit),
        cmocka_unit_test(numbered_system_registers_come_back),
        cmocka_unit_test(exits_must_follow_one_another),
        cmocka_unit_test(runs_come_back),
        cmocka_unit_test(meta_and_instructions_come_back),
        cmocka_unit_test(a_growing_recording_can_be_read),
    };

    return cmocka_run_group_tests(tests, sample_set_up, sample_tear_down);
}
