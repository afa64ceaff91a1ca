/* SPDX-License-Identifier: MIT */
#include "internal.h"

/*
 * Conditions of breakpoints. Source: GDB manual, node Packets, Z0. They are kept one after the
 * other, each behind its length in LENGTH_SIZE bytes.
 */

#define LENGTH_SIZE 2u
/* For all conditions of one breakpoint together. gdb makes expressions without loops. */
#define STEPS_MAX 10000u

/* One "Xlen,bytecode". */
static int take_condition(struct gs_cursor *args, uint8_t *bytes, size_t *size)
{
    uint64_t length;

    if (!gs_take(args, 'X') || !gs_take_number(args, &length) || !gs_take(args, ',') ||
        length == 0 || length > gs_left(args) / 2)
        return -EINVAL;
    if (length + LENGTH_SIZE > GDBSTUB_CONDITIONS_MAX - *size)
        return -E2BIG;

    bytes += *size;
    bytes[0] = (uint8_t)(length >> 8);
    bytes[1] = (uint8_t)length;
    if (!gs_decode_hex(args->next, (size_t)length, bytes + LENGTH_SIZE))
        return -EINVAL;
    args->next += 2 * length;
    *size += (size_t)length + LENGTH_SIZE;
    return 0;
}

int gs_take_conditions(struct gs_cursor *args, uint8_t *bytes,
                       struct gdbstub_conditions *conditions)
{
    size_t size = 0;

    /* gdb writes one ';' before all of them, the manual one before each. */
    if (!gs_take(args, ';'))
        return -EINVAL;
    do {
        int ret = take_condition(args, bytes, &size);
        if (ret < 0)
            return ret;
        if (gs_left(args) == 0)
            break;
        gs_take(args, ';');
    } while (true);

    *conditions = (struct gdbstub_conditions){bytes, size};
    return 0;
}

bool gdbstub_conditions_hold(const struct gdbstub_conditions *conditions,
                             const struct gdbstub_view *view)
{
    unsigned steps = STEPS_MAX;
    size_t at = 0;

    if (conditions->size == 0)
        return true;
    while (conditions->size - at >= LENGTH_SIZE) {
        const uint8_t *bytes = conditions->bytes + at;
        size_t length = (size_t)(bytes[0] << 8 | bytes[1]);
        uint64_t value;

        at += LENGTH_SIZE;
        /* What cannot be evaluated counts as hit, and gdb will decide. */
        if (length > conditions->size - at ||
            gs_evaluate(view, bytes + LENGTH_SIZE, length, &steps, &value) < 0 || value != 0)
            return true;
        at += length;
    }
    return false;
}
