/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <string.h>

static const struct gdbstub_reason read_only = {"registers are read-only here"};

static size_t register_bytes(const struct gdbstub *stub, size_t index)
{
    return stub->description->registers[index].bits / 8u;
}

static void put_register(struct gdbstub *stub, gdbstub_thread thread, size_t index)
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
    gdbstub_thread thread = gs_general_thread(stub);

    (void)args;
    for (size_t i = 0; i < stub->description->register_count; i++)
        put_register(stub, thread, i);
    return GS_REPLY;
}

enum gs_answer gs_read_register(struct gdbstub *stub, struct gs_cursor args)
{
    uint64_t index;

    /* lldb may append ";thread:ID;" only after a negotiation that is never accepted here. */
    if (!gs_take_number(&args, &index) || gs_left(&args) > 0)
        return gs_reply_malformed(stub);
    if (index >= stub->description->register_count)
        return gs_reply_strict_error(stub, -EINVAL, NULL);

    put_register(stub, gs_general_thread(stub), (size_t)index);
    return GS_REPLY;
}

/* Writes one register from its hex digits; "xx…" leaves it alone. */
static int write_digits(struct gdbstub *stub, size_t index, const uint8_t *digits,
                        struct gdbstub_reason *reason)
{
    uint8_t value[GDBSTUB_REGISTER_BITS_MAX / 8];

    if (digits[0] == 'x')
        return 0;
    if (!gs_decode_hex(digits, register_bytes(stub, index), value))
        return -EINVAL;
    return stub->ops.write_register(stub->ctx, gs_general_thread(stub), index, value, reason);
}

enum gs_answer gs_write_register(struct gdbstub *stub, struct gs_cursor args)
{
    struct gdbstub_reason reason = {""};
    uint64_t index;

    if (!gs_take_number(&args, &index) || !gs_take(&args, '='))
        return gs_reply_malformed(stub);
    if (index >= stub->description->register_count ||
        gs_left(&args) != 2 * register_bytes(stub, (size_t)index))
        return gs_reply_malformed(stub);
    if (!stub->ops.write_register)
        return gs_reply_error(stub, -EPERM, &read_only);

    int ret = write_digits(stub, (size_t)index, args.next, &reason);
    return ret < 0 ? gs_reply_error(stub, ret, &reason) : gs_reply_ok(stub);
}

enum gs_answer gs_write_registers(struct gdbstub *stub, struct gs_cursor args)
{
    struct gdbstub_reason reason = {""};

    if (gs_left(&args) != 2 * stub->block_size)
        return gs_reply_malformed(stub);
    if (!stub->ops.write_register)
        return gs_reply_error(stub, -EPERM, &read_only);

    for (size_t i = 0; i < stub->description->register_count; i++) {
        int ret = write_digits(stub, i, args.next, &reason);
        if (ret < 0)
            return gs_reply_error(stub, ret, &reason);
        args.next += 2 * register_bytes(stub, i);
    }
    return gs_reply_ok(stub);
}
