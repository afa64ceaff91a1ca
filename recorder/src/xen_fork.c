/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen.h"

#include "vmexit_abi.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xen/vm_event.h>

/*
 * The domain handle (UUID) of a fork of ours: it tells which domains were left over by a recorder
 * that was killed.
 */
struct handle {
    uint8_t prefix[9]; /* "xenrewind" */
    uint8_t zero[3];
    uint32_t recorder; /* its process in dom0; 0: nobody's any more */
};
_Static_assert(sizeof(struct handle) == sizeof(xen_domain_handle_t), "size of a domain handle");

static const uint8_t handle_prefix[9] = {'x', 'e', 'n', 'r', 'e', 'w', 'i', 'n', 'd'};

static void make_handle(xen_domain_handle_t out, pid_t recorder)
{
    struct handle handle = {.recorder = (uint32_t)recorder};

    memcpy(handle.prefix, handle_prefix, sizeof handle.prefix);
    memcpy(out, &handle, sizeof handle);
}

/* Whether a domain is a fork of ours whose recorder does not run any more. */
static bool is_left_over(const xc_domaininfo_t *info)
{
    struct handle handle;

    memcpy(&handle, info->handle, sizeof handle);
    if (memcmp(handle.prefix, handle_prefix, sizeof handle_prefix) || !handle.recorder ||
        info->flags & XEN_DOMINF_dying)
        return false;
    return handle.recorder == (uint32_t)getpid() ||
           (kill((pid_t)handle.recorder, 0) && errno == ESRCH);
}

static int check_event(struct xen_calls *xen, uint32_t domain, struct xrw_error *err)
{
    uint32_t caps = 0;

    if (xc_monitor_get_capabilities(xen->xch, domain, &caps))
        return xrw_error_set(err, -errno,
                             "cannot ask Xen what it can monitor in domain %" PRIu32 ": %s", domain,
                             strerror(errno));
    if (!(caps & (1u << XEN_DOMCTL_MONITOR_EVENT_VMEXIT)))
        return xrw_error_set(err, -EOPNOTSUPP,
                             "this Xen has no VM-exit monitor event\nuse Xen 4.17 or later");
    if (!(caps & XRW_MONITOR_CAP_VMEXIT_PAUSE))
        return xrw_error_set(err, -EOPNOTSUPP,
                             "this Xen cannot hold a vCPU after an exit (pause mode is missing)\n"
                             "apply the patches of xen-patch/4.17 to it, as its README.md says");
    return 0;
}

int xen_check_domain(struct xen_calls *xen, uint32_t domain, bool parent, xc_domaininfo_t *info,
                     struct xrw_error *err)
{
    int rc = xen_domain_info(xen, domain, info);

    if (rc == -ESRCH)
        return xrw_error_set(
            err, rc, "there is no domain %" PRIu32 "\n`xl list` shows the domains there are",
            domain);
    if (rc == -EACCES)
        return xrw_error_set(err, rc,
                             "Xen does not speak this program's control interface\n"
                             "build xenrewind against the libxen-dev of the running Xen");
    if (rc)
        return xrw_error_set(err, rc, "cannot ask Xen about domain %" PRIu32 ": %s", domain,
                             strerror(-rc));
    if (!(info->flags & XEN_DOMINF_hvm_guest))
        return xrw_error_set(err, -EINVAL,
                             "domain %" PRIu32
                             " is a PV domain\nonly HVM and PVH domains can be forked and recorded",
                             domain);
    if (!(info->flags & XEN_DOMINF_hap))
        return xrw_error_set(err, -EINVAL,
                             "domain %" PRIu32
                             " runs without hardware-assisted paging\nstart it with hap=1",
                             domain);
    if (info->flags & (XEN_DOMINF_dying | XEN_DOMINF_shutdown))
        return xrw_error_set(err, -EINVAL, "domain %" PRIu32 " has ended", domain);
    if (info->max_vcpu_id != 0)
        return xrw_error_set(err, -EINVAL,
                             "domain %" PRIu32 " has %" PRIu32 " vCPUs\n"
                             "only guests with one vCPU can be recorded exactly",
                             domain, info->max_vcpu_id + 1);
    /* Forking is tried first: whether Xen has forks is only known then. */
    return parent ? 0 : check_event(xen, domain, err);
}

static int fork_error(uint32_t parent, int code, struct xrw_error *err)
{
    static const struct {
        int code;
        const char *text;
    } reasons[] = {
        {-ENOSYS, "this Xen has no VM forks\nbuild it with CONFIG_MEM_SHARING=y, as "
                  "xen-patch/README.md says"},
        {-EOPNOTSUPP, "Xen forks domains on Intel (VMX) hosts only\nrecord on such a host; "
                      "recordings can be replayed anywhere"},
        {-ENODEV, "hardware-assisted paging is off, and forks need it\nstart Xen with hap=1"},
        {-EXDEV, "it has an IOMMU\nstart it without passed-through devices (passthrough = "
                 "\"disabled\")"},
        {-ENOMEM, "there is not enough free memory for a fork\n`xl info` shows free_memory; lower "
                  "dom0_mem or end a domain"},
        {-EBUSY,
         "the domain is busy: another tool forks or changes it\ntry again when that has ended"},
        {-EPERM, "Xen's security policy (XSM) forbids it"},
    };

    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].code == code)
            return xrw_error_set(err, code, "cannot fork domain %" PRIu32 ": %s", parent,
                                 reasons[i].text);
    return xrw_error_set(err, code, "cannot fork domain %" PRIu32 ": %s", parent, strerror(-code));
}

int xen_fork(struct xen_calls *xen, const xc_domaininfo_t *parent, bool block_interrupts,
             uint32_t *fork, struct xrw_error *err)
{
    struct xen_domctl_createdomain config = {
        .flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap,
        .max_vcpus = parent->max_vcpu_id + 1,
        .max_evtchn_port = 1023,
        .max_grant_frames = 32,
        .max_maptrack_frames = 1024,
        .grant_opts = XEN_DOMCTL_GRANT_version(1),
        .arch.emulation_flags = parent->arch_config.emulation_flags,
        .ssidref = parent->ssidref,
    };
    uint32_t id = 0;
    int code;

    make_handle(config.handle, getpid());
    if (xc_domain_create(xen->xch, &id, &config))
        return fork_error(parent->domain, -errno, err);
    if (xc_memshr_fork(xen->xch, parent->domain, id, false, block_interrupts)) {
        code = -errno;
        (void)xc_domain_destroy(xen->xch, id);
        return fork_error(parent->domain, code, err);
    }
    code = check_event(xen, id, err);
    if (code) {
        (void)xc_domain_destroy(xen->xch, id);
        return code;
    }
    *fork = id;
    return 0;
}

void xen_disown_fork(struct xen_calls *xen, uint32_t fork)
{
    xen_domain_handle_t handle;

    make_handle(handle, 0);
    (void)xc_domain_sethandle(xen->xch, fork, handle);
}

size_t xen_left_over_forks(struct xen_calls *xen, char *text, size_t bytes)
{
    xc_domaininfo_t info[64];
    uint32_t first = 1;
    size_t count = 0, used = 0;
    int n;

    text[0] = '\0';
    while ((n = xc_domain_getinfolist(xen->xch, first, 64, info)) > 0) {
        for (int i = 0; i < n; i++) {
            if (!is_left_over(&info[i]))
                continue;
            if (used < bytes) {
                int add = snprintf(text + used, bytes - used, "%s%u", count ? ", " : "",
                                   (unsigned)info[i].domain);
                used += add > 0 ? (size_t)add : 0;
            }
            count++;
        }
        first = info[n - 1].domain + 1u;
    }
    return count;
}
