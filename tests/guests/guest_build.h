/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes guests for the tests, with libxenctrl alone. */
#ifndef XENREWIND_TESTS_GUEST_BUILD_H
#define XENREWIND_TESTS_GUEST_BUILD_H

#include <stdbool.h>
#include <stdint.h>
#include <xenctrl.h>
#include <xenforeignmemory.h>

struct guest_spec {
    const char *kernel;  /* ELF-64 with a XEN_ELFNOTE_PHYS32_ENTRY note */
    const char *initrd;  /* or NULL */
    const char *cmdline; /* "" for none */
    unsigned memory_mib; /* 2 to 1024 */
    unsigned vcpus;      /* 1 to 8; all but the first are for the guest to bring up */
    bool native_tsc;     /* RDTSC does not exit */
    bool pc_timers;      /* PIC, IO-APIC, PIT, HPET and RTC, as Xen has them for HVM guests */
};

struct xen_handles {
    xc_interface *xch;
    xenforeignmemory_handle *fmem;
};

/**
 * Create a domain and load a kernel into it by the PVH boot protocol.  It is left paused at its
 * first instruction: HVM with HAP and 4 KiB pages, a LAPIC and no device model, nor what Xen
 * emulates of a PC unless asked for, RDTSC exiting unless asked otherwise, timers as xl has them,
 * and a monitor ring page set aside.  What goes wrong is said on stderr, and no domain is left.
 *
 * @param domid set to the new domain's id
 * @return 0, or -1
 */
int guest_create(const struct xen_handles *xen, const struct guest_spec *spec, uint32_t *domid);

/**
 * Say on stderr what failed, with errno's text if @p error is not 0.
 *
 * @return -1
 */
int complain(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
