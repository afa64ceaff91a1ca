/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ram.h"

#include <errno.h>
#include <stdlib.h>

#define GAP 4096u /* so many frames without a page end a search in one direction */
#define SLACK 64u /* pages that a domain may own without having them at a guest frame */
#define FRAMES_4G ((xrw_gfn)1 << 20)

struct finder {
    struct ram *ram;
    const struct memory_ops *ops;
    void *ctx;
};

/* Frames not looked at yet: first to end - 1. */
struct range {
    xrw_gfn first, end;
};

static int add(struct ram *ram, xrw_gfn gfn)
{
    struct ram_extent *last = ram->count ? &ram->extents[ram->count - 1] : NULL;

    ram->pages++;
    if (last && last->first + last->count == gfn) {
        last->count++;
        return 0;
    }
    if (ram->count == ram->capacity) {
        size_t capacity = ram->capacity ? 2 * ram->capacity : 16;
        void *bigger = realloc(ram->extents, capacity * sizeof *ram->extents);

        if (!bigger)
            return -ENOMEM;
        ram->extents = bigger;
        ram->capacity = capacity;
    }
    ram->extents[ram->count++] = (struct ram_extent){gfn, 1};
    return 0;
}

static int look_at(struct finder *f, xrw_gfn first, size_t n)
{
    enum page_type types[RAM_BATCH];
    int rc = f->ops->types(f->ctx, true, first, n, types);

    for (size_t i = 0; i < n && !rc; i++)
        if (types[i] != PAGE_HOLE)
            rc = add(f->ram, first + i);
    return rc;
}

static size_t batch(const struct range *range)
{
    xrw_gfn left = range->end - range->first;

    return left < RAM_BATCH ? (size_t)left : RAM_BATCH;
}

/* Search from one end of the range until it is used up, or for max_gap frames nothing came. */
static int search(struct finder *f, struct range *range, bool upward, uint64_t max_gap)
{
    uint64_t gap = 0;
    int rc = 0;

    while (!rc && range->first < range->end && gap < max_gap) {
        uint64_t before = f->ram->pages;
        size_t n = batch(range);

        rc = look_at(f, upward ? range->first : range->end - n, n);
        if (upward)
            range->first += n;
        else
            range->end -= n;
        gap = f->ram->pages == before ? gap + n : 0;
    }
    return rc;
}

/*
 * RAM lies in one piece from 0 on, above 4 GiB, or is a few special pages near the top or below
 * 4 GiB; between these may be a hole of a million frames.  What is still missing then may be
 * anywhere.
 */
int ram_find(struct ram *ram, const struct memory_ops *ops, void *ctx)
{
    struct finder f = {ram, ops, ctx};
    struct range low = {0, 0}, high = {0, 0};
    xrw_gfn last;
    uint64_t pages;
    int rc;

    *ram = (struct ram){0};
    rc = ops->extent(ctx, &last, &pages);
    if (rc)
        return rc;
    low.end = last + 1;
    rc = search(&f, &low, true, GAP);
    if (!rc)
        rc = search(&f, &low, false, GAP);
    if (!rc && low.first < FRAMES_4G && low.end > FRAMES_4G) {
        high = (struct range){FRAMES_4G, low.end};
        low.end = FRAMES_4G;
        rc = search(&f, &low, false, GAP);
        if (!rc)
            rc = search(&f, &high, true, GAP);
    }
    if (!rc && ram->pages + SLACK < pages)
        rc = search(&f, &low, true, UINT64_MAX);
    if (!rc && ram->pages + SLACK < pages)
        rc = search(&f, &high, true, UINT64_MAX);
    return rc;
}

void ram_deinit(struct ram *ram)
{
    free(ram->extents);
    *ram = (struct ram){0};
}
