/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frames.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PIECE_BYTES ((size_t)2 << 20) /* a large page of the host's */
#define PIECE_FRAMES (PIECE_BYTES / XRW_PAGE_BYTES)

struct piece {
    struct piece *next;
    uint8_t *mapped; /* PIECE_BYTES more than needed, for the alignment */
    struct frame frame[PIECE_FRAMES];
};

struct frames {
    struct piece *pieces;
    struct frame *free;
};

struct frames *frames_create(void)
{
    return calloc(1, sizeof(struct frames));
}

void frames_destroy(struct frames *frames)
{
    if (!frames)
        return;
    for (struct piece *piece = frames->pieces, *next; piece; piece = next) {
        next = piece->next;
        munmap(piece->mapped, 2 * PIECE_BYTES);
        free(piece);
    }
    free(frames);
}

static bool add_piece(struct frames *frames)
{
    struct piece *piece = calloc(1, sizeof *piece);
    uint8_t *data;

    if (!piece)
        return false;
    piece->mapped = mmap(NULL, 2 * PIECE_BYTES, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (piece->mapped == MAP_FAILED) {
        free(piece);
        return false;
    }
    data = piece->mapped + (-(uintptr_t)piece->mapped & (PIECE_BYTES - 1));
    (void)madvise(data, PIECE_BYTES, MADV_HUGEPAGE); /* else small ones */
    for (size_t i = PIECE_FRAMES; i--;) {
        struct frame *frame = &piece->frame[i];

        frame->data = data + i * XRW_PAGE_BYTES;
        frame->pool = frames;
        frame->next_free = frames->free;
        frames->free = frame;
    }
    piece->next = frames->pieces;
    frames->pieces = piece;
    return true;
}

struct frame *frame_create(struct frames *frames)
{
    struct frame *frame;

    if (!frames->free && !add_piece(frames))
        return NULL;
    frame = frames->free;
    frames->free = frame->next_free;
    *frame = (struct frame){.data = frame->data, .references = 1, .pool = frames};
    return frame;
}

void frame_release(struct frame *frame)
{
    if (!frame || --frame->references)
        return;
    frame_forget_code(frame);
    frame->next_free = frame->pool->free;
    frame->pool->free = frame;
}
