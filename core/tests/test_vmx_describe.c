/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#define MAX_SETTINGS 24
#define LONG_MODE B(efer, 0x500), B(cs_attr, 0xa9b)
#define NARROW_MODE B(efer, 0), B(cs_attr, 0xc9b)
#define DONE B(rip, 0x1000), A(rip, 0x1002)
#define UNDONE B(rip, 0x1000), A(rip, 0x1000)

struct describe_case {
    uint32_t reason;
    struct setting settings[MAX_SETTINGS];
    const char *expected;
};

static void check(const struct describe_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct xrw_exit exit = exit_of(cases[i].reason, cases[i].settings);
        char text[512];

        assert_int_equal(xrw_vmx_describe(&exit, text, sizeof text), strlen(cases[i].expected));
        assert_string_equal(text, cases[i].expected);
    }
}
#define CHECK(cases) check(cases, sizeof(cases) / sizeof *(cases))

static void cpuid(void **state)
{
    static const struct describe_case cases[] = {
        {XRW_VMX_CPUID, {B(rax, 0xdead00000001), B(rcx, 2)}, "CPUID leaf 0x1 subleaf 0x2"},
        {XRW_VMX_CPUID, {B(rcx, 0)}, "CPUID leaf ? subleaf 0x0"},
        {XRW_VMX_CPUID,
         {DONE, B(rax, 1), B(rcx, 0), A(rax, 0x306c3), A(rbx, 0x100800), A(rcx, 0), A(rdx, 0x1f)},
         "CPUID leaf 0x1 subleaf 0x0 -> eax 0x306c3 ebx 0x100800 ecx 0x0 edx 0x1f"},
        {XRW_VMX_CPUID,
         {DONE, B(rax, 1), B(rcx, 0), A(rax, 5)},
         "CPUID leaf 0x1 subleaf 0x0 -> eax 0x5 ebx ? ecx ? edx ?"},
        {XRW_VMX_CPUID,
         {UNDONE, B(rax, 1), B(rcx, 0), A(rax, 1), A(rcx, 0)},
         "CPUID leaf 0x1 subleaf 0x0 -> not completed"},
    };

    (void)state;
    CHECK(cases);
}

static void io(void **state)
{
    static const struct describe_case cases[] = {
        {XRW_VMX_IO_INSTRUCTION,
         {F(qualification, 0x00e90040), B(rax, 0x1241)},
         "OUT port 0xe9 size 1 value 0x41"},
        {XRW_VMX_IO_INSTRUCTION,
         {F(qualification, 0x0cf80003), B(rax, UINT64_C(0x1280000000))},
         "OUT port 0xcf8 size 4 value 0x80000000"},
        {XRW_VMX_IO_INSTRUCTION, {F(qualification, 0x00600008)}, "IN port 0x60 size 1"},
        {XRW_VMX_IO_INSTRUCTION,
         {F(qualification, 0x00600009), DONE, A(rax, 0x12345678)},
         "IN port 0x60 size 2 -> 0x5678"},
        {XRW_VMX_IO_INSTRUCTION, {F(qualification, 0x00600009), DONE}, "IN port 0x60 size 2 -> ?"},
        {XRW_VMX_IO_INSTRUCTION,
         {F(qualification, 0x00600009), UNDONE, A(rax, 7)},
         "IN port 0x60 size 2 -> not completed"},
        {XRW_VMX_IO_INSTRUCTION,
         {F(qualification, 0x00e90010), B(rsi, 0x5000)},
         "OUTS port 0xe9 size 1 from 0x5000"},
        {XRW_VMX_IO_INSTRUCTION,
         {F(qualification, 0x01f0003b), DONE, B(rdi, 0x6000), B(rcx, 16), A(rcx, 0)},
         "REP INS port 0x1f0 size 4 to 0x6000 count 0x10 left 0x0"},
        {XRW_VMX_IO_INSTRUCTION, {F(qualification, 0x00e90000)}, "OUT port 0xe9 size 1 value ?"},
        {XRW_VMX_IO_INSTRUCTION, {B(rax, 1)}, ""},
    };

    (void)state;
    CHECK(cases);
}

static void msr(void **state)
{
    static const struct describe_case cases[] = {
        {XRW_VMX_MSR_WRITE,
         {B(rcx, 0xc0000080), B(rax, 0x501), B(rdx, 0)},
         "WRMSR 0xc0000080 (IA32_EFER) = 0x501"},
        {XRW_VMX_MSR_WRITE,
         {B(rcx, 0x12345), B(rax, UINT64_C(0xffffffff00000002)), B(rdx, UINT64_C(0xffff00000001))},
         "WRMSR 0x12345 = 0x100000002"},
        {XRW_VMX_MSR_WRITE, {B(rax, 1)}, "WRMSR ? = ?"},
        {XRW_VMX_MSR_WRITE,
         {UNDONE, B(rcx, 0x79), B(rax, 1), B(rdx, 0)},
         "WRMSR 0x79 (IA32_BIOS_UPDT_TRIG) = 0x1 -> not completed"},
        {XRW_VMX_MSR_READ, {B(rcx, 0x10)}, "RDMSR 0x10 (IA32_TIME_STAMP_COUNTER)"},
        {XRW_VMX_MSR_READ,
         {DONE, B(rcx, 0x1b), A(rax, 0xfee00900), A(rdx, 0)},
         "RDMSR 0x1b (IA32_APIC_BASE) -> 0xfee00900"},
        {XRW_VMX_MSR_READ,
         {UNDONE, B(rcx, 0x9999), A(rax, 1), A(rdx, 2)},
         "RDMSR 0x9999 -> not completed"},
        {XRW_VMX_RDMSR_IMM, {F(qualification, 0xda0)}, "RDMSR 0xda0 (IA32_XSS)"},
    };

    (void)state;
    CHECK(cases);
}

static void control_and_debug_registers(void **state)
{
    static const struct describe_case cases[] = {
        {XRW_VMX_CR_ACCESS,
         {F(qualification, 0x000), B(rax, 0x80000011)},
         "cr0 = 0x80000011 (rax)"},
        {XRW_VMX_CR_ACCESS, {F(qualification, 0xf03), B(r15, 0x1000)}, "cr3 = 0x1000 (r15)"},
        {XRW_VMX_CR_ACCESS, {F(qualification, 0x400)}, "cr0 = ? (rsp)"},
        {XRW_VMX_CR_ACCESS,
         {UNDONE, F(qualification, 0x004), B(rax, UINT64_C(1) << 63)},
         "cr4 = 0x8000000000000000 (rax) -> not completed"},
        {XRW_VMX_CR_ACCESS, {DONE, F(qualification, 0x318), A(rbx, 3)}, "read cr8 into rbx -> 0x3"},
        {XRW_VMX_CR_ACCESS, {F(qualification, 0x318)}, "read cr8 into rbx"},
        {XRW_VMX_CR_ACCESS, {F(qualification, 0x20)}, "CLTS"},
        {XRW_VMX_CR_ACCESS, {F(qualification, 0x000b0030)}, "LMSW 0xb"},
        {XRW_VMX_CR_ACCESS, {{0}}, ""},
        {XRW_VMX_DR_ACCESS, {F(qualification, 0x207), B(rdx, 0x400)}, "dr7 = 0x400 (rdx)"},
        {XRW_VMX_DR_ACCESS, {F(qualification, 0x216)}, "read dr6 into rdx"},
        {XRW_VMX_DR_ACCESS,
         {DONE, F(qualification, 0x216), A(rdx, 0xffff0ff0)},
         "read dr6 into rdx -> 0xffff0ff0"},
        {XRW_VMX_DR_ACCESS, {UNDONE, F(qualification, 0x216), A(rdx, 5)}, "read dr6 into rdx"},
        {XRW_VMX_XSETBV, {B(rcx, 0), B(rax, 7), B(rdx, 0)}, "XSETBV xcr 0x0 = 0x7"},
    };

    (void)state;
    CHECK(cases);
}

static void ept(void **state)
{
    static const struct describe_case cases[] = {
        {XRW_VMX_EPT_VIOLATION,
         {F(qualification, 0x182), F(gpa, 0x1234000), F(gla, UINT64_C(0xffff888001234000))},
         "EPT write gpa 0x1234000 gla 0xffff888001234000 not present"},
        {XRW_VMX_EPT_VIOLATION,
         {F(qualification, 0x1ab), F(gpa, 0x2000), F(gla, 0x3000)},
         "EPT read write gpa 0x2000 gla 0x3000 entry r-x"},
        {XRW_VMX_EPT_VIOLATION,
         {F(qualification, 0x81), F(gpa, 0x2000), F(gla, 0x3000)},
         "EPT read gpa 0x2000 gla 0x3000 (page walk) not present"},
        {XRW_VMX_EPT_VIOLATION, {F(qualification, 4), F(gpa, 0)}, "EPT fetch gpa 0x0 not present"},
        {XRW_VMX_EPT_VIOLATION, {F(qualification, 4)}, "EPT fetch gpa ? not present"},
        {XRW_VMX_EPT_VIOLATION, {{0}}, "EPT gpa ?"},
        {XRW_VMX_EPT_MISCONFIG, {F(gpa, 0xfee00000)}, "EPT misconfigured gpa 0xfee00000"},
    };

    (void)state;
    CHECK(cases);
}

static void events(void **state)
{
    static const struct describe_case cases[] = {
        {XRW_VMX_EXCEPTION_NMI,
         {F(intr_info, 0x80000b0e), F(intr_error, 2), F(qualification, 0xdead000)},
         "exception vector 14 (#PF) error 0x2 address 0xdead000"},
        {XRW_VMX_EXCEPTION_NMI,
         {F(intr_info, 0x80000301), F(qualification, 0x4000)},
         "exception vector 1 (#DB) dr6 bits 0x4000"},
        {XRW_VMX_EXCEPTION_NMI, {F(intr_info, 0x80000603)}, "software exception vector 3 (#BP)"},
        {XRW_VMX_EXCEPTION_NMI, {F(intr_info, 0x80000202)}, "NMI vector 2"},
        {XRW_VMX_EXCEPTION_NMI, {F(intr_info, 0x80000b0d)}, "exception vector 13 (#GP) error ?"},
        {XRW_VMX_EXCEPTION_NMI, {F(intr_info, 0x0000030d)}, ""},
        {XRW_VMX_EXCEPTION_NMI, {{0}}, ""},
        {XRW_VMX_EXTERNAL_INTERRUPT, {F(intr_info, 0x800000f3)}, "external interrupt vector 243"},
        {XRW_VMX_EXTERNAL_INTERRUPT, {F(intr_info, 0)}, ""},
        {XRW_VMX_TASK_SWITCH,
         {F(qualification, 0xc0000028), F(idt_info, 0x80000308)},
         "task switch to TSS 0x28 by task gate, while delivering exception vector 8 (#DF)"},
        {XRW_VMX_EPT_VIOLATION,
         {F(qualification, 0x182), F(gpa, 0x1000), F(gla, 0x1000), F(idt_info, 0x80000b0e),
          F(idt_error, 6)},
         "EPT write gpa 0x1000 gla 0x1000 not present, while delivering exception vector 14 (#PF) "
         "error 0x6"},
        {XRW_VMX_TRIPLE_FAULT,
         {F(idt_info, 0x80000020)},
         "while delivering external interrupt vector 32"},
        {XRW_VMX_TRIPLE_FAULT, {F(idt_info, 0x20)}, ""},
        {XRW_VMX_APIC_ACCESS, {F(qualification, 0x10b0)}, "APIC write offset 0xb0 (EOI)"},
        {XRW_VMX_APIC_ACCESS, {F(qualification, 0x0024)}, "APIC read offset 0x24"},
        {XRW_VMX_APIC_ACCESS, {F(qualification, 0xf123)}, "APIC fetch by physical address"},
        {XRW_VMX_APIC_ACCESS, {F(qualification, 0x7000)}, "APIC access of unknown type"},
        {XRW_VMX_APIC_WRITE, {F(qualification, 0x300)}, "APIC write offset 0x300 (ICR low)"},
        {XRW_VMX_EOI_INDUCED, {F(qualification, 0x1ef)}, "vector 239"},
        {XRW_VMX_SIPI, {F(qualification, 0x98)}, "vector 152"},
        {XRW_VMX_INVALID_GUEST_STATE | 1u << 31,
         {F(qualification, 2)},
         "cause 0x2, the VM entry failed"},
        {XRW_VMX_CPUID | 1u << 26,
         {B(rax, 1), B(rcx, 0)},
         "CPUID leaf 0x1 subleaf 0x0, bus lock detected"},
        {XRW_VMX_BUS_LOCK | 1u << 26, {{0}}, ""},
        {XRW_VMX_NOTIFY, {F(qualification, 1)}, "VM context is lost"},
    };

    (void)state;
    CHECK(cases);
}

static void hypercalls(void **state)
{
    static const struct describe_case cases[] = {
        {XRW_VMX_VMCALL,
         {LONG_MODE, DONE, B(rax, 29), B(rdi, 2), B(rsi, 0x5000), B(rdx, 0), B(r10, 0),
          A(rax, UINT64_C(0xffffffffffffffda))},
         "hypercall 0x1d (sched_op) args 0x2, 0x5000, 0x0, 0x0, ? -> 0xffffffffffffffda"},
        {XRW_VMX_VMCALL,
         {NARROW_MODE, DONE, B(rax, 12), B(rbx, 7), B(rcx, 0x5000), B(rdx, 0), B(rsi, 1),
          B(rdi, UINT64_C(0x900000003)), A(rax, UINT64_C(0xffffffffffffffda))},
         "hypercall 0xc (memory_op) args 0x7, 0x5000, 0x0, 0x1, 0x3 -> 0xffffffda"},
        {XRW_VMX_VMCALL,
         {LONG_MODE, UNDONE, B(rax, 0x1234)},
         "hypercall 0x1234 args ?, ?, ?, ?, ? -> not completed"},
        {XRW_VMX_VMCALL, {{0}}, "hypercall ? args ?, ?, ?, ?, ?"},
    };

    (void)state;
    CHECK(cases);
}

static void other_instructions(void **state)
{
    static const struct describe_case cases[] = {
        {XRW_VMX_HLT, {B(rflags, 0x202)}, "HLT with interrupts on"},
        {XRW_VMX_HLT, {B(rflags, 0x2)}, "HLT with interrupts off"},
        {XRW_VMX_HLT, {{0}}, ""},
        {XRW_VMX_INVLPG, {F(qualification, 0x7000)}, "INVLPG address 0x7000"},
        {XRW_VMX_RDTSC, {B(rax, 1)}, ""},
        {XRW_VMX_RDTSC, {DONE, A(rax, 0x10), A(rdx, 0x2)}, "-> 0x200000010"},
        {XRW_VMX_RDTSCP, {DONE, A(rax, 0x10), A(rdx, 0), A(rcx, 3)}, "-> 0x10 aux 0x3"},
        {XRW_VMX_RDPMC, {B(rcx, UINT64_C(0x140000000))}, "RDPMC counter 0x40000000"},
        {XRW_VMX_MWAIT, {B(rax, 0x20), F(qualification, 1)}, "MWAIT hint 0x20, monitor armed"},
        {XRW_VMX_MONITOR, {B(rax, 0x8000)}, "MONITOR address 0x8000"},
        {XRW_VMX_WBINVD, {DONE, B(rax, 1)}, ""},
        {0xffff, {B(rax, 1)}, ""},
    };

    (void)state;
    CHECK(cases);
}

/* Instruction information: no index and no base are bits 22 and 27, 64-bit addresses 0x100. */
static void operands_of_the_instruction_information(void **state)
{
    static const struct describe_case cases[] = {
        {XRW_VMX_GDTR_IDTR_ACCESS, /* lgdt [rip + ...]: the sum is the displacement */
         {LONG_MODE, F(insn_info, 0x28418100), F(qualification, 0x401000)},
         "LGDT address 0x401000"},
        {XRW_VMX_GDTR_IDTR_ACCESS, /* sidt [rbx + 4 * rsi - 8]: no segment base */
         {LONG_MODE, B(ds_base, 0x70000000), F(insn_info, 0x11998102),
          F(qualification, (uint64_t)-8), B(rbx, 0x1000), B(rsi, 0x10)},
         "SIDT address 0x1038"},
        {XRW_VMX_GDTR_IDTR_ACCESS, /* lidt fs:[rbx] */
         {LONG_MODE, F(insn_info, 0x31c20100), F(qualification, 0), B(rbx, 8), B(fs_base, 0x7000)},
         "LIDT address 0x7008"},
        {XRW_VMX_GDTR_IDTR_ACCESS, /* 32-bit code wraps, then adds DS */
         {NARROW_MODE, F(insn_info, 0x01c18080), F(qualification, 0xfffffffc), B(rbx, 8),
          B(ds_base, 0x100000)},
         "SGDT address 0x100004"},
        {XRW_VMX_GDTR_IDTR_ACCESS,
         {NARROW_MODE, F(insn_info, 0x01c18080), F(qualification, 0), B(rbx, 8)},
         "SGDT address ?"},
        {XRW_VMX_GDTR_IDTR_ACCESS, {F(qualification, 8)}, ""},
        {XRW_VMX_LDTR_TR_ACCESS,
         {LONG_MODE, F(insn_info, 0x30000410), B(rdx, 0xffff0040)},
         "LTR rdx = 0x40"},
        {XRW_VMX_LDTR_TR_ACCESS, {LONG_MODE, F(insn_info, 0x10000400)}, "STR rax"},
        {XRW_VMX_LDTR_TR_ACCESS,
         {LONG_MODE, F(insn_info, 0x28418100), F(qualification, 0x600000)},
         "LLDT address 0x600000"},
        {XRW_VMX_RDRAND, {DONE, F(insn_info, 0x1010), A(rdx, 0x1234)}, "RDRAND into rdx -> 0x1234"},
        {XRW_VMX_INVPCID,
         {LONG_MODE, F(insn_info, 0x28418100), F(qualification, 0x9000), B(rdx, 2)},
         "INVPCID type 0x2 address 0x9000"},
        {XRW_VMX_VMREAD,
         {LONG_MODE, F(insn_info, 0x20000408), B(rdx, 0x4402)},
         "VMREAD field 0x4402 rcx"},
        {XRW_VMX_VMCLEAR,
         {LONG_MODE, F(insn_info, 0x08418100), F(qualification, 0x9000)},
         "VMCLEAR address 0x9000"},
    };

    (void)state;
    CHECK(cases);
}

static void a_reason_that_is_not_known_says_nothing(void **state)
{
    struct xrw_exit exit = {0};
    char text[8] = "before";

    (void)state;
    xrw_exit_set(&exit, XRW_EXIT_intr_info, 0x80000b0e);
    assert_int_equal(xrw_vmx_describe(&exit, text, sizeof text), 0);
    assert_string_equal(text, "");
}

static void a_small_buffer_gets_the_start(void **state)
{
    struct xrw_exit exit =
        exit_of(XRW_VMX_IO_INSTRUCTION,
                (struct setting[]){F(qualification, 0x00e90040), B(rax, 0x41), {0}});
    static const char whole[] = "OUT port 0xe9 size 1 value 0x41";

    (void)state;
    assert_int_equal(xrw_vmx_describe(&exit, NULL, 0), strlen(whole));
    for (size_t bytes = 1; bytes < sizeof whole + 3; bytes++) {
        char *text = malloc(bytes); /* so that the sanitizer knows its end */
        size_t kept = bytes < sizeof whole ? bytes - 1 : strlen(whole);

        assert_non_null(text);
        assert_int_equal(xrw_vmx_describe(&exit, text, bytes), strlen(whole));
        assert_int_equal(strlen(text), kept);
        assert_memory_equal(text, whole, kept);
        free(text);
    }
}

/* Every reason, named or not, with any values: a line of ASCII, and the same start if cut. */
static void any_exit_is_survived(void **state)
{
    struct random random = random_seed();
    struct xrw_exit exit;
    char text[1024], cut[1024];

    (void)state;
    for (unsigned i = 0; i < 60000; i++) {
        uint32_t reason = i % 100 == 99 ? (uint32_t)random_below(&random, 0x10000) : i % 100;
        size_t bytes = random_below(&random, 160), length;

        random_exit(&random, reason, &exit);
        memset(text, 0x5a, sizeof text);
        length = xrw_vmx_describe(&exit, text, sizeof text);
        assert_true(length < 512);
        assert_int_equal(strlen(text), length);
        for (const char *c = text; *c; c++)
            assert_in_range(*c, ' ', '~');
        memset(cut, 0x5a, sizeof cut);
        assert_int_equal(xrw_vmx_describe(&exit, cut, bytes), length);
        assert_int_equal(cut[bytes], 0x5a);
        if (bytes) {
            assert_int_equal(strlen(cut), length < bytes ? length : bytes - 1);
            assert_memory_equal(cut, text, strlen(cut));
        }
        (void)xrw_vmx_is_host_exit(&exit);
        (void)xrw_vmx_may_write_memory(&exit);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cpuid),
        cmocka_unit_test(io),
        cmocka_unit_test(msr),
        cmocka_unit_test(control_and_debug_registers),
        cmocka_unit_test(ept),
        cmocka_unit_test(events),
        cmocka_unit_test(hypercalls),
        cmocka_unit_test(other_instructions),
        cmocka_unit_test(operands_of_the_instruction_information),
        cmocka_unit_test(a_reason_that_is_not_known_says_nothing),
        cmocka_unit_test(a_small_buffer_gets_the_start),
        cmocka_unit_test(any_exit_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
