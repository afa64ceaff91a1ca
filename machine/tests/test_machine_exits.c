/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VM-exit model: which instructions and accesses exit, and what the exit says. */
#include "guest.h"

#define RFLAGS_RF 0x10000u

static void set_exits(struct guest *g, uint32_t exits)
{
    g->config.controls.exits = exits;
    assert_int_equal(xrw_machine_set_controls(g->m, &g->config.controls), 0);
}

/* ---- Instructions ---- */

static void instructions_that_exit(void **state)
{
    struct guest *g = *state;
    static const struct {
        uint8_t code[4];
        uint8_t length;
        unsigned reason;
        uint64_t qualification;
    } cases[] = {
        {{0x0f, 0xa2}, 2, XRW_VMX_CPUID, 0},
        {{0xf4}, 1, XRW_VMX_HLT, 0},
        {{0x0f, 0x01, 0xc1}, 3, XRW_VMX_VMCALL, 0},
        {{0x0f, 0x32}, 2, XRW_VMX_MSR_READ, 0},  /* ECX = 0x1b */
        {{0x0f, 0x30}, 2, XRW_VMX_MSR_WRITE, 0}, /* likewise */
        {{0x0f, 0x31}, 2, XRW_VMX_RDTSC, 0},
        {{0x0f, 0x01, 0xf9}, 3, XRW_VMX_RDTSCP, 0},
        {{0x0f, 0x33}, 2, XRW_VMX_RDPMC, 0},
        {{0x0f, 0x09}, 2, XRW_VMX_WBINVD, 0},
        {{0x0f, 0x08}, 2, XRW_VMX_INVD, 0},
        {{0x0f, 0x01, 0xd1}, 3, XRW_VMX_XSETBV, 0},
        {{0x0f, 0x01, 0xc8}, 3, XRW_VMX_MONITOR, 0},
        {{0x0f, 0x01, 0xc9}, 3, XRW_VMX_MWAIT, 0},
        {{0xf3, 0x90}, 2, XRW_VMX_PAUSE, 0},
        {{0x0f, 0x01, 0x3b}, 3, XRW_VMX_INVLPG, GUEST_DATA},
        {{0x0f, 0x22, 0xd8}, 3, XRW_VMX_CR_ACCESS, 0x003},       /* mov cr3, rax */
        {{0x41, 0x0f, 0x20, 0xd9}, 4, XRW_VMX_CR_ACCESS, 0x913}, /* mov r9, cr3 */
        {{0x0f, 0x22, 0xc3}, 3, XRW_VMX_CR_ACCESS, 0x300},       /* mov cr0, rbx */
        {{0x0f, 0x22, 0xe3}, 3, XRW_VMX_CR_ACCESS, 0x304},       /* mov cr4, rbx */
        {{0x0f, 0x23, 0xfb}, 3, XRW_VMX_DR_ACCESS, 0x307},       /* mov dr7, rbx */
        {{0x0f, 0x21, 0xf2}, 3, XRW_VMX_DR_ACCESS, 0x216},       /* mov rdx, dr6 */
        {{0x0f, 0xc7, 0xf2}, 3, XRW_VMX_RDRAND, 0},              /* rdrand edx */
        {{0x48, 0x0f, 0xc7, 0xfa}, 4, XRW_VMX_RDSEED, 0},        /* rdseed rdx */
        {{0x0f, 0x01, 0xc3}, 3, 24, 0},                          /* vmresume */
        {{0x0f, 0x01, 0x03}, 3, XRW_VMX_GDTR_IDTR_ACCESS, 0},    /* sgdt [rbx] */
        {{0x0f, 0x00, 0xd8}, 3, XRW_VMX_LDTR_TR_ACCESS, 0},      /* ltr ax */
        {{0xe4, 0x42}, 2, XRW_VMX_IO_INSTRUCTION, 0x420048},     /* in al, 0x42 */
        {{0xee}, 1, XRW_VMX_IO_INSTRUCTION, 0x12340000},         /* out dx, al */
        {{0x66, 0xef}, 2, XRW_VMX_IO_INSTRUCTION, 0x12340001},   /* out dx, ax */
        {{0xed}, 1, XRW_VMX_IO_INSTRUCTION, 0x1234000b},         /* in eax, dx */
        {{0x6c}, 1, XRW_VMX_IO_INSTRUCTION, 0x12340018},         /* insb */
        {{0xf3, 0x6f}, 2, XRW_VMX_IO_INSTRUCTION, 0x12340033},   /* rep outsd */
    };

    set_exits(g, ~(XRW_EXITS_INTERRUPT_WINDOW | XRW_EXITS_NMI_WINDOW));
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        guest_load(g, cases[i].code, cases[i].length);
        GUEST_SET(g, rbx, GUEST_DATA);
        GUEST_SET(g, rcx, 0x1b);
        GUEST_SET(g, rdx, 0x1234);
        GUEST_SET(g, rax, 0);
        GUEST_SET(g, rdi, GUEST_DATA);
        GUEST_SET(g, rsi, GUEST_DATA);
        assert_int_equal(guest_expect_exit(g, cases[i].reason), cases[i].qualification);
        assert_int_equal(guest_field(g, XRW_EXIT_insn_len), cases[i].length);
        assert_int_equal(g->result.exit.before.value[XRW_REG_rip], GUEST_CODE);
        assert_int_equal(g->result.instructions, 0);
        assert_int_equal(guest_field(g, XRW_EXIT_idt_info), 0);
    }
}

static void details_of_instructions(void **state)
{
    struct guest *g = *state;

    set_exits(g, XRW_EXITS_RDRAND | XRW_EXITS_RDSEED);
    GUEST_BYTES_LOAD(g, 0x49, 0x0f, 0xc7, 0xf1); /* rdrand r9 */
    guest_expect_exit(g, XRW_VMX_RDRAND);
    assert_int_equal(guest_field(g, XRW_EXIT_insn_info), 9 << 3 | 2 << 11);
    GUEST_BYTES_LOAD(g, 0x64, 0xf3, 0x6e); /* rep outs dx, fs:[rsi] */
    GUEST_SET(g, rcx, 5);
    GUEST_SET(g, rsi, 0x10);
    GUEST_SET(g, fs_base, GUEST_DATA);
    guest_expect_exit(g, XRW_VMX_IO_INSTRUCTION);
    assert_int_equal(guest_field(g, XRW_EXIT_gla), GUEST_DATA + 0x10);
    assert_int_equal(guest_field(g, XRW_EXIT_insn_info), 2 << 7 | 4 << 15);
    assert_int_equal(GUEST_REG(g, rcx), 5);
}

/* What Xen lets the guest do by itself. */
GUEST_ASM(silent, "mov rax, cr0\n or rax, 8\n mov cr0, rax\n and rax, ~8\n mov cr0, rax\n"
                  "mov rax, cr4\n xor rax, 0x80\n mov cr4, rax\n mov rax, cr3\n mov cr3, rax\n"
                  "mov ecx, 0xc0000100\n xor edx, edx\n mov eax, 0x1000\n wrmsr\n rdmsr\n"
                  "mov ecx, 0xc0000080\n rdmsr\n out 0x80, al\n clts\n invlpg [rbx]\n pause\n"
                  "mov ecx, 0x174\n rdmsr\n mov ecx, 0x277\n rdmsr\n hlt");

static void what_xen_does_not_see(void **state)
{
    struct guest *g = *state;

    GUEST_ASM_LOAD(g, silent);
    guest_expect_exit(g, XRW_VMX_HLT);
    assert_int_equal(GUEST_REG(g, rip), GUEST_CODE + (size_t)(silent_end - silent) - 1);
    assert_int_equal(GUEST_REG(g, fs_base), 0x1000);
    assert_int_equal(GUEST_REG(g, cr4), 0x406a0);
}

static void pauses_in_a_loop(void **state)
{
    struct guest *g = *state;

    GUEST_BYTES_LOAD(g, 0xf3, 0x90, 0xeb, 0xfc);
    guest_expect_exit(g, XRW_VMX_PAUSE);
    assert_in_range(g->result.instructions, 4096, 4100);
}

GUEST_ASM(waits, "1: pause\n dec ecx\n jnz 1b\n hlt");

/* Code that was translated while PAUSE did nothing does not outlive that. */
static void pause_exits_from_now_on(void **state)
{
    struct guest *g = *state;

    g->config.controls.exits &= ~(XRW_EXITS_PAUSE | XRW_EXITS_PAUSE_LOOP);
    guest_remake(g);
    GUEST_ASM_LOAD(g, waits);
    GUEST_SET(g, rcx, 1000);
    assert_int_equal(guest_run_count(g, 1500), XRW_STOP_COUNT);
    assert_int_equal(GUEST_REG(g, rcx), 500);
    g->config.controls.exits |= XRW_EXITS_PAUSE;
    assert_int_equal(xrw_machine_set_controls(g->m, &g->config.controls), 0);
    guest_expect_exit(g, XRW_VMX_PAUSE);
    assert_int_equal(GUEST_REG(g, rip), GUEST_CODE);
    g->config.controls.exits &= ~XRW_EXITS_PAUSE;
    assert_int_equal(xrw_machine_set_controls(g->m, &g->config.controls), 0);
    guest_expect_exit(g, XRW_VMX_HLT);
    assert_int_equal(g->result.instructions, 1500);
}

static void nothing_answers(void **state)
{
    struct guest *g = *state;

    set_exits(g, 0);
    GUEST_BYTES_LOAD(g, 0x0f, 0xa2);
    assert_int_equal(guest_run(g), XRW_STOP_UNHANDLED);
    assert_non_null(strstr(g->result.text.text, "CPUID"));
    assert_int_equal(GUEST_REG(g, rip), GUEST_CODE);
    GUEST_BYTES_LOAD(g, 0xf4);
    assert_int_equal(guest_run(g), XRW_STOP_HALTED);
    assert_int_equal(GUEST_REG(g, rip), GUEST_CODE + 1);
    assert_int_equal(guest_run(g), XRW_STOP_HALTED);
    GUEST_BYTES_LOAD(g, 0x0f, 0x01, 0xc1);
    xrw_machine_set_halted(g->m, false);
    assert_int_equal(guest_run(g), XRW_STOP_HALTED); /* #UD's handler */
}

/* ---- EPT violations ---- */

#define READ_NOT_PRESENT 0x181u
#define WRITE_NOT_PRESENT 0x182u

static void accesses_to_a_page_that_is_not_there(void **state)
{
    struct guest *g = *state;
    static const struct {
        uint8_t code[3];
        uint64_t qualification;
    } cases[] = {
        {{0x48, 0x8b, 0x03}, 0x181}, /* mov rax, [rbx] */
        {{0x48, 0x89, 0x03}, 0x182}, /* mov [rbx], rax */
        {{0x48, 0x01, 0x03}, 0x183}, /* add [rbx], rax */
        {{0xff, 0x33, 0x90}, 0x181}, /* push [rbx] */
        {{0xff, 0xe3, 0x90}, 0x184}, /* jmp rbx */
        {{0x0f, 0x10, 0x03}, 0x181}, /* movups xmm0, [rbx] */
    };

    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        guest_load(g, cases[i].code, 3);
        GUEST_SET(g, rbx, GUEST_ABSENT + 0x128);
        GUEST_SET(g, rsp, GUEST_STACK);
        assert_int_equal(guest_expect_exit(g, XRW_VMX_EPT_VIOLATION), cases[i].qualification);
        assert_int_equal(guest_field(g, XRW_EXIT_gpa), GUEST_ABSENT + 0x128);
        assert_int_equal(guest_field(g, XRW_EXIT_gla), GUEST_ABSENT + 0x128);
        assert_int_equal(GUEST_REG(g, rflags) & RFLAGS_RF, RFLAGS_RF);
        assert_int_equal(GUEST_REG(g, rsp), GUEST_STACK);
    }
}

static void the_access_is_tried_again(void **state)
{
    struct guest *g = *state;
    uint8_t page[4096] = {[0x128] = 7};

    GUEST_BYTES_LOAD(g, 0x48, 0x8b, 0x03, 0x48, 0x89, 0x03, 0xf4);
    GUEST_SET(g, rbx, GUEST_ABSENT + 0x128);
    assert_int_equal(guest_expect_exit(g, XRW_VMX_EPT_VIOLATION), 0x181);
    assert_int_equal(xrw_machine_set_page(g->m, GUEST_ABSENT >> 12, page, XRW_EPT_READ), 0);
    assert_int_equal(guest_expect_exit(g, XRW_VMX_EPT_VIOLATION), 0x18a); /* readable */
    assert_int_equal(GUEST_REG(g, rax), 7);
    assert_int_equal(GUEST_REG(g, rip), GUEST_CODE + 3);
    assert_int_equal(xrw_machine_set_page(g->m, GUEST_ABSENT >> 12, NULL, XRW_EPT_ALL), 0);
    guest_expect_exit(g, XRW_VMX_HLT);
}

static void a_page_table_that_is_not_there(void **state)
{
    struct guest *g = *state;

    guest_put64(g, GUEST_PD + 8, (GUEST_ABSENT + 0x1000) | 3);
    GUEST_BYTES_LOAD(g, 0x48, 0x89, 0x03);
    GUEST_SET(g, rbx, 0x203008);
    assert_int_equal(guest_expect_exit(g, XRW_VMX_EPT_VIOLATION), 0x81);
    assert_int_equal(guest_field(g, XRW_EXIT_gpa), GUEST_ABSENT + 0x1000 + 3 * 8);
    assert_int_equal(guest_field(g, XRW_EXIT_gla), 0x203008);
}

static void an_exit_while_an_event_is_delivered(void **state)
{
    struct guest *g = *state;

    GUEST_BYTES_LOAD(g, 0x90, 0xf7, 0xf1); /* div by 0 */
    GUEST_SET(g, rcx, 0);
    GUEST_SET(g, rsp, GUEST_ABSENT + 0x800);
    assert_int_equal(guest_expect_exit(g, XRW_VMX_EPT_VIOLATION), 0x182);
    assert_int_equal(guest_field(g, XRW_EXIT_idt_info), 0x80000300);
    assert_int_equal(GUEST_REG(g, rip), GUEST_CODE + 1);
    assert_int_equal(GUEST_REG(g, rsp), GUEST_ABSENT + 0x800);
    assert_int_equal(GUEST_REG(g, rflags) & RFLAGS_RF, RFLAGS_RF);
    assert_int_equal(g->result.instructions, 1);
    /* the hypervisor supplies the page and injects it again */
    assert_int_equal(
        xrw_machine_set_page(g->m, GUEST_ABSENT >> 12, (const uint8_t[4096]){0}, XRW_EPT_ALL), 0);
    assert_int_equal(xrw_machine_inject(g->m, 0x80000300, 0, 0), 0);
    guest_expect_vector(g, 0);
}

/* What a machine with Bochs' profile says otherwise. */
static void as_bochs(void **state)
{
    struct guest *g = *state;

    g->config.cpu.profile = XRW_PROFILE_BOCHS;
    guest_remake(g);
    GUEST_BYTES_LOAD(g, 0x48, 0x01, 0x03); /* add [rbx], rax */
    GUEST_SET(g, rbx, GUEST_ABSENT);
    assert_int_equal(guest_expect_exit(g, XRW_VMX_EPT_VIOLATION), 0x182);
    assert_int_equal(GUEST_REG(g, rflags) & RFLAGS_RF, 0);
    /* tables that may not be written to */
    GUEST_SET(g, rbx, GUEST_DATA);
    assert_int_equal(xrw_machine_set_page(g->m, GUEST_PT >> 12, NULL, XRW_EPT_READ), 0);
    assert_int_equal(guest_run_count(g, 1), XRW_STOP_COUNT);
    assert_int_equal(guest_get64(g, GUEST_PT + GUEST_DATA / 4096 * 8) & 0x60, 0x60);
    /* undefined flags */
    GUEST_BYTES_LOAD(g, 0x48, 0xf7, 0xe3, 0x9c, 0x58, 0xf4); /* mul rbx; pushfq; pop rax */
    GUEST_SET(g, rax, UINT64_C(1) << 63);
    GUEST_SET(g, rbx, 2);
    guest_expect_exit(g, XRW_VMX_HLT);
    assert_int_equal(GUEST_REG(g, rax) & 0x8d5, 0x845); /* OF, ZF, PF, CF */
    assert_int_equal(xrw_machine_undefined_flags(g->m), 0xd4);
}

static void a_page_nobody_knows(void **state)
{
    struct guest *g = *state;

    guest_put64(g, GUEST_PT + GUEST_DATA / 4096 * 8, (UINT64_C(1) << 40) | 3);
    GUEST_BYTES_LOAD(g, 0x48, 0x8b, 0x03);
    GUEST_SET(g, rbx, GUEST_DATA);
    assert_int_equal(guest_expect_exit(g, XRW_VMX_EPT_VIOLATION), 0x181);
    assert_int_equal(guest_field(g, XRW_EXIT_gpa), UINT64_C(1) << 40);
}

/* ---- Exceptions ---- */

static void set_bitmap(struct guest *g, uint32_t bitmap)
{
    g->config.controls.exception_bitmap = bitmap;
    assert_int_equal(xrw_machine_set_controls(g->m, &g->config.controls), 0);
}

static void exceptions_in_the_bitmap(void **state)
{
    struct guest *g = *state;

    set_bitmap(g, 1u << 6 | 1u << 3 | 1u << 14 | 1u << 1);
    GUEST_BYTES_LOAD(g, 0x0f, 0x0b);
    guest_expect_exit(g, XRW_VMX_EXCEPTION_NMI);
    assert_int_equal(guest_field(g, XRW_EXIT_intr_info), 0x80000306);
    GUEST_BYTES_LOAD(g, 0xcc);
    guest_expect_exit(g, XRW_VMX_EXCEPTION_NMI);
    assert_int_equal(guest_field(g, XRW_EXIT_intr_info), 0x80000603);
    assert_int_equal(guest_field(g, XRW_EXIT_insn_len), 1);
    assert_int_equal(GUEST_REG(g, rip), GUEST_CODE);
    GUEST_BYTES_LOAD(g, 0x48, 0x89, 0x03);
    GUEST_SET(g, rbx, GUEST_UNMAPPED + 5);
    GUEST_SET(g, cr2, 1);
    assert_int_equal(guest_expect_exit(g, XRW_VMX_EXCEPTION_NMI), GUEST_UNMAPPED + 5);
    assert_int_equal(guest_field(g, XRW_EXIT_intr_info), 0x80000b0e);
    assert_int_equal(guest_field(g, XRW_EXIT_intr_error), 2);
    assert_int_equal(GUEST_REG(g, cr2), 1);
    GUEST_BYTES_LOAD(g, 0x90, 0x90);
    GUEST_SET(g, rflags, 0x102);
    assert_int_equal(guest_expect_exit(g, XRW_VMX_EXCEPTION_NMI), 0x4000);
    assert_int_equal(GUEST_REG(g, rip), GUEST_CODE + 1);
    assert_int_equal(guest_field(g, XRW_EXIT_intr_info), 0x80000301);
}

static void page_faults_by_error_code(void **state)
{
    struct guest *g = *state;

    g->config.controls.pf_error_mask = 2;
    g->config.controls.pf_error_match = 2;
    set_bitmap(g, 1u << 14);
    GUEST_SET(g, rbx, GUEST_UNMAPPED);
    GUEST_BYTES_LOAD(g, 0x48, 0x89, 0x03);
    guest_expect_exit(g, XRW_VMX_EXCEPTION_NMI);
    GUEST_BYTES_LOAD(g, 0x48, 0x8b, 0x03);
    guest_expect_vector(g, 14);
}

static void windows(void **state)
{
    struct guest *g = *state;

    GUEST_BYTES_LOAD(g, 0x90, 0xfb, 0x90, 0x90);
    set_exits(g, g->config.controls.exits | XRW_EXITS_INTERRUPT_WINDOW);
    guest_expect_exit(g, XRW_VMX_INTERRUPT_WINDOW);
    assert_int_equal(GUEST_REG(g, rip), GUEST_CODE + 3); /* behind STI's shadow */
    set_exits(g, XRW_EXITS_NMI_WINDOW);
    xrw_machine_set_interruptibility(g->m, XRW_BLOCKED_BY_NMI);
    assert_int_equal(guest_run_count(g, 1), XRW_STOP_COUNT);
    xrw_machine_set_interruptibility(g->m, 0);
    guest_expect_exit(g, XRW_VMX_NMI_WINDOW);
}

/* ---- The APIC's page ---- */

static void map_apic(struct guest *g, uint8_t *page, enum xrw_machine_apic apic)
{
    guest_put64(g, GUEST_PT + GUEST_DATA / 4096 * 8, 0xfee00003);
    g->config.controls.apic = apic;
    g->config.controls.apic_page = page;
    assert_int_equal(xrw_machine_set_controls(g->m, &g->config.controls), 0);
}

static void the_apic_page(void **state)
{
    struct guest *g = *state;
    uint8_t page[4096] = {[0x80] = 0x30};

    map_apic(g, page, XRW_APIC_ACCESS);
    GUEST_BYTES_LOAD(g, 0x8b, 0x83, 0x80, 0, 0, 0, /* mov eax, [rbx + 0x80] */
                     0xc7, 0x83, 0x80, 0, 0, 0, 0x50, 0, 0, 0, 0x8b, 0x43, 0x20);
    GUEST_SET(g, rbx, GUEST_DATA);
    assert_int_equal(guest_expect_exit(g, XRW_VMX_APIC_ACCESS), 0x20);
    assert_int_equal(GUEST_REG(g, rax), 0x30);
    assert_int_equal(page[0x80], 0x50);
    GUEST_BYTES_LOAD(g, 0xc7, 0x83, 0xb0, 0, 0, 0, 0, 0, 0, 0);
    assert_int_equal(guest_expect_exit(g, XRW_VMX_APIC_ACCESS), 0x10b0);
    assert_int_equal(GUEST_REG(g, rip), GUEST_CODE);

    map_apic(g, page, XRW_APIC_REGISTERS);
    assert_int_equal(guest_expect_exit(g, XRW_VMX_APIC_WRITE), 0xb0);
    assert_int_equal(GUEST_REG(g, rip), GUEST_CODE + 10); /* behind it */
    assert_int_equal(g->result.instructions, 1);
}

static void the_tpr_threshold(void **state)
{
    struct guest *g = *state;
    uint8_t page[4096] = {[0x80] = 0x50};

    g->config.controls.exits |= XRW_EXITS_TPR_THRESHOLD;
    g->config.controls.tpr_threshold = 4;
    map_apic(g, page, XRW_APIC_ACCESS);
    GUEST_BYTES_LOAD(g, 0x44, 0x0f, 0x20, 0xc0, 0x44, 0x0f, 0x22,
                     0xc1); /* mov rax, cr8; mov cr8, rcx */
    GUEST_SET(g, rcx, 3);
    guest_expect_exit(g, XRW_VMX_TPR_BELOW_THRESHOLD);
    assert_int_equal(GUEST_REG(g, rax), 5);
    assert_int_equal(page[0x80], 0x30);
    assert_int_equal(GUEST_REG(g, rip), GUEST_CODE + 8);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, guest_setup, guest_teardown)
    const struct CMUnitTest tests[] = {
        TEST(instructions_that_exit),
        TEST(details_of_instructions),
        TEST(what_xen_does_not_see),
        TEST(pauses_in_a_loop),
        TEST(pause_exits_from_now_on),
        TEST(nothing_answers),
        TEST(accesses_to_a_page_that_is_not_there),
        TEST(the_access_is_tried_again),
        TEST(a_page_table_that_is_not_there),
        TEST(an_exit_while_an_event_is_delivered),
        TEST(as_bochs),
        TEST(a_page_nobody_knows),
        TEST(exceptions_in_the_bitmap),
        TEST(page_faults_by_error_code),
        TEST(windows),
        TEST(the_apic_page),
        TEST(the_tpr_threshold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
