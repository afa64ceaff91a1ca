/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XRW_MACHINE_PAST_H
#define XRW_MACHINE_PAST_H

#include "cpu.h"

#include <stddef.h>

/* All of the vCPU at one time. */
struct past {
    _Alignas(64) uint8_t registers[offsetof(struct xrw_machine, mode)];
    struct event event;
    uint64_t count;
    uint64_t ple_first, ple_last;
};

void past_take(const struct xrw_machine *m, struct past *past);
void past_put(struct xrw_machine *m, const struct past *past);

#endif
