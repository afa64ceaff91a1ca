/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From bytes to what the interpreter runs. */
#include "decode.h"

#include <errno.h>
#include <stddef.h>

/* ---- Zydis ---- */

static ZydisMachineMode machine_mode(uint32_t mode)
{
    switch (mode & MODE_SIZE) {
    case MODE_64:
        return ZYDIS_MACHINE_MODE_LONG_64;
    case MODE_32:
        return ZYDIS_MACHINE_MODE_LEGACY_32;
    default:
        return mode & (MODE_PROTECTED | MODE_V86) ? ZYDIS_MACHINE_MODE_LEGACY_16
                                                  : ZYDIS_MACHINE_MODE_REAL_16;
    }
}

static ZydisStackWidth stack_width(uint32_t mode)
{
    if ((mode & MODE_SIZE) == MODE_64)
        return ZYDIS_STACK_WIDTH_64;
    return mode & MODE_STACK32 ? ZYDIS_STACK_WIDTH_32 : ZYDIS_STACK_WIDTH_16;
}

static ZyanStatus disassemble(uint32_t mode, struct code_bytes code, struct insn_raw *raw)
{
    ZydisDecoder decoder;

    ZydisDecoderInit(&decoder, machine_mode(mode), stack_width(mode));
    ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_MPX, ZYAN_FALSE); /* they are NOPs */
    return native_decode(&decoder, code.data, code.bytes, &raw->insn, raw->operand);
}

/* ---- Operands ---- */

bool gpr_offset(ZydisRegister reg, uint16_t *offset)
{
    static const struct {
        ZydisRegister first, last;
        uint8_t number, byte;
    } ranges[] = {
        {ZYDIS_REGISTER_AL, ZYDIS_REGISTER_BL, 0, 0},
        {ZYDIS_REGISTER_AH, ZYDIS_REGISTER_BH, 0, 1},
        {ZYDIS_REGISTER_SPL, ZYDIS_REGISTER_R15B, 4, 0},
        {ZYDIS_REGISTER_AX, ZYDIS_REGISTER_R15W, 0, 0},
        {ZYDIS_REGISTER_EAX, ZYDIS_REGISTER_R15D, 0, 0},
        {ZYDIS_REGISTER_RAX, ZYDIS_REGISTER_R15, 0, 0},
    };

    for (unsigned i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (reg >= ranges[i].first && reg <= ranges[i].last) {
            *offset =
                (uint16_t)(GPR_OFFSET(reg - ranges[i].first + ranges[i].number) + ranges[i].byte);
            return true;
        }
    return false;
}

static uint8_t segment_of(ZydisRegister reg)
{
    int8_t id = ZydisRegisterGetId(reg);

    return id >= 0 && id < SEG_COUNT ? (uint8_t)id : SEG_DS;
}

static uint16_t base_of_segment(const struct xrw_machine *m, unsigned segment)
{
    if ((m->mode & MODE_SIZE) == MODE_64 && segment < SEG_FS)
        return offsetof(struct xrw_machine, zero);
    return (uint16_t)(offsetof(struct xrw_machine, seg) +
                      segment * sizeof(struct segment_register) +
                      offsetof(struct segment_register, base));
}

static void memory_operand(const struct xrw_machine *m, const struct insn_raw *raw,
                           const ZydisDecodedOperand *operand, struct insn *insn)
{
    const ZydisDecodedOperandMem *mem = &operand->mem;

    insn->traits |= INSN_MEMORY;
    insn->bytes = (uint8_t)(operand->size / 8);
    insn->segment = segment_of(mem->segment);
    insn->segment_base = base_of_segment(m, insn->segment);
    if (mem->disp.has_displacement)
        insn->disp = mem->disp.value;
    if (mem->base == ZYDIS_REGISTER_RIP || mem->base == ZYDIS_REGISTER_EIP)
        insn->disp += (int64_t)(insn->rip + raw->insn.length);
    else
        gpr_offset(mem->base, &insn->base);
    if (mem->index != ZYDIS_REGISTER_NONE && gpr_offset(mem->index, &insn->index))
        insn->scale = mem->scale == 8 ? 3 : mem->scale == 4 ? 2 : mem->scale == 2 ? 1 : 0;
    if (operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
        insn->traits |= INSN_WRITES;
    if (operand->actions & ZYDIS_OPERAND_ACTION_MASK_READ)
        insn->traits |= INSN_READS;
}

/* What pushes and pops name as memory beside their operands. */
static bool is_stack(const ZydisDecodedOperand *operand)
{
    ZydisRegister base = operand->mem.base;

    return operand->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN &&
           (base == ZYDIS_REGISTER_RSP || base == ZYDIS_REGISTER_ESP || base == ZYDIS_REGISTER_SP);
}

static void immediate(const ZydisDecodedOperand *operand, struct insn *insn, unsigned n)
{
    if (n == 1 && insn->op == op_enter)
        insn->detail = (uint8_t)operand->imm.value.u;
    else
        insn->imm = operand->imm.value.u;
}

static void operands(const struct xrw_machine *m, const struct insn_raw *raw, struct insn *insn)
{
    bool have_memory = false, have_dst = false;

    for (unsigned i = 0; i < raw->insn.operand_count; i++) {
        const ZydisDecodedOperand *o = &raw->operand[i];
        uint16_t offset;

        if (o->type == ZYDIS_OPERAND_TYPE_MEMORY && !have_memory && !is_stack(o)) {
            memory_operand(m, raw, o, insn);
            have_memory = true;
        }
        if (o->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN)
            continue;
        if (o->type == ZYDIS_OPERAND_TYPE_IMMEDIATE && i < raw->insn.operand_count_visible)
            immediate(o, insn, i);
        if (o->type != ZYDIS_OPERAND_TYPE_REGISTER || !gpr_offset(o->reg.value, &offset))
            continue;
        if (i == 0) {
            insn->dst = insn->src = offset;
            have_dst = true;
        } else if (i == 1 || !have_dst) {
            insn->src = offset;
        }
    }
    if (raw->insn.operand_count && raw->operand[0].size)
        insn->size = (uint8_t)(raw->operand[0].size / 8);
}

/* The whole of it that does not depend on the operation. */
static void describe(const struct xrw_machine *m, const struct insn_raw *raw, struct insn *insn)
{
    const ZydisDecodedInstruction *z = &raw->insn;

    insn->length = z->length;
    insn->address = z->address_width / 8;
    insn->base = insn->index = offsetof(struct xrw_machine, zero);
    insn->segment_base = offsetof(struct xrw_machine, zero);
    if (z->machine_mode != ZYDIS_MACHINE_MODE_LONG_64 || z->address_width != 64)
        insn->traits |= INSN_LEGACY;
    if (z->attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE))
        insn->traits |= INSN_REP;
    if (z->attributes & ZYDIS_ATTRIB_HAS_REPNE)
        insn->traits |= INSN_REPNE;
    operands(m, raw, insn);
}

/* ---- Native code ---- */

/* Whether the guest has enabled what the instruction needs: NULL, or the exception. */
static insn_op *lacking(uint32_t mode, enum native_needs needs)
{
    switch (needs) {
    case NATIVE_NEEDS_NOTHING:
        return NULL;
    case NATIVE_NEEDS_X87:
        return mode & (MODE_EM | MODE_TS) ? op_not_available : NULL;
    case NATIVE_NEEDS_SSE:
        if (!(mode & MODE_OSFXSR))
            return op_undefined;
        break;
    case NATIVE_NEEDS_AVX:
        if (!(mode & MODE_AVX))
            return op_undefined;
        break;
    case NATIVE_NEEDS_AVX512:
        if (!(mode & MODE_AVX512))
            return op_undefined;
        break;
    case NATIVE_NEEDS_MMX:
        break;
    }
    if (mode & MODE_EM && needs <= NATIVE_NEEDS_SSE)
        return op_undefined;
    return mode & MODE_TS ? op_not_available : NULL;
}

static bool counted_by_cl(const struct insn_raw *raw)
{
    for (unsigned i = 1; i < raw->insn.operand_count_visible; i++)
        if (operand_is(raw, i, ZYDIS_OPERAND_TYPE_REGISTER) &&
            raw->operand[i].reg.value == ZYDIS_REGISTER_CL)
            return true;
    return false;
}

static void flags_of(const struct insn_raw *raw, struct insn *insn)
{
    static const struct native_state none;
    const ZydisAccessedFlags *flags = raw->insn.cpu_flags;

    if (!flags)
        return;
    insn->flags_out =
        (uint16_t)((flags->modified | flags->set_0 | flags->set_1 | flags->undefined) &
                   RFLAGS_STATUS);
    insn->flags_undefined = (uint16_t)native_undefined_flags(&raw->insn, raw->operand, &none);
}

static insn_op *native_op(struct xrw_machine *m, const struct insn_raw *raw, struct insn *insn)
{
    const struct native_thunk *thunk = insn->thunk;
    bool reads = thunk->access & NATIVE_READS, writes = thunk->access & NATIVE_WRITES;

    flags_of(raw, insn);
    if (thunk->x87 || thunk->masked || thunk->bit_register >= 0 ||
        (insn->flags_out && counted_by_cl(raw)) ||
        (insn->flags_undefined && m->cpu.profile != XRW_PROFILE_HOST)) {
        struct insn_raw *kept = code_alloc(m, sizeof *kept);
        *kept = *raw;
        insn->raw = kept;
        return op_native_any;
    }
    insn->detail = thunk->align > 1 ? (uint8_t)(thunk->align - 1) : 0;
    if (!thunk->access)
        return op_native;
    if (!writes)
        return op_native_read;
    return reads ? op_native_modify : op_native_write;
}

static insn_op *by_host(struct xrw_machine *m, const struct insn_raw *raw, const uint8_t *bytes,
                        struct insn *insn)
{
    insn_op *op;
    int rc = native_compile(m->native, &raw->insn, raw->operand, bytes, &insn->thunk);

    if (rc == -ENOSPC) {
        code_flush(m);
        leave_retry(m);
    }
    if (rc) {
        insn->imm = raw->insn.mnemonic;
        insn->traits |= INSN_ENDS;
        return op_unhandled;
    }
    if (insn->thunk->access) {
        insn->bytes = insn->thunk->bytes;
        insn->traits = (uint8_t)((insn->traits & ~INSN_WRITES) |
                                 (insn->thunk->access & NATIVE_WRITES ? INSN_WRITES : 0));
    }
    op = lacking(m->mode, insn->thunk->needs);
    if (op) {
        insn->traits |= INSN_ENDS;
        return op;
    }
    return native_op(m, raw, insn);
}

/* ---- All together ---- */

static void relative_target(const struct insn_raw *raw, struct insn *insn)
{
    uint64_t mask = raw->insn.machine_mode == ZYDIS_MACHINE_MODE_LONG_64 ? UINT64_MAX
                    : raw->insn.operand_width == 16                      ? 0xffffu
                                                                         : 0xffffffffu;

    if (operand_is(raw, 0, ZYDIS_OPERAND_TYPE_IMMEDIATE) && raw->operand[0].imm.is_relative)
        insn->target = (insn->rip + insn->length + raw->operand[0].imm.value.u) & mask;
}

static insn_op *pick(struct xrw_machine *m, const struct insn_raw *raw, const uint8_t *bytes,
                     struct insn *insn)
{
    const struct operation *o = &operations[raw->insn.mnemonic];
    insn_op *op = o->op;

    if (o->op || o->choose) {
        insn->op = o->op;
        describe(m, raw, insn);
        relative_target(raw, insn);
        if (o->imm)
            insn->imm = o->imm;
        if (o->size == BYTES_WIDTH)
            insn->size = raw->insn.operand_width / 8;
        else if (o->size)
            insn->size = o->size;
        if (o->detail)
            insn->detail = o->detail;
        insn->traits |= o->traits;
        if (o->choose)
            op = o->choose(raw, insn);
    } else {
        describe(m, raw, insn);
    }
    return op ? op : by_host(m, raw, bytes, insn);
}

int decode_insn(struct xrw_machine *m, struct code_bytes code, uint64_t rip, struct insn *insn)
{
    struct insn_raw raw;
    ZyanStatus status = disassemble(m->mode, code, &raw);

    *insn = (struct insn){.rip = rip};
    if (status == ZYDIS_STATUS_NO_MORE_DATA && code.bytes < 15)
        return -EAGAIN;
    if (!ZYAN_SUCCESS(status)) {
        insn->op =
            status == ZYDIS_STATUS_INSTRUCTION_TOO_LONG || status == ZYDIS_STATUS_NO_MORE_DATA
                ? op_too_long
                : op_undefined;
        insn->length = 1;
        insn->traits = INSN_ENDS;
        return 0;
    }
    insn->op = pick(m, &raw, code.data, insn);
    return 0;
}
