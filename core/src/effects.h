/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether handling an exit may have written guest memory: what both vendors share. */
#ifndef XRW_CORE_EFFECTS_H
#define XRW_CORE_EFFECTS_H

#include "xrw/exit.h"

#include <stdbool.h>
#include <stddef.h>

typedef bool xrw_may_write(const struct xrw_exit *exit);

struct xrw_effect {
    unsigned reason;
    xrw_may_write *may_write;
};

/* By the entry of the exit's reason; true if it has none, or if the reason is not known. */
bool xrw_effect_listed(const struct xrw_effect *effects, size_t count, const struct xrw_exit *exit);

/* A hypercall; WRMSR; nothing. */
xrw_may_write xrw_hypercall_may_write, xrw_wrmsr_may_write, xrw_never_writes;

/*
 * Whether the hypervisor may have carried out the instruction, rather than let the guest try again:
 * then some register moved, RCX, RSI or RDI if not RIP (a REP instruction done in part).
 */
xrw_may_write xrw_was_emulated;

#endif
