/* SPDX-License-Identifier: MIT */
#ifndef GDBSTUB_EXAMPLE_TARGET_H
#define GDBSTUB_EXAMPLE_TARGET_H

#include "gdbstub.h"
#include "machine.h"

#define TARGET_BREAKPOINTS_MAX 64u

/** A breakpoint with a copy of its conditions; its own pointer to them is not used. */
struct target_breakpoint {
    struct gdbstub_breakpoint plain;
    uint8_t conditions[GDBSTUB_CONDITIONS_MAX];
};

/** A machine as a target of libgdbstub. */
struct target {
    struct machine machine;
    struct target_breakpoint breakpoints[TARGET_BREAKPOINTS_MAX];
    size_t breakpoint_count;
    struct gdbstub_resume request;
    bool moved;                      /**< since the request */
    unsigned steps_per_slice;        /**< how far one call of `run` goes at most */
    struct gdbstub_console *console; /**< during `run` */
};

/** Fills *target, and what a configuration says about it: ops, ctx, description, commands. */
void target_init(struct target *target, struct gdbstub_config *config);

#endif
