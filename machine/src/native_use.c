/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an instruction reads and writes, by the decoder's operands; what is not understood is
 * denied. */
#include "native_internal.h"

#include <errno.h>

static bool writes(const ZydisDecodedOperand *operand)
{
    return operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
}

/*
 * Are all bits of a general register written, whatever its value or the operands'?  Zydis says
 * "write" of BSF too, which leaves the register if its source is 0: so only what is listed here
 * is believed, and for all else the old value is loaded first.
 */
static bool replaces_register(const ZydisDecodedInstruction *insn,
                              const ZydisDecodedOperand *operand)
{
    static const uint16_t plain[] = {ZYDIS_MNEMONIC_MOV, ZYDIS_MNEMONIC_MOVZX, ZYDIS_MNEMONIC_MOVSX,
                                     ZYDIS_MNEMONIC_MOVSXD};
    if (operand->size < 32 || operand->actions != ZYDIS_OPERAND_ACTION_WRITE)
        return false;
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        if (insn->mnemonic == plain[i])
            return true;
    return false;
}

static int use_gpr(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operand,
                   struct native_use *use)
{
    ZydisRegister reg = operand->reg.value;
    int id = ZydisRegisterGetId(
        ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, operand->reg.value));
    if (id < 0 || id > 15 ||
        (id == RSP && operand->visibility != ZYDIS_OPERAND_VISIBILITY_EXPLICIT))
        return -ENOTSUP;
    uint16_t bit = (uint16_t)(1u << id);
    use->gprs |= bit;
    if (!replaces_register(insn, operand))
        use->gpr_load |= bit;
    if (writes(operand))
        use->gpr_store |= bit;
    if (reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH)
        use->high_byte = true;
    return 0;
}

static int use_vector(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operand,
                      uint64_t features, struct native_use *use)
{
    bool legacy = insn->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY;
    int id = ZydisRegisterGetId(operand->reg.value);
    uint8_t full = features & NATIVE_HOST_AVX512 ? 64 : 32;
    struct native_vector *vector = use->vectors;
    if (id < 0 || id > 31 || operand->attributes & ZYDIS_OATTRIB_IS_MULTISOURCE4)
        return -ENOTSUP;
    while (vector < use->vectors + use->vector_count && vector->index != id)
        vector++;
    if (vector == use->vectors + NATIVE_MAX_VECTORS)
        return -ENOTSUP;
    if (vector == use->vectors + use->vector_count) {
        use->vector_count++;
        vector->index = (uint8_t)id;
        /* Loaded even if only written: many writes are partial or masked. */
        vector->load = legacy ? 16 : insn->encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX ? full : 32;
    }
    /* Legacy instructions leave what is above 128 bits; VEX and EVEX clear it. */
    if (writes(operand))
        vector->store = legacy ? 16 : full;
    use->wide |= !legacy;
    return 0;
}

static int use_mask(const ZydisDecodedOperand *operand, struct native_use *use)
{
    int id = ZydisRegisterGetId(operand->reg.value);
    if (id < 0 || id > 7)
        return -ENOTSUP;
    if (operand->encoding == ZYDIS_OPERAND_ENCODING_MASK && id == 0)
        return 0; /* k0 there: not masked */
    use->k_load |= (uint8_t)(1u << id);
    if (writes(operand))
        use->k_store |= (uint8_t)(1u << id);
    return 0;
}

static int use_other(const ZydisDecodedOperand *operand, struct native_use *use)
{
    switch (operand->reg.value) {
    case ZYDIS_REGISTER_X87CONTROL:
    case ZYDIS_REGISTER_X87STATUS:
    case ZYDIS_REGISTER_X87TAG:
        return use->x87 ? 0 : -ENOTSUP;
    case ZYDIS_REGISTER_FLAGS:
    case ZYDIS_REGISTER_EFLAGS:
    case ZYDIS_REGISTER_RFLAGS:
        if (operand->actions & ZYDIS_OPERAND_ACTION_CONDWRITE)
            use->flags_load = true;
        return 0;
    default:
        return -ENOTSUP;
    }
}

static int use_register(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operand,
                        uint64_t features, struct native_use *use)
{
    switch (ZydisRegisterGetClass(operand->reg.value)) {
    case ZYDIS_REGCLASS_GPR8:
    case ZYDIS_REGCLASS_GPR16:
    case ZYDIS_REGCLASS_GPR32:
    case ZYDIS_REGCLASS_GPR64:
        return use_gpr(insn, operand, use);
    case ZYDIS_REGCLASS_XMM:
    case ZYDIS_REGCLASS_YMM:
    case ZYDIS_REGCLASS_ZMM:
        return use_vector(insn, operand, features, use);
    case ZYDIS_REGCLASS_MASK:
        return use_mask(operand, use);
    case ZYDIS_REGCLASS_MMX:
        use->x87 = true;
        return 0;
    case ZYDIS_REGCLASS_X87:
        return use->x87 ? 0 : -ENOTSUP;
    default:
        return use_other(operand, use);
    }
}

static int use_memory(const ZydisDecodedOperand *operand, struct native_use *use)
{
    if (operand->mem.type != ZYDIS_MEMOP_TYPE_MEM || use->memory ||
        operand->visibility != ZYDIS_OPERAND_VISIBILITY_EXPLICIT || operand->size % 8 != 0 ||
        operand->size == 0 || operand->size / 8 > 128)
        return -ENOTSUP;
    use->memory = operand;
    return 0;
}

/* The classes that may raise SIMD floating-point exceptions.  Zydis calls the elements of some of
 * them integers (ROUNDSS), and some of other classes heed MXCSR.DAZ (VFPCLASS): so both count. */
static bool raises_float_exceptions(const ZydisDecodedInstruction *insn)
{
    static const uint8_t classes[] = {
        ZYDIS_EXCEPTION_CLASS_SSE2, ZYDIS_EXCEPTION_CLASS_SSE3,  ZYDIS_EXCEPTION_CLASS_AVX2,
        ZYDIS_EXCEPTION_CLASS_AVX3, ZYDIS_EXCEPTION_CLASS_AVX11, ZYDIS_EXCEPTION_CLASS_E2,
        ZYDIS_EXCEPTION_CLASS_E2NF, ZYDIS_EXCEPTION_CLASS_E3,    ZYDIS_EXCEPTION_CLASS_E3NF,
        ZYDIS_EXCEPTION_CLASS_E11,  ZYDIS_EXCEPTION_CLASS_E11NF};
    for (size_t i = 0; i < sizeof(classes); i++)
        if (insn->meta.exception_class == classes[i])
            return true;
    return false;
}

static bool computes_floats(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operand)
{
    if (raises_float_exceptions(insn))
        return true;
    switch (insn->meta.category) {
    case ZYDIS_CATEGORY_DATAXFER:
    case ZYDIS_CATEGORY_LOGICAL_FP:
    case ZYDIS_CATEGORY_BLEND:
    case ZYDIS_CATEGORY_BROADCAST:
        return false;
    default:
        return operand->element_type == ZYDIS_ELEMENT_TYPE_FLOAT16 ||
               operand->element_type == ZYDIS_ELEMENT_TYPE_FLOAT32 ||
               operand->element_type == ZYDIS_ELEMENT_TYPE_FLOAT64;
    }
}

static int use_operand(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operand,
                       uint64_t features, struct native_use *use)
{
    if (use->needs >= NATIVE_NEEDS_SSE && computes_floats(insn, operand))
        use->mxcsr = true;
    switch (operand->type) {
    case ZYDIS_OPERAND_TYPE_REGISTER:
        return use_register(insn, operand, features, use);
    case ZYDIS_OPERAND_TYPE_MEMORY:
        return use_memory(operand, use);
    case ZYDIS_OPERAND_TYPE_IMMEDIATE:
        return operand->imm.is_relative ? -ENOTSUP : 0;
    default:
        return -ENOTSUP;
    }
}

static void use_flags(const ZydisDecodedInstruction *insn, struct native_use *use)
{
    const ZydisAccessedFlags *flags = insn->cpu_flags;
    if (!flags)
        return;
    uint32_t defined = (flags->modified | flags->set_0 | flags->set_1) & NATIVE_RFLAGS;
    use->flags_store = defined || flags->undefined & NATIVE_RFLAGS;
    if (flags->tested & NATIVE_RFLAGS || (use->flags_store && defined != NATIVE_RFLAGS))
        use->flags_load = true;
}

int native_use_of(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operands,
                  uint64_t features, struct native_use *use)
{
    *use = (struct native_use){0};
    int error = native_isa_check(insn, features, &use->needs);
    use->x87 = use->needs == NATIVE_NEEDS_X87 || use->needs == NATIVE_NEEDS_MMX;
    for (unsigned i = 0; error == 0 && i < insn->operand_count; i++)
        error = use_operand(insn, &operands[i], features, use);
    use_flags(insn, use);
    return error;
}

static bool is_unaligned_move(ZydisMnemonic mnemonic)
{
    switch (mnemonic) {
    case ZYDIS_MNEMONIC_MOVUPS:
    case ZYDIS_MNEMONIC_MOVUPD:
    case ZYDIS_MNEMONIC_MOVDQU:
    case ZYDIS_MNEMONIC_LDDQU:
    case ZYDIS_MNEMONIC_PCMPESTRI:
    case ZYDIS_MNEMONIC_PCMPESTRM:
    case ZYDIS_MNEMONIC_PCMPISTRI:
    case ZYDIS_MNEMONIC_PCMPISTRM:
        return true;
    default:
        return false;
    }
}

/* Source: Intel SDM, "Exceptions Type 1" and following, and "CMPXCHG8B/CMPXCHG16B". */
uint8_t native_alignment(const ZydisDecodedInstruction *insn, const struct native_use *use)
{
    if (!use->memory)
        return 1;
    uint8_t bytes = (uint8_t)(use->memory->size / 8);
    switch (insn->meta.exception_class) {
    case ZYDIS_EXCEPTION_CLASS_AVX1:
    case ZYDIS_EXCEPTION_CLASS_E1:
    case ZYDIS_EXCEPTION_CLASS_E1NF:
        return bytes;
    default:
        break;
    }
    if (insn->mnemonic == ZYDIS_MNEMONIC_CMPXCHG16B)
        return 16;
    if (use->needs == NATIVE_NEEDS_SSE && bytes == 16 && !is_unaligned_move(insn->mnemonic))
        return 16;
    return 1;
}

static bool is_vex_masked(ZydisMnemonic mnemonic)
{
    return mnemonic == ZYDIS_MNEMONIC_VMASKMOVPS || mnemonic == ZYDIS_MNEMONIC_VMASKMOVPD ||
           mnemonic == ZYDIS_MNEMONIC_VPMASKMOVD || mnemonic == ZYDIS_MNEMONIC_VPMASKMOVQ;
}

bool native_is_masked(const ZydisDecodedInstruction *insn, const struct native_use *use)
{
    if (!use->memory)
        return false;
    switch (insn->meta.exception_class) { /* "NF": no fault is suppressed */
    case ZYDIS_EXCEPTION_CLASS_E1NF:
    case ZYDIS_EXCEPTION_CLASS_E2NF:
    case ZYDIS_EXCEPTION_CLASS_E3NF:
    case ZYDIS_EXCEPTION_CLASS_E4NF:
    case ZYDIS_EXCEPTION_CLASS_E5NF:
    case ZYDIS_EXCEPTION_CLASS_E6NF:
    case ZYDIS_EXCEPTION_CLASS_E9NF:
    case ZYDIS_EXCEPTION_CLASS_E10NF:
    case ZYDIS_EXCEPTION_CLASS_E11NF:
        return false;
    default:
        return is_vex_masked(insn->mnemonic) ||
               (insn->encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX &&
                insn->avx.mask.reg != ZYDIS_REGISTER_K0 &&
                insn->avx.mask.reg != ZYDIS_REGISTER_NONE);
    }
}
