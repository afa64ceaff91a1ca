/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing x86-64 machine code.  Registers are numbered as the hardware does.  Nothing checks for
 * space: the caller has made sure of it.  Source: Intel SDM, "Instruction Format".
 */
#ifndef XRW_NATIVE_EMIT_H
#define XRW_NATIVE_EMIT_H

#include "native.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct emit {
    uint8_t *at;
};

static inline void emit1(struct emit *e, unsigned byte)
{
    *e->at++ = (uint8_t)byte;
}

static inline void emit4(struct emit *e, uint32_t value)
{
    memcpy(e->at, &value, 4);
    e->at += 4;
}

static inline void emit8(struct emit *e, uint64_t value)
{
    memcpy(e->at, &value, 8);
    e->at += 8;
}

static inline void emit_bytes(struct emit *e, const void *bytes, unsigned count)
{
    memcpy(e->at, bytes, count);
    e->at += count;
}

/* ModRM and displacement of [base + disp]. */
static inline void emit_address(struct emit *e, unsigned reg, unsigned base, int32_t disp)
{
    if (disp >= -128 && disp < 128) {
        emit1(e, 0x40 | (reg & 7) << 3 | (base & 7));
        if ((base & 7) == 4)
            emit1(e, 0x24);
        emit1(e, (unsigned)disp & 0xff);
    } else {
        emit1(e, 0x80 | (reg & 7) << 3 | (base & 7));
        if ((base & 7) == 4)
            emit1(e, 0x24);
        emit4(e, (uint32_t)disp);
    }
}

static inline void emit_rex(struct emit *e, unsigned w, unsigned reg, unsigned base)
{
    unsigned rex = w << 3 | (reg >> 3) << 2 | base >> 3;
    if (rex)
        emit1(e, 0x40 | rex);
}

/* mov reg, [base + disp] and mov [base + disp], reg; 64 bits */
static inline void emit_load(struct emit *e, unsigned reg, unsigned base, int32_t disp)
{
    emit_rex(e, 1, reg, base);
    emit1(e, 0x8b);
    emit_address(e, reg, base, disp);
}

static inline void emit_store(struct emit *e, unsigned reg, unsigned base, int32_t disp)
{
    emit_rex(e, 1, reg, base);
    emit1(e, 0x89);
    emit_address(e, reg, base, disp);
}

/* mov to, from; 64 bits */
static inline void emit_move(struct emit *e, unsigned to, unsigned from)
{
    emit_rex(e, 1, from, to);
    emit1(e, 0x89);
    emit1(e, 0xc0 | (from & 7) << 3 | (to & 7));
}

static inline void emit_push(struct emit *e, unsigned reg)
{
    emit_rex(e, 0, 0, reg);
    emit1(e, 0x50 | (reg & 7));
}

static inline void emit_pop(struct emit *e, unsigned reg)
{
    emit_rex(e, 0, 0, reg);
    emit1(e, 0x58 | (reg & 7));
}

/* opcode after 0F with /extension and [base + disp], as LDMXCSR, FXSAVE64 (w = 1) */
static inline void emit_0f(struct emit *e, unsigned w, unsigned opcode, unsigned extension,
                           unsigned base, int32_t disp)
{
    emit_rex(e, w, 0, base);
    emit1(e, 0x0f);
    emit1(e, opcode);
    emit_address(e, extension, base, disp);
}

static inline void emit_ldmxcsr(struct emit *e, unsigned base, int32_t disp)
{
    emit_0f(e, 0, 0xae, 2, base, disp);
}

static inline void emit_stmxcsr(struct emit *e, unsigned base, int32_t disp)
{
    emit_0f(e, 0, 0xae, 3, base, disp);
}

/* Vector register from or to [base + disp], unaligned: 16 bytes by MOVUPS, 32 by VMOVDQU, 64 by
 * VMOVDQU64 (registers above 15 by that one only). */
void emit_vector(struct emit *e, unsigned bytes, bool store, unsigned reg, unsigned base,
                 int32_t disp);

/* KMOVQ from or to [base + disp] */
void emit_mask(struct emit *e, bool store, unsigned reg, unsigned base, int32_t disp);

#define FLAGS_DISP ((int32_t)offsetof(struct native_state, flags))

/* The status flags from and to the state, through AX.  Neither changes another register. */
static inline void emit_flags_load(struct emit *e, unsigned base)
{
    emit_rex(e, 0, 0, base);
    emit1(e, 0x0f); /* movzx eax, word [base + flags] */
    emit1(e, 0xb7);
    emit_address(e, 0, base, FLAGS_DISP);
    emit_bytes(e, "\x04\x7f\x9e", 3); /* add al, 7f: OF; sahf */
}

static inline void emit_flags_store(struct emit *e, unsigned base)
{
    emit_bytes(e, "\x9f\x0f\x90\xc0", 4); /* lahf; seto al */
    emit1(e, 0x66);                       /* mov [base + flags], ax */
    emit_rex(e, 0, 0, base);
    emit1(e, 0x89);
    emit_address(e, 0, base, FLAGS_DISP);
}

#endif
