/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the native_*.c files: what an instruction uses, and how it is rewritten. */
#ifndef XRW_NATIVE_INTERNAL_H
#define XRW_NATIVE_INTERNAL_H

#include "native.h"

#define RAX 0
#define RCX 1
#define RDX 2
#define RBX 3
#define RSP 4
#define RBP 5
#define RSI 6
#define RDI 7

#define NATIVE_MAX_VECTORS 8

/* A vector register of an instruction: bytes to load before it and store after it, 0: none. */
struct native_vector {
    uint8_t index, load, store;
};

/* What an instruction reads and writes, and what that asks of a thunk. */
struct native_use {
    uint16_t gprs; /* registers in its encoding or implied, as a mask */
    uint16_t gpr_load, gpr_store;
    uint8_t k_load, k_store;
    uint8_t vector_count;
    struct native_vector vectors[NATIVE_MAX_VECTORS];
    const ZydisDecodedOperand *memory; /* NULL: none */
    uint8_t needs;                     /* enum native_needs */
    bool flags_load, flags_store;
    bool x87; /* x87 or MMX registers */
    bool mxcsr;
    bool high_byte; /* AH, CH, DH, BH: no REX prefix may appear */
    bool wide;      /* VEX or EVEX: may leave upper halves dirty */
};

/* Features of the host, as CPUID and XCR0 tell. */
uint64_t native_host_features(void);
#define NATIVE_HOST_AVX512 ((uint64_t)1 << 63) /* F, BW, VL, DQ, and enabled by the system */

/*
 * Is the instruction in the table of harmless ones, and can a host with these features run it?
 * Returns 0 with what the guest needs in *needs, or -ENOTSUP.
 */
int native_isa_check(const ZydisDecodedInstruction *insn, uint64_t features, uint8_t *needs);

/* All that a thunk for it must load and store.  Returns 0 or -ENOTSUP. */
int native_use_of(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operands,
                  uint64_t features, struct native_use *use);

/* The alignment that the processor asks of its memory operand. */
uint8_t native_alignment(const ZydisDecodedInstruction *insn, const struct native_use *use);

/* May it have lanes of its memory operand masked off? */
bool native_is_masked(const ZydisDecodedInstruction *insn, const struct native_use *use);

/* A rewritten instruction, for 64-bit mode. */
struct native_form {
    uint8_t bytes[24];
    uint8_t length;
};

/*
 * Rewrite for 64-bit mode: the memory operand becomes [memory] (a register without REX bit, not
 * 4 or 5), RSP becomes stack (likewise; 4 leaves it).  In 16-bit code, widen says whether the
 * operand-size prefix changes sides.  Returns 0 or -ENOTSUP.
 */
int native_rewrite(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operands,
                   const uint8_t *bytes, unsigned memory, unsigned stack, bool widen,
                   struct native_form *form);

/* Does form, decoded anew, do what insn, whose bytes are given, does, but for the memory operand
 * and stack for RSP? */
bool native_same(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operands,
                 const uint8_t *bytes, const struct native_form *form, unsigned memory,
                 unsigned stack);

/* Host registers of a thunk. */
struct native_roles {
    uint8_t memory, stack, state;
};

void native_choose_roles(const struct native_use *use, struct native_roles *roles);

/* Write a thunk at code (no more than NATIVE_MAX_THUNK bytes).  Outputs: offsets of the instruction
 * itself, its fault exit, and the end. */
#define NATIVE_MAX_THUNK 1024
struct native_layout {
    uint32_t insn, fault, end;
};
void native_generate(uint8_t *code, const struct native_use *use, const struct native_roles *roles,
                     const struct native_form *form, struct native_layout *layout);

/* Map bytes of code twice.  Returns 0 or a negative errno. */
int native_map_code(size_t bytes, uint8_t **writable, uint8_t **executable);

/* More code whose faults are caught while the cache is claimed: resolve says where one at rip goes
 * on, no register changed, or false. */
typedef bool (*native_resolve)(void *ctx, uint64_t rip, uint64_t *go_on);
void native_cache_set_extra(struct native_cache *cache, native_resolve resolve, void *ctx);
bool native_cache_resolve_extra(const struct native_cache *cache, uint64_t rip, uint64_t *go_on);

/* For the fault handler: is rip inside the cache's code, and where does a fault there go on? */
bool native_cache_resolve(const struct native_cache *cache, uint64_t rip, uint64_t *go_on);

/* The cache claimed before this one by the thread that claims it. */
struct native_cache *native_cache_outer(const struct native_cache *cache);
void native_cache_set_outer(struct native_cache *cache, struct native_cache *outer);

#endif
