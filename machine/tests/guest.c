/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest.h"

#include <stdlib.h>

#define PTE_KERNEL 0x3u
#define PTE_USER 0x7u
#define MANY 100000

static int page(void *ctx, xrw_gfn gfn, uint8_t *content, unsigned *ept)
{
    struct guest *g = ctx;
    uint64_t gpa = gfn << XRW_PAGE_SHIFT;

    g->pages_asked++;
    memset(content, 0, XRW_PAGE_BYTES);
    *ept = gpa < GUEST_BYTES && !(gpa >= GUEST_ABSENT && gpa < GUEST_ABSENT + 0x10000) ? XRW_EPT_ALL
                                                                                       : 0;
    return 0;
}

void guest_put(struct guest *g, uint64_t gpa, const void *data, size_t bytes)
{
    assert_int_equal(xrw_machine_write(g->m, gpa, data, bytes), 0);
}

void guest_put64(struct guest *g, uint64_t gpa, uint64_t value)
{
    guest_put(g, gpa, &value, sizeof value);
}

uint64_t guest_get64(struct guest *g, uint64_t gpa)
{
    uint64_t value;

    assert_int_equal(xrw_machine_read(g->m, gpa, &value, sizeof value), 0);
    return value;
}

static void make_tables(struct guest *g)
{
    guest_put64(g, GUEST_PML4, GUEST_PDPT | PTE_USER);
    guest_put64(g, GUEST_PDPT, GUEST_PD | PTE_USER);
    guest_put64(g, GUEST_PD, GUEST_PT | PTE_USER);
    for (uint64_t a = 0; a < GUEST_BYTES; a += XRW_PAGE_BYTES) {
        bool user = a >= GUEST_USER && a < GUEST_DATA;
        bool mapped = a < GUEST_UNMAPPED;
        guest_put64(g, GUEST_PT + a / XRW_PAGE_BYTES * 8,
                    mapped ? a | (user ? PTE_USER : PTE_KERNEL) : 0);
    }
}

static void make_descriptors(struct guest *g)
{
    static const uint64_t gdt[] = {
        0,
        0x00af9b000000ffff, /* SEL_CODE */
        0x00cf93000000ffff, /* SEL_DATA */
        0x00cf9b000000ffff, /* SEL_CODE32 */
        0x00cff3000000ffff, /* SEL_USER_DATA */
        0x00affb000000ffff, /* SEL_USER_CODE */
        0x0000890070000067, /* SEL_TSS, at GUEST_TSS */
        0,
    };
    static const uint8_t hlt = 0xf4;

    guest_put(g, GUEST_GDT, gdt, sizeof gdt);
    for (unsigned v = 0; v < 256; v++) {
        uint64_t handler = GUEST_HANDLERS + 16 * v;
        guest_put64(g, GUEST_IDT + 16 * v,
                    (handler & 0xffff) | SEL_CODE << 16 | UINT64_C(0x8e00) << 32);
        guest_put(g, handler, &hlt, 1);
    }
    guest_put64(g, GUEST_TSS + 4, GUEST_RSP0);
    guest_put64(g, GUEST_TSS + 36, GUEST_IST1);
    guest_put(g, GUEST_TSS + 102, "\x68", 1); /* no I/O bitmap */
}

static void set_segment(struct xrw_registers *r, enum xrw_register first, uint16_t selector,
                        uint16_t attr)
{
    xrw_registers_set(r, first, selector);
    xrw_registers_set(r, first + 1, 0);
    xrw_registers_set(r, first + 2, 0xffffffff);
    xrw_registers_set(r, first + 3, attr);
}

static void make_state(struct guest *g)
{
    struct xrw_machine_state *state = malloc(sizeof *state);
    struct xrw_registers *r = &state->regs;
    struct xrw_error err;

    assert_non_null(state);
    xrw_machine_store(g->m, state);
    xrw_registers_set(r, XRW_REG_cr0, 0x80010033);
    xrw_registers_set(r, XRW_REG_cr3, GUEST_PML4);
    xrw_registers_set(r, XRW_REG_cr4, 0x40620); /* PAE, OSFXSR, OSXMMEXCPT, OSXSAVE */
    xrw_registers_set(r, XRW_REG_efer, 0xd01);  /* SCE, LME, LMA, NXE */
    xrw_registers_set(r, XRW_REG_rip, GUEST_CODE);
    xrw_registers_set(r, XRW_REG_rsp, GUEST_STACK);
    xrw_registers_set(r, XRW_REG_rdx, 0);
    set_segment(r, XRW_REG_cs, SEL_CODE, 0xa9b);
    set_segment(r, XRW_REG_ss, SEL_DATA, 0xc93);
    set_segment(r, XRW_REG_ds, SEL_DATA, 0xc93);
    set_segment(r, XRW_REG_es, SEL_DATA, 0xc93);
    set_segment(r, XRW_REG_fs, SEL_DATA, 0xc93);
    set_segment(r, XRW_REG_gs, SEL_DATA, 0xc93);
    xrw_registers_set(r, XRW_REG_tr, SEL_TSS);
    xrw_registers_set(r, XRW_REG_tr_base, GUEST_TSS);
    xrw_registers_set(r, XRW_REG_tr_limit, 0x67);
    xrw_registers_set(r, XRW_REG_tr_attr, 0x8b);
    xrw_registers_set(r, XRW_REG_gdtr_base, GUEST_GDT);
    xrw_registers_set(r, XRW_REG_gdtr_limit, 0x3f);
    xrw_registers_set(r, XRW_REG_idtr_base, GUEST_IDT);
    xrw_registers_set(r, XRW_REG_idtr_limit, 0xfff);
    state->xcr0 = 7;
    assert_int_equal(xrw_machine_load(g->m, state, &err), 0);
    free(state);
}

void guest_remake(struct guest *g)
{
    struct xrw_error err;

    xrw_machine_destroy(g->m);
    assert_int_equal(xrw_machine_create(&g->config, &g->m, &err), 0);
    make_tables(g);
    make_descriptors(g);
    make_state(g);
}

int guest_setup(void **state)
{
    struct guest *g = calloc(1, sizeof *g);

    assert_non_null(g);
    g->config.page = page;
    g->config.page_ctx = g;
    xrw_machine_cpu_host(&g->config.cpu);
    xrw_machine_controls_xen(&g->config.controls, g->config.cpu.cr4_valid, false);
    g->config.controls.exits &= ~XRW_EXITS_MOV_DR;
    g->config.controls.exception_bitmap = 0;
    guest_remake(g);
    *state = g;
    return 0;
}

int guest_teardown(void **state)
{
    struct guest *g = *state;

    xrw_machine_destroy(g->m);
    free(g);
    return 0;
}

void guest_load(struct guest *g, const void *code, size_t bytes)
{
    guest_put(g, GUEST_CODE, code, bytes);
    GUEST_SET(g, rip, GUEST_CODE);
}

enum xrw_machine_stop guest_run_count(struct guest *g, uint64_t instructions)
{
    struct xrw_machine_until until = {.instructions = instructions};

    assert_int_equal(xrw_machine_run(g->m, &until, &g->result), 0);
    return g->result.stop;
}

enum xrw_machine_stop guest_run(struct guest *g)
{
    return guest_run_count(g, MANY);
}

uint64_t guest_field(const struct guest *g, enum xrw_exit_field field)
{
    assert_true(g->result.exit.field_known[field]);
    return g->result.exit.field[field];
}

uint64_t guest_expect_exit(struct guest *g, unsigned reason)
{
    enum xrw_machine_stop stop = guest_run(g);

    if (stop == XRW_STOP_UNHANDLED)
        print_error("unhandled: %s\n", g->result.text.text);
    assert_int_equal(stop, XRW_STOP_EXIT);
    assert_int_equal(xrw_exit_basic_reason(&g->result.exit), reason);
    return guest_field(g, XRW_EXIT_qualification);
}

void guest_expect_vector(struct guest *g, unsigned vector)
{
    guest_expect_exit(g, XRW_VMX_HLT);
    assert_int_equal(GUEST_REG(g, rip), GUEST_HANDLERS + 16 * vector);
}

void guest_enter_user(struct guest *g)
{
    GUEST_SET(g, cs, SEL_USER_CODE);
    GUEST_SET(g, cs_attr, 0xafb);
    GUEST_SET(g, ss, SEL_USER_DATA);
    GUEST_SET(g, ss_attr, 0xcf3);
    GUEST_SET(g, rip, GUEST_USER);
    GUEST_SET(g, rsp, GUEST_DATA - 0x100);
}
