/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The block translator: 64-bit guest code turned into host code of the same architecture, as an
 * accelerator of an interpreter.  It does the common case alone: computing, moving, jumping, and
 * memory that the interpreter's TLB knows.  Everything else (a miss, a page crossing, a code page,
 * a fault, an instruction that it does not know) leaves the block in front of the instruction, and
 * the interpreter does that one.  So every rare case exists once, there.
 *
 * In translated code guest registers are the host's of the same name, the status flags are the
 * host's, and the host's RSP points at a struct translate_hot below the guest's state.  No code of
 * its own touches the flags: so RFLAGS is exact wherever a block is left.  Needs BMI2.
 *
 * Blocks lie in one guest page each.  They are found by linear address, and forgotten by frame.
 */
#ifndef XRW_TRANSLATE_H
#define XRW_TRANSLATE_H

#include "native.h"

/* What code may do, and how it sees memory: part of a block's identity. */
#define TRANSLATE_SPACE 3u /* which of the TLBs */
#define TRANSLATE_SSE 4u   /* instructions that need NATIVE_NEEDS_SSE run */
#define TRANSLATE_AVX 8u
#define TRANSLATE_AVX512 16u
#define TRANSLATE_MODES 32u
#define TRANSLATE_SPACES 3u

/*
 * The interpreter's TLBs, in the same allocation as the state: direct-mapped by the page number's
 * low bits, entries of 64 bytes.  Each has the page's linear address, negated (so that adding an
 * address gives the offset in the page), for reads that need nothing but the access (permissions, A
 * bits, no exit, no watch), and for such writes (D bits, no code, no log); TRANSLATE_NO_PAGE if
 * there is none.  And what to add to a linear address for the host's.
 */
struct translate_tlb {
    const void *entries[TRANSLATE_SPACES];
    unsigned index_bits;
    uint16_t read, write, host; /* offsets in an entry */
};
#define TRANSLATE_TLB_ENTRY 64u
#define TRANSLATE_NO_PAGE ((uint64_t)1 << 62)

struct translate_config {
    struct native_cache *cache; /* claims the thread, see native_enter() */
    struct native_state *state; /* from native_state_allocate(), as all that follows to tlb */
    uint64_t *rip;
    int64_t *left; /* instructions that may be run; not negative */
    const uint64_t *fs_base, *gs_base;
    struct translate_tlb tlb;
    size_t code_bytes; /* for code; 0: a default */
    /*
     * Where does code at rip lie now, in the current mode?  Outputs: its host address, the bytes
     * from there to the end of its page, and what names its frame for translate_forget_frame().
     * Returns 0; else the interpreter is to do it.  May leave by longjmp.
     */
    int (*fetch)(void *ctx, uint64_t rip, const uint8_t **code, unsigned *bytes, uint64_t *frame);
    /*
     * Interpret the instruction at *rip, counted off *left.  *cached belongs to the place in the
     * code and is NULL at first: what the interpreter wants to keep for the next time, until the
     * code is forgotten. Returns whether translated code may go on behind it: the mode is as it
     * was, and nothing has to be looked at first.  May leave by longjmp.  NULL: translate_run()
     * ends with TRANSLATE_STEP.
     */
    bool (*step)(void *ctx, void **cached);
    /* Those bytes of it were translated: writes there must forget the frame from now on. */
    void (*covers)(void *ctx, uint64_t rip, unsigned bytes, uint64_t frame);
    void *ctx;
};

struct translate;

/* config is copied.  Returns 0 with *out; -ENOTSUP if the host lacks BMI2; negative errno. */
int translate_create(const struct translate_config *config, struct translate **out);
void translate_destroy(struct translate *translate);

enum translate_end {
    TRANSLATE_STEP,  /* the instruction at *rip is the interpreter's */
    TRANSLATE_SHORT, /* *left does not reach to the end of the block at *rip */
    TRANSLATE_LOOK,  /* the interpreter has stepped, and something has to be looked at */
};

/*
 * Run from *rip on, in the mode, no more than *left instructions; both are up to date afterwards,
 * and the state is.  At least one instruction more has to be interpreted if *left is not 0. Between
 * native_enter() and native_leave() of the cache.
 */
enum translate_end translate_run(struct translate *translate, unsigned mode);

/* Status flags that are undefined where translate_run() ended, as far as the last block tells. */
uint32_t translate_undefined(const struct translate *translate);

/* Translations of linear addresses have changed, all or those of one page: code is found anew. */
void translate_flush(struct translate *translate);
void translate_flush_page(struct translate *translate, uint64_t page);
/* Code in this frame is about to change, or the frame is another one's from now on. */
void translate_forget_frame(struct translate *translate, uint64_t frame);
/* Whether PAUSE is the interpreter's; else it does nothing, as at first.  Forgets all code if that
 * changes. */
void translate_set_pause(struct translate *translate, bool steps);
/* Forget all code. */
void translate_reset(struct translate *translate);

/* Counters, for tests and benchmarks. */
struct translate_counters {
    uint64_t blocks, entries, misses, chained, steps, resumed, flushes, resets;
};
const struct translate_counters *translate_counters(const struct translate *translate);

#endif
