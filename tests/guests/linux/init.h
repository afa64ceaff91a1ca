/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the Linux guest's program share. */
#ifndef XENREWIND_TESTS_LINUX_INIT_H
#define XENREWIND_TESTS_LINUX_INIT_H

#include <stdint.h>

struct cpuid {
    uint32_t a, b, c, d;
};

/* It exits, in user mode too. */
static inline struct cpuid cpuid(uint32_t leaf)
{
    struct cpuid r = {.a = leaf};

    __asm__ volatile("cpuid" : "+a"(r.a), "=b"(r.b), "+c"(r.c), "=d"(r.d)::"memory");
    return r;
}

/* If not @ok: say so on the kernel's log and end, at which the kernel panics and the guest ends as
 * crashed. */
void need(int ok, const char *what);

/* Tell dom0 how it stands: enum guest_status_code, and a value that `xrw-guest wait' prints. */
void report(uint32_t code, uint64_t value);

/* Wait to be a fork, find out how long work takes there by the kernel's clocks, report and reboot.
 */
void measure_clocks(void);

#endif
