/* SPDX-License-Identifier: MIT */
#include "gdbstub.h"
#include "target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * libFuzzer harness: a byte stream into the example target, to which the operations that it lacks
 * are added. The first byte says how the stream is cut into pieces, so that packets end anywhere
 * within one. What comes out must be frames with their checksums; every file must be closed.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

/* ---- the other end of the wire ---- */

struct wire {
    enum { BETWEEN, BODY, SUM_HIGH, SUM_LOW } state;
    uint8_t sum;
    uint8_t sent;
};

static unsigned digit(uint8_t byte)
{
    REQUIRE((byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f'));
    return (unsigned)(byte <= '9' ? byte - '0' : byte - 'a' + 10);
}

static void take(struct wire *wire, uint8_t byte)
{
    switch (wire->state) {
    case BETWEEN:
        REQUIRE(byte == '+' || byte == '-' || byte == '$');
        wire->sum = 0;
        wire->state = byte == '$' ? BODY : BETWEEN;
        break;
    case BODY:
        REQUIRE(byte != '$');
        wire->sum = (uint8_t)(wire->sum + (byte == '#' ? 0 : byte));
        wire->state = byte == '#' ? SUM_HIGH : BODY;
        break;
    case SUM_HIGH:
        wire->sent = (uint8_t)(digit(byte) << 4);
        wire->state = SUM_LOW;
        break;
    case SUM_LOW:
        REQUIRE((wire->sent | digit(byte)) == wire->sum);
        wire->state = BETWEEN;
        break;
    }
}

static int check_output(void *ctx, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        take(ctx, ((const uint8_t *)bytes)[i]);
    return 0;
}

/* ---- what the example target lacks ---- */

#define FILE_BYTES 100000u

static unsigned files_open;

static int exec_file(void *ctx, char path[GDBSTUB_NAME_MAX])
{
    (void)ctx;
    strcpy(path, "/f");
    return 0;
}

static int open_file(void *ctx, const char *path, struct gdbstub_file *file)
{
    (void)ctx;
    if (strcmp(path, "/f") != 0)
        return -ENOENT;
    files_open++;
    *file = (struct gdbstub_file){&files_open, FILE_BYTES};
    return 0;
}

static int read_file(void *ctx, const struct gdbstub_file *file, uint64_t offset, void *bytes,
                     size_t size, size_t *got)
{
    (void)ctx;
    REQUIRE(file->handle == &files_open);
    *got = offset >= FILE_BYTES ? 0 : size < FILE_BYTES - offset ? size : FILE_BYTES - offset;
    memset(bytes, '#', *got);
    return 0;
}

static void close_file(void *ctx, const struct gdbstub_file *file)
{
    (void)ctx;
    REQUIRE(file->handle == &files_open && files_open > 0);
    files_open--;
}

static int offsets(void *ctx, struct gdbstub_offsets *found)
{
    (void)ctx;
    *found = (struct gdbstub_offsets){MACHINE_CODE, MACHINE_DATA, true};
    return 0;
}

static int next_region(void *ctx, uint64_t address, struct gdbstub_region *region)
{
    (void)ctx;
    if (address > MACHINE_DATA + MACHINE_DATA_SIZE)
        return 0;
    *region =
        (struct gdbstub_region){MACHINE_CODE, MACHINE_DATA + MACHINE_DATA_SIZE, GDBSTUB_REGION_RAM};
    return 1;
}

/* All that is asked for is in reach: reading past the block would be found. */
static int write_register(void *ctx, gdbstub_thread thread, size_t index, const void *value,
                          struct gdbstub_reason *reason)
{
    (void)thread, (void)reason;
    if (index < 4)
        memcpy(&((struct target *)ctx)->machine.gpr[index], value, 8);
    return 0;
}

static int write_memory(void *ctx, gdbstub_thread thread, uint64_t address, const void *bytes,
                        size_t size, struct gdbstub_reason *reason)
{
    uint8_t *data = ((struct target *)ctx)->machine.data;

    (void)thread, (void)reason;
    if (address < MACHINE_DATA || address - MACHINE_DATA > MACHINE_DATA_SIZE ||
        size > MACHINE_DATA_SIZE - (address - MACHINE_DATA))
        return -EFAULT;
    memcpy(data + (address - MACHINE_DATA), bytes, size);
    return 0;
}

/* ---- the harness ---- */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct target target; /* too large for the stack; made anew for each input */
    struct gdbstub_config config = {.packet_size = GDBSTUB_PACKET_SIZE_MIN};
    struct gdbstub_target_ops ops;
    struct wire wire = {BETWEEN, 0, 0};
    struct gdbstub *stub;

    if (size == 0)
        return 0;
    config.output = check_output;
    config.output_ctx = &wire;
    target_init(&target, &config);
    ops = *config.ops;
    ops.exec_file = exec_file;
    ops.open_file = open_file;
    ops.read_file = read_file;
    ops.close_file = close_file;
    ops.offsets = offsets;
    ops.next_region = next_region;
    ops.write_register = write_register;
    ops.write_memory = write_memory;
    config.ops = &ops;
    REQUIRE(gdbstub_create(&config, &stub) == 0);

    size_t piece = (size_t)data[0] + 1;
    for (size_t at = 1; at < size; at += piece) {
        gdbstub_feed(stub, data + at, size - at < piece ? size - at : piece);
        gdbstub_poll(stub);
        REQUIRE(wire.state == BETWEEN);
    }
    gdbstub_reset(stub);
    REQUIRE(gdbstub_state(stub) == GDBSTUB_WAITING && files_open == 0);
    gdbstub_destroy(stub);
    return 0;
}
