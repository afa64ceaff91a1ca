/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which bytes of its memory operand a masked vector instruction touches. */
#include "native_internal.h"

#include <string.h>

static const ZydisDecodedOperand *memory_operand(const ZydisDecodedInstruction *insn,
                                                 const ZydisDecodedOperand *operands)
{
    for (unsigned i = 0; i < insn->operand_count; i++)
        if (operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
            return &operands[i];
    return NULL;
}

/* VMASKMOV and VPMASKMOV: the elements' top bits in the second operand. */
static uint64_t sign_mask(const ZydisDecodedOperand *mask, const struct native_state *state)
{
    const uint8_t *vector = state->zmm[ZydisRegisterGetId(mask->reg.value) & 31];
    unsigned element = mask->element_size / 8;
    uint64_t lanes = 0;
    for (unsigned i = 0; element != 0 && i < mask->size / 8u / element; i++)
        lanes |= (uint64_t)(vector[(i + 1) * element - 1] >> 7) << i;
    return lanes;
}

static uint64_t first_ones(unsigned count)
{
    return count >= 64 ? UINT64_MAX : ((uint64_t)1 << count) - 1;
}

/* The elements that the mask is about: those of the vector register beside the memory operand. */
static unsigned lane_count(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operands,
                           const ZydisDecodedOperand *memory)
{
    const ZydisDecodedOperand *first = &operands[0];
    if (first == memory || ZydisRegisterGetClass(first->reg.value) == ZYDIS_REGCLASS_MASK)
        first = memory;
    (void)insn;
    return first->element_count;
}

static uint64_t opmask(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operands,
                       const ZydisDecodedOperand *memory, const struct native_state *state)
{
    unsigned lanes = lane_count(insn, operands, memory);
    uint64_t mask = state->k[ZydisRegisterGetId(insn->avx.mask.reg) & 7] & first_ones(lanes);
    if (insn->meta.category == ZYDIS_CATEGORY_COMPRESS ||
        insn->meta.category == ZYDIS_CATEGORY_EXPAND)
        return first_ones((unsigned)__builtin_popcountll(mask));
    return mask;
}

uint64_t native_lanes(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operands,
                      const struct native_state *state)
{
    const ZydisDecodedOperand *memory = memory_operand(insn, operands);
    if (!memory || memory->size == 0)
        return 0;
    unsigned bytes = memory->size / 8u;
    bool vex = insn->encoding == ZYDIS_INSTRUCTION_ENCODING_VEX;
    uint64_t mask = vex ? sign_mask(&operands[1], state) : opmask(insn, operands, memory, state);
    unsigned lanes = vex ? operands[1].size / 8u / (operands[1].element_size / 8u)
                         : lane_count(insn, operands, memory);
    unsigned elements = memory->element_count ? memory->element_count : 1;
    /* A lane is an element, several, or shares one with others (broadcast). */
    unsigned shared = lanes > elements ? elements : lanes ? lanes : 1;
    unsigned lane_bytes = bytes / shared ? bytes / shared : 1;
    uint64_t touched = 0;
    for (unsigned i = 0; i < lanes && i < 64; i++)
        if (mask >> i & 1)
            touched |= first_ones(lane_bytes) << (i % shared * lane_bytes & 63);
    return touched;
}
