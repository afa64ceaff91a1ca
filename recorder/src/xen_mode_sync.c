/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sync mode: the vCPU is held at an exit that Xen does not handle.  Released, it would exit again,
 * so that the first exit that Xen has to handle ends the run.  Those that it has seen to before it
 * sends them go by; so do those by which a fork asks for a page of its parent: the page is brought
 * in here instead.
 */
#include "vmexit_abi.h"
#include "xen_source.h"
#include "xrw/kind.h"
#include "xrw/reason.h"
#include "xrw/svm.h"
#include "xrw/vmx.h"

#include <errno.h>

/* Whether this exit asks for a page that the fork can have, and has now. */
static int bring_in(struct xen_source *s, const struct xrw_exit *exit, bool *done)
{
    const xrw_gfn gfn = exit->field[XRW_EXIT_gpa] >> XRW_PAGE_SHIFT;
    bool write = xrw_exit_page_write(exit);
    enum page_type type;
    int rc;

    *done = false;
    /* Xen does not see to it that an event whose delivery was cut off is delivered again. */
    if (!s->target.is_fork || xrw_exit_kind(exit) != XRW_KIND_PAGE ||
        !exit->field_known[XRW_EXIT_gpa] || exit->field_known[XRW_EXIT_idt_info])
        return 0;
    rc = xen_page_types(&s->xen, s->target.domain, gfn, 1, &type);
    if (rc || !(type == PAGE_HOLE || (type == PAGE_SHARED && write)))
        return rc;
    if (!write)
        return xen_bring_in(&s->xen, s->target.domain, gfn, 1, false, done);
    rc = memory_own(s->memory, gfn);
    *done = !rc;
    return rc == -ENODATA ? 0 : rc;
}

/* An interrupt, NMI or machine check of the host's; an interrupt window is not, and comes again. */
static bool was_seen_to(const struct xrw_exit *exit)
{
    static const unsigned windows[] = {XRW_VMX_INTERRUPT_WINDOW, XRW_VMX_NMI_WINDOW, XRW_SVM_VINTR};

    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++)
        if (xrw_exit_basic_reason(exit) == windows[i])
            return false;
    return xrw_exit_is_host(exit);
}

static int next(struct xen_source *s, unsigned timeout_ms, uint64_t hold_in,
                struct source_exit *out, struct xrw_error *err)
{
    bool held = false, goes_by = false;
    int rc = xen_source_event(s, timeout_ms, out, &held, err);

    (void)hold_in;
    if (rc != SOURCE_EXIT)
        return rc;
    rc = xen_source_still(s, err);
    if (!rc)
        rc = xen_context_read_before(&s->xen, s->target.domain, out, err);
    if (!rc) {
        rc = bring_in(s, &out->exit, &goes_by);
        if (rc)
            (void)xrw_error_set(err, rc, "cannot bring a page into the fork");
    }
    if (!rc)
        rc = xen_source_look(s, &out->exit, err);
    out->held = true;
    out->final = !goes_by && !was_seen_to(&out->exit);
    return rc ? rc : SOURCE_EXIT;
}

static int resume(struct xen_source *s, struct xrw_error *err)
{
    int rc = xen_monitor_answer(&s->monitor, 1, err);

    return rc ? rc : xen_source_move(s, err);
}

const struct xen_mode xen_mode_sync = {
    .event_mode = XRW_VMEXIT_MODE_SYNC,
    .holds_always = true,
    .next = next,
    .resume = resume,
};
