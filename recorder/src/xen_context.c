/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen.h"

#include "xrw/kind.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include <xen/hvm/save.h>

/* Where each register stands in Xen's record, and how many bytes it has there. */
#define PLACE(reg, member)                                                                         \
    {                                                                                              \
        XRW_REG_##reg, offsetof(struct hvm_hw_cpu, member),                                        \
            sizeof(((struct hvm_hw_cpu *)0)->member)                                               \
    }
#define SEGMENT(segment, prefix)                                                                   \
    PLACE(segment, prefix##_sel), PLACE(segment##_base, prefix##_base),                            \
        PLACE(segment##_limit, prefix##_limit), PLACE(segment##_attr, prefix##_arbytes)

static const struct {
    enum xrw_register reg;
    size_t offset, bytes;
} places[] = {
    PLACE(rax, rax),
    PLACE(rcx, rcx),
    PLACE(rdx, rdx),
    PLACE(rbx, rbx),
    PLACE(rsp, rsp),
    PLACE(rbp, rbp),
    PLACE(rsi, rsi),
    PLACE(rdi, rdi),
    PLACE(r8, r8),
    PLACE(r9, r9),
    PLACE(r10, r10),
    PLACE(r11, r11),
    PLACE(r12, r12),
    PLACE(r13, r13),
    PLACE(r14, r14),
    PLACE(r15, r15),
    PLACE(rip, rip),
    PLACE(rflags, rflags),
    PLACE(cr0, cr0),
    PLACE(cr2, cr2),
    PLACE(cr3, cr3),
    PLACE(cr4, cr4),
    PLACE(efer, msr_efer),
    PLACE(dr0, dr0),
    PLACE(dr1, dr1),
    PLACE(dr2, dr2),
    PLACE(dr3, dr3),
    PLACE(dr6, dr6),
    PLACE(dr7, dr7),
    PLACE(star, msr_star),
    PLACE(lstar, msr_lstar),
    PLACE(cstar, msr_cstar),
    PLACE(sfmask, msr_syscall_mask),
    PLACE(kernel_gs_base, shadow_gs),
    PLACE(tsc_aux, msr_tsc_aux),
    PLACE(sysenter_cs, sysenter_cs),
    PLACE(sysenter_esp, sysenter_esp),
    PLACE(sysenter_eip, sysenter_eip),
    PLACE(gdtr_base, gdtr_base),
    PLACE(gdtr_limit, gdtr_limit),
    PLACE(idtr_base, idtr_base),
    PLACE(idtr_limit, idtr_limit),
    SEGMENT(cs, cs),
    SEGMENT(ss, ss),
    SEGMENT(ds, ds),
    SEGMENT(es, es),
    SEGMENT(fs, fs),
    SEGMENT(gs, gs),
    SEGMENT(ldtr, ldtr),
    SEGMENT(tr, tr),
};

/* MSRs that are registers of ours, which the event lacks. */
#define MSR_CSTAR 0xc0000083u
#define MSR_SFMASK 0xc0000084u
#define MSR_TSC_AUX 0xc0000103u

#define RFLAGS_TF (UINT64_C(1) << 8)
#define XSTATE_X87 1u
#define XSTATE_SSE 2u
#define XSAVE_RECORD_MAX 16384u
/* Offsets in an FXSAVE image; MXCSR and its mask stand between the x87 environment and ST0. */
#define FXSAVE_MXCSR 24u
#define FXSAVE_ST 32u
#define FXSAVE_XMM 160u
#define FXSAVE_XMM_END 416u

#define VECTOR_DB 1u
#define ENTRY_FAILURE (UINT32_C(1) << 31)

static bool between(enum xrw_register reg, enum xrw_register first, enum xrw_register last)
{
    return reg >= first && reg <= last;
}

static bool is_ldtr_or_tr(enum xrw_register reg)
{
    return between(reg, XRW_REG_ldtr, XRW_REG_tr_attr);
}

/* Whether handling this exit may have changed a register that only the context has. */
static bool may_have_changed(const struct xrw_exit *exit, enum xrw_register reg)
{
    uint64_t msr = exit->before.value[XRW_REG_rcx] & 0xffffffff;

    if (exit->field[XRW_EXIT_reason] & ENTRY_FAILURE)
        return true;
    /* An instruction that Xen completes is a single step too: it raises #DB, and says so in DR6. */
    if (reg == XRW_REG_dr6 && exit->before.value[XRW_REG_rflags] & RFLAGS_TF)
        return true;
    switch (xrw_exit_kind(exit)) {
    case XRW_KIND_MSR_WRITE:
        return (reg == XRW_REG_cstar && msr == MSR_CSTAR) ||
               (reg == XRW_REG_sfmask && msr == MSR_SFMASK) ||
               (reg == XRW_REG_tsc_aux && msr == MSR_TSC_AUX);
    case XRW_KIND_EXCEPTION: /* #DB: Xen adds to DR6 when it hands the exception on */
        return reg == XRW_REG_dr6 && xrw_exit_vector(exit) == VECTOR_DB;
    case XRW_KIND_INIT:
        return true;
    case XRW_KIND_TASK_SWITCH: /* also the limits of unusable segments */
        return is_ldtr_or_tr(reg) || between(reg, XRW_REG_cs, XRW_REG_gs_attr) ||
               reg == XRW_REG_dr6 || reg == XRW_REG_dr7;
    case XRW_KIND_GDTR_IDTR_ACCESS:
        return between(reg, XRW_REG_idtr_base, XRW_REG_idtr_limit);
    case XRW_KIND_LDTR_TR_ACCESS:
        return is_ldtr_or_tr(reg);
    case XRW_KIND_DR_ACCESS: /* an emulated one moves RIP, and the register with it */
        return between(reg, XRW_REG_dr0, XRW_REG_dr7) &&
               exit->after.value[XRW_REG_rip] != exit->before.value[XRW_REG_rip];
    default:
        return false;
    }
}

/*
 * The vCPU's FXSAVE image.  Xen's record of the CPU has it as XSAVEOPT left it: a component in its
 * initial configuration was not written, and holds what it held some time ago.  Which these are is
 * told by the XSAVE header alone, of which there is a record only from the guest's first XSETBV on:
 * before, the FPU is not known. Source: Intel SDM, "Operation of XSAVEOPT", "Initial
 * configuration"; xen/arch/x86/hvm/hvm.c, hvm_save_cpu_xsave_states().
 */
static void take_fpu(struct xen_calls *xen, uint32_t domain, const struct hvm_hw_cpu *cpu,
                     struct source_exit *out)
{
    static const uint8_t fcw[2] = {0x7f, 0x03};
    const void *record;
    const struct hvm_hw_cpu_xsave *state;
    uint64_t in_use;

    memcpy(out->fxsave, cpu->fpu_regs, XRW_FXSAVE_BYTES); /* before the next record takes its place */
    out->has_fxsave = xen_vcpu_record(xen, domain, out->exit.vcpu, CPU_XSAVE_CODE, XSAVE_RECORD_MAX,
                                      &record) == 0;
    if (!out->has_fxsave)
        return;
    state = record;
    in_use = state->save_area.xsave_hdr.xstate_bv;
    if (!(in_use & XSTATE_X87)) {
        memset(out->fxsave, 0, FXSAVE_MXCSR);
        memset(out->fxsave + FXSAVE_ST, 0, FXSAVE_XMM - FXSAVE_ST);
        memcpy(out->fxsave, fcw, sizeof fcw);
    }
    if (!(in_use & XSTATE_SSE))
        memset(out->fxsave + FXSAVE_XMM, 0, FXSAVE_XMM_END - FXSAVE_XMM);
}

/* The vCPU's registers and FXSAVE image; waits until it is off its processor. */
static int read_cpu(struct xen_calls *xen, uint32_t domain, struct source_exit *out,
                    struct xrw_registers *regs, struct xrw_error *err)
{
    const struct hvm_hw_cpu *cpu;
    const void *record;
    int rc = xen_vcpu_record(xen, domain, out->exit.vcpu, HVM_SAVE_CODE(CPU), sizeof *cpu, &record);

    if (rc)
        return xrw_error_set(err, rc, "cannot read the registers of domain %" PRIu32 ": %s", domain,
                             strerror(-rc));
    cpu = record;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        uint64_t value = 0; /* little endian: shorter members fill the low bytes */

        memcpy(&value, (const uint8_t *)cpu + places[i].offset, places[i].bytes);
        xrw_registers_set(regs, places[i].reg, value);
    }
    take_fpu(xen, domain, cpu, out);
    return 0;
}

int xen_context_read(struct xen_calls *xen, uint32_t domain, struct source_exit *out,
                     struct xrw_error *err)
{
    struct xrw_exit *exit = &out->exit;
    int rc = read_cpu(xen, domain, out, &exit->after, err);

    if (rc)
        return rc;
    exit->has_after = true;
    exit->system_id = 0;
    for (int reg = 0; reg < XRW_REGISTER_COUNT; reg++)
        if (!exit->before.known[reg] && !may_have_changed(exit, reg))
            xrw_registers_set(&exit->before, reg, exit->after.value[reg]);
    return 0;
}

int xen_context_read_before(struct xen_calls *xen, uint32_t domain, struct source_exit *out,
                            struct xrw_error *err)
{
    struct xrw_registers regs = {{0}, {0}};
    int rc = read_cpu(xen, domain, out, &regs, err);

    out->exit.system_id = 0;
    for (int reg = 0; reg < XRW_REGISTER_COUNT && !rc; reg++)
        if (!out->exit.before.known[reg])
            xrw_registers_set(&out->exit.before, reg, regs.value[reg]);
    return rc;
}
