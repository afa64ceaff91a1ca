/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support.h"

#include "xrw/svm.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static void the_tables_are_in_order_and_whole(void **state)
{
    (void)state;
    assert_true(xrw_vmx_reason_count > 70 && xrw_svm_reason_count > 120);
    for (size_t i = 0; i < xrw_reason_count(); i++) {
        const struct xrw_reason_info *info = xrw_reason_at(i);

        assert_true(i == 0 || info->reason > xrw_reason_at(i - 1)->reason);
        assert_true(info->name && *info->name && info->what && *info->what);
        assert_null(strpbrk(info->what, "\n\r"));
        assert_ptr_equal(xrw_reason_find(info->reason), info);
        for (const char *c = info->name; *c; c++)
            assert_true(isupper((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '_');
    }
}

/* Of two reasons of one name the name gives that of VMX, and each leads to the other. */
static void names_and_numbers_lead_to_each_other(void **state)
{
    (void)state;
    for (size_t i = 0; i < xrw_reason_count(); i++) {
        const struct xrw_reason_info *info = xrw_reason_at(i);
        unsigned twin = xrw_reason_twin(info->reason);
        unsigned first = twin < info->reason ? twin : info->reason;
        char text[64];

        assert_string_equal(xrw_reason_name(info->reason), info->name);
        assert_string_equal(xrw_reason_name(twin), info->name);
        assert_int_equal(xrw_reason_twin(twin), info->reason);
        assert_int_equal(xrw_reason_by_name(info->name), first);
        for (size_t c = 0; c <= strlen(info->name); c++)
            text[c] = (char)tolower((unsigned char)info->name[c]);
        assert_int_equal(xrw_reason_by_name(text), first);
        (void)snprintf(text, sizeof text, "%u", info->reason);
        assert_int_equal(xrw_reason_by_name(text), info->reason);
    }
}

static void names_are_xens(void **state)
{
    (void)state;
    assert_string_equal(xrw_reason_name(XRW_VMX_CPUID), "CPUID");
    assert_string_equal(xrw_reason_name(XRW_VMX_INTERRUPT_WINDOW), "PENDING_VIRT_INTR");
    assert_string_equal(xrw_reason_name(XRW_VMX_IO_INSTRUCTION), "IO_INSTRUCTION");
    assert_string_equal(xrw_reason_name(XRW_VMX_GDTR_IDTR_ACCESS), "ACCESS_GDTR_OR_IDTR");
    assert_string_equal(xrw_reason_name(XRW_VMX_PREEMPTION_TIMER), "VMX_PREEMPTION_TIMER_EXPIRED");
    assert_string_equal(xrw_reason_name(XRW_SVM_CPUID), "CPUID");
    assert_string_equal(xrw_reason_name(XRW_SVM_CR_WRITE + 8), "CR8_WRITE");
    assert_string_equal(xrw_reason_name(XRW_SVM_EXCEPTION_PF), "EXCEPTION_PF");
    assert_string_equal(xrw_reason_name(XRW_SVM_IOIO), "IOIO");
    assert_string_equal(xrw_reason_name(XRW_SVM_NPF), "NPF");
    assert_string_equal(xrw_reason_name(XRW_SVM_INVALID), "INVALID");
}

static void both_vendors_have_some_reasons(void **state)
{
    (void)state;
    for (size_t v = 0; v < xrw_vmx_reason_count; v++)
        for (size_t s = 0; s < xrw_svm_reason_count; s++) {
            bool same = !strcmp(xrw_vmx_reason_table[v].name, xrw_svm_reason_table[s].name);
            bool twins =
                xrw_reason_twin(xrw_vmx_reason_table[v].reason) == xrw_svm_reason_table[s].reason;

            assert_int_equal(same, twins);
        }
    assert_int_equal(xrw_reason_twin(XRW_VMX_CPUID), XRW_SVM_CPUID);
    assert_int_equal(xrw_reason_twin(XRW_SVM_RDTSCP), XRW_VMX_RDTSCP);
    assert_int_equal(xrw_reason_twin(XRW_SVM_NPF), XRW_SVM_NPF);
    assert_int_equal(xrw_reason_twin(XRW_VMX_EPT_VIOLATION), XRW_VMX_EPT_VIOLATION);
    assert_int_equal(xrw_reason_twin(12345), 12345);
    assert_string_equal(xrw_reason_vendor(XRW_VMX_CPUID), "VMX");
    assert_string_equal(xrw_reason_vendor(XRW_SVM_CPUID), "SVM");
}

static void what_is_no_reason_is_refused(void **state)
{
    static const char *const wrong[] = {"",     "NOPE",  "CPUIDX", "CPUI",
                                        "-1",   " 10",   "10 ",    "10x",
                                        "0x10", "65536", "CPUID ", "99999999999999999999999",
                                        "+10",  "1e1"};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(xrw_reason_by_name(wrong[i]), -ENOENT);
    assert_int_equal(xrw_reason_by_name("35"), 35); /* has no name, but may be asked for */
    assert_null(xrw_reason_name(35));
    assert_null(xrw_reason_name(UINT32_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tables_are_in_order_and_whole),
        cmocka_unit_test(names_and_numbers_lead_to_each_other),
        cmocka_unit_test(names_are_xens),
        cmocka_unit_test(both_vendors_have_some_reasons),
        cmocka_unit_test(what_is_no_reason_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
