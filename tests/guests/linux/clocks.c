/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long does a fixed piece of work take, by the ticks and clocks of Linux? */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

#include "../guest_status.h"
#include "init.h"

#define XEN_CPUID_DOMAIN 0x40000004u
#define US_A_TICK 10000

/* Some exits of its own, and far more instructions than the kernel takes for its ticks. */
#define ROUNDS 100
#define INSTRUCTIONS_A_ROUND 1000000
#define REHEARSAL 10 /* rounds */

struct instant {
    uint64_t interrupts, clock_us, jiffies;
};

/* Of the LAPIC timer. */
static uint64_t timer_interrupts(void)
{
    char text[4096];
    int file = open("/proc/interrupts", O_RDONLY);
    ssize_t length = read(file, text, sizeof text - 1);
    const char *line;

    need(file >= 0 && length > 0, "/proc/interrupts");
    close(file);
    text[length] = '\0';
    line = strstr(text, "LOC:");
    need(line != NULL, "LOC in /proc/interrupts");
    return strtoull(line + strlen("LOC:"), NULL, 10);
}

static struct instant now(void)
{
    struct timespec t;
    struct tms unused;

    need(clock_gettime(CLOCK_MONOTONIC, &t) == 0, "clock");
    return (struct instant){.interrupts = timer_interrupts(),
                            .clock_us = (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000,
                            .jiffies = (uint64_t)times(&unused)};
}

static void work(unsigned rounds)
{
    for (unsigned round = 0; round < rounds; round++) {
        uint64_t pairs = INSTRUCTIONS_A_ROUND / 2;

        cpuid(0);
        __asm__ volatile("1: decq %0\n\tjnz 1b" : "+r"(pairs)::"cc");
    }
}

static void wait_for_fork(void)
{
    uint32_t parent = cpuid(XEN_CPUID_DOMAIN).c;

    report(GUEST_READY, 0);
    while (cpuid(XEN_CPUID_DOMAIN).c == parent)
        ;
}

void measure_clocks(void)
{
    struct instant from, to;

    wait_for_fork();
    now();
    work(REHEARSAL); /* a fork has to get its pages first */
    from = now();
    work(ROUNDS);
    to = now();
    report(GUEST_PASS, (to.interrupts - from.interrupts) << 48 |
                           (to.clock_us - from.clock_us) << 24 |
                           (to.jiffies - from.jiffies) * US_A_TICK);
    reboot(RB_AUTOBOOT);
}
