/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The protocol of the vm_event ring: one page shared with Xen.  Slots are freed by responses only,
 * and every request needs exactly one: an unsolicited response would corrupt Xen's count of free
 * slots.  A domain whose requests fill all slots stands still after its last one: Xen has handled
 * that exit, and lets the vCPU go on when a slot is free.  Knows the page and nothing else, so that
 * tests can be Xen.
 */
#ifndef XRW_RECORDER_RING_H
#define XRW_RECORDER_RING_H

#include "xrw/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RING_SLOTS 8u
#define RING_REQUEST_MAX_BYTES 512u

/* What Xen sends, by the first word of a request. */
struct ring_layout {
    uint32_t version;
    uint32_t request_bytes; /* at most RING_REQUEST_MAX_BYTES */
};

struct ring {
    void *page; /* XRW_PAGE_BYTES, the caller's */
    const struct ring_layout *layouts;
    size_t layout_count;
    const struct ring_layout *layout; /* NULL until the first request tells */
    uint32_t consumed, answered;      /* numbers of requests; they wrap */
    /* Copies of requests, by number % RING_SLOTS. */
    _Alignas(8) uint8_t requests[RING_SLOTS][RING_REQUEST_MAX_BYTES];
};

/* Begin on an empty page that Xen has not used yet. */
void ring_init(struct ring *ring, void *page, const struct ring_layout *layouts, size_t count);

/* Requests that wait for their response. */
uint32_t ring_unanswered(const struct ring *ring);

/*
 * Take all requests that are there: copies of them, with the numbers from ring->consumed before to
 * ring->consumed after.  Their number, or -EUCLEAN if the page makes no sense.
 */
int ring_take(struct ring *ring, struct xrw_error *err);

/* The copy of a request, one of the last RING_SLOTS that were taken; aligned to 8 bytes. */
const uint8_t *ring_request(const struct ring *ring, uint32_t number);

/* Answer the oldest n requests that wait, or as many as there are.  Xen must be notified if that is
 * not 0. */
uint32_t ring_answer(struct ring *ring, uint32_t n);

#endif
