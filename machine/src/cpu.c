/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vCPU's registers, and what follows from them. */
#include "cpu.h"

#include <errno.h>
#include <string.h>

#define ATTR_FLAT_CODE16 0x9bu
#define ATTR_FLAT_DATA 0x93u

uint64_t cpu_rflags(const struct xrw_machine *m)
{
    return (m->rflags & ~RFLAGS_STATUS) | native_rflags(&m->n) | RFLAGS_FIXED;
}

void cpu_set_rflags(struct xrw_machine *m, uint64_t rflags)
{
    native_set_rflags(&m->n, rflags);
    m->rflags = (rflags & RFLAGS_ALL & ~RFLAGS_STATUS) | RFLAGS_FIXED;
    m->undefined = 0;
    cpu_update(m);
}

uint64_t cpu_count(const struct xrw_machine *m)
{
    return m->count + (m->slice - (uint64_t)m->left);
}

bool cpu_canonical(const struct xrw_machine *m, uint64_t address)
{
    unsigned bits = m->cr4 & CR4_LA57 ? 57 : 48;
    uint64_t top = address >> (bits - 1);

    if (!(m->efer & EFER_LMA))
        return address >> 32 == 0;
    return top == 0 || top == UINT64_MAX >> (bits - 1);
}

static uint32_t code_size(const struct xrw_machine *m)
{
    if (m->efer & EFER_LMA && m->seg[SEG_CS].attr & ATTR_L)
        return MODE_64;
    return m->seg[SEG_CS].attr & ATTR_DB ? MODE_32 : MODE_16;
}

static uint32_t fpu_mode(const struct xrw_machine *m)
{
    uint32_t mode = 0;

    if (m->cr0 & CR0_TS)
        mode |= MODE_TS;
    if (m->cr0 & CR0_EM)
        mode |= MODE_EM;
    if (m->cr0 & CR0_MP)
        mode |= MODE_MP;
    if (m->cr4 & CR4_OSFXSR)
        mode |= MODE_OSFXSR;
    if (m->cr4 & CR4_OSXSAVE) {
        mode |= MODE_OSXSAVE;
        if ((m->xcr0 & (XCR0_SSE | XCR0_AVX)) == (XCR0_SSE | XCR0_AVX))
            mode |= MODE_AVX;
        if (mode & MODE_AVX && (m->xcr0 & XCR0_AVX512) == XCR0_AVX512)
            mode |= MODE_AVX512;
    }
    return mode;
}

/* What has to be looked at between instructions, as far as registers say it. */
static uint32_t attention(const struct xrw_machine *m)
{
    uint32_t a = m->attention & (ATTENTION_EVENT | ATTENTION_EACH | ATTENTION_STOP);

    if (m->pending_debug)
        a |= ATTENTION_DEBUG;
    if (m->rflags & (RFLAGS_TF | RFLAGS_RF)) /* RF lasts for one instruction */
        a |= ATTENTION_TRAP;
    if (m->shadow & (XRW_BLOCKED_BY_STI | XRW_BLOCKED_BY_MOV_SS))
        a |= ATTENTION_SHADOW;
    if (m->controls.exits & (XRW_EXITS_INTERRUPT_WINDOW | XRW_EXITS_NMI_WINDOW))
        a |= ATTENTION_WINDOW;
    if (m->dr7 & 0xff)
        a |= ATTENTION_BREAK;
    if (m->halted)
        a |= ATTENTION_HALTED;
    return a;
}

void cpu_update(struct xrw_machine *m)
{
    bool v86 = m->rflags & RFLAGS_VM, protected = m->cr0 & CR0_PE;

    m->mode = code_size(m) | fpu_mode(m);
    if (protected && !v86)
        m->mode |= MODE_PROTECTED;
    if (v86)
        m->mode |= MODE_V86;
    if (m->seg[SEG_SS].attr & ATTR_DB)
        m->mode |= MODE_STACK32;
    if (m->cpl == 3)
        m->mode |= MODE_USER;
    if (m->each)
        m->mode |= MODE_HOOKED;
    if (is_long(m))
        m->stack_mask = UINT64_MAX;
    else
        m->stack_mask = m->mode & MODE_STACK32 ? 0xffffffffu : 0xffffu;
    m->tlb = mmu_tlb(m, ACCESS_READ);
    if (m->dr7 & 0xff || (m->cpl == 3 && m->cr0 & CR0_AM && m->rflags & RFLAGS_AC))
        m->tlb = &m->tlbs[TLB_NEVER];
    m->attention = attention(m);
}

void cpu_reset(struct xrw_machine *m)
{
    native_state_init(&m->n);
    m->n.gpr[RDX] = 0x600;
    m->rip = 0xfff0;
    m->rflags = RFLAGS_FIXED;
    for (unsigned i = 0; i < SEG_COUNT; i++)
        m->seg[i] = (struct segment_register){0, ATTR_FLAT_DATA, 0xffff, 0};
    m->seg[SEG_CS] = (struct segment_register){0xf000, ATTR_FLAT_CODE16, 0xffff, 0xffff0000};
    m->ldtr = (struct segment_register){0, 0x82, 0xffff, 0};
    m->tr = (struct segment_register){0, 0x8b, 0xffff, 0};
    m->gdtr = m->idtr = (struct table_register){0, 0xffff};
    m->cr0 = CR0_ET | CR0_NW | CR0_CD;
    m->dr6 = DR6_FIXED;
    m->dr7 = DR7_FIXED;
    m->xcr0 = XCR0_X87;
    m->pat = UINT64_C(0x0007040600070406);
    cpu_update(m);
}
