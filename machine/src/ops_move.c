/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commonest moves, cheaper here than as calls of native code. */
#include "ops.h"

void op_mov_rr8(struct xrw_machine *m, const struct insn *insn)
{
    *reg64(m, insn->dst) = *reg64(m, insn->src);
    NEXT(m, insn);
}

void op_mov_rr4(struct xrw_machine *m, const struct insn *insn)
{
    *reg64(m, insn->dst) = (uint32_t)*reg64(m, insn->src);
    NEXT(m, insn);
}

/* The decoder has extended the immediate. */
void op_mov_ri8(struct xrw_machine *m, const struct insn *insn)
{
    *reg64(m, insn->dst) = insn->imm;
    NEXT(m, insn);
}

void op_mov_ri4(struct xrw_machine *m, const struct insn *insn)
{
    *reg64(m, insn->dst) = (uint32_t)insn->imm;
    NEXT(m, insn);
}

#define LOAD(bytes)                                                                                \
    void op_load##bytes(struct xrw_machine *m, const struct insn *insn)                            \
    {                                                                                              \
        m->insn = insn;                                                                            \
        reg_write(m, insn->dst, bytes,                                                             \
                  memory_read(m, insn->segment, operand_linear(m, insn), bytes));                  \
        NEXT(m, insn);                                                                             \
    }

#define STORE(bytes)                                                                               \
    void op_store##bytes(struct xrw_machine *m, const struct insn *insn)                           \
    {                                                                                              \
        m->insn = insn;                                                                            \
        memory_write(m, insn->segment, operand_linear(m, insn), reg_read(m, insn->src, bytes),     \
                     bytes);                                                                       \
        NEXT(m, insn);                                                                             \
    }

LOAD(1)
LOAD(2)
LOAD(4)
LOAD(8)
STORE(1)
STORE(2)
STORE(4)
STORE(8)

void op_store_imm(struct xrw_machine *m, const struct insn *insn)
{
    m->insn = insn;
    memory_write(m, insn->segment, operand_linear(m, insn), insn->imm, insn->bytes);
    NEXT(m, insn);
}

/* MOVZX from memory. */
void op_movzx1(struct xrw_machine *m, const struct insn *insn)
{
    m->insn = insn;
    *reg64(m, insn->dst) = memory_read(m, insn->segment, operand_linear(m, insn), 1);
    NEXT(m, insn);
}

void op_movzx2(struct xrw_machine *m, const struct insn *insn)
{
    m->insn = insn;
    *reg64(m, insn->dst) = memory_read(m, insn->segment, operand_linear(m, insn), 2);
    NEXT(m, insn);
}

/* ---- LEA ---- */

static inline uint64_t effective(struct xrw_machine *m, const struct insn *insn)
{
    return *reg64(m, insn->base) + (*reg64(m, insn->index) << insn->scale) + (uint64_t)insn->disp;
}

void op_lea8(struct xrw_machine *m, const struct insn *insn)
{
    *reg64(m, insn->dst) = effective(m, insn);
    NEXT(m, insn);
}

void op_lea4(struct xrw_machine *m, const struct insn *insn)
{
    *reg64(m, insn->dst) = (uint32_t)effective(m, insn);
    NEXT(m, insn);
}

void op_lea(struct xrw_machine *m, const struct insn *insn)
{
    reg_write(m, insn->dst, insn->size, operand_offset(m, insn));
    NEXT(m, insn);
}
