/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Event channels, and who listens to a domain: libxenevtchn, and a part of libxenctrl. */
#include "fake_xen_private.h"

#include "support.h"
#include "vmexit_abi.h"

#include <sys/mman.h>
#include <unistd.h>
#include <xenctrl.h>
#include <xenevtchn.h>

#define RSP_PROD 8u
#define PORT 5
#define OWN_TO 7 /* a channel from the recorder to itself */
#define OWN_FROM 8

int xenevtchn_notify(xenevtchn_handle *handle, evtchn_port_t port)
{
    uint32_t produced;

    (void)handle;
    if (port == OWN_FROM) { /* by another thread */
        fake_xen.own_notifications++;
        assert_int_equal(write(fake_xen.event[1], "o", 1), 1);
        return 0;
    }
    assert_int_equal(port, PORT);
    fake_xen.notifications++;
    memcpy(&produced, fake_xen.page + RSP_PROD, sizeof produced);
    if (produced - fake_xen.rsp_cons > fake_xen.req_prod - fake_xen.rsp_cons) {
        fake_xen_break("more answers than requests");
        return 0;
    }
    while (fake_xen.rsp_cons != produced)
        fake_xen_take_response();
    fake_xen_run_guest();
    return 0;
}

/* ---- event channels -------------------------------------------------- */

xenevtchn_handle *xenevtchn_open(xentoollog_logger *logger, unsigned flags)
{
    (void)logger;
    (void)flags;
    return (xenevtchn_handle *)&fake_xen;
}

int xenevtchn_close(xenevtchn_handle *handle)
{
    (void)handle;
    return 0;
}

int xenevtchn_fd(xenevtchn_handle *handle)
{
    (void)handle;
    fake_xen_called();
    return fake_xen.event[0];
}

xenevtchn_port_or_error_t xenevtchn_bind_unbound_port(xenevtchn_handle *handle, uint32_t domain)
{
    (void)handle;
    assert_int_equal(domain, DOMID_SELF);
    return OWN_TO;
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *handle, uint32_t domain,
                                                     evtchn_port_t port)
{
    (void)handle;
    if (domain == DOMID_SELF) {
        assert_int_equal(port, OWN_TO);
        return OWN_FROM;
    }
    assert_int_equal(domain, fake_xen.domain);
    return PORT;
}

int xenevtchn_unbind(xenevtchn_handle *handle, evtchn_port_t port)
{
    (void)handle;
    (void)port;
    return 0;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *handle)
{
    char byte;

    (void)handle;
    assert_int_equal(read(fake_xen.event[0], &byte, 1), 1);
    if (byte == 'o')
        return OWN_TO;
    fake_xen.announced = false;
    return PORT;
}

int xenevtchn_unmask(xenevtchn_handle *handle, evtchn_port_t port)
{
    (void)handle;
    (void)port;
    return 0;
}

/* ---- monitoring ------------------------------------------------------ */

void *xc_monitor_enable(xc_interface *xch, uint32_t domain, uint32_t *port)
{
    (void)xch;
    *port = 3;
    fake_xen.domain = domain;
    fake_xen.req_prod = fake_xen.rsp_cons = 0;
    if (fake_xen.announced)
        (void)xenevtchn_pending(NULL);
    /* The recorder unmaps it. */
    fake_xen.page =
        mmap(NULL, XRW_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return fake_xen.page == MAP_FAILED ? NULL : fake_xen.page;
}

int xc_monitor_disable(xc_interface *xch, uint32_t domain)
{
    (void)xch;
    assert_int_equal(domain, fake_xen.domain);
    if (fake_xen.enabled)
        fake_xen_break("the ring goes before the event");
    if (!fake_xen.pauses && !fake_xen.destroyed)
        fake_xen_break("the ring goes while the guest runs");
    for (uint32_t n = 0; n < fake_xen.vcpus; n++)
        if (fake_xen.vcpu[n].held)
            fake_xen_break("the ring goes while a vCPU waits for an answer");
    return 0;
}

int xc_monitor_get_capabilities(xc_interface *xch, uint32_t domain, uint32_t *caps)
{
    (void)xch;
    (void)domain;
    *caps = 1u << XEN_DOMCTL_MONITOR_EVENT_VMEXIT |
            (fake_xen.patched ? XRW_MONITOR_CAP_VMEXIT_PAUSE : 0);
    return 0;
}
