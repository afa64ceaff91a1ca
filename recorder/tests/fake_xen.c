/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake_xen.h"

#include "support.h"
#include "vmexit_abi.h"
#include "xrw/vmx.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xencall.h>
#include <xenctrl.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>

#include <xen/hvm/hvm_op.h>
#include <xen/hvm/save.h>
#include <xen/vm_event.h>

#define SLOTS 8u
#define EPT_WRITE 2u
#define HEADER 64u
#define RSP_PROD 8u
#define PORT 5
#define CODE UINT64_C(0x1000)
#define MEMORY_BYTES ((size_t)FAKE_XEN_PAGES * XRW_PAGE_BYTES)

struct fake_xen fake_xen;

/* The guest that runs is domain 1 or the fork. */
static void run_domain(unsigned fork)
{
    if (fake_xen.pages)
        (void)munmap(fake_xen.pages, MEMORY_BYTES);
    fake_xen.pages =
        mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fake_xen.memory[fork], 0);
    assert_true(fake_xen.pages != MAP_FAILED);
}

void fake_xen_init(uint64_t exits)
{
    fake_xen = (struct fake_xen){.vcpus = 1,
                                 .exits = exits,
                                 .reason = XRW_VMX_CPUID,
                                 .pauses = 1,
                                 .random = 88172645463325252};
    assert_int_equal(pipe(fake_xen.event), 0);
    for (unsigned i = 0; i < 2; i++) {
        fake_xen.memory[i] = memfd_create("guest", 0);
        assert_int_equal(ftruncate(fake_xen.memory[i], MEMORY_BYTES), 0);
    }
    run_domain(0);
    for (unsigned i = 0; i < FAKE_XEN_PAGES; i++)
        memset(fake_xen.pages[i], (int)(0x10 + i), XRW_PAGE_BYTES);
}

void fake_xen_deinit(void)
{
    (void)close(fake_xen.event[0]);
    (void)close(fake_xen.event[1]);
    (void)munmap(fake_xen.pages, MEMORY_BYTES);
    (void)close(fake_xen.memory[0]);
    (void)close(fake_xen.memory[1]);
}

static void broken(const char *what)
{
    if (!fake_xen.broken)
        fake_xen.broken = what;
}

static uint64_t next_random(void)
{
    fake_xen.random ^= fake_xen.random << 13;
    fake_xen.random ^= fake_xen.random >> 7;
    fake_xen.random ^= fake_xen.random << 17;
    return fake_xen.random;
}

/* ---- the ring -------------------------------------------------------- */

static size_t request_bytes(void)
{
    return fake_xen.patched ? XRW_REQUEST_SIZE_PATCHED : XRW_REQUEST_SIZE_STOCK;
}

static uint8_t *slot(uint32_t number)
{
    return fake_xen.page + HEADER + number % SLOTS * request_bytes();
}

static uint32_t free_slots(void)
{
    return SLOTS - (fake_xen.req_prod - fake_xen.rsp_cons);
}

static void announce(void)
{
    if (!fake_xen.announced)
        assert_int_equal(write(fake_xen.event[1], "!", 1), 1);
    fake_xen.announced = true;
}

static void put_request(uint32_t n, unsigned reason)
{
    struct fake_xen_vcpu *vcpu = &fake_xen.vcpu[n];
    uint32_t head[4] = {fake_xen.patched ? XRW_VM_EVENT_VERSION_PATCHED
                                         : XRW_VM_EVENT_VERSION_STOCK,
                        0, VM_EVENT_REASON_VMEXIT, n};
    struct vm_event_regs_x86 regs = {.rax = vcpu->exits,
                                     .rip = CODE + 2 * (vcpu->exits % 16),
                                     .cr0 = 1,
                                     .rflags = 2,
                                     .cs = {.limit = 0xfffff, .ar = 0xc9b}};
    uint8_t *request = slot(fake_xen.req_prod);

    if (fake_xen.mode != XRW_VMEXIT_MODE_ASYNC) {
        head[1] = VM_EVENT_FLAG_VCPU_PAUSED;
        vcpu->held++;
    }
    memset(request, 0, request_bytes());
    memcpy(request, head, sizeof head);
    if (fake_xen.patched) {
        struct xrw_vmexit event = {
            .vendor = XRW_VMEXIT_VENDOR_VMX,
            .arch.vmx = {.reason = reason,
                         .qualification = EPT_WRITE,
                         .guest_physical = (n + 1) << XRW_PAGE_SHIFT,
                         .held = fake_xen.mode == XRW_VMEXIT_MODE_PAUSE},
        };

        memcpy(request + XRW_REQUEST_UNION_OFFSET, &event, sizeof event);
        memcpy(request + XRW_REQUEST_REGS_OFFSET_PATCHED, &regs, sizeof regs);
    } else {
        struct xrw_vmexit_stock stock = {.reason = reason, .qualification = EPT_WRITE};

        memcpy(request + XRW_REQUEST_UNION_OFFSET, &stock, sizeof stock);
        memcpy(request + XRW_REQUEST_REGS_OFFSET_STOCK, &regs, sizeof regs);
    }
    if (fake_xen.request)
        fake_xen.request(&fake_xen, request);
    fake_xen.sender[fake_xen.req_prod % SLOTS] = n;
    fake_xen.req_prod++;
    memcpy(fake_xen.page, &fake_xen.req_prod, sizeof fake_xen.req_prod);
    /* Each vCPU must be sure of a slot.  Source: vm_event_put_request(). */
    if (free_slots() < fake_xen.vcpus && !vcpu->held)
        vcpu->blocked = true;
    announce();
}

/* A fork's page becomes its own. */
static void bring_in(xen_pfn_t gfn, bool write)
{
    uint8_t content[XRW_PAGE_BYTES];

    if (!fake_xen.is_fork || fake_xen.type[gfn] == HVMMEM_ram_rw)
        return;
    fake_xen.type[gfn] = write ? HVMMEM_ram_rw : HVMMEM_ram_ro;
    assert_int_equal(
        pread(fake_xen.memory[0], content, sizeof content, (off_t)(gfn << XRW_PAGE_SHIFT)),
        sizeof content);
    memcpy(fake_xen.pages[gfn], content, sizeof content);
}

/* One vCPU goes on to its next exit: it writes its page before, if the fork has it. */
static void run_vcpu(uint32_t n)
{
    struct fake_xen_vcpu *vcpu = &fake_xen.vcpu[n];
    uint64_t word = fake_xen_word(n, ++vcpu->exits);
    bool absent = fake_xen.is_fork && fake_xen.type[n + 1] != HVMMEM_ram_rw;

    fake_xen.made++;
    fake_xen.ept_exits += absent;
    vcpu->handled = fake_xen.mode != XRW_VMEXIT_MODE_SYNC;
    if (absent && vcpu->handled)
        bring_in(n + 1, true);
    if (!absent)
        memcpy(fake_xen.pages[n + 1] + 8 * (vcpu->exits % 16), &word, sizeof word);
    put_request(n, absent ? XRW_VMX_EPT_VIOLATION : fake_xen.reason);
}

uint64_t fake_xen_word(uint32_t vcpu, uint64_t exit)
{
    return (uint64_t)vcpu << 32 | exit;
}

/* The guest runs for some exits, if it can. */
static void run_guest(void)
{
    uint64_t turns = next_random() % 20;

    while (fake_xen.enabled && !fake_xen.pauses && fake_xen.made < fake_xen.exits && turns--) {
        uint32_t n = (uint32_t)(next_random() % fake_xen.vcpus);

        if (!fake_xen.vcpu[n].held && !fake_xen.vcpu[n].blocked && free_slots())
            run_vcpu(n);
    }
}

/* Something of the recorder's is called: the guest has run meanwhile. */
static void called(void)
{
    if (fake_xen.before_call)
        fake_xen.before_call(&fake_xen);
    run_guest();
}

static void wake_one(void)
{
    for (uint32_t n = 0; n < fake_xen.vcpus && free_slots(); n++)
        if (fake_xen.vcpu[n].blocked) {
            fake_xen.vcpu[n].blocked = false;
            return;
        }
}

static void take_response(void)
{
    const uint8_t *response = slot(fake_xen.rsp_cons);
    uint32_t head[4];

    memcpy(head, response, sizeof head);
    if (head[0] != (fake_xen.patched ? XRW_VM_EVENT_VERSION_PATCHED : XRW_VM_EVENT_VERSION_STOCK))
        broken("an answer of another version");
    if (head[1] & ~VM_EVENT_FLAG_VCPU_PAUSED)
        broken("an answer that asks for something");
    if (head[3] != fake_xen.sender[fake_xen.rsp_cons % SLOTS])
        broken("an answer to another vCPU");
    else if (head[1] & VM_EVENT_FLAG_VCPU_PAUSED && fake_xen.vcpu[head[3]].held)
        fake_xen.vcpu[head[3]].held--;
    fake_xen.rsp_cons++;
    fake_xen.answered++;
    wake_one();
}

int xenevtchn_notify(xenevtchn_handle *handle, evtchn_port_t port)
{
    uint32_t produced;

    (void)handle;
    assert_int_equal(port, PORT);
    fake_xen.notifications++;
    memcpy(&produced, fake_xen.page + RSP_PROD, sizeof produced);
    if (produced - fake_xen.rsp_cons > fake_xen.req_prod - fake_xen.rsp_cons) {
        broken("more answers than requests");
        return 0;
    }
    while (fake_xen.rsp_cons != produced)
        take_response();
    run_guest();
    return 0;
}

/* ---- event channels -------------------------------------------------- */

xenevtchn_handle *xenevtchn_open(xentoollog_logger *logger, unsigned flags)
{
    (void)logger;
    (void)flags;
    return (xenevtchn_handle *)&fake_xen;
}

int xenevtchn_close(xenevtchn_handle *handle)
{
    (void)handle;
    return 0;
}

int xenevtchn_fd(xenevtchn_handle *handle)
{
    (void)handle;
    called();
    return fake_xen.event[0];
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *handle, uint32_t domain,
                                                     evtchn_port_t port)
{
    (void)handle;
    (void)port;
    assert_int_equal(domain, fake_xen.domain);
    return PORT;
}

int xenevtchn_unbind(xenevtchn_handle *handle, evtchn_port_t port)
{
    (void)handle;
    (void)port;
    return 0;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *handle)
{
    char byte;

    (void)handle;
    assert_int_equal(read(fake_xen.event[0], &byte, 1), 1);
    fake_xen.announced = false;
    return PORT;
}

int xenevtchn_unmask(xenevtchn_handle *handle, evtchn_port_t port)
{
    (void)handle;
    (void)port;
    return 0;
}

/* ---- monitoring ------------------------------------------------------ */

void *xc_monitor_enable(xc_interface *xch, uint32_t domain, uint32_t *port)
{
    (void)xch;
    *port = 3;
    fake_xen.domain = domain;
    /* The recorder unmaps it. */
    fake_xen.page =
        mmap(NULL, XRW_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return fake_xen.page == MAP_FAILED ? NULL : fake_xen.page;
}

int xc_monitor_disable(xc_interface *xch, uint32_t domain)
{
    (void)xch;
    assert_int_equal(domain, fake_xen.domain);
    if (fake_xen.enabled)
        broken("the ring goes before the event");
    if (!fake_xen.pauses && !fake_xen.destroyed)
        broken("the ring goes while the guest runs");
    for (uint32_t n = 0; n < fake_xen.vcpus; n++)
        if (fake_xen.vcpu[n].held)
            broken("the ring goes while a vCPU waits for an answer");
    return 0;
}

int xc_monitor_get_capabilities(xc_interface *xch, uint32_t domain, uint32_t *caps)
{
    (void)xch;
    (void)domain;
    *caps = 1u << XEN_DOMCTL_MONITOR_EVENT_VMEXIT |
            (fake_xen.patched ? XRW_MONITOR_CAP_VMEXIT_PAUSE : 0);
    return 0;
}

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
    if (fake_xen.made == fake_xen.exits && fake_xen.enabled)
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
                             .rip = CODE + 2 * (vcpu->exits % 16) + (moved ? 2 : 0),
                             .cr0 = 1,
                             .fpu_regs = {0x40},
                             .rflags = 2};

    if (asked->type == CPU_XSAVE_CODE)
        return give_xsave_record(vcpu, asked->buffer.p, asked->bufsz);
    assert_int_equal(asked->type, HVM_SAVE_CODE(CPU));
    assert_int_equal(asked->bufsz, sizeof cpu);
    if (!vcpu->held && !vcpu->blocked)
        broken("the context of a vCPU that runs");
    fake_xen.contexts++;
    memcpy(asked->buffer.p, &cpu, sizeof cpu);
    return 0;
}

static int unpause(void)
{
    if (!fake_xen.pauses)
        broken("unpaused more often than paused");
    else
        fake_xen.pauses--;
    run_guest();
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
    called();
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
    called();
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
    fake_xen.is_fork = true;
    run_domain(1);
    for (size_t i = 0; i < FAKE_XEN_PAGES; i++)
        fake_xen.type[i] = HVMMEM_mmio_dm;
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
    uint8_t *map =
        mmap(NULL, pages * XRW_PAGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)handle;
    assert_true(map != MAP_FAILED);
    for (size_t i = 0; i < pages; i++) {
        errs[i] = gfns[i] < FAKE_XEN_PAGES ? 0 : -EINVAL;
        if (errs[i])
            continue;
        if (domain != FAKE_XEN_PARENT)
            bring_in(gfns[i], prot & PROT_WRITE);
        assert_true(mmap(map + i * XRW_PAGE_BYTES, XRW_PAGE_BYTES, PROT_READ,
                         MAP_SHARED | MAP_FIXED, fake_xen.memory[domain != FAKE_XEN_PARENT],
                         (off_t)(gfns[i] << XRW_PAGE_SHIFT)) != MAP_FAILED);
    }
    return map;
}

int xenforeignmemory_unmap(xenforeignmemory_handle *handle, void *map, size_t pages)
{
    (void)handle;
    return munmap(map, pages * XRW_PAGE_BYTES);
}
