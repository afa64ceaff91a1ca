/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long does a fixed piece of work take, by the clocks that Xen gives a guest?  A guest that is
 * held now and then must not be able to tell.  The clocks: interrupts of the LAPIC timer, the TSC,
 * and the system time of Xen's PV clock, which is read as public/xen.h says (vcpu_time_info).
 */
#include "insn.h"
#include "tour.h"

#define LAPIC_SVR 0xf0
#define SVR_ENABLE 0x1ff
#define LAPIC_LVTT 0x320
#define LVTT_PERIODIC (1u << 17)
#define LAPIC_TIMER_COUNT 0x380
#define LAPIC_TIMER_DIVIDE 0x3e0
#define DIVIDE_BY_1 0xb
#define COUNTS_PER_MS 100000 /* Xen's bus clock: 10 ns */
#define TICK_MS 10

#define VCPUOP_REGISTER_VCPU_INFO 10
#define TIME_OFFSET 32 /* of vcpu_time_info in vcpu_info */

/* Some exits of the guest's own, and far more instructions than Xen and the guest take for them
 * and for the timer. */
#define ROUNDS 100
#define INSTRUCTIONS_A_ROUND 200000

struct time_info {
    uint32_t version, pad0;
    uint64_t tsc_timestamp, system_time;
    uint32_t tsc_to_system_mul;
    int8_t tsc_shift;
    uint8_t flags, pad1[2];
};

struct instant {
    uint64_t ticks, tsc_ns, system_ns;
};

static uint8_t vcpu_info[64] __attribute__((aligned(64)));

static void start_clocks(void)
{
    const struct {
        uint64_t gfn;
        uint32_t offset, reserved;
    } info = {.gfn = ((uint64_t)vcpu_info - HIGH) >> 12, .offset = (uint64_t)vcpu_info & 0xfff};

    if (hypercall(HYPERCALL_VCPU_OP, VCPUOP_REGISTER_VCPU_INFO, 0, (uint64_t)&info))
        give_up(__LINE__);
    lapic_write(LAPIC_SVR, SVR_ENABLE);
    lapic_write(LAPIC_TIMER_DIVIDE, DIVIDE_BY_1);
    lapic_write(LAPIC_LVTT, LVTT_PERIODIC | VECTOR_TICK);
    lapic_write(LAPIC_TIMER_COUNT, TICK_MS * COUNTS_PER_MS);
}

static uint64_t rdtsc(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

static uint64_t to_ns(const struct time_info *t, uint64_t tsc)
{
    tsc = t->tsc_shift < 0 ? tsc >> -t->tsc_shift : tsc << t->tsc_shift;
    return (uint64_t)((unsigned __int128)tsc * t->tsc_to_system_mul >> 32);
}

/* An odd version, or another one afterwards: Xen is changing it. */
static struct instant now(void)
{
    const volatile struct time_info *live =
        (const volatile struct time_info *)(vcpu_info + TIME_OFFSET);
    struct time_info t;
    uint64_t tsc;

    do {
        t = *live;
        tsc = rdtsc();
    } while (t.version & 1 || t.version != live->version);
    return (struct instant){.ticks = traps.count[VECTOR_TICK],
                            .tsc_ns = to_ns(&t, tsc),
                            .system_ns = t.system_time + to_ns(&t, tsc - t.tsc_timestamp)};
}

static void work(void)
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t pairs = INSTRUCTIONS_A_ROUND / 2;

        cpuid(0, 0);
        __asm__ volatile("1: decq %0\n\tjnz 1b" : "+r"(pairs)::"cc");
    }
}

/*
 * The clocks run when the fork is made.  Microseconds by each clock and the ticks go to dom0 as one
 * number.
 */
void measure_clocks(void)
{
    struct instant from, to;

    start_clocks();
    wait_for_fork();
    __asm__ volatile("sti");
    from = now();
    work();
    to = now();
    __asm__ volatile("cli");
    tour_result.checksum = (to.ticks - from.ticks) << 48 | (to.tsc_ns - from.tsc_ns) / 1000 << 24 |
                           (to.system_ns - from.system_ns) / 1000;
    report(GUEST_PASS);
    power_off();
}
