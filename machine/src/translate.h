/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The block translator: 64-bit guest code turned into host code of the same architecture, as an
 * accelerator of an interpreter.  It does the common case alone: computing, moving, jumping, and
 * memory that a small TLB of its own knows.  Everything else (a miss, a page crossing, a code page,
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
enum translate_mode {
    TRANSLATE_USER = 1, /* CPL 3: memory is user's */
    TRANSLATE_SSE = 2,  /* instructions that need NATIVE_NEEDS_SSE run */
    TRANSLATE_AVX = 4,
    TRANSLATE_AVX512 = 8,
};
#define TRANSLATE_MODES 16

struct translate_ops {
    /*
     * Where does code at rip lie now, in the current mode?  Store its host address, the bytes from
     * there to the end of its page, and the page's frame number, from which on writes to the page
     * must call translate_forget_frame().  Returns 0; else the interpreter is asked to step.
     */
    int (*fetch)(void *ctx, uint64_t rip, const uint8_t **code, unsigned *bytes, uint64_t *gfn);
    /*
     * Interpret one instruction (or deliver what stands before it), *rip and the native_state being
     * up to date, and set *finished to the instructions that it counted, 0 or 1.  Returns 0 to go
     * on, anything else to end translate_run() with that.
     */
    int (*step)(void *ctx, unsigned *finished);
    /*
     * The host address of the page at a linear page address, if every access of that kind (write or
     * read) to any byte of it, in the mode, needs nothing but the access: permissions, A and D
     * bits, no exit, no code, no watch, no log.  Else NULL.
     */
    uint8_t *(*probe)(void *ctx, uint64_t page, bool write, unsigned mode);
    /* The mode now, of enum translate_mode; negative: it must be interpreted (not 64-bit, ...). */
    int (*mode)(void *ctx);
};

struct translate;

/*
 * state: from native_state_allocate().  rip, fs_base, gs_base: fields in the same allocation, which
 * translated code reads and writes.  cache: claims the thread, see native_enter().
 * Returns 0 with *out; -ENOTSUP if the host lacks BMI2; -ENOMEM; negative errno.
 */
int translate_create(struct native_cache *cache, struct native_state *state, uint64_t *rip,
                     const uint64_t *fs_base, const uint64_t *gs_base,
                     const struct translate_ops *ops, void *ctx, size_t code_bytes,
                     struct translate **out);
void translate_destroy(struct translate *translate);

/*
 * Run at most budget instructions, exactly counted in *done.  Returns 0 when they are done, or what
 * step() returned.  Between native_enter() and native_leave() of the cache.
 */
int translate_run(struct translate *translate, uint64_t budget, uint64_t *done);

/* Translations of linear addresses have changed: all, or those of one page. */
void translate_flush(struct translate *translate);
void translate_flush_page(struct translate *translate, uint64_t page);
/* Code in this frame is about to change. */
void translate_forget_frame(struct translate *translate, uint64_t gfn);
/* Forget all code. */
void translate_reset(struct translate *translate);

/* Counters, for tests and benchmarks. */
struct translate_counters {
    uint64_t blocks, entries, misses, steps, chained, resets;
};
const struct translate_counters *translate_counters(const struct translate *translate);

#endif
