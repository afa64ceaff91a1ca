/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support.h"

#include "xrw/kind.h"
#include "xrw/svm.h"

#define MAX_SETTINGS 4
#define DB_INFO 0x80000301
#define WALK_SVM (UINT64_C(1) << 33)

static void exits_of_both_vendors_are_of_one_kind(void **state)
{
    static const struct {
        uint32_t reason;
        struct setting settings[MAX_SETTINGS];
        enum xrw_exit_kind kind;
    } cases[] = {
        {XRW_VMX_CPUID, {{END, 0, 0}}, XRW_KIND_OTHER},
        {XRW_SVM_CPUID, {{END, 0, 0}}, XRW_KIND_OTHER},
        {XRW_VMX_EXCEPTION_NMI, {{END, 0, 0}}, XRW_KIND_EXCEPTION},
        {XRW_SVM_EXCEPTION, {{END, 0, 0}}, XRW_KIND_EXCEPTION},
        {XRW_SVM_EXCEPTION + 31, {{END, 0, 0}}, XRW_KIND_EXCEPTION},
        {XRW_SVM_INTR, {{END, 0, 0}}, XRW_KIND_OTHER},
        {XRW_VMX_SIPI, {{END, 0, 0}}, XRW_KIND_INIT},
        {XRW_SVM_INIT, {{END, 0, 0}}, XRW_KIND_INIT},
        {XRW_VMX_TASK_SWITCH, {{END, 0, 0}}, XRW_KIND_TASK_SWITCH},
        {XRW_SVM_TASK_SWITCH, {{END, 0, 0}}, XRW_KIND_TASK_SWITCH},
        {XRW_VMX_VMCALL, {{END, 0, 0}}, XRW_KIND_HYPERCALL},
        {XRW_SVM_VMMCALL, {{END, 0, 0}}, XRW_KIND_HYPERCALL},
        {XRW_VMX_DR_ACCESS, {{END, 0, 0}}, XRW_KIND_DR_ACCESS},
        {XRW_SVM_DR_READ, {{END, 0, 0}}, XRW_KIND_DR_ACCESS},
        {XRW_SVM_DR_WRITE + 15, {{END, 0, 0}}, XRW_KIND_DR_ACCESS},
        {XRW_SVM_CR_WRITE + 15, {{END, 0, 0}}, XRW_KIND_OTHER},
        {XRW_VMX_IO_INSTRUCTION, {{END, 0, 0}}, XRW_KIND_IO},
        {XRW_SVM_IOIO, {{END, 0, 0}}, XRW_KIND_IO},
        {XRW_VMX_MSR_READ, {{END, 0, 0}}, XRW_KIND_MSR_READ},
        {XRW_VMX_MSR_WRITE, {{END, 0, 0}}, XRW_KIND_MSR_WRITE},
        {XRW_SVM_MSR, {F(qualification, 0)}, XRW_KIND_MSR_READ},
        {XRW_SVM_MSR, {F(qualification, 1)}, XRW_KIND_MSR_WRITE},
        {XRW_SVM_MSR, {{END, 0, 0}}, XRW_KIND_OTHER},
        {XRW_VMX_APIC_ACCESS, {{END, 0, 0}}, XRW_KIND_APIC_ACCESS},
        {XRW_VMX_GDTR_IDTR_ACCESS, {{END, 0, 0}}, XRW_KIND_GDTR_IDTR_ACCESS},
        {XRW_SVM_IDTR_READ, {{END, 0, 0}}, XRW_KIND_GDTR_IDTR_ACCESS},
        {XRW_SVM_IDTR_READ + 5, {{END, 0, 0}}, XRW_KIND_GDTR_IDTR_ACCESS},
        {XRW_VMX_LDTR_TR_ACCESS, {{END, 0, 0}}, XRW_KIND_LDTR_TR_ACCESS},
        {XRW_SVM_IDTR_READ + 2, {{END, 0, 0}}, XRW_KIND_LDTR_TR_ACCESS},
        {XRW_SVM_TR_WRITE, {{END, 0, 0}}, XRW_KIND_LDTR_TR_ACCESS},
        {XRW_VMX_EPT_VIOLATION, {{END, 0, 0}}, XRW_KIND_PAGE},
        {XRW_VMX_EPT_MISCONFIG, {{END, 0, 0}}, XRW_KIND_PAGE},
        {XRW_SVM_NPF, {{END, 0, 0}}, XRW_KIND_PAGE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct xrw_exit exit = exit_of(cases[i].reason, cases[i].settings);

        assert_int_equal(xrw_exit_kind(&exit), cases[i].kind);
        exit.field_known[XRW_EXIT_reason] = false;
        assert_int_equal(xrw_exit_kind(&exit), XRW_KIND_OTHER);
    }
}

static void vectors_are_told(void **state)
{
    static const struct {
        uint32_t reason;
        struct setting settings[MAX_SETTINGS];
        int vector;
    } cases[] = {
        {XRW_VMX_EXCEPTION_NMI, {F(intr_info, DB_INFO)}, 1},
        {XRW_VMX_EXCEPTION_NMI, {F(intr_info, 0x301)}, -1},
        {XRW_VMX_EXCEPTION_NMI, {{END, 0, 0}}, -1},
        {XRW_VMX_EXTERNAL_INTERRUPT, {F(intr_info, DB_INFO)}, -1},
        {XRW_SVM_EXCEPTION_DB, {{END, 0, 0}}, 1},
        {XRW_SVM_NMI, {{END, 0, 0}}, -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct xrw_exit exit = exit_of(cases[i].reason, cases[i].settings);

        assert_int_equal(xrw_exit_vector(&exit), cases[i].vector);
    }
}

static void accesses_to_pages_are_told(void **state)
{
    static const struct {
        uint32_t reason;
        struct setting settings[MAX_SETTINGS];
        bool write, walk;
    } cases[] = {
        {XRW_VMX_EPT_VIOLATION, {F(qualification, 0x181)}, false, false},
        {XRW_VMX_EPT_VIOLATION, {F(qualification, 0x082)}, true, true},
        {XRW_VMX_EPT_VIOLATION, {F(qualification, 0x002)}, true, false},
        {XRW_VMX_EPT_VIOLATION, {{END, 0, 0}}, false, false},
        {XRW_SVM_NPF, {F(qualification, UINT64_C(1) << 32 | 4)}, false, false},
        {XRW_SVM_NPF, {F(qualification, WALK_SVM | 6)}, true, true},
        {XRW_SVM_NPF, {F(qualification, 0x84)}, false, false},
        {XRW_SVM_CPUID, {F(qualification, WALK_SVM | 6)}, false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct xrw_exit exit = exit_of(cases[i].reason, cases[i].settings);

        assert_int_equal(xrw_exit_page_write(&exit), cases[i].write);
        assert_int_equal(xrw_exit_page_walk(&exit), cases[i].walk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exits_of_both_vendors_are_of_one_kind),
        cmocka_unit_test(vectors_are_told),
        cmocka_unit_test(accesses_to_pages_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
