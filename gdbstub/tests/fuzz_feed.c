/* SPDX-License-Identifier: MIT */
#include "gdbstub.h"
#include "target.h"

#include <stdlib.h>

/*
 * libFuzzer harness: a byte stream into the example target. The first byte says how it is cut into
 * pieces, so that packets end anywhere within one.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int count_output(void *ctx, const void *bytes, size_t size)
{
    size_t *total = ctx;

    (void)bytes;
    *total += size;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct target target; /* too large for the stack; made anew for each input */
    struct gdbstub_config config = {.packet_size = GDBSTUB_PACKET_SIZE_MIN};
    struct gdbstub *stub;
    size_t total = 0;

    if (size == 0)
        return 0;
    config.output = count_output;
    config.output_ctx = &total;
    target_init(&target, &config);
    if (gdbstub_create(&config, &stub) < 0)
        abort();

    size_t piece = (size_t)data[0] + 1;
    for (size_t at = 1; at < size; at += piece) {
        gdbstub_feed(stub, data + at, size - at < piece ? size - at : piece);
        gdbstub_poll(stub);
    }
    gdbstub_reset(stub);
    if (gdbstub_state(stub) != GDBSTUB_WAITING)
        abort();
    gdbstub_destroy(stub);
    return 0;
}
