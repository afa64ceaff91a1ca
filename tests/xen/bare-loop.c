/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The yardstick of the recorder's speed: takes VM exits and keeps nothing.  Shares no code with the
 * recorder but the header of the event's layout.
 *
 *     bare-loop async|pause DOMAIN EXITS
 *
 * async: takes all that is on the ring and answers it.  pause: reads the vCPU's context at each
 * exit, and answers.  The domain is to be paused, and is so in the end.  Prints the seconds that
 * EXITS exits took.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <xencall.h>
#include <xenctrl.h>
#include <xenevtchn.h>

#include <xen/hvm/save.h>

#include "vmexit_abi.h"
#include "xen_compat.h"

#define PAGE 4096u
#define SLOTS 8u
#define HEADER 64u
#define FLAGS 4u

struct ring_head {
    _Atomic uint32_t req_prod, req_event, rsp_prod, rsp_event;
};

struct loop {
    bool hold;
    uint32_t domain;
    xc_interface *xch;
    xencall_handle *call;
    xenevtchn_handle *evtchn;
    int port;
    uint8_t *page;
    uint32_t done;
    size_t bytes; /* of a request; 0: not known yet */
};

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "bare-loop: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void set_event(struct loop *l, bool enable)
{
    struct xen_domctl *domctl = xencall_alloc_buffer(l->call, sizeof *domctl);

    if (!domctl)
        die("memory");
    memset(domctl, 0, sizeof *domctl);
    domctl->cmd = XEN_DOMCTL_monitor_op;
    domctl->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    domctl->domain = (domid_t)l->domain;
    domctl->u.monitor_op.op = enable ? XEN_DOMCTL_MONITOR_OP_ENABLE : XEN_DOMCTL_MONITOR_OP_DISABLE;
    domctl->u.monitor_op.event = XEN_DOMCTL_MONITOR_EVENT_VMEXIT;
    xen_compat_vmexit_mode(&domctl->u.monitor_op,
                           l->hold ? XRW_VMEXIT_MODE_PAUSE : XRW_VMEXIT_MODE_ASYNC);
    if (xencall1(l->call, __HYPERVISOR_domctl, (uintptr_t)domctl) < 0)
        die("VM-exit event");
    xencall_free_buffer(l->call, domctl);
}

static void begin(struct loop *l)
{
    struct ring_head *head;
    uint32_t remote;

    l->xch = xc_interface_open(NULL, NULL, 0);
    l->call = xencall_open(NULL, 0);
    l->evtchn = xenevtchn_open(NULL, 0);
    if (!l->xch || !l->call || !l->evtchn)
        die("open");
    l->page = xc_monitor_enable(l->xch, l->domain, &remote);
    if (!l->page)
        die("xc_monitor_enable");
    l->port = xenevtchn_bind_interdomain(l->evtchn, l->domain, remote);
    if (l->port < 0)
        die("event channel");
    memset(l->page, 0, PAGE);
    head = (void *)l->page;
    head->req_event = head->rsp_event = 1;
    set_event(l, true);
}

/* What is on the ring now; returns how many. */
static uint32_t take(struct loop *l)
{
    struct ring_head *head = (void *)l->page;
    uint32_t ready = atomic_load(&head->req_prod) - l->done, version, flags;
    struct hvm_hw_cpu cpu;

    if (ready && !l->bytes) {
        memcpy(&version, l->page + HEADER, sizeof version);
        l->bytes = version == XRW_VM_EVENT_VERSION_STOCK ? XRW_REQUEST_SIZE_STOCK
                                                         : XRW_REQUEST_SIZE_PATCHED;
    }
    for (uint32_t i = 0; i < ready; i++, l->done++) {
        uint8_t *slot = l->page + HEADER + l->done % SLOTS * l->bytes;

        if (l->hold && xc_domain_hvm_getcontext_partial(l->xch, l->domain, HVM_SAVE_CODE(CPU), 0,
                                                        &cpu, sizeof cpu))
            die("context");
        memcpy(&flags, slot + FLAGS, sizeof flags);
        flags &= 1;
        memcpy(slot + FLAGS, &flags, sizeof flags);
    }
    atomic_store(&head->req_event, l->done + 1);
    if (ready) {
        atomic_store(&head->rsp_prod, l->done);
        if (xenevtchn_notify(l->evtchn, (evtchn_port_t)l->port))
            die("notify");
    }
    return ready;
}

static void wait_for_more(struct loop *l)
{
    struct pollfd fd = {.fd = xenevtchn_fd(l->evtchn), .events = POLLIN};
    int port;

    if (poll(&fd, 1, 10000) != 1)
        die("no exit comes");
    port = xenevtchn_pending(l->evtchn);
    if (port < 0 || xenevtchn_unmask(l->evtchn, (evtchn_port_t)port))
        die("event channel");
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void end(struct loop *l)
{
    if (xc_domain_pause(l->xch, l->domain))
        die("pause");
    /* The event cannot be disabled while it holds a vCPU. */
    l->hold = false;
    while (take(l))
        ;
    set_event(l, false);
    munmap(l->page, PAGE);
    if (xc_monitor_disable(l->xch, l->domain))
        die("xc_monitor_disable");
    xenevtchn_close(l->evtchn);
    xencall_close(l->call);
    xc_interface_close(l->xch);
}

int main(int argc, char **argv)
{
    struct loop l = {0};
    uint32_t exits;
    double started;

    if (argc != 4 || (strcmp(argv[1], "async") && strcmp(argv[1], "pause"))) {
        fputs("usage: bare-loop async|pause DOMAIN EXITS\n", stderr);
        return 2;
    }
    l.hold = !strcmp(argv[1], "pause");
    l.domain = (uint32_t)strtoul(argv[2], NULL, 10);
    exits = (uint32_t)strtoul(argv[3], NULL, 10);
    begin(&l);
    started = now();
    if (xc_domain_unpause(l.xch, l.domain))
        die("unpause");
    while (l.done < exits)
        if (!take(&l))
            wait_for_more(&l);
    printf("%.6f\n", now() - started);
    end(&l);
    return 0;
}
