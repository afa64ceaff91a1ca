/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PUSH, POP, and what else works on the stack. */
#include "push.h"

void op_push_r8(struct xrw_machine *m, const struct insn *insn)
{
    uint64_t pointer = m->n.gpr[RSP] - 8, value = *reg64(m, insn->src);

    m->insn = insn;
    memory_write(m, SEG_SS, pointer, value, 8);
    m->n.gpr[RSP] = pointer;
    NEXT(m, insn);
}

void op_pop_r8(struct xrw_machine *m, const struct insn *insn)
{
    uint64_t value;

    m->insn = insn;
    value = memory_read(m, SEG_SS, m->n.gpr[RSP], 8);
    m->n.gpr[RSP] += 8;
    *reg64(m, insn->dst) = value;
    NEXT(m, insn);
}

/* A register, memory, or an immediate (detail 1). */
void op_push(struct xrw_machine *m, const struct insn *insn)
{
    m->insn = insn;
    push(m, insn->detail ? insn->imm : source_read(m, insn, insn->size), insn->size);
    NEXT(m, insn);
}

/* The address of a memory operand is computed with RSP as it is after the pop. */
void op_pop(struct xrw_machine *m, const struct insn *insn)
{
    uint64_t value, old = m->n.gpr[RSP], linear;

    m->insn = insn;
    value = peek(m, 0, insn->size);
    if (!(insn->traits & INSN_MEMORY)) {
        add_rsp(m, insn->size);
        reg_write(m, insn->dst, insn->size, value);
        NEXT(m, insn);
        return;
    }
    add_rsp(m, insn->size);
    linear = *reg64(m, insn->base) + (*reg64(m, insn->index) << insn->scale) +
             (uint64_t)insn->disp; /* before RSP goes back, for the case of a fault */
    linear &= address_mask(insn);
    m->n.gpr[RSP] = old;
    linear = legacy_linear(m, insn->segment, linear, insn->size, true);
    memory_write(m, insn->segment, linear, value, insn->size);
    add_rsp(m, insn->size);
    NEXT(m, insn);
}

void op_push_segment(struct xrw_machine *m, const struct insn *insn)
{
    m->insn = insn;
    push(m, m->seg[insn->detail].selector, insn->size);
    NEXT(m, insn);
}

/* ---- Flags ---- */

void op_pushf(struct xrw_machine *m, const struct insn *insn)
{
    m->insn = insn;
    if (m->mode & MODE_V86 && iopl(m) < 3)
        raise_error(m, VECTOR_GP, 0);
    push(m, cpu_rflags(m) & ~(RFLAGS_VM | RFLAGS_RF), insn->size);
    m->undefined_stored |= m->undefined != 0;
    NEXT(m, insn);
}

void op_popf(struct xrw_machine *m, const struct insn *insn)
{
    uint64_t writable = RFLAGS_STATUS | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT | RFLAGS_AC | RFLAGS_ID;
    uint64_t value, old = cpu_rflags(m);

    m->insn = insn;
    if (m->mode & MODE_V86) {
        if (iopl(m) < 3)
            raise_error(m, VECTOR_GP, 0);
        writable |= RFLAGS_IF;
    } else {
        if (m->cpl == 0)
            writable |= RFLAGS_IOPL;
        if (m->cpl <= iopl(m))
            writable |= RFLAGS_IF;
    }
    value = peek(m, 0, insn->size);
    if (insn->size == 2)
        writable &= 0xffff;
    add_rsp(m, insn->size);
    cpu_set_rflags(m, (old & ~(writable | RFLAGS_RF)) | (value & writable));
    done(m, insn);
}

/* ---- Frames ---- */

void op_leave(struct xrw_machine *m, const struct insn *insn)
{
    uint64_t rbp = m->n.gpr[RBP], value;

    m->insn = insn;
    value = memory_read(m, SEG_SS, stack_address(m, rbp, insn->size, false), insn->size);
    set_rsp(m, rbp + insn->size);
    reg_write(m, GPR_OFFSET(RBP), insn->size, value);
    NEXT(m, insn);
}

/* imm: bytes, detail: nesting level. */
void op_enter(struct xrw_machine *m, const struct insn *insn)
{
    unsigned size = insn->size, level = insn->detail & 31;
    uint64_t old = m->n.gpr[RSP], rbp = m->n.gpr[RBP], frame = old - size;

    m->insn = insn;
    access_probe_write(m, SEG_SS, stack_address(m, old - size * (level + 1u) - insn->imm, 1, true),
                       1);
    memory_write(m, SEG_SS, stack_address(m, frame, size, true), rbp, size);
    for (unsigned i = 1; i < level; i++) {
        uint64_t link = memory_read(m, SEG_SS, stack_address(m, rbp - size * i, size, false), size);
        memory_write(m, SEG_SS, stack_address(m, frame - size * i, size, true), link, size);
    }
    if (level)
        memory_write(m, SEG_SS, stack_address(m, frame - size * level, size, true), frame, size);
    set_rsp(m, frame - size * level - insn->imm);
    reg_write(m, GPR_OFFSET(RBP), is_long(m) ? size : m->stack_mask == 0xffff ? 2 : 4, frame);
    NEXT(m, insn);
}

/* Not in 64-bit mode. */
void op_pusha(struct xrw_machine *m, const struct insn *insn)
{
    unsigned size = insn->size;
    uint64_t old = m->n.gpr[RSP];

    m->insn = insn;
    for (unsigned i = 8; i-- > 0;)
        access_probe_write(m, SEG_SS, stack_address(m, old - size * (i + 1), size, true), size);
    for (unsigned i = 0; i < 8; i++)
        push(m, i == RSP ? old : m->n.gpr[i], size);
    NEXT(m, insn);
}

void op_popa(struct xrw_machine *m, const struct insn *insn)
{
    unsigned size = insn->size;
    uint64_t value[8];

    m->insn = insn;
    for (unsigned i = 0; i < 8; i++)
        value[7 - i] = peek(m, size * i, size);
    for (unsigned i = 0; i < 8; i++)
        if (i != RSP)
            reg_write(m, GPR_OFFSET(i), size, value[i]);
    add_rsp(m, 8u * size);
    NEXT(m, insn);
}
