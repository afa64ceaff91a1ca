/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/*
 * qSearch:memory, in slices, so that a search of terabytes neither blocks the host nor cannot be
 * interrupted.
 */

/* Windows of one packet size that a slice looks through. */
#define WINDOWS_PER_SLICE 16

static void end_search(struct gdbstub *stub)
{
    free(stub->search.pattern);
    stub->search = (struct gs_search){0};
    stub->state = GDBSTUB_WAITING;
    gs_clear(&stub->reply);
}

void gs_search_cancel(struct gdbstub *stub, int error)
{
    if (!stub->search.active)
        return;
    end_search(stub);
    gs_reply_strict_error(stub, error, NULL);
}

enum gs_answer gs_search(struct gdbstub *stub, struct gs_cursor args)
{
    uint64_t address;
    uint64_t size;

    if (!gs_take_number(&args, &address) || !gs_take(&args, ';') || !gs_take_number(&args, &size) ||
        !gs_take(&args, ';') || gs_left(&args) == 0)
        return gs_reply_malformed(stub);
    /* A pattern much shorter than the window keeps the cost of a slice bounded. */
    if (gs_left(&args) > stub->packet_size / 4)
        return gs_reply_strict_error(stub, -E2BIG, NULL);

    uint8_t *pattern = malloc(gs_left(&args));
    if (!pattern)
        return gs_reply_strict_error(stub, -ENOMEM, NULL);
    memcpy(pattern, args.next, gs_left(&args));
    if (size > 0 && size - 1 > UINT64_MAX - address)
        size = UINT64_MAX - address + 1;

    stub->search = (struct gs_search){.active = true,
                                      .address = address,
                                      .left = size,
                                      .pattern = pattern,
                                      .pattern_size = gs_left(&args)};
    stub->state = GDBSTUB_RUNNING;
    gs_search_slice(stub);
    return GS_SILENT;
}

static const uint8_t *find(const uint8_t *bytes, size_t size, const uint8_t *pattern, size_t length)
{
    const uint8_t *end = bytes + size;

    while ((size_t)(end - bytes) >= length) {
        size_t starts = (size_t)(end - bytes) - length + 1;
        const uint8_t *at = memchr(bytes, pattern[0], starts);
        if (!at)
            return NULL;
        if (memcmp(at, pattern, length) == 0)
            return at;
        bytes = at + 1;
    }
    return NULL;
}

/* Looks through one window. Returns 1 when the search has ended with a reply, 0 to go on. */
static int search_window(struct gdbstub *stub)
{
    struct gs_search *search = &stub->search;
    size_t size = search->left < stub->packet_size ? (size_t)search->left : stub->packet_size;
    size_t got = 0;

    if (size < search->pattern_size) {
        end_search(stub);
        gs_put_text(&stub->reply, "0");
        return 1;
    }
    int ret = stub->ops.read_memory(stub->ctx, gs_general_thread(stub), search->address,
                                    stub->scratch, size, &got);
    if (ret < 0)
        got = 0;
    else if (got > size)
        got = size;

    const uint8_t *at = find(stub->scratch, got, search->pattern, search->pattern_size);
    if (at) {
        uint64_t found = search->address + (uint64_t)(at - stub->scratch);
        end_search(stub);
        gs_put_format(&stub->reply, "1,%llx", (unsigned long long)found);
        return 1;
    }
    if (got < size) {
        gs_search_cancel(stub, ret < 0 ? ret : -EFAULT);
        return 1;
    }
    /* The next window begins where a match that this one cut off could begin. */
    search->address += size - search->pattern_size + 1;
    search->left -= size - search->pattern_size + 1;
    return 0;
}

void gs_search_slice(struct gdbstub *stub)
{
    for (int i = 0; i < WINDOWS_PER_SLICE; i++) {
        if (search_window(stub) != 0) {
            gs_send(stub);
            return;
        }
    }
}
