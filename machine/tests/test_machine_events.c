/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exceptions and interrupts: which, when, and what their handlers find. */
#include "guest.h"

#define RFLAGS_TF 0x100u
#define RFLAGS_IF 0x200u
#define RFLAGS_RF 0x10000u
#define RFLAGS_AC 0x40000u

/* The frame that the handler finds, from the error code (or RIP, without one) on. */
struct frame {
    uint64_t error, rip, cs, rflags, rsp, ss;
};

static struct frame read_frame(struct guest *g, bool has_error)
{
    struct frame f = {0};
    uint64_t rsp = GUEST_REG(g, rsp);

    if (has_error)
        assert_int_equal(xrw_machine_read(g->m, rsp, &f, sizeof f), 0);
    else
        assert_int_equal(xrw_machine_read(g->m, rsp, &f.rip, sizeof f - 8), 0);
    return f;
}

static void set_gate(struct guest *g, unsigned vector, unsigned type, unsigned ist)
{
    uint64_t handler = GUEST_HANDLERS + 16 * vector;

    guest_put64(g, GUEST_IDT + 16 * vector,
                (handler & 0xffff) | SEL_CODE << 16 | (uint64_t)type << 40 | (uint64_t)ist << 32);
}

/* ---- Faults ---- */

static void undefined_instruction(void **state)
{
    struct guest *g = *state;
    struct frame f;

    GUEST_BYTES_LOAD(g, 0x90, 0x0f, 0x0b);
    GUEST_SET(g, rflags, 0x2 | RFLAGS_IF);
    guest_expect_vector(g, 6);
    f = read_frame(g, false);
    assert_int_equal(f.rip, GUEST_CODE + 1);
    assert_int_equal(f.cs, SEL_CODE);
    assert_int_equal(f.rflags, 0x2 | RFLAGS_IF | RFLAGS_RF);
    assert_int_equal(f.rsp, GUEST_STACK);
    assert_int_equal(f.ss, SEL_DATA);
    assert_int_equal(GUEST_REG(g, rflags), 0x2);
    assert_int_equal(g->result.instructions, 1); /* the faulting one does not count */
}

static void division_by_zero(void **state)
{
    struct guest *g = *state;

    GUEST_BYTES_LOAD(g, 0x31, 0xc9, 0xf7, 0xf1);
    guest_expect_vector(g, 0);
    assert_int_equal(read_frame(g, false).rip, GUEST_CODE + 2);
}

static void an_address_that_is_not_canonical(void **state)
{
    struct guest *g = *state;
    struct frame f;

    GUEST_BYTES_LOAD(g, 0x48, 0x8b, 0x03); /* mov rax, [rbx] */
    GUEST_SET(g, rbx, UINT64_C(0x800000000000));
    guest_expect_vector(g, 13);
    f = read_frame(g, true);
    assert_int_equal(f.error, 0);
    assert_int_equal(f.rip, GUEST_CODE);

    GUEST_BYTES_LOAD(g, 0x58); /* pop rax: the stack segment's fault */
    GUEST_SET(g, rsp, UINT64_C(0x800000000000));
    set_gate(g, 12, 0x8e, 1);
    guest_expect_vector(g, 12);
}

static void aligned_sse(void **state)
{
    struct guest *g = *state;

    GUEST_BYTES_LOAD(g, 0x0f, 0x28, 0x03); /* movaps xmm0, [rbx] */
    GUEST_SET(g, rbx, GUEST_DATA + 8);
    guest_expect_vector(g, 13);
    GUEST_SET(g, rip, GUEST_CODE);
    GUEST_SET(g, rbx, GUEST_DATA + 0xff8); /* across pages, where a copy would be aligned */
    guest_expect_vector(g, 13);
}

static void fpu_not_available(void **state)
{
    struct guest *g = *state;

    GUEST_BYTES_LOAD(g, 0x0f, 0x28, 0xc1, 0xf4);
    GUEST_SET(g, cr0, 0x8001003b); /* TS */
    guest_expect_vector(g, 7);
    GUEST_SET(g, cr0, 0x80010033);
    GUEST_SET(g, cr4, 0x20); /* no OSFXSR */
    GUEST_SET(g, rip, GUEST_CODE);
    guest_expect_vector(g, 6);
    GUEST_SET(g, cr4, 0x620);
    GUEST_SET(g, rip, GUEST_CODE);
    guest_expect_exit(g, XRW_VMX_HLT);
    assert_int_equal(GUEST_REG(g, rip), GUEST_CODE + 3);
}

/* ---- User mode ---- */

static void a_fault_in_user_mode_switches_stacks(void **state)
{
    struct guest *g = *state;
    struct frame f;

    guest_enter_user(g);
    guest_put(g, GUEST_USER, "\xf4", 1); /* HLT is privileged */
    guest_expect_vector(g, 13);
    f = read_frame(g, true);
    assert_int_equal(f.cs, SEL_USER_CODE);
    assert_int_equal(f.ss, SEL_USER_DATA);
    assert_int_equal(f.rsp, GUEST_DATA - 0x100);
    assert_int_equal(GUEST_REG(g, rsp), GUEST_RSP0 - 48);
    assert_int_equal(GUEST_REG(g, ss), 0);
    assert_int_equal(GUEST_REG(g, cs), SEL_CODE);
}

static void user_mode_may_not(void **state)
{
    struct guest *g = *state;
    static const struct {
        uint8_t code[4];
        unsigned vector;
    } cases[] = {
        {{0xfa}, 13},             /* cli */
        {{0xfb}, 13},             /* sti */
        {{0x0f, 0x20, 0xc0}, 13}, /* mov rax, cr0 */
        {{0x0f, 0x22, 0xd8}, 13}, /* mov cr3, rax */
        {{0x0f, 0x30}, 13},       /* wrmsr */
        {{0x0f, 0x32}, 13},       /* rdmsr */
        {{0x0f, 0x01, 0xf8}, 13}, /* swapgs */
        {{0x0f, 0x06}, 13},       /* clts */
        {{0x0f, 0x01, 0x13}, 13}, /* lgdt [rbx] */
        {{0x0f, 0x00, 0xd8}, 13}, /* ltr ax */
        {{0x0f, 0x01, 0x3b}, 13}, /* invlpg [rbx] */
        {{0x0f, 0x09}, 13},       /* wbinvd */
        {{0xe4, 0x80}, 13},       /* in al, 0x80 */
        {{0xee}, 13},             /* out dx, al */
        {{0x48, 0x0f, 0x07}, 13}, /* sysretq */
        {{0x0f, 0x01, 0xca}, 6},  /* clac */
        {{0xcd, 0x40}, 13},       /* int 0x40: its gate is the kernel's */
    };

    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        guest_enter_user(g);
        GUEST_SET(g, rbx, GUEST_USER + 0x800);
        guest_put(g, GUEST_USER, cases[i].code, sizeof cases[i].code);
        guest_expect_vector(g, cases[i].vector);
    }
    assert_int_equal(read_frame(g, true).error, 0x40 * 8 + 2);
}

GUEST_ASM(user_int, "int 0x40\n int3\n ud2");

static void software_interrupts(void **state)
{
    struct guest *g = *state;

    set_gate(g, 0x40, 0xee, 0);
    set_gate(g, 3, 0xee, 0);
    guest_put(g, GUEST_USER, user_int, (size_t)(user_int_end - user_int));
    guest_enter_user(g);
    guest_expect_vector(g, 0x40);
    assert_int_equal(read_frame(g, false).rip, GUEST_USER + 2);
    assert_int_equal(read_frame(g, false).rflags & RFLAGS_RF, 0);
    assert_int_equal(g->result.instructions, 1);
    guest_enter_user(g);
    GUEST_SET(g, rip, GUEST_USER + 2);
    guest_expect_vector(g, 3);
    assert_int_equal(read_frame(g, false).rip, GUEST_USER + 3);
}

GUEST_ASM(to_user, "push 0x23\n push 0x3f000\n push 0x202\n push 0x2b\n push 0x30000\n iretq");
GUEST_ASM(in_user, "mov eax, 0x1234\n syscall\n mov ebx, 0x55\n ud2");
GUEST_ASM(in_kernel, "mov rdx, rsp\n sysretq");

static void iret_and_syscall(void **state)
{
    struct guest *g = *state;

    GUEST_ASM_LOAD(g, to_user);
    guest_put(g, GUEST_USER, in_user, (size_t)(in_user_end - in_user));
    guest_put(g, GUEST_CODE + 0x800, in_kernel, (size_t)(in_kernel_end - in_kernel));
    GUEST_SET(g, star, UINT64_C(0x001b000800000000));
    GUEST_SET(g, lstar, GUEST_CODE + 0x800);
    GUEST_SET(g, sfmask, RFLAGS_IF);
    guest_expect_vector(g, 6);
    assert_int_equal(GUEST_REG(g, rax), 0x1234);
    assert_int_equal(GUEST_REG(g, rbx), 0x55);
    assert_int_equal(GUEST_REG(g, rcx), GUEST_USER + 7);
    assert_int_equal(GUEST_REG(g, r11) & ~UINT64_C(0x8d5), 0x202);
    assert_int_equal(GUEST_REG(g, rdx), 0x3f000); /* SYSCALL leaves RSP */
    assert_int_equal(read_frame(g, false).cs, SEL_USER_CODE);
}

/* ---- Stacks, double and triple faults ---- */

static void an_interrupt_stack(void **state)
{
    struct guest *g = *state;

    set_gate(g, 6, 0x8e, 1);
    GUEST_BYTES_LOAD(g, 0x0f, 0x0b);
    GUEST_SET(g, rsp, 0x12345);
    guest_expect_vector(g, 6);
    assert_int_equal(GUEST_REG(g, rsp), GUEST_IST1 - 40);
    assert_int_equal(read_frame(g, false).rsp, 0x12345);
}

static void the_stack_is_aligned(void **state)
{
    struct guest *g = *state;

    GUEST_BYTES_LOAD(g, 0x0f, 0x0b);
    GUEST_SET(g, rsp, GUEST_STACK - 3);
    guest_expect_vector(g, 6);
    assert_int_equal(GUEST_REG(g, rsp), GUEST_STACK - 16 - 40);
}

static void a_double_fault(void **state)
{
    struct guest *g = *state;

    set_gate(g, 8, 0x8e, 1);
    GUEST_BYTES_LOAD(g, 0x50); /* push rax, where no stack is: #PF, and again on delivery */
    GUEST_SET(g, rsp, GUEST_UNMAPPED + 0x800);
    guest_expect_vector(g, 8);
    assert_int_equal(read_frame(g, true).error, 0);
    assert_int_equal(read_frame(g, true).rip, GUEST_CODE);
}

static void a_triple_fault(void **state)
{
    struct guest *g = *state;

    GUEST_BYTES_LOAD(g, 0x50);
    GUEST_SET(g, rsp, GUEST_UNMAPPED + 0x800);
    guest_expect_exit(g, XRW_VMX_TRIPLE_FAULT);
    assert_int_equal(GUEST_REG(g, rip), GUEST_CODE);

    GUEST_BYTES_LOAD(g, 0x0f, 0x0b);
    GUEST_SET(g, idtr_limit, 0);
    g->config.controls.exits &= ~XRW_EXITS_TRIPLE_FAULT;
    assert_int_equal(xrw_machine_set_controls(g->m, &g->config.controls), 0);
    assert_int_equal(guest_run(g), XRW_STOP_SHUTDOWN);
}

static void a_gate_that_is_not_there(void **state)
{
    struct guest *g = *state;

    guest_put64(g, GUEST_IDT + 16 * 6, 0);
    GUEST_BYTES_LOAD(g, 0x0f, 0x0b);
    guest_expect_vector(g, 13);
    assert_int_equal(read_frame(g, true).error, 6 * 8 + 2 + 1);

    set_gate(g, 6, 0x0e, 0); /* not present */
    GUEST_SET(g, rip, GUEST_CODE);
    guest_expect_vector(g, 11);
    assert_int_equal(read_frame(g, true).error, 6 * 8 + 2 + 1);
}

/* ---- Debugging ---- */

static void single_step(void **state)
{
    struct guest *g = *state;

    GUEST_BYTES_LOAD(g, 0x90, 0x90, 0x90);
    GUEST_SET(g, rflags, 0x2 | RFLAGS_TF);
    GUEST_SET(g, dr6, 0xffff0ff0);
    guest_expect_vector(g, 1);
    assert_int_equal(read_frame(g, false).rip, GUEST_CODE + 1);
    assert_int_equal(read_frame(g, false).rflags, 0x2 | RFLAGS_TF);
    assert_int_equal(GUEST_REG(g, dr6), 0xffff4ff0);
    assert_int_equal(GUEST_REG(g, rflags), 0x2);
    assert_int_equal(g->result.instructions, 1);
}

GUEST_ASM(loads_ss, "mov ss, ax\n mov esp, 0x20000\n nop\n");

static void mov_ss_holds_traps_back(void **state)
{
    struct guest *g = *state;

    GUEST_ASM_LOAD(g, loads_ss);
    GUEST_SET(g, rax, SEL_DATA);
    GUEST_SET(g, rflags, 0x2 | RFLAGS_TF);
    guest_expect_vector(g, 1);
    assert_int_equal(read_frame(g, false).rip, GUEST_CODE + 2 + 5);
}

static void breakpoints(void **state)
{
    struct guest *g = *state;

    GUEST_BYTES_LOAD(g, 0x90, 0x90, 0x88, 0x03, 0x90, 0xf4); /* mov [rbx], al */
    GUEST_SET(g, rbx, GUEST_DATA + 2);
    GUEST_SET(g, dr0, GUEST_CODE + 1);
    GUEST_SET(g, dr1, GUEST_DATA);
    GUEST_SET(g, dr7, 0x400 | 1 | 4 | 0xd00000); /* DR0: execution; DR1: writes of 4 bytes */
    guest_expect_vector(g, 1);
    assert_int_equal(read_frame(g, false).rip, GUEST_CODE + 1);
    assert_int_equal(GUEST_REG(g, dr6) & 0xf, 1);
    /* RF lets it pass; the data breakpoint comes behind the write */
    GUEST_SET(g, rip, GUEST_CODE + 1);
    GUEST_SET(g, rflags, 0x2 | RFLAGS_RF);
    guest_expect_vector(g, 1);
    assert_int_equal(read_frame(g, false).rip, GUEST_CODE + 4);
    assert_int_equal(GUEST_REG(g, dr6) & 0xf, 2);
}

static void alignment_check(void **state)
{
    struct guest *g = *state;

    guest_put(g, GUEST_USER, "\x8b\x03", 2); /* mov eax, [rbx] */
    guest_enter_user(g);
    GUEST_SET(g, cr0, 0x80050033);
    GUEST_SET(g, rflags, 0x2 | RFLAGS_AC);
    GUEST_SET(g, rbx, GUEST_USER + 0x802);
    guest_expect_vector(g, 17);
    assert_int_equal(read_frame(g, true).error, 0);
}

/* ---- Events injected at an entry ---- */

static void an_interrupt_is_injected(void **state)
{
    struct guest *g = *state;

    GUEST_BYTES_LOAD(g, 0x90, 0xf4);
    GUEST_SET(g, rflags, 0x2 | RFLAGS_IF);
    assert_true(xrw_machine_interruptible(g->m));
    assert_int_equal(xrw_machine_inject(g->m, 0x800000f3, 0, 0), 0);
    guest_expect_vector(g, 0xf3);
    assert_int_equal(read_frame(g, false).rip, GUEST_CODE);
    assert_int_equal(read_frame(g, false).rflags, 0x2 | RFLAGS_IF);
    assert_int_equal(g->result.instructions, 0);
    assert_int_equal(xrw_machine_inject(g->m, 0x80000700, 0, 0), -22);
}

static void an_exception_is_injected(void **state)
{
    struct guest *g = *state;

    GUEST_BYTES_LOAD(g, 0x90, 0xf4);
    GUEST_SET(g, cr2, 0x1111);
    assert_int_equal(xrw_machine_inject(g->m, 0x80000b0e, 2, 0), 0);
    guest_expect_vector(g, 14);
    assert_int_equal(read_frame(g, true).error, 2);
    assert_int_equal(read_frame(g, true).rip, GUEST_CODE);
    assert_int_equal(read_frame(g, true).rflags, 2); /* RF as it was */
    assert_int_equal(GUEST_REG(g, cr2), 0x1111);
}

static void an_nmi_blocks_until_iret(void **state)
{
    struct guest *g = *state;
    struct xrw_machine_state *s = test_malloc(sizeof *s);

    GUEST_BYTES_LOAD(g, 0x90, 0xf4);
    guest_put(g, GUEST_HANDLERS + 32, "\x48\xcf", 2); /* iretq */
    assert_int_equal(xrw_machine_inject(g->m, 0x80000202, 0, 0), 0);
    assert_int_equal(guest_run_count(g, 0), XRW_STOP_COUNT);
    xrw_machine_store(g->m, s);
    assert_int_equal(s->interruptibility & XRW_BLOCKED_BY_NMI, XRW_BLOCKED_BY_NMI);
    guest_expect_exit(g, XRW_VMX_HLT);
    assert_int_equal(guest_field(g, XRW_EXIT_interruptibility), 0);
    assert_int_equal(GUEST_REG(g, rip), GUEST_CODE + 1);
    test_free(s);
}

static void sti_shadow(void **state)
{
    struct guest *g = *state;

    GUEST_BYTES_LOAD(g, 0xfb, 0xf4, 0xfb, 0x90, 0xf4);
    guest_expect_exit(g, XRW_VMX_HLT);
    assert_int_equal(guest_field(g, XRW_EXIT_interruptibility), XRW_BLOCKED_BY_STI);
    assert_false(xrw_machine_interruptible(g->m));
    xrw_machine_skip(g->m, 1);
    assert_true(xrw_machine_interruptible(g->m));
    guest_expect_exit(g, XRW_VMX_HLT); /* IF was set: no shadow */
    assert_int_equal(guest_field(g, XRW_EXIT_interruptibility), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, guest_setup, guest_teardown)
    const struct CMUnitTest tests[] = {
        TEST(undefined_instruction),
        TEST(division_by_zero),
        TEST(an_address_that_is_not_canonical),
        TEST(aligned_sse),
        TEST(fpu_not_available),
        TEST(a_fault_in_user_mode_switches_stacks),
        TEST(user_mode_may_not),
        TEST(software_interrupts),
        TEST(iret_and_syscall),
        TEST(an_interrupt_stack),
        TEST(the_stack_is_aligned),
        TEST(a_double_fault),
        TEST(a_triple_fault),
        TEST(a_gate_that_is_not_there),
        TEST(single_step),
        TEST(mov_ss_holds_traps_back),
        TEST(breakpoints),
        TEST(alignment_check),
        TEST(an_interrupt_is_injected),
        TEST(an_exception_is_injected),
        TEST(an_nmi_blocks_until_iret),
        TEST(sti_shadow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
