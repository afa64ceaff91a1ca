/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The current stack, for instructions that push and pop. */
#ifndef XRW_MACHINE_PUSH_H
#define XRW_MACHINE_PUSH_H

#include "ops.h"

static inline uint64_t stack_address(struct xrw_machine *m, uint64_t pointer, unsigned bytes,
                                     bool write)
{
    if (LIKELY(is_long(m)))
        return pointer;
    return legacy_linear(m, SEG_SS, pointer & m->stack_mask, bytes, write);
}

static inline void set_rsp(struct xrw_machine *m, uint64_t pointer)
{
    uint64_t *rsp = &m->n.gpr[RSP];

    if (LIKELY(is_long(m)))
        *rsp = pointer;
    else if (m->stack_mask == 0xffff)
        *rsp = (*rsp & ~UINT64_C(0xffff)) | (pointer & 0xffff);
    else
        *rsp = (uint32_t)pointer;
}

static inline void add_rsp(struct xrw_machine *m, uint64_t bytes)
{
    set_rsp(m, m->n.gpr[RSP] + bytes);
}

static inline void push(struct xrw_machine *m, uint64_t value, unsigned bytes)
{
    uint64_t pointer = m->n.gpr[RSP] - bytes;

    memory_write(m, SEG_SS, stack_address(m, pointer, bytes, true), value, bytes);
    set_rsp(m, pointer);
}

/* What lies offset bytes above the stack's top. */
static inline uint64_t peek(struct xrw_machine *m, uint64_t offset, unsigned bytes)
{
    uint64_t linear = stack_address(m, m->n.gpr[RSP] + offset, bytes, false);

    return memory_read(m, SEG_SS, linear, bytes);
}

#endif
