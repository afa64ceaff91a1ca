/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The local APIC of the only CPU, in xAPIC mode.  Its registers are the page that the guest sees.
 * Source: Intel SDM, "Advanced Programmable Interrupt Controller (APIC)".
 */
#ifndef XRW_PLATFORM_LAPIC_H
#define XRW_PLATFORM_LAPIC_H

#include <stdbool.h>
#include <stdint.h>

#define LAPIC_GFN 0xfee00u
#define LAPIC_TPR 0x80u

struct lapic {
    uint8_t *page;     /* 4096 bytes, the caller's */
    uint64_t start_ns; /* when the timer was set */
    bool timer_running;
    uint64_t bus_ns; /* of a tick before the divider */
};

void lapic_init(struct lapic *lapic, uint8_t *page);

uint32_t lapic_read(const struct lapic *lapic, uint32_t offset, uint64_t now_ns);

/* Returns true if the write asks for an NMI of this CPU. */
bool lapic_write(struct lapic *lapic, uint32_t offset, uint32_t value, uint64_t now_ns);

/* The vector to deliver next; -1 if there is none that the task priority lets through. */
int lapic_pending(const struct lapic *lapic);
/* The highest requested vector, whatever the priority; -1. */
int lapic_highest_request(const struct lapic *lapic);
void lapic_acknowledge(struct lapic *lapic, int vector);

/* When its timer next ends: UINT64_MAX if never.  lapic_advance() requests what has come due. */
uint64_t lapic_next_ns(const struct lapic *lapic);
void lapic_advance(struct lapic *lapic, uint64_t now_ns);

#endif
