/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XRW_TRANSLATE_INTERNAL_H
#define XRW_TRANSLATE_INTERNAL_H

#include "native_emit.h"
#include "native_internal.h"
#include "translate.h"

#define HASH_SLOTS 65536u

/* What translated code reaches through RSP; the native_state follows. */
struct translate_hot {
    uint64_t spill_rcx, spill_m, spill_b, spill_r;
    uint64_t budget;    /* instructions left; negative: out of them */
    uint64_t guest_rsp; /* while translated code runs */
    uint64_t value;     /* the code to go on at */
    uint64_t mask_index, mask_page, mask_sign, mask_hash; /* for PEXT */
    uint64_t hash;                                        /* address of the current mode's hash */
    uint64_t floats;                                      /* 1: MXCSR is the guest's */
    uint64_t site;                                        /* where it was left */
    uint64_t host_rsp;
    uint64_t target; /* of CALL [memory] */
};

#define HOT(member) ((int32_t)offsetof(struct translate_hot, member))
#define STATE_DISP ((int32_t)sizeof(struct translate_hot))

static inline struct translate_hot *translate_hot_of(struct native_state *state)
{
    return (struct translate_hot *)((uint8_t *)state - sizeof(struct translate_hot));
}

/* An entry of the hash of indirect branches. */
struct translate_target {
    uint64_t negative; /* RIP, negated */
    uint64_t code;
};

/* What it takes to leave: the site's number stored, and a jump. */
#define SITE_BYTES 13u

/* Why a block is left. */
enum site_kind {
    SITE_STEP,   /* interpret the instruction at rip */
    SITE_BRANCH, /* rip is where to go on; a jump there can be put here */
    SITE_BUDGET, /* not enough instructions left for the block at rip */
    SITE_DEAD,   /* the block's code has changed */
};

#define NO_REGISTER 16u

/* A place where blocks are left.  Registers that hold something else than the guest's there have
 * it in their spill slot. */
struct translate_site {
    uint64_t rip;
    void *cached;    /* the interpreter's, for the instruction */
    uint32_t offset; /* in the code: SITE_BYTES that leave there */
    uint32_t resume; /* where the code goes on behind the instruction; 0: nowhere */
    uint32_t block;
    uint16_t refund;    /* instructions of the block that are not done */
    uint16_t undefined; /* status flags */
    uint8_t kind;
    uint8_t m, b, r; /* registers spilled; rcx always if b is */
    uint8_t length;  /* of the instruction */
};

struct translate_block {
    uint64_t rip, frame;
    uint32_t start, end; /* in the code */
    uint32_t dead_site;
    uint32_t next, next_in_frame; /* block number + 1 */
    uint8_t mode;
    bool dead;
    bool floats; /* its code has MXCSR be the guest's */
};

/* While a block is translated. */
#define MAX_BLOCK_INSNS 64u

/* An instruction that the processor may refuse, by its offset, and how the block is left then. */
struct fault_exit {
    uint32_t offset, resume;
    uint64_t rip;
    uint8_t done, m, r, length;
};

struct block_emit {
    struct emit e;
    struct translate *translate;
    uint8_t *start;
    uint64_t rip; /* of the instruction */
    unsigned mode;
    unsigned done;       /* instructions before it in the block */
    unsigned count_slot; /* offset of what must be patched with the count */
    uint32_t block, first_site;
    unsigned source_bytes; /* of guest code */
    unsigned m, b, r;      /* registers in use as scratch, NO_REGISTER: none */
    uint16_t undefined;    /* status flags, behind the instructions so far */
    bool floats;           /* MXCSR is to be the guest's */
    bool wants_floats;     /* an instruction of it needs that */
    unsigned fault_count;
    struct fault_exit faults[MAX_BLOCK_INSNS];
};

struct insn {
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    const uint8_t *bytes;
};

/* The block goes on; ends with what was emitted; or knows not the instruction (nothing emitted). */
enum outcome { OUTCOME_NEXT, OUTCOME_END, OUTCOME_UNKNOWN };

/* mov dword [rsp + site], number; jmp displacement: SITE_BYTES */
static inline void emit_leave(struct emit *e, uint32_t number, uint32_t displacement)
{
    emit_bytes(e, "\xc7\x44\x24", 3);
    emit1(e, (unsigned)HOT(site));
    emit4(e, number);
    emit1(e, 0xe9);
    emit4(e, displacement);
}

struct fault_site {
    uint32_t offset, stub; /* the instruction, and where the block is left */
};

#define BUCKETS 65536u
#define CODE_PAGES 2048u
#define PAGE_TARGETS 96u

/*
 * A linear page with code, in one mode: where its code lies, and what is in the hash of it.  A
 * flush switches it off; when its code is found to lie where it lay, all of it is in the hash
 * again.
 */
struct code_page {
    uint64_t page, frame;
    uint16_t count;
    uint8_t mode;
    bool on, known, listed;
    struct {
        uint64_t rip, code;
    } targets[PAGE_TARGETS];
};

struct translate {
    struct translate_config config;
    struct translate_hot *hot;
    int32_t fs_disp, gs_disp, tlb_disp[TRANSLATE_SPACES];
    uint32_t undefined;
    uint64_t features;
    bool pause_steps; /* PAUSE is the interpreter's */
    ZydisDecoder decoder;

    uint8_t *writable, *executable;
    uint32_t code_first, code_used, leave; /* offsets */
    void (*enter)(struct translate_hot *hot, uint64_t code);

    struct translate_site *sites;
    struct translate_block *blocks;
    struct fault_site *faults;
    uint32_t *crossing; /* sites chained to another page */
    uint32_t site_count, site_room, block_count, block_room, fault_count, fault_room;
    uint32_t crossing_count, crossing_room;
    uint32_t buckets[BUCKETS], frames[BUCKETS]; /* block number + 1 */
    struct translate_target *hashes[TRANSLATE_MODES];
    uint64_t generation;       /* counts resets */
    struct code_page *pages;   /* CODE_PAGES, by page and mode */
    uint16_t used[CODE_PAGES]; /* those that were on since the last flush */
    unsigned used_count;
    uint64_t on[64]; /* a bit for each linear page that was on since then, by its low bits */
    struct translate_counters counters;
};

/* ---- translate_block.c ---- */

/* The live block, or NULL. */
struct translate_block *translate_find_block(struct translate *translate, uint64_t rip,
                                             uint64_t frame, unsigned mode);
/* A new one; NULL: no memory.  May forget all code first. */
struct translate_block *translate_block(struct translate *translate, uint64_t rip, unsigned mode,
                                        const uint8_t *code, unsigned bytes, uint64_t frame);

/* ---- translate_find.c ---- */

/* The code of the block at rip in the mode, made if need be; 0: none can be.  indirect: have
 * branches whose target is computed find it. */
uint64_t translate_lookup(struct translate *translate, uint64_t rip, unsigned mode, bool indirect);
/* The entry for rip in the mode's hash; NULL: no memory. */
struct translate_target *translate_target_of(struct translate *translate, uint64_t rip,
                                             unsigned mode);
/* What no address negated is that comes to the same slot as rip. */
static inline uint64_t translate_no_target(uint64_t rip)
{
    return ~rip;
}

/* Take everything out of the hashes; pages are off. */
void translate_switch_off(struct translate *translate);
/* Forget what was in them, too. */
void translate_forget_pages(struct translate *translate);
/* Whether code of the linear page can be found without looking where it lies. */
bool translate_page_is_on(const struct translate *translate, uint64_t page);
/* Let the branch at the site go to that code without leaving. */
void translate_chain(struct translate *translate, uint32_t site, uint64_t rip, uint64_t code);
/* Undo all chains between pages. */
void translate_unchain(struct translate *translate);

/* ---- for the emitters ---- */

/* A new site; UINT32_MAX: no memory. */
uint32_t translate_add_site(struct translate *translate, const struct translate_site *site);
uint32_t translate_offset(const struct translate *translate, const uint8_t *at);
/* Room for one more in a growing array; false: no memory. */
bool translate_grow(void *array, uint32_t count, uint32_t *room, size_t element);

/* ---- translate_emit.c ---- */

void block_begin(struct block_emit *b);
/* The way out, with a site of this kind for rip. */
void block_leave(struct block_emit *b, enum site_kind kind, uint64_t rip, unsigned done);
void block_load(struct block_emit *b, unsigned reg, int32_t hot);
void block_store(struct block_emit *b, unsigned reg, int32_t hot);
void block_constant(struct block_emit *b, unsigned reg, uint64_t value);
/* Take registers for m and b that are not in avoid, and spill them and rcx. */
void block_take(struct block_emit *b, uint16_t avoid);
void block_restore_all(struct block_emit *b);
void block_restore_rcx_b(struct block_emit *b);
void block_restore_m(struct block_emit *b);
/* m = the operand's linear address */
void block_address(struct block_emit *b, const struct insn *insn,
                   const ZydisDecodedOperand *memory);
void block_lea(struct block_emit *b, unsigned to, const struct insn *insn,
               const ZydisDecodedOperand *memory);
/* m = the host's address of bytes at the linear address in m; clobbers b and rcx. */
void block_translate(struct block_emit *b, unsigned bytes, bool write);
/*
 * Find the code for the address in m, or leave: the interpreter then branches, as nothing has been
 * changed yet (an address that is not canonical is never found).  Then go on there.
 */
void block_find(struct block_emit *b);
void block_jump(struct block_emit *b);
/* guest RSP += bytes, through b */
void block_move_stack(struct block_emit *b, int32_t bytes);

/* store and load 64 bits at the host's address in m */
void block_put(struct block_emit *b, unsigned reg);
void block_get(struct block_emit *b, unsigned reg);
/* m = guest RSP + bytes */
void block_stack_address(struct block_emit *b, int32_t bytes);
/* to = from + disp */
void block_lea_disp(struct block_emit *b, unsigned to, unsigned from, int32_t disp);

/* ---- translate_native.c ---- */

/* An instruction that thunks exist for. */
enum outcome translate_native(struct block_emit *b, const struct insn *insn);

/* ---- translate_insn.c ---- */

/* Emit one instruction; OUTCOME_UNKNOWN: nothing was emitted, it is for the interpreter. */
enum outcome translate_insn(struct block_emit *b, const struct insn *insn);

/* Entry and exit code, once per cache.  Outputs: what enter is called with is (hot, code). */
void translate_emit_enter(struct emit *e);
void translate_emit_leave(struct emit *e);

#endif
