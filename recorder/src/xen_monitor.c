/* SPDX-License-Identifier: GPL-2.0-or-later */
/* VM-exit events of a domain: the ring page, its event channel, and the event itself. */
#include "xen.h"

#include "vmexit_abi.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

static int enable_ring(struct xen_monitor *monitor, struct xen_calls *xen, uint32_t *port,
                       struct xrw_error *err)
{
    int rc;

    monitor->page = xc_monitor_enable(xen->xch, monitor->domain, port);
    if (monitor->page)
        return 0;
    rc = errno ? -errno : -EIO;
    if (rc == -EBUSY)
        return xrw_error_set(err, rc,
                             "domain %" PRIu32 " is monitored already, by another recorder, or by "
                             "a tool that crashed\n"
                             "end the other one; if there is none, destroy this fork and make a "
                             "new one",
                             monitor->domain);
    if (rc == -EOPNOTSUPP)
        return xrw_error_set(err, rc,
                             "domain %" PRIu32 " has no page for a monitor ring\n"
                             "set HVM parameter 28 (MONITOR_RING_PFN) when it is built, as xl does",
                             monitor->domain);
    return xrw_error_set(err, rc, "cannot enable monitoring of domain %" PRIu32 ": %s",
                         monitor->domain, strerror(-rc));
}

static int bind(struct xen_monitor *monitor, struct xen_calls *xen, uint32_t port,
                struct xrw_error *err)
{
    monitor->evtchn = xenevtchn_open(xen->logger, 0);
    xen_wait_open(&monitor->wait, monitor->evtchn);
    if (monitor->evtchn)
        monitor->port = xenevtchn_bind_interdomain(monitor->evtchn, monitor->domain, port);
    if (monitor->port >= 0)
        return 0;
    return xrw_error_set(err, -errno, "cannot bind the event channel of domain %" PRIu32 ": %s",
                         monitor->domain, strerror(errno));
}

static int enable_event(struct xen_monitor *monitor, struct xen_calls *xen, unsigned event_mode,
                        struct xrw_error *err)
{
    int rc = xen_vmexit_event(xen, monitor->domain, true, event_mode);

    monitor->enabled = !rc;
    if (rc)
        return xrw_error_set(err, rc, "cannot enable VM-exit events in domain %" PRIu32 ": %s",
                             monitor->domain, strerror(-rc));
    return 0;
}

int xen_monitor_open(struct xen_monitor *monitor, struct xen_calls *xen, uint32_t domain,
                     unsigned event_mode, struct xrw_error *err)
{
    static const struct ring_layout layouts[] = {
        {XRW_VM_EVENT_VERSION_STOCK, XRW_REQUEST_SIZE_STOCK},
        {XRW_VM_EVENT_VERSION_PATCHED, XRW_REQUEST_SIZE_PATCHED},
    };
    uint32_t port;
    int rc;

    *monitor = (struct xen_monitor){.port = -1, .domain = domain};
    rc = enable_ring(monitor, xen, &port, err);
    if (rc)
        return rc;
    ring_init(&monitor->ring, monitor->page, layouts, sizeof layouts / sizeof *layouts);
    rc = bind(monitor, xen, port, err);
    if (!rc)
        rc = enable_event(monitor, xen, event_mode, err);
    if (rc)
        xen_monitor_close(monitor, xen);
    return rc;
}

int xen_monitor_take(struct xen_monitor *monitor, unsigned timeout_ms, struct xrw_error *err)
{
    int rc = ring_take(&monitor->ring, err);

    /* What was announced may have been taken before. */
    while (!rc && (rc = xen_wait_event(&monitor->wait, timeout_ms)) > 0)
        rc = ring_take(&monitor->ring, err);
    return rc < 0 && rc != -EUCLEAN
               ? xrw_error_set(err, rc, "cannot wait for events of domain %" PRIu32 ": %s",
                               monitor->domain, strerror(-rc))
               : rc;
}

int xen_monitor_answer(struct xen_monitor *monitor, uint32_t n, struct xrw_error *err)
{
    if (!ring_answer(&monitor->ring, n) ||
        !xenevtchn_notify(monitor->evtchn, (evtchn_port_t)monitor->port))
        return 0;
    return xrw_error_set(err, -errno, "cannot answer an event of domain %" PRIu32 ": %s",
                         monitor->domain, strerror(errno));
}

void xen_monitor_close(struct xen_monitor *monitor, struct xen_calls *xen)
{
    /* The event can't be disabled while it holds a vCPU. */
    if (monitor->port >= 0)
        do
            if (xen_monitor_answer(monitor, RING_SLOTS, NULL))
                break;
        while (ring_take(&monitor->ring, NULL) > 0);
    if (monitor->enabled)
        (void)xen_vmexit_event(xen, monitor->domain, false, XRW_VMEXIT_MODE_ASYNC);
    if (monitor->page) {
        (void)munmap(monitor->page, XRW_PAGE_BYTES);
        (void)xc_monitor_disable(xen->xch, monitor->domain);
    }
    xen_wait_close(&monitor->wait);
    if (monitor->port >= 0)
        (void)xenevtchn_unbind(monitor->evtchn, (evtchn_port_t)monitor->port);
    if (monitor->evtchn)
        xenevtchn_close(monitor->evtchn);
    *monitor = (struct xen_monitor){.port = -1};
}
