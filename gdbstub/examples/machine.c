/* SPDX-License-Identifier: MIT */
#include "machine.h"

#include <string.h>

/* Instructions are three bytes: operation, register (0 rax, 1 rbx, 2 rcx, 3 rdx), operand. */
enum { HALT, LOAD, ADD, STORE, JUMP_NONZERO };

#define INSN_SIZE 3u

// clang-format off
static const uint8_t program[MACHINE_CODE_SIZE] = {
    LOAD,         0, 0,    /* 1000: rax = 0 */
    LOAD,         2, 3,    /* 1003: rcx = 3 */
    ADD,          0, 5,    /* 1006: rax += 5 */
    STORE,        0, 0x10, /* 1009: [2010] = al */
    ADD,          2, 0xff, /* 100c: rcx -= 1 */
    JUMP_NONZERO, 2, 0xf4, /* 100f: if rcx != 0 goto 1006 */
    STORE,        2, 0x11, /* 1012: [2011] = cl */
    LOAD,         1, 100,  /* 1015: rbx = 100 */
    ADD,          3, 1,    /* 1018: rdx += 1 */
    ADD,          1, 0xff, /* 101b: rbx -= 1 */
    JUMP_NONZERO, 1, 0xf7, /* 101e: if rbx != 0 goto 1018 */
    HALT,         0, 0,    /* 1021: the end of history */
};
// clang-format on

void machine_init(struct machine *machine)
{
    memset(machine, 0, sizeof(*machine));
    machine->pc = MACHINE_CODE;
}

const uint8_t *machine_program(void)
{
    return program;
}

bool machine_at_end(const struct machine *machine)
{
    return program[machine->pc - MACHINE_CODE] == HALT || machine->position == MACHINE_HISTORY_MAX;
}

bool machine_at_start(const struct machine *machine)
{
    return machine->position == 0;
}

uint64_t machine_step(struct machine *machine)
{
    const uint8_t *insn = program + (machine->pc - MACHINE_CODE);
    uint64_t *reg = &machine->gpr[insn[1]];
    uint64_t operand = (uint64_t)(int8_t)insn[2];
    struct machine_undo *undo = &machine->history[machine->position++];

    *undo = (struct machine_undo){.pc = machine->pc};
    memcpy(undo->gpr, machine->gpr, sizeof(undo->gpr));
    machine->pc += INSN_SIZE;
    switch (insn[0]) {
    case LOAD:
        *reg = operand;
        break;
    case ADD:
        *reg += operand;
        break;
    case STORE:
        undo->written = MACHINE_DATA + insn[2];
        undo->old = machine->data[insn[2]];
        machine->data[insn[2]] = (uint8_t)*reg;
        break;
    case JUMP_NONZERO:
        machine->pc += *reg != 0 ? operand : 0;
        break;
    }
    return undo->written;
}

uint64_t machine_step_back(struct machine *machine)
{
    const struct machine_undo *undo = &machine->history[--machine->position];

    machine->pc = undo->pc;
    memcpy(machine->gpr, undo->gpr, sizeof(undo->gpr));
    if (undo->written)
        machine->data[undo->written - MACHINE_DATA] = undo->old;
    return undo->written;
}
