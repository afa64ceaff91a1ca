/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flat.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MODE (TRANSLATE_SSE | TRANSLATE_AVX | TRANSLATE_AVX512)

struct step {
    struct flat *flat;
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    uint8_t bytes[15];
    uint64_t next;
};

static int fault(struct flat *flat, int vector)
{
    flat->vector = vector;
    return FLAT_FAULT;
}

void flat_flush(struct flat *flat)
{
    for (unsigned i = 0; i < 1 << FLAT_TLB_BITS; i++)
        flat->tlb[i].negative_read = flat->tlb[i].negative_write = TRANSLATE_NO_PAGE;
}

static void remember(struct flat *flat, uint64_t address, bool write)
{
    struct flat_tlb_entry *entry = &flat->tlb[address >> 12 & ((1 << FLAT_TLB_BITS) - 1)];
    uint64_t negative = 0 - (address & ~(uint64_t)4095);
    if (flat->no_tlb)
        return;
    if (entry->negative_read != negative)
        entry->negative_write = TRANSLATE_NO_PAGE;
    entry->negative_read = negative;
    if (write)
        entry->negative_write = negative;
    entry->host = (uint64_t)(uintptr_t)flat->memory - FLAT_BASE;
}

/* The host's address of guest memory; NULL: there is none.  Pages of code lose their blocks. */
static uint8_t *reach(struct flat *flat, uint64_t address, unsigned bytes, bool write)
{
    uint64_t offset = address - FLAT_BASE;
    if (offset >= flat->bytes || flat->bytes - offset < bytes)
        return NULL;
    for (uint64_t page = offset >> 12; write && page <= (offset + bytes - 1) >> 12; page++) {
        if (flat->is_code[page] && flat->translate)
            translate_forget_frame(flat->translate, page);
        flat->is_code[page] = 0;
    }
    remember(flat, address, write);
    return flat->memory + offset;
}

static int gpr_id(ZydisRegister reg)
{
    return reg == ZYDIS_REGISTER_NONE ? -1
                                      : ZydisRegisterGetId(ZydisRegisterGetLargestEnclosing(
                                            ZYDIS_MACHINE_MODE_LONG_64, reg));
}

static uint64_t effective(const struct step *s, const ZydisDecodedOperand *memory, bool segment)
{
    const struct flat *flat = s->flat;
    uint64_t address = (uint64_t)memory->mem.disp.value;
    int index = gpr_id(memory->mem.index);
    if (memory->mem.base == ZYDIS_REGISTER_RIP || memory->mem.base == ZYDIS_REGISTER_EIP)
        address += s->next;
    else if (memory->mem.base != ZYDIS_REGISTER_NONE)
        address += flat->native.gpr[gpr_id(memory->mem.base)];
    if (index >= 0)
        address += flat->native.gpr[index] * memory->mem.scale;
    if (s->insn.address_width == 32)
        address = (uint32_t)address;
    if (segment && memory->mem.segment == ZYDIS_REGISTER_FS)
        address += flat->fs_base;
    if (segment && memory->mem.segment == ZYDIS_REGISTER_GS)
        address += flat->gs_base;
    return address;
}

static int run_native(struct step *s)
{
    struct flat *flat = s->flat;
    const struct native_thunk *thunk;
    uint8_t *operand = NULL;
    if (native_compile(flat->cache, &s->insn, s->operands, s->bytes, &thunk) != 0)
        return fault(flat, 6);
    for (unsigned i = 0; i < s->insn.operand_count && thunk->access; i++) {
        if (s->operands[i].type != ZYDIS_OPERAND_TYPE_MEMORY)
            continue;
        int64_t moved =
            thunk->bit_register < 0
                ? 0
                : native_bit_displacement(&s->insn, (unsigned)thunk->bit_register, &flat->native);
        operand = reach(flat, effective(s, &s->operands[i], true) + (uint64_t)moved, thunk->bytes,
                        thunk->access & NATIVE_WRITES);
        if (!operand)
            return fault(flat, 14);
        operand -= moved;
    }
    int result = native_run(thunk, &flat->native, operand);
    if (result)
        return fault(flat, NATIVE_FAULT_VECTOR(result));
    flat->rip = s->next;
    return 0;
}

/* CF 1, ZF 40, SF 80, OF 800, PF 4; the four low bits of the opcode name the condition. */
static bool condition(const struct flat *flat, unsigned code)
{
    uint64_t f = native_rflags(&flat->native);
    bool cf = f & 1, zf = f & 0x40, sf = f & 0x80, of = f & 0x800, pf = f & 4;
    bool value[] = {of, cf, zf, cf || zf, sf, pf, sf != of, zf || sf != of};
    return value[code >> 1 & 7] != (code & 1);
}

/* A 64-bit operand of control flow or the stack. */
static int read_operand(struct step *s, const ZydisDecodedOperand *operand, uint64_t *value)
{
    uint8_t *memory;
    switch (operand->type) {
    case ZYDIS_OPERAND_TYPE_IMMEDIATE:
        *value = (uint64_t)operand->imm.value.s + (operand->imm.is_relative ? s->next : 0);
        return 0;
    case ZYDIS_OPERAND_TYPE_REGISTER:
        *value = s->flat->native.gpr[gpr_id(operand->reg.value)];
        return 0;
    default:
        memory = reach(s->flat, effective(s, operand, true), 8, false);
        if (!memory)
            return fault(s->flat, 14);
        memcpy(value, memory, 8);
        return 0;
    }
}

static int push(struct step *s, uint64_t value, uint64_t next)
{
    struct flat *flat = s->flat;
    uint8_t *stack = reach(flat, flat->native.gpr[4] - 8, 8, true);
    if (!stack)
        return fault(flat, 14);
    memcpy(stack, &value, 8);
    flat->native.gpr[4] -= 8;
    flat->rip = next;
    return 0;
}

static int pop(struct step *s, uint64_t address, uint64_t *value)
{
    uint8_t *stack = reach(s->flat, address, 8, false);
    if (!stack)
        return fault(s->flat, 14);
    memcpy(value, stack, 8);
    s->flat->native.gpr[4] = address + 8;
    return 0;
}

static int do_ret(struct step *s)
{
    uint64_t target;
    int result = pop(s, s->flat->native.gpr[4], &target);
    if (result)
        return result;
    if (s->operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
        s->flat->native.gpr[4] += s->operands[0].imm.value.u;
    s->flat->rip = target;
    return 0;
}

static int do_stack(struct step *s)
{
    struct flat *flat = s->flat;
    uint64_t value = 0;
    int result;
    switch (s->insn.mnemonic) {
    case ZYDIS_MNEMONIC_POP:
        result = pop(s, flat->native.gpr[4], &value);
        if (result == 0)
            flat->native.gpr[gpr_id(s->operands[0].reg.value)] = value;
        break;
    case ZYDIS_MNEMONIC_LEAVE:
        result = pop(s, flat->native.gpr[5], &value);
        if (result == 0)
            flat->native.gpr[5] = value;
        break;
    default:
        result = read_operand(s, &s->operands[0], &value);
        return result ? result : push(s, value, s->next);
    }
    if (result == 0)
        flat->rip = s->next;
    return result;
}

static int do_branch(struct step *s)
{
    uint64_t target;
    int result = read_operand(s, &s->operands[0], &target);
    if (result)
        return result;
    if (s->insn.mnemonic == ZYDIS_MNEMONIC_CALL)
        return push(s, s->next, target);
    if (s->insn.meta.category == ZYDIS_CATEGORY_COND_BR && !condition(s->flat, s->insn.opcode))
        target = s->next;
    s->flat->rip = target;
    return 0;
}

static int do_lea(struct step *s)
{
    uint64_t *to = &s->flat->native.gpr[gpr_id(s->operands[0].reg.value)];
    uint64_t address = effective(s, &s->operands[1], false);
    if (s->operands[0].size == 16)
        *to = (*to & ~(uint64_t)0xffff) | (uint16_t)address;
    else
        *to = s->operands[0].size == 32 ? (uint32_t)address : address;
    s->flat->rip = s->next;
    return 0;
}

static int execute(struct step *s)
{
    switch (s->insn.mnemonic) {
    case ZYDIS_MNEMONIC_INT3:
        return FLAT_STOPPED;
    case ZYDIS_MNEMONIC_LEA:
        return do_lea(s);
    case ZYDIS_MNEMONIC_RET:
        return do_ret(s);
    case ZYDIS_MNEMONIC_PUSH:
    case ZYDIS_MNEMONIC_POP:
    case ZYDIS_MNEMONIC_LEAVE:
        return do_stack(s);
    case ZYDIS_MNEMONIC_NOP:
    case ZYDIS_MNEMONIC_ENDBR64:
        s->flat->rip = s->next;
        return 0;
    case ZYDIS_MNEMONIC_CALL:
    case ZYDIS_MNEMONIC_JMP:
        return do_branch(s);
    default:
        return s->insn.meta.category == ZYDIS_CATEGORY_COND_BR ? do_branch(s) : run_native(s);
    }
}

int flat_step(struct flat *flat, unsigned *finished)
{
    struct step s = {.flat = flat};
    uint64_t left = FLAT_BASE + flat->bytes - flat->rip;
    unsigned bytes = left < 15 ? (unsigned)left : 15;
    uint8_t *code = reach(flat, flat->rip, 1, false);
    *finished = 0;
    if (!code)
        return fault(flat, 14);
    memcpy(s.bytes, code, bytes);
    if (!ZYAN_SUCCESS(native_decode(&flat->decoder, s.bytes, bytes, &s.insn, s.operands)))
        return fault(flat, 6);
    s.next = flat->rip + s.insn.length;
    int result = execute(&s);
    *finished = result == 0;
    return result;
}

static int fetch(void *ctx, uint64_t rip, const uint8_t **code, unsigned *bytes, uint64_t *frame)
{
    struct flat *flat = ctx;
    uint8_t *at = reach(flat, rip, 1, false);
    if (!at)
        return -1;
    *code = at;
    *bytes = 4096 - (rip & 4095);
    *frame = (rip - FLAT_BASE) >> 12;
    return 0;
}

static void covers(void *ctx, uint64_t rip, unsigned bytes, uint64_t frame)
{
    struct flat *flat = ctx;
    (void)bytes;
    flat->is_code[frame] = 1;
    flat->tlb[rip >> 12 & ((1 << FLAT_TLB_BITS) - 1)].negative_write = TRANSLATE_NO_PAGE;
}

static int create_translator(struct flat *flat)
{
    const struct translate_config config = {
        .cache = flat->cache,
        .state = &flat->native,
        .rip = &flat->rip,
        .left = &flat->left,
        .fs_base = &flat->fs_base,
        .gs_base = &flat->gs_base,
        .tlb = {{flat->tlb, flat->tlb, flat->tlb},
                FLAT_TLB_BITS,
                offsetof(struct flat_tlb_entry, negative_read),
                offsetof(struct flat_tlb_entry, negative_write),
                offsetof(struct flat_tlb_entry, host)},
        .fetch = fetch,
        .covers = covers,
        .ctx = flat,
    };
    return translate_create(&config, &flat->translate);
}

struct flat *flat_create(uint64_t bytes, bool with_translator)
{
    struct flat *flat = native_state_allocate(sizeof(*flat));
    if (!flat)
        return NULL;
    native_state_init(&flat->native);
    flat_flush(flat);
    ZydisDecoderInit(&flat->decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    flat->bytes = bytes;
    flat->memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    flat->is_code = calloc(bytes >> 12, 1);
    if (flat->memory == MAP_FAILED || !flat->is_code || native_cache_create(&flat->cache, 0) != 0 ||
        (with_translator && create_translator(flat) != 0)) {
        flat_destroy(flat);
        return NULL;
    }
    return flat;
}

void flat_destroy(struct flat *flat)
{
    if (!flat)
        return;
    translate_destroy(flat->translate);
    native_cache_destroy(flat->cache);
    if (flat->memory != MAP_FAILED)
        munmap(flat->memory, flat->bytes);
    free(flat->is_code);
    native_state_free(flat, sizeof(*flat));
}

int flat_run(struct flat *flat, uint64_t budget, uint64_t *done)
{
    int result = native_enter(flat->cache);
    *done = 0;
    if (result)
        return result;
    for (flat->left = (int64_t)budget; flat->left && result == 0;) {
        enum translate_end end = TRANSLATE_STEP;
        unsigned finished;
        if (flat->translate)
            end = translate_run(flat->translate, MODE);
        do {
            if (flat->left == 0)
                break;
            result = flat_step(flat, &finished);
            flat->steps++;
            flat->left -= finished;
        } while (end == TRANSLATE_SHORT && result == 0);
    }
    *done = budget - (uint64_t)flat->left;
    native_leave(flat->cache);
    return result;
}
