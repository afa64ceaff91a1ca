/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XRW_REPLAY_GAP_BEGIN_H
#define XRW_REPLAY_GAP_BEGIN_H

#include "gap_engine.h"

/* Take exits n and n + 1 for the ends of the gap. */
int gap_read_ends(struct gap_engine *e, xrw_exit_id n, struct xrw_error *err);

/* Make the machine what the guest was as it went on after exit n; may be called again for the same
 * gap.  -ENODATA, -EINVAL: the record does not have all of it, or no CPU can be so. */
int gap_begin(struct gap_engine *e, struct xrw_error *err);

/* Have the machine exit for these of what exits only now and then: interrupt and NMI windows, MOV
 * DR. */
int gap_set_controls(struct gap_engine *e, uint32_t exits);

#endif
