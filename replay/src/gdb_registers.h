/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The registers that gdb sees, and where each comes from. */
#ifndef XRW_GDB_REGISTERS_H
#define XRW_GDB_REGISTERS_H

#include "gdbstub.h"
#include "xrw/exit.h"

#include <stdint.h>

enum xrw_gdb_source {
    XRW_GDB_BEFORE,  /* index: enum xrw_register */
    XRW_GDB_RESUME,  /* the same, in the resume state */
    XRW_GDB_FIELD,   /* index: enum xrw_exit_field */
    XRW_GDB_EXIT_ID, /* number of the exit, of its run and of its vCPU */
    XRW_GDB_RUN,
    XRW_GDB_VCPU,
    XRW_GDB_FXSAVE, /* index: offset of the register in the FXSAVE image */
    XRW_GDB_FXSAVE_TAG,
};

struct xrw_gdb_origin {
    enum xrw_gdb_source source;
    unsigned index;
    unsigned bytes; /* that the origin has; the register is this, zero-extended */
};

#define XRW_GDB_REGISTERS_MAX 320u

struct xrw_gdb_registers {
    size_t count;
    struct gdbstub_register reg[XRW_GDB_REGISTERS_MAX];
    struct xrw_gdb_origin origin[XRW_GDB_REGISTERS_MAX];
    struct gdbstub_description description;
};

/* Fill the tables; description points into *registers. */
void xrw_gdb_registers_init(struct xrw_gdb_registers *registers);

/*
 * Write a register's value as gdb wants it: its bits / 8 bytes.  exit: the exit at the position;
 * fxsave: the FXSAVE image valid there, or NULL.  Returns 0 or -ENODATA.
 */
int xrw_gdb_register_value(const struct xrw_gdb_registers *registers, size_t index,
                           const struct xrw_exit *exit, const uint8_t *fxsave, void *value);

#endif
