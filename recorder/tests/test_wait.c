/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waiting for events, where none comes after many. */
#include "support.h"

#include "fake_xen.h"
#include "xen.h"

#include <unistd.h>

#define EVENTS 200u /* enough that the next is expected */

static int setup(void **state)
{
    static struct xen_wait wait;

    fake_xen_init(0);
    xen_wait_open(&wait, xenevtchn_open(NULL, 0));
    *state = &wait;
    return 0;
}

static int teardown(void **state)
{
    xen_wait_close(*state);
    fake_xen_deinit();
    return 0;
}

static void announce(void)
{
    assert_int_equal(write(fake_xen.event[1], "!", 1), 1);
}

/* So many in a row.  On a machine that is slow the thread may come between. */
static void see_events(struct xen_wait *wait, unsigned count)
{
    while (wait->steady < count) {
        int rc;

        announce();
        while ((rc = xen_wait_event(wait, 1000)) == 0)
            continue;
        assert_int_equal(rc, 1);
    }
}

/* Reads without asking first, and comes back. */
static void test_none_after_many(void **state)
{
    struct xen_wait *wait = *state;
    uint64_t reads;

    see_events(wait, EVENTS);
    assert_true(wait->ticks);
    assert_int_equal(xen_wait_event(wait, 1000), 0);
    assert_true(fake_xen.own_notifications > 0);
    /* And asks first again. */
    reads = wait->reads;
    assert_int_equal(xen_wait_event(wait, 20), 0);
    assert_int_equal(wait->reads, reads);
    see_events(wait, EVENTS);
    assert_int_equal(xen_wait_event(wait, 1000), 0);
}

/* Who does not want to wait does not. */
static void test_impatient(void **state)
{
    struct xen_wait *wait = *state;
    uint64_t reads;

    see_events(wait, EVENTS);
    reads = wait->reads;
    assert_int_equal(xen_wait_event(wait, 0), 0);
    assert_int_equal(wait->reads, reads);
}

/* Few events start no thread. */
static void test_none(void **state)
{
    struct xen_wait *wait = *state;

    assert_int_equal(xen_wait_event(wait, 20), 0);
    see_events(wait, 3);
    assert_int_equal(xen_wait_event(wait, 20), 0);
    assert_false(wait->ticks);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(none_after_many),
        TEST(impatient),
        TEST(none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
