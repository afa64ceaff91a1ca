/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FPU and vector state at the beginning of a gap: recorded there, carried on from the gap before,
 * or neither, and then assumed.
 */
#ifndef XRW_REPLAY_GAP_FPU_H
#define XRW_REPLAY_GAP_FPU_H

#include "gap_engine.h"

/* Nothing is known, and all assumed to be initial. */
void gap_fpu_forget(struct gap_engine *e);

/* Take the XSAVE area of a context record. */
void gap_fpu_take(struct gap_engine *e, const uint8_t *area, size_t bytes);

/* Take what was recorded at exit e->from over what was carried on.  Returns 0, or what the store
 * reports. */
int gap_fpu_load(struct gap_engine *e, struct xrw_error *err);

/* Carry on what the machine has now to the next gap. */
void gap_fpu_carry(struct gap_engine *e);

/* Assume what was recorded at exit e->to.  False if nothing is assumed, or nothing recorded there. */
bool gap_fpu_assume_recorded(struct gap_engine *e);

/* Assume something else, to see whether it matters.  False if nothing is assumed. */
bool gap_fpu_assume_other(struct gap_engine *e);

#endif
