/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support.h"

#define MAX_SETTINGS 24
#define LONG_MODE B(efer, 0x500), B(cs_attr, 0xa9b)
#define NARROW_MODE B(efer, 0), B(cs_attr, 0xc9b)

struct effect_case {
    uint32_t reason;
    struct setting settings[MAX_SETTINGS];
    bool expected;
};

static void hosts_exits_are_told_from_the_guests(void **state)
{
    static const struct effect_case cases[] = {
        {XRW_VMX_EXTERNAL_INTERRUPT, {{0}}, true},
        {XRW_VMX_INIT, {{0}}, true},
        {XRW_VMX_OTHER_SMI, {{0}}, true},
        {XRW_VMX_INTERRUPT_WINDOW, {{0}}, true},
        {XRW_VMX_NMI_WINDOW, {{0}}, true},
        {XRW_VMX_PREEMPTION_TIMER, {{0}}, true},
        {XRW_VMX_PREEMPTION_TIMER | 1u << 26, {{0}}, true},
        {XRW_VMX_EXCEPTION_NMI, {F(intr_info, 0x80000202)}, true},  /* NMI */
        {XRW_VMX_EXCEPTION_NMI, {F(intr_info, 0x80000312)}, true},  /* #MC */
        {XRW_VMX_EXCEPTION_NMI, {F(intr_info, 0x00000202)}, false}, /* not valid */
        {XRW_VMX_EXCEPTION_NMI, {F(intr_info, 0x80000301)}, false}, /* #DB */
        {XRW_VMX_EXCEPTION_NMI, {F(intr_info, 0x80000603)}, false}, /* #BP */
        {XRW_VMX_EXCEPTION_NMI, {{0}}, false},
        {XRW_VMX_CPUID, {{0}}, false},
        {XRW_VMX_HLT, {{0}}, false},
        {XRW_VMX_EPT_VIOLATION, {F(intr_info, 0x80000202)}, false},
        {0xffff, {{0}}, false},
    };
    struct xrw_exit nothing = {0};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct xrw_exit exit = exit_of(cases[i].reason, cases[i].settings);

        if (xrw_vmx_is_host_exit(&exit) != cases[i].expected)
            fail_msg("case %zu, reason %u", i, cases[i].reason);
    }
    xrw_exit_set(&nothing, XRW_EXIT_intr_info, 0x80000202);
    assert_false(xrw_vmx_is_host_exit(&nothing));
}

static void check(const struct effect_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct xrw_exit exit = exit_of(cases[i].reason, cases[i].settings);

        if (xrw_vmx_may_write_memory(&exit) != cases[i].expected)
            fail_msg("case %zu, reason %u", i, cases[i].reason);
    }
}
#define CHECK(cases) check(cases, sizeof(cases) / sizeof *(cases))

static void hypercalls_write_unless_known_not_to(void **state)
{
    static const struct effect_case cases[] = {
        {XRW_VMX_VMCALL, {LONG_MODE, B(rax, 18), B(rdi, 0)}, false},         /* console write */
        {XRW_VMX_VMCALL, {LONG_MODE, B(rax, 18), B(rdi, 1)}, true},          /* console read */
        {XRW_VMX_VMCALL, {LONG_MODE, B(rax, 29), B(rdi, 0)}, false},         /* yield */
        {XRW_VMX_VMCALL, {LONG_MODE, B(rax, 29), B(rdi, 1)}, true},          /* block */
        {XRW_VMX_VMCALL, {LONG_MODE, B(rax, 29), B(rdi, 2)}, false},         /* shutdown */
        {XRW_VMX_VMCALL, {LONG_MODE, B(rax, 15), B(rdi, 0x1234)}, false},    /* set_timer_op */
        {XRW_VMX_VMCALL, {LONG_MODE, B(rax, 17), B(rdi, 0)}, false},         /* version */
        {XRW_VMX_VMCALL, {LONG_MODE, B(rax, 17), B(rdi, 1)}, true},          /* extraversion */
        {XRW_VMX_VMCALL, {LONG_MODE, B(rax, 12), B(rdi, 7)}, true},          /* add_to_physmap */
        {XRW_VMX_VMCALL, {LONG_MODE, B(rax, 32), B(rdi, 4)}, true},          /* event send */
        {XRW_VMX_VMCALL, {LONG_MODE, B(rax, 24), B(rdi, 8)}, true},          /* single-shot */
        {XRW_VMX_VMCALL, {LONG_MODE, B(rax, 0x80000012), B(rdi, 0)}, true},  /* Viridian */
        {XRW_VMX_VMCALL, {LONG_MODE, B(rax, 0x10000001d), B(rdi, 0)}, true}, /* no such number */
        {XRW_VMX_VMCALL, {NARROW_MODE, B(rax, 29), B(rbx, 2), B(rdi, 1)}, false},
        {XRW_VMX_VMCALL, {NARROW_MODE, B(rax, 29), B(rbx, 1), B(rdi, 2)}, true},
        {XRW_VMX_VMCALL, {NARROW_MODE, B(rax, 29), B(rdi, 2)}, true},
        {XRW_VMX_VMCALL, {LONG_MODE, B(rax, 29)}, true},
        {XRW_VMX_VMCALL, {LONG_MODE, B(rdi, 2)}, true},
        {XRW_VMX_VMCALL, {B(rax, 29), B(rdi, 2)}, true}, /* which convention? */
        {XRW_VMX_VMCALL, {{0}}, true},
    };

    (void)state;
    CHECK(cases);
}

static void input_writes_if_it_is_string_input(void **state)
{
    static const struct effect_case cases[] = {
        {XRW_VMX_IO_INSTRUCTION, {F(qualification, 0x00e90008)}, false}, /* IN */
        {XRW_VMX_IO_INSTRUCTION, {F(qualification, 0x00e90000)}, false}, /* OUT */
        {XRW_VMX_IO_INSTRUCTION, {F(qualification, 0x00e90018)}, true},  /* INS */
        {XRW_VMX_IO_INSTRUCTION, {F(qualification, 0x00e90038)}, true},  /* REP INS */
        {XRW_VMX_IO_INSTRUCTION, {F(qualification, 0x00e90030)}, false}, /* REP OUTS */
        {XRW_VMX_IO_INSTRUCTION, {{0}}, true},
    };

    (void)state;
    CHECK(cases);
}

static void msrs_of_the_hypervisor_fill_pages(void **state)
{
    static const struct effect_case cases[] = {
        {XRW_VMX_MSR_WRITE, {B(rcx, 0xc0000080)}, false},
        {XRW_VMX_MSR_WRITE, {B(rcx, 0x3fffffff)}, false},
        {XRW_VMX_MSR_WRITE, {B(rcx, 0x40000000)}, true},
        {XRW_VMX_MSR_WRITE, {B(rcx, 0x40000021)}, true}, /* Viridian's reference TSC page */
        {XRW_VMX_MSR_WRITE, {B(rcx, 0x40000200)}, true}, /* the hypercall page beside Viridian */
        {XRW_VMX_MSR_WRITE, {B(rcx, 0x400002ff)}, true},
        {XRW_VMX_MSR_WRITE, {B(rcx, 0x40000300)}, false},
        {XRW_VMX_MSR_WRITE, {B(rcx, 0xdead40000000)}, true}, /* ECX counts */
        {XRW_VMX_MSR_WRITE, {{0}}, true},
        {XRW_VMX_MSR_READ, {B(rcx, 0x40000000)}, false},
    };

    (void)state;
    CHECK(cases);
}

static struct xrw_exit retried(uint32_t reason)
{
    struct xrw_exit exit = exit_of(reason, (struct setting[]){F(qualification, 0x82), {0}});

    for (unsigned i = 0; i < XRW_HOT_COUNT; i++)
        xrw_registers_set(&exit.before, i, 0x1000 + i);
    exit.after = exit.before;
    exit.has_after = true;
    return exit;
}

/* An access that the guest tries again wrote nothing; one that was emulated shows in a register. */
static void emulation_shows_in_registers(void **state)
{
    static const uint32_t reasons[] = {XRW_VMX_EPT_VIOLATION, XRW_VMX_EPT_MISCONFIG,
                                       XRW_VMX_APIC_ACCESS, XRW_VMX_EXCEPTION_NMI};

    (void)state;
    for (size_t r = 0; r < sizeof reasons / sizeof *reasons; r++) {
        struct xrw_exit same = retried(reasons[r]);

        assert_false(xrw_vmx_may_write_memory(&same));
        xrw_exit_set(&same, XRW_EXIT_idt_info, 0x80000b0e); /* a #PF was being delivered */
        assert_false(xrw_vmx_may_write_memory(&same));
        same.after.value[XRW_REG_cr2]++;
        assert_false(xrw_vmx_may_write_memory(&same));
        for (unsigned reg = XRW_REG_rax; reg <= XRW_REG_rflags; reg++) {
            struct xrw_exit moved = same, unknown = same;

            moved.after.value[reg]++;
            assert_true(xrw_vmx_may_write_memory(&moved));
            unknown.before.known[reg] = false;
            assert_true(xrw_vmx_may_write_memory(&unknown));
            unknown = same;
            unknown.after.known[reg] = false;
            assert_true(xrw_vmx_may_write_memory(&unknown));
        }
        same.has_after = false;
        assert_true(xrw_vmx_may_write_memory(&same));
    }
}

static void other_reasons(void **state)
{
    static const struct effect_case cases[] = {
        {XRW_VMX_CPUID, {{0}}, false},
        {XRW_VMX_HLT, {{0}}, false},
        {XRW_VMX_RDTSC, {{0}}, false},
        {XRW_VMX_CR_ACCESS, {{0}}, false},
        {XRW_VMX_EXTERNAL_INTERRUPT, {{0}}, false},
        {XRW_VMX_XSETBV, {{0}}, false},
        {XRW_VMX_APIC_WRITE, {{0}}, false},
        {XRW_VMX_TASK_SWITCH, {{0}}, true},
        {XRW_VMX_GDTR_IDTR_ACCESS, {{0}}, true},
        {XRW_VMX_LDTR_TR_ACCESS, {{0}}, true},
        {XRW_VMX_VMPTRST, {{0}}, true},
        {0xffff, {{0}}, true},
    };
    const struct xrw_exit nothing = {0};

    (void)state;
    CHECK(cases);
    assert_true(xrw_vmx_may_write_memory(&nothing));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_exits_are_told_from_the_guests),
        cmocka_unit_test(hypercalls_write_unless_known_not_to),
        cmocka_unit_test(input_writes_if_it_is_string_input),
        cmocka_unit_test(msrs_of_the_hypervisor_fill_pages),
        cmocka_unit_test(emulation_shows_in_registers),
        cmocka_unit_test(other_reasons),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
