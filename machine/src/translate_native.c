/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Instructions that run as they are, within a block. */
#include "translate_internal.h"

#define VECTOR_DISP(id) (STATE_DISP + (int32_t)(offsetof(struct native_state, zmm) + 64u * (id)))
#define K_DISP(id) (STATE_DISP + (int32_t)(offsetof(struct native_state, k) + 8u * (id)))

static bool is_enabled(const struct native_use *use, unsigned mode)
{
    switch (use->needs) {
    case NATIVE_NEEDS_NOTHING:
        return true;
    case NATIVE_NEEDS_SSE:
        return mode & TRANSLATE_SSE;
    case NATIVE_NEEDS_AVX:
        return mode & TRANSLATE_AVX;
    case NATIVE_NEEDS_AVX512:
        return mode & TRANSLATE_AVX512;
    default:
        return false;
    }
}

/* The address of these depends on more than the operand. */
static bool moves_its_operand(const struct insn *insn, const struct native_use *use)
{
    switch (insn->insn.mnemonic) {
    case ZYDIS_MNEMONIC_BT:
    case ZYDIS_MNEMONIC_BTC:
    case ZYDIS_MNEMONIC_BTR:
    case ZYDIS_MNEMONIC_BTS:
        return use->memory && insn->operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER;
    default:
        return native_is_masked(&insn->insn, use);
    }
}

static bool may_be_refused(const struct insn *insn, const struct native_use *use)
{
    return use->mxcsr || native_alignment(&insn->insn, use) > 1 ||
           insn->insn.mnemonic == ZYDIS_MNEMONIC_DIV || insn->insn.mnemonic == ZYDIS_MNEMONIC_IDIV;
}

static void vectors(struct block_emit *b, const struct native_use *use, bool store)
{
    for (unsigned i = 0; i < use->vector_count; i++) {
        const struct native_vector *vector = &use->vectors[i];
        unsigned bytes = store ? vector->store : vector->load;
        if (bytes)
            emit_vector(&b->e, bytes, store, vector->index, RSP, VECTOR_DISP(vector->index));
    }
    for (unsigned id = 0; id < 8; id++)
        if ((store ? use->k_store : use->k_load) >> id & 1)
            emit_mask(&b->e, store, id, RSP, K_DISP(id));
}

static int index_of(const ZydisDecodedOperand *memory)
{
    if (memory->mem.index == ZYDIS_REGISTER_NONE)
        return -1;
    return ZydisRegisterGetId(
        ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, memory->mem.index));
}

/* m = the operand's host address */
static void reach_operand(struct block_emit *b, const struct insn *insn,
                          const struct native_use *use)
{
    const ZydisDecodedOperand *memory = use->memory;
    int index = index_of(memory);
    bool write = memory->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
    block_take(b, (uint16_t)(use->gprs | (index >= 0 ? 1u << index : 0)));
    block_address(b, insn, memory);
    block_translate(b, memory->size / 8u, write);
    block_restore_rcx_b(b);
}

/* A register that stands for RSP, without REX bit. */
static void take_stack_register(struct block_emit *b, const struct native_use *use)
{
    static const uint8_t order[] = {RAX, RDX, RBX, RSI, RDI, RBP, RCX};
    unsigned i = 0;
    while (i + 1 < sizeof(order) && (use->gprs >> order[i] & 1 || order[i] == b->m))
        i++;
    b->r = order[i];
    block_store(b, b->r, HOT(spill_r));
    block_load(b, b->r, HOT(guest_rsp));
}

static void note_fault(struct block_emit *b)
{
    struct fault_exit *fault = &b->faults[b->fault_count++];
    fault->offset = translate_offset(b->translate, b->e.at);
    fault->rip = b->rip;
    fault->done = (uint8_t)b->done;
    fault->m = (uint8_t)b->m;
    fault->r = (uint8_t)b->r;
}

static void emit_native(struct block_emit *b, const struct insn *insn, const struct native_use *use,
                        const struct native_form *form)
{
    vectors(b, use, false);
    if (may_be_refused(insn, use))
        note_fault(b);
    emit_bytes(&b->e, form->bytes, form->length);
    vectors(b, use, true);
    if (b->r != NO_REGISTER) {
        if (use->gpr_store >> RSP & 1)
            block_store(b, b->r, HOT(guest_rsp));
        block_load(b, b->r, HOT(spill_r));
        b->r = NO_REGISTER;
    }
    if (b->m != NO_REGISTER)
        block_restore_m(b);
}

/* mov reg, rsp and mov rsp, reg; 64 bits: of every function's frame */
static bool translate_frame_move(struct block_emit *b, const struct insn *insn,
                                 const struct native_use *use)
{
    const ZydisDecodedOperand *to = &insn->operands[0], *from = &insn->operands[1];
    if (insn->insn.mnemonic != ZYDIS_MNEMONIC_MOV || use->memory || to->size != 64 ||
        from->type != ZYDIS_OPERAND_TYPE_REGISTER || to->reg.value == from->reg.value)
        return false;
    if (from->reg.value == ZYDIS_REGISTER_RSP)
        block_load(b, (unsigned)ZydisRegisterGetId(to->reg.value), HOT(guest_rsp));
    else if (to->reg.value == ZYDIS_REGISTER_RSP)
        block_store(b, (unsigned)ZydisRegisterGetId(from->reg.value), HOT(guest_rsp));
    else
        return false;
    return true;
}

static void note_flags(struct block_emit *b, const struct insn *insn)
{
    const ZydisAccessedFlags *flags = insn->insn.cpu_flags;
    if (!flags)
        return;
    uint32_t defined = flags->modified | flags->set_0 | flags->set_1;
    b->undefined = (uint16_t)((b->undefined & ~defined) | (flags->undefined & NATIVE_RFLAGS));
}

enum outcome translate_native(struct block_emit *b, const struct insn *insn)
{
    struct native_use use;
    struct native_form form;
    if (native_use_of(&insn->insn, insn->operands, b->translate->features, &use) != 0 || use.x87 ||
        !is_enabled(&use, b->mode) || moves_its_operand(insn, &use))
        return OUTCOME_UNKNOWN;
    if (use.mxcsr && !b->floats) {
        b->wants_floats = true; /* begun again */
        return OUTCOME_END;
    }
    if (translate_frame_move(b, insn, &use))
        return OUTCOME_NEXT;
    uint8_t *at = b->e.at;
    if (use.memory)
        reach_operand(b, insn, &use);
    if (use.gprs >> RSP & 1)
        take_stack_register(b, &use);
    unsigned m = b->m == NO_REGISTER ? RSP : b->m, r = b->r == NO_REGISTER ? RSP : b->r;
    if (native_rewrite(&insn->insn, insn->operands, insn->bytes, m, r, false, &form) != 0 ||
        !native_same(&insn->insn, insn->operands, insn->bytes, &form, m, r)) {
        b->e.at = at; /* sites made meanwhile are never reached */
        b->m = b->b = b->r = NO_REGISTER;
        return OUTCOME_UNKNOWN;
    }
    emit_native(b, insn, &use, &form);
    note_flags(b, insn);
    return OUTCOME_NEXT;
}
