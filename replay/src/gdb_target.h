/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the gdb target's files share. */
#ifndef XRW_GDB_TARGET_PRIVATE_H
#define XRW_GDB_TARGET_PRIVATE_H

#include "gdb_registers.h"
#include "search.h"
#include "xrw/gdb_target.h"
#include "xrw/insn.h"
#include "xrw/memory.h"
#include "xrw/timeline.h"

struct xrw_gdb_target {
    struct xrw_store *store;
    struct xrw_timeline *timeline;
    struct xrw_memory *memory;
    struct xrw_search *search;
    struct xrw_disassembler *disassembler;
    struct xrw_gdb_registers registers;
    bool physical; /* gdb's addresses are guest-physical ones */
    bool moved;    /* a monitor command moved to here: a breakpoint here has not been hit yet by
                      running, and going on should go on */
    xrw_exit_id fxsave_at; /* whose FXSAVE image is in fxsave; 0: none */
    bool fxsave_known;
    uint8_t fxsave[XRW_FXSAVE_BYTES];
    struct xrw_hit hit; /* the last */
    struct gdbstub_console *console; /* during a slice of a search */
    struct xrw_error trouble;
};

/* Go to the first exit of another run.  0 or an error; then nothing has changed. */
int xrw_gdb_target_set_run(struct xrw_gdb_target *target, uint64_t run, struct xrw_error *err);

/* The monitor commands; their ctx is the target. */
extern const struct gdbstub_command xrw_monitor_commands[];
extern const size_t xrw_monitor_command_count;

/* What gdb calls the thread of a vCPU. */
static inline gdbstub_thread xrw_gdb_thread(uint32_t vcpu)
{
    return (gdbstub_thread)(vcpu + 1);
}

#endif
