/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Many runs of a fork that is reset between them, on a hypervisor in the test program. */
#include "support.h"

#include "modes_world.h"
#include "xrw/vmx.h"

#include <stdlib.h>
#include <unistd.h>

#define RUNS 4u
#define EXITS 20u
#define INPUT_AT 0x1800u /* in the page that vCPU 0 writes to */

static void prepare(struct world *w, enum xrw_record_mode mode)
{
    again(w, EXITS);
    fake_xen.patched = true;
    w->options.mode = mode;
    w->options.fork = 0;
    w->options.parent = FAKE_XEN_PARENT;
    w->options.runs = RUNS;
}

static uint64_t word_at(struct world *w, uint64_t run, uint64_t exit, size_t offset)
{
    uint8_t page[XRW_PAGE_BYTES];
    uint64_t word;

    assert_int_equal(xrw_store_page(w->store, run, 1, exit, page, NULL, NULL), 0);
    memcpy(&word, page + offset, sizeof word);
    return word;
}

/* Run by run: the exits are those of the first, but that it lacked a page; memory begins anew. */
static void check_runs(struct world *w, uint64_t exits)
{
    const uint64_t untouched = 0x1111111111111111;

    assert_int_equal(xrw_store_run_count(w->store), RUNS);
    for (uint64_t id = 1; id <= RUNS; id++) {
        struct xrw_run run;

        assert_int_equal(xrw_store_run(w->store, id, &run, NULL), 0);
        assert_int_equal(run.last_exit + 1 - run.first_exit, exits);
        assert_int_equal(word_at(w, id, 0, 8), untouched);
        for (uint64_t own = 1; own <= exits; own++) {
            struct xrw_exit exit;
            bool lacked = id == 1 && own == 1;
            uint64_t n = run.first_exit + own - 1;

            assert_int_equal(xrw_store_exit(w->store, n, &exit, NULL), 0);
            assert_int_equal(exit.before.value[XRW_REG_rax], own);
            assert_int_equal(xrw_exit_basic_reason(&exit),
                             lacked ? XRW_VMX_EPT_VIOLATION : XRW_VMX_CPUID);
            assert_int_equal(word_at(w, id, n, 8 * (own % 16)),
                             lacked ? untouched : fake_xen_word(0, own));
            if (own < 15)
                assert_int_equal(word_at(w, id, n, 8 * (own % 16) + 8), untouched);
        }
    }
}

static void test_pause(void **state)
{
    struct world *w = *state;

    prepare(w, XRW_RECORD_MODE_PAUSE);
    record(w, "pause", "guest-end");
    check_runs(w, EXITS);
    assert_int_equal(fake_xen.resets, RUNS - 1);
    assert_int_equal(fake_xen.ept_exits, 1);
}

/* One exit each, after the one of the first run that asked for a page; and the fork is settled by a
 * reset before all of them. */
static void test_sync(void **state)
{
    struct world *w = *state;
    struct xrw_run run;

    prepare(w, XRW_RECORD_MODE_SYNC);
    record(w, "sync", "one-exit");
    assert_int_equal(fake_xen.resets, RUNS);
    for (uint64_t id = 1; id <= RUNS; id++) {
        assert_int_equal(xrw_store_run(w->store, id, &run, NULL), 0);
        assert_int_equal(run.last_exit + 1 - run.first_exit, id == 1 ? 2 : 1);
        assert_string_equal(run.stop, "one-exit");
    }
}

static void test_async(void **state)
{
    struct world *w = *state;

    prepare(w, XRW_RECORD_MODE_ASYNC);
    record(w, "async", "guest-end");
    assert_int_equal(w->result.progress.exits, RUNS * EXITS);
    assert_int_equal(fake_xen.resets, RUNS - 1);
}

/* What is written before each run is there in each, and what the run before left is not. */
static void test_input(void **state)
{
    static const uint64_t word = 0x6f70757420736968;
    const enum xrw_record_mode modes[] = {XRW_RECORD_MODE_PAUSE, XRW_RECORD_MODE_SYNC,
                                          XRW_RECORD_MODE_ASYNC};
    struct xrw_record_input input = {.physical = true, .address = INPUT_AT};
    char path[] = "/tmp/xenrewind-input-XXXXXX";
    int file = mkstemp(path);
    struct world *w = *state;

    assert_int_equal(write(file, &word, sizeof word), sizeof word);
    (void)close(file);
    input.file = path;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        prepare(w, modes[i]);
        w->options.inputs = &input;
        w->options.input_count = 1;
        w->options.memory =
            modes[i] == XRW_RECORD_MODE_ASYNC ? XRW_RECORD_MEMORY_START : XRW_RECORD_MEMORY_EXIT;
        record(w, xrw_record_mode_names[modes[i]],
               modes[i] == XRW_RECORD_MODE_SYNC ? "one-exit" : "guest-end");
        for (uint64_t id = 1; id <= RUNS; id++) {
            assert_int_equal(word_at(w, id, 0, INPUT_AT % XRW_PAGE_BYTES), word);
            assert_int_equal(word_at(w, id, 0, 8), 0x1111111111111111);
        }
        /* The page is the fork's own before the guest touches it, but while a fork settles. */
        assert_int_equal(fake_xen.ept_exits, modes[i] == XRW_RECORD_MODE_SYNC);
    }
    (void)unlink(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, modes_setup, modes_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(pause), TEST(sync), TEST(async), TEST(input)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
