/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The local APIC: requests, priorities, end of interrupt, timer. */
#include "lapic.h"

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SVR 0xf0
#define EOI 0xb0
#define ICR 0x300
#define SELF (1u << 18)
#define NMI (4u << 8)

static uint8_t page[4096];

static void start(struct lapic *lapic)
{
    lapic_init(lapic, page);
    (void)lapic_write(lapic, SVR, 0x1ff, 0);
}

static void a_disabled_one_delivers_nothing(void **state)
{
    struct lapic lapic;

    (void)state;
    lapic_init(&lapic, page);
    assert_false(lapic_write(&lapic, ICR, SELF | 0x50, 0));
    assert_int_equal(lapic_pending(&lapic), -1);
}

static void higher_classes_come_first(void **state)
{
    struct lapic lapic;

    (void)state;
    start(&lapic);
    (void)lapic_write(&lapic, ICR, SELF | 0x50, 0);
    (void)lapic_write(&lapic, ICR, SELF | 0x61, 0);
    assert_int_equal(lapic_pending(&lapic), 0x61);
    lapic_acknowledge(&lapic, 0x61);
    assert_int_equal(lapic_pending(&lapic), -1);
    assert_int_equal(lapic_highest_request(&lapic), 0x50);
    (void)lapic_write(&lapic, EOI, 0, 0);
    assert_int_equal(lapic_pending(&lapic), 0x50);
}

static void the_task_priority_holds_back(void **state)
{
    struct lapic lapic;

    (void)state;
    start(&lapic);
    (void)lapic_write(&lapic, ICR, SELF | 0x52, 0);
    (void)lapic_write(&lapic, LAPIC_TPR, 0x50, 0);
    assert_int_equal(lapic_pending(&lapic), -1);
    (void)lapic_write(&lapic, LAPIC_TPR, 0x40, 0);
    assert_int_equal(lapic_pending(&lapic), 0x52);
}

static void an_nmi_of_ones_own_is_told(void **state)
{
    struct lapic lapic;

    (void)state;
    start(&lapic);
    assert_true(lapic_write(&lapic, ICR, SELF | NMI, 0));
    assert_false(lapic_write(&lapic, ICR, (3u << 18) | NMI, 0)); /* to all others */
    assert_int_equal(lapic_pending(&lapic), -1);
}

static void the_timer_counts_and_fires(void **state)
{
    struct lapic lapic;

    (void)state;
    start(&lapic);
    (void)lapic_write(&lapic, 0x3e0, 3, 0);                 /* by 16 */
    (void)lapic_write(&lapic, 0x320, 0xec | (1u << 17), 0); /* periodic */
    (void)lapic_write(&lapic, 0x380, 1000, 0);
    assert_int_equal(lapic_read(&lapic, 0x390, 80000), 500); /* 160 ns a tick */
    assert_true(lapic_next_ns(&lapic) == 160000);
    lapic_advance(&lapic, 159999);
    assert_int_equal(lapic_pending(&lapic), -1);
    lapic_advance(&lapic, 500000);
    assert_int_equal(lapic_pending(&lapic), 0xec);
    assert_true(lapic_next_ns(&lapic) == 640000);
}

static void a_masked_timer_ends_silently(void **state)
{
    struct lapic lapic;

    (void)state;
    start(&lapic);
    (void)lapic_write(&lapic, 0x380, 10, 0);
    lapic_advance(&lapic, 1000000);
    assert_int_equal(lapic_pending(&lapic), -1);
    assert_true(lapic_next_ns(&lapic) == UINT64_MAX);
    assert_int_equal(lapic_read(&lapic, 0x390, 1000000), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_disabled_one_delivers_nothing),
        cmocka_unit_test(higher_classes_come_first),
        cmocka_unit_test(the_task_priority_holds_back),
        cmocka_unit_test(an_nmi_of_ones_own_is_told),
        cmocka_unit_test(the_timer_counts_and_fires),
        cmocka_unit_test(a_masked_timer_ends_silently),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
