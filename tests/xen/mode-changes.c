/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mode-changes DOMAIN: changes the mode of a paused guest's VM-exit event in every way there is,
 * with and without requests under way, and checks that Xen mixes none of them.  The guest is left
 * to run freely. Says what it does, and what is wrong; 0 if nothing is.
 */
#include "vmexit_abi.h"
#include "xen.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define WAIT_MS 20000

enum {
    DISABLE = -1,
    ASYNC = XRW_VMEXIT_MODE_ASYNC,
    SYNC = XRW_VMEXIT_MODE_SYNC,
    PAUSE = XRW_VMEXIT_MODE_PAUSE
};

static const struct ring_layout layout = {XRW_VM_EVENT_VERSION_PATCHED, XRW_REQUEST_SIZE_PATCHED};

struct bench {
    struct xen_calls xen;
    struct ring ring;
    void *page;
    xenevtchn_handle *evtchn;
    int port;
    uint32_t domain;
};

static _Noreturn void fail(const char *what, int code)
{
    fprintf(stderr, "FAIL: %s: %s\n", what, strerror(-code));
    exit(1);
}

/* Ask for a mode; Xen is to answer with exactly this code. */
static void change(struct bench *b, int mode, int expected, const char *when)
{
    static const char *const names[] = {"disable", "async", "sync", "pause", "none"};
    int code =
        xen_vmexit_event(&b->xen, b->domain, mode != DISABLE, mode == DISABLE ? 0 : (unsigned)mode);

    printf("%-7s %-40s %s\n", names[mode + 1], when, code ? strerror(-code) : "done");
    if (code != expected)
        fail("another answer was expected", expected);
}

static void open_ring(struct bench *b)
{
    uint32_t port;

    b->page = xc_monitor_enable(b->xen.xch, b->domain, &port);
    if (!b->page)
        fail("xc_monitor_enable", -errno);
    ring_init(&b->ring, b->page, &layout, 1);
    b->port = xenevtchn_bind_interdomain(b->evtchn, b->domain, port);
    if (b->port < 0)
        fail("binding the event channel", -errno);
}

static void close_ring(struct bench *b)
{
    (void)munmap(b->page, XC_PAGE_SIZE);
    if (xc_monitor_disable(b->xen.xch, b->domain))
        fail("xc_monitor_disable", -errno);
    (void)xenevtchn_unbind(b->evtchn, (evtchn_port_t)b->port);
}

static void run(struct bench *b)
{
    if (xc_domain_unpause(b->xen.xch, b->domain))
        fail("unpause", -errno);
}

static void stop(struct bench *b)
{
    if (xc_domain_pause(b->xen.xch, b->domain))
        fail("pause", -errno);
}

/* Wait for a request, which stays unanswered. */
static void take(struct bench *b)
{
    struct pollfd fd = {.fd = xenevtchn_fd(b->evtchn), .events = POLLIN};
    int rc;

    while ((rc = ring_take(&b->ring, NULL)) == 0) {
        if (poll(&fd, 1, WAIT_MS) <= 0)
            fail("no request came", -ETIMEDOUT);
        (void)xenevtchn_unmask(b->evtchn, (evtchn_port_t)xenevtchn_pending(b->evtchn));
    }
    if (rc < 0)
        fail("the ring", rc);
}

/* Answer all that there are. */
static unsigned answer(struct bench *b)
{
    unsigned n = 0;

    do
        n += ring_answer(&b->ring, RING_SLOTS);
    while (ring_take(&b->ring, NULL) > 0);
    if (xenevtchn_notify(b->evtchn, (evtchn_port_t)b->port))
        fail("notify", -errno);
    return n;
}

static void change_while_nothing_is_under_way(struct bench *b)
{
    change(b, DISABLE, -EEXIST, "disabled");
    change(b, PAUSE, 0, "disabled");
    change(b, PAUSE, -EEXIST, "in pause mode");
    change(b, PAUSE + 1, -EINVAL, "in pause mode");
    change(b, ASYNC, 0, "in pause mode");
    change(b, SYNC, 0, "in async mode");
    change(b, PAUSE, 0, "in sync mode");
}

/* In a mode that holds the vCPU nothing goes until it has been answered. */
static void change_while_held(struct bench *b, int mode, int other, const char *when)
{
    run(b);
    take(b);
    stop(b);
    change(b, other, -EBUSY, when);
    change(b, DISABLE, -EBUSY, when);
    change(b, mode, -EEXIST, when);
    if (answer(b) != 1)
        fail("more than one request of a vCPU that is held", -EINVAL);
    change(b, other, 0, "answered");
    change(b, mode, 0, "nothing under way");
    change(b, DISABLE, 0, "nothing under way");
    change(b, mode, 0, "disabled");
}

/* An asynchronous event may be disabled at any time, but not replaced. */
static void change_while_asynchronous(struct bench *b)
{
    change(b, ASYNC, 0, "nothing under way");
    run(b);
    take(b);
    stop(b);
    change(b, PAUSE, -EBUSY, "requests in the ring");
    change(b, DISABLE, 0, "requests in the ring");
    change(b, PAUSE, -EBUSY, "disabled, requests in the ring");
    printf("%u answered\n", answer(b));
    change(b, PAUSE, 0, "disabled, answered");
}

/* Who takes over from a consumer that is gone cannot answer for it. */
static void take_the_ring_down_while_held(struct bench *b)
{
    run(b);
    take(b);
    change(b, DISABLE, -EBUSY, "held");
    close_ring(b);
    puts("ring taken down");
    stop(b);
    change(b, DISABLE, -EEXIST, "without a ring");
    open_ring(b);
    change(b, PAUSE, 0, "with a new ring");
    run(b);
    take(b);
    stop(b);
    (void)answer(b);
    change(b, DISABLE, 0, "answered");
    close_ring(b);
}

int main(int argc, char **argv)
{
    struct bench b = {.domain = argc == 2 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0};
    struct xrw_error err = {0};

    if (!b.domain || xen_calls_open(&b.xen, &err))
        return 2;
    b.evtchn = xenevtchn_open(NULL, 0);
    if (!b.evtchn)
        fail("xenevtchn_open", -errno);
    open_ring(&b);
    change_while_nothing_is_under_way(&b);
    change_while_held(&b, PAUSE, ASYNC, "held, exit handled");
    change(&b, SYNC, 0, "nothing under way");
    change_while_held(&b, SYNC, PAUSE, "held, exit not handled");
    change_while_asynchronous(&b);
    take_the_ring_down_while_held(&b);
    run(&b);
    xenevtchn_close(b.evtchn);
    xen_calls_close(&b.xen);
    puts("modes change cleanly");
    return 0;
}
