/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The LAPIC and interrupts.  The vCPU sends them to itself with interrupts off, so that they are
 * always pending by the time it lets them in.  In a fork that blocks interrupts none is ever
 * delivered; the code runs on all the same, as a pending interrupt is enough to end a HLT.
 */
#include "insn.h"
#include "tour.h"

#define LAPIC_ID 0x20
#define LAPIC_VERSION 0x30
#define LAPIC_SVR 0xf0
#define SVR_ENABLE 0x1ff

uint32_t lapic_read(uint32_t offset)
{
    uint32_t value;

    __asm__ volatile("movl %1, %0"
                     : "=r"(value)
                     : "m"(*(volatile uint32_t *)(uint64_t)(LAPIC_BASE + offset)));
    return value;
}

void lapic_write(uint32_t offset, uint32_t value)
{
    __asm__ volatile("movl %1, %0"
                     : "=m"(*(volatile uint32_t *)(uint64_t)(LAPIC_BASE + offset))
                     : "r"(value));
}

static void send_to_self(uint32_t vector)
{
    lapic_write(LAPIC_ICR, ICR_SELF | vector);
}

/* Either all interrupts are delivered or none. */
static uint64_t expect_delivered(uint32_t vector)
{
    EXPECT(traps.count[VECTOR_HLT] <= 1 && traps.count[vector] == traps.count[VECTOR_HLT]);
    return traps.count[vector];
}

uint64_t visit_lapic(void)
{
    uint32_t id = lapic_read(LAPIC_ID);

    lapic_write(LAPIC_SVR, SVR_ENABLE);
    EXPECT(lapic_read(LAPIC_SVR) == SVR_ENABLE);
    return (uint64_t)id << 32 | lapic_read(LAPIC_VERSION);
}

uint64_t visit_hlt(void)
{
    send_to_self(VECTOR_HLT);
    __asm__ volatile("sti\n\thlt\n\tcli" ::: "memory");
    return expect_delivered(VECTOR_HLT);
}

uint64_t visit_interrupt_window(void)
{
    send_to_self(VECTOR_WINDOW);
    __asm__ volatile("sti\n\tnop\n\tnop\n\tcli" ::: "memory");
    return expect_delivered(VECTOR_WINDOW);
}

uint64_t visit_tpr_threshold(void)
{
    WRITE_REGISTER("cr8", 15);
    send_to_self(VECTOR_TPR);
    __asm__ volatile("sti\n\tnop" ::: "memory");
    WRITE_REGISTER("cr8", 0);
    __asm__ volatile("nop\n\tcli" ::: "memory");
    return expect_delivered(VECTOR_TPR);
}

uint64_t visit_nmi_window(void)
{
    lapic_write(LAPIC_ICR, ICR_SELF | ICR_NMI);
    __asm__ volatile("nop\n\tnop" ::: "memory");
    /* Blocked even where APICv delivers the others.  On AMD the second one comes with whichever VM
     * entry follows the first one's IRET. */
    EXPECT(traps.count[NMI] == 0 || traps.count[NMI] == 2 || (is_amd && traps.count[NMI] == 1));
    return traps.count[NMI];
}
