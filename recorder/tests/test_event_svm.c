/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The event of an exit on SVM. */
#include "support.h"

#include "event_requests.h"
#include "xrw/svm.h"
#include "xrw/vmx.h"

#define SVM(code) ((code) - (uint64_t)XRW_SVM_REASON)

static void test_fields_of_svm(void **state)
{
    static const struct {
        uint64_t exitcode;
        unsigned reason;
        uint32_t beside; /* known beside those of every exit */
    } cases[] = {
        {SVM(XRW_SVM_CPUID), XRW_SVM_CPUID, BIT(insn_len)},
        {SVM(XRW_SVM_VMMCALL), XRW_SVM_VMMCALL, BIT(insn_len)},
        {SVM(XRW_SVM_RDPRU), XRW_SVM_RDPRU, BIT(insn_len)},
        {SVM(XRW_SVM_MSR), XRW_SVM_MSR, BIT(insn_len) | BIT(qualification)},
        {SVM(XRW_SVM_CR_READ), XRW_SVM_CR_READ, BIT(insn_len) | BIT(qualification)},
        {SVM(XRW_SVM_DR_WRITE) + 15, XRW_SVM_DR_WRITE + 15, BIT(insn_len) | BIT(qualification)},
        {SVM(XRW_SVM_CR0_SEL_WRITE), XRW_SVM_CR0_SEL_WRITE, BIT(insn_len) | BIT(qualification)},
        {SVM(XRW_SVM_IOIO), XRW_SVM_IOIO, BIT(insn_len) | BIT(qualification)},
        {SVM(XRW_SVM_TASK_SWITCH), XRW_SVM_TASK_SWITCH, BIT(qualification)},
        {SVM(XRW_SVM_NPF), XRW_SVM_NPF, BIT(qualification) | BIT(gpa)},
        {SVM(XRW_SVM_EXCEPTION_PF), XRW_SVM_EXCEPTION_PF, BIT(qualification) | BIT(gla)},
        {SVM(XRW_SVM_EXCEPTION) + 17, XRW_SVM_EXCEPTION + 17, BIT(qualification)},
        {SVM(XRW_SVM_EXCEPTION) + 3, XRW_SVM_EXCEPTION + 3, BIT(insn_len)},
        {SVM(XRW_SVM_EXCEPTION_DB), XRW_SVM_EXCEPTION_DB, 0},
        {SVM(XRW_SVM_INTR), XRW_SVM_INTR, 0},
        {SVM(XRW_SVM_VINTR), XRW_SVM_VINTR, 0},
        {SVM(XRW_SVM_SHUTDOWN), XRW_SVM_SHUTDOWN, 0},
        {UINT64_MAX, XRW_SVM_INVALID, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct request r = patched_svm(cases[i].exitcode, 0x55, 0x1004);
        struct xrw_exit exit = decode(&r);
        bool io = cases[i].reason == XRW_SVM_IOIO;

        assert_int_equal(exit.field[XRW_EXIT_reason], cases[i].reason);
        assert_int_equal(known_fields(&exit), ALWAYS | cases[i].beside);
        if (cases[i].beside & BIT(qualification))
            assert_int_equal(exit.field[XRW_EXIT_qualification], 0x55);
        if (cases[i].beside & BIT(gpa))
            assert_int_equal(exit.field[XRW_EXIT_gpa], 0x1004);
        if (cases[i].beside & BIT(gla))
            assert_int_equal(exit.field[XRW_EXIT_gla], 0x1004);
        if (cases[i].beside & BIT(insn_len))
            assert_int_equal(exit.field[XRW_EXIT_insn_len], io ? 4 : 3);
        assert_int_equal(exit.field[XRW_EXIT_interruptibility], 1);
        assert_true(exit.field[XRW_EXIT_entries] == 0x4040404040404040);
        assert_true(exit.field[XRW_EXIT_entry_tsc_offset] == 0x3030303030303030);
    }
}

static void test_events_of_svm(void **state)
{
    struct request r = patched_svm(SVM(XRW_SVM_NPF), 6, 0x5000);
    struct xrw_exit exit;

    (void)state;
    SET_SVM(&r, exitintinfo, UINT64_C(2) << 32 | VALID | HAS_ERROR | TYPE(3) | 14);
    SET_SVM(&r, entry_eventinj, UINT64_C(9) << 32 | VALID | TYPE(0) | 0x50);
    exit = decode(&r);
    assert_true(exit.field[XRW_EXIT_idt_info] == (VALID | HAS_ERROR | TYPE(3) | 14));
    assert_int_equal(exit.field[XRW_EXIT_idt_error], 2);
    assert_true(exit.field[XRW_EXIT_entry_intr_info] == (VALID | 0x50));
    assert_false(exit.field_known[XRW_EXIT_entry_error]);
    SET_SVM(&r, exitintinfo, UINT64_C(2) << 32 | HAS_ERROR | TYPE(3) | 14);
    exit = decode(&r);
    assert_false(exit.field_known[XRW_EXIT_idt_info]);
    assert_false(exit.field_known[XRW_EXIT_idt_error]);
}

/* The event of SVM has these right. */
static void test_debug_registers_of_svm(void **state)
{
    struct request r = patched_svm(SVM(XRW_SVM_CPUID), 0, 0);
    struct xrw_exit exit;

    (void)state;
    put(&r, XRW_REQUEST_REGS_OFFSET_PATCHED + DR6_OFFSET, 8, 0xffff0ff1);
    put(&r, XRW_REQUEST_REGS_OFFSET_PATCHED + DR7_OFFSET, 8, 0x401);
    exit = decode(&r);
    assert_true(exit.before.known[XRW_REG_dr6] && exit.before.known[XRW_REG_dr7]);
    assert_int_equal(exit.before.value[XRW_REG_dr6], 0xffff0ff1);
    assert_int_equal(exit.before.value[XRW_REG_dr7], 0x401);
    r = patched(XRW_VMX_CPUID, 0);
    exit = decode(&r);
    assert_false(exit.before.known[XRW_REG_dr6] || exit.before.known[XRW_REG_dr7]);
}

/* nRIP elsewhere than behind the instruction is none. */
static void test_length_of_svm(void **state)
{
    static const uint64_t wrong[] = {0, 0x1000, 0xfff, 0x1010, UINT64_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct request r = patched_svm(SVM(XRW_SVM_CPUID), 0, 0);

        SET_SVM(&r, nrip, wrong[i]);
        assert_false(decode(&r).field_known[XRW_EXIT_insn_len]);
    }
}

/* Both say something of a task switch. */
static void test_task_switch_of_svm(void **state)
{
    struct request r =
        patched_svm(SVM(XRW_SVM_TASK_SWITCH), 0x777700000038, XRW_SVM_TASK_IRET | 0x1234);
    struct xrw_exit exit = decode(&r);

    (void)state;
    assert_true(exit.field[XRW_EXIT_qualification] == (XRW_SVM_TASK_IRET | 0x38));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_of_svm),          cmocka_unit_test(test_events_of_svm),
        cmocka_unit_test(test_debug_registers_of_svm), cmocka_unit_test(test_length_of_svm),
        cmocka_unit_test(test_task_switch_of_svm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
