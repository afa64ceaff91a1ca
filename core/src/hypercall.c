/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypercall.h"

#include "xrw/insn.h"

struct xrw_hypercall xrw_hypercall_convention(const struct xrw_registers *regs)
{
    struct xrw_hypercall wide = {
        true, 64, {XRW_REG_rdi, XRW_REG_rsi, XRW_REG_rdx, XRW_REG_r10, XRW_REG_r8}};
    struct xrw_hypercall narrow = {
        true, 32, {XRW_REG_rbx, XRW_REG_rcx, XRW_REG_rdx, XRW_REG_rsi, XRW_REG_rdi}};

    wide.mode_known = regs->known[XRW_REG_efer] && regs->known[XRW_REG_cs_attr];
    return xrw_insn_mode(regs) == 64 ? wide : narrow;
}

uint64_t xrw_hypercall_value(const struct xrw_hypercall *call, const struct xrw_registers *regs,
                             unsigned reg)
{
    return call->bits == 64 ? regs->value[reg] : regs->value[reg] & UINT64_C(0xffffffff);
}
