/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mnemonics with more than one form. */
#include "decode.h"

bool operand_is(const struct insn_raw *raw, unsigned n, ZydisOperandType type)
{
    return n < raw->insn.operand_count && raw->operand[n].type == type;
}

static ZydisRegisterClass class_of(const struct insn_raw *raw, unsigned n)
{
    return operand_is(raw, n, ZYDIS_OPERAND_TYPE_REGISTER)
               ? ZydisRegisterGetClass(raw->operand[n].reg.value)
               : ZYDIS_REGCLASS_INVALID;
}

static bool is_gpr(const struct insn_raw *raw, unsigned n)
{
    uint16_t offset;

    return operand_is(raw, n, ZYDIS_OPERAND_TYPE_REGISTER) &&
           gpr_offset(raw->operand[n].reg.value, &offset);
}

static uint8_t number_of(const struct insn_raw *raw, unsigned n)
{
    return (uint8_t)ZydisRegisterGetId(raw->operand[n].reg.value);
}

static insn_op *mov_special(const struct insn_raw *raw, struct insn *insn)
{
    static const struct {
        ZydisRegisterClass class;
        insn_op *to, *from;
    } special[] = {
        {ZYDIS_REGCLASS_SEGMENT, op_mov_to_segment, op_mov_from_segment},
        {ZYDIS_REGCLASS_CONTROL, op_mov_to_cr, op_mov_from_cr},
        {ZYDIS_REGCLASS_DEBUG, op_mov_to_dr, op_mov_from_dr},
    };

    for (unsigned i = 0; i < sizeof special / sizeof *special; i++) {
        if (class_of(raw, 0) == special[i].class) {
            insn->detail = number_of(raw, 0);
            insn->traits |= INSN_ENDS;
            return special[i].to;
        }
        if (class_of(raw, 1) == special[i].class) {
            insn->detail = number_of(raw, 1);
            return special[i].from;
        }
    }
    return NULL;
}

static insn_op *by_size(unsigned bytes, insn_op *one, insn_op *two, insn_op *four, insn_op *eight)
{
    switch (bytes) {
    case 1:
        return one;
    case 2:
        return two;
    case 4:
        return four;
    case 8:
        return eight;
    default:
        return NULL;
    }
}

insn_op *choose_mov(const struct insn_raw *raw, struct insn *insn)
{
    insn_op *op = mov_special(raw, insn);

    if (op)
        return op;
    if (is_gpr(raw, 0) && is_gpr(raw, 1))
        return by_size(insn->size, NULL, NULL, op_mov_rr4, op_mov_rr8);
    if (is_gpr(raw, 0) && operand_is(raw, 1, ZYDIS_OPERAND_TYPE_IMMEDIATE))
        return by_size(insn->size, NULL, NULL, op_mov_ri4, op_mov_ri8);
    if (is_gpr(raw, 0) && operand_is(raw, 1, ZYDIS_OPERAND_TYPE_MEMORY))
        return by_size(insn->size, op_load1, op_load2, op_load4, op_load8);
    if (operand_is(raw, 0, ZYDIS_OPERAND_TYPE_MEMORY) && is_gpr(raw, 1))
        return by_size(insn->size, op_store1, op_store2, op_store4, op_store8);
    if (operand_is(raw, 0, ZYDIS_OPERAND_TYPE_MEMORY) &&
        operand_is(raw, 1, ZYDIS_OPERAND_TYPE_IMMEDIATE))
        return op_store_imm;
    return NULL;
}

insn_op *choose_movzx(const struct insn_raw *raw, struct insn *insn)
{
    if (!operand_is(raw, 1, ZYDIS_OPERAND_TYPE_MEMORY) || insn->size < 4)
        return NULL;
    return by_size(insn->bytes, op_movzx1, op_movzx2, NULL, NULL);
}

insn_op *choose_lea(const struct insn_raw *raw, struct insn *insn)
{
    (void)raw;
    if (insn->traits & INSN_LEGACY || insn->size == 2)
        return op_lea;
    return insn->size == 8 ? op_lea8 : op_lea4;
}

static bool is_segment(const struct insn_raw *raw, struct insn *insn)
{
    if (class_of(raw, 0) != ZYDIS_REGCLASS_SEGMENT)
        return false;
    insn->detail = number_of(raw, 0);
    return true;
}

insn_op *choose_push(const struct insn_raw *raw, struct insn *insn)
{
    if (is_segment(raw, insn))
        return op_push_segment;
    insn->detail = operand_is(raw, 0, ZYDIS_OPERAND_TYPE_IMMEDIATE);
    if (insn->size == 8 && is_gpr(raw, 0))
        return op_push_r8;
    return op_push;
}

insn_op *choose_pop(const struct insn_raw *raw, struct insn *insn)
{
    if (is_segment(raw, insn)) {
        insn->traits |= INSN_ENDS;
        return op_pop_segment;
    }
    return insn->size == 8 && is_gpr(raw, 0) ? op_pop_r8 : op_pop;
}

static bool is_far(const struct insn_raw *raw)
{
    return raw->insn.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR;
}

static void far_operand(const struct insn_raw *raw, struct insn *insn)
{
    if (!operand_is(raw, 0, ZYDIS_OPERAND_TYPE_POINTER))
        return;
    insn->imm = raw->operand[0].ptr.offset;
    insn->disp = raw->operand[0].ptr.segment;
}

static bool is_relative(const struct insn_raw *raw)
{
    return operand_is(raw, 0, ZYDIS_OPERAND_TYPE_IMMEDIATE);
}

insn_op *choose_jmp(const struct insn_raw *raw, struct insn *insn)
{
    if (is_far(raw)) {
        far_operand(raw, insn);
        return op_jmp_far;
    }
    return is_relative(raw) ? op_jmp : op_jmp_near;
}

insn_op *choose_call(const struct insn_raw *raw, struct insn *insn)
{
    if (is_far(raw)) {
        far_operand(raw, insn);
        return op_call_far;
    }
    return is_relative(raw) ? op_call : op_call_near;
}

insn_op *choose_ret(const struct insn_raw *raw, struct insn *insn)
{
    (void)insn;
    return is_far(raw) ? op_ret_far : op_ret;
}

insn_op *choose_string(const struct insn_raw *raw, struct insn *insn)
{
    static const struct {
        ZydisMnemonic first, last;
        insn_op *op;
    } strings[] = {
        {ZYDIS_MNEMONIC_MOVSB, ZYDIS_MNEMONIC_MOVSB, op_movs},
        {ZYDIS_MNEMONIC_MOVSW, ZYDIS_MNEMONIC_MOVSW, op_movs},
        {ZYDIS_MNEMONIC_MOVSD, ZYDIS_MNEMONIC_MOVSD, op_movs},
        {ZYDIS_MNEMONIC_MOVSQ, ZYDIS_MNEMONIC_MOVSQ, op_movs},
        {ZYDIS_MNEMONIC_STOSB, ZYDIS_MNEMONIC_STOSW, op_stos},
        {ZYDIS_MNEMONIC_LODSB, ZYDIS_MNEMONIC_LODSW, op_lods},
        {ZYDIS_MNEMONIC_SCASB, ZYDIS_MNEMONIC_SCASW, op_scas},
        {ZYDIS_MNEMONIC_CMPSB, ZYDIS_MNEMONIC_CMPSB, op_cmps},
        {ZYDIS_MNEMONIC_CMPSW, ZYDIS_MNEMONIC_CMPSW, op_cmps},
        {ZYDIS_MNEMONIC_CMPSD, ZYDIS_MNEMONIC_CMPSD, op_cmps},
        {ZYDIS_MNEMONIC_CMPSQ, ZYDIS_MNEMONIC_CMPSQ, op_cmps},
        {ZYDIS_MNEMONIC_INSB, ZYDIS_MNEMONIC_INSB, op_ins},
        {ZYDIS_MNEMONIC_INSW, ZYDIS_MNEMONIC_INSW, op_ins},
        {ZYDIS_MNEMONIC_INSD, ZYDIS_MNEMONIC_INSD, op_ins},
        {ZYDIS_MNEMONIC_OUTSB, ZYDIS_MNEMONIC_OUTSW, op_outs},
    };

    if (raw->insn.meta.category != ZYDIS_CATEGORY_STRINGOP &&
        raw->insn.meta.category != ZYDIS_CATEGORY_IOSTRINGOP)
        return NULL; /* MOVSD and CMPSD of SSE2 */
    if (insn->traits & (INSN_REP | INSN_REPNE))
        insn->traits |= INSN_ENDS;
    insn->size = insn->bytes;
    for (unsigned i = 0; i < sizeof strings / sizeof *strings; i++)
        if (raw->insn.mnemonic >= strings[i].first && raw->insn.mnemonic <= strings[i].last)
            return strings[i].op;
    return NULL;
}

insn_op *choose_io(const struct insn_raw *raw, struct insn *insn)
{
    bool in = raw->insn.mnemonic == ZYDIS_MNEMONIC_IN;

    insn->detail = operand_is(raw, in ? 1 : 0, ZYDIS_OPERAND_TYPE_IMMEDIATE);
    insn->size = (uint8_t)(raw->operand[in ? 0 : 1].size / 8);
    return in ? op_in : op_out;
}
