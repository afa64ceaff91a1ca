/* SPDX-License-Identifier: GPL-2.0-or-later */
/* MSRs, debug registers, debug exceptions, user mode, and what does not exit at all. */
#include "insn.h"
#include "tour.h"

#define MSR_APIC_BASE 0x1b
#define MSR_SYSENTER_ESP 0x175
#define MSR_MCG_CAP 0x179
#define MSR_PAT 0x277
#define MSR_MTRR_DEF_TYPE 0x2ff
#define MSR_EFER 0xc0000080
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_FS_BASE 0xc0000100
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MSR_NONE 0x12345
#define XEN_4_15 0x4000fu /* the first that keeps guests from MSRs it does not know */
#define EFER_SCE 1

#define DR7_FIXED 0x400u
#define DR7_EXECUTE_0 0x1u                           /* DR0 on */
#define DR7_WRITE_1 (0x4u | 0x1u << 20 | 0x2u << 22) /* DR1 on, writes, 8 bytes */
#define USER_ADDRESS 0x400000ull
#define USER_STACK_END (USER_ADDRESS + 0x2000)

volatile uint64_t watched_variable;

void watched_function(uint64_t value);
extern const uint8_t user_program[], user_after_fault[];
void run_user(uint64_t rip, uint64_t rsp);

uint64_t visit_msrs(void)
{
    uint64_t faults = traps.count[GP], efer = rdmsr(MSR_EFER), digest = 0;

    digest = mix(digest, rdmsr(MSR_APIC_BASE));
    digest = mix(digest, rdmsr(MSR_MCG_CAP));
    digest = mix(digest, rdmsr(MSR_MTRR_DEF_TYPE));
    wrmsr(MSR_MTRR_DEF_TYPE, rdmsr(MSR_MTRR_DEF_TYPE));
    wrmsr(MSR_EFER, efer | EFER_SCE);
    EXPECT(rdmsr(MSR_EFER) == (efer | EFER_SCE));
    wrmsr(MSR_STAR, 0x0018000800000000);
    EXPECT(rdmsr(MSR_STAR) == 0x0018000800000000);
    wrmsr(MSR_LSTAR, (uint64_t)watched_function);
    EXPECT(rdmsr(MSR_LSTAR) == (uint64_t)watched_function);
    MAY_FAULT("rdmsr", "c"(MSR_NONE), "a"(0), "d"(0));
    MAY_FAULT("wrmsr", "c"(MSR_NONE), "a"(1), "d"(2));
    EXPECT(traps.count[GP] == (xen_release < XEN_4_15 ? faults : faults + 2));
    return digest;
}

/* Xen takes the debug registers away whenever it stops running the vCPU, so each access may exit.
 */
uint64_t visit_drs(void)
{
    WRITE_REGISTER("dr0", 0x1000);
    cpuid(0, 0);
    WRITE_REGISTER("dr3", 0x3000);
    cpuid(0, 0);
    EXPECT(READ_REGISTER("dr0") == 0x1000);
    cpuid(0, 0);
    EXPECT(READ_REGISTER("dr3") == 0x3000);
    cpuid(0, 0);
    WRITE_REGISTER("dr7", DR7_FIXED);
    return READ_REGISTER("dr7");
}

__attribute__((noinline)) void watched_function(uint64_t value)
{
    watched_variable = value;
}

static void single_step(void)
{
    __asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tnop" ::: "memory", "cc");
    EXPECT(traps.dr6 & 1u << 14);
    /* Xen skips this instruction, so it makes the exception itself. */
    __asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tcpuid" ::
                         : "memory", "cc", "rax", "rbx", "rcx", "rdx");
    EXPECT(traps.dr6 & 1u << 14);
}

/* On AMD Bochs leaves out of DR6 which breakpoint it was when a #DB exits. */
static bool tells_breakpoint(uint64_t bit)
{
    return is_amd || traps.dr6 & bit;
}

uint64_t visit_debug_traps(void)
{
    uint64_t before = traps.count[DB];

    watched_variable =
        0; /* the page is the fork's own from here on: Bochs forgets RFLAGS.RF at an exit */
    __asm__ volatile(".byte 0xf1" ::: "memory"); /* ICEBP */
    EXPECT(traps.count[DB] == before + 1);
    single_step();
    EXPECT(traps.count[DB] == before + 3);
    WRITE_REGISTER("dr0", (uint64_t)watched_function);
    WRITE_REGISTER("dr1", (uint64_t)&watched_variable);
    WRITE_REGISTER("dr7", DR7_FIXED | DR7_EXECUTE_0);
    watched_function(1);
    EXPECT(traps.count[DB] == before + 4 && tells_breakpoint(1));
    WRITE_REGISTER("dr7", DR7_FIXED | DR7_WRITE_1);
    watched_function(2);
    EXPECT(traps.count[DB] == before + 5 && tells_breakpoint(2));
    WRITE_REGISTER("dr7", DR7_FIXED);
    return traps.count[DB];
}

uint64_t visit_user_mode(void)
{
    trap_resume = (uint64_t)user_after_fault;
    run_user((uint64_t)user_program, USER_STACK_END);
    trap_resume = 0;
    EXPECT(traps.count[AC] == 1);
    return traps.count[AC];
}

static void silent_descriptors(void)
{
    struct table_register table;
    uint16_t selector;

    __asm__ volatile("sgdt %0\n\tlgdt %0" : "+m"(table));
    __asm__ volatile("sidt %0\n\tlidt %0" : "+m"(table));
    __asm__ volatile("sldt %0\n\tlldt %0" : "=r"(selector));
    __asm__ volatile("str %0" : "=r"(selector));
    EXPECT(selector == TASK_STATE);
}

static void silent_registers(void)
{
    uint64_t cr8 = READ_REGISTER("cr8");

    WRITE_REGISTER("cr3", READ_REGISTER("cr3"));
    WRITE_REGISTER("cr8", cr8);
    __asm__ volatile("invlpg %0" ::"m"(progress));
    wrmsr(MSR_FS_BASE, rdmsr(MSR_FS_BASE));
    wrmsr(MSR_KERNEL_GS_BASE, rdmsr(MSR_KERNEL_GS_BASE));
    wrmsr(MSR_SYSENTER_ESP, rdmsr(MSR_SYSENTER_ESP));
    wrmsr(MSR_PAT, rdmsr(MSR_PAT));
    __asm__ volatile("swapgs\n\tswapgs\n\tpause" ::: "memory");
}

/* Under HAP and with Xen's defaults none of this exits: a recording shows none between the CPUIDs.
 */
uint64_t visit_silent(void)
{
    uint64_t faults = traps.count[DE] + traps.count[BP] + traps.count[UD];

    cpuid(0, 0);
    silent_descriptors();
    silent_registers();
    outb(0x80, 1); /* Xen lets guests have this port, and 0xed */
    __asm__ volatile("int3" ::: "memory");
    MAY_FAULT("ud2", "a"(0));
    MAY_FAULT("divb %b0", "a"(0));
    EXPECT(traps.count[DE] + traps.count[BP] + traps.count[UD] == faults + 3);
    cpuid(0, 0);
    return faults;
}
