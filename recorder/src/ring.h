/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The protocol of the vm_event ring: one page shared with Xen.  Slots are freed by responses only,
 * and every request needs exactly one: an unsolicited response would corrupt Xen's count of free
 * slots.  Knows the page and nothing else, so that tests can be Xen.
 */
#ifndef XRW_RECORDER_RING_H
#define XRW_RECORDER_RING_H

#include "xrw/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RING_SLOTS 8u
#define RING_REQUEST_MAX_BYTES 512u

struct ring {
    void *page; /* XRW_PAGE_BYTES, the caller's */
    size_t request_bytes;
    uint32_t consumed, answered;
    uint8_t request[RING_REQUEST_MAX_BYTES]; /* copy of the one that is looked at */
};

/* Begin on an empty page that Xen has not used yet.  request_bytes: of the layout that Xen sends,
 * as in vmexit_abi.h. */
void ring_init(struct ring *ring, void *page, size_t request_bytes);

/* Whether a request waits for its response. */
bool ring_pending(const struct ring *ring);

/*
 * Take the next request into ring->request.  1; 0 if there is none; -EUCLEAN if the page makes no
 * sense; -EBUSY if the one before has not been answered.
 */
int ring_take(struct ring *ring, struct xrw_error *err);

/* Answer the request that is pending; Xen must be notified then.  False if none is. */
bool ring_respond(struct ring *ring);

#endif
