/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What people type: numbers and filters. */
#include "history.h"
#include "monitor_args.h"

#include "xrw/filter.h"
#include "xrw/vmx.h"

#include <errno.h>
#include <string.h>

static void test_numbers(void **state)
{
    static const char *const wrong[] = {"",   " ",  "x",   "-1",  "+1",
                                        "1x", "0x", "0xg", "1 2", "18446744073709551616"};
    uint64_t number = 7;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(xrw_parse_number(wrong[i], &number), -EINVAL);
    assert_int_equal(number, 7);
    assert_int_equal(xrw_parse_number("010", &number), 0);
    assert_int_equal(number, 10);
    assert_int_equal(xrw_parse_number("0XfF", &number), 0);
    assert_int_equal(number, 255);
    assert_int_equal(xrw_parse_number("18446744073709551615", &number), 0);
    assert_true(number == UINT64_MAX);
}

static void test_lists_of_numbers(void **state)
{
    uint64_t number[2] = {5, 6};
    char longest[4096];

    (void)state;
    assert_int_equal(xrw_parse_numbers("", number, 2), 0);
    assert_int_equal(xrw_parse_numbers(" 1 ", number, 2), 1);
    assert_int_equal(number[1], 6);
    assert_int_equal(xrw_parse_numbers("3\t0x4", number, 2), 2);
    assert_int_equal(number[0], 3);
    assert_int_equal(number[1], 4);
    assert_int_equal(xrw_parse_numbers("1 2 3", number, 2), -EINVAL);
    assert_int_equal(xrw_parse_numbers("1 x", number, 2), -EINVAL);
    memset(longest, '1', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(xrw_parse_numbers(longest, number, 2), -EINVAL);
}

static void test_filters(void **state)
{
    struct xrw_exit_filter filter = {0};
    struct xrw_error err;

    (void)state;
    assert_done(xrw_parse_filter("", &filter, &err), err);
    assert_false(filter.by_reason || filter.by_rip || filter.by_vcpu || filter.guest_only);
    assert_done(xrw_parse_filter(" reason=cpuid  rip=0x10-ffffffff80000000 vcpu=3", &filter, &err),
                err);
    assert_true(filter.by_reason && filter.by_rip && filter.by_vcpu);
    assert_int_equal(filter.reason, XRW_VMX_CPUID);
    assert_int_equal(filter.rip_first, 0x10);
    assert_true(filter.rip_last == UINT64_C(0xffffffff80000000));
    assert_int_equal(filter.vcpu, 3);
    assert_false(filter.by_register);
    assert_done(xrw_parse_filter("rax=0xFfffffff80000000", &filter, &err), err);
    assert_true(filter.by_register && filter.reg == XRW_REG_rax);
    assert_true(filter.value == UINT64_C(0xffffffff80000000));
    assert_done(xrw_parse_filter("cr3=17", &filter, &err), err);
    assert_true(filter.reg == XRW_REG_cr3 && filter.value == 17);
}

static void test_wrong_filters(void **state)
{
    static const char *const wrong[] = {
        "nonsense",
        "reason",
        "reason=",
        "reason=NONSENSE",
        "rip=",
        "rip=x",
        "rip=0x",
        "rip=2-1",
        "rip=1-",
        "rip=1-2-3",
        "rip=1,2",
        "vcpu=",
        "vcpu=-1",
        "vcpu=x",
        "vcpu=4294967296",
        "colour=red",
        "rax=",
        "rax=0x",
        "rax=-1",
        "rax=1 rax",
        "rax=18446744073709551616",
        "rip=10000000000000000",
    };
    struct xrw_exit_filter filter = {.vcpu = 9};
    struct xrw_error err;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        err.text[0] = '\0';
        if (xrw_parse_filter(wrong[i], &filter, &err) != -EINVAL)
            fail_msg("%s was taken", wrong[i]);
        assert_true(err.text[0]);
    }
    assert_int_equal(filter.vcpu, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_lists_of_numbers),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_wrong_filters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
