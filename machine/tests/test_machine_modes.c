/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Real mode, protected mode of 16 and 32 bits, virtual-8086 mode; segments and gates. */
#include "guest.h"

/* More descriptors than guest.c makes, from GDT entry 8 on. */
#define GDT_AT(selector) (GUEST_GDT + ((selector) & ~7u))

static void unmask_crs(struct guest *g)
{
    g->config.controls.cr0_mask = 0;
    g->config.controls.cr4_mask = g->config.controls.cr4_mask_unpaged = 0;
    g->config.controls.msr_none = true;
    assert_int_equal(xrw_machine_set_controls(g->m, &g->config.controls), 0);
}

static void enter_32(struct guest *g)
{
    GUEST_SET(g, cs, SEL_CODE32);
    GUEST_SET(g, cs_attr, 0xc9b);
    GUEST_SET(g, cr0, 0x31);
    GUEST_SET(g, efer, 0);
}

static void enter_real(struct guest *g)
{
    static const enum xrw_register first[] = {XRW_REG_cs, XRW_REG_ss, XRW_REG_ds,
                                              XRW_REG_es, XRW_REG_fs, XRW_REG_gs};

    GUEST_SET(g, cr0, 0x30);
    GUEST_SET(g, efer, 0);
    for (unsigned i = 0; i < 6; i++) {
        xrw_machine_set_register(g->m, first[i], 0);
        xrw_machine_set_register(g->m, first[i] + 1, 0);
        xrw_machine_set_register(g->m, first[i] + 2, 0xffff);
        xrw_machine_set_register(g->m, first[i] + 3, i ? 0x93 : 0x9b);
    }
    GUEST_SET(g, cs, GUEST_CODE >> 4);
    GUEST_SET(g, cs_base, GUEST_CODE);
    GUEST_SET(g, rip, 0);
    GUEST_SET(g, rsp, 0x8000);
    GUEST_SET(g, idtr_base, 0);
}

#define ASM16(name, text) GUEST_ASM(name, ".code16\n" text "\n.code64")
#define ASM32(name, text) GUEST_ASM(name, ".code32\n" text "\n.code64")

/* ---- Real mode ---- */

ASM16(real,
      "mov ax, 0x4000\n mov ds, ax\n mov bx, 0x10\n mov si, 2\n mov word ptr [bx + si], 0x1234\n"
      "push 0x55\n pop cx\n int 0x21\n hlt");
ASM16(real_handler, "mov dx, 0x77\n iret");

static void real_mode(void **state)
{
    struct guest *g = *state;

    GUEST_ASM_LOAD(g, real);
    enter_real(g);
    guest_put64(g, 0x21 * 4, 0x10000800); /* 1000:0800 */
    guest_put(g, GUEST_CODE + 0x800, real_handler, (size_t)(real_handler_end - real_handler));
    guest_expect_exit(g, XRW_VMX_HLT);
    assert_int_equal(guest_get64(g, 0x40012) & 0xffff, 0x1234);
    assert_int_equal(GUEST_REG(g, rcx) & 0xffff, 0x55);
    assert_int_equal(GUEST_REG(g, rdx) & 0xffff, 0x77);
    assert_int_equal(GUEST_REG(g, rip), (size_t)(real_end - real) - 1);
    assert_int_equal(GUEST_REG(g, ds_base), 0x40000);
    assert_int_equal(g->result.instructions, 10);
}

/* From real mode to 64-bit mode, as a kernel's start does. */
ASM16(climbs, "lgdt [0x9000]\n mov eax, cr0\n or al, 1\n mov cr0, eax\n"
              ".byte 0x66, 0xea\n .long 0x10100\n .word 0x18");
ASM32(climbs_on, "mov ax, 0x10\n mov ss, ax\n mov ds, ax\n mov eax, 0x40620\n mov cr4, eax\n"
                 "mov eax, 0x1000\n mov cr3, eax\n mov ecx, 0xc0000080\n xor edx, edx\n"
                 "mov eax, 0x901\n wrmsr\n mov eax, 0x80010033\n mov cr0, eax\n"
                 ".byte 0xea\n .long 0x10200\n .word 0x08");
GUEST_ASM(climbs_up, "mov rax, 0x123456789abcdef0\n hlt");

static void from_real_to_long_mode(void **state)
{
    struct guest *g = *state;

    unmask_crs(g);
    GUEST_ASM_LOAD(g, climbs);
    enter_real(g);
    guest_put(g, 0x9000, &(uint16_t){0x3f}, 2);
    guest_put(g, 0x9002, &(uint32_t){GUEST_GDT}, 4);
    guest_put(g, GUEST_CODE + 0x100, climbs_on, (size_t)(climbs_on_end - climbs_on));
    guest_put(g, GUEST_CODE + 0x200, climbs_up, (size_t)(climbs_up_end - climbs_up));
    GUEST_SET(g, cr4, 0);
    GUEST_SET(g, cr3, 0);
    guest_expect_exit(g, XRW_VMX_HLT);
    assert_int_equal(GUEST_REG(g, rax), UINT64_C(0x123456789abcdef0));
    assert_int_equal(GUEST_REG(g, efer), 0xd01);
    assert_int_equal(GUEST_REG(g, cs), SEL_CODE);
}

/* ---- 32-bit ---- */

ASM32(frames, "mov eax, 1\n mov ecx, 2\n mov edx, 3\n mov ebx, 4\n mov esi, 5\n mov edi, 6\n"
              "pushad\n xor eax, eax\n xor edi, edi\n popad\n enter 16, 2\n leave\n"
              "call 1f\n hlt\n 1: push ds\n pop es\n ret 0");

static void stack_of_32_bits(void **state)
{
    struct guest *g = *state;

    GUEST_ASM_LOAD(g, frames);
    enter_32(g);
    GUEST_SET(g, rbp, GUEST_STACK);
    guest_expect_exit(g, XRW_VMX_HLT);
    assert_int_equal(GUEST_REG(g, rax), 1);
    assert_int_equal(GUEST_REG(g, rdi), 6);
    assert_int_equal(GUEST_REG(g, rsp), GUEST_STACK);
    assert_int_equal(GUEST_REG(g, rbp), GUEST_STACK);
}

static void adjust(struct guest *g, uint8_t opcode, uint16_t ax, uint32_t flags, uint16_t want,
                   uint32_t want_flags)
{
    uint8_t code[] = {opcode, 0xf4};

    guest_load(g, code, sizeof code);
    GUEST_SET(g, rax, ax);
    GUEST_SET(g, rflags, 2 | flags);
    guest_expect_exit(g, XRW_VMX_HLT);
    assert_int_equal(GUEST_REG(g, rax) & 0xffff, want);
    assert_int_equal(GUEST_REG(g, rflags) & 0x11, want_flags); /* AF, CF */
}

static void decimal_arithmetic(void **state)
{
    struct guest *g = *state;

    enter_32(g);
    adjust(g, 0x27, 0x00ae, 0, 0x0014, 0x11); /* daa: 79 + 35 */
    adjust(g, 0x27, 0x0045, 0, 0x0045, 0);
    adjust(g, 0x27, 0x0032, 0x11, 0x0098, 0x11); /* 66 more: AF and CF */
    adjust(g, 0x2f, 0x00ee, 0x10, 0x0088, 0x11); /* das: 35 - 47 */
    adjust(g, 0x37, 0x000b, 0, 0x0101, 0x11);    /* aaa */
    adjust(g, 0x3f, 0x020b, 0, 0x0105, 0x11);    /* aas */
    GUEST_BYTES_LOAD(g, 0xd4, 0x0a, 0xf4);       /* aam */
    GUEST_SET(g, rax, 0x37);
    guest_expect_exit(g, XRW_VMX_HLT);
    assert_int_equal(GUEST_REG(g, rax), 0x0505);
    GUEST_BYTES_LOAD(g, 0xd5, 0x0a, 0xf4); /* aad */
    guest_expect_exit(g, XRW_VMX_HLT);
    assert_int_equal(GUEST_REG(g, rax), 0x37);
}

static void expect_error(struct guest *g, unsigned vector, uint32_t error)
{
    uint32_t got;

    guest_expect_exit(g, XRW_VMX_EXCEPTION_NMI);
    assert_int_equal(guest_field(g, XRW_EXIT_intr_info) & 0xff, vector);
    got = (uint32_t)guest_field(g, XRW_EXIT_intr_error);
    assert_int_equal(got, error);
}

static void segment_limits(void **state)
{
    struct guest *g = *state;

    enter_32(g);
    g->config.controls.exception_bitmap = ~0u;
    assert_int_equal(xrw_machine_set_controls(g->m, &g->config.controls), 0);
    GUEST_SET(g, ds_limit, 0xfff);
    GUEST_SET(g, ds_base, GUEST_DATA);
    GUEST_BYTES_LOAD(g, 0x8b, 0x03, 0x89, 0x03, 0xf4); /* mov eax, [ebx]; mov [ebx], eax */
    GUEST_SET(g, rbx, 0xffc);
    guest_expect_exit(g, XRW_VMX_HLT);
    GUEST_SET(g, rip, GUEST_CODE);
    GUEST_SET(g, rbx, 0xffd);
    expect_error(g, 13, 0);
    GUEST_SET(g, rbx, 0);
    GUEST_SET(g, ds_attr, 0xc91); /* read-only */
    GUEST_SET(g, rip, GUEST_CODE + 2);
    expect_error(g, 13, 0);
    GUEST_SET(g, ds_attr, 0xc97); /* expand down: valid above the limit */
    GUEST_SET(g, rip, GUEST_CODE);
    expect_error(g, 13, 0);
    GUEST_SET(g, rbx, 0x1000);
    guest_expect_exit(g, XRW_VMX_HLT);
    GUEST_SET(g, ss_limit, 0x100);
    GUEST_BYTES_LOAD(g, 0x50);
    expect_error(g, 12, 0);
}

static void loading_segments(void **state)
{
    struct guest *g = *state;
    static const struct {
        uint16_t selector;
        unsigned vector;
        uint32_t error;
        uint64_t descriptor;
    } cases[] = {
        {0x40, 13, 0x40, 0x00cf90000000ffff | UINT64_C(0x9) << 40}, /* code that is not readable */
        {0x40, 11, 0x40, 0x00cf13000000ffff},                       /* not present */
        {0x43, 13, 0x40, 0x00cf93000000ffff},                       /* RPL 3, DPL 0 */
        {0x40, 13, 0x40, 0x0000890000000067},                       /* a TSS */
        {0x48, 13, 0x48, 0},                                        /* beyond the table */
        {0x44, 13, 0x44, 0},                                        /* no LDT */
    };

    GUEST_SET(g, gdtr_limit, 0x47);
    g->config.controls.exception_bitmap = ~0u;
    assert_int_equal(xrw_machine_set_controls(g->m, &g->config.controls), 0);
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        GUEST_BYTES_LOAD(g, 0x8e, 0xd8); /* mov ds, ax */
        GUEST_SET(g, rax, cases[i].selector);
        guest_put64(g, GDT_AT(0x40), cases[i].descriptor);
        expect_error(g, cases[i].vector, cases[i].error);
    }
    GUEST_BYTES_LOAD(g, 0x8e, 0xd8, 0x8e, 0xe0, 0xf4); /* mov ds, ax; mov fs, ax */
    GUEST_SET(g, rax, 0x40);
    guest_put64(g, GDT_AT(0x40), 0x12cf92345678ffff);
    guest_expect_exit(g, XRW_VMX_HLT);
    assert_int_equal(GUEST_REG(g, fs_base), 0x12345678);
    assert_int_equal(GUEST_REG(g, fs_attr), 0xc93);
    assert_int_equal(guest_get64(g, GDT_AT(0x40)), 0x12cf93345678ffff); /* accessed */
}

/* ---- Gates and rings ---- */

ASM32(calls_gate, "push 0x1111\n push 0x2222\n .byte 0x9a\n .long 0\n .word 0x43\n ud2");
ASM32(behind_gate, "mov eax, [esp + 8]\n mov edx, [esp + 12]\n mov esi, cs\n mov edi, ss\n"
                   "retf 8");

static void a_call_gate_to_another_ring(void **state)
{
    struct guest *g = *state;

    enter_32(g);
    g->config.controls.exception_bitmap = ~0u;
    assert_int_equal(xrw_machine_set_controls(g->m, &g->config.controls), 0);
    GUEST_SET(g, gdtr_limit, 0x57);
    guest_put64(g, GDT_AT(0x40), /* two parameters, DPL 3 */
                (uint64_t)(GUEST_CODE & 0xffff) | SEL_CODE32 << 16 | UINT64_C(0xec02) << 32 |
                    (uint64_t)(GUEST_CODE >> 16) << 48);
    guest_put64(g, GDT_AT(0x48), 0x00cffb000000ffff);
    guest_put64(g, GUEST_TSS + 4, GUEST_RSP0);
    guest_put64(g, GUEST_TSS + 8, SEL_DATA);
    guest_load(g, behind_gate, (size_t)(behind_gate_end - behind_gate));
    guest_put(g, GUEST_USER, calls_gate, (size_t)(calls_gate_end - calls_gate));
    guest_enter_user(g);
    GUEST_SET(g, cs, 0x4b);
    GUEST_SET(g, cs_attr, 0xcfb);
    guest_expect_exit(g, XRW_VMX_EXCEPTION_NMI); /* the UD2 behind the call */
    assert_int_equal(guest_field(g, XRW_EXIT_intr_info) & 0xff, 6);
    assert_int_equal(GUEST_REG(g, rip), GUEST_USER + 2 * 5 + 7);
    assert_int_equal(GUEST_REG(g, cs), 0x4b);
    assert_int_equal(GUEST_REG(g, ss), SEL_USER_DATA);
    assert_int_equal(GUEST_REG(g, rsp), GUEST_DATA - 0x100);
    assert_int_equal(GUEST_REG(g, rax), 0x2222);
    assert_int_equal(GUEST_REG(g, rdx), 0x1111);
    assert_int_equal(GUEST_REG(g, rsi), SEL_CODE32);
    assert_int_equal(GUEST_REG(g, rdi), SEL_DATA);
}

static void a_task_switch_exits(void **state)
{
    struct guest *g = *state;

    enter_32(g);
    GUEST_BYTES_LOAD(g, 0xea, 0, 0, 0, 0, 0x30, 0); /* jmp SEL_TSS:0 */
    guest_put64(g, GDT_AT(SEL_TSS), 0x0000890070000067);
    assert_int_equal(guest_expect_exit(g, XRW_VMX_TASK_SWITCH), SEL_TSS | 2u << 30);
    assert_int_equal(guest_field(g, XRW_EXIT_insn_len), 7);
}

ASM32(to_v86, "push 0\n push 0\n push 0x4000\n push 0x4000\n push 0x3000\n push 0xf00\n"
              "push 0x23002\n push 0x3000\n push 0\n iretd");
ASM16(in_v86, "mov ax, ds\n mov bx, 0x20\n mov word ptr [bx], ax\n int 0x20");

static void virtual_8086_mode(void **state)
{
    struct guest *g = *state;
    uint64_t handler = GUEST_HANDLERS + 16 * 0x20;

    enter_32(g);
    GUEST_ASM_LOAD(g, to_v86);
    guest_put(g, GUEST_USER, in_v86, (size_t)(in_v86_end - in_v86));
    guest_put64(g, GUEST_TSS + 4, GUEST_RSP0);
    guest_put64(g, GUEST_TSS + 8, SEL_DATA);
    /* gates of 8 bytes */
    guest_put64(g, GUEST_IDT + 8 * 0x20,
                (handler & 0xffff) | SEL_CODE32 << 16 | UINT64_C(0xee00) << 32);
    guest_expect_exit(g, XRW_VMX_HLT);
    assert_int_equal(GUEST_REG(g, rip), handler);
    assert_int_equal(guest_get64(g, 0x40020) & 0xffff, 0x4000);
    assert_int_equal(GUEST_REG(g, rflags) & 0x20000, 0);
    assert_int_equal(GUEST_REG(g, ds), 0);
    assert_int_equal(GUEST_REG(g, rsp), GUEST_RSP0 - 9 * 4);
    assert_int_equal(guest_get64(g, GUEST_REG(g, rsp)) & 0xffffffff, (size_t)(in_v86_end - in_v86));
}

/* ---- 64-bit: far transfers ---- */

GUEST_ASM(to_compat, "push 0x18\n lea rax, [rip + 1f]\n push rax\n retfq\n 1: .code32\n"
                     "mov eax, 0x12345\n dec eax\n .byte 0xea\n .long 0x10100\n .word 8\n .code64");

static void compatibility_mode_and_back(void **state)
{
    struct guest *g = *state;

    GUEST_ASM_LOAD(g, to_compat);
    guest_put(g, GUEST_CODE + 0x100, "\xf4", 1);
    guest_expect_exit(g, XRW_VMX_HLT);
    assert_int_equal(GUEST_REG(g, rip), GUEST_CODE + 0x100);
    assert_int_equal(GUEST_REG(g, rax), 0x12344); /* DEC of one byte is 32-bit code */
    assert_int_equal(GUEST_REG(g, cs_attr) & 0x200, 0x200);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, guest_setup, guest_teardown)
    const struct CMUnitTest tests[] = {
        TEST(real_mode),
        TEST(from_real_to_long_mode),
        TEST(stack_of_32_bits),
        TEST(decimal_arithmetic),
        TEST(segment_limits),
        TEST(loading_segments),
        TEST(a_call_gate_to_another_ring),
        TEST(a_task_switch_exits),
        TEST(virtual_8086_mode),
        TEST(compatibility_mode_and_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
