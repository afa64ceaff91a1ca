/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SYSCALL, SYSRET, SYSENTER, SYSEXIT. */
#include "push.h"

#define ATTR_CODE64 (0x9bu | ATTR_L | ATTR_G)
#define ATTR_CODE32 (0x9bu | ATTR_DB | ATTR_G)
#define ATTR_DATA (0x93u | ATTR_DB | ATTR_G)

static struct segment_register flat(uint64_t selector, uint32_t attr, unsigned dpl)
{
    return (struct segment_register){.selector = (uint16_t)selector,
                                     .attr = (uint16_t)(attr | dpl << ATTR_DPL_SHIFT),
                                     .limit = 0xffffffff};
}

static void enter(struct xrw_machine *m, uint64_t cs, uint64_t ss, bool wide)
{
    m->cpl = 0;
    m->seg[SEG_CS] = flat(cs, wide ? ATTR_CODE64 : ATTR_CODE32, 0);
    m->seg[SEG_SS] = flat(ss, ATTR_DATA, 0);
}

void op_syscall(struct xrw_machine *m, const struct insn *insn)
{
    uint64_t next = insn->rip + insn->length, rflags;
    bool wide = is_long(m);

    m->insn = insn;
    if (!(m->efer & EFER_SCE) || !(m->cr0 & CR0_PE) || (!wide && !m->cpu.amd))
        raise_plain(m, VECTOR_UD);
    rflags = cpu_rflags(m) & ~RFLAGS_RF;
    if (m->efer & EFER_LMA) {
        m->n.gpr[RCX] = next;
        m->n.gpr[R11] = rflags;
        m->undefined_stored |= m->undefined != 0;
        enter(m, m->star >> 32 & 0xfffc, (m->star >> 32 & 0xfffc) + 8, true);
        m->rip = wide ? m->lstar : m->cstar;
        cpu_set_rflags(m, rflags & ~m->sfmask);
    } else {
        m->n.gpr[RCX] = (uint32_t)next;
        enter(m, m->star >> 32 & 0xfffc, (m->star >> 32 & 0xfffc) + 8, false);
        m->rip = m->star & 0xffffffff;
        cpu_set_rflags(m, rflags & ~(RFLAGS_IF | RFLAGS_VM));
    }
}

void op_sysret(struct xrw_machine *m, const struct insn *insn)
{
    uint64_t star = m->star >> 48;
    bool wide = insn->size == 8;

    m->insn = insn;
    if (!(m->efer & EFER_SCE) || !(m->cr0 & CR0_PE) || (!is_long(m) && !m->cpu.amd))
        raise_plain(m, VECTOR_UD);
    if (m->cpl)
        raise_error(m, VECTOR_GP, 0);
    if (wide && !m->cpu.amd && !cpu_canonical(m, m->n.gpr[RCX]))
        raise_error(m, VECTOR_GP, 0);
    m->rip = wide ? m->n.gpr[RCX] : (uint32_t)m->n.gpr[RCX];
    m->cpl = 3;
    m->seg[SEG_CS] = flat((wide ? star + 16 : star) | 3, wide ? ATTR_CODE64 : ATTR_CODE32, 3);
    if (m->cpu.amd) /* base, limit and attributes of SS stay */
        m->seg[SEG_SS].selector = (uint16_t)((star + 8) | 3);
    else
        m->seg[SEG_SS] = flat((star + 8) | 3, ATTR_DATA, 3);
    if (m->efer & EFER_LMA)
        cpu_set_rflags(m, m->n.gpr[R11] & (RFLAGS_ALL & ~(RFLAGS_RF | RFLAGS_VM)));
    else
        cpu_set_rflags(m, cpu_rflags(m) | RFLAGS_IF);
}

void op_sysenter(struct xrw_machine *m, const struct insn *insn)
{
    bool wide = m->efer & EFER_LMA;

    m->insn = insn;
    if (m->cpu.amd && wide)
        raise_plain(m, VECTOR_UD);
    if (!(m->cr0 & CR0_PE) || !(m->sysenter_cs & 0xfffc))
        raise_error(m, VECTOR_GP, 0);
    enter(m, m->sysenter_cs & 0xfffc, (m->sysenter_cs & 0xfffc) + 8, wide);
    m->n.gpr[RSP] = wide ? m->sysenter_esp : (uint32_t)m->sysenter_esp;
    m->rip = wide ? m->sysenter_eip : (uint32_t)m->sysenter_eip;
    m->rflags &= ~(RFLAGS_VM | RFLAGS_IF | RFLAGS_RF);
    cpu_update(m);
}

void op_sysexit(struct xrw_machine *m, const struct insn *insn)
{
    bool wide = insn->size == 8;
    uint64_t cs = m->sysenter_cs & 0xfffc, rip = m->n.gpr[RDX], rsp = m->n.gpr[RCX];

    m->insn = insn;
    if (m->cpu.amd && m->efer & EFER_LMA)
        raise_plain(m, VECTOR_UD);
    if (!cs || m->cpl || !(m->cr0 & CR0_PE))
        raise_error(m, VECTOR_GP, 0);
    if (wide && (!cpu_canonical(m, rip) || !cpu_canonical(m, rsp)))
        raise_error(m, VECTOR_GP, 0);
    cs += wide ? 32 : 16;
    m->cpl = 3;
    m->seg[SEG_CS] = flat(cs | 3, wide ? ATTR_CODE64 : ATTR_CODE32, 3);
    m->seg[SEG_SS] = flat((cs + 8) | 3, ATTR_DATA, 3);
    m->n.gpr[RSP] = wide ? rsp : (uint32_t)rsp;
    m->rip = wide ? rip : (uint32_t)rip;
    cpu_update(m);
}
