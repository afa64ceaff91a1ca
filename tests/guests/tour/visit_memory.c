/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory: pages that a fork has not got yet, addresses without memory, and the guest's own faults.
 */
#include "insn.h"
#include "tour.h"

#define LAZY_ADDRESS (HIGH + 0x400000)

static uint8_t read_page[4096] UNTOUCHED;
static uint8_t write_page[4096] UNTOUCHED;
uint32_t fetched_function(void);

uint64_t visit_ept_read(void)
{
    uint64_t value = *(const volatile uint64_t *)(read_page + 0x123 * 8);

    EXPECT(value == 0);
    return value;
}

uint64_t visit_ept_write(void)
{
    volatile uint64_t *place = (volatile uint64_t *)(write_page + 0x456);

    *place = 0x1122334455667788;
    EXPECT(*place == 0x1122334455667788);
    return *place;
}

uint64_t visit_ept_fetch(void)
{
    uint32_t value = fetched_function();

    EXPECT(value == 0xfe7c4ed);
    return value;
}

/* Xen emulates these accesses; nobody answers, so reads give ones. */
uint64_t visit_mmio(void)
{
    uint64_t value = 0, to = 0;
    const void *from = (const void *)NO_DEVICE_BASE;
    void *end = &to;
    uint64_t count = sizeof to;

    __asm__ volatile("movb %1, %b0" : "+r"(value) : "m"(*(const volatile uint8_t *)NO_DEVICE_BASE));
    EXPECT(value == 0xff);
    __asm__ volatile("movl %1, %k0"
                     : "=r"(value)
                     : "m"(*(const volatile uint32_t *)(NO_DEVICE_BASE + 8)));
    EXPECT(value == 0xffffffff);
    __asm__ volatile("movq %1, %0"
                     : "=r"(value)
                     : "m"(*(const volatile uint64_t *)(NO_DEVICE_BASE + 16)));
    EXPECT(value == ~0ull);
    __asm__ volatile("movw %w1, %0"
                     : "=m"(*(volatile uint16_t *)(NO_DEVICE_BASE + 32))
                     : "r"(0xabcd));
    __asm__ volatile("movl $0x12345678, %0" : "=m"(*(volatile uint32_t *)(NO_DEVICE_BASE + 64)));
    __asm__ volatile("rep movsb" : "+S"(from), "+D"(end), "+c"(count)::"memory");
    EXPECT(to == ~0ull);
    return to;
}

/* The guest's handler gives memory to the address; neither Xen nor a recording sees it. */
uint64_t visit_page_fault(void)
{
    volatile uint64_t *lazy = (volatile uint64_t *)LAZY_ADDRESS;
    uint64_t before = traps.count[PF];

    *lazy = 42;
    EXPECT(traps.count[PF] == before + 1 && traps.error == 2 && traps.cr2 == LAZY_ADDRESS);
    return *lazy;
}
