/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "native_internal.h"

/*
 * Zydis 4.0 takes [r13d + index] for what has no base but a 32-bit displacement, under an
 * address-size prefix (SIB base 101, mod 00: the B bit does not count there).
 */
static bool has_no_base(const ZydisDecodedInstruction *insn)
{
    return insn->address_width == 32 && insn->attributes & ZYDIS_ATTRIB_HAS_SIB &&
           insn->raw.modrm.mod == 0 && insn->raw.sib.base == 5;
}

ZyanStatus native_decode(const ZydisDecoder *decoder, const uint8_t *bytes, size_t count,
                         ZydisDecodedInstruction *insn, ZydisDecodedOperand *operands)
{
    ZyanStatus status = ZydisDecoderDecodeFull(decoder, bytes, count, insn, operands);
    if (!ZYAN_SUCCESS(status) || !has_no_base(insn))
        return status;
    for (unsigned i = 0; i < insn->operand_count; i++) {
        ZydisDecodedOperand *operand = &operands[i];
        if (operand->type == ZYDIS_OPERAND_TYPE_MEMORY &&
            operand->mem.base == ZYDIS_REGISTER_R13D) {
            operand->mem.base = ZYDIS_REGISTER_NONE;
            operand->mem.disp.has_displacement = true;
            operand->mem.disp.value = insn->raw.disp.value;
        }
    }
    return status;
}
