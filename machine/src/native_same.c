/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rewriter's proof: what it wrote, decoded anew, means what the guest's bytes meant. */
#include "native_internal.h"

#include <string.h>

static ZydisRegister wide(ZydisRegister reg)
{
    return ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);
}

static bool is_flags(ZydisRegister reg)
{
    return reg == ZYDIS_REGISTER_FLAGS || reg == ZYDIS_REGISTER_EFLAGS ||
           reg == ZYDIS_REGISTER_RFLAGS;
}

static bool same_register(const ZydisDecodedOperand *a, const ZydisDecodedOperand *b,
                          unsigned stack)
{
    ZydisRegister from = a->reg.value, to = b->reg.value;
    if (is_flags(from))
        return is_flags(to);
    if (a->size != b->size)
        return false;
    if (wide(from) == ZYDIS_REGISTER_RSP)
        return wide(to) == (ZydisRegister)(ZYDIS_REGISTER_RAX + (int)stack) &&
               !(to >= ZYDIS_REGISTER_AH && to <= ZYDIS_REGISTER_BH);
    return from == to;
}

static bool same_memory(const ZydisDecodedOperand *a, const ZydisDecodedOperand *b, unsigned memory)
{
    return a->size == b->size && b->mem.type == a->mem.type &&
           b->mem.base == (ZydisRegister)(ZYDIS_REGISTER_RAX + (int)memory) &&
           b->mem.index == ZYDIS_REGISTER_NONE && b->mem.disp.value == 0 &&
           b->mem.segment != ZYDIS_REGISTER_FS && b->mem.segment != ZYDIS_REGISTER_GS &&
           a->element_size == b->element_size && a->element_count == b->element_count;
}

static bool same_operand(const ZydisDecodedOperand *a, const ZydisDecodedOperand *b,
                         unsigned memory, unsigned stack)
{
    if (a->type != b->type || a->actions != b->actions)
        return false;
    switch (a->type) {
    case ZYDIS_OPERAND_TYPE_REGISTER:
        return same_register(a, b, stack);
    case ZYDIS_OPERAND_TYPE_MEMORY:
        return same_memory(a, b, memory);
    case ZYDIS_OPERAND_TYPE_IMMEDIATE:
        return a->size == b->size && a->imm.value.u == b->imm.value.u;
    default:
        return false;
    }
}

static bool same_flags(const ZydisAccessedFlags *a, const ZydisAccessedFlags *b)
{
    if (!a || !b)
        return a == b;
    return a->tested == b->tested && a->modified == b->modified && a->set_0 == b->set_0 &&
           a->set_1 == b->set_1 && a->undefined == b->undefined;
}

static bool same_vector_control(const ZydisDecodedInstruction *a, const ZydisDecodedInstruction *b)
{
    return a->avx.vector_length == b->avx.vector_length && a->avx.mask.mode == b->avx.mask.mode &&
           a->avx.mask.reg == b->avx.mask.reg && a->avx.broadcast.mode == b->avx.broadcast.mode &&
           a->avx.rounding.mode == b->avx.rounding.mode && a->avx.has_sae == b->avx.has_sae;
}

/* The same bytes, in the same mode, with nothing in them that has another meaning now. */
static bool is_as_it_was(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operands,
                         const uint8_t *bytes, const struct native_form *form)
{
    if (insn->machine_mode != ZYDIS_MACHINE_MODE_LONG_64 || form->length != insn->length ||
        memcmp(form->bytes, bytes, form->length) != 0)
        return false;
    for (unsigned i = 0; i < insn->operand_count; i++)
        if (operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY ||
            (operands[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
             wide(operands[i].reg.value) == ZYDIS_REGISTER_RSP))
            return false;
    return true;
}

bool native_same(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operands,
                 const uint8_t *bytes, const struct native_form *form, unsigned memory,
                 unsigned stack)
{
    ZydisDecoder decoder;
    ZydisDecodedInstruction again;
    ZydisDecodedOperand again_operands[ZYDIS_MAX_OPERAND_COUNT];
    if (is_as_it_was(insn, operands, bytes, form))
        return true;
    if (!ZYAN_SUCCESS(
            ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)) ||
        !ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, form->bytes, sizeof(form->bytes), &again,
                                             again_operands)))
        return false;
    if (again.length != form->length || again.mnemonic != insn->mnemonic ||
        again.operand_count != insn->operand_count ||
        !same_flags(again.cpu_flags, insn->cpu_flags) || !same_vector_control(&again, insn))
        return false;
    for (unsigned i = 0; i < again.operand_count; i++)
        if (!same_operand(&operands[i], &again_operands[i], memory, stack))
            return false;
    return true;
}
