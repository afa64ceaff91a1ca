/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The next or previous exit at which a register has a value, with and without an index, compared
 * with looking at every one. */
#include "sample.h"
#include "xrw/vmx.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { EXITS = 3000, VALUES = 40 };

static const enum xrw_register searched[] = {XRW_REG_rax, XRW_REG_rbx, XRW_REG_r9,
                                             XRW_REG_rip, XRW_REG_cr3, XRW_REG_cr0};
#define SEARCHED (sizeof searched / sizeof *searched)

static struct xrw_exit exits[EXITS + 1];

/* Values that come in one part of the recording, some that come everywhere, and some not known. */
static void make_exit(struct sample_random *random, xrw_exit_id id)
{
    struct xrw_exit *exit = &exits[id];

    exit->id = id;
    exit->run = 1;
    exit->vcpu = (uint32_t)sample_below(random, 2);
    xrw_exit_set(exit, XRW_EXIT_reason,
                 sample_below(random, 2) ? XRW_VMX_CPUID : XRW_VMX_EXTERNAL_INTERRUPT);
    for (unsigned reg = 0; reg < XRW_REGISTER_COUNT; reg++) {
        uint64_t value = sample_below(random, 4) ? sample_below(random, 3)
                                                 : UINT64_MAX - id / 100 - sample_below(random, 3);

        if (sample_below(random, 10))
            xrw_registers_set(&exit->before, (enum xrw_register)reg, value);
    }
}

/* As what comes back: an exit that has the registers of one shortly before. */
static void repeat_exit(struct sample_random *random, xrw_exit_id id)
{
    xrw_exit_id of = id - 1 - sample_below(random, id - 1 < 200 ? id - 1 : 200);

    exits[id] = exits[of];
    exits[id].id = id;
}

static int set_up(void **state)
{
    struct sample_random random = sample_seed();
    struct xrw_run run = sample_run(1, 1, XRW_MEMORY_NONE);
    struct xrw_error err = {""};
    struct xrw_store *store;

    sample_make_folder();
    assert_done(xrw_store_create(&store, sample_path("find.db"), &err), err);
    assert_done(xrw_store_begin_run(store, &run, &err), err);
    for (xrw_exit_id id = 1; id <= EXITS; id++) {
        if (id > 1 && sample_below(&random, 2))
            repeat_exit(&random, id);
        else
            make_exit(&random, id);
        assert_done(xrw_store_add_exit(store, &exits[id], &err), err);
    }
    assert_done(xrw_store_end_run(store, &run, &err), err);
    assert_done(xrw_store_close(store, &err), err);
    *state = NULL;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sample_remove_folder();
    return 0;
}

static bool matches(const struct xrw_exit *exit, const struct xrw_exit_filter *filter)
{
    return exit->before.known[filter->reg] && exit->before.value[filter->reg] == filter->value &&
           (!filter->by_vcpu || exit->vcpu == filter->vcpu) &&
           (!filter->guest_only || !xrw_exit_is_host(exit));
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

static void compare(struct xrw_store *store, struct sample_random *random, unsigned *hits)
{
    struct xrw_exit_filter filter = {.by_vcpu = sample_below(random, 4) == 0,
                                     .vcpu = (uint32_t)sample_below(random, 2),
                                     .by_register = true,
                                     .reg = searched[sample_below(random, SEARCHED)],
                                     .value = sample_below(random, 4) == 0
                                                  ? sample_below(random, 4)
                                                  : UINT64_MAX - sample_below(random, VALUES),
                                     .guest_only = sample_below(random, 4) == 0};
    bool forward = sample_below(random, 2);
    xrw_exit_id from = sample_below(random, EXITS + 2), found = 0;
    xrw_exit_id first = sample_below(random, 2) ? 1 : sample_below(random, EXITS);
    xrw_exit_id last = sample_below(random, 2) ? UINT64_MAX : sample_below(random, EXITS + 1);
    xrw_exit_id want = expected(&filter, from, forward, first, last);
    struct xrw_error err = {""};
    int ret =
        xrw_store_find_exit(store, &filter, from, forward, first, last, NULL, NULL, &found, &err);

    if (ret != (want != 0) || found != want)
        fail_msg("%s = %#llx %s %llu in %llu..%llu: %llu instead of %llu: %s",
                 xrw_register_table[filter.reg].name, (unsigned long long)filter.value,
                 forward ? "after" : "before", (unsigned long long)from, (unsigned long long)first,
                 (unsigned long long)last, (unsigned long long)found, (unsigned long long)want,
                 err.text);
    *hits += want != 0;
}

static void compare_many(void)
{
    struct sample_random random = sample_seed();
    struct xrw_error err = {""};
    struct xrw_store *store;
    unsigned hits = 0;

    assert_done(xrw_store_open(&store, sample_path("find.db"), &err), err);
    for (unsigned i = 0; i < 2000; i++)
        compare(store, &random, &hits);
    assert_true(hits > 500 && hits < 1900);
    assert_done(xrw_store_close(store, &err), err);
}

static void searches_agree_with_a_walk(void **state)
{
    (void)state;
    compare_many();
}

static void searches_by_index_agree_with_a_walk(void **state)
{
    struct xrw_error err = {""};

    (void)state;
    for (size_t i = 0; i < SEARCHED; i++) {
        bool has =
            searched[i] == XRW_REG_rax || searched[i] == XRW_REG_rbx || searched[i] == XRW_REG_cr3;
        int ret = xrw_store_index_register(sample_path("find.db"), searched[i], &err);

        assert_int_equal(ret, has ? 0 : -EINVAL);
    }
    assert_done(xrw_store_index_register(sample_path("find.db"), XRW_REG_rax, &err), err);
    compare_many();
}

static void only_closed_recordings_are_indexed(void **state)
{
    struct xrw_run run = sample_run(1, 1, XRW_MEMORY_NONE);
    struct xrw_error err = {""};
    struct xrw_store *store;

    (void)state;
    assert_done(xrw_store_create(&store, sample_path("open.db"), &err), err);
    assert_done(xrw_store_begin_run(store, &run, &err), err);
    assert_done(xrw_store_commit(store, &err), err);
    assert_int_equal(xrw_store_index_register(sample_path("open.db"), XRW_REG_rax, &err), -EBUSY);
    assert_done(xrw_store_close(store, &err), err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(searches_agree_with_a_walk),
        cmocka_unit_test(searches_by_index_agree_with_a_walk),
        cmocka_unit_test(only_closed_recordings_are_indexed),
    };

    return cmocka_run_group_tests_name("store_find_register", tests, set_up, tear_down);
}
