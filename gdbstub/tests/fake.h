/* SPDX-License-Identifier: MIT */
#ifndef GDBSTUB_TESTS_FAKE_H
#define GDBSTUB_TESTS_FAKE_H

#include "gdbstub.h"

#define FAKE_FILE_SIZE 0x12345u
#define FAKE_MEMORY 0x10000u
#define FAKE_MEMORY_SIZE 0x9000u

/* A target with every operation, that does what a test tells it and keeps what it was told. */
struct fake {
    struct gdbstub_target_ops ops; /* a test may take operations away before it opens a client */
    struct gdbstub_description description;
    struct gdbstub_config config;

    uint8_t registers[2][32]; /* of threads 1 and 2 */
    uint8_t memory[FAKE_MEMORY_SIZE];
    const char *refusal; /* write_*, insert_* and resume fail with this */

    int resumes;
    struct gdbstub_resume request;
    int runs;
    const char *chatter; /* run prints this */
    int runs_needed;     /* run reports `stop` in this call; 0: never */
    int run_error;
    struct gdbstub_stop stop;
    int interrupts;
    int inserts;
    int removes;
    int clears;
    int restarts;
    int announces;
    struct gdbstub_breakpoint breakpoint; /* the last one; its conditions are those below */
    uint8_t conditions[GDBSTUB_CONDITIONS_MAX];
    int files_open;       /* of /boot/vmlinux, FAKE_FILE_SIZE bytes: byte n is n * 3 */
    size_t monitor_bytes; /* how much `monitor flood` prints */
    char monitor_args[64];
};

/* Index and size of the fake's registers: pc (8 bytes), sp (8), flags (4), wide (10), lost (2). */
enum { FAKE_PC, FAKE_SP, FAKE_FLAGS, FAKE_WIDE, FAKE_LOST };

void fake_init(struct fake *fake);

/* A view of the fake's thread 1, for conditions. */
struct gdbstub_view fake_view(struct fake *fake);

/* An `announce` operation, which fake_init leaves out. */
void fake_announce(void *ctx, const struct gdbstub_stop *stop, struct gdbstub_console *console);

#endif
