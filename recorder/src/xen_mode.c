/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this Xen and this domain allow. */
#include "vmexit_abi.h"
#include "xen.h"

#include <cpuid.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool is_amd(void)
{
    unsigned eax, words[3] = {0};

    return __get_cpuid(0, &eax, &words[0], &words[2], &words[1]) &&
           (!memcmp(words, "AuthenticAMD", sizeof words) ||
            !memcmp(words, "HygonGenuine", sizeof words));
}

static int ask(struct xen_calls *xen, uint32_t domain, uint32_t *caps, struct xrw_error *err)
{
    if (xc_monitor_get_capabilities(xen->xch, domain, caps))
        return xrw_error_set(err, -errno,
                             "cannot ask Xen what it can monitor in domain %" PRIu32 ": %s", domain,
                             strerror(errno));
    if (!(*caps & (1u << XEN_DOMCTL_MONITOR_EVENT_VMEXIT)))
        return xrw_error_set(err, -EOPNOTSUPP,
                             "this Xen has no VM-exit monitor event\n"
                             "use Xen 4.17 or later, or 4.14 with the patches of xen-patch/");
    /* Stock Xen has the bit on AMD too, and sends nothing ever. */
    if (!(*caps & XRW_MONITOR_CAP_VMEXIT_PAUSE) && is_amd())
        return xrw_error_set(err, -EOPNOTSUPP,
                             "on AMD processors this Xen sends no VM exits\n"
                             "apply the patches of xen-patch/ to it, as its README.md says");
    return 0;
}

static int check_pause(bool patched, struct xrw_error *err)
{
    if (patched)
        return 0;
    return xrw_error_set(err, -EOPNOTSUPP,
                         "this Xen cannot hold a vCPU after an exit (pause mode is missing)\n"
                         "apply the patches of xen-patch/ to it, as its README.md says, or record "
                         "in async mode");
}

static void choose(struct xen_choice *choice)
{
    choice->mode = choice->has_details ? XRW_RECORD_MODE_PAUSE : XRW_RECORD_MODE_ASYNC;
    (void)snprintf(
        choice->why, sizeof choice->why, "%s",
        choice->has_details
            ? "mode pause: this Xen is patched and holds the guest at each exit\n"
              "registers before and after it, and memory, are exact"
            : "mode async: this Xen lacks the patches that hold a guest at each exit\n"
              "registers at each exit are exact; those after it, and memory, are known at key "
              "frames alone (--memory every=N)");
}

static void warn(const struct xen_target *target, struct xen_choice *choice)
{
    if (choice->mode != XRW_RECORD_MODE_SYNC || target->is_fork)
        return;
    (void)snprintf(
        choice->why, sizeof choice->why,
        "domain %" PRIu32 " is no fork, and is changed by sync mode\n"
        "it takes the exit at which recording ends once more; what cannot come again (an event "
        "that was being delivered) is lost",
        target->domain);
}

int xen_choose_mode(struct xen_calls *xen, const struct xen_target *target,
                    enum xrw_record_mode wanted, struct xen_choice *out, struct xrw_error *err)
{
    struct xen_choice choice = {.mode = wanted};
    uint32_t caps = 0;
    int rc = ask(xen, target->domain, &caps, err);

    if (rc)
        return rc;
    choice.has_details = caps & XRW_MONITOR_CAP_VMEXIT_PAUSE;
    if (wanted == XRW_RECORD_MODE_AUTO)
        choose(&choice);
    if (choice.mode == XRW_RECORD_MODE_PAUSE)
        rc = check_pause(choice.has_details, err);
    warn(target, &choice);
    if (!rc)
        *out = choice;
    return rc;
}
