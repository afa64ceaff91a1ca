/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hypercalls, domains and their memory: libxencall, libxenforeignmemory, and the rest of
 * libxenctrl. */
#include "fake_xen_private.h"

#include "support.h"
#include "vmexit_abi.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <xencall.h>
#include <xenctrl.h>
#include <xenforeignmemory.h>

#include <xen/hvm/hvm_op.h>
#include <xen/hvm/save.h>

static int monitor_op(const struct xen_domctl *domctl)
{
    fake_xen.enabled = domctl->u.monitor_op.op == XEN_DOMCTL_MONITOR_OP_ENABLE;
    if (fake_xen.enabled)
        memcpy(&fake_xen.mode, &domctl->u.monitor_op.u, 1);
    return 0;
}

static int page_types(const multicall_entry_t *calls, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct xen_hvm_get_mem_type *arg = (void *)(uintptr_t)calls[i].args[1];
        bool fork = fake_xen.is_fork && arg->domid != FAKE_XEN_PARENT;

        arg->mem_type = arg->pfn >= FAKE_XEN_PAGES ? HVMMEM_mmio_dm
                        : fork                     ? (uint16_t)fake_xen.type[arg->pfn]
                                                   : HVMMEM_ram_rw;
    }
    return 0;
}

/* ---- hypercalls ------------------------------------------------------ */

xencall_handle *xencall_open(xentoollog_logger *logger, unsigned flags)
{
    (void)logger;
    (void)flags;
    return (xencall_handle *)&fake_xen;
}

int xencall_close(xencall_handle *handle)
{
    (void)handle;
    return 0;
}

void *xencall_alloc_buffer_pages(xencall_handle *handle, size_t pages)
{
    (void)handle;
    return calloc(pages, XRW_PAGE_BYTES);
}

void xencall_free_buffer_pages(xencall_handle *handle, void *buffer, size_t pages)
{
    (void)handle;
    (void)pages;
    free(buffer);
}

static void give_info(uint32_t domain, xc_domaininfo_t *info)
{
    *info = (xc_domaininfo_t){.domain = (domid_t)domain,
                              .flags = XEN_DOMINF_hvm_guest | XEN_DOMINF_hap,
                              .max_vcpu_id = fake_xen.vcpus - 1,
                              .tot_pages = FAKE_XEN_PAGES};
    if (domain > FAKE_XEN_PARENT) {
        info->tot_pages = 0;
        for (size_t i = 0; i < FAKE_XEN_PAGES; i++)
            info->tot_pages += fake_xen.type[i] == HVMMEM_ram_rw;
    }
    if (fake_xen.pauses)
        info->flags |= XEN_DOMINF_paused;
    if (fake_xen.made_in_run == fake_xen.exits && fake_xen.enabled)
        info->flags |= XEN_DOMINF_shutdown;
}

/* The x87 part is in its initial configuration; what the CPU's record has of it is old. */
static int give_xsave_record(const struct fake_xen_vcpu *vcpu, void *buffer, uint64_t bytes)
{
    struct hvm_hw_cpu_xsave record = {.xcr0 = 7, .save_area.xsave_hdr.xstate_bv = 2};

    assert_true(bytes >= sizeof record);
    if (vcpu->exits < fake_xen.xsetbv) {
        errno = ENODATA;
        return -1;
    }
    memcpy(buffer, &record, sizeof record);
    return 0;
}

static int give_record(const struct xen_domctl_hvmcontext_partial *asked)
{
    const struct fake_xen_vcpu *vcpu = &fake_xen.vcpu[asked->instance];
    bool moved = vcpu->handled && !fake_xen.stays;
    struct hvm_hw_cpu cpu = {.rax = (1 + vcpu->handled) * vcpu->exits,
                             .rip = FAKE_XEN_CODE + 2 * (vcpu->exits % 16) + (moved ? 2 : 0),
                             .cr0 = 1,
                             .fpu_regs = {0x40},
                             .rflags = 2};

    if (asked->type == CPU_XSAVE_CODE)
        return give_xsave_record(vcpu, asked->buffer.p, asked->bufsz);
    assert_int_equal(asked->type, HVM_SAVE_CODE(CPU));
    assert_int_equal(asked->bufsz, sizeof cpu);
    if (!vcpu->held && !vcpu->blocked)
        fake_xen_break("the context of a vCPU that runs");
    fake_xen.contexts++;
    memcpy(asked->buffer.p, &cpu, sizeof cpu);
    return 0;
}

static int unpause(void)
{
    if (!fake_xen.pauses)
        fake_xen_break("unpaused more often than paused");
    else
        fake_xen.pauses--;
    fake_xen_run_guest();
    return 0;
}

static int domctl(struct xen_domctl *domctl)
{
    switch (domctl->cmd) {
    case XEN_DOMCTL_monitor_op:
        return monitor_op(domctl);
    case XEN_DOMCTL_getdomaininfo:
        if (domctl->domain <= FAKE_XEN_PARENT + fake_xen.is_fork) {
            give_info(domctl->domain, &domctl->u.getdomaininfo);
            return 0;
        }
        errno = ESRCH;
        return -1;
    case XEN_DOMCTL_pausedomain:
        fake_xen.pauses++;
        return 0;
    case XEN_DOMCTL_resumedomain:
        return 0;
    case XEN_DOMCTL_unpausedomain:
        return unpause();
    case XEN_DOMCTL_gethvmcontext_partial:
        return give_record(&domctl->u.hvmcontext_partial);
    default:
        errno = ENOSYS;
        return -1;
    }
}

int xencall1(xencall_handle *handle, unsigned op, uint64_t arg)
{
    (void)handle;
    fake_xen_called();
    assert_int_equal(op, __HYPERVISOR_domctl);
    return domctl((void *)(uintptr_t)arg);
}

int xencall2(xencall_handle *handle, unsigned op, uint64_t arg1, uint64_t arg2)
{
    (void)handle;
    assert_int_equal(op, __HYPERVISOR_multicall);
    return page_types((void *)(uintptr_t)arg1, (size_t)arg2);
}

/* ---- domains --------------------------------------------------------- */

xc_interface *xc_interface_open(xentoollog_logger *logger, xentoollog_logger *dombuild,
                                unsigned flags)
{
    (void)logger;
    (void)dombuild;
    (void)flags;
    return (xc_interface *)&fake_xen;
}

int xc_interface_close(xc_interface *xch)
{
    (void)xch;
    return 0;
}

int xc_domain_getinfolist(xc_interface *xch, uint32_t first, unsigned max, xc_domaininfo_t *info)
{
    (void)xch;
    (void)max;
    fake_xen_called();
    if (first > FAKE_XEN_PARENT + fake_xen.is_fork)
        return 0;
    give_info(first, info);
    return 1;
}

int xc_domain_create(xc_interface *xch, uint32_t *domain, struct xen_domctl_createdomain *config)
{
    (void)xch;
    (void)config;
    *domain = FAKE_XEN_PARENT + 1;
    return 0;
}

int xc_memshr_fork(xc_interface *xch, uint32_t parent, uint32_t fork, bool iommu, bool block)
{
    (void)xch;
    (void)parent;
    (void)fork;
    (void)iommu;
    (void)block;
    fake_xen_fork();
    return 0;
}

int xc_memshr_fork_reset(xc_interface *xch, uint32_t fork, bool state, bool memory)
{
    (void)xch;
    assert_true(state && memory);
    if (!fake_xen.is_fork || fork == FAKE_XEN_PARENT) {
        errno = ENOSYS;
        return -1;
    }
    fake_xen_reset();
    return 0;
}

int xc_domain_destroy(xc_interface *xch, uint32_t domain)
{
    (void)xch;
    assert_int_equal(domain, FAKE_XEN_PARENT + 1);
    fake_xen.destroyed = true;
    return 0;
}

int xc_domain_sethandle(xc_interface *xch, uint32_t domain, xen_domain_handle_t handle)
{
    (void)xch;
    (void)domain;
    (void)handle;
    return 0;
}

int xc_domain_maximum_gpfn(xc_interface *xch, uint32_t domain, xen_pfn_t *gpfns)
{
    (void)xch;
    (void)domain;
    *gpfns = FAKE_XEN_PAGES - 1;
    return 0;
}

int xc_domain_hvm_getcontext(xc_interface *xch, uint32_t domain, uint8_t *buffer, uint32_t bytes)
{
    static const uint8_t record[24] = "all of it";

    (void)xch;
    (void)domain;
    if (buffer)
        memcpy(buffer, record, bytes < sizeof record ? bytes : sizeof record);
    return sizeof record;
}

int xc_version(xc_interface *xch, int command, void *arg)
{
    (void)xch;
    (void)arg;
    return command == XENVER_version ? 4 << 16 | 17 : -1;
}

int xc_domain_get_tsc_info(xc_interface *xch, uint32_t domain, uint32_t *mode, uint64_t *elapsed,
                           uint32_t *khz, uint32_t *incarnation)
{
    (void)xch;
    (void)domain;
    *mode = *khz = *incarnation = 1;
    *elapsed = 0;
    return 0;
}

/* ---- memory ---------------------------------------------------------- */

xenforeignmemory_handle *xenforeignmemory_open(xentoollog_logger *logger, unsigned flags)
{
    (void)logger;
    (void)flags;
    return (xenforeignmemory_handle *)&fake_xen;
}

int xenforeignmemory_close(xenforeignmemory_handle *handle)
{
    (void)handle;
    return 0;
}

void *xenforeignmemory_map(xenforeignmemory_handle *handle, uint32_t domain, int prot, size_t pages,
                           const xen_pfn_t gfns[], int errs[])
{
    const bool fork = domain != FAKE_XEN_PARENT;
    uint8_t *map =
        mmap(NULL, pages * XRW_PAGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)handle;
    assert_true(map != MAP_FAILED);
    for (size_t i = 0; i < pages; i++) {
        errs[i] = gfns[i] < FAKE_XEN_PAGES ? 0 : -EINVAL;
        if (errs[i])
            continue;
        if (fork)
            fake_xen_bring_in(gfns[i], prot & PROT_WRITE);
        assert_true(mmap(map + i * XRW_PAGE_BYTES, XRW_PAGE_BYTES, prot, MAP_SHARED | MAP_FIXED,
                         fake_xen.memory[fork], (off_t)(gfns[i] << XRW_PAGE_SHIFT)) != MAP_FAILED);
        for (size_t j = 0; fork && j < FAKE_XEN_MAPPINGS; j++)
            if (!fake_xen.mapping[j].at) {
                fake_xen.mapping[j] =
                    (struct fake_xen_mapping){map + i * XRW_PAGE_BYTES, (unsigned)gfns[i]};
                fake_xen.mapped[gfns[i]]++;
                break;
            }
    }
    return map;
}

int xenforeignmemory_unmap(xenforeignmemory_handle *handle, void *map, size_t pages)
{
    const uint8_t *first = map;

    (void)handle;
    for (size_t j = 0; j < FAKE_XEN_MAPPINGS; j++) {
        struct fake_xen_mapping *mapping = &fake_xen.mapping[j];

        if (!mapping->at || mapping->at < first || mapping->at >= first + pages * XRW_PAGE_BYTES)
            continue;
        fake_xen.mapped[mapping->gfn]--;
        mapping->at = NULL;
    }
    return munmap(map, pages * XRW_PAGE_BYTES);
}
