/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A hypercall's number and arguments, by the calling convention of the guest's mode. */
#ifndef XRW_CORE_HYPERCALL_H
#define XRW_CORE_HYPERCALL_H

#include "xrw/registers.h"

#include <stdbool.h>

#define XRW_HYPERCALL_ARGS 5u

struct xrw_hypercall {
    bool mode_known;                  /* else the 64-bit convention is assumed */
    unsigned bits;                    /* of the number, the arguments and the result: 64 or 32 */
    unsigned arg[XRW_HYPERCALL_ARGS]; /* registers, enum xrw_register */
};

/* The convention that the vCPU uses at a VMCALL.
 * Source: Xen, public/arch-x86/xen-x86_64.h and xen-x86_32.h, "Hypercall interface". */
struct xrw_hypercall xrw_hypercall_convention(const struct xrw_registers *regs);

/* The low bits of a register of a hypercall. */
uint64_t xrw_hypercall_value(const struct xrw_hypercall *call, const struct xrw_registers *regs,
                             unsigned reg);

#endif
