/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Instructions that C has no words for. */
#ifndef XENREWIND_TOUR_INSN_H
#define XENREWIND_TOUR_INSN_H

#include <stdint.h>

#include "tour.h"

#define XEN_CPUID_BASE 0x40000000u
#define NO_DEVICE_PORT 0x1234 /* an I/O port that nothing answers at */

struct table_register {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

struct cpuid_result {
    uint32_t eax, ebx, ecx, edx;
};

/* Run an instruction that may fault; execution goes on behind it either way. */
#define MAY_FAULT(instruction, ...)                                                                \
    do {                                                                                           \
        __asm__ volatile("movq $1f, trap_resume\n\t" instruction "\n1:" ::__VA_ARGS__              \
                         : "memory", "cc");                                                        \
        trap_resume = 0;                                                                           \
    } while (0)

static inline struct cpuid_result cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_result r;

    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(subleaf));
    return r;
}

/* Nothing of what differs from run to run may stay in registers that the next exits show. */
static inline void forget_registers(void)
{
    __asm__ volatile("xorl %%ecx, %%ecx\n\txorl %%edx, %%edx" ::: "rcx", "rdx", "cc");
}

static inline void outb(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %b0, %w1" ::"a"(value), "d"(port));
}

static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

static inline void lidt(const struct table_register *table)
{
    __asm__ volatile("lidt %0" ::"m"(*table));
}

static inline void undefined_instruction(void)
{
    __asm__ volatile("ud2" ::: "memory");
}

#define READ_REGISTER(name)                                                                        \
    ({                                                                                             \
        uint64_t value_;                                                                           \
        __asm__ volatile("movq %%" name ", %0" : "=r"(value_)::"memory");                          \
        value_;                                                                                    \
    })

#define WRITE_REGISTER(name, value)                                                                \
    __asm__ volatile("movq %0, %%" name ::"r"((uint64_t)(value)) : "memory")

#endif
