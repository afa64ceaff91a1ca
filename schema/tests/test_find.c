/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The next or previous exit that matches, compared with looking at every one. */
#include "sample.h"
#include "xrw/vmx.h"

#include <errno.h>
#include <string.h>

enum { EXITS = 400 };

static struct xrw_exit exits[EXITS + 1];

static int set_up(void **state)
{
    static const unsigned reasons[] = {XRW_VMX_CPUID, XRW_VMX_EXTERNAL_INTERRUPT, XRW_VMX_HLT,
                                       XRW_VMX_IO_INSTRUCTION};
    struct sample_random random = sample_seed();
    struct xrw_run run = sample_run(1, 1, XRW_MEMORY_NONE);
    struct xrw_error err = {""};
    struct xrw_store *store;

    sample_make_folder();
    assert_done(xrw_store_create(&store, sample_path("find.db"), &err), err);
    assert_done(xrw_store_begin_run(store, &run, &err), err);
    for (xrw_exit_id id = 1; id <= EXITS; id++) {
        struct xrw_exit *exit = &exits[id];
        /* On both sides of 2^63, where signed and unsigned order differ. */
        uint64_t rip = UINT64_C(0x7fffffffffffff00) + sample_below(&random, 0x20) * 0x10;

        exit->id = id;
        exit->run = 1;
        exit->vcpu = (uint32_t)sample_below(&random, 2);
        if (sample_below(&random, 10))
            xrw_registers_set(&exit->before, XRW_REG_rip, rip);
        if (sample_below(&random, 10))
            xrw_exit_set(exit, XRW_EXIT_reason,
                         (sample_below(&random, 2) << 31) | reasons[sample_below(&random, 4)]);
        assert_done(xrw_store_add_exit(store, exit, &err), err);
    }
    assert_done(xrw_store_end_run(store, &run, &err), err);
    assert_done(xrw_store_close(store, &err), err);
    assert_done(xrw_store_open(&store, sample_path("find.db"), &err), err);
    *state = store;
    return 0;
}

static int tear_down(void **state)
{
    (void)xrw_store_close(*state, NULL);
    sample_remove_folder();
    return 0;
}

static bool matches(const struct xrw_exit *exit, const struct xrw_exit_filter *filter)
{
    bool has_reason = exit->field_known[XRW_EXIT_reason];
    uint64_t rip = exit->before.value[XRW_REG_rip];

    return (!filter->by_reason || (has_reason && xrw_exit_basic_reason(exit) == filter->reason)) &&
           (!filter->by_rip || (exit->before.known[XRW_REG_rip] && rip >= filter->rip_first &&
                                rip <= filter->rip_last)) &&
           (!filter->by_vcpu || exit->vcpu == filter->vcpu) &&
           (!filter->guest_only || !has_reason || !xrw_exit_is_host(exit));
}

static xrw_exit_id expected(const struct xrw_exit_filter *filter, xrw_exit_id from, bool forward,
                            xrw_exit_id first, xrw_exit_id last)
{
    xrw_exit_id found = 0;

    for (xrw_exit_id id = first ? first : 1; id <= last && id <= EXITS; id++)
        if (matches(&exits[id], filter) && (forward ? id > from && !found : id < from))
            found = id;
    return found;
}

static void searches_agree_with_a_walk(void **state)
{
    struct sample_random random = sample_seed();
    struct xrw_error err = {""};
    unsigned hits = 0;

    for (unsigned i = 0; i < 6000; i++) {
        uint64_t low = UINT64_C(0x7fffffffffffff00) + sample_below(&random, 0x20) * 0x10;
        struct xrw_exit_filter filter = {
            .by_reason = sample_below(&random, 2),
            .reason = sample_below(&random, 2) ? XRW_VMX_CPUID : XRW_VMX_EXTERNAL_INTERRUPT,
            .by_rip = sample_below(&random, 2),
            .rip_first = low,
            .rip_last = low + sample_below(&random, 3) * 0x60,
            .by_vcpu = sample_below(&random, 2),
            .vcpu = (uint32_t)sample_below(&random, 3),
            .guest_only = sample_below(&random, 2)};
        bool forward = sample_below(&random, 2);
        xrw_exit_id from = sample_below(&random, EXITS + 2);
        xrw_exit_id first = sample_below(&random, 2) ? 1 : sample_below(&random, EXITS);
        xrw_exit_id last = sample_below(&random, 2) ? EXITS : sample_below(&random, EXITS + 1);
        xrw_exit_id want = expected(&filter, from, forward, first, last), found = 0;
        int ret = xrw_store_find_exit(*state, &filter, from, forward, first, last, NULL, NULL,
                                      &found, &err);

        assert_int_equal(ret, want != 0);
        assert_int_equal(found, want);
        hits += want != 0;
    }
    assert_true(hits > 500);
}

static void edges_of_the_range(void **state)
{
    struct xrw_exit_filter all = {0};
    struct xrw_error err = {""};
    xrw_exit_id found = 7;

    assert_int_equal(
        xrw_store_find_exit(*state, &all, EXITS, true, 1, EXITS, NULL, NULL, &found, &err), 0);
    assert_int_equal(
        xrw_store_find_exit(*state, &all, 1, false, 1, EXITS, NULL, NULL, &found, &err), 0);
    assert_int_equal(
        xrw_store_find_exit(*state, &all, 0, false, 0, EXITS, NULL, NULL, &found, &err), 0);
    assert_int_equal(found, 7);
    assert_int_equal(xrw_store_find_exit(*state, &all, UINT64_MAX, false, 0, UINT64_MAX, NULL, NULL,
                                         &found, &err),
                     1);
    assert_int_equal(found, EXITS);
    assert_int_equal(
        xrw_store_find_exit(*state, &all, 0, true, 0, UINT64_MAX, NULL, NULL, &found, &err), 1);
    assert_int_equal(found, 1);
}

static bool interrupt_at_once(void *ctx)
{
    ++*(int *)ctx;
    return true;
}

static void a_long_search_can_be_interrupted(void **state)
{
    struct xrw_exit_filter filter = {.by_vcpu = true, .vcpu = 99};
    struct xrw_error err = {""};
    xrw_exit_id found = 0;
    int asked = 0;

    assert_int_equal(xrw_store_find_exit(*state, &filter, 0, true, 1, EXITS, interrupt_at_once,
                                         &asked, &found, &err),
                     -EINTR);
    assert_true(asked > 0);
    /* And the store goes on. */
    assert_int_equal(
        xrw_store_find_exit(*state, &filter, 0, true, 1, EXITS, NULL, NULL, &found, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(searches_agree_with_a_walk),
        cmocka_unit_test(edges_of_the_range),
        cmocka_unit_test(a_long_search_can_be_interrupted),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
