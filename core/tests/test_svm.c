/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support.h"

#include "xrw/svm.h"

#include <string.h>

#define MAX_SETTINGS 16
#define LONG_MODE B(efer, 0x500), B(cs_attr, 0xa9b)
#define DONE B(rip, 0x1000), A(rip, 0x1002)
#define UNDONE B(rip, 0x1000), A(rip, 0x1000)
#define MOV (UINT64_C(1) << 63)

struct describe_case {
    uint32_t reason;
    struct setting settings[MAX_SETTINGS];
    const char *expected;
};

static const struct describe_case describe_cases[] = {
    {XRW_SVM_CPUID,
     {DONE, B(rax, 1), B(rcx, 0), A(rax, 5), A(rbx, 6), A(rcx, 7), A(rdx, 8)},
     "CPUID leaf 0x1 subleaf 0x0 -> eax 0x5 ebx 0x6 ecx 0x7 edx 0x8"},
    {XRW_SVM_IOIO,
     {F(qualification, 0x00e90010), B(rax, 0x1241)},
     "OUT port 0xe9 size 1 value 0x41"},
    {XRW_SVM_IOIO,
     {DONE, F(qualification, 0x12340041), A(rax, 0xffffffff)},
     "IN port 0x1234 size 4 -> 0xffffffff"},
    {XRW_SVM_IOIO,
     {F(qualification, 0x1234002d), B(rdi, 0x5000), B(rcx, 3)},
     "REP INS port 0x1234 size 2 to 0x5000 count 0x3"},
    {XRW_SVM_IOIO,
     {F(qualification, 0x12340014), B(rsi, 0x5000)},
     "OUTS port 0x1234 size 1 from 0x5000"},
    {XRW_SVM_IOIO, {B(rax, 1)}, ""},
    {XRW_SVM_MSR,
     {DONE, F(qualification, 0), B(rcx, 0x1b), A(rax, 0x900), A(rdx, 1)},
     "RDMSR 0x1b (IA32_APIC_BASE) -> 0x100000900"},
    {XRW_SVM_MSR,
     {F(qualification, 1), B(rcx, 0xc0000080), B(rax, 0x501), B(rdx, 0)},
     "WRMSR 0xc0000080 (IA32_EFER) = 0x501"},
    {XRW_SVM_MSR, {UNDONE, F(qualification, 0), B(rcx, 0x12345)}, "RDMSR 0x12345 -> not completed"},
    {XRW_SVM_MSR, {B(rcx, 0x1b)}, ""},
    {XRW_SVM_CR_WRITE + 4, {F(qualification, MOV | 2), B(rdx, 0x6a0)}, "cr4 = 0x6a0 (rdx)"},
    {XRW_SVM_CR_WRITE, {F(qualification, 0), B(rax, 0x6a0)}, "write cr0"},
    {XRW_SVM_CR_WRITE + 15, {B(rax, 0)}, "write cr15"},
    {XRW_SVM_CR0_SEL_WRITE, {F(qualification, MOV), B(rax, 0x11)}, "cr0 = 0x11 (rax)"},
    {XRW_SVM_CR_READ + 0,
     {DONE, F(qualification, MOV | 7), A(rdi, 0x33)},
     "read cr0 into rdi -> 0x33"},
    {XRW_SVM_CR_READ + 4, {DONE, F(qualification, 0), A(rax, 0x33)}, "read cr4"},
    {XRW_SVM_CR_READ + 4, {UNDONE, F(qualification, 0)}, "read cr4 -> not completed"},
    {XRW_SVM_DR_READ + 6, {F(qualification, 0)}, "read dr6"},
    {XRW_SVM_DR_WRITE + 15, {F(qualification, 0)}, "write dr15"},
    {XRW_SVM_EXCEPTION_DB, {F(qualification, 7)}, "exception vector 1 (#DB)"},
    {XRW_SVM_EXCEPTION_PF,
     {F(qualification, 2), F(gla, 0x7000)},
     "exception vector 14 (#PF) error 0x2 address 0x7000"},
    {XRW_SVM_EXCEPTION + 13, {B(rax, 0)}, "exception vector 13 (#GP) error ?"},
    {XRW_SVM_EXCEPTION + 31, {B(rax, 0)}, "exception vector 31"},
    {XRW_SVM_NPF,
     {F(qualification, UINT64_C(0x100000004)), F(gpa, 0x5000)},
     "NPF read gpa 0x5000 not present"},
    {XRW_SVM_NPF,
     {F(qualification, UINT64_C(0x100000007)), F(gpa, 0x5000)},
     "NPF write gpa 0x5000 present"},
    {XRW_SVM_NPF,
     {F(qualification, UINT64_C(0x200000006)), F(gpa, 0x5000)},
     "NPF write gpa 0x5000 (page walk) not present"},
    {XRW_SVM_NPF,
     {F(qualification, 0x14), F(gpa, 0x5000), F(idt_info, 0x80000b0e), F(idt_error, 3)},
     "NPF fetch gpa 0x5000 not present, while delivering exception vector 14 (#PF) error 0x3"},
    {XRW_SVM_NPF, {B(rax, 0)}, "NPF gpa ?"},
    {XRW_SVM_TASK_SWITCH, {F(qualification, 0x38)}, "task switch to TSS 0x38 by CALL"},
    {XRW_SVM_TASK_SWITCH,
     {F(qualification, UINT64_C(1) << 36 | 0x30)},
     "task switch to TSS 0x30 by IRET"},
    {XRW_SVM_TASK_SWITCH,
     {F(qualification, UINT64_C(1) << 38 | 0x30)},
     "task switch to TSS 0x30 by JMP"},
    {XRW_SVM_TASK_SWITCH,
     {F(qualification, 0x30), F(idt_info, 0x80000308)},
     "task switch to TSS 0x30 by task gate, while delivering exception vector 8 (#DF)"},
    {XRW_SVM_VMMCALL,
     {DONE, LONG_MODE, B(rax, 17), B(rdi, 0), B(rsi, 1), B(rdx, 2), B(r10, 3), B(r8, 4),
      A(rax, 0x40011)},
     "hypercall 0x11 (xen_version) args 0x0, 0x1, 0x2, 0x3, 0x4 -> 0x40011"},
    {XRW_SVM_RDTSCP, {DONE, A(rax, 2), A(rdx, 1), A(rcx, 7)}, "-> 0x100000002 aux 0x7"},
    {XRW_SVM_RDTSC, {DONE, A(rax, 2), A(rdx, 1)}, "-> 0x100000002"},
    {XRW_SVM_XSETBV, {DONE, B(rcx, 0), B(rax, 7), B(rdx, 0)}, "XSETBV xcr 0x0 = 0x7"},
    {XRW_SVM_HLT, {B(rflags, 0x202)}, "HLT with interrupts on"},
    {XRW_SVM_SWINT, {F(qualification, 0x80)}, "INT 0x80"},
    {XRW_SVM_INVLPGA, {B(rax, 0x1000), B(rcx, 2)}, "INVLPGA address 0x1000 asid 0x2"},
    {XRW_SVM_VMRUN, {UNDONE, B(rax, 0x1000)}, "vmcb 0x1000 -> not completed"},
    {XRW_SVM_INTR, {B(rax, 0)}, ""},
    {XRW_SVM_INVALID, {B(rax, 0)}, ""},
    {0x1abc, {F(qualification, 1)}, ""},
};

static void exits_read_as_their_operands_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof describe_cases / sizeof *describe_cases; i++) {
        const struct describe_case *c = &describe_cases[i];
        struct xrw_exit exit = exit_of(c->reason, c->settings);
        char text[512];

        assert_int_equal(xrw_exit_describe(&exit, text, sizeof text), strlen(c->expected));
        assert_string_equal(text, c->expected);
    }
}

/* Whatever a recording holds: one line of ASCII, cut to the buffer. */
static void random_exits_read_as_one_line(void **state)
{
    struct random random = random_seed();

    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        struct xrw_exit exit;
        char whole[512], cut[24];
        size_t length;

        random_exit(&random, XRW_SVM_REASON + (uint32_t)random_below(&random, 0x1000), &exit);
        length = xrw_exit_describe(&exit, whole, sizeof whole);
        assert_true(length < sizeof whole && strlen(whole) == length);
        assert_int_equal(xrw_exit_describe(&exit, cut, sizeof cut), length);
        assert_memory_equal(cut, whole, strlen(cut));
        for (const char *c = whole; *c; c++)
            assert_true(*c >= ' ' && *c <= '~');
    }
}

static struct xrw_exit plain(uint32_t reason)
{
    static const struct setting none[] = {{END, 0, 0}};

    return exit_of(reason, none);
}

static void the_hosts_exits_are_known(void **state)
{
    static const unsigned host[] = {XRW_SVM_INTR, XRW_SVM_NMI,   XRW_SVM_SMI,
                                    XRW_SVM_INIT, XRW_SVM_VINTR, XRW_SVM_EXCEPTION_MC};

    (void)state;
    for (unsigned reason = XRW_SVM_REASON; reason < 2 * XRW_SVM_REASON; reason++) {
        struct xrw_exit exit = plain(reason);
        bool expected = false;

        for (size_t i = 0; i < sizeof host / sizeof *host; i++)
            expected = expected || reason == host[i];
        assert_int_equal(xrw_exit_is_host(&exit), expected);
        exit.field_known[XRW_EXIT_reason] = false;
        assert_false(xrw_exit_is_host(&exit));
    }
}

static void what_may_write_memory_is_known(void **state)
{
    static const struct {
        uint32_t reason;
        struct setting settings[MAX_SETTINGS];
        bool may_write;
    } cases[] = {
        {XRW_SVM_CPUID, {B(rax, 0)}, false},
        {XRW_SVM_IOIO, {F(qualification, 0x12340010)}, false}, /* OUT */
        {XRW_SVM_IOIO, {F(qualification, 0x12340014)}, false}, /* OUTS */
        {XRW_SVM_IOIO, {F(qualification, 0x12340015)}, true},  /* INS */
        {XRW_SVM_IOIO, {B(rax, 0)}, true},
        {XRW_SVM_MSR, {F(qualification, 0), B(rcx, 0x40000000)}, false},
        {XRW_SVM_MSR, {F(qualification, 1), B(rcx, 0x40000000)}, true},
        {XRW_SVM_MSR, {F(qualification, 1), B(rcx, 0x1b)}, false},
        {XRW_SVM_MSR, {B(rcx, 0x1b)}, true},
        {XRW_SVM_CR_WRITE + 4, {B(rax, 0)}, false},
        {XRW_SVM_CR_READ, {F(qualification, MOV)}, false},
        {XRW_SVM_CR_READ, {F(qualification, 0)}, true}, /* SMSW to memory */
        {XRW_SVM_DR_WRITE + 7, {B(rax, 0)}, false},
        {XRW_SVM_EXCEPTION_PF, {B(rax, 0)}, true},
        {XRW_SVM_NPF, {B(rax, 0)}, true},
        {XRW_SVM_TASK_SWITCH, {B(rax, 0)}, true},
        {XRW_SVM_VMMCALL, {LONG_MODE, B(rax, 29), B(rdi, 0)}, false}, /* sched_op yield */
        {XRW_SVM_VMMCALL, {LONG_MODE, B(rax, 12), B(rdi, 0)}, true},
        {XRW_SVM_VMRUN, {B(rax, 0)}, true},
        {0x1abc, {B(rax, 0)}, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct xrw_exit exit = exit_of(cases[i].reason, cases[i].settings);

        assert_int_equal(xrw_exit_may_write_memory(&exit), cases[i].may_write);
        exit.field_known[XRW_EXIT_reason] = false;
        assert_true(xrw_exit_may_write_memory(&exit));
    }
}

/* All registers the same after as before: the access was let through, not carried out. */
static void a_page_that_was_brought_in_was_not_written(void **state)
{
    struct xrw_exit exit = plain(XRW_SVM_NPF);

    (void)state;
    for (int reg = 0; reg < XRW_REGISTER_COUNT; reg++) {
        xrw_registers_set(&exit.before, reg, 0x1000);
        xrw_registers_set(&exit.after, reg, 0x1000);
    }
    exit.has_after = true;
    assert_false(xrw_exit_may_write_memory(&exit));
    xrw_registers_set(&exit.after, XRW_REG_rip, 0x1002);
    assert_true(xrw_exit_may_write_memory(&exit));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exits_read_as_their_operands_say),
        cmocka_unit_test(random_exits_read_as_one_line),
        cmocka_unit_test(the_hosts_exits_are_known),
        cmocka_unit_test(what_may_write_memory_is_known),
        cmocka_unit_test(a_page_that_was_brought_in_was_not_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
