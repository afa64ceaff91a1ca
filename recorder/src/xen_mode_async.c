/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Async mode: the guest goes on at once.  All requests on the ring are taken, answered with one
 * notification, and looked at then.
 *
 * To hold the guest at an exit, requests are left unanswered so that it fills the ring: Xen then
 * handles this exit and takes the vCPU off its processor before it enters the guest again, until a
 * slot is free.  So memory and the vCPU's context are those of this exit, exactly, though Xen knows
 * of no such mode.
 *   Source: xen/common/vm_event.c, vm_event_put_request(), vm_event_mark_and_pause().
 */
#include "vmexit_abi.h"
#include "xen_source.h"
#include "xrw/kind.h"

#define VECTOR_NM 7u

/* So many requests on the ring, and a vCPU that sends one more does not go on: each must be sure of
 * a slot. */
static uint32_t full(const struct xen_source *s)
{
    return RING_SLOTS + 1 - s->target.vcpus;
}

/* How many requests may be answered, if the guest is to be held at the hold_in-th from the one that
 * is looked at next. */
static uint32_t answerable(const struct xen_source *s, uint64_t hold_in)
{
    const struct ring *ring = &s->monitor.ring;
    uint32_t unanswered = ring_unanswered(ring);
    int64_t ahead = (int32_t)(s->looked - ring->answered), n;

    if (!hold_in || hold_in > UINT32_MAX)
        return unanswered;
    /* It is full: the guest stands at the last one that is there. */
    if (unanswered >= full(s) && hold_in <= ring->consumed - s->looked)
        return 0;
    n = ahead + (int64_t)hold_in - full(s);
    return n <= 0 ? 0 : n < unanswered ? (uint32_t)n : unanswered;
}

/* An emulation that waits for a device model ends only when the vCPU goes on. */
static bool may_be_unfinished(const struct xen_source *s, const struct xrw_exit *exit)
{
    enum xrw_exit_kind kind = xrw_exit_kind(exit);

    return !s->target.is_fork && (kind == XRW_KIND_IO || kind == XRW_KIND_PAGE);
}

/*
 * Xen hands debug registers and the FPU out lazily, and goes on with a long hypercall, by letting
 * the guest execute the instruction once more; holding it there takes them away again.
 */
static bool is_repeated(const struct xrw_exit *exit)
{
    enum xrw_exit_kind kind = xrw_exit_kind(exit);

    return exit->after.value[XRW_REG_rip] == exit->before.value[XRW_REG_rip] &&
           (kind == XRW_KIND_DR_ACCESS || kind == XRW_KIND_EXCEPTION || kind == XRW_KIND_HYPERCALL);
}

/* The ring is full with this exit.  What other vCPUs sent before they stood still is of before. */
static int hold(struct xen_source *s, struct source_exit *out, struct xrw_error *err)
{
    int rc = xen_source_still(s, err);

    if (!rc && s->target.vcpus > 1)
        rc = ring_take(&s->monitor.ring, err);
    if (rc < 0 || s->looked != s->monitor.ring.consumed)
        return rc < 0 ? rc : 0;
    rc = xen_context_read(&s->xen, s->target.domain, out, err);
    if (!rc)
        rc = xen_source_look(s, &out->exit, err);
    out->held = !rc;
    s->no_hold = !rc && is_repeated(&out->exit);
    return rc;
}

/* Answer what can be. */
static int answer(struct xen_source *s, uint64_t hold_in, struct xrw_error *err)
{
    if (!ring_unanswered(&s->monitor.ring))
        return 0;
    return xen_monitor_answer(&s->monitor, answerable(s, hold_in), err);
}

/* The guest goes on if it was held. */
static int let_go(struct xen_source *s, uint64_t hold_in, struct xrw_error *err)
{
    int rc = answer(s, hold_in, err);

    if (rc || s->looked != s->monitor.ring.consumed)
        return rc;
    return xen_source_move(s, err);
}

static int next(struct xen_source *s, unsigned timeout_ms, uint64_t hold_in,
                struct source_exit *out, struct xrw_error *err)
{
    const struct ring *ring = &s->monitor.ring;
    bool held;
    int rc;

    if (hold_in == 1 && s->no_hold)
        hold_in = 2;
    rc = let_go(s, hold_in, err);
    if (!rc)
        rc = xen_source_event(s, timeout_ms, out, &held, err);
    if (rc != SOURCE_EXIT)
        return rc;
    s->no_hold = false;
    /* Before this one is recorded: the guest goes on meanwhile. */
    rc = hold_in == 1 ? 0 : answer(s, hold_in ? hold_in - 1 : 0, err);
    if (!rc && ring_unanswered(ring) >= full(s) && s->looked == ring->consumed &&
        !may_be_unfinished(s, &out->exit))
        rc = hold(s, out, err);
    s->behind = s->behind || !out->held;
    return rc ? rc : SOURCE_EXIT;
}

static int resume(struct xen_source *s, struct xrw_error *err)
{
    (void)s;
    (void)err;
    return 0; /* next() answers, when it knows where to hold the guest again */
}

const struct xen_mode xen_mode_async = {
    .event_mode = XRW_VMEXIT_MODE_ASYNC,
    .holds_always = false,
    .next = next,
    .resume = resume,
};
