/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Task switches, which a VM leaves to its hypervisor.  32-bit TSS only: kernels of this century use
 * no other.  Source: Intel SDM, "Task Management".
 */
#include "platform.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

enum source { CALL, IRET, JMP, GATE };

#define CR0_TS (UINT64_C(1) << 3)
#define RFLAGS_FIXED 2u
#define RFLAGS_NT (UINT64_C(1) << 14)
#define RFLAGS_VM (UINT64_C(1) << 17)
#define TYPE_BUSY 0x2u
#define TYPE_BYTE 5u
#define ATTR_ACCESSED 0x1u
#define ATTR_UNUSABLE 0u

struct tss32 {
    uint32_t back_link, esp0, ss0, esp1, ss1, esp2, ss2;
    uint32_t cr3, eip, eflags, gpr[8];
    uint32_t segment[6]; /* ES CS SS DS FS GS */
    uint32_t ldt;
    uint16_t trap, io_bitmap;
};

static const enum xrw_register segments[] = {XRW_REG_es, XRW_REG_cs, XRW_REG_ss,
                                             XRW_REG_ds, XRW_REG_fs, XRW_REG_gs};

/* From EIP to GS: what the processor stores of the task that it leaves. */
#define STORED_FROM offsetof(struct tss32, eip)
#define STORED_BYTES (offsetof(struct tss32, ldt) - STORED_FROM)

static int read_descriptor(struct xrw_platform *p, uint16_t selector, uint8_t descriptor[8])
{
    if ((selector | 7u) > reg(p, XRW_REG_gdtr_limit) || selector & 4u)
        return -EFAULT;
    return read_linear(p, reg(p, XRW_REG_gdtr_base) + (selector & 0xfff8u), descriptor, 8);
}

static int set_busy(struct xrw_platform *p, uint16_t selector, bool busy)
{
    xrw_gva at = reg(p, XRW_REG_gdtr_base) + (selector & 0xfff8u) + TYPE_BYTE;
    uint8_t type;
    int rc = read_linear(p, at, &type, 1);

    if (rc)
        return rc;
    type = (uint8_t)(busy ? type | TYPE_BUSY : type & ~TYPE_BUSY);
    return write_linear(p, at, &type, 1);
}

static void set_segment(struct xrw_platform *p, enum xrw_register segment, uint16_t selector,
                        const uint8_t d[8])
{
    uint32_t limit = (uint32_t)d[0] | (uint32_t)d[1] << 8 | (uint32_t)(d[6] & 0xf) << 16;
    uint32_t base =
        (uint32_t)d[2] | (uint32_t)d[3] << 8 | (uint32_t)d[4] << 16 | (uint32_t)d[7] << 24;

    if (d[6] & 0x80u)
        limit = limit << XRW_PAGE_SHIFT | 0xfff;
    set_reg(p, segment, selector);
    set_reg(p, segment + 1, base);
    set_reg(p, segment + 2, limit);
    set_reg(p, segment + 3, d[5] | (uint64_t)(d[6] & 0xf0u) << 4);
}

static int load_segment(struct xrw_platform *p, enum xrw_register segment, uint16_t selector)
{
    uint8_t descriptor[8] = {0};
    int rc = 0;

    if (selector & 0xfffcu)
        rc = read_descriptor(p, selector, descriptor);
    if (rc)
        return rc;
    if (selector & 0xfffcu)
        descriptor[5] |= ATTR_ACCESSED;
    set_segment(p, segment, selector, descriptor);
    return 0;
}

static int store_old_task(struct xrw_platform *p, enum source source, const struct xrw_exit *exit)
{
    struct tss32 tss = {0};
    xrw_gva base = reg(p, XRW_REG_tr_base);
    uint64_t rflags = reg(p, XRW_REG_rflags);
    int rc = read_linear(p, base, &tss, sizeof tss);

    if (rc)
        return rc;
    tss.eip =
        (uint32_t)(reg(p, XRW_REG_rip) + (source == GATE ? 0 : exit->field[XRW_EXIT_insn_len]));
    tss.eflags = (uint32_t)(source == IRET ? rflags & ~RFLAGS_NT : rflags);
    for (unsigned i = 0; i < 8; i++)
        tss.gpr[i] = (uint32_t)reg(p, (enum xrw_register)(XRW_REG_rax + i));
    for (unsigned i = 0; i < 6; i++)
        tss.segment[i] = (uint32_t)reg(p, segments[i]);
    rc = write_linear(p, base + STORED_FROM, (const uint8_t *)&tss + STORED_FROM, STORED_BYTES);
    if (!rc && (source == IRET || source == JMP))
        rc = set_busy(p, (uint16_t)reg(p, XRW_REG_tr), false);
    return rc;
}

static int load_registers(struct xrw_platform *p, const struct tss32 *tss, uint64_t rflags)
{
    int rc = 0;

    set_reg(p, XRW_REG_cr3, tss->cr3);
    set_reg(p, XRW_REG_rip, tss->eip);
    set_reg(p, XRW_REG_rflags, rflags | RFLAGS_FIXED);
    for (unsigned i = 0; i < 8; i++)
        set_reg(p, (enum xrw_register)(XRW_REG_rax + i), tss->gpr[i]);
    for (unsigned i = 0; i < 6 && !rc; i++)
        rc = load_segment(p, segments[i], (uint16_t)tss->segment[i]);
    return rc ? rc : load_segment(p, XRW_REG_ldtr, (uint16_t)tss->ldt);
}

static int load_new_task(struct xrw_platform *p, enum source source, uint16_t selector)
{
    bool nested = source == CALL || source == GATE;
    uint32_t old = (uint32_t)reg(p, XRW_REG_tr);
    uint8_t descriptor[8];
    struct tss32 tss;
    uint64_t base;
    int rc = read_descriptor(p, selector, descriptor);

    if (rc)
        return rc;
    descriptor[5] |= TYPE_BUSY;
    set_segment(p, XRW_REG_tr, selector, descriptor);
    base = reg(p, XRW_REG_tr_base);
    rc = read_linear(p, base, &tss, sizeof tss);
    if (!rc)
        rc = load_registers(p, &tss, nested ? tss.eflags | RFLAGS_NT : tss.eflags);
    if (!rc && nested)
        rc = write_linear(p, base, &old, sizeof old);
    if (!rc && source != IRET)
        rc = set_busy(p, selector, true);
    return rc;
}

int handle_task_switch(struct xrw_platform *p, const struct xrw_exit *exit, struct xrw_error *err)
{
    uint64_t qualification = exit->field[XRW_EXIT_qualification];
    enum source source = (enum source)(qualification >> 30 & 3);
    int rc;

    if (reg(p, XRW_REG_rflags) & RFLAGS_VM || source == GATE)
        return xrw_error_set(err, -ENOTSUP, "a task switch by a gate, or out of virtual-8086 mode");
    rc = store_old_task(p, source, exit);
    if (!rc)
        rc = load_new_task(p, source, (uint16_t)qualification);
    if (rc)
        return xrw_error_set(err, -ENOTSUP, "a task switch whose descriptors are not there");
    return set_cr0(p, reg(p, XRW_REG_cr0) | CR0_TS);
}
