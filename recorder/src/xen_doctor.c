/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks Xen what it can do. */
#include "vmexit_abi.h"
#include "xen.h"

#include <cpuid.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int take_meta(void *ctx, const char *key, const char *value, struct xrw_error *err)
{
    struct doctor_facts *f = ctx;

    (void)err;
    if (!strcmp(key, "hypervisor"))
        (void)snprintf(f->version, sizeof f->version, "%s", value);
    else
        (void)snprintf(f->cpu, sizeof f->cpu, "%s", value);
    return 0;
}

static void look_at_host(struct xen_calls *xen, struct doctor_facts *f)
{
    int version = xc_version(xen->xch, XENVER_version, NULL);
    unsigned eax, words[3] = {0};
    xc_domaininfo_t info;
    xc_physinfo_t machine = {0};

    if (version > 0) {
        f->major = (unsigned)version >> 16;
        f->minor = (unsigned)version & 0xffff;
    }
    (void)xen_describe_host(xen, take_meta, f, NULL);
    if (__get_cpuid(0, &eax, &words[0], &words[2], &words[1]))
        memcpy(f->vendor, words, sizeof words);
    f->control = xen_domain_info(xen, 0, &info);
    f->dom0_hvm = !f->control && info.flags & XEN_DOMINF_hvm_guest;
    f->physical = xc_physinfo(xen->xch, &machine) ? -errno : 0;
    f->hvm = machine.capabilities & XEN_SYSCTL_PHYSCAP_hvm;
    f->hap = machine.capabilities & XEN_SYSCTL_PHYSCAP_hap;
    f->free_kib = machine.free_pages * (XRW_PAGE_BYTES / 1024);
    f->sharing = xen_compat_fork_reset(xen->xch, DOMID_INVALID) ? -errno : 0;
}

/* The parent, or else any domain that Xen could monitor; 0: none. */
static uint32_t domain_to_ask(struct xen_calls *xen, uint32_t parent)
{
    xc_domaininfo_t info[64];
    uint32_t first = 1;
    int n;

    if (parent && !xen_domain_info(xen, parent, info) && info->flags & XEN_DOMINF_hvm_guest)
        return parent;
    while ((n = xc_domain_getinfolist(xen->xch, first, 64, info)) > 0) {
        for (int i = 0; i < n; i++)
            if (info[i].flags & XEN_DOMINF_hvm_guest && !(info[i].flags & XEN_DOMINF_dying))
                return info[i].domain;
        first = info[n - 1].domain + 1u;
    }
    return 0;
}

static void ask_capabilities(struct xen_calls *xen, struct doctor_facts *f)
{
    uint32_t caps = 0;

    f->asked = domain_to_ask(xen, f->parent);
    if (!f->asked)
        return;
    f->asked_code = xc_monitor_get_capabilities(xen->xch, f->asked, &caps) ? -errno : 0;
    f->event = caps & (1u << XEN_DOMCTL_MONITOR_EVENT_VMEXIT);
    f->pause = caps & XRW_MONITOR_CAP_VMEXIT_PAUSE;
}

/* ---- the parent ------------------------------------------------------ */

static uint64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* The fork never runs. */
static enum parent_stage try_fork(struct xen_calls *xen, const xc_domaininfo_t *parent, bool pause,
                                  struct xrw_error *err)
{
    struct xen_monitor monitor;
    enum parent_stage stage = PARENT_DONE;
    uint32_t fork;

    if (xen_fork(xen, parent, true, &fork, err))
        return PARENT_FORK;
    if (xen_monitor_open(&monitor, xen, fork, pause ? XRW_VMEXIT_MODE_PAUSE : XRW_VMEXIT_MODE_ASYNC,
                         err))
        stage = PARENT_MONITOR;
    else
        xen_monitor_close(&monitor, xen);
    if (!xc_domain_destroy(xen->xch, fork) || errno == ESRCH)
        return stage;
    (void)xrw_error_set(err, -errno,
                        "the fork, domain %" PRIu32 ", could not be removed: %s\n"
                        "`xenrewind doctor --clean` removes it; its parent stays paused until then",
                        fork, strerror(errno));
    return PARENT_FORK;
}

static void look_at_parent(struct xen_calls *xen, struct doctor_facts *f)
{
    xc_domaininfo_t info;
    uint64_t start;

    f->stage = PARENT_CHECK;
    if (xen_check_domain(xen, f->parent, &info, &f->trouble))
        return;
    f->parent_kib = info.tot_pages * (XRW_PAGE_BYTES / 1024);
    xen_fitness(xen, f->parent, f->pause, f->fitness);
    start = now_ms();
    f->stage = try_fork(xen, &info, f->pause, &f->trouble);
    f->fork_ms = (uint32_t)(now_ms() - start);
}

/* ---- forks of ours --------------------------------------------------- */

static struct doctor_parent parent_after(struct xen_calls *xen, const struct doctor_facts *f,
                                         const struct xrw_fork *gone)
{
    struct doctor_parent parent = {0};
    xc_domaininfo_t info;

    parent.exists = gone->parent && !xen_domain_info(xen, gone->parent, &info) &&
                    !(info.flags & XEN_DOMINF_dying);
    if (!parent.exists)
        return parent;
    parent.ended = info.flags & XEN_DOMINF_shutdown;
    parent.paused = info.flags & XEN_DOMINF_paused;
    for (size_t i = 0; i < f->fork_count; i++)
        if (&f->forks[i] != gone && !f->forks[i].removed && f->forks[i].parent == gone->parent)
            parent.other_fork = f->forks[i].domain;
    return parent;
}

/* All are removed before any is spoken of: two may have one parent. */
static void clean(struct xen_calls *xen, struct doctor_facts *f)
{
    int codes[XRW_DOCTOR_FORKS] = {0};

    for (size_t i = 0; i < f->fork_count; i++)
        if (f->forks[i].left_over) {
            codes[i] =
                xc_domain_destroy(xen->xch, f->forks[i].domain) && errno != ESRCH ? -errno : 0;
            f->forks[i].removed = !codes[i];
        }
    for (size_t i = 0; i < f->fork_count; i++)
        if (f->forks[i].left_over) {
            struct doctor_parent parent = parent_after(xen, f, &f->forks[i]);

            doctor_outcome(&f->forks[i], codes[i], &parent);
        }
}

int xrw_doctor(const struct xrw_doctor_options *options, struct xrw_doctor_report *report,
               struct xrw_error *err)
{
    struct doctor_facts *f = calloc(1, sizeof *f);
    struct xen_calls xen;

    if (!f)
        return xrw_error_set(err, -ENOMEM, "out of memory");
    f->parent = options->parent;
    f->no_xen_code = xen_calls_open(&xen, NULL);
    if (!f->no_xen_code) {
        f->fork_count = xen_list_forks(&xen, f->forks, XRW_DOCTOR_FORKS);
        if (options->clean)
            clean(&xen, f);
        look_at_host(&xen, f);
        ask_capabilities(&xen, f);
        if (f->parent)
            look_at_parent(&xen, f);
        xen_calls_close(&xen);
    }
    doctor_report(f, report);
    free(f);
    return 0;
}
