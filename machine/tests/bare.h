/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The truth that thunks are compared with: an instruction's own bytes run on the processor as they
 * are, in user mode, with every register that it can see, and its memory at a fixed low address.
 */
#ifndef BARE_H
#define BARE_H

#include "native.h"

/* Where an instruction lies when it runs bare, and where its memory is. */
#define BARE_INSN_ADDRESS 0x20010400u
#define BARE_DATA_ADDRESS 0x20100000u
#define BARE_DATA_BYTES 0x4000u

/* Map what is needed and catch faults.  Returns 0 or a negative errno. */
int bare_init(void);

/*
 * Run the instruction with the registers of state, and leave in state the registers after it.
 * Returns 0, or NATIVE_FAULT | vector, as native_run() does.
 */
int bare_run(const uint8_t *bytes, unsigned length, struct native_state *state);

#endif
