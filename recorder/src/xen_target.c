/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The domain that is recorded: a fork that is made for it, or one that is there. */
#include "vmexit_abi.h"
#include "xen.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LOOK_MS 20u
#define GOING_LOOKS 50u

static int target_error(const struct xen_target *t, const char *doing, int code,
                        struct xrw_error *err)
{
    return xrw_error_set(err, code, "cannot %s domain %" PRIu32 ": %s", doing, t->domain,
                         strerror(-code));
}

/*
 * A fork that was left over is not while we record it: it must not be removed under our hands.  The
 * event ring of its recorder, which is in our way, goes; the fork is paused, as that lets its vCPU
 * go on.
 */
static void claim_fork(struct xen_target *t, const xc_domaininfo_t *info)
{
    struct fork_owner owner;

    t->claimed =
        fork_handle_read(info->handle, &t->owner_before) && fork_is_left_over(&t->owner_before);
    if (!t->claimed)
        return;
    owner = fork_owner_self(t->owner_before.parent);
    xen_own_fork(t->xen, t->domain, &owner);
    (void)xen_vmexit_event(t->xen, t->domain, false, XRW_VMEXIT_MODE_ASYNC);
    (void)xc_monitor_disable(t->xen->xch, t->domain);
}

static int make_fork(struct xen_target *t, struct xrw_error *err)
{
    xc_domaininfo_t info;
    int rc = xen_check_domain(t->xen, t->options->parent, &info, err);

    if (rc)
        return rc;
    t->parent = t->options->parent;
    rc = xen_fork(t->xen, &info, !t->options->allow_interrupts, &t->domain, err);
    t->made_fork = t->is_fork = t->paused = !rc;
    t->vcpus = info.max_vcpu_id + 1;
    return rc;
}

static int take_domain(struct xen_target *t, struct xrw_error *err)
{
    xc_domaininfo_t info;
    struct fork_owner owner;
    int rc = 0;

    /* Without its parent a fork has to be asked for all of its pages itself. */
    t->parent = t->options->parent ? t->options->parent : t->options->fork;
    if (t->options->parent)
        rc = xen_check_domain(t->xen, t->options->parent, &info, err);
    if (!rc)
        rc = xen_check_domain(t->xen, t->options->fork, &info, err);
    if (rc)
        return rc;
    t->domain = t->options->fork;
    t->vcpus = info.max_vcpu_id + 1;
    t->is_fork = t->options->parent || fork_handle_read(info.handle, &owner);
    t->paused = t->was_paused = info.flags & XEN_DOMINF_paused;
    rc = xen_target_pause(t);
    if (rc)
        return target_error(t, "pause", rc, err);
    claim_fork(t, &info);
    return 0;
}

int xen_target_open(struct xen_target *t, struct xen_calls *xen,
                    const struct xrw_record_options *options, struct xrw_error *err)
{
    *t = (struct xen_target){.xen = xen, .options = options};
    return options->fork ? take_domain(t, err) : make_fork(t, err);
}

int xen_target_pause(struct xen_target *t)
{
    int rc = t->paused ? 0 : xen_pause(t->xen, t->domain);

    t->paused = t->paused || !rc;
    return rc;
}

int xen_target_renew(struct xen_target *t, struct xrw_error *err)
{
    uint32_t old = t->domain, domain;
    xc_domaininfo_t info;
    int rc;

    if (!t->made_fork)
        return xrw_error_set(err, -EOPNOTSUPP,
                             "domain %" PRIu32 " waits for an interrupt, and cannot be reset then\n"
                             "end the runs before that, or give its parent by --parent alone",
                             t->domain);
    rc = xen_domain_info(t->xen, t->parent, &info);
    if (rc)
        return target_error(t, "make another fork in place of", rc, err);
    rc = xen_fork(t->xen, &info, !t->options->allow_interrupts, &domain, err);
    if (rc)
        return rc;
    t->domain = domain;
    t->paused = true;
    if (!xc_domain_destroy(t->xen->xch, old) || errno == ESRCH)
        return 0;
    return xrw_error_set(
        err, -errno,
        "a fork, domain %" PRIu32 ", could not be removed: %s\n"
        "`xenrewind doctor --clean` removes it; its parent stays paused until then",
        old, strerror(errno));
}

int xen_target_go(struct xen_target *t, struct xrw_error *err)
{
    xc_domaininfo_t info;
    int rc = xen_unpause(t->xen, t->domain);

    if (rc)
        return target_error(t, "start", rc, err);
    t->paused = false;
    if (!xen_domain_info(t->xen, t->domain, &info) && info.flags & XEN_DOMINF_paused)
        return xrw_error_set(err, -EBUSY,
                             "domain %" PRIu32 " has been paused more than once\n"
                             "let the others go first (`xl unpause %" PRIu32 "`)",
                             t->domain, t->domain);
    return 0;
}

/* ---- how it is ------------------------------------------------------- */

static int describe_end(struct xen_target *t, uint32_t flags)
{
    static const char *const codes[] = {
        "powered off", "rebooted", "suspended", "crashed", "stopped by its watchdog",
        "reset itself"};
    unsigned code = flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask;

    (void)snprintf(t->end, sizeof t->end, "the guest %s",
                   code < sizeof codes / sizeof *codes ? codes[code] : "shut down");
    return SOURCE_ENDED;
}

int xen_target_look(struct xen_target *t, struct xrw_error *err)
{
    xc_domaininfo_t info;
    int rc = xen_domain_info(t->xen, t->domain, &info);

    if (rc == -ESRCH || (!rc && info.flags & XEN_DOMINF_dying))
        return xrw_error_set(err, -ESRCH, "domain %" PRIu32 " was destroyed by someone else",
                             t->domain);
    if (rc)
        return target_error(t, "ask Xen about", rc, err);
    if (info.flags & XEN_DOMINF_shutdown)
        return describe_end(t, info.flags);
    return info.flags & XEN_DOMINF_blocked ? SOURCE_IDLE : SOURCE_TIMEOUT;
}

bool xen_target_is_going(struct xen_target *t)
{
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000};

    for (unsigned i = 0; i < GOING_LOOKS; i++) {
        if (xen_target_look(t, NULL) == -ESRCH)
            return true;
        (void)nanosleep(&pause, NULL);
    }
    return false;
}

/* ---- the end --------------------------------------------------------- */

static int destroy_fork(struct xen_target *t, struct xrw_error *err)
{
    if (!xc_domain_destroy(t->xen->xch, t->domain) || errno == ESRCH)
        return 0;
    return xrw_error_set(
        err, -errno,
        "the fork, domain %" PRIu32 ", could not be removed: %s\n"
        "`xenrewind doctor --clean` removes it; its parent stays paused until then",
        t->domain, strerror(errno));
}

int xen_target_close(struct xen_target *t, struct xrw_error *err)
{
    int rc = 0;

    if (!t->domain)
        return 0;
    if (t->made_fork && t->options->keep)
        xen_own_fork(t->xen, t->domain, &(struct fork_owner){.parent = t->parent});
    else if (t->made_fork)
        rc = destroy_fork(t, err);
    else if (t->paused && !t->was_paused)
        (void)xen_unpause(t->xen, t->domain);
    if (t->claimed)
        xen_own_fork(t->xen, t->domain, &t->owner_before);
    *t = (struct xen_target){0};
    return rc;
}
