/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The smallest machine that the translator can accelerate: user-mode code in flat memory, with an
 * interpreter that decodes each instruction anew.  A fake, for tests of the translator alone.
 */
#ifndef FLAT_H
#define FLAT_H

#include "native.h"
#include "translate.h"

#define FLAT_BASE 0x400000u

struct flat_tlb_entry {
    uint64_t negative_read, negative_write, host, unused[5];
};
#define FLAT_TLB_BITS 8

struct flat {
    struct native_state native;
    uint64_t rip, fs_base, gs_base;
    int64_t left;
    struct flat_tlb_entry tlb[1 << FLAT_TLB_BITS];
    uint8_t *memory; /* of FLAT_BASE, page-aligned */
    uint64_t bytes;
    struct native_cache *cache;
    struct translate *translate; /* NULL: none */
    ZydisDecoder decoder;
    uint8_t *is_code; /* by page */
    int vector;       /* of the fault that stopped it */
    bool no_tlb;      /* every memory access is interpreted */
    uint64_t steps;   /* instructions interpreted */
};

enum { FLAT_STOPPED = 1, FLAT_FAULT = 2 }; /* INT3 was reached; a fault, see vector */

/* NULL: it cannot be made. */
struct flat *flat_create(uint64_t bytes, bool with_translator);
void flat_destroy(struct flat *flat);

/* Forget translations. */
void flat_flush(struct flat *flat);

/* One instruction: 0, FLAT_STOPPED, FLAT_FAULT. */
int flat_step(struct flat *flat, unsigned *finished);

/* Up to budget (63 bits) instructions, by the translator if there is one. */
int flat_run(struct flat *flat, uint64_t budget, uint64_t *done);

#endif
