/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Comparing where a re-executed gap ended with what was recorded there. */
#ifndef XRW_REPLAY_GAP_COMPARE_H
#define XRW_REPLAY_GAP_COMPARE_H

#include "gap_engine.h"
#include "xrw/verify.h"

/*
 * Compare registers with those before exit n + 1; regs NULL: the machine's.  Sets verdict, cause
 * and detail: EXACT, FLAGS, ARRIVED (RIP and general registers equal), DIVERGED.
 */
void gap_compare_registers(struct gap_engine *e, const struct xrw_registers *regs,
                           struct xrw_gap *gap);

/* Whether RIP and the general registers are those of b, as far as they are known there. */
bool gap_general_equal(const struct xrw_registers *a, const struct xrw_registers *b);

/* Whether all of them are equal, undefined flags aside. */
bool gap_registers_equal(const struct xrw_gap *gap);

/*
 * Compare what the guest wrote with the record, after the registers: may worsen the verdict to
 * FLAGS or ARRIVED.  Counts the pages in which the record has changes that the guest did not make.
 */
int gap_compare_memory(struct gap_engine *e, struct xrw_gap *gap, struct xrw_error *err);

/*
 * Collect the pages in which the record of exit n + 1 has bytes that changed and that the guest did
 * not write, with these bytes put into what they were at exit n.  Returns their number.
 */
int gap_collect_foreign(struct gap_engine *e, struct xrw_error *err);

/* Put them into the machine. */
int gap_apply_foreign(struct gap_engine *e);

#endif
