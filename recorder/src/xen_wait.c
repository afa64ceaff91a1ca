/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Waiting for events.  Where they come one after another, reading the event channels' device waits
 * by itself, and saves the call that would ask it first: to a paravirtual dom0 that takes more than
 * recording an exit.  But a read knows of no time-out.  A thread that wakes now and then
 * ends one that lasts, by an event of our own: a channel from us to us.
 */
#include "xen.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

#define TICK_NS 100000000u
#define PATIENT_MS 10u /* who gives less time than this expects no event */
#define STEADY 64u     /* so many events in a row, and the next is expected soon */

/* ---- the thread ------------------------------------------------------ */

static void sleep_a_tick(struct xen_wait *wait)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += TICK_NS;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    (void)pthread_cond_timedwait(&wait->end, &wait->lock, &until);
}

/* Reads are counted when they begin and when they end: in one while the count is odd. */
static void *tick(void *arg)
{
    struct xen_wait *wait = arg;
    uint64_t last = 0;

    (void)pthread_mutex_lock(&wait->lock);
    while (!wait->ended) {
        uint64_t now = atomic_load(&wait->reads);

        if (now % 2 && now == last)
            (void)xenevtchn_notify(wait->evtchn, (evtchn_port_t)wait->from);
        last = now;
        sleep_a_tick(wait);
    }
    (void)pthread_mutex_unlock(&wait->lock);
    return NULL;
}

/* A channel from us to us. */
static bool bind_own(struct xen_wait *wait)
{
    wait->to = xenevtchn_bind_unbound_port(wait->evtchn, DOMID_SELF);
    if (wait->to > 0)
        wait->from = xenevtchn_bind_interdomain(wait->evtchn, DOMID_SELF, (evtchn_port_t)wait->to);
    return wait->to > 0 && wait->from > 0;
}

/* False: there is none, and waiting asks first. */
static bool start(struct xen_wait *wait)
{
    pthread_condattr_t monotonic;

    wait->tried = true;
    if (!bind_own(wait))
        return false;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&wait->lock, NULL);
    (void)pthread_cond_init(&wait->end, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    wait->ticks = !pthread_create(&wait->thread, NULL, tick, wait);
    return wait->ticks;
}

/* ---- waiting --------------------------------------------------------- */

void xen_wait_open(struct xen_wait *wait, xenevtchn_handle *evtchn)
{
    *wait = (struct xen_wait){.evtchn = evtchn};
}

/* Events have come steadily, and if none comes, that may show some ticks later. */
static bool may_read(struct xen_wait *wait, unsigned timeout_ms)
{
    if (wait->steady < STEADY || timeout_ms < PATIENT_MS)
        return false;
    return wait->ticks || (!wait->tried && start(wait));
}

static bool is_own(const struct xen_wait *wait, int port)
{
    return port == wait->to || port == wait->from;
}

/* Which port an event is of, and have it announced again; a negative errno. */
static int take_port(struct xen_wait *wait)
{
    int port = xenevtchn_pending(wait->evtchn);

    if (port < 0 || xenevtchn_unmask(wait->evtchn, (evtchn_port_t)port))
        return -errno;
    return port;
}

static int read_port(struct xen_wait *wait)
{
    int port;

    atomic_fetch_add_explicit(&wait->reads, 1, memory_order_relaxed);
    port = take_port(wait);
    atomic_fetch_add_explicit(&wait->reads, 1, memory_order_relaxed);
    return port;
}

int xen_wait_event(struct xen_wait *wait, unsigned timeout_ms)
{
    struct pollfd fd = {.fd = xenevtchn_fd(wait->evtchn), .events = POLLIN};
    int n, port;

    if (may_read(wait, timeout_ms)) {
        port = read_port(wait);
    } else {
        n = poll(&fd, 1, (int)timeout_ms);
        port = n > 0 ? take_port(wait) : n < 0 ? -errno : -EAGAIN;
    }
    if (port == -EINTR || port == -EAGAIN || (port >= 0 && is_own(wait, port))) {
        wait->steady = 0;
        return 0;
    }
    if (port < 0)
        return port;
    wait->steady++;
    return 1;
}

void xen_wait_close(struct xen_wait *wait)
{
    if (wait->ticks) {
        (void)pthread_mutex_lock(&wait->lock);
        wait->ended = true;
        (void)pthread_cond_signal(&wait->end);
        (void)pthread_mutex_unlock(&wait->lock);
        (void)pthread_join(wait->thread, NULL);
        (void)pthread_mutex_destroy(&wait->lock);
        (void)pthread_cond_destroy(&wait->end);
    }
    if (wait->from > 0)
        (void)xenevtchn_unbind(wait->evtchn, (evtchn_port_t)wait->from);
    if (wait->to > 0)
        (void)xenevtchn_unbind(wait->evtchn, (evtchn_port_t)wait->to);
    *wait = (struct xen_wait){0};
}
