/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "work_machine.h"

#include <string.h>

#define PML4 0x1000u
#define PDPT 0x2000u
#define PD 0x3000u
#define GDT 0x5000u
#define IDT 0x6000u
#define TSS 0x7000u
#define KERNEL_STACK 0x30000u
#define TABLES 0x200000u
#define USER_STACK 0x600000u

#define CODE_SELECTOR 0x08u
#define USER_DATA_SELECTOR 0x23u
#define USER_CODE_SELECTOR 0x2bu
#define TSS_SELECTOR 0x30u

static int page(void *ctx, xrw_gfn gfn, uint8_t *content, unsigned *ept)
{
    (void)ctx;
    memset(content, 0, XRW_PAGE_BYTES);
    *ept = gfn << XRW_PAGE_SHIFT < WORK_BYTES ? XRW_EPT_ALL : 0;
    return 0;
}

static void put64(struct xrw_machine *m, uint64_t gpa, uint64_t value)
{
    (void)xrw_machine_write(m, gpa, &value, sizeof value);
}

static void put_tables(struct xrw_machine *m)
{
    static const uint64_t gdt[] = {0,
                                   0x00af9b000000ffff,
                                   0x00cf93000000ffff,
                                   0,
                                   0x00cff3000000ffff,
                                   0x00affb000000ffff,
                                   0x0000890070000067,
                                   0};
    put64(m, PML4, PDPT | 7);
    put64(m, PDPT, PD | 7);
    for (uint64_t i = 0; i < WORK_BYTES >> 21; i++)
        put64(m, PD + 8 * i, (TABLES + i * 4096) | 7);
    for (uint64_t i = 0; i < WORK_BYTES >> 12; i++)
        put64(m, TABLES + 8 * i, i << 12 | (i << 12 >= WORK_USER ? 7 : 3));
    (void)xrw_machine_write(m, GDT, gdt, sizeof gdt);
    put64(m, IDT + 16 * WORK_TIMER,
          (WORK_KERNEL & 0xffff) | CODE_SELECTOR << 16 | UINT64_C(0x8e00) << 32 |
              (uint64_t)(WORK_KERNEL >> 16) << 48);
    put64(m, TSS + 4, KERNEL_STACK);
}

static void set_segment(struct xrw_machine *m, enum xrw_register first, uint16_t selector,
                        uint16_t attr, uint32_t limit, uint64_t base)
{
    (void)xrw_machine_set_register(m, first, selector);
    (void)xrw_machine_set_register(m, first + 1, base);
    (void)xrw_machine_set_register(m, first + 2, limit);
    (void)xrw_machine_set_register(m, first + 3, attr);
}

static void put_registers(struct xrw_machine *m)
{
    static const struct {
        enum xrw_register reg;
        uint64_t value;
    } values[] = {
        {XRW_REG_cr4, 0x620},      {XRW_REG_cr3, PML4},         {XRW_REG_efer, 0xd01},
        {XRW_REG_cr0, 0x80010033}, {XRW_REG_gdtr_base, GDT},    {XRW_REG_gdtr_limit, 0x3f},
        {XRW_REG_idtr_base, IDT},  {XRW_REG_idtr_limit, 0xfff}, {XRW_REG_rflags, 0x202},
        {XRW_REG_rip, WORK_USER},  {XRW_REG_rdi, WORK_DATA},    {XRW_REG_rsp, USER_STACK},
    };
    for (unsigned i = 0; i < sizeof values / sizeof values[0]; i++)
        (void)xrw_machine_set_register(m, values[i].reg, values[i].value);
    set_segment(m, XRW_REG_cs, USER_CODE_SELECTOR, 0xafb, 0xffffffff, 0);
    for (enum xrw_register reg = XRW_REG_ss; reg <= XRW_REG_gs; reg += 4)
        set_segment(m, reg, USER_DATA_SELECTOR, 0xcf3, 0xffffffff, 0);
    set_segment(m, XRW_REG_tr, TSS_SELECTOR, 0x8b, 0x67, TSS);
}

struct xrw_machine *work_machine_create(const void *image, size_t bytes, uint32_t rounds,
                                        uint32_t seed)
{
    struct xrw_machine_config config = {.page = page};
    const uint32_t head[2] = {rounds, seed};
    struct xrw_machine *m;

    xrw_machine_cpu_host(&config.cpu);
    xrw_machine_controls_xen(&config.controls, config.cpu.cr4_valid, false);
    config.controls.exits &= ~(XRW_EXITS_INVLPG | XRW_EXITS_CR3_LOAD);
    if (xrw_machine_create(&config, &m, NULL) != 0)
        return NULL;
    put_tables(m);
    (void)xrw_machine_write(m, WORK_USER, image, bytes);
    (void)xrw_machine_write(m, WORK_DATA, head, sizeof head);
    put_registers(m);
    return m;
}
