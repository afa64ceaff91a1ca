/* SPDX-License-Identifier: MIT */
#include "internal.h"

/*
 * Conditions and commands of breakpoints. Source: GDB manual, node Packets, Z0. They are kept one
 * after the other, each behind its kind in one byte and its length in two.
 */

enum kind { CONDITION, COMMAND };

#define HEAD_SIZE 3u
/* For all conditions and commands of one breakpoint together. gdb makes them without loops. */
#define STEPS_MAX 10000u

/* One "Xlen,bytecode". */
static int take_expression(struct gs_cursor *args, enum kind kind, uint8_t *bytes, size_t *size)
{
    uint64_t length;

    if (!gs_take(args, 'X') || !gs_take_number(args, &length) || !gs_take(args, ',') ||
        length == 0 || length > gs_left(args) / 2)
        return -EINVAL;
    if (length + HEAD_SIZE > GDBSTUB_CONDITIONS_MAX - *size)
        return -E2BIG;

    bytes += *size;
    bytes[0] = (uint8_t)kind;
    bytes[1] = (uint8_t)(length >> 8);
    bytes[2] = (uint8_t)length;
    if (!gs_decode_hex(args->next, (size_t)length, bytes + HEAD_SIZE))
        return -EINVAL;
    args->next += 2 * length;
    *size += (size_t)length + HEAD_SIZE;
    return 0;
}

/* "cmds:persist,": what follows are commands. They never outlive the client here. */
static bool take_commands_head(struct gs_cursor *args, bool *malformed)
{
    static const char head[] = "cmds:";
    struct gs_cursor at = *args;
    uint64_t persist;

    for (const char *c = head; *c != '\0'; c++) {
        if (!gs_take(&at, *c))
            return false;
    }
    *malformed = !gs_take_number(&at, &persist) || !gs_take(&at, ',') || gs_left(&at) == 0;
    *args = at;
    return true;
}

int gs_take_conditions(struct gs_cursor *args, uint8_t *bytes,
                       struct gdbstub_conditions *conditions)
{
    enum kind kind = CONDITION;
    bool malformed = false;
    size_t size = 0;

    /* gdb writes one ';' before all of a kind, the manual one before each. */
    if (!gs_take(args, ';'))
        return -EINVAL;
    while (gs_left(args) > 0) {
        if (kind == CONDITION && take_commands_head(args, &malformed))
            kind = COMMAND;
        int ret = malformed ? -EINVAL : take_expression(args, kind, bytes, &size);
        if (ret < 0)
            return ret;
        if (gs_take(args, ';') && gs_left(args) == 0)
            return -EINVAL;
    }
    if (size == 0)
        return -EINVAL;

    *conditions = (struct gdbstub_conditions){bytes, size};
    return 0;
}

/* The next expression of all; false at the end, or where the bytes are none of ours. */
static bool next_expression(const struct gdbstub_conditions *all, size_t *at, enum kind *kind,
                            struct gs_cursor *code)
{
    if (all->size - *at < HEAD_SIZE)
        return false;
    const uint8_t *head = all->bytes + *at;
    size_t length = (size_t)(head[1] << 8 | head[2]);
    if (length > all->size - *at - HEAD_SIZE)
        return false;

    *kind = (enum kind)head[0];
    *code = (struct gs_cursor){head + HEAD_SIZE, head + HEAD_SIZE + length};
    *at += HEAD_SIZE + length;
    return true;
}

/* Whether one of the conditions is not 0, or there is none. What cannot be evaluated counts as not
 * 0, and gdb will decide. */
static bool conditions_hold(const struct gdbstub_conditions *all, const struct gdbstub_view *view,
                            unsigned *steps)
{
    struct gs_cursor code;
    enum kind kind;
    bool any = false;

    for (size_t at = 0; next_expression(all, &at, &kind, &code);) {
        uint64_t value;
        if (kind != CONDITION)
            continue;
        if (gs_evaluate(view, code.next, gs_left(&code), steps, &value) < 0 || value != 0)
            return true;
        any = true;
    }
    return !any;
}

/* Whether there were commands and all of them could be carried out. */
static bool carry_out(const struct gdbstub_conditions *all, const struct gdbstub_view *view,
                      unsigned *steps)
{
    struct gs_cursor code;
    enum kind kind;
    bool any = false;

    for (size_t at = 0; next_expression(all, &at, &kind, &code);) {
        if (kind != COMMAND)
            continue;
        if (!view->console || gs_carry_out(view, code.next, gs_left(&code), steps) < 0)
            return false;
        any = true;
    }
    return any;
}

bool gdbstub_breakpoint_stops(const struct gdbstub_conditions *conditions,
                              const struct gdbstub_view *view)
{
    unsigned steps = STEPS_MAX;

    return conditions->size == 0 ||
           (conditions_hold(conditions, view, &steps) && !carry_out(conditions, view, &steps));
}
