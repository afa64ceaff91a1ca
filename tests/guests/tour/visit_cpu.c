/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Instructions about the CPU itself. */
#include "insn.h"
#include "tour.h"

#define ENOSYS 38
#define DOMID_SELF 0x7ff0
#define CPUID_1_ECX_XSAVE (1u << 26)
#define CPUID_1_ECX_AVX (1u << 28)

static uint8_t version_page[4096] UNTOUCHED; /* Xen is the first to write here */

uint64_t visit_cpuid(void)
{
    static const struct {
        uint32_t leaf, subleaf;
    } leaves[] = {
        {0, 0},
        {1, 0},
        {2, 0},
        {4, 0},
        {4, 1},
        {7, 0},
        {0xd, 0},
        {0xd, 1},
        {0x80000000u, 0},
        {0x80000001u, 0},
        {0x80000008, 0},
        {XEN_CPUID_BASE, 0},
        {XEN_CPUID_BASE + 1, 0},
    };
    uint64_t digest = 0;

    for (size_t i = 0; i < sizeof leaves / sizeof leaves[0]; i++) {
        struct cpuid_result r = cpuid(leaves[i].leaf, leaves[i].subleaf);

        digest = mix(mix(digest, (uint64_t)r.eax << 32 | r.ebx), (uint64_t)r.ecx << 32 | r.edx);
    }
    EXPECT(cpuid(XEN_CPUID_BASE, 0).ebx == 0x566e6558); /* "XenV" */
    return digest;
}

/* What the clock said is gone, from the flags too, before the next exit can show it. */
#define CLOCK_RUNS(instruction)                                                                    \
    ({                                                                                             \
        uint64_t runs_;                                                                            \
        __asm__ volatile(instruction "\n\t"                                                        \
                                     "orl %%edx, %%eax\n\t"                                        \
                                     "setnz %%al\n\t"                                              \
                                     "movzbl %%al, %%eax\n\t"                                      \
                                     "xorl %%edx, %%edx"                                           \
                         : "=a"(runs_)::"rcx", "rdx", "cc");                                       \
        runs_;                                                                                     \
    })

uint64_t visit_rdtsc(void)
{
    uint64_t runs = CLOCK_RUNS("rdtsc") + CLOCK_RUNS("rdtscp");

    EXPECT(runs == 2);
    return runs;
}

uint64_t visit_caches(void)
{
    __asm__ volatile("wbinvd" ::: "memory");
    __asm__ volatile("invd" ::: "memory");
    return 1;
}

/* Both exit; Xen answers with #UD, as it hides them. */
uint64_t visit_monitor_mwait(void)
{
    uint64_t before = traps.count[UD];

    MAY_FAULT("monitor", "a"(&progress), "c"(0), "d"(0));
    MAY_FAULT("mwait", "a"(0), "c"(0));
    EXPECT(traps.count[UD] == before + 2);
    return traps.count[UD];
}

/* A PAUSE exits when the vCPU has been at it for 4096 ticks: which one it is depends on what else
 * has kept the vCPU busy meanwhile. */
uint64_t visit_pause(void)
{
    uint64_t count = 2000;

    __asm__ volatile("1: pause\n\tdecq %0\n\tjnz 1b" : "+r"(count)::"cc");
    return count;
}

/* Xen answers with #UD to all of VMX's own too: a guest without nested virtualization has none. */
uint64_t visit_vmx(void)
{
    uint64_t operand[2] = {0}, before = traps.count[UD];

    MAY_FAULT("vmxon %0", "m"(operand));
    MAY_FAULT("vmclear %0", "m"(operand));
    MAY_FAULT("vmptrld %0", "m"(operand));
    MAY_FAULT("vmptrst %0", "m"(operand));
    MAY_FAULT("vmread %%rax, %0", "m"(operand),
              "a"(0)); /* in memory: else the qualification is undefined */
    MAY_FAULT("vmwrite %0, %%rax", "m"(operand), "a"(0));
    MAY_FAULT("vmlaunch", "a"(0));
    MAY_FAULT("vmresume", "a"(0));
    MAY_FAULT("vmxoff", "a"(0));
    MAY_FAULT("invept %0, %%rax", "m"(operand), "a"(1));
    MAY_FAULT("invvpid %0, %%rax", "m"(operand), "a"(1));
    EXPECT(traps.count[UD] == before + 11);
    return traps.count[UD];
}

/* The same of SVM: with #UD it answers on either vendor, but only on AMD these exit before. */
uint64_t visit_svm(void)
{
    uint64_t before = traps.count[UD];

    MAY_FAULT("vmrun", "a"(0));
    MAY_FAULT("vmload", "a"(0));
    MAY_FAULT("vmsave", "a"(0));
    MAY_FAULT("stgi", "a"(0));
    MAY_FAULT("clgi", "a"(0));
    MAY_FAULT("skinit", "a"(0));
    MAY_FAULT("invlpga", "a"(0), "c"(0));
    EXPECT(traps.count[UD] == before + 7);
    return traps.count[UD];
}

bool is_amd;
uint32_t xen_release;

/* The instruction of the other vendor is none. */
uint64_t hypercall(uint64_t number, uint64_t arg1, uint64_t arg2, uint64_t arg3)
{
    uint64_t result, faults = traps.count[UD];

    if (!is_amd) {
        __asm__ volatile("movq $1f, trap_resume\n\tvmcall\n1:"
                         : "=a"(result), "+D"(arg1), "+S"(arg2), "+d"(arg3)
                         : "a"(number)
                         : "memory", "r10", "r8", "r9");
        trap_resume = 0;
        is_amd = traps.count[UD] != faults;
    }
    if (is_amd)
        __asm__ volatile("vmmcall"
                         : "=a"(result), "+D"(arg1), "+S"(arg2), "+d"(arg3)
                         : "a"(number)
                         : "memory", "r10", "r8", "r9");
    return result;
}

uint64_t visit_vmcall(void)
{
    static const char text[] = "tour\n";
    struct {
        uint16_t domid;
        uint32_t index;
        uint64_t value;
    } param = {.domid = DOMID_SELF, .index = 0, .value = ~0ull};
    uint64_t digest = hypercall(HYPERCALL_XEN_VERSION, 0, 0, 0);

    xen_release = (uint32_t)digest;
    EXPECT(digest >> 16 == 4);
    EXPECT(hypercall(HYPERCALL_XEN_VERSION, 1, (uint64_t)version_page, 0) == 0);
    EXPECT(version_page[0] == '.');
    EXPECT(hypercall(HYPERCALL_HVM_OP, 1, (uint64_t)&param, 0) == 0); /* HVMOP_get_param */
    EXPECT(param.value == 0);
    digest = mix(digest, hypercall(HYPERCALL_CONSOLE_IO, 0, sizeof text - 1, (uint64_t)text));
    EXPECT(hypercall(99, 1, 2, 3) == (uint64_t)-ENOSYS);
    return digest;
}

uint64_t visit_cr0(void)
{
    enum { MP = 1 << 1, TS = 1 << 3, AM = 1 << 18 };
    uint64_t cr0 = READ_REGISTER("cr0");
    uint16_t word = (uint16_t)cr0;

    WRITE_REGISTER("cr0", cr0 | AM);
    EXPECT(READ_REGISTER("cr0") == (cr0 | AM));
    __asm__ volatile("lmsw %w0" ::"r"(word & ~MP));
    EXPECT(!(READ_REGISTER("cr0") & MP));
    __asm__ volatile("lmsw %0" ::"m"(word));
    EXPECT(READ_REGISTER("cr0") & MP);
    WRITE_REGISTER("cr0", READ_REGISTER("cr0") | TS);
    __asm__ volatile("clts");
    EXPECT(!(READ_REGISTER("cr0") & TS));
    return READ_REGISTER("cr0");
}

uint64_t visit_cr4(void)
{
    enum { PGE = 1 << 7, OSFXSR = 1 << 9, OSXMMEXCPT = 1 << 10, VMXE = 1 << 13 };
    uint64_t cr4 = READ_REGISTER("cr4") | PGE | OSFXSR | OSXMMEXCPT, faults = traps.count[GP];

    WRITE_REGISTER("cr4", cr4); /* does not exit: these bits are the guest's own */
    MAY_FAULT("movq %0, %%cr4", "r"(cr4 | VMXE));
    EXPECT(traps.count[GP] == faults + 1);
    EXPECT(READ_REGISTER("cr4") == cr4);
    return READ_REGISTER("cr4");
}

static void xsetbv(uint32_t index, uint64_t value)
{
    MAY_FAULT("xsetbv", "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

uint64_t visit_xsetbv(void)
{
    enum { OSXSAVE = 1 << 18, X87 = 1, SSE = 2, AVX = 4 };
    uint32_t features = cpuid(1, 0).ecx;
    uint64_t faults = traps.count[GP];
    uint32_t low, high;

    if (!(features & CPUID_1_ECX_XSAVE))
        return 0;
    WRITE_REGISTER("cr4", READ_REGISTER("cr4") | OSXSAVE);
    xsetbv(0, X87 | SSE | (features & CPUID_1_ECX_AVX ? AVX : 0));
    xsetbv(0, 0); /* x87 cannot be switched off */
    EXPECT(traps.count[GP] == faults + 1);
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

/* Known values, which stay in the registers until the end. */
uint64_t visit_fpu(void)
{
    static const uint64_t values[4] __attribute__((aligned(32))) = {
        0x1111111111111111, 0x2222222222222222, 0x3333333333333333, 0x4444444444444444};

    __asm__ volatile(
        "fninit\n\tfldpi\n\tfld1\n\t"
        "movaps %0, %%xmm0\n\tmovaps %1, %%xmm1\n\tpxor %%xmm2, %%xmm2" ::"m"(values[0]),
        "m"(values[2]));
    if (cpuid(1, 0).ecx & CPUID_1_ECX_AVX)
        __asm__ volatile("vmovaps %0, %%ymm4" ::"m"(values[0]));
    return values[0];
}
