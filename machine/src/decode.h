/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XRW_MACHINE_DECODE_H
#define XRW_MACHINE_DECODE_H

#include "ops.h"

#define BYTES_WIDTH 0xff /* the size of the instruction as a whole */

/* How an instruction is done: by an operation, or by one chosen by its form (NULL: not here). */
struct operation {
    insn_op *op;
    insn_op *(*choose)(const struct insn_raw *raw, struct insn *insn);
    uint64_t imm;
    uint8_t size; /* in bytes; 0: of the first operand; or BYTES_WIDTH */
    uint8_t detail;
    uint8_t traits;
};

extern const struct operation operations[ZYDIS_MNEMONIC_MAX_VALUE + 1];

/* Whether the operand is there and of that type. */
bool operand_is(const struct insn_raw *raw, unsigned n, ZydisOperandType type);
/* A general register's place in the machine, and whether it is one. */
bool gpr_offset(ZydisRegister reg, uint16_t *offset);

#define CHOOSERS(X) X(mov) X(movzx) X(lea) X(push) X(pop) X(jmp) X(call) X(ret) X(string) X(io)
#define CHOOSER_DECLARE(name) insn_op *choose_##name(const struct insn_raw *raw, struct insn *insn);
CHOOSERS(CHOOSER_DECLARE)
#undef CHOOSER_DECLARE

#endif
