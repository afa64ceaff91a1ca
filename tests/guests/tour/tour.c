/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tour.h"

#include "insn.h"

#define SHUTDOWN 2 /* SCHEDOP_shutdown */
#define POWEROFF 0
#define CMDLINE_OFFSET 24 /* of cmdline_paddr in hvm_start_info */

struct tour_result tour_result;
volatile uint64_t progress;
volatile uint64_t spin_rounds;
volatile uint64_t second_rounds;

static const struct visit {
    const char *name;
    uint64_t (*run)(void);
} visits[] = {
    {"cpuid", visit_cpuid},
    {"rdtsc", visit_rdtsc},
    {"caches", visit_caches},
    {"monitor-mwait", visit_monitor_mwait},
    {"pause", visit_pause},
    {"vmx", visit_vmx},
    {"svm", visit_svm},
    {"vmcall", visit_vmcall},
    {"msrs", visit_msrs},
    {"cr0", visit_cr0},
    {"cr4", visit_cr4},
    {"xsetbv", visit_xsetbv},
    {"fpu", visit_fpu},
    {"drs", visit_drs},
    {"silent", visit_silent},
    {"ports", visit_ports},
    {"string-ports", visit_string_ports},
    {"ept-read", visit_ept_read},
    {"ept-write", visit_ept_write},
    {"ept-fetch", visit_ept_fetch},
    {"mmio", visit_mmio},
    {"page-fault", visit_page_fault},
    {"lapic", visit_lapic},
    {"debug-traps", visit_debug_traps},
    {"user-mode", visit_user_mode},
    {"hlt", visit_hlt},
    {"interrupt-window", visit_interrupt_window},
    {"tpr-threshold", visit_tpr_threshold},
    {"nmi-window", visit_nmi_window},
};

#define VISITS (sizeof visits / sizeof visits[0])

struct step trail[VISITS];

void check(bool ok, uint32_t line)
{
    if (ok)
        return;
    if (tour_result.failures++)
        return;
    tour_result.first_failed_line = line;
    tour_result.first_failed_visit = progress;
}

/* FNV-1a, by 8 bytes. */
uint64_t mix(uint64_t digest, uint64_t value)
{
    return (digest ^ value) * 0x100000001b3u;
}

void report(enum guest_status_code code)
{
    volatile struct guest_status *status =
        (volatile struct guest_status *)(HIGH + GUEST_STATUS_GPA);

    status->code = code;
    status->line = tour_result.first_failed_line;
    status->visit = tour_result.first_failed_visit;
    status->value = tour_result.checksum;
    status->magic = GUEST_STATUS_MAGIC;
}

void power_off(void)
{
    uint32_t reason = POWEROFF;

    for (;;)
        hypercall(HYPERCALL_SCHED_OP, SHUTDOWN, (uint64_t)&reason, 0);
}

static void finish(void)
{
    bool passed = tour_result.failures == 0 && tour_result.visits == VISITS;

    tour_result.magic = passed ? TOUR_PASS : TOUR_FAIL;
    report(passed ? GUEST_PASS : GUEST_FAIL);
    power_off();
}

void give_up(uint32_t line)
{
    check(false, line);
    finish();
}

static void take_tour(void)
{
    tour_result.magic = TOUR_RUNNING;
    EXPECT(task_switches == 1);
    for (size_t i = 0; i < VISITS; i++) {
        progress = i + 1;
        trail[i].name = visits[i].name;
        trail[i].digest = visits[i].run();
        tour_result.checksum = mix(tour_result.checksum, trail[i].digest);
        tour_result.visits++;
    }
    finish();
}

/* Exits without end.  Each round has some: with interrupts off a guest that never exits is never
 * interrupted in Bochs. */
static void spin(void)
{
    for (;;) {
        spin_rounds++;
        cpuid(0, 0);
        outb(NO_DEVICE_PORT, (uint8_t)spin_rounds);
    }
}

/* struct vcpu_hvm_context for 64-bit mode.  Source: xen/include/public/hvm/hvm_vcpu.h. */
struct vcpu_start {
    uint32_t mode, pad;
    uint64_t rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, rip, rflags, cr0, cr3, cr4, efer;
};

#define VCPU_INITIALISE 0 /* VCPUOP_* */
#define VCPU_UP 1
#define MODE_64 1

static uint8_t second_stack[4096] __attribute__((aligned(16)));

/* What the second vCPU does; its exits are to be told from the first one's. */
static void spin_second(void)
{
    for (;;) {
        second_rounds++;
        cpuid(1, 0);
        outb(NO_DEVICE_PORT + 1, (uint8_t)second_rounds);
    }
}

static void spin_two(void)
{
    struct vcpu_start start = {.mode = MODE_64,
                               .rsp = (uint64_t)second_stack + sizeof second_stack - 8,
                               .rip = (uint64_t)spin_second,
                               .rflags = 2,
                               .cr0 = READ_REGISTER("cr0"),
                               .cr3 = READ_REGISTER("cr3"),
                               .cr4 = READ_REGISTER("cr4"),
                               .efer = rdmsr(0xc0000080)};

    EXPECT(hypercall(HYPERCALL_VCPU_OP, VCPU_INITIALISE, 1, (uint64_t)&start) == 0);
    EXPECT(hypercall(HYPERCALL_VCPU_OP, VCPU_UP, 1, 0) == 0);
    if (tour_result.failures)
        finish();
    while (!second_rounds)
        cpuid(0, 0);
    report(GUEST_READY);
    spin();
}

void triple_fault(void)
{
    const struct table_register none = {0};

    lidt(&none);
    undefined_instruction();
    give_up(__LINE__);
}

static uint32_t own_domain(void)
{
    uint32_t domain = cpuid(XEN_CPUID_BASE + 4, 0).ecx;

    forget_registers();
    return domain;
}

/* Tell dom0 that a fork may be taken, and wait until this is the fork: it has another domain
 * number. */
void wait_for_fork(void)
{
    uint32_t parent = own_domain();

    report(GUEST_READY);
    while (own_domain() == parent)
        ;
}

static void take_tour_in_fork(void)
{
    wait_for_fork();
    take_tour();
}

static bool same_text(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

/* The command line is the name of what to do. */
void tour_main(uint32_t start_info)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } modes[] = {
        {"", take_tour},       {"tour", take_tour},        {"wait", take_tour_in_fork},
        {"spin", spin},        {"spin-two", spin_two},     {"triple-fault", triple_fault},
        {"input", obey_input}, {"clocks", measure_clocks},
    };
    uint64_t cmdline = *(const uint64_t *)(HIGH + start_info + CMDLINE_OFFSET);

    traps_init();
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (same_text((const char *)(HIGH + cmdline), modes[i].name))
            modes[i].run();
    give_up(__LINE__); /* there is no such mode */
}
