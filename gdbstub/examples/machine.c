/* SPDX-License-Identifier: MIT */
#include "machine.h"

#include <string.h>

/* Instructions are three bytes: operation, register (0 rax, 1 rbx, 2 rcx, 3 rdx), operand. */
enum { HALT, LOAD, ADD, STORE, JUMP_NONZERO, CALL, RETURN };

#define RSP 4

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
    CALL,         0, 0x0c, /* 1021: work() */
    ADD,          3, 1,    /* 1024: rdx += 1 */
    CALL,         0, 0x06, /* 1027: work() */
    STORE,        3, 0x13, /* 102a: [2013] = dl */
    HALT,         0, 0,    /* 102d: the end of history */
    ADD,          0, 1,    /* 1030: work: rax += 1 */
    CALL,         0, 0x06, /* 1033: leaf() */
    STORE,        0, 0x12, /* 1036: [2012] = al */
    RETURN,       0, 0,    /* 1039 */
    ADD,          0, 2,    /* 103c: leaf: rax += 2 */
    RETURN,       0, 0,    /* 103f */
};
// clang-format on

void machine_init(struct machine *machine)
{
    memset(machine, 0, sizeof(*machine));
    machine->pc = MACHINE_CODE;
    machine->gpr[RSP] = MACHINE_DATA + MACHINE_DATA_SIZE - 16;
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

/* Writes the low bytes of a value, and notes how to undo that. */
static void store(struct machine *machine, struct machine_undo *undo, uint64_t address,
                  uint64_t value, size_t size)
{
    uint8_t *data = machine->data + (address - MACHINE_DATA);

    undo->written = (struct machine_write){address, size};
    memcpy(undo->old, data, size);
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)(value >> (8 * i));
}

/* The program calls two deep at most: the stack stays within the data. */
static uint64_t pop(struct machine *machine)
{
    const uint8_t *data = machine->data + (machine->gpr[RSP] - MACHINE_DATA);
    uint64_t value = 0;

    for (size_t i = 8; i > 0; i--)
        value = value << 8 | data[i - 1];
    machine->gpr[RSP] += 8;
    return value;
}

struct machine_write machine_step(struct machine *machine)
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
        store(machine, undo, MACHINE_DATA + insn[2], *reg, 1);
        break;
    case JUMP_NONZERO:
        machine->pc += *reg != 0 ? operand : 0;
        break;
    case CALL:
        machine->gpr[RSP] -= 8;
        store(machine, undo, machine->gpr[RSP], machine->pc, 8);
        machine->pc += operand;
        break;
    case RETURN:
        machine->pc = pop(machine);
        break;
    }
    return undo->written;
}

struct machine_write machine_step_back(struct machine *machine)
{
    const struct machine_undo *undo = &machine->history[--machine->position];

    machine->pc = undo->pc;
    memcpy(machine->gpr, undo->gpr, sizeof(undo->gpr));
    if (undo->written.size > 0)
        memcpy(machine->data + (undo->written.address - MACHINE_DATA), undo->old,
               undo->written.size);
    return undo->written;
}
