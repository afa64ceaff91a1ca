/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ring.h"

#include "xrw/types.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

/* Layout of the page.  Source: xen/include/public/io/ring.h, DEFINE_RING_TYPES. */
#define HEADER_BYTES 64u

/* Of a request.  Source: xen/include/public/vm_event.h, struct vm_event_st. */
#define FLAGS_OFFSET 4u
#define FLAG_VCPU_PAUSED (UINT32_C(1) << 0)

struct header {
    _Atomic uint32_t req_prod, req_event;
    _Atomic uint32_t rsp_prod, rsp_event;
};

static struct header *header(const struct ring *ring)
{
    return ring->page;
}

static uint8_t *slot(const struct ring *ring, uint32_t index)
{
    return (uint8_t *)ring->page + HEADER_BYTES +
           (size_t)(index % RING_SLOTS) * ring->request_bytes;
}

void ring_init(struct ring *ring, void *page, size_t request_bytes)
{
    *ring = (struct ring){.page = page, .request_bytes = request_bytes};
    memset(page, 0, XRW_PAGE_BYTES);
    atomic_store(&header(ring)->req_event, 1);
    atomic_store(&header(ring)->rsp_event, 1);
}

bool ring_pending(const struct ring *ring)
{
    return ring->answered != ring->consumed;
}

int ring_take(struct ring *ring, struct xrw_error *err)
{
    uint32_t produced = atomic_load_explicit(&header(ring)->req_prod, memory_order_acquire);
    uint32_t waiting = produced - ring->consumed;

    if (ring_pending(ring))
        return xrw_error_set(err, -EBUSY, "the event before has not been answered");
    if (waiting == 0)
        return 0;
    if (waiting > RING_SLOTS)
        return xrw_error_set(err, -EUCLEAN,
                             "the event ring makes no sense: %" PRIu32 " requests in %u slots",
                             waiting, RING_SLOTS);
    /* Copied before it is looked at: the page is shared memory. */
    memcpy(ring->request, slot(ring, ring->consumed), ring->request_bytes);
    ring->consumed++;
    atomic_store_explicit(&header(ring)->req_event, ring->consumed + 1, memory_order_seq_cst);
    return 1;
}

bool ring_respond(struct ring *ring)
{
    uint32_t flags;

    if (!ring_pending(ring))
        return false;
    /* Version, reason and vCPU go back as they came; of the flags only the one that releases the
     * vCPU: the others ask for something. */
    memcpy(&flags, ring->request + FLAGS_OFFSET, sizeof flags);
    flags &= FLAG_VCPU_PAUSED;
    memcpy(ring->request + FLAGS_OFFSET, &flags, sizeof flags);
    memcpy(slot(ring, ring->answered), ring->request, ring->request_bytes);
    ring->answered++;
    atomic_store_explicit(&header(ring)->rsp_prod, ring->answered, memory_order_release);
    return true;
}
