/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

int xen_check_domain(struct xen_calls *xen, uint32_t domain, xc_domaininfo_t *info,
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
    if (info->max_vcpu_id >= RING_SLOTS)
        return xrw_error_set(err, -EINVAL,
                             "domain %" PRIu32 " has %" PRIu32 " vCPUs\n"
                             "guests with up to %u vCPUs can be recorded",
                             domain, info->max_vcpu_id + 1, RING_SLOTS);
    return 0;
}

static int fork_error(uint32_t parent, int code, struct xrw_error *err)
{
    static const struct {
        int code;
        const char *text;
    } reasons[] = {
        {-ENOSYS, "this Xen has no VM forks\nbuild it with CONFIG_MEM_SHARING=y, as "
                  "xen-patch/README.md says, or record the domain itself: --domain ID"},
        {-EOPNOTSUPP, "this Xen forks domains on Intel hosts only\napply the patches of xen-patch/ "
                      "to it, as its README.md says, or record the domain itself: --domain ID"},
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
        .arch.emulation_flags = parent->arch_config.emulation_flags,
        .ssidref = parent->ssidref,
    };
    const struct fork_owner owner = fork_owner_self(parent->domain);
    uint32_t id = 0;
    int code;

    xen_compat_grants(&config);
    fork_handle_write(config.handle, &owner);
    if (xc_domain_create(xen->xch, &id, &config))
        return fork_error(parent->domain, -errno, err);
    if (xc_memshr_fork(xen->xch, parent->domain, id, false, block_interrupts)) {
        code = -errno;
        (void)xc_domain_destroy(xen->xch, id);
        return fork_error(parent->domain, code, err);
    }
    *fork = id;
    return 0;
}

void xen_own_fork(struct xen_calls *xen, uint32_t fork, const struct fork_owner *owner)
{
    xen_domain_handle_t handle;

    fork_handle_write(handle, owner);
    (void)xc_domain_sethandle(xen->xch, fork, handle);
}

size_t xen_list_forks(struct xen_calls *xen, struct xrw_fork *forks, size_t max)
{
    xc_domaininfo_t info[64];
    struct fork_owner owner;
    uint32_t first = 1;
    size_t count = 0;
    int n;

    while ((n = xc_domain_getinfolist(xen->xch, first, 64, info)) > 0) {
        for (int i = 0; i < n && count < max; i++)
            if (!(info[i].flags & XEN_DOMINF_dying) && fork_handle_read(info[i].handle, &owner))
                forks[count++] = (struct xrw_fork){.domain = info[i].domain,
                                                   .parent = owner.parent,
                                                   .recorder = owner.recorder,
                                                   .left_over = fork_is_left_over(&owner)};
        first = info[n - 1].domain + 1u;
    }
    return count;
}
