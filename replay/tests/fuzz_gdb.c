/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libFuzzer harness: a byte stream into the gdb server of a recording, which $FUZZ_RECORDING names.
 * The first byte says how the stream is cut into pieces.  The target is kept from input to input,
 * as it is from client to client.
 */
#include "gdbstub.h"
#include "xrw/gdb_target.h"
#include "xrw/store.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

/* A client may make a target go on for long: that many slices of it are enough for a harness. */
#define SLICES 50

static struct xrw_gdb_target *open_target(void)
{
    const char *path = getenv("FUZZ_RECORDING");
    struct xrw_gdb_target *target;
    struct xrw_store *store;
    struct xrw_error err = {"FUZZ_RECORDING names no recording"};

    if (!path || xrw_store_open(&store, path, &err) ||
        xrw_gdb_target_create(store, 1, &target, &err)) {
        (void)fprintf(stderr, "%s\n", err.text);
        abort();
    }
    return target;
}

static int swallow(void *ctx, const void *bytes, size_t size)
{
    (void)ctx, (void)bytes, (void)size;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct xrw_gdb_target *target;
    struct gdbstub_config config = {.output = swallow};
    struct xrw_error trouble;
    struct gdbstub *stub;

    if (!target)
        target = open_target();
    if (!size)
        return 0;
    xrw_gdb_target_config(target, &config);
    REQUIRE(!gdbstub_create(&config, &stub));
    size_t piece = (size_t)data[0] + 1;
    for (size_t at = 1; at < size; at += piece) {
        gdbstub_feed(stub, data + at, size - at < piece ? size - at : piece);
        for (int i = 0; i < SLICES && gdbstub_state(stub) == GDBSTUB_RUNNING; i++)
            gdbstub_poll(stub);
    }
    gdbstub_reset(stub);
    REQUIRE(gdbstub_state(stub) == GDBSTUB_WAITING);
    gdbstub_destroy(stub);
    xrw_gdb_target_trouble(target, &trouble);
    return 0;
}
