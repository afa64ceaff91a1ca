/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registers of a vCPU as one table: everything that stores, compares, prints or shows
 * registers walks it, so that adding a register is adding a line.
 */
#ifndef XRW_REGISTERS_H
#define XRW_REGISTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where a register lives in a recording. */
enum xrw_register_group {
    XRW_GROUP_HOT,    /* changes from exit to exit: a column of `exit` */
    XRW_GROUP_SYSTEM, /* changes rarely: a column of `sysregs`, deduplicated */
};

/*
 * name(also the column and gdb name), size in bits, group.  GPRs come in encoding order, so that
 * XRW_RAX + n is the register that a ModRM field or an exit qualification means by n.
 * A segment's attributes are packed as the VMCS access-rights field without its reserved bits:
 * type 3:0, s 4, dpl 6:5, p 7, avl 8, l 9, db 10, g 11.  Limits are in bytes, scaled by g.
 */
#define XRW_SEGMENT_TABLE(X, segment)                                                              \
    X(segment, 16, SYSTEM)                                                                         \
    X(segment##_base, 64, SYSTEM)                                                                  \
    X(segment##_limit, 32, SYSTEM)                                                                 \
    X(segment##_attr, 16, SYSTEM)

#define XRW_REGISTER_TABLE(X)                                                                      \
    X(rax, 64, HOT)                                                                                \
    X(rcx, 64, HOT)                                                                                \
    X(rdx, 64, HOT)                                                                                \
    X(rbx, 64, HOT)                                                                                \
    X(rsp, 64, HOT)                                                                                \
    X(rbp, 64, HOT)                                                                                \
    X(rsi, 64, HOT)                                                                                \
    X(rdi, 64, HOT)                                                                                \
    X(r8, 64, HOT)                                                                                 \
    X(r9, 64, HOT)                                                                                 \
    X(r10, 64, HOT)                                                                                \
    X(r11, 64, HOT)                                                                                \
    X(r12, 64, HOT)                                                                                \
    X(r13, 64, HOT)                                                                                \
    X(r14, 64, HOT)                                                                                \
    X(r15, 64, HOT)                                                                                \
    X(rip, 64, HOT)                                                                                \
    X(rflags, 64, HOT)                                                                             \
    X(cr2, 64, HOT)                                                                                \
    X(cr3, 64, HOT)                                                                                \
    X(cr0, 64, SYSTEM)                                                                             \
    X(cr4, 64, SYSTEM)                                                                             \
    X(efer, 64, SYSTEM)                                                                            \
    X(dr0, 64, SYSTEM)                                                                             \
    X(dr1, 64, SYSTEM)                                                                             \
    X(dr2, 64, SYSTEM)                                                                             \
    X(dr3, 64, SYSTEM)                                                                             \
    X(dr6, 64, SYSTEM)                                                                             \
    X(dr7, 64, SYSTEM)                                                                             \
    X(star, 64, SYSTEM)                                                                            \
    X(lstar, 64, SYSTEM)                                                                           \
    X(cstar, 64, SYSTEM)                                                                           \
    X(sfmask, 64, SYSTEM)                                                                          \
    X(kernel_gs_base, 64, SYSTEM)                                                                  \
    X(tsc_aux, 64, SYSTEM)                                                                         \
    X(sysenter_cs, 64, SYSTEM)                                                                     \
    X(sysenter_esp, 64, SYSTEM)                                                                    \
    X(sysenter_eip, 64, SYSTEM)                                                                    \
    X(gdtr_base, 64, SYSTEM)                                                                       \
    X(gdtr_limit, 16, SYSTEM)                                                                      \
    X(idtr_base, 64, SYSTEM)                                                                       \
    X(idtr_limit, 16, SYSTEM)                                                                      \
    XRW_SEGMENT_TABLE(X, cs)                                                                       \
    XRW_SEGMENT_TABLE(X, ss)                                                                       \
    XRW_SEGMENT_TABLE(X, ds)                                                                       \
    XRW_SEGMENT_TABLE(X, es)                                                                       \
    XRW_SEGMENT_TABLE(X, fs)                                                                       \
    XRW_SEGMENT_TABLE(X, gs)                                                                       \
    XRW_SEGMENT_TABLE(X, ldtr)                                                                     \
    XRW_SEGMENT_TABLE(X, tr)

enum xrw_register {
#define XRW_REGISTER_ENUM(name, bits, group) XRW_REG_##name,
    XRW_REGISTER_TABLE(XRW_REGISTER_ENUM)
#undef XRW_REGISTER_ENUM
        XRW_REGISTER_COUNT
};

/* The hot registers are the first XRW_HOT_COUNT of the table. */
#define XRW_HOT_COUNT ((unsigned)XRW_REG_cr0)

struct xrw_register_info {
    const char *name;
    unsigned bits;
    enum xrw_register_group group;
};

/* One entry a register, indexed by enum xrw_register. */
extern const struct xrw_register_info xrw_register_table[XRW_REGISTER_COUNT];

/*
 * A set of register values.  A register that is not known has value 0 and known false: check
 * before use, and show it as unavailable.
 */
struct xrw_registers {
    uint64_t value[XRW_REGISTER_COUNT];
    bool known[XRW_REGISTER_COUNT];
};

/* Set one register's value (cut to its size) and mark it known. */
void xrw_registers_set(struct xrw_registers *regs, enum xrw_register reg, uint64_t value);

/* Register of that name, as in the table; -ENOENT if there is none. */
int xrw_register_by_name(const char *name);

/* Whether both know the same registers with the same values. */
bool xrw_registers_equal(const struct xrw_registers *a, const struct xrw_registers *b);

/*
 * The guest's FPU and SSE state as FXSAVE64 leaves it in memory.
 * Source: Intel SDM, "FXSAVE" (64-bit mode layout with REX.W = 1).
 */
#define XRW_FXSAVE_BYTES 512u

#ifdef __cplusplus
}
#endif
#endif
