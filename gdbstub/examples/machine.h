/* SPDX-License-Identifier: MIT */
#ifndef GDBSTUB_EXAMPLE_MACHINE_H
#define GDBSTUB_EXAMPLE_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * A byte-code machine with history; it knows nothing of gdb. Code and data are addressed from
 * MACHINE_CODE and MACHINE_DATA on.
 */
#define MACHINE_CODE 0x1000u
#define MACHINE_CODE_SIZE 66u
#define MACHINE_DATA 0x2000u
#define MACHINE_DATA_SIZE 0x80u
#define MACHINE_HISTORY_MAX 4096u

/** What an instruction wrote into memory: size 0 for nothing. */
struct machine_write {
    uint64_t address;
    size_t size;
};

/** What an instruction overwrote: enough to go back. */
struct machine_undo {
    uint64_t pc;
    uint64_t gpr[5];
    struct machine_write written;
    uint8_t old[8];
};

struct machine {
    uint64_t gpr[5]; /**< rax, rbx, rcx, rdx, rsp */
    uint64_t pc;
    uint8_t data[MACHINE_DATA_SIZE];
    size_t position; /**< instructions executed since the start */
    struct machine_undo history[MACHINE_HISTORY_MAX];
};

/** Puts a machine at the start of its program. */
void machine_init(struct machine *machine);

/** The program, MACHINE_CODE_SIZE bytes. */
const uint8_t *machine_program(void);

/** Whether there is no instruction after, or before, this position. */
bool machine_at_end(const struct machine *machine);
bool machine_at_start(const struct machine *machine);

/**
 * Executes the next instruction, or takes the last one back. Not to be called at the end, or at the
 * start. Returns what was written or restored.
 */
struct machine_write machine_step(struct machine *machine);
struct machine_write machine_step_back(struct machine *machine);

#endif
