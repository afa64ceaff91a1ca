/* SPDX-License-Identifier: MIT */
/*
 * A whole target in about a hundred lines: a byte-code machine with history, stepped both ways by
 *     gdb -ex 'target remote | gdbstub-tiny'
 */
#include "gdbstub.h"
#include "gdbstub_x86.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* Instructions are one byte: add the low nibble to rax, or (0x80) jump back by it while rax < 100.
 */
static const uint8_t program[] = {0x01, 0x02, 0x03, 0x83, 0x05, 0x00};
#define START 0x1000u

struct machine {
    struct state {
        uint64_t pc, rax;
    } history[512]; /* all states there have been; the last one begins at `now` */
    size_t now;
    struct gdbstub_resume request;
    bool moved;
    bool breakpoint[sizeof(program)];
};

static int read_register(void *ctx, gdbstub_thread thread, size_t index, void *value)
{
    const struct state *state = &((struct machine *)ctx)->history[((struct machine *)ctx)->now];

    (void)thread;
    if (index != GDBSTUB_X86_64_RIP && index != GDBSTUB_X86_64_RAX)
        return -ENODATA; /* <unavailable> */
    memcpy(value, index == GDBSTUB_X86_64_RIP ? &state->pc : &state->rax, 8);
    return 0;
}

static int read_memory(void *ctx, gdbstub_thread thread, uint64_t address, void *bytes, size_t size,
                       size_t *got)
{
    (void)ctx, (void)thread;
    if (address - START >= sizeof(program))
        return -EFAULT;
    *got = size < START + sizeof(program) - address ? size : START + sizeof(program) - address;
    memcpy(bytes, program + (address - START), *got);
    return 0;
}

/* One instruction forward; false at the end. */
static bool step(struct machine *m)
{
    struct state state = m->history[m->now];
    uint8_t insn = program[state.pc - START];

    if (insn == 0)
        return false;
    state.rax += insn & 0x80 ? 0 : insn;
    state.pc += insn & 0x80 && state.rax < 100 ? 0 - (uint64_t)(insn & 15) : 1;
    m->history[++m->now] = state;
    return true;
}

static int resume(void *ctx, const struct gdbstub_resume *request, struct gdbstub_reason *reason)
{
    (void)reason;
    ((struct machine *)ctx)->request = *request;
    ((struct machine *)ctx)->moved = false;
    return 0;
}

/* The rules of direction are those of gdbstub.h: forward, a breakpoint counts where a continue
 * starts. */
static int run(void *ctx, struct gdbstub_console *console, struct gdbstub_stop *stop)
{
    struct machine *m = ctx;
    bool reverse = m->request.direction == GDBSTUB_REVERSE;
    bool stepping = m->request.action == GDBSTUB_STEP;

    (void)console;
    if ((m->moved || (!reverse && !stepping)) && m->breakpoint[m->history[m->now].pc - START]) {
        stop->kind = GDBSTUB_STOP_SWBREAK;
        return 1;
    }
    if (stepping && m->moved)
        return 1;
    m->moved = true;
    if (reverse ? m->now > 0 && m->now-- : step(m))
        return 0; /* to be called again */
    stop->kind = reverse ? GDBSTUB_STOP_HISTORY_BEGIN : GDBSTUB_STOP_HISTORY_END;
    return 1;
}

static int interrupt(void *ctx, struct gdbstub_stop *stop)
{
    (void)ctx;
    stop->kind = GDBSTUB_STOP_INTERRUPTED;
    return 0;
}

static int mark(struct machine *m, const struct gdbstub_breakpoint *bp, bool there)
{
    if (bp->type != GDBSTUB_BREAK_SOFTWARE)
        return -ENOTSUP;
    if (bp->address - START < sizeof(program))
        m->breakpoint[bp->address - START] = there;
    return 0;
}

static int insert(void *ctx, const struct gdbstub_breakpoint *bp, struct gdbstub_reason *reason)
{
    (void)reason;
    return mark(ctx, bp, true);
}

static int drop(void *ctx, const struct gdbstub_breakpoint *bp, struct gdbstub_reason *reason)
{
    (void)reason;
    return mark(ctx, bp, false);
}

static void clear(void *ctx)
{
    memset(((struct machine *)ctx)->breakpoint, 0, sizeof(program));
}

static int output(void *ctx, const void *bytes, size_t size)
{
    (void)ctx;
    return write(STDOUT_FILENO, bytes, size) == (ssize_t)size ? 0 : -EIO;
}

int main(void)
{
    static const struct gdbstub_register registers[] = {GDBSTUB_X86_64_CORE};
    static const struct gdbstub_feature features[] = {GDBSTUB_X86_FEATURES};
    static const struct gdbstub_target_ops ops = {.size = sizeof(ops),
                                                  .read_register = read_register,
                                                  .read_memory = read_memory,
                                                  .resume = resume,
                                                  .run = run,
                                                  .interrupt = interrupt,
                                                  .can_reverse = true,
                                                  .insert_breakpoint = insert,
                                                  .remove_breakpoint = drop,
                                                  .clear_breakpoints = clear};
    static const struct gdbstub_description description = {
        .architecture = "i386:x86-64",
        .osabi = "none",
        .triple = "x86_64-unknown-linux",
        .registers = registers,
        .register_count = sizeof(registers) / sizeof(registers[0]),
        .features = features,
        .feature_count = sizeof(features) / sizeof(features[0])};
    static struct machine machine = {.history = {{START, 0}}};
    const struct gdbstub_config config = {
        .ops = &ops, .ctx = &machine, .description = &description, .output = output};
    struct gdbstub *stub;
    char bytes[4096];
    ssize_t got;

    if (gdbstub_create(&config, &stub) < 0)
        return 1;
    while ((got = read(STDIN_FILENO, bytes, sizeof(bytes))) > 0) {
        gdbstub_feed(stub, bytes, (size_t)got);
        while (gdbstub_state(stub) == GDBSTUB_RUNNING) /* it never runs long: no look for Ctrl-C */
            gdbstub_poll(stub);
    }
    gdbstub_destroy(stub);
    return 0;
}
