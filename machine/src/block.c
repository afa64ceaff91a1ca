/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decoded code, in blocks, by where it lies and in what mode it runs. */
#include "state.h"
#include "translate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RECENT_BITS 12
#define HASH_BITS 16
#define CHUNK_BYTES (1u << 20)
#define CHUNKS_MAX 96u /* then everything is forgotten */
#define LINE_SHIFT 6

struct chunk {
    struct chunk *next;
    size_t used;
    _Alignas(64) uint8_t data[CHUNK_BYTES];
};

/* Blocks stay in memory until everything is forgotten: what still points to one sees it invalid. */
struct code_cache {
    struct block *recent[1u << RECENT_BITS];
    struct block *hash[1u << HASH_BITS];
    struct chunk *chunks;
    unsigned chunk_count;
    struct block *draft; /* BLOCK_INSNS long */
};

int code_create(struct code_cache **out)
{
    struct code_cache *code = calloc(1, sizeof *code);

    if (!code)
        return -ENOMEM;
    code->draft = aligned_alloc(
        64, (sizeof *code->draft + (BLOCK_INSNS + 1) * sizeof(struct insn) + 63) & ~(size_t)63);
    if (!code->draft) {
        free(code);
        return -ENOMEM;
    }
    *out = code;
    return 0;
}

static void free_chunks(struct code_cache *code)
{
    while (code->chunks) {
        struct chunk *next = code->chunks->next;
        free(code->chunks);
        code->chunks = next;
    }
    code->chunk_count = 0;
}

void code_destroy(struct code_cache *code)
{
    if (!code)
        return;
    free_chunks(code);
    free(code->draft);
    free(code);
}

void *code_alloc(struct xrw_machine *m, size_t bytes)
{
    struct code_cache *code = m->code;
    struct chunk *chunk = code->chunks;

    bytes = (bytes + 63) & ~(size_t)63;
    if (!chunk || chunk->used + bytes > CHUNK_BYTES) {
        chunk = aligned_alloc(64, sizeof *chunk);
        if (!chunk)
            leave_error(m, -ENOMEM);
        chunk->next = code->chunks;
        chunk->used = 0;
        code->chunks = chunk;
        code->chunk_count++;
    }
    chunk->used += bytes;
    return chunk->data + chunk->used - bytes;
}

/* ---- Forgetting ---- */

static struct block **next_slot(struct block *block, const struct frame *frame)
{
    return &block->next_in_frame[block->frame[0] == frame ? 0 : 1];
}

static void unlink_block(struct block *block, unsigned k)
{
    struct frame *frame = block->frame[k];
    struct block **link;

    if (!frame || (k && frame == block->frame[0]))
        return;
    for (link = &frame->blocks; *link && *link != block;)
        link = next_slot(*link, frame);
    if (*link)
        *link = block->next_in_frame[k];
}

/* Stop it where it runs, and never find it again. */
static void block_kill(struct block *block)
{
    unlink_block(block, 1);
    unlink_block(block, 0);
    block->frame[0] = block->frame[1] = NULL;
    block->valid = false;
    for (unsigned i = 0; i <= block->slots; i++)
        block->insn[i].op = op_leave_block;
}

void code_interrupt(struct xrw_machine *m)
{
    m->attention |= ATTENTION_STOP;
    m->may_chain = false;
    if (m->executing && m->block && m->insn != m->single)
        block_kill(m->block);
}

void frame_forget_code(struct frame *frame)
{
    while (frame->blocks)
        block_kill(frame->blocks);
    frame->code_lines = 0;
    if (frame->translate)
        translate_forget_frame(frame->translate, (uint64_t)(uintptr_t)frame);
    frame->translate = NULL;
}

/* A frame that holds translated code and no decoded code keeps its lines marked: no harm. */
void code_flush(struct xrw_machine *m)
{
    struct code_cache *code = m->code;

    for (unsigned i = 0; i < 1u << HASH_BITS; i++)
        for (struct block *b = code->hash[i]; b; b = b->next_in_hash)
            for (unsigned k = 0; k < 2; k++)
                if (b->valid && b->frame[k]) {
                    b->frame[k]->blocks = NULL;
                    b->frame[k]->code_lines = 0;
                }
    memset(code->recent, 0, sizeof code->recent);
    memset(code->hash, 0, sizeof code->hash);
    free_chunks(code);
    native_cache_reset(m->native);
    if (m->translate)
        translate_reset(m->translate);
    m->want_link = NULL;
    m->block = NULL;
}

void code_flush_if_any(struct xrw_machine *m)
{
    if (m->code && m->native)
        code_flush(m);
}

static uint64_t lines(unsigned offset, unsigned bytes)
{
    unsigned first = offset >> LINE_SHIFT, last = (offset + bytes - 1) >> LINE_SHIFT;

    return (UINT64_MAX >> (63 - (last - first))) << first;
}

void code_touch(struct xrw_machine *m, struct frame *frame, unsigned offset, unsigned bytes)
{
    (void)m;
    if (LIKELY(!(frame->code_lines & lines(offset, bytes))))
        return;
    frame_forget_code(frame);
}

/* ---- Finding ---- */

static unsigned hash_of(uint64_t rip, uint32_t mode, unsigned bits)
{
    uint64_t key = rip ^ (uint64_t)mode << 40;

    return (unsigned)((key * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - bits));
}

static uint64_t code_linear(const struct xrw_machine *m)
{
    return is_long(m) ? m->rip : (m->seg[SEG_CS].base + m->rip) & 0xffffffffu;
}

static struct tlb_entry *fetch(struct xrw_machine *m, uint64_t linear)
{
    struct tlb_entry *e =
        &mmu_tlb(m, ACCESS_EXECUTE)->entry[linear >> XRW_PAGE_SHIFT & (TLB_ENTRIES - 1)];

    if (LIKELY((linear ^ e->execute) < XRW_PAGE_BYTES))
        return e;
    e = mmu_fill(m, SEG_CS, linear, ACCESS_EXECUTE);
    if (!e)
        apic_access(m, linear, 1, ACCESS_EXECUTE); /* exits */
    return e;
}

/* Have the frames know of a block in them. */
static void enter(struct xrw_machine *m, struct block *block)
{
    unsigned offset = (unsigned)(block->linear % XRW_PAGE_BYTES);
    unsigned room = XRW_PAGE_BYTES - offset;
    unsigned first = block->bytes < room ? block->bytes : room;

    for (unsigned k = 0; k < 2 && block->frame[k]; k++) {
        struct frame *frame = block->frame[k];

        if (!frame->code_lines)
            mmu_no_write(m, frame);
        frame->code_lines |= k ? lines(0, block->bytes - first) : lines(offset, first);
        if (k && frame == block->frame[0])
            break;
        block->next_in_frame[k] = frame->blocks;
        frame->blocks = block;
    }
}

/* The next instruction's place in the draft; with hooks one goes before it. */
static struct insn *insn_slot(struct block *block)
{
    if (block->mode & MODE_HOOKED)
        block->slots++;
    return &block->insn[block->slots];
}

static void add_insn(struct block *block, struct insn *insn)
{
    insn->position = (uint8_t)block->count;
    if (block->mode & MODE_HOOKED)
        insn[-1] = (struct insn){.op = op_hook, .rip = insn->rip, .position = insn->position};
    block->slots++;
    block->count++;
    block->bytes = (uint16_t)(block->bytes + insn->length);
}

/* One instruction across two pages. */
static void decode_crossing(struct xrw_machine *m, struct block *block, const uint8_t *first,
                            unsigned room, uint64_t linear)
{
    uint8_t joined[16] = {0};
    uint64_t next = linear + room;
    const struct tlb_entry *e;
    struct insn *insn;

    if (!is_long(m))
        next &= 0xffffffffu;
    e = fetch(m, next);
    memcpy(joined, first, room);
    memcpy(joined + room, (const uint8_t *)(uintptr_t)(next + e->host), 15 - room);
    block->frame[1] = e->frame;
    insn = insn_slot(block);
    decode_insn(m, (struct code_bytes){joined, 15}, m->rip, insn);
    add_insn(block, insn);
}

static void decode_block(struct xrw_machine *m, struct block *block, const uint8_t *code,
                         unsigned room)
{
    unsigned most = block->mode & MODE_SINGLE ? 1 : BLOCK_INSNS;

    while (block->slots + 2u <= BLOCK_INSNS && block->count < most) {
        unsigned left = room - block->bytes, slots = block->slots;
        struct insn *insn = insn_slot(block);

        if (!left || decode_insn(m, (struct code_bytes){code + block->bytes, left < 15 ? left : 15},
                                 block->rip + block->bytes, insn) == -EAGAIN) {
            block->slots = (uint16_t)slots;
            break;
        }
        add_insn(block, insn);
        if (insn->traits & INSN_ENDS)
            break;
    }
}

static struct block *make(struct xrw_machine *m, uint64_t linear, uint32_t mode)
{
    struct tlb_entry e = *fetch(m, linear);
    unsigned room = XRW_PAGE_BYTES - (unsigned)(linear % XRW_PAGE_BYTES);
    const uint8_t *code = (const uint8_t *)(uintptr_t)(linear + e.host);
    struct block *block, *draft = m->code->draft;
    size_t bytes;

    if (m->code->chunk_count >= CHUNKS_MAX)
        code_flush(m);
    *draft = (struct block){.rip = m->rip, .linear = linear, .mode = mode, .valid = true};
    draft->frame[0] = e.frame;
    decode_block(m, draft, code, room);
    if (!draft->count)
        decode_crossing(m, draft, code, room, linear);
    draft->insn[draft->slots] = (struct insn){
        .op = op_leave_block, .rip = draft->rip + draft->bytes, .position = (uint8_t)draft->count};
    bytes = sizeof *block + (draft->slots + 1u) * sizeof block->insn[0];
    block = code_alloc(m, bytes);
    memcpy(block, draft, bytes);
    enter(m, block);
    return block;
}

static struct block *find(struct xrw_machine *m, uint64_t linear, uint32_t mode,
                          const struct tlb_entry *e)
{
    struct block *b = m->code->hash[hash_of(m->rip, mode, HASH_BITS)];

    for (; b; b = b->next_in_hash)
        if (b->valid && b->rip == m->rip && b->linear == linear && b->mode == mode &&
            b->frame[0] == e->frame)
            return b;
    return NULL;
}

/* Whether a block that crosses a page still has its second part. */
static bool second_holds(struct xrw_machine *m, const struct block *b)
{
    uint64_t next = (b->linear | (XRW_PAGE_BYTES - 1)) + 1;

    return !b->frame[1] || fetch(m, is_long(m) ? next : next & 0xffffffffu)->frame == b->frame[1];
}

static struct block *find_or_make(struct xrw_machine *m, uint64_t linear, uint32_t mode,
                                  const struct tlb_entry *e)
{
    struct block *b = find(m, linear, mode, e);

    if (b && !second_holds(m, b)) {
        block_kill(b);
        b = NULL;
    }
    if (!b) {
        b = make(m, linear, mode);
        struct block **slot = &m->code->hash[hash_of(m->rip, mode, HASH_BITS)];
        b->next_in_hash = *slot;
        *slot = b;
    }
    return b;
}

struct block *code_find(struct xrw_machine *m)
{
    uint64_t linear = code_linear(m);
    struct block **recent = &m->code->recent[hash_of(m->rip, m->mode, RECENT_BITS)];
    struct block *b = *recent;
    const struct tlb_entry *e;

    if (!is_long(m) && m->rip > m->seg[SEG_CS].limit)
        raise_error(m, VECTOR_GP, 0);
    e = fetch(m, linear);
    if (LIKELY(b && b->valid && b->rip == m->rip && b->mode == m->mode && b->linear == linear &&
               b->frame[0] == e->frame && second_holds(m, b)))
        return b;
    return *recent = find_or_make(m, linear, m->mode, e);
}

struct block *code_find_single(struct xrw_machine *m)
{
    uint64_t linear = code_linear(m);

    return find_or_make(m, linear, m->mode | MODE_SINGLE, fetch(m, linear));
}

int code_fetch(void *machine, uint64_t rip, const uint8_t **code, unsigned *bytes, uint64_t *frame)
{
    struct xrw_machine *m = machine;
    const struct tlb_entry *e = fetch(m, rip);

    *code = (const uint8_t *)(uintptr_t)(rip + e->host);
    *bytes = XRW_PAGE_BYTES - (unsigned)(rip % XRW_PAGE_BYTES);
    *frame = (uint64_t)(uintptr_t)e->frame;
    return 0;
}

void code_covers(void *machine, uint64_t rip, unsigned bytes, uint64_t frame)
{
    struct xrw_machine *m = machine;
    struct frame *covered = (struct frame *)(uintptr_t)frame;

    if (!covered->code_lines)
        mmu_no_write(m, covered);
    covered->code_lines |= lines((unsigned)(rip % XRW_PAGE_BYTES), bytes);
    covered->translate = m->translate;
}
