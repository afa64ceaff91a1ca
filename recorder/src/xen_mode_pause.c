/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pause mode: Xen handles each exit, and holds the vCPU until the response. */
#include "vmexit_abi.h"
#include "xen_source.h"

static int next(struct xen_source *s, unsigned timeout_ms, uint64_t hold_in,
                struct source_exit *out, struct xrw_error *err)
{
    bool held = false;
    int rc = xen_source_event(s, timeout_ms, out, &held, err);

    (void)hold_in;
    if (rc != SOURCE_EXIT || !held)
        return rc;
    rc = xen_source_still(s, err);
    /* This call waits until the vCPU is off its processor: the exit has been handled then. */
    if (!rc)
        rc = xen_context_read(&s->xen, s->target.domain, out, err);
    if (!rc)
        rc = xen_source_look(s, &out->exit, err);
    out->held = true;
    return rc ? rc : SOURCE_EXIT;
}

static int resume(struct xen_source *s, struct xrw_error *err)
{
    int rc = xen_monitor_answer(&s->monitor, 1, err);

    return rc ? rc : xen_source_move(s, err);
}

const struct xen_mode xen_mode_pause = {
    .event_mode = XRW_VMEXIT_MODE_PAUSE,
    .holds_always = true,
    .next = next,
    .resume = resume,
};
