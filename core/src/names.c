/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "names.h"

#include <stddef.h>

struct name {
    uint32_t number;
    const char *name;
};

static const char *find(const struct name *names, size_t count, uint64_t number)
{
    for (size_t i = 0; i < count; i++)
        if (names[i].number == number)
            return names[i].name;
    return NULL;
}

/* Source: Intel SDM, volume 4; Xen, public/arch-x86/cpuid.h for the hypercall page. */
static const struct name msrs[] = {
    {0x10, "IA32_TIME_STAMP_COUNTER"},
    {0x1b, "IA32_APIC_BASE"},
    {0x3a, "IA32_FEATURE_CONTROL"},
    {0x3b, "IA32_TSC_ADJUST"},
    {0x48, "IA32_SPEC_CTRL"},
    {0x49, "IA32_PRED_CMD"},
    {0x79, "IA32_BIOS_UPDT_TRIG"},
    {0x8b, "IA32_BIOS_SIGN_ID"},
    {0xc1, "IA32_PMC0"},
    {0xce, "MSR_PLATFORM_INFO"},
    {0xfe, "IA32_MTRRCAP"},
    {0x10a, "IA32_ARCH_CAPABILITIES"},
    {0x140, "MISC_FEATURE_ENABLES"},
    {0x174, "IA32_SYSENTER_CS"},
    {0x175, "IA32_SYSENTER_ESP"},
    {0x176, "IA32_SYSENTER_EIP"},
    {0x179, "IA32_MCG_CAP"},
    {0x17a, "IA32_MCG_STATUS"},
    {0x186, "IA32_PERFEVTSEL0"},
    {0x198, "IA32_PERF_STATUS"},
    {0x199, "IA32_PERF_CTL"},
    {0x1a0, "IA32_MISC_ENABLE"},
    {0x1d9, "IA32_DEBUGCTL"},
    {0x277, "IA32_PAT"},
    {0x2ff, "IA32_MTRR_DEF_TYPE"},
    {0x345, "IA32_PERF_CAPABILITIES"},
    {0x38f, "IA32_PERF_GLOBAL_CTRL"},
    {0x480, "IA32_VMX_BASIC"},
    {0x6e0, "IA32_TSC_DEADLINE"},
    {0x808, "IA32_X2APIC_TPR"},
    {0x80b, "IA32_X2APIC_EOI"},
    {0x830, "IA32_X2APIC_ICR"},
    {0xda0, "IA32_XSS"},
    {0x40000000, "XEN_HYPERCALL_PAGE"},
    {0xc0000080, "IA32_EFER"},
    {0xc0000081, "IA32_STAR"},
    {0xc0000082, "IA32_LSTAR"},
    {0xc0000083, "IA32_CSTAR"},
    {0xc0000084, "IA32_FMASK"},
    {0xc0000100, "IA32_FS_BASE"},
    {0xc0000101, "IA32_GS_BASE"},
    {0xc0000102, "IA32_KERNEL_GS_BASE"},
    {0xc0000103, "IA32_TSC_AUX"},
};

/* Source: Xen, public/xen.h, __HYPERVISOR_*. */
static const char *const hypercalls[] = {
    [0] = "set_trap_table",
    [1] = "mmu_update",
    [2] = "set_gdt",
    [3] = "stack_switch",
    [4] = "set_callbacks",
    [5] = "fpu_taskswitch",
    [6] = "sched_op_compat",
    [7] = "platform_op",
    [8] = "set_debugreg",
    [9] = "get_debugreg",
    [10] = "update_descriptor",
    [12] = "memory_op",
    [13] = "multicall",
    [14] = "update_va_mapping",
    [15] = "set_timer_op",
    [16] = "event_channel_op_compat",
    [17] = "xen_version",
    [18] = "console_io",
    [19] = "physdev_op_compat",
    [20] = "grant_table_op",
    [21] = "vm_assist",
    [22] = "update_va_mapping_otherdomain",
    [23] = "iret",
    [24] = "vcpu_op",
    [25] = "set_segment_base",
    [26] = "mmuext_op",
    [27] = "xsm_op",
    [28] = "nmi_op",
    [29] = "sched_op",
    [30] = "callback_op",
    [31] = "xenoprof_op",
    [32] = "event_channel_op",
    [33] = "physdev_op",
    [34] = "hvm_op",
    [35] = "sysctl",
    [36] = "domctl",
    [37] = "kexec_op",
    [38] = "tmem_op",
    [39] = "argo_op",
    [40] = "xenpmu_op",
    [41] = "dm_op",
    [42] = "hypfs_op",
};

static const char *const exceptions[32] = {
    "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", NULL,  "#TS",
    "#NP", "#SS", "#GP", "#PF", NULL,  "#MF", "#AC", "#MC", "#XM", "#VE", "#CP",
};

/* Source: Intel SDM, "Local APIC Register Address Map". */
static const struct name lapic_registers[] = {
    {0x020, "ID"},           {0x030, "VERSION"},       {0x080, "TPR"},
    {0x090, "APR"},          {0x0a0, "PPR"},           {0x0b0, "EOI"},
    {0x0d0, "LDR"},          {0x0e0, "DFR"},           {0x0f0, "SVR"},
    {0x280, "ESR"},          {0x2f0, "LVT CMCI"},      {0x300, "ICR low"},
    {0x310, "ICR high"},     {0x320, "LVT timer"},     {0x330, "LVT thermal"},
    {0x340, "LVT PMC"},      {0x350, "LVT LINT0"},     {0x360, "LVT LINT1"},
    {0x370, "LVT error"},    {0x380, "timer initial"}, {0x390, "timer current"},
    {0x3e0, "timer divide"},
};

#define COUNT(table) (sizeof(table) / sizeof *(table))

const char *xrw_msr_name(uint32_t msr)
{
    return find(msrs, COUNT(msrs), msr);
}

const char *xrw_hypercall_name(uint64_t number)
{
    return number < COUNT(hypercalls) ? hypercalls[number] : NULL;
}

const char *xrw_exception_name(unsigned vector)
{
    return vector < COUNT(exceptions) ? exceptions[vector] : NULL;
}

const char *xrw_lapic_register_name(unsigned offset)
{
    return find(lapic_registers, COUNT(lapic_registers), offset);
}
