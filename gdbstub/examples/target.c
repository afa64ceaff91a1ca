/* SPDX-License-Identifier: MIT */
#include "target.h"

#include "gdbstub_x86.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_PER_SLICE 1000

/* ---- registers and memory: what the machine lacks is unavailable ---- */

#define STEPS GDBSTUB_X86_64_CORE_COUNT

/* gdb must know the architecture, so the machine says that it is an x86-64. */
static const struct gdbstub_register registers[] = {
    GDBSTUB_X86_64_CORE,
    {"steps", 64, "org.example.machine", "uint64", "system", 0},
};

static const struct gdbstub_feature features[] = {GDBSTUB_X86_FEATURES};

static int target_read_register(void *ctx, gdbstub_thread thread, size_t index, void *value)
{
    const struct target *target = ctx;
    uint64_t number;

    (void)thread;
    if (index < 4)
        number = target->machine.gpr[index];
    else if (index == GDBSTUB_X86_64_RSP)
        number = target->machine.gpr[4];
    else if (index == GDBSTUB_X86_64_RIP)
        number = target->machine.pc;
    else if (index == STEPS)
        number = target->machine.position;
    else
        return -ENODATA;
    for (size_t i = 0; i < 8; i++)
        ((uint8_t *)value)[i] = (uint8_t)(number >> (8 * i));
    return 0;
}

static int target_read_memory(void *ctx, gdbstub_thread thread, uint64_t address, void *bytes,
                              size_t size, size_t *got)
{
    const struct target *target = ctx;
    bool code = address - MACHINE_CODE < MACHINE_CODE_SIZE;
    uint64_t offset = address - (code ? MACHINE_CODE : MACHINE_DATA);
    size_t whole = code ? MACHINE_CODE_SIZE : MACHINE_DATA_SIZE;

    (void)thread;
    if (offset >= whole)
        return -EFAULT;
    *got = size < whole - offset ? size : whole - offset;
    memcpy(bytes, (code ? machine_program() : target->machine.data) + offset, *got);
    return 0;
}

static int target_find_mapping(void *ctx, gdbstub_thread thread, uint64_t address,
                               struct gdbstub_mapping *mapping)
{
    static const struct gdbstub_mapping all[] = {
        {0, MACHINE_CODE - 1, false, false, false},
        {MACHINE_CODE, MACHINE_CODE + MACHINE_CODE_SIZE - 1, true, false, true},
        {MACHINE_CODE + MACHINE_CODE_SIZE, MACHINE_DATA - 1, false, false, false},
        {MACHINE_DATA, MACHINE_DATA + MACHINE_DATA_SIZE - 1, true, true, false},
        {MACHINE_DATA + MACHINE_DATA_SIZE, UINT64_MAX, false, false, false},
    };

    (void)ctx, (void)thread;
    *mapping = all[0];
    for (size_t i = 1; address > mapping->last; i++)
        *mapping = all[i];
    return 0;
}

static const struct gdbstub_description description = {
    .architecture = "i386:x86-64",
    .osabi = "none",
    .triple = "x86_64-unknown-linux",
    .registers = registers,
    .register_count = sizeof(registers) / sizeof(registers[0]),
    .features = features,
    .feature_count = sizeof(features) / sizeof(features[0]),
};

/* ---- running ---- */

static bool holds(struct target *target, const struct target_breakpoint *breakpoint)
{
    const struct gdbstub_conditions conditions = {breakpoint->conditions,
                                                  breakpoint->plain.conditions.size};
    const struct gdbstub_view here = {.description = &description,
                                      .read_register = target_read_register,
                                      .read_memory = target_read_memory,
                                      .ctx = target,
                                      .thread = 1,
                                      .console = target->console};

    return gdbstub_breakpoint_stops(&conditions, &here);
}

static bool breakpoint_hit(struct target *target, struct gdbstub_stop *stop)
{
    for (size_t i = 0; i < target->breakpoint_count; i++) {
        const struct gdbstub_breakpoint *bp = &target->breakpoints[i].plain;
        if (bp->type > GDBSTUB_BREAK_HARDWARE || bp->address != target->machine.pc ||
            !holds(target, &target->breakpoints[i]))
            continue;
        stop->kind =
            bp->type == GDBSTUB_BREAK_SOFTWARE ? GDBSTUB_STOP_SWBREAK : GDBSTUB_STOP_HWBREAK;
        return true;
    }
    return false;
}

static bool watch_hit(const struct target *target, struct machine_write written,
                      struct gdbstub_stop *stop)
{
    for (size_t i = 0; i < target->breakpoint_count; i++) {
        const struct gdbstub_breakpoint *bp = &target->breakpoints[i].plain;
        uint64_t first = written.address > bp->address ? written.address : bp->address;
        if (bp->type != GDBSTUB_WATCH_WRITE || first - bp->address >= bp->kind ||
            first - written.address >= written.size)
            continue;
        *stop = (struct gdbstub_stop){.kind = GDBSTUB_STOP_WATCH_WRITE, .address = first};
        return true;
    }
    return false;
}

/* gdb steps over a line in one go: no stop while the pc is within it. */
static bool step_goes_on(const struct target *target)
{
    const struct gdbstub_resume *request = &target->request;

    return target->machine.pc - request->range_start < request->range_end - request->range_start;
}

static int target_resume(void *ctx, const struct gdbstub_resume *request,
                         struct gdbstub_reason *reason)
{
    struct target *target = ctx;

    (void)reason;
    target->request = *request;
    target->moved = false;
    return 0;
}

/* One instruction of a run; 1 when it has stopped. The rules are those of gdbstub.h. */
static int advance(struct target *target, struct gdbstub_stop *stop)
{
    struct machine *machine = &target->machine;
    bool reverse = target->request.direction == GDBSTUB_REVERSE;
    bool step = target->request.action == GDBSTUB_STEP;

    /* Where a run starts, a breakpoint counts when it goes forward, and not for a step. */
    if ((target->moved || (!step && !reverse)) && breakpoint_hit(target, stop))
        return 1;
    if (reverse ? machine_at_start(machine) : machine_at_end(machine)) {
        stop->kind = reverse ? GDBSTUB_STOP_HISTORY_BEGIN : GDBSTUB_STOP_HISTORY_END;
        return 1;
    }
    target->moved = true;
    if (watch_hit(target, reverse ? machine_step_back(machine) : machine_step(machine), stop))
        return 1;
    stop->kind = GDBSTUB_STOP_STEP;
    return step && !step_goes_on(target);
}

static int target_run(void *ctx, struct gdbstub_console *console, struct gdbstub_stop *stop)
{
    struct target *target = ctx;

    target->console = console;
    for (unsigned i = 0; i < target->steps_per_slice; i++) {
        if (advance(target, stop) != 0)
            return 1;
    }
    return 0;
}

static int target_interrupt(void *ctx, struct gdbstub_stop *stop)
{
    (void)ctx;
    stop->kind = GDBSTUB_STOP_INTERRUPTED;
    return 0;
}

static int target_restart(void *ctx, struct gdbstub_reason *reason)
{
    (void)reason;
    machine_init(&((struct target *)ctx)->machine);
    return 0;
}

/* ---- breakpoints ---- */

static bool same(const struct gdbstub_breakpoint *a, const struct gdbstub_breakpoint *b)
{
    return a->type == b->type && a->address == b->address && a->kind == b->kind;
}

static int target_remove(void *ctx, const struct gdbstub_breakpoint *breakpoint,
                         struct gdbstub_reason *reason)
{
    struct target *target = ctx;

    (void)reason;
    for (size_t i = 0; i < target->breakpoint_count; i++) {
        if (!same(&target->breakpoints[i].plain, breakpoint))
            continue;
        target->breakpoints[i] = target->breakpoints[--target->breakpoint_count];
        break;
    }
    return 0;
}

static int target_insert(void *ctx, const struct gdbstub_breakpoint *breakpoint,
                         struct gdbstub_reason *reason)
{
    struct target *target = ctx;

    if (breakpoint->type > GDBSTUB_WATCH_WRITE)
        return -ENOTSUP;
    target_remove(ctx, breakpoint, reason);
    if (target->breakpoint_count == TARGET_BREAKPOINTS_MAX) {
        gdbstub_reason_set(reason, "no more than %u breakpoints", TARGET_BREAKPOINTS_MAX);
        return -ENOSPC;
    }
    struct target_breakpoint *kept = &target->breakpoints[target->breakpoint_count++];
    kept->plain = *breakpoint;
    if (breakpoint->conditions.size > 0)
        memcpy(kept->conditions, breakpoint->conditions.bytes, breakpoint->conditions.size);
    return 0;
}

static void target_clear(void *ctx)
{
    struct target *target = ctx;

    target->breakpoint_count = 0;
}

/* ---- monitor commands ---- */

static int command_where(void *ctx, const char *args, struct gdbstub_console *console,
                         struct gdbstub_reason *reason)
{
    const struct target *target = ctx;

    (void)args, (void)reason;
    gdbstub_console_print(console, "step %zu, pc %#llx\n", target->machine.position,
                          (unsigned long long)target->machine.pc);
    return 0;
}

static int command_goto(void *ctx, const char *args, struct gdbstub_console *console,
                        struct gdbstub_reason *reason)
{
    struct machine *machine = &((struct target *)ctx)->machine;
    char *end;
    unsigned long step = strtoul(args, &end, 0);

    if (end == args || *end != '\0') {
        gdbstub_reason_set(reason, "goto: \"%s\" is not a number of steps", args);
        return -EINVAL;
    }
    while (machine->position > step)
        machine_step_back(machine);
    while (machine->position < step && !machine_at_end(machine))
        machine_step(machine);
    return command_where(ctx, "", console, reason);
}

static const struct gdbstub_command commands[] = {
    {"goto", "N", "go to the position after N steps", command_goto},
    {"where", NULL, "say where the machine stands", command_where},
};

/* ---- the whole ---- */

static const struct gdbstub_target_ops ops = {
    .size = sizeof(ops),
    .read_register = target_read_register,
    .read_memory = target_read_memory,
    .resume = target_resume,
    .run = target_run,
    .interrupt = target_interrupt,
    .can_reverse = true,
    .insert_breakpoint = target_insert,
    .remove_breakpoint = target_remove,
    .clear_breakpoints = target_clear,
    .restart = target_restart,
    .find_mapping = target_find_mapping,
    .checks_conditions = true,
};

void target_init(struct target *target, struct gdbstub_config *config)
{
    machine_init(&target->machine);
    target->breakpoint_count = 0;
    target->steps_per_slice = STEPS_PER_SLICE;
    config->ops = &ops;
    config->ctx = target;
    config->description = &description;
    config->commands = commands;
    config->command_count = sizeof(commands) / sizeof(commands[0]);
}
