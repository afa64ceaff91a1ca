/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen.h"

#include "ram.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <xen/hvm/hvm_op.h>
#include <xen/vm_event.h>

#define BUFFER_PAGES 8u
#define CPUID_LEAVES 512u

int xen_calls_open(struct xen_calls *xen, struct xrw_error *err)
{
    *xen = (struct xen_calls){0};
    /* libxenctrl would print its own opinion of every failure. */
    xen->logger = (xentoollog_logger *)xtl_createlogger_stdiostream(stderr, XTL_CRITICAL, 0);
    xen->xch = xc_interface_open(xen->logger, xen->logger, 0);
    if (xen->xch)
        xen->fmem = xenforeignmemory_open(xen->logger, 0);
    if (xen->fmem)
        xen->call = xencall_open(xen->logger, 0);
    if (xen->call)
        xen->buffer = xencall_alloc_buffer_pages(xen->call, BUFFER_PAGES);
    if (xen->buffer)
        return 0;

    int code = errno ? -errno : -ENODEV;
    xen_calls_close(xen);
    if (code == -EACCES || code == -EPERM)
        return xrw_error_set(err, code, "no permission to talk to Xen\nrun this as root in dom0");
    return xrw_error_set(err, code,
                         "this is not a Xen host: its control interface cannot be opened (%s)\n"
                         "recording needs dom0 of Xen 4.17; replaying does not",
                         strerror(-code));
}

void xen_calls_close(struct xen_calls *xen)
{
    if (xen->buffer)
        xencall_free_buffer_pages(xen->call, xen->buffer, BUFFER_PAGES);
    if (xen->call)
        xencall_close(xen->call);
    if (xen->fmem)
        xenforeignmemory_close(xen->fmem);
    if (xen->xch)
        xc_interface_close(xen->xch);
    if (xen->logger)
        xtl_logger_destroy(xen->logger);
    *xen = (struct xen_calls){0};
}

/*
 * libxenctrl's functions allocate and map a buffer at each call, which takes ten times as long as
 * Xen does: what is called at every exit or run is called through a buffer of our own.
 */
static struct xen_domctl *new_domctl(struct xen_calls *xen, uint32_t command, uint32_t domain)
{
    struct xen_domctl *domctl = xen->buffer;

    memset(domctl, 0, sizeof *domctl);
    domctl->cmd = command;
    domctl->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    domctl->domain = (domid_t)domain;
    return domctl;
}

static int do_domctl(struct xen_calls *xen)
{
    return xencall1(xen->call, __HYPERVISOR_domctl, (uint64_t)(uintptr_t)xen->buffer) < 0 ? -errno
                                                                                          : 0;
}

int xen_domain_info(struct xen_calls *xen, uint32_t domain, xc_domaininfo_t *info)
{
    const struct xen_domctl *domctl = new_domctl(xen, XEN_DOMCTL_getdomaininfo, domain);
    int rc = do_domctl(xen);

    if (rc)
        return rc;
    /* If there is none of that number, Xen tells of the next one. */
    if (domctl->u.getdomaininfo.domain != domain)
        return -ESRCH;
    *info = domctl->u.getdomaininfo;
    return 0;
}

int xen_pause(struct xen_calls *xen, uint32_t domain)
{
    (void)new_domctl(xen, XEN_DOMCTL_pausedomain, domain);
    return do_domctl(xen);
}

int xen_unpause(struct xen_calls *xen, uint32_t domain)
{
    (void)new_domctl(xen, XEN_DOMCTL_unpausedomain, domain);
    return do_domctl(xen);
}

int xen_vcpu_record(struct xen_calls *xen, uint32_t domain, uint32_t vcpu, uint16_t code,
                    size_t bytes, const void **record)
{
    struct xen_domctl *domctl = new_domctl(xen, XEN_DOMCTL_gethvmcontext_partial, domain);
    uint8_t *data = (uint8_t *)xen->buffer + XRW_PAGE_BYTES;
    int rc;

    _Static_assert(sizeof *domctl <= XRW_PAGE_BYTES, "the record comes after it");
    if (bytes > (BUFFER_PAGES - 1) * XRW_PAGE_BYTES)
        return -EINVAL;
    domctl->u.hvmcontext_partial.type = code;
    domctl->u.hvmcontext_partial.instance = vcpu;
    domctl->u.hvmcontext_partial.bufsz = bytes;
    set_xen_guest_handle_raw(domctl->u.hvmcontext_partial.buffer, data);
    rc = do_domctl(xen);
    if (!rc)
        *record = data;
    return rc;
}

/* Xen calls a page shared with the parent read-only RAM, and a hole of the fork MMIO. */
static enum page_type page_type(uint16_t mem_type)
{
    switch (mem_type) {
    case HVMMEM_ram_rw:
        return PAGE_PRIVATE;
    case HVMMEM_ram_ro:
        return PAGE_SHARED;
    default:
        return PAGE_HOLE;
    }
}

/* Many questions in one hypercall: entering Xen through the kernel costs more than the answer. */
struct type_queries {
    multicall_entry_t calls[RAM_BATCH];
    struct xen_hvm_get_mem_type args[RAM_BATCH];
};
_Static_assert(sizeof(struct type_queries) <= BUFFER_PAGES * XRW_PAGE_BYTES, "buffer too small");

int xen_page_types(struct xen_calls *xen, uint32_t domain, xrw_gfn first, size_t n,
                   enum page_type *types)
{
    struct type_queries *q = xen->buffer;

    if (n > RAM_BATCH)
        return -EINVAL;
    for (size_t i = 0; i < n; i++) {
        q->args[i] = (struct xen_hvm_get_mem_type){.domid = (domid_t)domain, .pfn = first + i};
        q->calls[i] = (multicall_entry_t){
            .op = __HYPERVISOR_hvm_op,
            .args = {HVMOP_get_mem_type, (uint64_t)(uintptr_t)&q->args[i]},
        };
    }
    if (xencall2(xen->call, __HYPERVISOR_multicall, (uint64_t)(uintptr_t)q->calls, n) < 0)
        return -errno;
    for (size_t i = 0; i < n; i++) {
        if ((long)q->calls[i].result < 0)
            return (int)(long)q->calls[i].result;
        types[i] = page_type(q->args[i].mem_type);
    }
    return 0;
}

int xen_vmexit_event(struct xen_calls *xen, uint32_t domain, bool enable, unsigned mode)
{
    struct xen_domctl *domctl = new_domctl(xen, XEN_DOMCTL_monitor_op, domain);

    domctl->u.monitor_op.op = enable ? XEN_DOMCTL_MONITOR_OP_ENABLE : XEN_DOMCTL_MONITOR_OP_DISABLE;
    domctl->u.monitor_op.event = XEN_DOMCTL_MONITOR_EVENT_VMEXIT;
    xen_compat_vmexit_mode(&domctl->u.monitor_op, (uint8_t)mode);
    return do_domctl(xen);
}

int xen_resume_domain(struct xen_calls *xen, uint32_t domain)
{
    /* libxenctrl's function changes the guest's registers, too. */
    (void)new_domctl(xen, XEN_DOMCTL_resumedomain, domain);
    return do_domctl(xen);
}

int xen_cpuid_leaf(struct xen_calls *xen, uint32_t domain, uint32_t leaf, xen_cpuid_leaf_t *out)
{
    struct xen_domctl *domctl = new_domctl(xen, XEN_DOMCTL_get_cpu_policy, domain);
    struct xen_domctl_cpu_policy *policy = &domctl->u.cpu_policy;
    xen_cpuid_leaf_t *leaves = (void *)(domctl + 1);
    int rc;

    _Static_assert(sizeof *domctl + CPUID_LEAVES * sizeof *leaves <= BUFFER_PAGES * XRW_PAGE_BYTES,
                   "buffer too small");
    policy->nr_leaves = CPUID_LEAVES;
    set_xen_guest_handle_raw(policy->leaves, leaves);
    rc = do_domctl(xen);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < policy->nr_leaves && i < CPUID_LEAVES; i++) {
        const xen_cpuid_leaf_t *l = &leaves[i];

        if (l->leaf == leaf && (l->subleaf == 0 || l->subleaf == XEN_CPUID_NO_SUBLEAF)) {
            *out = *l;
            return 0;
        }
    }
    return -ENOENT;
}
