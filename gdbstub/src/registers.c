/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <string.h>

static const struct gdbstub_reason read_only = {"registers are read-only here"};

static size_t register_bytes(const struct gdbstub *stub, size_t index)
{
    return stub->description->registers[index].bits / 8u;
}

void gs_put_register(struct gdbstub *stub, gdbstub_thread thread, size_t index)
{
    uint8_t value[GDBSTUB_REGISTER_BITS_MAX / 8] = {0};
    size_t size = register_bytes(stub, index);

    if (stub->ops.read_register(stub->ctx, thread, index, value) == 0) {
        gs_put_hex(&stub->reply, value, size);
        return;
    }
    for (size_t i = 0; i < size; i++)
        gs_put_text(&stub->reply, "xx");
}

/* Only what is known: in a stop reply gdb takes "xx" for a broken number. */
void gs_put_expedited(struct gdbstub *stub, gdbstub_thread thread)
{
    uint8_t value[GDBSTUB_REGISTER_BITS_MAX / 8] = {0};

    for (size_t i = 0; i < stub->description->register_count; i++) {
        if (!(stub->description->registers[i].flags & GDBSTUB_REGISTER_EXPEDITE) ||
            stub->ops.read_register(stub->ctx, thread, i, value) != 0)
            continue;
        gs_put_format(&stub->reply, "%zx:", i);
        gs_put_hex(&stub->reply, value, register_bytes(stub, i));
        gs_put_text(&stub->reply, ";");
    }
}

enum gs_answer gs_read_registers(struct gdbstub *stub, struct gs_cursor args)
{
    gdbstub_thread thread;

    if (!gs_take_thread_suffix(stub, &args, &thread))
        return gs_reply_malformed(stub);
    for (size_t i = 0; i < stub->description->register_count; i++)
        gs_put_register(stub, thread, i);
    return GS_REPLY;
}

enum gs_answer gs_read_register(struct gdbstub *stub, struct gs_cursor args)
{
    static const struct gdbstub_reason unknown = {"the register is not known at this position"};
    gdbstub_thread thread;
    uint64_t index;

    if (!gs_take_number(&args, &index) || !gs_take_thread_suffix(stub, &args, &thread))
        return gs_reply_malformed(stub);
    if (index >= stub->description->register_count)
        return gs_reply_strict_error(stub, -EINVAL, NULL);

    gs_put_register(stub, thread, (size_t)index);
    /* lldb takes "xx" for a value. */
    if (stub->peer.lldb && stub->reply.data[0] == 'x')
        return gs_reply_error(stub, -ENODATA, &unknown);
    return GS_REPLY;
}

/* Writes one register from its hex digits; "xx…" leaves it alone. */
static int write_digits(struct gdbstub *stub, gdbstub_thread thread, size_t index,
                        const uint8_t *digits, struct gdbstub_reason *reason)
{
    uint8_t value[GDBSTUB_REGISTER_BITS_MAX / 8];

    if (digits[0] == 'x')
        return 0;
    if (!gs_decode_hex(digits, register_bytes(stub, index), value))
        return -EINVAL;
    return stub->ops.write_register(stub->ctx, thread, index, value, reason);
}

/* Cuts the digits of `size` bytes off the front; what follows may name a thread. */
static const uint8_t *take_digits(const struct gdbstub *stub, struct gs_cursor *args, size_t size,
                                  gdbstub_thread *thread)
{
    const uint8_t *digits = args->next;

    if (gs_left(args) < 2 * size)
        return NULL;
    args->next += 2 * size;
    return gs_take_thread_suffix(stub, args, thread) ? digits : NULL;
}

enum gs_answer gs_write_register(struct gdbstub *stub, struct gs_cursor args)
{
    struct gdbstub_reason reason = {""};
    const uint8_t *digits = NULL;
    gdbstub_thread thread = 0;
    uint64_t index;

    if (!gs_take_number(&args, &index) || !gs_take(&args, '='))
        return gs_reply_malformed(stub);
    if (index < stub->description->register_count)
        digits = take_digits(stub, &args, register_bytes(stub, (size_t)index), &thread);
    if (!digits)
        return gs_reply_malformed(stub);
    if (!stub->ops.write_register)
        return gs_reply_error(stub, -EPERM, &read_only);

    int ret = write_digits(stub, thread, (size_t)index, digits, &reason);
    return ret < 0 ? gs_reply_error(stub, ret, &reason) : gs_reply_ok(stub);
}

enum gs_answer gs_write_registers(struct gdbstub *stub, struct gs_cursor args)
{
    struct gdbstub_reason reason = {""};
    gdbstub_thread thread = 0;
    const uint8_t *digits = take_digits(stub, &args, stub->block_size, &thread);

    if (!digits)
        return gs_reply_malformed(stub);
    if (!stub->ops.write_register)
        return gs_reply_error(stub, -EPERM, &read_only);

    for (size_t i = 0; i < stub->description->register_count; i++) {
        int ret = write_digits(stub, thread, i, digits, &reason);
        if (ret < 0)
            return gs_reply_error(stub, ret, &reason);
        digits += 2 * register_bytes(stub, i);
    }
    return gs_reply_ok(stub);
}
