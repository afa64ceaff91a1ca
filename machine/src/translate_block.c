/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making, finding, chaining and forgetting blocks. */
#include "translate_internal.h"

#include <stdlib.h>
#include <string.h>

/* What the largest block can take. */
#define BLOCK_ROOM 32768u

bool translate_grow(void *array, uint32_t count, uint32_t *room, size_t element)
{
    void *old;
    if (count < *room)
        return true;
    memcpy(&old, array, sizeof(old));
    uint32_t wanted = *room ? *room * 2 : 1024;
    void *grown = realloc(old, wanted * element);
    if (!grown)
        return false;
    memcpy(array, &grown, sizeof(grown));
    *room = wanted;
    return true;
}

uint32_t translate_offset(const struct translate *translate, const uint8_t *at)
{
    return (uint32_t)(at - translate->writable);
}

/* There is room: translate_block() made it before it began. */
uint32_t translate_add_site(struct translate *translate, const struct translate_site *site)
{
    translate->sites[translate->site_count] = *site;
    return translate->site_count++;
}

static bool make_room(struct translate *translate)
{
    const uint32_t sites = 6 * MAX_BLOCK_INSNS; /* no instruction has more than 4 */
    return translate_grow(&translate->sites, translate->site_count + sites, &translate->site_room,
                          sizeof(*translate->sites)) &&
           translate_grow(&translate->blocks, translate->block_count, &translate->block_room,
                          sizeof(*translate->blocks)) &&
           translate_grow(&translate->faults, translate->fault_count + MAX_BLOCK_INSNS,
                          &translate->fault_room, sizeof(*translate->faults));
}

static size_t bucket_of(uint64_t rip, unsigned mode)
{
    return (size_t)((rip ^ rip >> 14 ^ (uint64_t)mode << 7) & (BUCKETS - 1));
}

static size_t frame_bucket(uint64_t frame)
{
    return (size_t)((frame ^ frame >> 6 ^ frame >> 20) & (BUCKETS - 1));
}

struct translate_block *translate_find_block(struct translate *translate, uint64_t rip,
                                             uint64_t frame, unsigned mode)
{
    uint32_t number = translate->buckets[bucket_of(rip, mode)];
    while (number) {
        struct translate_block *block = &translate->blocks[number - 1];
        if (!block->dead && block->rip == rip && block->frame == frame && block->mode == mode)
            return block;
        number = block->next;
    }
    return NULL;
}

/* Instructions that only the interpreter knows and that go elsewhere: what follows them may be no
 * code. */
static bool leads_away(const ZydisDecodedInstruction *insn)
{
    switch (insn->meta.category) {
    case ZYDIS_CATEGORY_CALL:
    case ZYDIS_CATEGORY_COND_BR:
    case ZYDIS_CATEGORY_INTERRUPT:
    case ZYDIS_CATEGORY_RET:
    case ZYDIS_CATEGORY_SYSCALL:
    case ZYDIS_CATEGORY_SYSRET:
    case ZYDIS_CATEGORY_UNCOND_BR:
        return true;
    default:
        return insn->mnemonic == ZYDIS_MNEMONIC_UD0 || insn->mnemonic == ZYDIS_MNEMONIC_UD1 ||
               insn->mnemonic == ZYDIS_MNEMONIC_UD2 || insn->mnemonic == ZYDIS_MNEMONIC_HLT;
    }
}

/* Where the block was left in the instruction, it goes on here once that has been interpreted. */
static void resume_here(struct block_emit *b, uint32_t site, unsigned fault, unsigned length)
{
    struct translate *translate = b->translate;
    uint32_t here = translate_offset(translate, b->e.at);
    for (; site < translate->site_count; site++) {
        translate->sites[site].resume = here;
        translate->sites[site].length = (uint8_t)length;
    }
    for (; fault < b->fault_count; fault++) {
        b->faults[fault].resume = here;
        b->faults[fault].length = (uint8_t)length;
    }
}

/* One instruction; leaves for the interpreter if there is no other way. */
static enum outcome emit_insn(struct block_emit *b, const struct insn *insn)
{
    uint32_t site = b->translate->site_count;
    unsigned fault = b->fault_count;
    enum outcome outcome = translate_insn(b, insn);
    if (outcome == OUTCOME_UNKNOWN) {
        block_leave(b, SITE_STEP, b->rip, b->done);
        outcome = leads_away(&insn->insn) ? OUTCOME_END : OUTCOME_NEXT;
    }
    if (outcome == OUTCOME_NEXT)
        resume_here(b, site, fault, insn->insn.length);
    return outcome;
}

/* Instructions until one ends the block, or the page does, or it is long enough. */
static void emit_insns(struct block_emit *b, const uint8_t *code, unsigned bytes)
{
    uint64_t first = b->rip;
    enum outcome outcome = OUTCOME_NEXT;
    struct insn insn;
    while (outcome == OUTCOME_NEXT && b->done < MAX_BLOCK_INSNS) {
        unsigned at = (unsigned)(b->rip - first);
        insn.bytes = code + at;
        if (at >= bytes || !ZYAN_SUCCESS(native_decode(&b->translate->decoder, insn.bytes,
                                                       bytes - at, &insn.insn, insn.operands))) {
            block_leave(b, SITE_STEP, b->rip, b->done);
            return;
        }
        outcome = emit_insn(b, &insn);
        b->done++;
        b->source_bytes = at + insn.insn.length;
        if (outcome == OUTCOME_NEXT)
            b->rip += insn.insn.length;
    }
    if (outcome == OUTCOME_NEXT)
        block_leave(b, SITE_BRANCH, b->rip, b->done);
}

static void emit_fault_exits(struct block_emit *b)
{
    struct translate *translate = b->translate;
    for (unsigned i = 0; i < b->fault_count; i++) {
        const struct fault_exit *fault = &b->faults[i];
        struct fault_site *site = &translate->faults[translate->fault_count++];
        site->offset = fault->offset;
        site->stub = translate_offset(translate, b->e.at);
        b->m = fault->m;
        b->r = fault->r;
        block_leave(b, SITE_STEP, fault->rip, fault->done);
        translate->sites[translate->site_count - 1].resume = fault->resume;
        translate->sites[translate->site_count - 1].length = fault->length;
    }
}

static void begin(struct block_emit *b, struct translate *translate, uint64_t rip, unsigned mode,
                  bool floats)
{
    memset(b, 0, offsetof(struct block_emit, faults));
    b->translate = translate;
    b->start = translate->writable + translate->code_used;
    b->e.at = b->start;
    b->rip = rip;
    b->mode = mode;
    b->block = translate->block_count;
    b->first_site = translate->site_count;
    b->m = b->b = b->r = NO_REGISTER;
    b->floats = floats;
    block_begin(b);
}

/* Now that the block's length is known: what it takes off the budget, and what sites give back. */
static void settle(struct block_emit *b)
{
    struct translate *translate = b->translate;
    int32_t count = -(int32_t)b->done;
    memcpy(b->start + b->count_slot, &count, sizeof(count));
    for (uint32_t i = b->first_site; i < translate->site_count; i++)
        translate->sites[i].refund = (uint16_t)(b->done - translate->sites[i].refund);
}

static void enlist(struct translate *translate, const struct translate_block *block)
{
    uint32_t *bucket = &translate->buckets[bucket_of(block->rip, block->mode)];
    uint32_t *in_frame = &translate->frames[frame_bucket(block->frame)];
    struct translate_block *stored = &translate->blocks[translate->block_count];
    *stored = *block;
    stored->next = *bucket;
    stored->next_in_frame = *in_frame;
    *bucket = *in_frame = ++translate->block_count;
    translate->counters.blocks++;
}

struct translate_block *translate_block(struct translate *translate, uint64_t rip, unsigned mode,
                                        const uint8_t *code, unsigned bytes, uint64_t frame)
{
    struct block_emit b;
    if (translate->config.code_bytes - translate->code_used < BLOCK_ROOM)
        translate_reset(translate);
    if (!make_room(translate))
        return NULL;
    begin(&b, translate, rip, mode, false);
    emit_insns(&b, code, bytes);
    if (b.wants_floats) {
        translate->site_count = b.first_site;
        begin(&b, translate, rip, mode, true);
        emit_insns(&b, code, bytes);
    }
    emit_fault_exits(&b);
    struct translate_block block = {.rip = rip,
                                    .frame = frame,
                                    .mode = (uint8_t)mode,
                                    .floats = b.floats,
                                    .start = translate_offset(translate, b.start),
                                    .end = translate_offset(translate, b.e.at)};
    struct translate_site dead = {.rip = rip,
                                  .kind = SITE_DEAD,
                                  .m = NO_REGISTER,
                                  .b = NO_REGISTER,
                                  .r = NO_REGISTER,
                                  .block = b.block};
    settle(&b);
    block.dead_site = translate_add_site(translate, &dead);
    translate->code_used = (block.end + 15) & ~15u;
    enlist(translate, &block);
    if (b.source_bytes)
        translate->config.covers(translate->config.ctx, rip, b.source_bytes, frame);
    return &translate->blocks[translate->block_count - 1];
}

/* Have code leave at this offset, where blocks begin or leave. */
static void put_site(struct translate *translate, uint32_t offset, uint32_t number)
{
    struct emit e = {translate->writable + offset};
    emit_leave(&e, number, translate->leave - (offset + SITE_BYTES));
}

/* Have it go elsewhere. */
static void put_jump(struct translate *translate, uint32_t offset, uint32_t to)
{
    struct emit e = {translate->writable + offset};
    emit1(&e, 0xe9);
    emit4(&e, to - (offset + 5));
}

void translate_chain(struct translate *translate, uint32_t site, uint64_t rip, uint64_t code)
{
    const struct translate_site *from = &translate->sites[site];
    bool crosses = (translate->blocks[from->block].rip ^ rip) >> 12 != 0;
    if (crosses) {
        if (!translate_grow(&translate->crossing, translate->crossing_count,
                            &translate->crossing_room, sizeof(*translate->crossing)))
            return;
        translate->crossing[translate->crossing_count++] = site;
    }
    put_jump(translate, from->offset,
             (uint32_t)(code - (uint64_t)(uintptr_t)translate->executable));
    translate->counters.chained++;
}

void translate_unchain(struct translate *translate)
{
    for (uint32_t i = 0; i < translate->crossing_count; i++)
        put_site(translate, translate->sites[translate->crossing[i]].offset,
                 translate->crossing[i]);
    translate->crossing_count = 0;
}

void translate_forget_frame(struct translate *translate, uint64_t frame)
{
    uint32_t *link = &translate->frames[frame_bucket(frame)];
    while (*link) {
        struct translate_block *block = &translate->blocks[*link - 1];
        if (block->frame != frame) {
            link = &block->next_in_frame;
            continue;
        }
        block->dead = true;
        put_site(translate, block->start, block->dead_site);
        *link = block->next_in_frame;
    }
}
