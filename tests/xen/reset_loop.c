/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The yardstick of recording many runs: the same runs, of the same fork in the same mode, with
 * nothing recorded.  Shares no code with the recorder.
 *
 *     reset_loop MODE PARENT GPA DIR
 *
 * Forks PARENT, and for each file in DIR: writes it to guest-physical GPA, lets the fork run,
 * answers its exits until the guest powers off or crashes (MODE pause) or comes to its first exit
 * that is neither the host's nor a missing page (MODE sync), and resets it.  Prints runs, exits,
 * nanoseconds.
 */
#include "vmexit_abi.h"
#include "xen_compat.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <xencall.h>
#include <xenctrl.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>

#define PAGE 4096u
#define SLOTS 8u
#define HEADER 64u
#define HYPERCALL_SCHED_OP 29u

enum { EXTERNAL_INTERRUPT = 1, TRIPLE_FAULT = 2, WINDOW = 7, VMCALL = 18, EPT_VIOLATION = 48 };

struct loop {
    xc_interface *xch;
    xenforeignmemory_handle *fmem;
    xencall_handle *call;
    xenevtchn_handle *evtchn;
    struct xen_domctl *domctl;
    uint32_t parent, fork;
    int port;
    uint8_t *ring;
    uint32_t consumed;
    bool sync;
    uint64_t gpa, exits;
};

static void die(const char *what)
{
    fprintf(stderr, "reset_loop: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void domctl(struct loop *l, uint32_t cmd)
{
    l->domctl->cmd = cmd;
    l->domctl->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    l->domctl->domain = (domid_t)l->fork;
    if (xencall1(l->call, __HYPERVISOR_domctl, (uintptr_t)l->domctl) < 0)
        die("domctl");
}

static void make_fork(struct loop *l)
{
    struct xen_domctl_createdomain config = {.flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap,
                                             .max_vcpus = 1,
                                             .max_evtchn_port = 1023,
                                             .max_grant_frames = 32,
                                             .max_maptrack_frames = 1024};
    xc_domaininfo_t info;

    xen_compat_grants(&config);
    if (xc_domain_getinfolist(l->xch, l->parent, 1, &info) != 1)
        die("the parent");
    config.arch.emulation_flags = info.arch_config.emulation_flags;
    if (xc_domain_create(l->xch, &l->fork, &config) ||
        xc_memshr_fork(l->xch, l->parent, l->fork, false, true))
        die("forking");
}

static void enable(struct loop *l, bool on, unsigned mode)
{
    memset(l->domctl, 0, sizeof *l->domctl);
    l->domctl->u.monitor_op.op = on ? XEN_DOMCTL_MONITOR_OP_ENABLE : XEN_DOMCTL_MONITOR_OP_DISABLE;
    l->domctl->u.monitor_op.event = XEN_DOMCTL_MONITOR_EVENT_VMEXIT;
    xen_compat_vmexit_mode(&l->domctl->u.monitor_op, (uint8_t)mode);
    domctl(l, XEN_DOMCTL_monitor_op);
}

static void open_ring(struct loop *l)
{
    uint32_t port;

    l->ring = xc_monitor_enable(l->xch, l->fork, &port);
    if (!l->ring)
        die("the ring");
    memset(l->ring, 0, PAGE);
    atomic_store((_Atomic uint32_t *)l->ring + 1, 1);
    atomic_store((_Atomic uint32_t *)l->ring + 3, 1);
    l->evtchn = xenevtchn_open(NULL, 0);
    l->port = l->evtchn ? xenevtchn_bind_interdomain(l->evtchn, l->fork, port) : -1;
    if (l->port < 0)
        die("the event channel");
    enable(l, true, XRW_VMEXIT_MODE_PAUSE);
}

/* Map a page, write to it what is given, and unmap it. */
static void touch(struct loop *l, uint64_t gpa, bool write, const void *data, size_t bytes)
{
    xen_pfn_t gfn = gpa / PAGE;
    int error = 0;
    uint8_t *page = xenforeignmemory_map(
        l->fmem, l->fork, write ? PROT_READ | PROT_WRITE : PROT_READ, 1, &gfn, &error);

    if (!page || error)
        die("a page of the fork");
    memcpy(page + gpa % PAGE, data, bytes);
    xenforeignmemory_unmap(l->fmem, page, 1);
}

static void wait_for_event(struct loop *l)
{
    struct pollfd fd = {.fd = xenevtchn_fd(l->evtchn), .events = POLLIN};
    int port;

    if (poll(&fd, 1, 10000) != 1)
        die("no event came");
    port = xenevtchn_pending(l->evtchn);
    if (port < 0 || xenevtchn_unmask(l->evtchn, (evtchn_port_t)port))
        die("the event channel");
}

static uint8_t *next_event(struct loop *l)
{
    while (atomic_load((_Atomic uint32_t *)l->ring) == l->consumed)
        wait_for_event(l);
    atomic_store((_Atomic uint32_t *)l->ring + 1, l->consumed + 2);
    return l->ring + HEADER + l->consumed++ % SLOTS * XRW_REQUEST_SIZE_PATCHED;
}

static void answer(struct loop *l)
{
    atomic_store((_Atomic uint32_t *)l->ring + 2, l->consumed);
    if (xenevtchn_notify(l->evtchn, (evtchn_port_t)l->port))
        die("answering");
}

/* Whether the run ends with this exit. */
static bool is_last(struct loop *l, const uint8_t *request)
{
    const struct xrw_vmexit_vmx *exit = (const void *)(request + XRW_REQUEST_UNION_OFFSET);
    const uint64_t *rax = (const void *)(request + XRW_REQUEST_REGS_OFFSET_PATCHED);

    if (!l->sync)
        return exit->reason == TRIPLE_FAULT ||
               (exit->reason == VMCALL && *rax == HYPERCALL_SCHED_OP);
    if (exit->reason == EPT_VIOLATION)
        touch(l, exit->guest_physical, exit->qualification & 2, NULL, 0);
    return exit->reason != EXTERNAL_INTERRUPT && exit->reason != WINDOW &&
           exit->reason != EPT_VIOLATION;
}

static void reset(struct loop *l, bool ended)
{
    if (xc_domain_pause(l->xch, l->fork))
        die("pausing");
    answer(l);
    if (ended)
        domctl(l, XEN_DOMCTL_resumedomain);
    if (xen_compat_fork_reset(l->xch, l->fork))
        die("resetting");
}

static void run(struct loop *l, const char *path)
{
    uint8_t data[PAGE];
    FILE *file = fopen(path, "rb");
    size_t bytes = file ? fread(data, 1, sizeof data, file) : 0;
    bool last = false;

    if (!file || ferror(file))
        die(path);
    fclose(file);
    touch(l, l->gpa, true, data, bytes);
    if (xc_domain_unpause(l->xch, l->fork))
        die("unpausing");
    while (!last) {
        last = is_last(l, next_event(l));
        l->exits++;
        if (!last)
            answer(l);
    }
    reset(l, !l->sync);
}

/* The exit that each new vCPU takes once has to be handled, which sync mode would not do. */
static void settle(struct loop *l)
{
    if (xc_domain_unpause(l->xch, l->fork))
        die("unpausing");
    (void)next_event(l);
    reset(l, false);
    if (!l->sync)
        return;
    enable(l, false, 0);
    enable(l, true, XRW_VMEXIT_MODE_SYNC);
}

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t run_all(struct loop *l, const char *folder)
{
    struct dirent **entries;
    uint64_t runs = 0;
    int n = scandir(folder, &entries, NULL, alphasort);

    for (int i = 0; i < n; i++) {
        char path[512];

        if (entries[i]->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        run(l, path);
        runs++;
    }
    return runs;
}

int main(int argc, char **argv)
{
    struct loop l = {.port = -1};
    uint64_t start, runs;

    if (argc != 5) {
        fputs("usage: reset_loop pause|sync PARENT GPA DIR\n", stderr);
        return 2;
    }
    l.sync = !strcmp(argv[1], "sync");
    l.parent = (uint32_t)strtoul(argv[2], NULL, 0);
    l.gpa = strtoull(argv[3], NULL, 0);
    l.xch = xc_interface_open(NULL, NULL, 0);
    l.fmem = xenforeignmemory_open(NULL, 0);
    l.call = xencall_open(NULL, 0);
    if (!l.xch || !l.fmem || !l.call)
        die("Xen");
    l.domctl = xencall_alloc_buffer_pages(l.call, 1);
    make_fork(&l);
    open_ring(&l);
    settle(&l);
    start = now_ns();
    runs = run_all(&l, argv[4]);
    printf("%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", runs, l.exits, now_ns() - start);
    xc_domain_destroy(l.xch, l.fork);
    return 0;
}
