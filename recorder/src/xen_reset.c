/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between two runs: the fork as it was when it was made, and what is written into it then. */
#include "xen_source.h"

#include "vmexit_abi.h"
#include "xrw/kind.h"
#include "xrw/paging.h"
#include "xrw/vmx.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

/* ---- reset ----------------------------------------------------------- */

/* What is on the ring is of the run before. */
static int drain(struct xen_source *s, struct xrw_error *err)
{
    struct ring *ring = &s->monitor.ring;
    int rc = ring_take(ring, err);

    if (rc < 0)
        return rc;
    s->looked = ring->consumed;
    s->behind = s->no_hold = s->may_have_ended = false;
    return xen_monitor_answer(&s->monitor, ring_unanswered(ring), err);
}

/* A vCPU that waits for an interrupt waits on after a reset, as Xen resets its registers and not
 * its scheduling: a new fork takes its place.  The old one goes last, so that the parent never
 * runs. */
static int renew(struct xen_source *s, struct xrw_error *err)
{
    int rc;

    xen_monitor_close(&s->monitor, &s->xen);
    rc = xen_target_renew(&s->target, err);
    if (rc)
        return rc;
    s->domains.fork = s->target.domain;
    s->looked = 0;
    return xen_monitor_open(&s->monitor, &s->xen, s->target.domain, s->mode->event_mode, err);
}

/* In place: what Xen knows of the guest's end is taken back first. */
int xen_source_reset_fork(struct xen_source *s, bool ended, struct xrw_error *err)
{
    int rc = ended ? xen_resume_domain(&s->xen, s->target.domain) : 0;

    if (!rc && xen_compat_fork_reset(s->xen.xch, s->target.domain))
        rc = -errno;
    if (rc == -ENOSYS)
        return xrw_error_set(err, rc,
                             "domain %" PRIu32 " is no fork, and cannot be reset\n"
                             "record a single run of it, or a fork of it (--parent %" PRIu32 ")",
                             s->target.domain, s->target.domain);
    if (rc)
        return xrw_error_set(err, rc, "cannot reset domain %" PRIu32 ": %s", s->target.domain,
                             strerror(-rc));
    return 0;
}

/* ---- before the first run -------------------------------------------- */

#define SETTLE_POLLS 20u
#define SETTLE_POLL_MS 10u

/* Look through what has come: 1 if it settles it, 0, or a negative errno. */
static int look_for_window(struct xen_monitor *monitor, struct xrw_error *err)
{
    int n = xen_monitor_take(monitor, SETTLE_POLL_MS, err), settled = 0;
    const struct ring *ring = &monitor->ring;
    struct xen_decoder decoder = {0};

    for (uint32_t i = ring->answered; n > 0 && i != ring->consumed; i++) {
        struct xrw_exit exit = {0};
        bool held;
        int rc = xen_event_decode(&decoder, ring_request(ring, i), ring->layout->request_bytes,
                                  &exit, &held, err);

        if (rc < 0)
            return rc;
        if (rc && xrw_exit_kind(&exit) != XRW_KIND_PAGE)
            settled = xrw_exit_basic_reason(&exit) != XRW_VMX_EXTERNAL_INTERRUPT;
    }
    if (n > 0)
        n = xen_monitor_answer(monitor, RING_SLOTS, err);
    return n < 0 ? n : settled;
}

int xen_source_settle(struct xen_source *s, struct xrw_error *err)
{
    struct xen_monitor monitor;
    int state, settled = 0;
    int rc = xen_monitor_open(&monitor, &s->xen, s->target.domain, XRW_VMEXIT_MODE_ASYNC, err);

    if (rc)
        return rc;
    rc = xen_target_go(&s->target, err);
    for (unsigned i = 0; !rc && settled == 0 && i < SETTLE_POLLS; i++)
        settled = look_for_window(&monitor, err);
    (void)xen_target_pause(&s->target);
    xen_monitor_close(&monitor, &s->xen);
    if (rc || settled < 0)
        return rc ? rc : settled;
    state = xen_target_look(&s->target, err);
    return state < 0 ? state : xen_source_reset_fork(s, state == SOURCE_ENDED, err);
}

/* ---- between runs ---------------------------------------------------- */

int xen_source_reset(struct xen_source *s, source_page page, void *page_ctx, struct xrw_error *err)
{
    int state, rc = xen_target_pause(&s->target);

    if (rc)
        return xrw_error_set(err, rc, "cannot pause domain %" PRIu32 ": %s", s->target.domain,
                             strerror(-rc));
    rc = drain(s, err);
    if (rc)
        return rc;
    state = xen_target_look(&s->target, err);
    if (state < 0)
        return state;
    if (s->memory)
        memory_release(s->memory, state == SOURCE_IDLE);
    rc =
        state == SOURCE_IDLE ? renew(s, err) : xen_source_reset_fork(s, state == SOURCE_ENDED, err);
    return rc || !s->memory ? rc : memory_reset(s->memory, page, page_ctx, err);
}

/* ---- input ----------------------------------------------------------- */

/* Page tables are read before the guest runs. */
static int read_start(void *ctx, xrw_gpa gpa, void *buf, size_t bytes)
{
    struct xen_source *s = ctx;

    return memory_read(s->memory, gpa, buf, bytes);
}

static int find_page(struct xen_source *s, const struct source_write *write, uint64_t address,
                     xrw_gpa *gpa, struct xrw_error *err)
{
    struct source_exit start = {0};
    int rc;

    *gpa = address;
    if (write->physical)
        return 0;
    rc = xen_context_read(&s->xen, s->target.domain, &start, err);
    if (rc)
        return rc;
    rc = xrw_paging_translate(&start.exit.after, address, read_start, s, gpa);
    if (rc)
        return xrw_error_set(err, rc,
                             "no input can be written to %#" PRIx64
                             ": the guest has not mapped that address where the runs begin",
                             address);
    return 0;
}

int xen_source_write(struct xen_source *s, const struct source_write *write, source_page page,
                     void *page_ctx, struct xrw_error *err)
{
    const uint8_t *data = write->data;
    int rc = 0;

    for (size_t done = 0, n; done < write->bytes && !rc; done += n) {
        uint64_t address = write->address + done;
        xrw_gpa gpa;

        n = XRW_PAGE_BYTES - address % XRW_PAGE_BYTES;
        if (n > write->bytes - done)
            n = write->bytes - done;
        rc = find_page(s, write, address, &gpa, err);
        if (!rc)
            rc = memory_write(s->memory, gpa, data + done, n, page, page_ctx, err);
    }
    return rc;
}
