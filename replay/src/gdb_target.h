/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the gdb target's files share. */
#ifndef XRW_GDB_TARGET_PRIVATE_H
#define XRW_GDB_TARGET_PRIVATE_H

#include "elf_file.h"
#include "gdb_registers.h"
#include "search.h"
#include "xrw/gdb_target.h"
#include "xrw/insn.h"
#include "xrw/kaslr.h"
#include "xrw/memory.h"
#include "xrw/timeline.h"

#define XRW_CHECKPOINTS_MAX 1000u

struct xrw_checkpoint {
    uint64_t number, run;
    xrw_exit_id exit;
    char note[64];
};

struct xrw_gdb_target {
    struct gdbstub_target_ops ops;
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
    struct xrw_hit hit;              /* the last */
    struct gdbstub_console *console; /* during a slice of a search */
    struct xrw_error trouble;

    struct xrw_elf *symbols; /* NULL: none */
    char *symbol_path;       /* absolute */
    bool serves_symbols;     /* to who cannot open it there */
    bool kaslr_sought;       /* then the result, and why it is none */
    int kaslr_result;
    struct xrw_kaslr kaslr;
    struct xrw_error kaslr_why;

    uint64_t checkpoint_last; /* number of the last one that was made */
    size_t checkpoint_count;
    struct xrw_checkpoint checkpoint[XRW_CHECKPOINTS_MAX];
};

/* Go to the first exit of another run.  0 or an error; then nothing has changed. */
int xrw_gdb_target_set_run(struct xrw_gdb_target *target, uint64_t run, struct xrw_error *err);

/* The monitor commands; their ctx is the target. */
extern const struct gdbstub_command xrw_monitor_commands[];
extern const size_t xrw_monitor_command_count;

/* Say where a command has moved to. */
int xrw_monitor_show_arrival(struct xrw_gdb_target *target, struct gdbstub_console *console);

/* Commands that stand in files of their own: checkpoints.c, gdb_symbols.c. */
#define XRW_MONITOR_COMMAND(name)                                                                  \
    int name(void *ctx, const char *args, struct gdbstub_console *console,                         \
             struct gdbstub_reason *reason)
XRW_MONITOR_COMMAND(xrw_monitor_checkpoint);
XRW_MONITOR_COMMAND(xrw_monitor_checkpoints);
XRW_MONITOR_COMMAND(xrw_monitor_restart);
XRW_MONITOR_COMMAND(xrw_monitor_drop);
XRW_MONITOR_COMMAND(xrw_monitor_kaslr);

/* Operations that stand in gdb_symbols.c. */
int xrw_gdb_offsets(void *ctx, struct gdbstub_offsets *offsets);
int xrw_gdb_exec_file(void *ctx, char path[GDBSTUB_NAME_MAX]);
int xrw_gdb_open_file(void *ctx, const char *path, struct gdbstub_file *file);
int xrw_gdb_read_file(void *ctx, const struct gdbstub_file *file, uint64_t offset, void *bytes,
                      size_t size, size_t *got);
void xrw_gdb_close_file(void *ctx, const struct gdbstub_file *file);

/* What gdb calls the thread of a vCPU. */
static inline gdbstub_thread xrw_gdb_thread(uint32_t vcpu)
{
    return (gdbstub_thread)(vcpu + 1);
}

#endif
