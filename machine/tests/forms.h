/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random instructions, form by form, and random registers for them. */
#ifndef FORMS_H
#define FORMS_H

#include "native.h"

struct random {
    uint64_t state;
};

uint64_t random_next(struct random *random);
/* Below limit, which is not 0. */
unsigned random_below(struct random *random, unsigned limit);

/* Every opcode with every prefix or vector length that selects another instruction. */
struct form {
    uint8_t encoding; /* 0 legacy, 1 VEX, 2 EVEX */
    uint8_t map;      /* opcode map: 0 none, 1 0F, 2 0F38, 3 0F3A, 5, 6 (EVEX) */
    uint8_t prefix;   /* legacy: index of a combination of prefixes; else pp */
    uint8_t length;   /* VEX L, EVEX L'L */
    uint8_t w;
    uint8_t opcode;
};

/* The number of forms, and the n-th of them. */
unsigned forms_count(void);
void forms_get(unsigned n, struct form *form);

/* 15 bytes that begin with an instruction of this form, if it is one. */
void forms_encode(const struct form *form, struct random *random, uint8_t bytes[15]);

/* Registers of all kinds: small, extreme and any numbers, floats of every class. */
void forms_state(struct random *random, struct native_state *state);

/*
 * Make the memory operand be at address target, by changing displacement or registers, for code
 * at address rip.  False if the instruction cannot be aimed.
 */
bool forms_aim(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *memory,
               struct random *random, uint64_t rip, uint64_t target, uint8_t *bytes,
               struct native_state *state);

#endif
