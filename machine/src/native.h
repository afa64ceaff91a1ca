/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Running single guest instructions on the host's own processor.
 *
 * An instruction that only computes (registers, flags, at most one memory operand) is rewritten so
 * that its memory operand is a host pointer, and wrapped in a thunk that loads what it reads from
 * a native_state and stores what it writes.  Nothing is run that is not in a table of what was
 * proved harmless: no control flow, no stack, no segment, no system state, no implicit memory.
 * Everything else is -ENOTSUP and the interpreter's work in C.
 *
 * A thunk does not know of paging, privilege, RIP, or instruction counts: the caller translates
 * the memory operand, checks what the instruction requires (enum native_needs), and advances RIP.
 */
#ifndef XRW_NATIVE_H
#define XRW_NATIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <Zydis/Zydis.h>

/* The part of a virtual CPU's state that native instructions work on.  Aligned to 64 bytes. */
struct native_state {
    uint64_t gpr[16]; /* rax rcx rdx rbx rsp rbp rsi rdi r8 ... r15 */
    uint16_t flags;   /* status flags in the host's form: use native_rflags() */
    uint16_t reserved;
    uint32_t mxcsr;      /* the guest's; reserved bits are never set */
    uint32_t host_mxcsr; /* set by native_state_init() */
    uint32_t reserved2;
    uint64_t k[8]; /* AVX-512 mask registers */
    _Alignas(64) uint8_t zmm[32][64];
    /* x87 and MMX as FXSAVE stores them in 64-bit mode; its XMM and MXCSR fields mean nothing. */
    _Alignas(64) uint8_t fx[512];
};

/* The status flags that live in native_state: CF, PF, AF, ZF, SF, OF as bits of RFLAGS. */
#define NATIVE_RFLAGS 0x8d5u

/* The flags' form is that of LAHF and SETO: OF in bit 0, CF PF AF ZF SF as RFLAGS has them << 8. */
static inline uint64_t native_rflags(const struct native_state *state)
{
    return (state->flags >> 8 & 0xd5u) | (uint64_t)(state->flags & 1) << 11;
}

/* Bits of rflags other than NATIVE_RFLAGS are ignored. */
static inline void native_set_rflags(struct native_state *state, uint64_t rflags)
{
    state->flags = (uint16_t)((rflags & 0xd5u) << 8 | 0x200 | (rflags >> 11 & 1));
}

/* What the guest must have enabled, for the caller to check; each implies those before it no more
 * than the architecture says. Source: Intel SDM, "Exception Conditions of Advanced Vector
 * Extensions", and the "Checking for ... support" sections. */
enum native_needs {
    NATIVE_NEEDS_NOTHING,
    NATIVE_NEEDS_X87,    /* CR0.EM or CR0.TS: #NM */
    NATIVE_NEEDS_MMX,    /* CR0.EM: #UD; CR0.TS: #NM */
    NATIVE_NEEDS_SSE,    /* CR0.EM or !CR4.OSFXSR: #UD; CR0.TS: #NM */
    NATIVE_NEEDS_AVX,    /* !CR4.OSXSAVE or XCR0[2:1] != 3: #UD; CR0.TS: #NM */
    NATIVE_NEEDS_AVX512, /* ... or XCR0[7:5] != 7 */
};

enum native_access { NATIVE_READS = 1, NATIVE_WRITES = 2 };

/* A compiled instruction.  Shared by all instructions that differ in nothing that matters here;
 * lives as long as its cache, or until native_cache_reset(). */
struct native_thunk {
    int (*code)(struct native_state *state, void *memory);
    uint8_t needs;  /* enum native_needs */
    uint8_t access; /* enum native_access of the memory operand; 0: it has none */
    uint8_t bytes;  /* of the memory operand */
    uint8_t align;  /* a linear address that is not a multiple of this: #GP(0) */
    /* Memory operand of BT, BTS, BTR, BTC whose bit offset is this register, of width bytes:
     * translate address + bit_displacement, but pass the pointer of it minus that displacement. */
    int8_t bit_register; /* -1: not such an instruction */
    bool x87;            /* writes FIP, FDP, FOP: see native_x87_note() */
    /* The memory operand has lanes that are masked off and must not be touched: translate only
     * the bytes in native_lanes(), on a bounce buffer of 64 bytes if not all of them. */
    bool masked;
};

struct native_cache;

/*
 * A cache for the code of at most code_bytes (0: a default).  Its memory is mapped twice, once
 * writable and once executable, never both at one address.  Outputs: *cache, owned by the caller.
 * Returns 0, or a negative errno (-ENOTSUP: not an x86-64 host with what the thunks need).
 */
int native_cache_create(struct native_cache **cache, size_t code_bytes);

/* NULL is accepted. */
void native_cache_destroy(struct native_cache *cache);

/* Forget all thunks; every pointer to one becomes invalid. */
void native_cache_reset(struct native_cache *cache);

/*
 * Memory for a structure that begins with a native_state, zeroed and aligned to 64 bytes, of which
 * the translator's registers and a stack for signal handlers lie below: translated code has the
 * host's stack pointer there.  NULL: no memory.  native_state_free() accepts NULL.
 */
void *native_state_allocate(size_t bytes);
void native_state_free(void *state, size_t bytes);

/* Registers as after reset (flags clear, MXCSR 1f80, FNINIT), all others 0. */
void native_state_init(struct native_state *state);

/*
 * ZydisDecoderDecodeFull(), with the defects of Zydis 4.0 mended that random tests found: decode
 * guest code by it.  operands has room for ZYDIS_MAX_OPERAND_COUNT.
 */
ZyanStatus native_decode(const ZydisDecoder *decoder, const uint8_t *bytes, size_t count,
                         ZydisDecodedInstruction *insn, ZydisDecodedOperand *operands);

/*
 * The thunk of an instruction as Zydis decoded it from bytes: insn in its own machine mode (64-,
 * 32- or 16-bit), with all operands, hidden ones too.  Found in the cache or made.
 * Returns 0 with *thunk;
 * -ENOTSUP if the instruction is not proved harmless, or this host cannot run it;
 * -ENOSPC if the cache is full: reset it.
 */
int native_compile(struct native_cache *cache, const ZydisDecodedInstruction *insn,
                   const ZydisDecodedOperand *operands, const uint8_t *bytes,
                   const struct native_thunk **thunk);

/*
 * Claim this thread for the cache's code: from now to native_leave() faults in thunks are caught
 * (SIGFPE, SIGSEGV, SIGBUS, SIGILL; handlers are put in front of those there).  Other caches may be
 * claimed meanwhile, not the same again; each enter has its leave, last one first.  Returns 0 or a
 * negative errno.
 */
int native_enter(struct native_cache *cache);
void native_leave(struct native_cache *cache);

/* What native_run() returns when the processor refused: the vector (#DE 0, #UD 6, #GP 13, #MF 16,
 * #AC 17, #XM 19), never #PF.  No register or memory has changed but MXCSR's exception flags
 * (#XM), and the x87 tags and top of stack by an instruction that converts to MMX. A #XM is for the
 * caller to turn into #UD when CR4.OSXMMEXCPT is clear. */
#define NATIVE_FAULT 0x100
#define NATIVE_FAULT_VECTOR(result) ((result)&0xff)

/*
 * Run it once.  memory is the host's address of the operand's first byte (of the guest's bytes, or
 * of a buffer that has the same offset in a page), NULL if it has none; all thunk->bytes are
 * accessible there.  Between native_enter() and native_leave() only.
 * Returns 0 or NATIVE_FAULT | vector.
 */
static inline int native_run(const struct native_thunk *thunk, struct native_state *state,
                             void *memory)
{
    return thunk->code(state, memory);
}

/*
 * After a thunk with x87 set ran on memory: where the processor noted the thunk as the FPU's last
 * instruction, note the guest's, at rip, with its operand at that linear address.
 */
void native_x87_note(const struct native_cache *cache, struct native_state *state,
                     const void *memory, uint64_t rip, uint64_t operand);

/* The bytes (bit i: byte i) that an instruction with thunk->masked touches, by the masks in state.
 */
uint64_t native_lanes(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operands,
                      const struct native_state *state);

/* The signed displacement that the bit offset in register thunk->bit_register adds to the address.
 */
int64_t native_bit_displacement(const ZydisDecodedInstruction *insn, unsigned bit_register,
                                const struct native_state *state);

/*
 * The status flags that the architecture leaves undefined after this instruction, as bits of
 * RFLAGS, with registers as they are before it (shifts and rotates depend on their count).
 */
uint32_t native_undefined_flags(const ZydisDecodedInstruction *insn,
                                const ZydisDecodedOperand *operands,
                                const struct native_state *before);

#endif
