/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Make a recording for the tests of replay, of a guest that never was: 4-level page tables, a page
 * of code, one of data, and a loop whose exits and writes to memory are known from the exit's
 * number alone.  make_recording FILE [EXITS [still-open]]
 *
 * Linear       physical
 * BASE+0x0000  0x10000   code
 * BASE+0x1000  0x11000   data; from exit REMAP_AT on 0x13000
 * BASE+0x2000  0x12000   stack
 * A second address space (CR3_OTHER), in use at exits where id % 16 == 9, maps code and stack only.
 */
#include "xrw/store.h"
#include "xrw/vmx.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE UINT64_C(0xffffffff80000000)
#define CR3 UINT64_C(0x1000)
#define CR3_OTHER UINT64_C(0x5000)
#define REMAP_AT 40u
#define DEFAULT_EXITS 200u

/* Offsets in the data page. */
enum { COUNTER = 0x10, ONCE = 0x20, PAGE_NAME = 0x30, INPUT = 0x40 };

/* What the loop does: one exit each, in this order. */
enum { SITE_CPUID, SITE_OUT, SITE_RDMSR, SITE_HOST, SITE_WRMSR, SITE_INS, SITE_VMCALL, SITE_HLT };

static const struct site {
    unsigned reason;
    uint64_t offset, qualification;
    uint8_t code[4];
    unsigned length;
    const char *text;
} sites[] = {
    [SITE_CPUID] = {XRW_VMX_CPUID, 0x100, 0, {0x0f, 0xa2}, 2, "cpuid"},
    [SITE_OUT] = {XRW_VMX_IO_INSTRUCTION, 0x200, 0xe90000, {0xee}, 1, "out dx, al"},
    [SITE_RDMSR] = {XRW_VMX_MSR_READ, 0x300, 0, {0x0f, 0x32}, 2, "rdmsr"},
    [SITE_HOST] = {XRW_VMX_EXTERNAL_INTERRUPT, 0x380, 0, {0x90}, 1, "nop"},
    [SITE_WRMSR] = {XRW_VMX_MSR_WRITE, 0x400, 0, {0x0f, 0x30}, 2, "wrmsr"},
    [SITE_INS] =
        {XRW_VMX_IO_INSTRUCTION, 0x500, 0x600038, {0xf3, 0x6c}, 2, "rep insb byte ptr [rdi], dx"},
    [SITE_VMCALL] = {XRW_VMX_VMCALL, 0x600, 0, {0x0f, 0x01, 0xc1}, 3, "vmcall"},
    [SITE_HLT] = {XRW_VMX_HLT, 0x700, 0, {0xf4}, 1, "hlt"},
};
#define SITES (sizeof sites / sizeof *sites)

static const struct {
    enum xrw_register reg;
    uint64_t value;
} steady[] = {
    {XRW_REG_cr0, 0x80050033}, {XRW_REG_cr4, 0x6a0},      {XRW_REG_efer, 0xd01},
    {XRW_REG_cs, 0x10},        {XRW_REG_cs_attr, 0xa9b},  {XRW_REG_cs_base, 0},
    {XRW_REG_cs_limit, ~0u},   {XRW_REG_ss, 0x18},        {XRW_REG_ss_attr, 0xc93},
    {XRW_REG_ds, 0x18},        {XRW_REG_es, 0x18},        {XRW_REG_fs, 0},
    {XRW_REG_gs, 0},           {XRW_REG_fs_base, 0x1234}, {XRW_REG_gs_base, BASE + 0x1000},
    {XRW_REG_lstar, BASE},     {XRW_REG_dr7, 0x400},
};

struct maker {
    struct xrw_store *store;
    struct xrw_error err;
    uint64_t insn[SITES];
    uint8_t data[XRW_PAGE_BYTES], other[XRW_PAGE_BYTES], table[XRW_PAGE_BYTES];
};

static void check(const struct maker *maker, int ret)
{
    if (!ret)
        return;
    (void)fprintf(stderr, "make_recording: %s (%d)\n", maker->err.text, ret);
    exit(1);
}

static void put(uint8_t *page, size_t offset, uint64_t value)
{
    memcpy(page + offset, &value, sizeof value);
}

static void add_page(struct maker *maker, xrw_gfn gfn, xrw_exit_id exit, const uint8_t *page)
{
    check(maker, xrw_store_add_page(maker->store, 1, gfn, exit, page, false, &maker->err));
}

/* ---- memory ------------------------------------------------------------ */

static void add_upper_tables(struct maker *maker, xrw_gfn top, uint64_t page_table)
{
    uint8_t page[XRW_PAGE_BYTES] = {0};

    put(page, 511 * 8, (top + 1) << 12 | 3);
    add_page(maker, top, 0, page);
    memset(page, 0, sizeof page);
    put(page, 510 * 8, (top + 2) << 12 | 3);
    add_page(maker, top + 1, 0, page);
    memset(page, 0, sizeof page);
    put(page, 0, page_table | 3);
    add_page(maker, top + 2, 0, page);
}

static void add_base_image(struct maker *maker)
{
    uint8_t page[XRW_PAGE_BYTES] = {0};

    add_upper_tables(maker, CR3 >> 12, 0x4000);
    add_upper_tables(maker, CR3_OTHER >> 12, 0x8000);
    put(page, 0, 0x10003);
    put(page, 16, 0x12003);
    add_page(maker, 8, 0, page);
    memcpy(maker->table, page, sizeof page);
    put(maker->table, 8, 0x11003);
    add_page(maker, 4, 0, maker->table);
    memset(page, 0x90, sizeof page);
    for (size_t i = 0; i < SITES; i++)
        memcpy(page + sites[i].offset, sites[i].code, sites[i].length);
    add_page(maker, 0x10, 0, page);
    put(maker->data, PAGE_NAME, 0x1111);
    put(maker->other, PAGE_NAME, 0x2222);
    add_page(maker, 0x11, 0, maker->data);
    add_page(maker, 0x13, 0, maker->other);
    memset(page, 0, sizeof page);
    add_page(maker, 0x12, 0, page);
}

/* What the guest and the hypervisor wrote by the time the fork is held at exit id. */
static void write_memory(struct maker *maker, xrw_exit_id id, const struct site *site)
{
    uint8_t *data = id < REMAP_AT ? maker->data : maker->other;

    if (id == REMAP_AT) {
        put(maker->table, 8, 0x13003);
        add_page(maker, 4, id, maker->table);
    }
    if (id % 5 == 0)
        put(data, COUNTER, id);
    if (id == 33)
        put(data, ONCE, 0xdead);
    if (site == &sites[SITE_INS])
        memset(data + INPUT, 0x41 + (int)(id / SITES % 26), 4);
    add_page(maker, id < REMAP_AT ? 0x11 : 0x13, id, data);
}

/* ---- exits ------------------------------------------------------------- */

static void fill_exit(struct xrw_exit *exit, xrw_exit_id id, const struct site *site)
{
    struct xrw_registers *regs = &exit->before;

    *exit = (struct xrw_exit){.id = id, .run = 1, .has_after = true};
    for (unsigned i = 0; i < XRW_HOT_COUNT; i++)
        xrw_registers_set(regs, i, 0x1000 * i + id);
    for (size_t i = 0; i < sizeof steady / sizeof *steady; i++)
        xrw_registers_set(regs, steady[i].reg, steady[i].value);
    xrw_registers_set(regs, XRW_REG_rip, BASE + site->offset);
    xrw_registers_set(regs, XRW_REG_rflags, 0x246);
    xrw_registers_set(regs, XRW_REG_rsp, BASE + 0x3000 - 8 * (id % 16 + 1));
    xrw_registers_set(regs, XRW_REG_rcx, site == &sites[SITE_INS] ? 4 : 0xc0000080);
    xrw_registers_set(regs, XRW_REG_rdi, BASE + 0x1000 + INPUT);
    xrw_registers_set(regs, XRW_REG_cr3, id % 16 == 9 ? CR3_OTHER : CR3);
    exit->after = *regs;
    if (site != &sites[SITE_HOST])
        xrw_registers_set(&exit->after, XRW_REG_rip, BASE + site->offset + site->length);
    if (site == &sites[SITE_CPUID])
        xrw_registers_set(&exit->after, XRW_REG_rax, 0x306c3);
    xrw_exit_set(exit, XRW_EXIT_reason, site->reason);
    xrw_exit_set(exit, XRW_EXIT_qualification, site->qualification);
    xrw_exit_set(exit, XRW_EXIT_insn_len, site->length);
    xrw_exit_set(exit, XRW_EXIT_time_ns, id * 1000000);
    xrw_exit_set(exit, XRW_EXIT_tsc, id * 2000000);
    xrw_exit_set(exit, XRW_EXIT_entries, id);
    if (site == &sites[SITE_HOST])
        xrw_exit_set(exit, XRW_EXIT_intr_info, 0x80000030);
}

static void add_exit(struct maker *maker, xrw_exit_id id)
{
    const struct site *site = &sites[(id - 1) % SITES];
    struct xrw_exit exit;

    fill_exit(&exit, id, site);
    write_memory(maker, id, site);
    xrw_store_set_next_insn(maker->store, maker->insn[(id - 1) % SITES]);
    check(maker, xrw_store_add_exit(maker->store, &exit, &maker->err));
}

static void add_insns(struct maker *maker)
{
    for (size_t i = 0; i < SITES; i++)
        check(maker,
              xrw_store_add_insn(maker->store, BASE + sites[i].offset, 64, sites[i].code,
                                 sites[i].length, sites[i].text, &maker->insn[i], &maker->err));
}

/* st0 = 1.0 with TOP = 7, xmm0 = 1 2 3 ..., mxcsr at its reset value. */
static void add_fxsave(struct maker *maker)
{
    uint8_t fxsave[XRW_FXSAVE_BYTES] = {0};

    fxsave[0] = 0x7f;
    fxsave[1] = 0x03;
    fxsave[3] = 7 << 3;
    fxsave[4] = 0x80;
    fxsave[24] = 0x80;
    fxsave[25] = 0x1f;
    fxsave[32 + 7] = 0x80;
    fxsave[32 + 8] = 0xff;
    fxsave[32 + 9] = 0x3f;
    for (int i = 0; i < 16; i++)
        fxsave[160 + i] = (uint8_t)(i + 1);
    check(maker, xrw_store_add_context(maker->store, 1, 0, 0, "fxsave", fxsave, sizeof fxsave,
                                       &maker->err));
}

/* ---- the whole --------------------------------------------------------- */

static void add_meta(struct maker *maker)
{
    static const char *const meta[][2] = {{"program", "make_recording"},
                                          {"hypervisor", "none"},
                                          {"guest_name", "the guest that never was"}};

    for (size_t i = 0; i < sizeof meta / sizeof *meta; i++)
        check(maker, xrw_store_set_meta(maker->store, meta[i][0], meta[i][1], &maker->err));
}

static void make(struct maker *maker, const char *path, xrw_exit_id exits, bool open)
{
    struct xrw_run run = {.id = 1,
                          .source = "xen",
                          .mode = "pause",
                          .memory = XRW_MEMORY_EXIT,
                          .vcpus = 1,
                          .domain = 2,
                          .parent = 1,
                          .start_unix_ns = UINT64_C(1700000000000000000),
                          .first_exit = 1};

    check(maker, xrw_store_create(&maker->store, path, &maker->err));
    add_meta(maker);
    check(maker, xrw_store_begin_run(maker->store, &run, &maker->err));
    add_base_image(maker);
    add_insns(maker);
    add_fxsave(maker);
    for (xrw_exit_id id = 1; id <= exits; id++)
        add_exit(maker, id);
    check(maker, xrw_store_commit(maker->store, &maker->err));
    if (open) /* as a recorder that is killed leaves it */
        _Exit(0);
    run.last_exit = exits;
    run.end_unix_ns = run.start_unix_ns + 1000000000;
    memcpy(run.stop, "exits", sizeof "exits");
    check(maker, xrw_store_end_run(maker->store, &run, &maker->err));
    check(maker, xrw_store_set_meta(maker->store, "closed", "1", &maker->err));
    check(maker, xrw_store_close(maker->store, &maker->err));
}

int main(int argc, char **argv)
{
    struct maker *maker = calloc(1, sizeof *maker);

    if (argc < 2 || argc > 4 || !maker) {
        (void)fputs("usage: make_recording FILE [EXITS [still-open]]\n", stderr);
        return 2;
    }
    make(maker, argv[1], argc > 2 ? strtoull(argv[2], NULL, 10) : DEFAULT_EXITS, argc > 3);
    free(maker);
    return 0;
}
