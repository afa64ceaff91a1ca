/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "native.h"

#include <string.h>

#define CF 0x001u
#define AF 0x010u
#define OF 0x800u

enum counted { NOT_COUNTED, SHIFT, ARITHMETIC_SHIFT, ROTATE, DOUBLE_SHIFT };

static const struct {
    ZydisMnemonic mnemonic;
    enum counted kind;
} counted_instructions[] = {
    {ZYDIS_MNEMONIC_SHL, SHIFT},
    {ZYDIS_MNEMONIC_SHR, SHIFT},
    {ZYDIS_MNEMONIC_SAR, ARITHMETIC_SHIFT},
    {ZYDIS_MNEMONIC_ROL, ROTATE},
    {ZYDIS_MNEMONIC_ROR, ROTATE},
    {ZYDIS_MNEMONIC_RCL, ROTATE},
    {ZYDIS_MNEMONIC_RCR, ROTATE},
    {ZYDIS_MNEMONIC_SHLD, DOUBLE_SHIFT},
    {ZYDIS_MNEMONIC_SHRD, DOUBLE_SHIFT},
};

static enum counted counted_kind(ZydisMnemonic mnemonic)
{
    for (size_t i = 0; i < sizeof(counted_instructions) / sizeof(counted_instructions[0]); i++)
        if (counted_instructions[i].mnemonic == mnemonic)
            return counted_instructions[i].kind;
    return NOT_COUNTED;
}

/* The count of a shift or rotate, masked as the processor does. */
static unsigned shift_count(const ZydisDecodedInstruction *insn,
                            const ZydisDecodedOperand *operands, const struct native_state *before)
{
    const ZydisDecodedOperand *last = &operands[insn->operand_count_visible - 1];
    unsigned count = 1;
    if (last->type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
        count = (unsigned)last->imm.value.u;
    else if (last->type == ZYDIS_OPERAND_TYPE_REGISTER)
        count = (unsigned)before->gpr[1];
    return count & (operands[0].size == 64 ? 0x3f : 0x1f);
}

/* Source: Intel SDM, "SAL/SAR/SHL/SHR", "RCL/RCR/ROL/ROR", "SHLD", "SHRD", flags affected. */
static uint32_t undefined_of_count(enum counted kind, unsigned count, unsigned bits)
{
    uint32_t of = count == 1 ? 0 : OF;
    if (count == 0)
        return 0;
    switch (kind) {
    case SHIFT:
        return of | AF | (count >= bits ? CF : 0);
    case ARITHMETIC_SHIFT:
        return of | AF;
    case DOUBLE_SHIFT:
        return count > bits ? NATIVE_RFLAGS : of | AF;
    default:
        return of;
    }
}

uint32_t native_undefined_flags(const ZydisDecodedInstruction *insn,
                                const ZydisDecodedOperand *operands,
                                const struct native_state *before)
{
    enum counted kind = counted_kind(insn->mnemonic);
    if (kind != NOT_COUNTED)
        return undefined_of_count(kind, shift_count(insn, operands, before), operands[0].size);
    return insn->cpu_flags ? insn->cpu_flags->undefined & NATIVE_RFLAGS : 0;
}

int64_t native_bit_displacement(const ZydisDecodedInstruction *insn, unsigned bit_register,
                                const struct native_state *state)
{
    uint64_t offset = state->gpr[bit_register];
    int64_t value = insn->operand_width == 16   ? (int16_t)offset
                    : insn->operand_width == 32 ? (int32_t)offset
                                                : (int64_t)offset;
    /* Whole operands, rounded toward minus infinity. */
    return (value & ~(int64_t)(insn->operand_width - 1)) / 8;
}

void native_state_init(struct native_state *state)
{
    static const uint8_t fx_head[] = {0x7f, 0x03}; /* FCW; an empty stack is all zero */
    memset(state, 0, sizeof(*state));
    native_set_rflags(state, 0);
    state->mxcsr = 0x1f80;
    state->host_mxcsr = 0x1f80;
    memcpy(state->fx, fx_head, sizeof(fx_head));
    state->fx[24] = 0x80; /* MXCSR 1f80: FXRSTOR checks it */
    state->fx[25] = 0x1f;
}
