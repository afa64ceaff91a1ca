/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What differs between the Xen releases that this can be built for, by the interface version of the
 * headers that the build was configured with: 0x13 is Xen 4.14, 0x15 is 4.17, 0x17 is 4.19
 * and 4.20.
 */
#ifndef XRW_RECORDER_XEN_COMPAT_H
#define XRW_RECORDER_XEN_COMPAT_H

#include <stdint.h>
#include <string.h>
#include <xenctrl.h>

/* The VM-exit event, which a patch adds where the headers lack it. */
#if XEN_DOMCTL_INTERFACE_VERSION < 0x15
#define VM_EVENT_REASON_VMEXIT 15
#define XEN_DOMCTL_MONITOR_EVENT_VMEXIT 12
#endif

/* u.vmexit.sync: the first byte of the union, in headers that lack it too. */
static inline void xen_compat_vmexit_mode(struct xen_domctl_monitor_op *op, uint8_t mode)
{
    memcpy(&op->u, &mode, sizeof mode);
}

/* Grant tables of version 1 are all that a fork or a guest of ours needs. */
static inline void xen_compat_grants(struct xen_domctl_createdomain *config)
{
#if XEN_DOMCTL_INTERFACE_VERSION >= 0x14
    config->grant_opts = XEN_DOMCTL_GRANT_version(1);
#else
    (void)config;
#endif
}

/* Reset all of a fork.  0, or -1 with errno. */
static inline int xen_compat_fork_reset(xc_interface *xch, uint32_t fork)
{
#if XEN_DOMCTL_INTERFACE_VERSION >= 0x15
    return xc_memshr_fork_reset(xch, fork, true, true);
#else
    return xc_memshr_fork_reset(xch, fork);
#endif
}

#endif
