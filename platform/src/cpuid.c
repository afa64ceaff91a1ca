/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The CPU that the guest sees: of Intel's Haswell generation, less what the host has not, so that
 * a guest runs the same on most hosts.  Source: Intel SDM, "CPUID"; Xen's leaves:
 * xen/include/public/arch-x86/cpuid.h.
 */
#include "platform.h"

#include <cpuid.h>
#include <string.h>

#define CR4_OSXSAVE (UINT64_C(1) << 18)
#define LEAF_1_ECX_OSXSAVE (1u << 27)
#define LEAF_1_ECX_HYPERVISOR (1u << 31)
#define LEAF_1_EDX_APIC (1u << 9)
#define XEN_BASE 0x40000000u
#define XEN_LAST (XEN_BASE + 4)
#define MAX_BASIC 0xdu
#define MAX_EXTENDED 0x80000008u
#define LEGACY_XSAVE_BYTES 576u
#define YMM_BYTES 256u
#define XCR0_YMM 4u

enum out { EAX, EBX, ECX, EDX };

/* Features are those of this mask that the host has too. */
static const struct {
    uint32_t leaf, subleaf, mask[4];
} features[] = {
    /* ECX: SSE3 PCLMULQDQ SSSE3 FMA CX16 PCID SSE4.1 SSE4.2 MOVBE POPCNT AES XSAVE AVX F16C
     * EDX: FPU DE PSE TSC MSR PAE MCE CX8 APIC SEP MTRR PGE MCA CMOV PAT PSE36 CLFSH MMX FXSR SSE
     * SSE2 */
    {1, 0, {0, 0, 0x34d83203 | 1u << 9 | 1u << 12 | 1u << 25, 0x078bfbfd}},
    /* FSGSBASE BMI1 AVX2 SMEP BMI2 ERMS INVPCID SMAP */
    {7, 0, {0, 0x001007a9, 0, 0}},
    /* XSAVEOPT */
    {0xd, 1, {1, 0, 0, 0}},
    /* LAHF LZCNT; SYSCALL NX 1GB RDTSCP LM */
    {0x80000001, 0, {0, 0, 0x21, 0x2c100800}},
};

static void feature_leaf(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    uint32_t host[4] = {0};

    for (size_t i = 0; i < sizeof features / sizeof *features; i++) {
        if (features[i].leaf != leaf || features[i].subleaf != subleaf)
            continue;
        (void)__get_cpuid_count(leaf, subleaf, &host[EAX], &host[EBX], &host[ECX], &host[EDX]);
        for (unsigned r = 0; r < 4; r++)
            out[r] = host[r] & features[i].mask[r];
    }
}

static void text_leaf(const char *text, uint32_t *a, uint32_t *b, uint32_t *c)
{
    memcpy(a, text, 4);
    memcpy(b, text + 4, 4);
    memcpy(c, text + 8, 4);
}

static void leaf_1(const struct xrw_platform *p, uint32_t out[4])
{
    feature_leaf(1, 0, out);
    out[EAX] = 0x000306c3;
    out[EBX] = 0x00010800; /* CLFLUSH of 64 bytes, one logical processor */
    if (p->xen)
        out[ECX] |= LEAF_1_ECX_HYPERVISOR;
    else
        out[EDX] &= ~LEAF_1_EDX_APIC;
}

static uint32_t xsave_bytes(uint64_t components)
{
    return LEGACY_XSAVE_BYTES + (components & XCR0_YMM ? YMM_BYTES : 0);
}

static void leaf_d(const struct xrw_platform *p, uint32_t subleaf, uint32_t out[4])
{
    switch (subleaf) {
    case 0:
        out[EAX] = (uint32_t)p->cpu.xcr0_valid;
        out[ECX] = xsave_bytes(p->cpu.xcr0_valid);
        break;
    case 1:
        feature_leaf(0xd, 1, out);
        break;
    case 2:
        if (p->cpu.xcr0_valid & XCR0_YMM) {
            out[EAX] = YMM_BYTES;
            out[EBX] = LEGACY_XSAVE_BYTES;
        }
        break;
    default:
        break;
    }
}

static void basic_leaf(const struct xrw_platform *p, uint32_t leaf, uint32_t subleaf,
                       uint32_t out[4])
{
    switch (leaf) {
    case 0:
        out[EAX] = MAX_BASIC;
        text_leaf("GenuntelineI", &out[EBX], &out[ECX], &out[EDX]);
        break;
    case 1:
        leaf_1(p, out);
        break;
    case 2:
        out[EAX] = 1;
        break;
    case 7:
        feature_leaf(7, subleaf, out);
        break;
    case 0xd:
        leaf_d(p, subleaf, out);
        break;
    default:
        break;
    }
}

static void extended_leaf(const struct xrw_platform *p, uint32_t leaf, uint32_t out[4])
{
    static const char brand[48] = "xenrewind virtual processor";

    switch (leaf) {
    case 0x80000000:
        out[EAX] = MAX_EXTENDED;
        break;
    case 0x80000001:
        feature_leaf(leaf, 0, out);
        break;
    case 0x80000002:
    case 0x80000003:
    case 0x80000004:
        memcpy(out, brand + (leaf - 0x80000002) * 16, 16);
        break;
    case 0x80000008:
        out[EAX] = 48u << 8 | p->cpu.physical_bits;
        break;
    default:
        break;
    }
}

static void xen_leaf(uint32_t leaf, uint32_t out[4])
{
    switch (leaf - XEN_BASE) {
    case 0:
        out[EAX] = XEN_LAST;
        text_leaf("XenVMMXenVMM", &out[EBX], &out[ECX], &out[EDX]);
        break;
    case 1:
        out[EAX] = 4u << 16 | 17u;
        break;
    case 2: /* one hypercall page, and the MSR that sets it */
        out[EAX] = 1;
        out[EBX] = XEN_HYPERCALL_MSR;
        break;
    case 4:
        out[EAX] = 1u << 3 | 1u << 4; /* vCPU and domain number follow */
        out[ECX] = 1;
        break;
    default:
        break;
    }
}

static bool given_leaf(const struct xrw_platform *p, uint32_t leaf, uint32_t subleaf,
                       uint32_t out[4])
{
    for (size_t i = 0; i < p->cpuid_count; i++)
        if (p->cpuid[i].leaf == leaf && p->cpuid[i].subleaf == subleaf) {
            memcpy(out, p->cpuid[i].out, sizeof p->cpuid[i].out);
            return true;
        }
    return false;
}

/* What depends on how the guest has set up its CPU. */
static void follow_guest(const struct xrw_platform *p, uint32_t leaf, uint32_t subleaf,
                         uint32_t out[4])
{
    if (leaf == 1) {
        out[ECX] &= ~LEAF_1_ECX_OSXSAVE;
        out[ECX] |= reg(p, XRW_REG_cr4) & CR4_OSXSAVE ? LEAF_1_ECX_OSXSAVE : 0;
    }
    if (leaf == 0xd && subleaf == 0)
        out[EBX] = xsave_bytes(p->xcr0);
}

void platform_cpuid(void *ctx, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    const struct xrw_platform *p = ctx;

    memset(out, 0, 4 * sizeof *out);
    if (given_leaf(p, leaf, subleaf, out))
        ;
    else if (leaf >= 0x80000000)
        extended_leaf(p, leaf, out);
    else if (p->xen && leaf >= XEN_BASE && leaf <= XEN_LAST)
        xen_leaf(leaf, out);
    else
        basic_leaf(p, leaf, subleaf, out);
    follow_guest(p, leaf, subleaf, out);
}

static uint64_t tsc(void *ctx, uint64_t count)
{
    const struct xrw_platform *p = ctx;

    return count * XRW_PLATFORM_NS_PER_INSTRUCTION + p->skipped_ns;
}

static int cpu_rdmsr(void *ctx, uint32_t msr, uint64_t *value)
{
    return platform_rdmsr(ctx, msr, value);
}

static int cpu_wrmsr(void *ctx, uint32_t msr, uint64_t value)
{
    return platform_wrmsr(ctx, msr, value);
}

void platform_cpu(struct xrw_platform *p)
{
    xrw_machine_cpu_host(&p->cpu);
    p->cpu.physical_bits = 39;
    p->cpu.xcr0_valid &= 7;
    p->cpu.xss_valid = 0;
    p->cpu.ctx = p;
    p->cpu.cpuid = platform_cpuid;
    p->cpu.rdmsr = cpu_rdmsr;
    p->cpu.wrmsr = cpu_wrmsr;
    p->cpu.tsc = tsc;
}
