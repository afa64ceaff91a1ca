/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A virtual platform around the engine: loads a kernel, runs it exit by exit, and handles each exit
 * as a hypervisor does.  It has what a kernel needs to boot and no more: RAM, a serial port, the
 * console port 0xe9, an exit port, PIC and PIT (or a local APIC), and, if asked for, the part of
 * Xen's interface that needs no event channels.
 *
 * Everything is a function of the guest's instructions: guest time is their number.  The same guest
 * runs the same way each time, on any host whose CPU has the features that the guest is shown.
 *
 * One thread at a time per platform.
 */
#ifndef XRW_PLATFORM_H
#define XRW_PLATFORM_H

#include "xrw/error.h"
#include "xrw/exit.h"
#include "xrw/machine.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define XRW_PLATFORM_MEMORY_MIN (UINT64_C(2) << 20)
#define XRW_PLATFORM_MEMORY_MAX (UINT64_C(3) << 30) /* below the APICs */

/* Guest time: an instruction takes so long, and the TSC counts nanoseconds. */
#define XRW_PLATFORM_NS_PER_INSTRUCTION 10u

/* Writing a byte to this port ends the guest. */
#define XRW_PLATFORM_EXIT_PORT 0xf4u

/* What CPUID answers for a leaf and subleaf: EAX, EBX, ECX, EDX. */
struct xrw_platform_cpuid {
    uint32_t leaf, subleaf, out[4];
};

/* Texts and callbacks belong to the caller, and may be NULL but for kernel. */
struct xrw_platform_config {
    const char *kernel; /* ELF for x86-64: one with a PVH entry note is entered there, in 32-bit
                           protected mode; any other at its entry point, in 64-bit mode, with low
                           memory mapped one to one and RDI as RBX in the PVH protocol */
    const char *initrd;
    const char *cmdline;
    uint64_t memory_bytes; /* XRW_PLATFORM_MEMORY_MIN to _MAX; whole pages */
    bool xen;  /* be a domain of Xen with a local APIC instead of a PC with PIC and PIT; RDTSC exits
                */
    bool lazy; /* memory comes page by page as a fork's does: the first read or fetch, and the first
                  write, of a page is an EPT violation */
    /* Answers that take the place of the platform's own; the bits of OSXSAVE and the size of the
     * XSAVE area follow the guest all the same.  Belong to the caller, as long as the platform. */
    const struct xrw_platform_cpuid *cpuid;
    size_t cpuid_count;
    enum xrw_machine_profile profile; /* whose undefined flags are imitated */
    void (*console)(void *ctx, const char *text, size_t bytes); /* what the guest writes to its
                                                                   serial and console ports */
    void *ctx;
};

struct xrw_platform;

/*
 * Create a platform with the kernel loaded, standing before its first instruction.
 * Returns 0 with *out, the caller's to destroy; a negative errno with err: a file that cannot be
 * read, is no such ELF file (-ENOEXEC) or does not fit into memory (-ENOSPC); what
 * xrw_machine_create() returns.
 */
int xrw_platform_create(const struct xrw_platform_config *config, struct xrw_platform **out,
                        struct xrw_error *err);
void xrw_platform_destroy(struct xrw_platform *platform);

/* The machine inside, to look at. */
struct xrw_machine *xrw_platform_machine(struct xrw_platform *platform);

enum {
    XRW_PLATFORM_EXIT = 1,    /* *exit is a VM exit that waits to be handled */
    XRW_PLATFORM_IDLE,        /* the guest waits for an interrupt that nothing will bring */
    XRW_PLATFORM_ENDED,       /* it has ended: xrw_platform_end() */
    XRW_PLATFORM_INTERRUPTED, /* *interrupted was set, or the guest ran long without an exit */
};

/*
 * Run to the next exit.  *exit is filled but for id, run, time_ns and after.  Returns one of the
 * above; -ENOTSUP if the guest asks for what the engine does not do, with err; another negative
 * errno.
 */
int xrw_platform_run(struct xrw_platform *platform, const volatile int *interrupted,
                     struct xrw_exit *exit, struct xrw_error *err);

/*
 * Handle the exit that xrw_platform_run() returned, and fill exit->after.  Returns 0, or a negative
 * errno with err; -ENOTSUP if it is of a kind that this platform cannot handle.
 */
int xrw_platform_handle(struct xrw_platform *platform, struct xrw_exit *exit,
                        struct xrw_error *err);

/* How the guest ended, in words; valid after XRW_PLATFORM_ENDED. */
const char *xrw_platform_end(const struct xrw_platform *platform);

/* Guest time since the start: instructions, and what was skipped while it was idle. */
uint64_t xrw_platform_time_ns(const struct xrw_platform *platform);

/* Size of RAM in bytes, from guest-physical address 0 on. */
uint64_t xrw_platform_memory_bytes(const struct xrw_platform *platform);

/* A page of RAM as it stands now: XRW_PAGE_BYTES, valid until the guest runs; NULL beyond RAM. */
const uint8_t *xrw_platform_page(const struct xrw_platform *platform, xrw_gfn gfn);

#ifdef __cplusplus
}
#endif
#endif
