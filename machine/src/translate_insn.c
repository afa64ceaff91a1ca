/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Control flow, the stack, LEA: what the interpreter does in C and blocks do inline. */
#include "translate_internal.h"

static bool is_register(const ZydisDecodedOperand *operand)
{
    return operand->type == ZYDIS_OPERAND_TYPE_REGISTER && operand->size == 64 &&
           ZydisRegisterGetClass(operand->reg.value) == ZYDIS_REGCLASS_GPR64;
}

static unsigned id_of(const ZydisDecodedOperand *operand)
{
    return (unsigned)ZydisRegisterGetId(
        ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, operand->reg.value));
}

static uint64_t next_rip(const struct block_emit *b, const struct insn *insn)
{
    return b->rip + insn->insn.length;
}

static uint64_t branch_target(const struct block_emit *b, const struct insn *insn)
{
    return next_rip(b, insn) + (uint64_t)insn->operands[0].imm.value.s;
}

static uint16_t index_bit(const ZydisDecodedOperand *memory)
{
    ZydisRegister index = memory->mem.index;
    if (index == ZYDIS_REGISTER_NONE)
        return 0;
    return (uint16_t)(1u << ZydisRegisterGetId(
                          ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, index)));
}

static enum outcome nothing(struct block_emit *b, const struct insn *insn)
{
    (void)b;
    (void)insn;
    return OUTCOME_NEXT;
}

static enum outcome pause_loop(struct block_emit *b, const struct insn *insn)
{
    (void)insn;
    return b->translate->pause_steps ? OUTCOME_UNKNOWN : OUTCOME_NEXT;
}

/* The address goes through m where it cannot be made in place. */
static enum outcome lea(struct block_emit *b, const struct insn *insn)
{
    const ZydisDecodedOperand *to = &insn->operands[0], *memory = &insn->operands[1];
    unsigned id = id_of(to);
    bool direct = id != RSP && !(index_bit(memory) >> id & 1);
    if (to->size == 16)
        return OUTCOME_UNKNOWN;
    if (!direct) {
        block_take(b, (uint16_t)(1u << id | index_bit(memory)));
        block_restore_rcx_b(b);
    }
    unsigned result = direct ? id : b->m;
    block_lea(b, result, insn, memory);
    if (to->size == 32) { /* mov result, result; 32 bits */
        emit_rex(&b->e, 0, result, result);
        emit1(&b->e, 0x89);
        emit1(&b->e, 0xc0 | (result & 7) << 3 | (result & 7));
    }
    if (direct)
        return OUTCOME_NEXT;
    if (id == RSP)
        block_store(b, b->m, HOT(guest_rsp));
    else
        emit_move(&b->e, id, b->m);
    block_restore_m(b);
    return OUTCOME_NEXT;
}

static enum outcome push(struct block_emit *b, const struct insn *insn)
{
    const ZydisDecodedOperand *from = &insn->operands[0];
    bool immediate = from->type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
    if (insn->insn.operand_width != 64 || !(immediate || is_register(from)))
        return OUTCOME_UNKNOWN;
    unsigned id = immediate ? RAX : id_of(from);
    if (id == RSP)
        return OUTCOME_UNKNOWN;
    block_take(b, (uint16_t)(1u << id));
    block_stack_address(b, -8);
    block_translate(b, 8, true);
    if (immediate)
        block_constant(b, b->b, (uint64_t)from->imm.value.s);
    else if (id == RCX)
        block_load(b, RCX, HOT(spill_rcx));
    block_put(b, immediate ? b->b : id);
    block_move_stack(b, -8);
    block_restore_all(b);
    return OUTCOME_NEXT;
}

static enum outcome pop(struct block_emit *b, const struct insn *insn)
{
    const ZydisDecodedOperand *to = &insn->operands[0];
    if (insn->insn.operand_width != 64 || !is_register(to) || id_of(to) == RSP)
        return OUTCOME_UNKNOWN;
    block_take(b, (uint16_t)(1u << id_of(to)));
    block_stack_address(b, 0);
    block_translate(b, 8, false);
    block_move_stack(b, 8);
    block_restore_rcx_b(b);
    block_get(b, id_of(to));
    block_restore_m(b);
    return OUTCOME_NEXT;
}

static enum outcome leave(struct block_emit *b, const struct insn *insn)
{
    if (insn->insn.operand_width != 64)
        return OUTCOME_UNKNOWN;
    block_take(b, 1u << RBP);
    emit_move(&b->e, b->m, RBP);
    block_translate(b, 8, false);
    block_lea_disp(b, b->b, RBP, 8);
    block_store(b, b->b, HOT(guest_rsp));
    block_get(b, RBP);
    block_restore_all(b);
    return OUTCOME_NEXT;
}

static bool is_near(const struct insn *insn)
{
    return insn->insn.operand_width == 64 &&
           (insn->insn.meta.branch_type == ZYDIS_BRANCH_TYPE_NEAR ||
            insn->insn.meta.branch_type == ZYDIS_BRANCH_TYPE_SHORT);
}

static bool is_relative(const struct insn *insn)
{
    return insn->operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
           insn->operands[0].imm.is_relative;
}

static enum outcome conditional(struct block_emit *b, const struct insn *insn)
{
    if (!is_near(insn) || !is_relative(insn))
        return OUTCOME_UNKNOWN;
    emit1(&b->e, 0x70 | (insn->insn.opcode & 15)); /* over the way on to the next instruction */
    emit1(&b->e, SITE_BYTES);
    block_leave(b, SITE_BRANCH, next_rip(b, insn), b->done + 1);
    block_leave(b, SITE_BRANCH, branch_target(b, insn), b->done + 1);
    return OUTCOME_END;
}

/* m = where an indirect branch goes */
static bool load_target(struct block_emit *b, const struct insn *insn)
{
    const ZydisDecodedOperand *target = &insn->operands[0];
    if (is_register(target) && id_of(target) != RSP) {
        block_take(b, (uint16_t)(1u << id_of(target)));
        if (id_of(target) == RCX)
            block_load(b, b->m, HOT(spill_rcx));
        else
            emit_move(&b->e, b->m, id_of(target));
        return true;
    }
    if (target->type != ZYDIS_OPERAND_TYPE_MEMORY || target->size != 64)
        return false;
    block_take(b, index_bit(target));
    block_address(b, insn, target);
    block_translate(b, 8, false);
    block_get(b, b->m);
    return true;
}

static enum outcome jump(struct block_emit *b, const struct insn *insn)
{
    if (!is_near(insn))
        return OUTCOME_UNKNOWN;
    if (is_relative(insn)) {
        block_leave(b, SITE_BRANCH, branch_target(b, insn), b->done + 1);
        return OUTCOME_END;
    }
    if (!load_target(b, insn))
        return OUTCOME_UNKNOWN;
    block_find(b);
    block_jump(b);
    return OUTCOME_END;
}

/* Push the return address; m and b are taken. */
static void push_return(struct block_emit *b, const struct insn *insn)
{
    block_stack_address(b, -8);
    block_translate(b, 8, true);
    block_constant(b, b->b, next_rip(b, insn));
    block_put(b, b->b);
    block_move_stack(b, -8);
}

static enum outcome call(struct block_emit *b, const struct insn *insn)
{
    if (!is_near(insn))
        return OUTCOME_UNKNOWN;
    if (is_relative(insn)) {
        block_take(b, 0);
        push_return(b, insn);
        block_restore_all(b);
        block_leave(b, SITE_BRANCH, branch_target(b, insn), b->done + 1);
        return OUTCOME_END;
    }
    if (!load_target(b, insn))
        return OUTCOME_UNKNOWN;
    block_find(b);
    push_return(b, insn);
    block_jump(b);
    return OUTCOME_END;
}

static enum outcome ret(struct block_emit *b, const struct insn *insn)
{
    const ZydisDecodedOperand *first = &insn->operands[0];
    uint16_t extra = first->type == ZYDIS_OPERAND_TYPE_IMMEDIATE ? (uint16_t)first->imm.value.u : 0;
    if (!is_near(insn))
        return OUTCOME_UNKNOWN;
    block_take(b, 0);
    block_stack_address(b, 0);
    block_translate(b, 8, false);
    block_get(b, b->m);
    block_find(b);
    block_move_stack(b, 8 + extra);
    block_jump(b);
    return OUTCOME_END;
}

#define M(name) ZYDIS_MNEMONIC_##name

static const struct {
    uint16_t mnemonic;
    enum outcome (*emit)(struct block_emit *b, const struct insn *insn);
} emitters[] = {
    {M(LEA), lea},
    {M(PUSH), push},
    {M(POP), pop},
    {M(LEAVE), leave},
    {M(CALL), call},
    {M(RET), ret},
    {M(JMP), jump},
    {M(JB), conditional},
    {M(JBE), conditional},
    {M(JL), conditional},
    {M(JLE), conditional},
    {M(JNB), conditional},
    {M(JNBE), conditional},
    {M(JNL), conditional},
    {M(JNLE), conditional},
    {M(JNO), conditional},
    {M(JNP), conditional},
    {M(JNS), conditional},
    {M(JNZ), conditional},
    {M(JO), conditional},
    {M(JP), conditional},
    {M(JS), conditional},
    {M(JZ), conditional},
    {M(NOP), nothing},
    {M(ENDBR64), nothing},
    {M(ENDBR32), nothing},
    {M(LFENCE), nothing},
    {M(SFENCE), nothing},
    {M(MFENCE), nothing},
    {M(PAUSE), pause_loop},
    {M(PREFETCH), nothing},
    {M(PREFETCHW), nothing},
    {M(PREFETCHNTA), nothing},
    {M(PREFETCHT0), nothing},
    {M(PREFETCHT1), nothing},
    {M(PREFETCHT2), nothing},
};

enum outcome translate_insn(struct block_emit *b, const struct insn *insn)
{
    for (size_t i = 0; i < sizeof(emitters) / sizeof(emitters[0]); i++)
        if (emitters[i].mnemonic == insn->insn.mnemonic)
            return emitters[i].emit(b, insn);
    return translate_native(b, insn);
}
