/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pieces that translated blocks are made of.  None of them touches the flags. */
#include "translate_internal.h"

#define GPR_DISP(id) (STATE_DISP + 8 * (int32_t)(id))
#define MXCSR_DISP (STATE_DISP + (int32_t)offsetof(struct native_state, mxcsr))
#define HOST_MXCSR_DISP (STATE_DISP + (int32_t)offsetof(struct native_state, host_mxcsr))

void block_load(struct block_emit *b, unsigned reg, int32_t hot)
{
    emit_load(&b->e, reg, RSP, hot);
}

void block_store(struct block_emit *b, unsigned reg, int32_t hot)
{
    emit_store(&b->e, reg, RSP, hot);
}

void block_constant(struct block_emit *b, unsigned reg, uint64_t value)
{
    if (value == (uint64_t)(int32_t)value) {
        emit_rex(&b->e, 1, 0, reg); /* mov reg, sign-extended imm32 */
        emit1(&b->e, 0xc7);
        emit1(&b->e, 0xc0 | (reg & 7));
        emit4(&b->e, (uint32_t)value);
    } else {
        emit_rex(&b->e, 1, 0, reg);
        emit1(&b->e, 0xb8 | (reg & 7));
        emit8(&b->e, value);
    }
}

/* pext to, value, [rsp + mask] */
static void emit_pext(struct emit *e, unsigned to, unsigned value, int32_t mask)
{
    emit1(e, 0xc4);
    emit1(e, (to < 8 ? 0x80u : 0) | 0x60 | 2);
    emit1(e, 0x80 | (~value & 15) << 3 | 2);
    emit1(e, 0xf5);
    emit_address(e, to, RSP, mask);
}

/* mov to, [rsp + index * 8 + disp] */
static void emit_load_indexed(struct emit *e, unsigned to, unsigned index, int32_t disp)
{
    emit1(e, 0x48 | (to >> 3) << 2 | (index >> 3) << 1);
    emit1(e, 0x8b);
    emit1(e, 0x84 | (to & 7) << 3);
    emit1(e, 0xc4 | (index & 7) << 3);
    emit4(e, (uint32_t)disp);
}

/* lea to, [base + index + disp] */
static void emit_lea_sum(struct emit *e, unsigned to, unsigned base, unsigned index, int32_t disp)
{
    emit1(e, 0x48 | (to >> 3) << 2 | (index >> 3) << 1 | base >> 3);
    emit1(e, 0x8d);
    emit1(e, 0x84 | (to & 7) << 3);
    emit1(e, (index & 7) << 3 | (base & 7));
    emit4(e, (uint32_t)disp);
}

static void emit_lea(struct emit *e, unsigned to, unsigned base, int32_t disp)
{
    emit_rex(e, 1, to, base);
    emit1(e, 0x8d);
    emit_address(e, to, base, disp);
}

static int gpr(ZydisRegister reg)
{
    if (reg == ZYDIS_REGISTER_NONE)
        return -1;
    return ZydisRegisterGetId(ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg));
}

/* lea to, [base + index * scale + disp32]; base or index -1: none */
static void emit_lea_full(struct emit *e, bool wide, unsigned to, int base, int index,
                          unsigned scale, int32_t disp)
{
    unsigned index_bits = index < 0 ? 4 : (unsigned)index;
    unsigned base_bits = base < 0 ? 5 : (unsigned)base;
    unsigned rex =
        0x40 | (wide ? 8u : 0) | (to >> 3) << 2 | (index_bits >> 3) << 1 | base_bits >> 3;
    emit1(e, rex);
    emit1(e, 0x8d);
    emit1(e, (base < 0 ? 0x04 : 0x84) | (to & 7) << 3);
    emit1(e, (unsigned)__builtin_ctz(scale ? scale : 1) << 6 | (index_bits & 7) << 3 |
                 (base_bits & 7));
    emit4(e, (uint32_t)disp);
}

void block_leave(struct block_emit *b, enum site_kind kind, uint64_t rip, unsigned done)
{
    struct translate_site site = {.rip = rip,
                                  .offset = translate_offset(b->translate, b->e.at),
                                  .block = b->block,
                                  .refund = (uint16_t)done, /* made a refund at the block's end */
                                  .undefined = b->undefined,
                                  .kind = (uint8_t)kind,
                                  .m = (uint8_t)b->m,
                                  .b = (uint8_t)b->b,
                                  .r = (uint8_t)b->r};
    uint32_t number = translate_add_site(b->translate, &site);
    emit_leave(&b->e, number, b->translate->leave - (site.offset + SITE_BYTES));
}

/* jrcxz over the way out that follows */
static void emit_unless_zero(struct block_emit *b, enum site_kind kind, uint64_t rip, unsigned done)
{
    emit1(&b->e, 0xe3);
    emit1(&b->e, SITE_BYTES);
    block_leave(b, kind, rip, done);
}

/* Take the block's instructions off the budget, or leave. */
void block_begin(struct block_emit *b)
{
    b->b = RCX; /* rcx alone is spilled */
    block_store(b, RCX, HOT(spill_rcx));
    block_load(b, RCX, HOT(budget));
    emit_lea_sum(&b->e, RCX, RCX, RSP, 0); /* no index: patched with the count */
    b->count_slot = (unsigned)(b->e.at - b->start) - 4;
    block_store(b, RCX, HOT(budget));
    emit_pext(&b->e, RCX, RCX, HOT(mask_sign));
    emit_unless_zero(b, SITE_BUDGET, b->rip, 0);
    if (b->floats) {
        block_load(b, RCX, HOT(floats));
        emit_bytes(&b->e, "\xe3\x05\xe9", 3); /* jrcxz over a jmp over the load */
        uint8_t *jump = b->e.at;
        emit4(&b->e, 0);
        emit_ldmxcsr(&b->e, RSP, MXCSR_DISP);
        emit_bytes(&b->e, "\x48\xc7\x44\x24", 4); /* mov qword [rsp + floats], 1 */
        emit1(&b->e, (unsigned)HOT(floats));
        emit4(&b->e, 1);
        uint32_t skip = (uint32_t)(b->e.at - jump - 4);
        memcpy(jump, &skip, sizeof(skip));
    }
    block_load(b, RCX, HOT(spill_rcx));
    b->b = NO_REGISTER;
}

static unsigned pick(const uint8_t *order, unsigned count, uint16_t avoid)
{
    for (unsigned i = 0; i + 1 < count; i++)
        if (!(avoid >> order[i] & 1))
            return order[i];
    return order[count - 1];
}

void block_take(struct block_emit *b, uint16_t avoid)
{
    static const uint8_t for_m[] = {RDX, RSI, RDI, RAX, RBX};
    static const uint8_t for_b[] = {8, 9, 10, 11, 12, 13, 14, 15};
    b->m = pick(for_m, sizeof(for_m), avoid);
    b->b = pick(for_b, sizeof(for_b), (uint16_t)(avoid | 1u << b->m));
    block_store(b, RCX, HOT(spill_rcx));
    block_store(b, b->m, HOT(spill_m));
    block_store(b, b->b, HOT(spill_b));
}

void block_restore_rcx_b(struct block_emit *b)
{
    block_load(b, RCX, HOT(spill_rcx));
    block_load(b, b->b, HOT(spill_b));
    b->b = NO_REGISTER;
}

void block_restore_m(struct block_emit *b)
{
    block_load(b, b->m, HOT(spill_m));
    b->m = NO_REGISTER;
}

void block_restore_all(struct block_emit *b)
{
    block_restore_rcx_b(b);
    block_restore_m(b);
}

void block_lea(struct block_emit *b, unsigned to, const struct insn *insn,
               const ZydisDecodedOperand *memory)
{
    bool wide = insn->insn.address_width == 64;
    int base = gpr(memory->mem.base), index = gpr(memory->mem.index);
    int64_t disp = memory->mem.disp.value;
    if (memory->mem.base == ZYDIS_REGISTER_RIP || memory->mem.base == ZYDIS_REGISTER_EIP) {
        uint64_t address = b->rip + insn->insn.length + (uint64_t)disp;
        block_constant(b, to, wide ? address : (uint32_t)address);
        return;
    }
    if (base < 0 && index < 0) {
        block_constant(b, to, wide ? (uint64_t)disp : (uint32_t)disp);
        return;
    }
    if (base == RSP) {
        block_load(b, to, HOT(guest_rsp)); /* to is not the index: the caller saw to it */
        base = (int)to;
    }
    emit_lea_full(&b->e, wide, to, base, index, memory->mem.scale, (int32_t)disp);
}

void block_address(struct block_emit *b, const struct insn *insn, const ZydisDecodedOperand *memory)
{
    ZydisRegister segment = memory->mem.segment;
    block_lea(b, b->m, insn, memory);
    if (segment == ZYDIS_REGISTER_FS || segment == ZYDIS_REGISTER_GS) {
        block_load(b, b->b,
                   segment == ZYDIS_REGISTER_GS ? b->translate->gs_disp : b->translate->fs_disp);
        emit_lea_sum(&b->e, b->m, b->m, b->b, 0);
    }
}

void block_translate(struct block_emit *b, unsigned bytes, bool write)
{
    const struct translate_tlb *tlb = &b->translate->config.tlb;
    int32_t entry = b->translate->tlb_disp[b->mode & TRANSLATE_SPACE];
    emit_pext(&b->e, b->b, b->m, HOT(mask_index));
    emit_lea_full(&b->e, true, b->b, -1, (int)b->b, TRANSLATE_TLB_ENTRY / 8, 0);
    emit_load_indexed(&b->e, RCX, b->b, entry + (write ? tlb->write : tlb->read));
    emit_load_indexed(&b->e, b->b, b->b, entry + tlb->host);
    emit_lea_sum(&b->e, RCX, RCX, b->m, (int32_t)bytes - 1);
    emit_pext(&b->e, RCX, RCX, HOT(mask_page));
    emit_unless_zero(b, SITE_STEP, b->rip, b->done);
    emit_lea_sum(&b->e, b->m, b->m, b->b, 0);
}

void block_put(struct block_emit *b, unsigned reg)
{
    emit_store(&b->e, reg, b->m, 0);
}

void block_get(struct block_emit *b, unsigned reg)
{
    emit_load(&b->e, reg, b->m, 0);
}

void block_lea_disp(struct block_emit *b, unsigned to, unsigned from, int32_t disp)
{
    emit_lea(&b->e, to, from, disp);
}

void block_stack_address(struct block_emit *b, int32_t bytes)
{
    block_load(b, b->m, HOT(guest_rsp));
    if (bytes)
        emit_lea(&b->e, b->m, b->m, bytes);
}

void block_move_stack(struct block_emit *b, int32_t bytes)
{
    block_load(b, b->b, HOT(guest_rsp));
    emit_lea(&b->e, b->b, b->b, bytes);
    block_store(b, b->b, HOT(guest_rsp));
}

void block_find(struct block_emit *b)
{
    emit_pext(&b->e, b->b, b->m, HOT(mask_hash));
    emit_lea_sum(&b->e, b->b, b->b, b->b, 0);
    block_load(b, RCX, HOT(hash));
    emit_lea_full(&b->e, true, b->b, RCX, (int)b->b, 8, 0);
    emit_load(&b->e, RCX, b->b, 0);
    emit_lea_sum(&b->e, RCX, RCX, b->m, 0);
    emit_unless_zero(b, SITE_STEP, b->rip, b->done);
    emit_load(&b->e, RCX, b->b, 8);
    block_store(b, RCX, HOT(value));
}

void block_jump(struct block_emit *b)
{
    block_restore_all(b);
    emit_bytes(&b->e, "\xff\x64\x24", 3); /* jmp [rsp + value] */
    emit1(&b->e, (unsigned)HOT(value));
}

/* rbx, rbp, r12 to r15 */
#define CALLEE_SAVED 0xf028u

/* void enter(struct translate_hot *rdi, const void *code rsi) */
void translate_emit_enter(struct emit *e)
{
    for (unsigned id = 0; id < 16; id++)
        if (CALLEE_SAVED >> id & 1)
            emit_push(e, id);
    emit_store(e, RSP, RDI, HOT(host_rsp));
    emit_store(e, RSI, RDI, HOT(value));
    emit_move(e, RSP, RDI);
    emit_load(e, RAX, RSP, GPR_DISP(RSP));
    emit_store(e, RAX, RSP, HOT(guest_rsp));
    emit1(e, 0x0f); /* movzx eax, word [rsp + flags]; add al, 7f; sahf */
    emit1(e, 0xb7);
    emit_address(e, RAX, RSP, STATE_DISP + FLAGS_DISP);
    emit_bytes(e, "\x04\x7f\x9e", 3);
    for (unsigned id = 0; id < 16; id++)
        if (id != RSP)
            emit_load(e, id, RSP, GPR_DISP(id));
    emit_bytes(e, "\xff\x64\x24", 3); /* jmp [rsp + value] */
    emit1(e, (unsigned)HOT(value));
}

/* Where blocks jump when they are left. */
void translate_emit_leave(struct emit *e)
{
    for (unsigned id = 0; id < 16; id++)
        if (id != RSP)
            emit_store(e, id, RSP, GPR_DISP(id));
    emit_load(e, RAX, RSP, HOT(guest_rsp));
    emit_store(e, RAX, RSP, GPR_DISP(RSP));
    emit_bytes(e, "\x9f\x0f\x90\xc0\x66\x89", 6); /* lahf; seto al; mov [rsp + flags], ax */
    emit_address(e, RAX, RSP, STATE_DISP + FLAGS_DISP);
    emit_load(e, RCX, RSP, HOT(floats));
    emit_bytes(e, "\xe3", 1); /* jrcxz over what gives the host its MXCSR back */
    uint8_t *skip = e->at;
    emit1(e, 0);
    emit_stmxcsr(e, RSP, MXCSR_DISP);
    emit_ldmxcsr(e, RSP, HOST_MXCSR_DISP);
    *skip = (uint8_t)(e->at - skip - 1);
    emit_bytes(e, "\xc5\xf8\x77", 3); /* vzeroupper: hosts with BMI2 have AVX */
    emit_load(e, RSP, RSP, HOT(host_rsp));
    for (unsigned id = 16; id-- > 0;)
        if (CALLEE_SAVED >> id & 1)
            emit_pop(e, id);
    emit1(e, 0xc3);
}
