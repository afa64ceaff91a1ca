/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rewriting an instruction's bytes: prefixes that matter, opcode and immediate stay; the memory
 * operand becomes [register]; what addressed it, segment, address size and LOCK go; RSP gets
 * another name.
 */
#include "native_internal.h"

#include <errno.h>
#include <string.h>

static void put(struct native_form *form, unsigned byte)
{
    form->bytes[form->length++] = (uint8_t)byte;
}

static bool has_memory(const ZydisDecodedInstruction *insn)
{
    return insn->attributes & ZYDIS_ATTRIB_HAS_MODRM && insn->raw.modrm.mod != 3;
}

/* Legacy prefixes but REX: those that select the opcode, and the operand size. */
static void put_prefixes(const ZydisDecodedInstruction *insn, bool widen, struct native_form *form)
{
    bool size_prefix = false;
    for (unsigned i = 0; i < insn->raw.prefix_count; i++) {
        uint8_t value = insn->raw.prefixes[i].value;
        bool mandatory = insn->raw.prefixes[i].type == ZYDIS_PREFIX_TYPE_MANDATORY;
        if (value == 0x66 && insn->raw.prefixes[i].type != ZYDIS_PREFIX_TYPE_IGNORED)
            size_prefix = true;
        if ((value == 0xf2 || value == 0xf3) && mandatory)
            put(form, value);
    }
    if (size_prefix != widen)
        put(form, 0x66);
}

static unsigned rename_field(const ZydisDecodedOperand *operands, unsigned count,
                             ZydisOperandEncoding encoding, unsigned field, unsigned stack)
{
    for (unsigned i = 0; i < count; i++) {
        if (operands[i].type != ZYDIS_OPERAND_TYPE_REGISTER || operands[i].encoding != encoding)
            continue;
        switch (operands[i].reg.value) {
        case ZYDIS_REGISTER_SPL:
        case ZYDIS_REGISTER_SP:
        case ZYDIS_REGISTER_ESP:
        case ZYDIS_REGISTER_RSP:
            return stack;
        default:
            break;
        }
    }
    return field;
}

static unsigned new_modrm(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operands,
                          unsigned memory, unsigned stack)
{
    unsigned reg = rename_field(operands, insn->operand_count, ZYDIS_OPERAND_ENCODING_MODRM_REG,
                                insn->raw.modrm.reg & 7u, stack);
    if (has_memory(insn))
        return reg << 3 | memory;
    unsigned rm = rename_field(operands, insn->operand_count, ZYDIS_OPERAND_ENCODING_MODRM_RM,
                               insn->raw.modrm.rm & 7u, stack);
    return 0xc0 | reg << 3 | rm;
}

/* Everything from ModRM on. */
static void put_tail(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operands,
                     const uint8_t *bytes, unsigned memory, unsigned stack,
                     struct native_form *form)
{
    unsigned at = insn->raw.modrm.offset + 1u;
    if (has_memory(insn)) {
        at += insn->attributes & ZYDIS_ATTRIB_HAS_SIB ? 1 : 0;
        at += insn->raw.disp.size / 8u;
    }
    put(form, new_modrm(insn, operands, memory, stack));
    while (at < insn->length)
        put(form, bytes[at++]);
}

/* A0 to A3: the accumulator and an address in the instruction. */
static void rewrite_moffs(const ZydisDecodedInstruction *insn, unsigned memory,
                          struct native_form *form)
{
    static const uint8_t opcodes[] = {0x8a, 0x8b, 0x88, 0x89};
    put(form, opcodes[insn->opcode & 3]);
    put(form, memory);
}

static bool is_moffs(const ZydisDecodedInstruction *insn)
{
    return insn->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && insn->opcode >= 0xa0 &&
           insn->opcode <= 0xa3;
}

/* 40 to 4F outside 64-bit mode: INC and DEC of a register. */
static bool is_short_inc(const ZydisDecodedInstruction *insn)
{
    return insn->machine_mode != ZYDIS_MACHINE_MODE_LONG_64 &&
           insn->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && (insn->opcode & 0xf0) == 0x40;
}

static void rewrite_short_inc(const ZydisDecodedInstruction *insn, unsigned stack,
                              struct native_form *form)
{
    unsigned reg = insn->opcode & 7u;
    put(form, 0xff);
    put(form, 0xc0 | (insn->opcode & 8u) | (reg == RSP ? stack : reg));
}

static int rewrite_legacy(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operands,
                          const uint8_t *bytes, unsigned memory, unsigned stack, bool widen,
                          struct native_form *form)
{
    bool modrm = insn->attributes & ZYDIS_ATTRIB_HAS_MODRM;
    unsigned opcode_end = modrm ? insn->raw.modrm.offset : insn->length;
    put_prefixes(insn, widen, form);
    if (insn->attributes & ZYDIS_ATTRIB_HAS_REX) {
        unsigned rex = 0x40u | insn->raw.rex.W << 3 | insn->raw.rex.R << 2;
        if (!has_memory(insn))
            rex |= insn->raw.rex.B;
        put(form, rex);
    }
    if (is_moffs(insn)) {
        rewrite_moffs(insn, memory, form);
        return 0;
    }
    if (is_short_inc(insn)) {
        rewrite_short_inc(insn, stack, form);
        return 0;
    }
    for (unsigned i = insn->raw.prefix_count; i < opcode_end; i++)
        put(form, bytes[i]);
    if (modrm) {
        put_tail(insn, operands, bytes, memory, stack, form);
    } else {
        unsigned last = form->length - (insn->length - insn->raw.prefix_count) +
                        (insn->opcode_map == ZYDIS_OPCODE_MAP_0F ? 1u : 0u);
        unsigned low = form->bytes[last] & 7u;
        unsigned renamed =
            rename_field(operands, insn->operand_count, ZYDIS_OPERAND_ENCODING_OPCODE, low, stack);
        form->bytes[last] = (uint8_t)((form->bytes[last] & ~7u) | renamed);
    }
    return 0;
}

/* In VEX and EVEX the register-extension bits are inverted: a 1 means no extension.  32- and
 * 16-bit code cannot extend, and the processor ignores some of the bits there. */
static int rewrite_vex(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operands,
                       const uint8_t *bytes, unsigned memory, unsigned stack,
                       struct native_form *form)
{
    const uint8_t *vex = bytes + insn->raw.vex.offset;
    bool narrow = insn->machine_mode != ZYDIS_MACHINE_MODE_LONG_64;
    unsigned size = insn->raw.vex.size;
    unsigned last = vex[size - 1];
    unsigned v = rename_field(operands, insn->operand_count, ZYDIS_OPERAND_ENCODING_NDSNDD,
                              ~(last >> 3) & 15u, stack);
    last = (last & ~0x78u) | (~v & 15u) << 3 | (narrow ? 0x40u : 0);
    put(form, vex[0]);
    if (size == 3)
        put(form, vex[1] | (has_memory(insn) ? 0x60u : 0) | (narrow ? 0xe0u : 0));
    else if (narrow)
        last |= 0x80;
    put(form, last);
    put(form, insn->opcode);
    put_tail(insn, operands, bytes, memory, stack, form);
    return 0;
}

static int rewrite_evex(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operands,
                        const uint8_t *bytes, unsigned memory, unsigned stack,
                        struct native_form *form)
{
    const uint8_t *evex = bytes + insn->raw.evex.offset;
    if (rename_field(operands, insn->operand_count, ZYDIS_OPERAND_ENCODING_NDSNDD, 0, 1) != 0 ||
        insn->machine_mode != ZYDIS_MACHINE_MODE_LONG_64)
        return -ENOTSUP;
    put(form, evex[0]);
    put(form, evex[1] | (has_memory(insn) ? 0x60u : 0));
    put(form, evex[2]);
    put(form, evex[3]);
    put(form, insn->opcode);
    put_tail(insn, operands, bytes, memory, stack, form);
    return 0;
}

int native_rewrite(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operands,
                   const uint8_t *bytes, unsigned memory, unsigned stack, bool widen,
                   struct native_form *form)
{
    memset(form, 0, sizeof(*form));
    switch (insn->encoding) {
    case ZYDIS_INSTRUCTION_ENCODING_LEGACY:
        return rewrite_legacy(insn, operands, bytes, memory, stack, widen, form);
    case ZYDIS_INSTRUCTION_ENCODING_VEX:
        return rewrite_vex(insn, operands, bytes, memory, stack, form);
    case ZYDIS_INSTRUCTION_ENCODING_EVEX:
        return rewrite_evex(insn, operands, bytes, memory, stack, form);
    default:
        return -ENOTSUP;
    }
}
