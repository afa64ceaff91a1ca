/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xrw/names.h"

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

static const struct name msrs[] = {
    {0x10, "IA32_TIME_STAMP_COUNTER"},
    {0x17, "IA32_PLATFORM_ID"},
    {0x1b, "IA32_APIC_BASE"},
    {0x34, "MSR_SMI_COUNT"},
    {0x3a, "IA32_FEATURE_CONTROL"},
    {0x3b, "IA32_TSC_ADJUST"},
    {0x48, "IA32_SPEC_CTRL"},
    {0x49, "IA32_PRED_CMD"},
    {0x79, "IA32_BIOS_UPDT_TRIG"},
    {0x8b, "IA32_BIOS_SIGN_ID"},
    {0xc1, "IA32_PMC0"},
    {0xc2, "IA32_PMC1"},
    {0xc3, "IA32_PMC2"},
    {0xc4, "IA32_PMC3"},
    {0xce, "MSR_PLATFORM_INFO"},
    {0xcf, "IA32_CORE_CAPABILITIES"},
    {0xe7, "IA32_MPERF"},
    {0xe8, "IA32_APERF"},
    {0xfe, "IA32_MTRRCAP"},
    {0x10a, "IA32_ARCH_CAPABILITIES"},
    {0x10b, "IA32_FLUSH_CMD"},
    {0x122, "IA32_TSX_CTRL"},
    {0x140, "MISC_FEATURE_ENABLES"},
    {0x174, "IA32_SYSENTER_CS"},
    {0x175, "IA32_SYSENTER_ESP"},
    {0x176, "IA32_SYSENTER_EIP"},
    {0x179, "IA32_MCG_CAP"},
    {0x17a, "IA32_MCG_STATUS"},
    {0x17b, "IA32_MCG_CTL"},
    {0x186, "IA32_PERFEVTSEL0"},
    {0x187, "IA32_PERFEVTSEL1"},
    {0x188, "IA32_PERFEVTSEL2"},
    {0x189, "IA32_PERFEVTSEL3"},
    {0x198, "IA32_PERF_STATUS"},
    {0x199, "IA32_PERF_CTL"},
    {0x19a, "IA32_CLOCK_MODULATION"},
    {0x19b, "IA32_THERM_INTERRUPT"},
    {0x19c, "IA32_THERM_STATUS"},
    {0x1a0, "IA32_MISC_ENABLE"},
    {0x1b0, "IA32_ENERGY_PERF_BIAS"},
    {0x1c9, "MSR_LASTBRANCH_TOS"},
    {0x1d9, "IA32_DEBUGCTL"},
    {0x1db, "MSR_LASTBRANCHFROMIP"},
    {0x1dc, "MSR_LASTBRANCHTOIP"},
    {0x1dd, "MSR_LASTINTFROMIP"},
    {0x1de, "MSR_LASTINTTOIP"},
    {0x200, "IA32_MTRR_PHYSBASE0"},
    {0x201, "IA32_MTRR_PHYSMASK0"},
    {0x202, "IA32_MTRR_PHYSBASE1"},
    {0x203, "IA32_MTRR_PHYSMASK1"},
    {0x204, "IA32_MTRR_PHYSBASE2"},
    {0x205, "IA32_MTRR_PHYSMASK2"},
    {0x206, "IA32_MTRR_PHYSBASE3"},
    {0x207, "IA32_MTRR_PHYSMASK3"},
    {0x208, "IA32_MTRR_PHYSBASE4"},
    {0x209, "IA32_MTRR_PHYSMASK4"},
    {0x20a, "IA32_MTRR_PHYSBASE5"},
    {0x20b, "IA32_MTRR_PHYSMASK5"},
    {0x20c, "IA32_MTRR_PHYSBASE6"},
    {0x20d, "IA32_MTRR_PHYSMASK6"},
    {0x20e, "IA32_MTRR_PHYSBASE7"},
    {0x20f, "IA32_MTRR_PHYSMASK7"},
    {0x250, "IA32_MTRR_FIX64K_00000"},
    {0x258, "IA32_MTRR_FIX16K_80000"},
    {0x259, "IA32_MTRR_FIX16K_A0000"},
    {0x268, "IA32_MTRR_FIX4K_C0000"},
    {0x269, "IA32_MTRR_FIX4K_C8000"},
    {0x26a, "IA32_MTRR_FIX4K_D0000"},
    {0x26b, "IA32_MTRR_FIX4K_D8000"},
    {0x26c, "IA32_MTRR_FIX4K_E0000"},
    {0x26d, "IA32_MTRR_FIX4K_E8000"},
    {0x26e, "IA32_MTRR_FIX4K_F0000"},
    {0x26f, "IA32_MTRR_FIX4K_F8000"},
    {0x277, "IA32_PAT"},
    {0x2ff, "IA32_MTRR_DEF_TYPE"},
    {0x309, "IA32_FIXED_CTR0"},
    {0x30a, "IA32_FIXED_CTR1"},
    {0x30b, "IA32_FIXED_CTR2"},
    {0x345, "IA32_PERF_CAPABILITIES"},
    {0x38d, "IA32_FIXED_CTR_CTRL"},
    {0x38e, "IA32_PERF_GLOBAL_STATUS"},
    {0x38f, "IA32_PERF_GLOBAL_CTRL"},
    {0x390, "IA32_PERF_GLOBAL_OVF_CTRL"},
    {0x3f1, "IA32_PEBS_ENABLE"},
    {0x400, "IA32_MC0_CTL"},
    {0x401, "IA32_MC0_STATUS"},
    {0x480, "IA32_VMX_BASIC"},
    {0x560, "IA32_RTIT_OUTPUT_BASE"},
    {0x561, "IA32_RTIT_OUTPUT_MASK_PTRS"},
    {0x570, "IA32_RTIT_CTL"},
    {0x571, "IA32_RTIT_STATUS"},
    {0x600, "IA32_DS_AREA"},
    {0x606, "MSR_RAPL_POWER_UNIT"},
    {0x611, "MSR_PKG_ENERGY_STATUS"},
    {0x6a0, "IA32_U_CET"},
    {0x6a2, "IA32_S_CET"},
    {0x6e0, "IA32_TSC_DEADLINE"},
    {0x770, "IA32_PM_ENABLE"},
    {0x802, "IA32_X2APIC_APICID"},
    {0x803, "IA32_X2APIC_VERSION"},
    {0x808, "IA32_X2APIC_TPR"},
    {0x80a, "IA32_X2APIC_PPR"},
    {0x80b, "IA32_X2APIC_EOI"},
    {0x80d, "IA32_X2APIC_LDR"},
    {0x80f, "IA32_X2APIC_SIVR"},
    {0x828, "IA32_X2APIC_ESR"},
    {0x82f, "IA32_X2APIC_LVT_CMCI"},
    {0x830, "IA32_X2APIC_ICR"},
    {0x832, "IA32_X2APIC_LVT_TIMER"},
    {0x833, "IA32_X2APIC_LVT_THERMAL"},
    {0x834, "IA32_X2APIC_LVT_PMI"},
    {0x835, "IA32_X2APIC_LVT_LINT0"},
    {0x836, "IA32_X2APIC_LVT_LINT1"},
    {0x837, "IA32_X2APIC_LVT_ERROR"},
    {0x838, "IA32_X2APIC_INIT_COUNT"},
    {0x839, "IA32_X2APIC_CUR_COUNT"},
    {0x83e, "IA32_X2APIC_DIV_CONF"},
    {0x83f, "IA32_X2APIC_SELF_IPI"},
    {0xd90, "IA32_BNDCFGS"},
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
    {0xc0010015, "MSR_K7_HWCR"},
    {0xc001001f, "MSR_AMD64_NB_CFG"},
};

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
    "#DE", "#DB", "NMI", "#BP", "#OF",        "#BR",        "#UD",        "#NM", "#DF",
    NULL,  "#TS", "#NP", "#SS", "#GP",        "#PF",        NULL,         "#MF", "#AC",
    "#MC", "#XM", "#VE", "#CP", [28] = "#HV", [29] = "#VC", [30] = "#SX",
};

static const struct name lapic_registers[] = {
    {0x020, "ID"},           {0x030, "VERSION"},       {0x080, "TPR"},
    {0x090, "APR"},          {0x0a0, "PPR"},           {0x0b0, "EOI"},
    {0x0d0, "LDR"},          {0x0e0, "DFR"},           {0x0f0, "SVR"},
    {0x100, "ISR0"},         {0x110, "ISR1"},          {0x120, "ISR2"},
    {0x130, "ISR3"},         {0x140, "ISR4"},          {0x150, "ISR5"},
    {0x160, "ISR6"},         {0x170, "ISR7"},          {0x180, "TMR0"},
    {0x190, "TMR1"},         {0x1a0, "TMR2"},          {0x1b0, "TMR3"},
    {0x1c0, "TMR4"},         {0x1d0, "TMR5"},          {0x1e0, "TMR6"},
    {0x1f0, "TMR7"},         {0x200, "IRR0"},          {0x210, "IRR1"},
    {0x220, "IRR2"},         {0x230, "IRR3"},          {0x240, "IRR4"},
    {0x250, "IRR5"},         {0x260, "IRR6"},          {0x270, "IRR7"},
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
