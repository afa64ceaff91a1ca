/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A run that its input decides: what a fuzzer would do to this guest.  The guest waits, without an
 * exit, until someone writes bytes to GUEST_INPUT_GPA, and does what each of them says.
 */
#include "../guest_status.h"
#include "insn.h"
#include "tour.h"

#define APIC_BASE_MSR 0x1b

volatile uint64_t input_position; /* of the byte that is being obeyed; watch it */

static void in_cpuid(uint8_t byte)
{
    (void)cpuid(byte, 0);
}

static void in_out(uint8_t byte)
{
    outb(NO_DEVICE_PORT, byte);
}

static void in_rdmsr(uint8_t byte)
{
    (void)byte;
    (void)rdmsr(APIC_BASE_MSR);
}

static void in_hypercall(uint8_t byte)
{
    (void)byte;
    (void)hypercall(HYPERCALL_XEN_VERSION, 0, 0, 0);
}

static void in_wbinvd(uint8_t byte)
{
    (void)byte;
    __asm__ volatile("wbinvd" ::: "memory");
}

/* Memory, but no exit of its own. */
static void in_store(uint8_t byte)
{
    trail[byte % 4].digest = byte;
}

static void in_crash(uint8_t byte)
{
    (void)byte;
    triple_fault();
}

static void in_hlt(uint8_t byte)
{
    (void)byte;
    for (;;)
        __asm__ volatile("sti\n\thlt");
}

static void (*const acts[])(uint8_t byte) = {
    ['c'] = in_cpuid,  ['o'] = in_out,   ['m'] = in_rdmsr, ['v'] = in_hypercall,
    ['w'] = in_wbinvd, ['s'] = in_store, ['x'] = in_crash, ['h'] = in_hlt,
};

void obey_input(void)
{
    const volatile uint8_t *input = (const volatile uint8_t *)(HIGH + GUEST_INPUT_GPA);

    report(GUEST_READY);
    /* With interrupts off a guest that never exits is never interrupted in Bochs. */
    __asm__ volatile("sti");
    while (!*input)
        ;
    __asm__ volatile("cli");
    for (; *input; input++) {
        uint8_t byte = *input;

        input_position = (uint64_t)input;
        if (byte < sizeof acts / sizeof acts[0] && acts[byte])
            acts[byte](byte);
    }
    power_off();
}
