/* SPDX-License-Identifier: MIT */
#include "internal.h"

static const struct gdbstub_reason read_only = {"memory is read-only here"};

static bool take_range(struct gs_cursor *args, uint64_t *address, uint64_t *size)
{
    return gs_take_number(args, address) && gs_take(args, ',') && gs_take_number(args, size);
}

/* Whether [address, address + size) wraps around the address space. */
static bool wraps(uint64_t address, uint64_t size)
{
    return size > 0 && size - 1 > UINT64_MAX - address;
}

/* Reads into stub->scratch what is known, at most `limit` bytes. */
static int read_range(struct gdbstub *stub, struct gs_cursor *args, size_t limit, size_t *got)
{
    uint64_t address;
    uint64_t size;
    size_t known = 0;

    if (!take_range(args, &address, &size) || gs_left(args) > 0)
        return -EINVAL;
    if (wraps(address, size))
        size = UINT64_MAX - address + 1;
    if (size > limit)
        size = limit;
    if (size == 0) {
        *got = 0;
        return 0;
    }

    int ret = stub->ops.read_memory(stub->ctx, gs_general_thread(stub), address, stub->scratch,
                                    (size_t)size, &known);
    if (ret < 0)
        return ret;
    if (known == 0)
        return -EFAULT;
    *got = known < size ? known : (size_t)size;
    return 0;
}

enum gs_answer gs_read_memory(struct gdbstub *stub, struct gs_cursor args)
{
    size_t got;
    int ret = read_range(stub, &args, stub->packet_size / 2, &got);

    if (ret < 0)
        return gs_reply_strict_error(stub, ret, NULL);
    gs_put_hex(&stub->reply, stub->scratch, got);
    return GS_REPLY;
}

enum gs_answer gs_read_memory_binary(struct gdbstub *stub, struct gs_cursor args)
{
    size_t got;
    /* Half a packet leaves room for every byte being escaped. */
    int ret = read_range(stub, &args, stub->packet_size / 2 - 1, &got);

    if (ret < 0)
        return gs_reply_strict_error(stub, ret, NULL);
    gs_put_text(&stub->reply, "b");
    gs_put(&stub->reply, stub->scratch, got);
    return GS_REPLY;
}

static enum gs_answer write_bytes(struct gdbstub *stub, uint64_t address, const uint8_t *bytes,
                                  size_t size)
{
    struct gdbstub_reason reason = {""};

    if (wraps(address, size))
        return gs_reply_error(stub, -EFAULT, NULL);
    /* Nothing to write: a probe for the packet itself. */
    if (size == 0)
        return gs_reply_ok(stub);
    if (!stub->ops.write_memory)
        return gs_reply_error(stub, -EPERM, &read_only);

    int ret =
        stub->ops.write_memory(stub->ctx, gs_general_thread(stub), address, bytes, size, &reason);
    return ret < 0 ? gs_reply_error(stub, ret, &reason) : gs_reply_ok(stub);
}

enum gs_answer gs_write_memory(struct gdbstub *stub, struct gs_cursor args)
{
    uint64_t address;
    uint64_t size;

    if (!take_range(&args, &address, &size) || !gs_take(&args, ':'))
        return gs_reply_malformed(stub);
    /* The packet was received, so half of what is left fits the scratch block. */
    if (gs_left(&args) % 2 != 0 || gs_left(&args) / 2 != size ||
        !gs_decode_hex(args.next, (size_t)size, stub->scratch))
        return gs_reply_malformed(stub);
    return write_bytes(stub, address, stub->scratch, (size_t)size);
}

enum gs_answer gs_write_memory_binary(struct gdbstub *stub, struct gs_cursor args)
{
    uint64_t address;
    uint64_t size;

    if (!take_range(&args, &address, &size) || !gs_take(&args, ':') || gs_left(&args) != size)
        return gs_reply_malformed(stub);
    return write_bytes(stub, address, args.next, (size_t)size);
}
