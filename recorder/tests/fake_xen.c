/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guests, and what they put on the ring of events. */
#include "fake_xen_private.h"

#include "support.h"
#include "vmexit_abi.h"
#include "xrw/vmx.h"

#include <sys/mman.h>
#include <unistd.h>
#include <xenctrl.h>

#include <xen/hvm/hvm_op.h>
#include <xen/vm_event.h>

#define SLOTS 8u
#define EPT_WRITE 2u
#define HEADER 64u
#define MEMORY_BYTES ((size_t)FAKE_XEN_PAGES * XRW_PAGE_BYTES)

struct fake_xen fake_xen;

/* The guest that runs is domain 1 or the fork. */
void fake_xen_run_domain(unsigned fork)
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
    fake_xen_run_domain(0);
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

void fake_xen_break(const char *what)
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
    struct xrw_event_regs regs = {.rax = vcpu->exits,
                                  .rip = FAKE_XEN_CODE + 2 * (vcpu->exits % 16),
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
void fake_xen_bring_in(uint64_t gfn, bool write)
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
    fake_xen.made_in_run++;
    fake_xen.ept_exits += absent;
    vcpu->handled = fake_xen.mode != XRW_VMEXIT_MODE_SYNC;
    if (absent && vcpu->handled)
        fake_xen_bring_in(n + 1, true);
    if (!absent)
        memcpy(fake_xen.pages[n + 1] + 8 * (vcpu->exits % 16), &word, sizeof word);
    put_request(n, absent ? XRW_VMX_EPT_VIOLATION : fake_xen.reason);
}

uint64_t fake_xen_word(uint32_t vcpu, uint64_t exit)
{
    return (uint64_t)vcpu << 32 | exit;
}

/* The guest runs for some exits, if it can. */
void fake_xen_run_guest(void)
{
    uint64_t turns = next_random() % 20;

    while (fake_xen.enabled && !fake_xen.pauses && fake_xen.made_in_run < fake_xen.exits &&
           turns--) {
        uint32_t n = (uint32_t)(next_random() % fake_xen.vcpus);

        if (!fake_xen.vcpu[n].held && !fake_xen.vcpu[n].blocked && free_slots())
            run_vcpu(n);
    }
}

/* Something of the recorder's is called: the guest has run meanwhile. */
void fake_xen_called(void)
{
    if (fake_xen.before_call)
        fake_xen.before_call(&fake_xen);
    fake_xen_run_guest();
}

static void wake_one(void)
{
    for (uint32_t n = 0; n < fake_xen.vcpus && free_slots(); n++)
        if (fake_xen.vcpu[n].blocked) {
            fake_xen.vcpu[n].blocked = false;
            return;
        }
}

void fake_xen_take_response(void)
{
    const uint8_t *response = slot(fake_xen.rsp_cons);
    uint32_t head[4];

    memcpy(head, response, sizeof head);
    if (head[0] != (fake_xen.patched ? XRW_VM_EVENT_VERSION_PATCHED : XRW_VM_EVENT_VERSION_STOCK))
        fake_xen_break("an answer of another version");
    if (head[1] & ~VM_EVENT_FLAG_VCPU_PAUSED)
        fake_xen_break("an answer that asks for something");
    if (head[3] != fake_xen.sender[fake_xen.rsp_cons % SLOTS])
        fake_xen_break("an answer to another vCPU");
    else if (head[1] & VM_EVENT_FLAG_VCPU_PAUSED && fake_xen.vcpu[head[3]].held)
        fake_xen.vcpu[head[3]].held--;
    fake_xen.rsp_cons++;
    fake_xen.answered++;
    wake_one();
}

/* ---- forks ----------------------------------------------------------- */

void fake_xen_fork(void)
{
    fake_xen.is_fork = true;
    fake_xen_run_domain(1);
    for (size_t i = 0; i < FAKE_XEN_PAGES; i++)
        fake_xen.type[i] = HVMMEM_mmio_dm;
}

void fake_xen_reset(void)
{
    if (!fake_xen.pauses)
        fake_xen_break("a reset of a fork that runs");
    fake_xen.resets++;
    fake_xen.made_in_run = 0;
    for (size_t i = 0; i < FAKE_XEN_VCPUS; i++)
        fake_xen.vcpu[i].exits = 0;
    /* Xen passes over a page that is mapped.  Source: mem_sharing_fork_reset(). */
    for (size_t i = 0; i < FAKE_XEN_PAGES; i++)
        if (!fake_xen.mapped[i] && fake_xen.type[i] == HVMMEM_ram_rw)
            fake_xen.type[i] = HVMMEM_mmio_dm;
}
