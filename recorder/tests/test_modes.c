/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Xen source in each mode, on a hypervisor in the test program. */
#include "support.h"

#include "modes_world.h"
#include "xrw/vmx.h"

#include <errno.h>

static uint64_t word_at(struct world *w, uint32_t vcpu, uint64_t exit, uint64_t own)
{
    uint8_t page[XRW_PAGE_BYTES];
    uint64_t word;

    assert_int_equal(xrw_store_page(w->store, 1, vcpu + 1, exit, page, NULL, NULL), 0);
    memcpy(&word, page + 8 * (own % 16), sizeof word);
    return word;
}

static int found(void *ctx, int columns, const char *const *names, const char *const *values)
{
    (void)columns;
    (void)names;
    (void)values;
    *(bool *)ctx = true;
    return 0;
}

static bool is_frame(struct world *w, uint64_t exit)
{
    bool is = w->run.memory == XRW_MEMORY_EXIT;
    char sql[80];

    (void)snprintf(sql, sizeof sql, "SELECT 1 FROM memory_frame WHERE exit = %d", (int)exit);
    assert_int_equal(xrw_store_query(w->store, sql, 1, 10000, found, &is, NULL), 0);
    return is;
}

/* Where the FPU's state is known it is the initial one, not what lay in its image before. */
static void check_fpu(struct world *w, uint64_t id)
{
    uint8_t fxsave[XRW_FXSAVE_BYTES];

    if (xrw_store_fxsave(w->store, id, fxsave, NULL))
        return;
    assert_int_equal(fxsave[0], 0x7f);
    assert_int_equal(fxsave[1], 0x03);
}

/* Every exit once, in its vCPU's order; where the guest was held, what it was then. */
static uint64_t check_exits(struct world *w, bool handled)
{
    uint64_t own[FAKE_XEN_VCPUS] = {0}, held = 0;

    for (uint64_t id = 1; id <= w->run.last_exit; id++) {
        struct xrw_exit exit;

        assert_int_equal(xrw_store_exit(w->store, id, &exit, NULL), 0);
        check_fpu(w, id);
        assert_true(exit.vcpu < fake_xen.vcpus);
        assert_int_equal(exit.before.value[XRW_REG_rax], ++own[exit.vcpu]);
        if (handled && !exit.has_after)
            continue;
        held++;
        assert_int_equal(exit.has_after, handled);
        if (handled)
            assert_int_equal(exit.after.value[XRW_REG_rax], 2 * own[exit.vcpu]);
        if (xrw_exit_basic_reason(&exit) != XRW_VMX_EPT_VIOLATION && is_frame(w, id))
            assert_int_equal(word_at(w, exit.vcpu, id, own[exit.vcpu]),
                             fake_xen_word(exit.vcpu, own[exit.vcpu]));
    }
    return held;
}

/* ---- what is taken, and how ------------------------------------------ */

static void test_auto(void **state)
{
    struct world *w = *state;

    record(w, "async", "guest-end");
    assert_non_null(strstr(w->notices, "mode async: this Xen lacks the patches"));
    again(w, 100);
    fake_xen.patched = true;
    record(w, "pause", "guest-end");
    assert_non_null(strstr(w->notices, "mode pause: this Xen is patched"));
    again(w, 100);
    w->options.mode = XRW_RECORD_MODE_PAUSE;
    assert_int_equal(xrw_record(&w->options, &w->result, &w->err), -EOPNOTSUPP);
    assert_non_null(strstr(w->err.text, "xen-patch"));
    assert_false(fake_xen.enabled);
}

static void test_pause(void **state)
{
    struct world *w = *state;

    fake_xen.patched = true;
    record(w, "pause", "guest-end");
    assert_int_equal(w->run.last_exit, 100);
    assert_int_equal(check_exits(w, true), 100);
    assert_int_equal(w->run.memory, XRW_MEMORY_EXIT);
}

/* Which parts of Xen's FPU image are current is not told before the first XSETBV. */
static void test_fpu_not_known(void **state)
{
    struct world *w = *state;
    uint8_t fxsave[XRW_FXSAVE_BYTES];

    fake_xen.patched = true;
    fake_xen.xsetbv = 40;
    record(w, "pause", "guest-end");
    for (uint64_t id = 1; id <= 100; id++)
        assert_int_equal(xrw_store_fxsave(w->store, id, fxsave, NULL), id < 40 ? -ENODATA : 0);
    assert_int_equal(check_exits(w, true), 100);
}

static void test_async(void **state)
{
    struct world *w = *state;

    for (unsigned patched = 0; patched < 2; patched++) {
        again(w, 5000);
        fake_xen.patched = patched;
        w->options.mode = XRW_RECORD_MODE_ASYNC;
        record(w, "async", "guest-end");
        assert_int_equal(w->run.last_exit, 5000);
        assert_int_equal(check_exits(w, true), 0);
        assert_int_equal(w->run.memory, XRW_MEMORY_NONE);
        /* Answers go out together. */
        assert_in_range(fake_xen.notifications, 5000 / 8, 5000 / 2);
        assert_int_equal(fake_xen.contexts, 0);
    }
}

static void test_async_frames(void **state)
{
    static const uint64_t every[] = {1, 2, 3, 7, 8, 9, 50};
    struct world *w = *state;

    w->options.memory = XRW_RECORD_MEMORY_EVERY;
    for (size_t i = 0; i < sizeof every / sizeof *every; i++) {
        struct xrw_exit exit;

        again(w, 400);
        w->options.memory_every = every[i];
        w->options.max_exits = 301;
        record(w, "async", "exits");
        assert_int_equal(w->run.last_exit, 301);
        /* Just there, and at the end; but the ring cannot be full before the eighth, which takes
         * the place of those before. */
        for (uint64_t id = 1; id <= 301; id++) {
            bool due = id == 301 || (id == 8 && every[i] < 8) || (id >= 8 && id % every[i] == 0);

            assert_int_equal(xrw_store_exit(w->store, id, &exit, NULL), 0);
            assert_int_equal(exit.has_after, due);
            assert_int_equal(is_frame(w, id), due);
        }
        assert_true(check_exits(w, true) > 0);
    }
}

static void test_async_late_frame(void **state)
{
    struct world *w = *state;

    w->options.memory = XRW_RECORD_MEMORY_END;
    w->options.until_rip = true;
    w->options.rip = 0x1000 + 2 * 15;
    record(w, "async", "until-rip");
    assert_in_range(w->run.last_exit, 16, 31);
    assert_int_equal(check_exits(w, true), 1);
}

/* Xen hands debug registers out by letting MOV DR execute again; held there for ever, it would for
 * ever. */
static void test_async_repeated(void **state)
{
    struct world *w = *state;

    w->options.memory = XRW_RECORD_MEMORY_EXIT;
    fake_xen.reason = XRW_VMX_DR_ACCESS;
    fake_xen.stays = true;
    record(w, "async", "guest-end");
    assert_int_equal(w->run.last_exit, 100);
    assert_in_range(check_exits(w, true), 45, 55);
}

static void test_sync(void **state)
{
    struct world *w = *state;

    w->options.mode = XRW_RECORD_MODE_SYNC;
    record(w, "sync", "one-exit");
    assert_int_equal(w->run.last_exit, 1);
    assert_int_equal(check_exits(w, false), 1);
    assert_non_null(strstr(w->notices, "is no fork"));
}

/* A fork's missing pages are brought in, and do not end it; exits of the host do not either. */
static void test_sync_fork(void **state)
{
    struct world *w = *state;

    for (unsigned patched = 0; patched < 2; patched++) {
        again(w, 100);
        fake_xen.patched = patched;
        w->options.mode = XRW_RECORD_MODE_SYNC;
        w->options.fork = 0;
        w->options.parent = FAKE_XEN_PARENT;
        record(w, "sync", "one-exit");
        /* Stock events do not tell which page it is: all were brought in, but while it settled. */
        assert_int_equal(w->run.last_exit, patched ? 2 : 1);
        assert_int_equal(fake_xen.ept_exits, 1 + patched);
        assert_int_equal(fake_xen.resets, 1);
        assert_int_equal(check_exits(w, false), w->run.last_exit);
        assert_true(fake_xen.destroyed);
    }
}

/* An external interrupt was seen to before it is sent; an interrupt window would come for ever. */
static void test_sync_host_exits(void **state)
{
    struct world *w = *state;

    w->options.mode = XRW_RECORD_MODE_SYNC;
    fake_xen.reason = XRW_VMX_EXTERNAL_INTERRUPT;
    record(w, "sync", "guest-end");
    assert_int_equal(w->run.last_exit, 100);
    again(w, 100);
    fake_xen.reason = XRW_VMX_INTERRUPT_WINDOW;
    record(w, "sync", "one-exit");
    assert_int_equal(w->run.last_exit, 1);
}

static void test_fork(void **state)
{
    struct world *w = *state;

    w->options.fork = 0;
    w->options.parent = FAKE_XEN_PARENT;
    w->options.memory = XRW_RECORD_MEMORY_EVERY;
    w->options.memory_every = 5;
    record(w, "async", "guest-end");
    assert_int_equal(check_exits(w, true), 20);
    assert_int_equal(fake_xen.ept_exits, 1);
    assert_true(fake_xen.destroyed);
}

static void test_several_vcpus(void **state)
{
    struct world *w = *state;

    for (unsigned patched = 0; patched < 2; patched++)
        for (unsigned vcpus = 2; vcpus <= FAKE_XEN_VCPUS; vcpus++) {
            again(w, 600);
            fake_xen.patched = patched;
            fake_xen.vcpus = vcpus;
            w->options.mode = XRW_RECORD_MODE_ASYNC;
            w->options.memory = XRW_RECORD_MEMORY_NONE;
            record(w, "async", "guest-end");
            assert_int_equal(w->run.last_exit, 600);
            assert_int_equal(check_exits(w, true), 0);
            again(w, 600);
            fake_xen.patched = patched;
            fake_xen.vcpus = vcpus;
            w->options.mode = XRW_RECORD_MODE_AUTO;
            w->options.memory = XRW_RECORD_MEMORY_EVERY;
            w->options.memory_every = 10;
            record(w, patched ? "pause" : "async", "guest-end");
            assert_int_equal(w->run.last_exit, 600);
            if (patched)
                assert_int_equal(check_exits(w, true), 600);
            else
                assert_in_range(check_exits(w, true), 35, 60);
            assert_non_null(strstr(w->notices, "several vCPUs"));
        }
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, modes_setup, modes_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(auto),           TEST(pause),
        TEST(fpu_not_known),  TEST(async),
        TEST(async_frames),   TEST(async_late_frame),
        TEST(async_repeated), TEST(sync),
        TEST(sync_fork),      TEST(sync_host_exits),
        TEST(fork),           TEST(several_vcpus),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
