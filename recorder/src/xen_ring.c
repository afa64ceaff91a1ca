/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vm_event ring: one page shared with Xen.  Slots are freed by responses only, and every
 * request needs exactly one: an unsolicited response would corrupt Xen's count of free slots.
 * Requests stay in Xen's hands until it publishes them, but each is copied before it is looked at:
 * the page is shared memory.
 */
#include "xen.h"

#include "vmexit_abi.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

/* Layout of the page.  Source: xen/include/public/io/ring.h, DEFINE_RING_TYPES. */
#define RING_HEADER_BYTES 64u
#define RING_SLOTS 8u

struct ring_header {
    _Atomic uint32_t req_prod, req_event;
    _Atomic uint32_t rsp_prod, rsp_event;
};

static struct ring_header *header(const struct xen_ring *ring)
{
    return ring->page;
}

static uint8_t *slot(const struct xen_ring *ring, uint32_t index)
{
    return (uint8_t *)ring->page + RING_HEADER_BYTES +
           (size_t)(index % RING_SLOTS) * ring->request_bytes;
}

static int bind(struct xen_ring *ring, uint32_t remote, struct xrw_error *err)
{
    ring->evtchn = xenevtchn_open(NULL, 0);
    if (ring->evtchn)
        ring->port = xenevtchn_bind_interdomain(ring->evtchn, ring->domain, remote);
    if (ring->port >= 0)
        return 0;
    return xrw_error_set(err, -errno, "cannot bind the event channel of domain %" PRIu32 ": %s",
                         ring->domain, strerror(errno));
}

int xen_ring_open(struct xen_ring *ring, struct xen_calls *xen, uint32_t domain,
                  size_t request_bytes, struct xrw_error *err)
{
    uint32_t remote;
    int rc;

    *ring = (struct xen_ring){.port = -1, .domain = domain, .request_bytes = request_bytes};
    ring->page = xc_monitor_enable(xen->xch, domain, &remote);
    if (!ring->page) {
        rc = -errno;
        if (rc == -EBUSY)
            return xrw_error_set(
                err, rc,
                "domain %" PRIu32
                " is monitored already, by another recorder or a tool that crashed\n"
                "end the other one; if there is none, destroy the fork and make a new one",
                domain);
        return xrw_error_set(err, rc, "cannot enable monitoring of domain %" PRIu32 ": %s", domain,
                             strerror(-rc));
    }
    memset(ring->page, 0, XRW_PAGE_BYTES);
    atomic_store(&header(ring)->req_event, 1);
    atomic_store(&header(ring)->rsp_event, 1);
    rc = bind(ring, remote, err);
    if (rc)
        xen_ring_close(ring, xen);
    return rc;
}

/* Take one request if there is one: 1, 0, or -EUCLEAN. */
static int take(struct xen_ring *ring, struct xrw_error *err)
{
    uint32_t produced = atomic_load_explicit(&header(ring)->req_prod, memory_order_acquire);
    uint32_t waiting = produced - ring->request_consumer;

    if (waiting == 0)
        return 0;
    if (waiting > RING_SLOTS)
        return xrw_error_set(err, -EUCLEAN,
                             "the event ring makes no sense: %" PRIu32 " requests in %u slots",
                             waiting, RING_SLOTS);
    memcpy(ring->request, slot(ring, ring->request_consumer), ring->request_bytes);
    ring->request_consumer++;
    atomic_store_explicit(&header(ring)->req_event, ring->request_consumer + 1,
                          memory_order_seq_cst);
    ring->pending = true;
    return 1;
}

static int wait_for_event(struct xen_ring *ring, unsigned timeout_ms, struct xrw_error *err)
{
    struct pollfd fd = {.fd = xenevtchn_fd(ring->evtchn), .events = POLLIN};
    int n = poll(&fd, 1, (int)timeout_ms);

    if (n < 0)
        return errno == EINTR ? 0 : xrw_error_set(err, -errno, "poll: %s", strerror(errno));
    if (n == 0)
        return 0;
    int port = xenevtchn_pending(ring->evtchn);
    if (port < 0 || xenevtchn_unmask(ring->evtchn, (evtchn_port_t)port))
        return xrw_error_set(err, -errno, "event channel: %s", strerror(errno));
    return 0;
}

int xen_ring_next(struct xen_ring *ring, unsigned timeout_ms, struct xrw_error *err)
{
    int rc = take(ring, err);

    if (rc)
        return rc;
    rc = wait_for_event(ring, timeout_ms, err);
    return rc ? rc : take(ring, err);
}

int xen_ring_respond(struct xen_ring *ring)
{
    if (!ring->pending)
        return 0;
    /* Version, flags, reason and vCPU go back as they came: VCPU_PAUSED in the flags releases it.
     */
    memcpy(slot(ring, ring->response_producer), ring->request, ring->request_bytes);
    ring->response_producer++;
    ring->pending = false;
    atomic_store_explicit(&header(ring)->rsp_prod, ring->response_producer, memory_order_release);
    return xenevtchn_notify(ring->evtchn, (evtchn_port_t)ring->port) ? -errno : 0;
}

void xen_ring_close(struct xen_ring *ring, struct xen_calls *xen)
{
    if (ring->page) {
        if (ring->port >= 0)
            while (xen_ring_respond(ring) == 0 && take(ring, NULL) == 1)
                ;
        (void)munmap(ring->page, XRW_PAGE_BYTES);
        (void)xc_monitor_disable(xen->xch, ring->domain);
    }
    if (ring->port >= 0)
        (void)xenevtchn_unbind(ring->evtchn, (evtchn_port_t)ring->port);
    if (ring->evtchn)
        xenevtchn_close(ring->evtchn);
    *ring = (struct xen_ring){.port = -1};
}
