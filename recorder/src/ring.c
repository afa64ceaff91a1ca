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
#define HEAD_BYTES 16u /* version, flags, reason, vCPU */
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

static uint8_t *slot(const struct ring *ring, uint32_t number)
{
    return (uint8_t *)ring->page + HEADER_BYTES +
           (size_t)(number % RING_SLOTS) * ring->layout->request_bytes;
}

void ring_init(struct ring *ring, void *page, const struct ring_layout *layouts, size_t count)
{
    *ring = (struct ring){.page = page, .layouts = layouts, .layout_count = count};
    memset(page, 0, XRW_PAGE_BYTES);
    atomic_store(&header(ring)->req_event, 1);
    atomic_store(&header(ring)->rsp_event, 1);
}

uint32_t ring_unanswered(const struct ring *ring)
{
    return ring->consumed - ring->answered;
}

/* The size of a request decides where the second one is; all begin with the version. */
static int find_layout(struct ring *ring, struct xrw_error *err)
{
    uint32_t version;

    memcpy(&version, (const uint8_t *)ring->page + HEADER_BYTES, sizeof version);
    for (size_t i = 0; i < ring->layout_count; i++)
        if (ring->layouts[i].version == version) {
            ring->layout = &ring->layouts[i];
            return 0;
        }
    return xrw_error_set(err, -EUCLEAN,
                         "Xen sends events of version %" PRIu32
                         ", which this program does not know\n"
                         "use the xenrewind that came with the patches of this Xen",
                         version);
}

int ring_take(struct ring *ring, struct xrw_error *err)
{
    uint32_t produced = atomic_load_explicit(&header(ring)->req_prod, memory_order_acquire);
    uint32_t waiting = produced - ring->consumed;

    if (waiting == 0)
        return 0;
    if (waiting > RING_SLOTS || waiting + ring_unanswered(ring) > RING_SLOTS)
        return xrw_error_set(err, -EUCLEAN,
                             "the event ring makes no sense: %" PRIu32 " requests in %u slots",
                             waiting + ring_unanswered(ring), RING_SLOTS);
    if (!ring->layout) {
        int rc = find_layout(ring, err);

        if (rc)
            return rc;
    }
    /* Copied before they are looked at: the page is shared memory. */
    for (uint32_t i = 0; i < waiting; i++, ring->consumed++)
        memcpy(ring->requests[ring->consumed % RING_SLOTS], slot(ring, ring->consumed),
               ring->layout->request_bytes);
    atomic_store_explicit(&header(ring)->req_event, ring->consumed + 1, memory_order_seq_cst);
    return (int)waiting;
}

const uint8_t *ring_request(const struct ring *ring, uint32_t number)
{
    return ring->requests[number % RING_SLOTS];
}

/* The slot has the request still.  Version, reason and vCPU go back as they came; of the flags only
 * the one that releases the vCPU: the others ask for something. */
static void put_response(struct ring *ring, uint32_t number)
{
    uint8_t *response = slot(ring, number);
    uint32_t flags;

    memcpy(response, ring_request(ring, number), HEAD_BYTES);
    memcpy(&flags, response + FLAGS_OFFSET, sizeof flags);
    flags &= FLAG_VCPU_PAUSED;
    memcpy(response + FLAGS_OFFSET, &flags, sizeof flags);
}

uint32_t ring_answer(struct ring *ring, uint32_t n)
{
    if (n > ring_unanswered(ring))
        n = ring_unanswered(ring);
    for (uint32_t i = 0; i < n; i++)
        put_response(ring, ring->answered++);
    if (n)
        atomic_store_explicit(&header(ring)->rsp_prod, ring->answered, memory_order_release);
    return n;
}
