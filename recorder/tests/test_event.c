/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The event of an exit: which fields are known, registers, and what is not our event. */
#include "support.h"

#include "event_requests.h"
#include "xen.h"
#include "xrw/vmx.h"

#include <errno.h>

static struct xen_decoder decoder; /* no event depends on what came before */

/* ---- which fields are known ------------------------------------------ */

static const struct {
    uint64_t reason, qualification;
    uint32_t intr_info, idt_info;
    uint32_t beside; /* known beside those of every exit */
} field_cases[] = {
    {XRW_VMX_CPUID, 7, 0, 0, BIT(insn_len)},
    {XRW_VMX_HLT, 7, 0, 0, BIT(insn_len)},
    {XRW_VMX_RDTSC, 7, 0, 0, BIT(insn_len)},
    {XRW_VMX_VMCALL, 7, 0, 0, BIT(insn_len)},
    {XRW_VMX_MSR_READ, 7, 0, 0, BIT(insn_len)},
    {XRW_VMX_MSR_WRITE, 7, 0, 0, BIT(insn_len)},
    {XRW_VMX_WBINVD, 7, 0, 0, BIT(insn_len)},
    {XRW_VMX_XSETBV, 7, 0, 0, BIT(insn_len)},
    {XRW_VMX_INVLPG, 7, 0, 0, BIT(insn_len) | BIT(qualification)},
    {XRW_VMX_DR_ACCESS, 7, 0, 0, BIT(insn_len) | BIT(qualification)},
    /* MOV CR, CLTS and LMSW of a register have no linear address; LMSW of memory has one. */
    {XRW_VMX_CR_ACCESS, 0x00, 0, 0, BIT(insn_len) | BIT(qualification)},
    {XRW_VMX_CR_ACCESS, 0x20, 0, 0, BIT(insn_len) | BIT(qualification)},
    {XRW_VMX_CR_ACCESS, 0x30, 0, 0, BIT(insn_len) | BIT(qualification)},
    {XRW_VMX_CR_ACCESS, 0x70, 0, 0, BIT(insn_len) | BIT(qualification) | BIT(gla)},
    /* Bit 4: INS or OUTS. */
    {XRW_VMX_IO_INSTRUCTION, 0x3f80008, 0, 0, BIT(insn_len) | BIT(qualification)},
    {XRW_VMX_IO_INSTRUCTION, 0x3f80010, 0, 0,
     BIT(insn_len) | BIT(qualification) | BIT(gla) | BIT(insn_info)},
    {XRW_VMX_GDTR_IDTR_ACCESS, 7, 0, 0, BIT(insn_len) | BIT(qualification) | BIT(insn_info)},
    {XRW_VMX_LDTR_TR_ACCESS, 7, 0, 0, BIT(insn_len) | BIT(qualification) | BIT(insn_info)},
    {XRW_VMX_RDRAND, 7, 0, 0, BIT(insn_len) | BIT(insn_info)},
    /* Bit 7: the guest-linear address is valid. */
    {XRW_VMX_EPT_VIOLATION, 0x01, 0, 0, BIT(qualification) | BIT(gpa)},
    {XRW_VMX_EPT_VIOLATION, 0x81, 0, 0, BIT(qualification) | BIT(gpa) | BIT(gla)},
    {XRW_VMX_EPT_MISCONFIG, 0x81, 0, 0, BIT(gpa)},
    {XRW_VMX_APIC_ACCESS, 7, 0, 0, BIT(qualification)},
    {XRW_VMX_APIC_WRITE, 7, 0, 0, BIT(qualification)},
    {XRW_VMX_TRIPLE_FAULT, 7, 0, 0, 0},
    {XRW_VMX_INTERRUPT_WINDOW, 7, 0, 0, 0},
    {XRW_VMX_PREEMPTION_TIMER, 7, 0, 0, 0},
    {XRW_VMX_EXTERNAL_INTERRUPT, 7, VALID | 0xf3, 0, BIT(intr_info)},
    {XRW_VMX_EXTERNAL_INTERRUPT, 7, 0xf3, 0, 0},
    {XRW_VMX_EXCEPTION_NMI, 7, VALID | TYPE(2) | 2, 0, BIT(intr_info)},
    {XRW_VMX_EXCEPTION_NMI, 7, VALID | TYPE(3) | 1, 0, BIT(intr_info) | BIT(qualification)},
    {XRW_VMX_EXCEPTION_NMI, 7, VALID | TYPE(3) | HAS_ERROR | 13, 0,
     BIT(intr_info) | BIT(intr_error)},
    {XRW_VMX_EXCEPTION_NMI, 7, VALID | TYPE(3) | HAS_ERROR | 14, 0,
     BIT(intr_info) | BIT(intr_error) | BIT(qualification)},
    /* INT3 has a length. */
    {XRW_VMX_EXCEPTION_NMI, 7, VALID | TYPE(6) | 3, 0, BIT(intr_info) | BIT(insn_len)},
    /* Interruption information belongs to exits 0 and 1 alone. */
    {XRW_VMX_CPUID, 7, VALID | HAS_ERROR | 13, 0, BIT(insn_len)},
    /* Met while an event was delivered; INT n has a length. */
    {XRW_VMX_EPT_VIOLATION, 1, 0, VALID | 0x30, BIT(qualification) | BIT(gpa) | BIT(idt_info)},
    {XRW_VMX_EPT_VIOLATION, 1, 0, VALID | TYPE(3) | HAS_ERROR | 14,
     BIT(qualification) | BIT(gpa) | BIT(idt_info) | BIT(idt_error)},
    {XRW_VMX_EPT_VIOLATION, 1, 0, VALID | TYPE(4) | 0x80,
     BIT(qualification) | BIT(gpa) | BIT(idt_info) | BIT(insn_len)},
    /* A task switch by CALL, IRET or JMP, and through a gate of the IDT. */
    {XRW_VMX_TASK_SWITCH, 0x40000010, 0, 0, BIT(qualification) | BIT(insn_len)},
    {XRW_VMX_TASK_SWITCH, 0xc0000010, 0, VALID | TYPE(3) | 8, BIT(qualification) | BIT(idt_info)},
    /* Bit 31: a VM entry that failed. */
    {UINT64_C(0x80000021), 7, 0, 0, BIT(qualification)},
    /* Reasons that nobody knows yet. */
    {200, 7, 0, 0, 0},
    {0xffff, 7, 0, 0, 0},
};

static void test_fields_are_known_where_they_are_defined(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof field_cases / sizeof *field_cases; i++) {
        struct request r = patched(field_cases[i].reason, field_cases[i].qualification);
        struct xrw_exit exit = {0};

        SET_VMX(&r, intr_info, field_cases[i].intr_info);
        SET_VMX(&r, idt_vectoring_info, field_cases[i].idt_info);
        exit = decode(&r);
        if (known_fields(&exit) != (ALWAYS | field_cases[i].beside))
            fail_msg("case %zu, reason %#lx: known %#x, expected %#x", i,
                     (unsigned long)field_cases[i].reason, known_fields(&exit),
                     ALWAYS | field_cases[i].beside);
        assert_int_equal(exit.field[XRW_EXIT_reason], field_cases[i].reason);
    }
}

static void test_every_field(void **state)
{
    struct request r = patched(XRW_VMX_EPT_VIOLATION, 0x9999aaaabbbb0181);
    struct xrw_exit exit = {0};

    (void)state;
    SET_VMX(&r, idt_vectoring_info, VALID | TYPE(4) | HAS_ERROR | 0x80);
    SET_VMX(&r, idt_vectoring_error, 0x0b0b);
    SET_VMX(&r, entry_intr_info, VALID | TYPE(3) | HAS_ERROR | 14);
    SET_VMX(&r, entry_error, 0x0c0c);
    exit = decode(&r);
    assert_int_equal(exit.vcpu, 0);
    assert_false(exit.has_after);
    assert_int_equal(exit.field[XRW_EXIT_reason], 48);
    assert_true(exit.field[XRW_EXIT_qualification] == 0x9999aaaabbbb0181);
    assert_true(exit.field[XRW_EXIT_gpa] == 0x1111222233334444);
    assert_true(exit.field[XRW_EXIT_gla] == 0x5555666677778888);
    assert_int_equal(exit.field[XRW_EXIT_idt_info], VALID | TYPE(4) | HAS_ERROR | 0x80);
    assert_int_equal(exit.field[XRW_EXIT_idt_error], 0x0b0b);
    assert_int_equal(exit.field[XRW_EXIT_insn_len], 0x0d);
    assert_int_equal(exit.field[XRW_EXIT_interruptibility], 0x0f);
    assert_true(exit.field[XRW_EXIT_tsc] == 0x1010101010101010);
    assert_true(exit.field[XRW_EXIT_entry_tsc] == 0x2020202020202020);
    assert_true(exit.field[XRW_EXIT_entry_tsc_offset] == 0x3030303030303030);
    assert_true(exit.field[XRW_EXIT_entries] == 0x4040404040404040);
    assert_int_equal(exit.field[XRW_EXIT_entry_intr_info], VALID | TYPE(3) | HAS_ERROR | 14);
    assert_int_equal(exit.field[XRW_EXIT_entry_error], 0x0c0c);

    r = patched(XRW_VMX_EXCEPTION_NMI, 0x77);
    SET_VMX(&r, intr_info, VALID | TYPE(3) | HAS_ERROR | 14);
    SET_VMX(&r, intr_error, 0x0a0a);
    exit = decode(&r);
    assert_int_equal(exit.field[XRW_EXIT_intr_info], VALID | TYPE(3) | HAS_ERROR | 14);
    assert_int_equal(exit.field[XRW_EXIT_intr_error], 0x0a0a);

    r = patched(XRW_VMX_GDTR_IDTR_ACCESS, 0);
    assert_int_equal(decode(&r).field[XRW_EXIT_insn_info], 0x0e0e0e0e);
}

/* ---- registers ------------------------------------------------------- */

/* Offsets in the event.  Source: xen/include/public/vm_event.h, struct vm_event_regs_x86. */
static const struct {
    enum xrw_register reg;
    size_t offset, bytes;
} places[] = {
    {XRW_REG_rax, 0, 8},
    {XRW_REG_rcx, 8, 8},
    {XRW_REG_rdx, 16, 8},
    {XRW_REG_rbx, 24, 8},
    {XRW_REG_rsp, 32, 8},
    {XRW_REG_rbp, 40, 8},
    {XRW_REG_rsi, 48, 8},
    {XRW_REG_rdi, 56, 8},
    {XRW_REG_r8, 64, 8},
    {XRW_REG_r9, 72, 8},
    {XRW_REG_r10, 80, 8},
    {XRW_REG_r11, 88, 8},
    {XRW_REG_r12, 96, 8},
    {XRW_REG_r13, 104, 8},
    {XRW_REG_r14, 112, 8},
    {XRW_REG_r15, 120, 8},
    {XRW_REG_rflags, 128, 8},
    {XRW_REG_rip, 152, 8},
    {XRW_REG_cr0, 160, 8},
    {XRW_REG_cr2, 168, 8},
    {XRW_REG_cr3, 176, 8},
    {XRW_REG_cr4, 184, 8},
    {XRW_REG_sysenter_cs, 192, 8},
    {XRW_REG_sysenter_esp, 200, 8},
    {XRW_REG_sysenter_eip, 208, 8},
    {XRW_REG_efer, 216, 8},
    {XRW_REG_star, 224, 8},
    {XRW_REG_lstar, 232, 8},
    {XRW_REG_gdtr_base, 240, 8},
    {XRW_REG_cs_base, 264, 4},
    {XRW_REG_ss_base, 268, 4},
    {XRW_REG_ds_base, 272, 4},
    {XRW_REG_es_base, 276, 4},
    {XRW_REG_fs_base, 280, 8},
    {XRW_REG_gs_base, 288, 8},
    {XRW_REG_kernel_gs_base, 320, 8},
    {XRW_REG_gdtr_limit, 328, 2},
    {XRW_REG_cs, 330, 2},
    {XRW_REG_ss, 332, 2},
    {XRW_REG_ds, 334, 2},
    {XRW_REG_es, 336, 2},
    {XRW_REG_fs, 338, 2},
    {XRW_REG_gs, 340, 2},
};

static uint64_t value_of(enum xrw_register reg, size_t bytes)
{
    uint64_t value = UINT64_C(0xf1e2d3c4b5a69700) + reg;

    return bytes == 8 ? value : value & ((UINT64_C(1) << bytes * 8) - 1);
}

static void put_registers(struct request *r, size_t at)
{
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        put(r, at + places[i].offset, places[i].bytes, value_of(places[i].reg, places[i].bytes));
}

static void check_registers(const struct xrw_registers *regs)
{
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct xrw_registers expected = {0};

        /* As wide as the register is. */
        xrw_registers_set(&expected, places[i].reg, value_of(places[i].reg, places[i].bytes));
        assert_true(regs->known[places[i].reg]);
        assert_true(regs->value[places[i].reg] == expected.value[places[i].reg]);
    }
}

static void test_registers_patched(void **state)
{
    static const enum xrw_register lacking[] = {
        XRW_REG_dr0,  XRW_REG_dr6, XRW_REG_dr7,       XRW_REG_cstar,      XRW_REG_sfmask,
        XRW_REG_ldtr, XRW_REG_tr,  XRW_REG_idtr_base, XRW_REG_idtr_limit,
    };
    struct request r = patched(XRW_VMX_CPUID, 0);
    struct xrw_exit exit = {0};

    (void)state;
    put_registers(&r, XRW_REQUEST_REGS_OFFSET_PATCHED);
    /* Wrong in the event: these may not be believed. */
    put(&r, XRW_REQUEST_REGS_OFFSET_PATCHED + 136, 8, 0xdddd);
    put(&r, XRW_REQUEST_REGS_OFFSET_PATCHED + 144, 8, 0xdddd);
    exit = decode(&r);
    check_registers(&exit.before);
    for (size_t i = 0; i < sizeof lacking / sizeof *lacking; i++)
        assert_false(exit.before.known[lacking[i]]);
    for (int reg = 0; reg < XRW_REGISTER_COUNT; reg++)
        assert_false(exit.after.known[reg]);
}

/* With any one byte of the registers changed, as a decoder says that has not seen another event. */
static void test_no_event_depends_on_the_one_before(void **state)
{
    const size_t end = XRW_REQUEST_SIZE_PATCHED;
    struct request r = patched(XRW_VMX_CPUID, 0);
    struct xrw_exit exit = {0};

    (void)state;
    put_registers(&r, XRW_REQUEST_REGS_OFFSET_PATCHED);
    for (size_t at = XRW_REQUEST_REGS_OFFSET_PATCHED; at < end; at++) {
        struct xen_decoder fresh = {0};
        struct xrw_exit expected = {0};
        bool held;

        assert_int_equal(xen_event_decode(&decoder, r.bytes, end, &exit, &held, NULL), 1);
        r.bytes[at] ^= 0x5a;
        assert_int_equal(xen_event_decode(&decoder, r.bytes, end, &exit, &held, NULL), 1);
        assert_int_equal(xen_event_decode(&fresh, r.bytes, end, &expected, &held, NULL), 1);
        expected.system_id = exit.system_id;
        assert_memory_equal(&exit, &expected, sizeof exit);
    }
}

static void test_segments(void **state)
{
    static const struct {
        uint32_t limit, attr;
        bool known;
        uint64_t expected;
    } cases[] = {
        {0xfffff, 0xc9b, true, 0xffffffff}, /* granularity: the limit counts pages */
        {0x00012, 0x893, true, 0x12fff},
        {0x0ffff, 0x09b, true, 0xffff}, /* real mode */
        {0xabcde, 0x493, true, 0xabcde},
        {0xabcde, 0x000, false, 0}, /* unusable: its upper bits were cut off */
    };
    static const enum xrw_register segments[] = {XRW_REG_cs, XRW_REG_ss, XRW_REG_ds,
                                                 XRW_REG_es, XRW_REG_fs, XRW_REG_gs};

    (void)state;
    for (size_t s = 0; s < 6; s++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            struct request r = patched(XRW_VMX_CPUID, 0);
            struct xrw_exit exit = {0};
            size_t reg = segments[s];

            put(&r, XRW_REQUEST_REGS_OFFSET_PATCHED + 296 + 4 * s, 4,
                cases[i].limit | cases[i].attr << 20);
            exit = decode(&r);
            assert_true(exit.before.known[reg + 3]);
            assert_int_equal(exit.before.value[reg + 3], cases[i].attr);
            assert_int_equal(exit.before.known[reg + 2], cases[i].known);
            assert_true(exit.before.value[reg + 2] == cases[i].expected);
        }
}

static void test_unknown_vendor(void **state)
{
    static const uint32_t vendors[] = {0, 3, 0x01000000, UINT32_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof vendors / sizeof *vendors; i++) {
        struct request r = patched(XRW_VMX_CPUID, 0);
        struct xrw_exit exit = {.vcpu = 77};
        struct xrw_error err = {""};
        bool held = true;

        put(&r, VENDOR_OFFSET, 4, vendors[i]);
        assert_int_equal(xen_event_decode(&decoder, r.bytes, sizeof r.bytes, &exit, &held, &err),
                         -EUCLEAN);
        assert_non_null(strstr(err.text, "processor"));
        assert_int_equal(exit.vcpu, 77);
        assert_true(held);
    }
}

/* ---- what is not our event ------------------------------------------- */

static void test_stock(void **state)
{
    struct request r = {{0}};
    struct xrw_exit exit = {0};
    bool held = true;

    (void)state;
    put_head(&r, XRW_VM_EVENT_VERSION_STOCK, PAUSED, REASON_VMEXIT, 3);
    put(&r, 24, 8, XRW_VMX_CR_ACCESS);
    put(&r, 32, 8, 0x1234);
    put_registers(&r, XRW_REQUEST_REGS_OFFSET_STOCK);
    assert_int_equal(
        xen_event_decode(&decoder, r.bytes, XRW_REQUEST_SIZE_STOCK, &exit, &held, NULL), 1);
    assert_int_equal(exit.vcpu, 3);
    assert_false(held);
    assert_int_equal(known_fields(&exit), BIT(reason) | BIT(qualification));
    assert_int_equal(exit.field[XRW_EXIT_reason], XRW_VMX_CR_ACCESS);
    assert_int_equal(exit.field[XRW_EXIT_qualification], 0x1234);
    check_registers(&exit.before);
}

static void test_held(void **state)
{
    static const struct {
        uint32_t flags, held;
        bool expected;
    } cases[] = {{PAUSED, 1, true}, {PAUSED, 0, false}, {0, 1, false}, {0, 0, false}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct request r = patched(XRW_VMX_CPUID, 0);
        struct xrw_exit exit = {0};
        bool held = !cases[i].expected;

        put(&r, 4, 4, cases[i].flags);
        SET_VMX(&r, held, cases[i].held);
        assert_int_equal(xen_event_decode(&decoder, r.bytes, sizeof r.bytes, &exit, &held, NULL),
                         1);
        assert_int_equal(held, cases[i].expected);
    }
}

static void test_another_kind_of_event(void **state)
{
    (void)state;
    for (uint32_t reason = 0; reason < 40; reason++) {
        struct request r = patched(XRW_VMX_CPUID, 0);
        struct xrw_exit exit = {.vcpu = 77};
        bool held = true;

        if (reason == REASON_VMEXIT)
            continue;
        put(&r, 8, 4, reason);
        assert_int_equal(xen_event_decode(&decoder, r.bytes, sizeof r.bytes, &exit, &held, NULL),
                         0);
        assert_int_equal(exit.vcpu, 77);
        assert_true(held);
    }
}

static void test_wrong_version(void **state)
{
    static const uint32_t versions[] = {0, 6, 8, 10, 0x09000000, UINT32_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        struct request r = patched(XRW_VMX_CPUID, 0);
        struct xrw_exit exit = {.vcpu = 77};
        struct xrw_error err = {""};
        bool held = true;

        put(&r, 0, 4, versions[i]);
        assert_int_equal(xen_event_decode(&decoder, r.bytes, sizeof r.bytes, &exit, &held, &err),
                         -EUCLEAN);
        assert_non_null(strstr(err.text, "version"));
        assert_int_equal(exit.vcpu, 77);
        assert_true(held);
    }
}

/* Copied into memory of just that size, so that a byte too many is found. */
static void test_short(void **state)
{
    (void)state;
    for (size_t bytes = 0; bytes < XRW_REQUEST_SIZE_PATCHED; bytes++) {
        struct request r = patched(XRW_VMX_CPUID, 0);
        uint8_t *copy = test_malloc(bytes ? bytes : 1);
        struct xrw_exit exit = {.vcpu = 77};
        bool held = true;

        for (uint32_t version = 7; version <= 9; version += 2) {
            size_t whole = version == 7 ? XRW_REQUEST_SIZE_STOCK : (size_t)XRW_REQUEST_SIZE_PATCHED;

            put(&r, 0, 4, version);
            memcpy(copy, r.bytes, bytes);
            exit.vcpu = 77;
            if (xen_event_decode(&decoder, copy, bytes, &exit, &held, NULL) !=
                (bytes < whole ? -EUCLEAN : 1))
                fail_msg("version %u, %zu bytes", version, bytes);
            assert_int_equal(exit.vcpu, bytes < whole ? 77 : 0);
        }
        test_free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_are_known_where_they_are_defined),
        cmocka_unit_test(test_every_field),
        cmocka_unit_test(test_registers_patched),
        cmocka_unit_test(test_no_event_depends_on_the_one_before),
        cmocka_unit_test(test_segments),
        cmocka_unit_test(test_unknown_vendor),
        cmocka_unit_test(test_stock),
        cmocka_unit_test(test_held),
        cmocka_unit_test(test_another_kind_of_event),
        cmocka_unit_test(test_wrong_version),
        cmocka_unit_test(test_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
