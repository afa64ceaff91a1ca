/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static void the_table_is_in_order_and_whole(void **state)
{
    (void)state;
    assert_true(xrw_vmx_reason_count > 70);
    for (size_t i = 0; i < xrw_vmx_reason_count; i++) {
        const struct xrw_vmx_reason_info *info = &xrw_vmx_reason_table[i];

        assert_true(i == 0 || info->reason > info[-1].reason);
        assert_true(info->name && *info->name && info->what && *info->what);
        assert_null(strpbrk(info->what, "\n\r"));
        for (const char *c = info->name; *c; c++)
            assert_true(isupper((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '_');
    }
}

static void names_and_numbers_lead_to_each_other(void **state)
{
    (void)state;
    for (size_t i = 0; i < xrw_vmx_reason_count; i++) {
        const struct xrw_vmx_reason_info *info = &xrw_vmx_reason_table[i];
        char text[64];

        assert_string_equal(xrw_vmx_reason_name(info->reason), info->name);
        assert_int_equal(xrw_vmx_reason_by_name(info->name), info->reason);
        for (size_t c = 0; c <= strlen(info->name); c++)
            text[c] = (char)tolower((unsigned char)info->name[c]);
        assert_int_equal(xrw_vmx_reason_by_name(text), info->reason);
        (void)snprintf(text, sizeof text, "%u", info->reason);
        assert_int_equal(xrw_vmx_reason_by_name(text), info->reason);
    }
}

static void names_are_xens(void **state)
{
    (void)state;
    assert_string_equal(xrw_vmx_reason_name(XRW_VMX_CPUID), "CPUID");
    assert_string_equal(xrw_vmx_reason_name(XRW_VMX_INTERRUPT_WINDOW), "PENDING_VIRT_INTR");
    assert_string_equal(xrw_vmx_reason_name(XRW_VMX_IO_INSTRUCTION), "IO_INSTRUCTION");
    assert_string_equal(xrw_vmx_reason_name(XRW_VMX_GDTR_IDTR_ACCESS), "ACCESS_GDTR_OR_IDTR");
    assert_string_equal(xrw_vmx_reason_name(XRW_VMX_PREEMPTION_TIMER),
                        "VMX_PREEMPTION_TIMER_EXPIRED");
}

static void what_is_no_reason_is_refused(void **state)
{
    static const char *const wrong[] = {"",     "NOPE",  "CPUIDX", "CPUI",
                                        "-1",   " 10",   "10 ",    "10x",
                                        "0x10", "65536", "CPUID ", "99999999999999999999999",
                                        "+10",  "1e1"};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(xrw_vmx_reason_by_name(wrong[i]), -ENOENT);
    assert_int_equal(xrw_vmx_reason_by_name("35"), 35); /* has no name, but may be asked for */
    assert_null(xrw_vmx_reason_name(35));
    assert_null(xrw_vmx_reason_name(UINT32_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_in_order_and_whole),
        cmocka_unit_test(names_and_numbers_lead_to_each_other),
        cmocka_unit_test(names_are_xens),
        cmocka_unit_test(what_is_no_reason_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
