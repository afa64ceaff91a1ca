/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CPUID, MSRs, time, waiting, hypercalls, and the flags that are not arithmetic's. */
#include "ops.h"

#include <errno.h>

static void put_edx_eax(struct xrw_machine *m, uint64_t value)
{
    m->n.gpr[RAX] = (uint32_t)value;
    m->n.gpr[RDX] = value >> 32;
}

static bool asked(const struct xrw_machine *m, uint32_t exits)
{
    return m->controls.exits & exits;
}

void op_cpuid(struct xrw_machine *m, const struct insn *insn)
{
    uint32_t out[4];

    m->insn = insn;
    if (asked(m, XRW_EXITS_CPUID))
        leave_exit_insn(m, XRW_VMX_CPUID, 0);
    if (!m->cpu.cpuid)
        leave_unhandled(m, "CPUID: nothing answers it");
    m->cpu.cpuid(m->cpu.ctx, (uint32_t)m->n.gpr[RAX], (uint32_t)m->n.gpr[RCX], out);
    m->n.gpr[RAX] = out[0];
    m->n.gpr[RBX] = out[1];
    m->n.gpr[RCX] = out[2];
    m->n.gpr[RDX] = out[3];
    done(m, insn);
}

/* ---- Time and chance ---- */

static uint64_t tsc(struct xrw_machine *m, const struct insn *insn)
{
    if (!m->cpu.tsc)
        leave_unhandled(m, "the time-stamp counter: nothing says how it runs");
    return m->cpu.tsc(m->cpu.ctx, cpu_count(m) - (uint64_t)(m->charged - insn->position));
}

static void require_tsc(struct xrw_machine *m, const struct insn *insn, unsigned reason)
{
    m->insn = insn;
    if (m->cr4 & CR4_TSD && m->cpl)
        raise_error(m, VECTOR_GP, 0);
    if (asked(m, XRW_EXITS_RDTSC))
        leave_exit_insn(m, reason, 0);
}

void op_rdtsc(struct xrw_machine *m, const struct insn *insn)
{
    require_tsc(m, insn, XRW_VMX_RDTSC);
    put_edx_eax(m, tsc(m, insn));
    NEXT(m, insn);
}

void op_rdtscp(struct xrw_machine *m, const struct insn *insn)
{
    require_tsc(m, insn, XRW_VMX_RDTSCP);
    put_edx_eax(m, tsc(m, insn));
    m->n.gpr[RCX] = (uint32_t)m->tsc_aux;
    NEXT(m, insn);
}

void op_rdpid(struct xrw_machine *m, const struct insn *insn)
{
    reg_write(m, insn->dst, is_long(m) ? 8 : 4, (uint32_t)m->tsc_aux);
    NEXT(m, insn);
}

void op_rdpmc(struct xrw_machine *m, const struct insn *insn)
{
    m->insn = insn;
    if (m->cpl && !(m->cr4 & CR4_PCE) && m->cr0 & CR0_PE)
        raise_error(m, VECTOR_GP, 0);
    if (asked(m, XRW_EXITS_RDPMC))
        leave_exit_insn(m, XRW_VMX_RDPMC, 0);
    leave_unhandled(m, "RDPMC: there are no performance counters");
}

/* RDRAND and RDSEED (detail 1). */
OPERATION_APART(rdrand)
{
    uint64_t value = 0;
    int rc;

    m->insn = insn;
    if (asked(m, insn->detail ? XRW_EXITS_RDSEED : XRW_EXITS_RDRAND)) {
        unsigned reg = (insn->dst - GPR_OFFSET(0)) / 8u;
        unsigned size = insn->size == 2 ? 0 : insn->size == 4 ? 1 : 2;
        xrw_exit_set(&m->result->exit, XRW_EXIT_insn_info, reg << 3 | size << 11);
        leave_exit_insn(m, insn->detail ? XRW_VMX_RDSEED : XRW_VMX_RDRAND, 0);
    }
    if (!m->cpu.random)
        leave_unhandled(m, "%s: nothing answers it", insn->detail ? "RDSEED" : "RDRAND");
    rc = m->cpu.random(m->cpu.ctx, insn->detail, &value);
    reg_write(m, insn->dst, insn->size, rc ? 0 : value);
    set_status(m, rc ? 0 : RFLAGS_CF);
}

/* ---- MSRs ---- */

static uint64_t *msr_register(struct xrw_machine *m, uint32_t msr)
{
    switch (msr) {
    case MSR_SYSENTER_CS:
        return &m->sysenter_cs;
    case MSR_SYSENTER_ESP:
        return &m->sysenter_esp;
    case MSR_SYSENTER_EIP:
        return &m->sysenter_eip;
    case MSR_PAT:
        return &m->pat;
    case MSR_XSS:
        return &m->xss;
    case MSR_EFER:
        return &m->efer;
    case MSR_STAR:
        return &m->star;
    case MSR_LSTAR:
        return &m->lstar;
    case MSR_CSTAR:
        return &m->cstar;
    case MSR_FMASK:
        return &m->sfmask;
    case MSR_FS_BASE:
        return &m->seg[SEG_FS].base;
    case MSR_GS_BASE:
        return &m->seg[SEG_GS].base;
    case MSR_KERNEL_GS_BASE:
        return &m->kernel_gs_base;
    case MSR_TSC_AUX:
        return &m->tsc_aux;
    default:
        return NULL;
    }
}

static bool msr_exits(const struct xrw_machine *m, uint32_t msr, bool write)
{
    const uint8_t *bitmap = m->controls.msr_bitmap;
    unsigned offset = write ? 2048 : 0;

    if (m->controls.msr_none)
        return false;
    if (!bitmap)
        return true;
    if (msr >= 0xc0000000u)
        offset += 1024;
    if ((msr & 0x3fffffffu) > 0x1fff || (msr & 0xc0000000u && msr < 0xc0000000u))
        return true;
    return bitmap[offset + (msr & 0x1fff) / 8] >> (msr & 7) & 1;
}

OPERATION_APART(rdmsr)
{
    uint32_t msr = (uint32_t)m->n.gpr[RCX];
    const uint64_t *reg = msr_register(m, msr);
    uint64_t value;

    m->insn = insn;
    require_kernel(m);
    if (msr_exits(m, msr, false))
        leave_exit_insn(m, XRW_VMX_MSR_READ, 0);
    if (reg) {
        value = *reg;
    } else {
        if (!m->cpu.rdmsr)
            leave_unhandled(m, "RDMSR 0x%x: nothing answers it", msr);
        if (m->cpu.rdmsr(m->cpu.ctx, msr, &value))
            raise_error(m, VECTOR_GP, 0);
    }
    put_edx_eax(m, value);
}

/* Whether a register of the machine may get that value. */
static bool msr_possible(const struct xrw_machine *m, uint32_t msr, uint64_t value)
{
    switch (msr) {
    case MSR_EFER:
        if (value & ~(m->cpu.efer_valid | EFER_LMA))
            return false;
        return !(m->cr0 & CR0_PG) || !((m->efer ^ value) & EFER_LME);
    case MSR_SYSENTER_ESP:
    case MSR_SYSENTER_EIP:
    case MSR_LSTAR:
    case MSR_CSTAR:
    case MSR_FS_BASE:
    case MSR_GS_BASE:
    case MSR_KERNEL_GS_BASE:
        return ((int64_t)(value << (m->cr4 & CR4_LA57 ? 7 : 16)) >> (m->cr4 & CR4_LA57 ? 7 : 16)) ==
               (int64_t)value;
    case MSR_TSC_AUX:
    case MSR_FMASK:
    case MSR_SYSENTER_CS:
        return msr == MSR_SYSENTER_CS || value >> 32 == 0;
    case MSR_XSS:
        return !(value & ~m->cpu.xss_valid);
    case MSR_PAT: /* memory types 0, 1, 4 to 7 */
        for (unsigned i = 0; i < 64; i += 8)
            if ((value >> i & 0xff) > 7 || (value >> i & 6) == 2)
                return false;
        return true;
    default:
        return true;
    }
}

void op_wrmsr(struct xrw_machine *m, const struct insn *insn)
{
    uint32_t msr = (uint32_t)m->n.gpr[RCX];
    uint64_t value = m->n.gpr[RDX] << 32 | (uint32_t)m->n.gpr[RAX];
    uint64_t *reg = msr_register(m, msr);

    m->insn = insn;
    require_kernel(m);
    if (msr_exits(m, msr, true))
        leave_exit_insn(m, XRW_VMX_MSR_WRITE, 0);
    if (!reg) {
        if (!m->cpu.wrmsr)
            leave_unhandled(m, "WRMSR 0x%x: nothing answers it", msr);
        if (m->cpu.wrmsr(m->cpu.ctx, msr, value))
            raise_error(m, VECTOR_GP, 0);
    } else {
        if (!msr_possible(m, msr, value))
            raise_error(m, VECTOR_GP, 0);
        if (msr == MSR_EFER)
            value = (value & ~EFER_LMA) | (m->efer & EFER_LMA);
        *reg = value;
        if (msr == MSR_EFER)
            mmu_flush(m);
    }
    cpu_update(m);
    done(m, insn);
}

/* ---- FS and GS ---- */

void op_swapgs(struct xrw_machine *m, const struct insn *insn)
{
    uint64_t base = m->seg[SEG_GS].base;

    m->insn = insn;
    require_kernel(m);
    m->seg[SEG_GS].base = m->kernel_gs_base;
    m->kernel_gs_base = base;
    NEXT(m, insn);
}

static void require_fsgsbase(struct xrw_machine *m, const struct insn *insn)
{
    m->insn = insn;
    if (!(m->cr4 & CR4_FSGSBASE) || !is_long(m))
        raise_plain(m, VECTOR_UD);
}

void op_rdfsbase(struct xrw_machine *m, const struct insn *insn)
{
    require_fsgsbase(m, insn);
    reg_write(m, insn->dst, insn->size, m->seg[insn->detail].base);
    NEXT(m, insn);
}

void op_wrfsbase(struct xrw_machine *m, const struct insn *insn)
{
    uint64_t value = reg_read(m, insn->src, insn->size);

    require_fsgsbase(m, insn);
    if (!cpu_canonical(m, value))
        raise_error(m, VECTOR_GP, 0);
    m->seg[insn->detail].base = value;
    NEXT(m, insn);
}

/* ---- Waiting ---- */

void op_hlt(struct xrw_machine *m, const struct insn *insn)
{
    m->insn = insn;
    require_kernel(m);
    if (asked(m, XRW_EXITS_HLT))
        leave_exit_insn(m, XRW_VMX_HLT, 0);
    m->halted = true;
    done(m, insn);
    cpu_update(m);
}

/* As "PAUSE-loop exiting" says: PAUSEs no more than gap apart are one loop; it may last window. */
static bool loops(struct xrw_machine *m, uint64_t now)
{
    bool exits = false;

    if (now - m->ple_last > m->controls.ple_gap || !m->ple_last)
        m->ple_first = now;
    else
        exits = now - m->ple_first > m->controls.ple_window;
    m->ple_last = now;
    return exits;
}

void op_pause(struct xrw_machine *m, const struct insn *insn)
{
    m->insn = insn;
    if (asked(m, XRW_EXITS_PAUSE))
        leave_exit_insn(m, XRW_VMX_PAUSE, 0);
    if (asked(m, XRW_EXITS_PAUSE_LOOP) && !m->cpl &&
        loops(m, cpu_count(m) - (uint64_t)(m->charged - insn->position)))
        leave_exit_insn(m, XRW_VMX_PAUSE, 0);
    NEXT(m, insn);
}

void op_monitor(struct xrw_machine *m, const struct insn *insn)
{
    m->insn = insn;
    if (m->cpl)
        raise_plain(m, VECTOR_UD);
    if (asked(m, XRW_EXITS_MONITOR))
        leave_exit_insn(m, XRW_VMX_MONITOR, 0);
    if ((uint32_t)m->n.gpr[RCX])
        raise_error(m, VECTOR_GP, 0);
    leave_unhandled(m, "MONITOR without an exit");
}

void op_mwait(struct xrw_machine *m, const struct insn *insn)
{
    m->insn = insn;
    if (m->cpl)
        raise_plain(m, VECTOR_UD);
    if (asked(m, XRW_EXITS_MWAIT))
        leave_exit_insn(m, XRW_VMX_MWAIT, 0);
    leave_unhandled(m, "MWAIT without an exit");
}

/* ---- The hypervisor ---- */

void op_vmcall(struct xrw_machine *m, const struct insn *insn)
{
    m->insn = insn;
    if (!asked(m, XRW_EXITS_VMX))
        raise_plain(m, VECTOR_UD);
    leave_exit_insn(m, XRW_VMX_VMCALL, 0);
}

/* The others, by imm: the exit reason.  Outside VMX operation of the guest's own they are #UD, but
 * for a hypervisor that sees them first. */
void op_vmx(struct xrw_machine *m, const struct insn *insn)
{
    m->insn = insn;
    if (!(m->cr0 & CR0_PE) || m->mode & MODE_V86 ||
        (m->efer & EFER_LMA && !(m->seg[SEG_CS].attr & ATTR_L)) || !asked(m, XRW_EXITS_VMX))
        raise_plain(m, VECTOR_UD);
    leave_exit_insn(m, (unsigned)insn->imm, insn->traits & INSN_MEMORY ? (uint64_t)insn->disp : 0);
}

/* ---- Flags ---- */

static void require_iopl(struct xrw_machine *m, const struct insn *insn)
{
    m->insn = insn;
    if (m->cr0 & CR0_PE && (m->mode & MODE_V86 ? 3u : m->cpl) > iopl(m))
        raise_error(m, VECTOR_GP, 0);
}

void op_cli(struct xrw_machine *m, const struct insn *insn)
{
    require_iopl(m, insn);
    m->rflags &= ~RFLAGS_IF;
    NEXT(m, insn);
}

void op_sti(struct xrw_machine *m, const struct insn *insn)
{
    require_iopl(m, insn);
    if (!(m->rflags & RFLAGS_IF)) {
        m->shadow |= XRW_BLOCKED_BY_STI;
        m->shadow_new = true;
        m->attention |= ATTENTION_SHADOW;
    }
    m->rflags |= RFLAGS_IF;
    done(m, insn);
}

static void set_ac(struct xrw_machine *m, const struct insn *insn, uint64_t ac)
{
    m->insn = insn;
    if (m->cpl)
        raise_plain(m, VECTOR_UD);
    m->rflags = (m->rflags & ~RFLAGS_AC) | ac;
    m->tlb = m->dr7 & 0xff ? &m->tlbs[TLB_NEVER] : mmu_tlb(m, ACCESS_READ);
    NEXT(m, insn);
}

void op_clac(struct xrw_machine *m, const struct insn *insn)
{
    set_ac(m, insn, 0);
}

void op_stac(struct xrw_machine *m, const struct insn *insn)
{
    set_ac(m, insn, RFLAGS_AC);
}

void op_cld(struct xrw_machine *m, const struct insn *insn)
{
    m->rflags &= ~RFLAGS_DF;
    NEXT(m, insn);
}

void op_std(struct xrw_machine *m, const struct insn *insn)
{
    m->rflags |= RFLAGS_DF;
    NEXT(m, insn);
}
