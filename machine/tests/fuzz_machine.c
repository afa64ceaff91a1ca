/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arbitrary bytes as a guest: mode, registers, memory and code.  The process survives; and the same
 * input ends in the same state whether it is run at once, with the translator or without,
 * instruction by instruction, or run, undone and run again.
 */
#include "fuzz_machine.h"
#include "xrw/machine.h"
#include "xrw/vmx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RAM 0x40000u
#define PML4 0x1000u
#define PDPT 0x2000u
#define PD 0x3000u
#define PT 0x4000u
#define GDT 0x5000u
#define IDT 0x6000u
#define TSS 0x7000u
#define CODE 0x10000u
#define STACK 0x20000u
#define DATA 0x30000u

#define INSTRUCTIONS 3000u
#define EXITS_MAX 60u

struct input {
    const uint8_t *data;
    size_t size;
};

/* What memory holds before anything runs. */
struct image {
    uint8_t ram[RAM];
    unsigned absent; /* a page that exits at first */
};

static uint64_t take(struct input *in, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes && in->size; i++, in->data++, in->size--)
        value |= (uint64_t)*in->data << 8 * i;
    return value;
}

static int page(void *ctx, xrw_gfn gfn, uint8_t *content, unsigned *ept)
{
    const struct image *image = ctx;

    *ept = 0;
    if (gfn < RAM / XRW_PAGE_BYTES && gfn != image->absent) {
        memcpy(content, image->ram + gfn * XRW_PAGE_BYTES, XRW_PAGE_BYTES);
        *ept = XRW_EPT_ALL;
    }
    return gfn == 0x666 ? -61 : 0;
}

static void put64(struct image *image, uint64_t at, uint64_t value)
{
    memcpy(image->ram + at, &value, 8);
}

static void make_image(struct image *image, struct input *in)
{
    static const uint64_t gdt[] = {0,
                                   0x00af9b000000ffff,
                                   0x00cf93000000ffff,
                                   0x00cf9b000000ffff,
                                   0x00cff3000000ffff,
                                   0x00affb000000ffff,
                                   0x0000890070000067,
                                   0,
                                   0x008f9b000000ffff,
                                   0x00cffb000000ffff};

    memset(image, 0, sizeof *image);
    put64(image, PML4, PDPT | 7);
    put64(image, PDPT, PD | 7);
    put64(image, PD, PT | 7);
    for (uint64_t a = 0; a < RAM; a += XRW_PAGE_BYTES)
        put64(image, PT + a / XRW_PAGE_BYTES * 8, a | 7);
    memcpy(image->ram + GDT, gdt, sizeof gdt);
    for (unsigned v = 0; v < 256; v++) {
        uint64_t handler = CODE + 64 * (v % 32);
        put64(image, IDT + 16 * v, (handler & 0xffff) | 0x08 << 16 | UINT64_C(0xee01) << 32);
        image->ram[IDT + 16 * v + 4] = (uint8_t)(v % 3);
    }
    put64(image, TSS + 4, STACK - 0x1000);
    put64(image, TSS + 36, STACK - 0x2000);
    put64(image, TSS + 44, STACK - 0x3000);
    image->absent = (unsigned)take(in, 1) % 64;
    for (unsigned n = (unsigned)take(in, 1) % 8; n > 0; n--) {
        unsigned at = (unsigned)take(in, 2) % (TSS + 0x100 - PML4) + PML4;
        image->ram[at] = (uint8_t)take(in, 1);
    }
    memcpy(image->ram + DATA, in->data, in->size < 0x8000 ? in->size : 0x8000);
    for (unsigned at = 0; in->size && at + in->size < 0x2000; at += (unsigned)in->size)
        memcpy(image->ram + CODE + at, in->data, in->size);
}

static void set_segment(struct xrw_registers *r, enum xrw_register first, uint16_t selector,
                        uint16_t attr, uint32_t limit)
{
    xrw_registers_set(r, first, selector);
    xrw_registers_set(r, first + 1, 0);
    xrw_registers_set(r, first + 2, limit);
    xrw_registers_set(r, first + 3, attr);
}

/* 64-bit kernel, 64-bit user, compatibility, 32-bit paged, 32-bit flat, 16-bit protected, real,
 * virtual-8086. */
static void make_state(struct xrw_machine_state *s, struct input *in)
{
    static const uint16_t code[8] = {0xa9b, 0xafb, 0xcfb, 0xc9b, 0xc9b, 0x89b, 0x09b, 0x0f3};
    struct xrw_registers *r = &s->regs;
    unsigned mode = (unsigned)take(in, 1) % 8;
    bool user = mode == 1 || mode == 2 || mode == 7, wide = mode < 3;
    uint16_t data = mode == 7 ? 0xf3 : user ? 0xcf3 : 0xc93;
    uint32_t limit = mode >= 6 ? 0xffff : 0xffffffff;

    for (unsigned i = XRW_REG_rax; i <= XRW_REG_r15; i++)
        xrw_registers_set(r, i, take(in, 1) & 1 ? take(in, 8) : DATA + take(in, 2));
    xrw_registers_set(r, XRW_REG_rsp, mode >= 6 ? 0x8000 : STACK - 0x400 + (take(in, 1) & 15));
    xrw_registers_set(r, XRW_REG_rip, mode >= 6 ? 0 : CODE + take(in, 1));
    xrw_registers_set(r, XRW_REG_rflags, (take(in, 3) & 0x254dd5) | 2 | (mode == 7 ? 0x20000 : 0));
    xrw_registers_set(r, XRW_REG_cr0,
                      (wide || mode == 3 ? 0x80010033
                       : mode == 6       ? 0x30
                                         : 0x31) |
                          (take(in, 1) & 0x4000a));
    xrw_registers_set(r, XRW_REG_cr3, PML4);
    xrw_registers_set(r, XRW_REG_cr4, (take(in, 4) & 0x370700) | 0x40620u);
    if (mode == 3)
        xrw_registers_set(r, XRW_REG_cr4, 0x20);
    xrw_registers_set(r, XRW_REG_efer, wide ? 0xd01 : 0);
    set_segment(r, XRW_REG_cs, user ? 0x2b : 0x08, code[mode], limit);
    for (unsigned first = XRW_REG_ss; first <= XRW_REG_gs; first += 4)
        set_segment(r, first, user ? 0x23 : 0x10, data, limit);
    if (mode >= 6) {
        xrw_registers_set(r, XRW_REG_cs, CODE >> 4);
        xrw_registers_set(r, XRW_REG_cs_base, CODE);
    }
    set_segment(r, XRW_REG_tr, 0x30, 0x8b, 0x67);
    xrw_registers_set(r, XRW_REG_tr_base, TSS);
    xrw_registers_set(r, XRW_REG_gdtr_base, GDT);
    xrw_registers_set(r, XRW_REG_gdtr_limit, 0x4f);
    xrw_registers_set(r, XRW_REG_idtr_base, mode == 6 ? 0 : IDT);
    xrw_registers_set(r, XRW_REG_idtr_limit, 0xfff);
    xrw_registers_set(r, XRW_REG_dr7, 0x400 | (take(in, 1) & 1 ? take(in, 4) & 0xffff00ff : 0));
    xrw_registers_set(r, XRW_REG_dr0, CODE + take(in, 1));
    xrw_registers_set(r, XRW_REG_dr1, DATA + take(in, 1));
    for (unsigned i = 0; i < 4; i++) /* where PAE's top entries lead */
        s->pdpte[i] = PD | 1;
    s->xcr0 = take(in, 1) & 1 ? 0xe7 : 7;
}

/* ---- A hypervisor of few words ---- */

static uint64_t tsc(void *ctx, uint64_t count)
{
    (void)ctx;
    return count * 3;
}

static void handle(struct xrw_machine *m, const struct xrw_exit *exit)
{
    unsigned reason = xrw_exit_basic_reason(exit);
    uint64_t info = exit->field[XRW_EXIT_intr_info];
    static const uint8_t zero[XRW_PAGE_BYTES];

    if (exit->field[XRW_EXIT_idt_info] >> 31)
        xrw_machine_inject(m, (uint32_t)exit->field[XRW_EXIT_idt_info],
                           (uint32_t)exit->field[XRW_EXIT_idt_error],
                           (unsigned)exit->field[XRW_EXIT_insn_len]);
    if (reason == XRW_VMX_EPT_VIOLATION)
        xrw_machine_set_page(m, exit->field[XRW_EXIT_gpa] >> XRW_PAGE_SHIFT, zero, XRW_EPT_ALL);
    else if (reason == XRW_VMX_EXCEPTION_NMI)
        xrw_machine_inject(m, (uint32_t)info, (uint32_t)exit->field[XRW_EXIT_intr_error],
                           (unsigned)exit->field[XRW_EXIT_insn_len]);
    else if (reason == XRW_VMX_APIC_ACCESS)
        xrw_machine_skip(m, 3);
    else if (exit->field_known[XRW_EXIT_insn_len])
        xrw_machine_skip(m, (unsigned)exit->field[XRW_EXIT_insn_len]);
}

enum way { AT_ONCE, BY_STEPS, WITH_UNDO, INTERPRETED };

static bool run_to(struct xrw_machine *m, uint64_t last, enum way way, unsigned *exits)
{
    struct xrw_machine_result result;
    struct xrw_machine_until until = {0};
    uint64_t count = xrw_machine_count(m);

    until.instructions = way == BY_STEPS ? 1 : last - count;
    if (xrw_machine_run(m, &until, &result))
        abort();
    if (result.stop == XRW_STOP_EXIT) {
        if (++*exits > EXITS_MAX)
            return false;
        handle(m, &result.exit);
        return true;
    }
    if (way == WITH_UNDO && xrw_machine_log_begin(m) <= count) {
        uint64_t back = count + (xrw_machine_count(m) - count) / 3;
        if (xrw_machine_undo(m, back, NULL))
            abort();
        until.instructions = last - back;
        if (xrw_machine_run(m, &until, &result))
            abort();
        if (result.stop == XRW_STOP_EXIT)
            abort(); /* there was none */
    }
    return result.stop == XRW_STOP_COUNT && xrw_machine_count(m) < last;
}

static uint64_t hash(const void *bytes, size_t count, uint64_t h)
{
    for (size_t i = 0; i < count; i++)
        h = (h ^ ((const uint8_t *)bytes)[i]) * UINT64_C(0x100000001b3);
    return h;
}

static uint64_t hash_machine(struct xrw_machine *m)
{
    static struct xrw_machine_state s;
    uint64_t h = UINT64_C(0xcbf29ce484222325), count = xrw_machine_count(m);

    memset(&s, 0, sizeof s);
    xrw_machine_store(m, &s);
    h = hash(s.regs.value, sizeof s.regs.value, h);
    h = hash(s.xsave, sizeof s.xsave, h);
    h = hash(&s.interruptibility, sizeof s.interruptibility, h);
    h = hash(&count, sizeof count, h);
    for (xrw_gfn gfn = 0; gfn < RAM / XRW_PAGE_BYTES; gfn++) {
        const uint8_t *content = xrw_machine_page_content(m, gfn);
        if (content)
            h = hash(content, XRW_PAGE_BYTES, h);
    }
    return h;
}

static uint64_t run_way(struct image *image, const struct xrw_machine_state *state,
                        uint32_t exits_wanted, enum way way)
{
    struct xrw_machine_config config = {.page_ctx = image, .page = page};
    struct xrw_machine *m;
    unsigned exits = 0;
    uint64_t h;

    xrw_machine_cpu_host(&config.cpu);
    config.cpu.tsc = tsc;
    config.cpu.profile = exits_wanted >> 15 & 1 ? XRW_PROFILE_BOCHS : XRW_PROFILE_HOST;
    xrw_machine_controls_xen(&config.controls, config.cpu.cr4_valid, exits_wanted & 1);
    config.controls.exits ^= exits_wanted & 0x3fff & ~(XRW_EXITS_PAUSE_LOOP);
    config.controls.exception_bitmap = exits_wanted >> 16;
    if (xrw_machine_create(&config, &m, NULL))
        abort();
    if (xrw_machine_load(m, state, NULL)) {
        xrw_machine_destroy(m);
        return 0;
    }
    xrw_machine_set_translator(m, way != INTERPRETED);
    if (way == WITH_UNDO && xrw_machine_log(m, 1u << 20))
        abort();
    while (run_to(m, INSTRUCTIONS, way, &exits))
        ;
    h = hash_machine(m);
    xrw_machine_destroy(m);
    return h;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct image image;
    static struct xrw_machine_state state;
    struct xrw_machine_config config = {.page_ctx = &image, .page = page};
    struct input in = {data, size};
    struct xrw_machine *m;
    uint32_t exits;
    uint64_t once;

    xrw_machine_cpu_host(&config.cpu);
    if (xrw_machine_create(&config, &m, NULL))
        abort();
    xrw_machine_store(m, &state);
    xrw_machine_destroy(m);
    make_state(&state, &in);
    exits = (uint32_t)take(&in, 4);
    make_image(&image, &in);
    once = run_way(&image, &state, exits, AT_ONCE);
    if (run_way(&image, &state, exits, INTERPRETED) != once) {
        fprintf(stderr, "translated and interpreted differ\n");
        abort();
    }
    if (run_way(&image, &state, exits, BY_STEPS) != once) {
        fprintf(stderr, "at once and by steps differ\n");
        abort();
    }
    if (run_way(&image, &state, exits, WITH_UNDO) != once) {
        fprintf(stderr, "undone and run again differs\n");
        abort();
    }
    return 0;
}
