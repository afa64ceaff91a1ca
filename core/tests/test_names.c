/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xrw/names.h"

#include "support.h"

#include <string.h>

static void numbers_have_their_names(void **state)
{
    (void)state;
    assert_string_equal(xrw_msr_name(0xc0000080), "IA32_EFER");
    assert_string_equal(xrw_msr_name(0x10), "IA32_TIME_STAMP_COUNTER");
    assert_string_equal(xrw_msr_name(0x40000000), "XEN_HYPERCALL_PAGE");
    assert_string_equal(xrw_hypercall_name(0), "set_trap_table");
    assert_string_equal(xrw_hypercall_name(29), "sched_op");
    assert_string_equal(xrw_hypercall_name(42), "hypfs_op");
    assert_string_equal(xrw_exception_name(0), "#DE");
    assert_string_equal(xrw_exception_name(14), "#PF");
    assert_string_equal(xrw_exception_name(21), "#CP");
    assert_string_equal(xrw_exception_name(29), "#VC");
    assert_string_equal(xrw_lapic_register_name(0xb0), "EOI");
    assert_string_equal(xrw_lapic_register_name(0x270), "IRR7");
}

static void others_have_none(void **state)
{
    (void)state;
    assert_null(xrw_msr_name(0));
    assert_null(xrw_msr_name(UINT32_MAX));
    assert_null(xrw_hypercall_name(11)); /* a hole of the table */
    assert_null(xrw_hypercall_name(43));
    assert_null(xrw_hypercall_name(UINT64_MAX));
    assert_null(xrw_exception_name(15));
    assert_null(xrw_exception_name(32));
    assert_null(xrw_exception_name(UINT32_MAX));
    assert_null(xrw_lapic_register_name(0x1));
    assert_null(xrw_lapic_register_name(UINT32_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_have_their_names),
        cmocka_unit_test(others_have_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
