/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "effects.h"
#include "xrw/vmx.h"

#define INFO_VALID (UINT64_C(1) << 31)
#define IO_STRING 0x10u
#define IO_IN 0x08u

enum { TYPE_NMI = 2, VECTOR_MACHINE_CHECK = 18 };

/* Both are taken from the guest and handled as the host's own. */
static bool is_host_exception(const struct xrw_exit *exit)
{
    uint64_t info = exit->field[XRW_EXIT_intr_info];

    return exit->field_known[XRW_EXIT_intr_info] && info & INFO_VALID &&
           (((info >> 8) & 7) == TYPE_NMI || (info & 0xff) == VECTOR_MACHINE_CHECK);
}

bool xrw_vmx_is_host_exit(const struct xrw_exit *exit)
{
    if (!exit->field_known[XRW_EXIT_reason])
        return false;
    switch (xrw_exit_basic_reason(exit)) {
    case XRW_VMX_EXTERNAL_INTERRUPT:
    case XRW_VMX_INIT:
    case XRW_VMX_IO_SMI:
    case XRW_VMX_OTHER_SMI:
    case XRW_VMX_INTERRUPT_WINDOW:
    case XRW_VMX_NMI_WINDOW:
    case XRW_VMX_MCE_DURING_VMENTRY:
    case XRW_VMX_PREEMPTION_TIMER:
        return true;
    case XRW_VMX_EXCEPTION_NMI:
        return is_host_exception(exit);
    default:
        return false;
    }
}

static bool io_may_write(const struct xrw_exit *exit)
{
    uint64_t q = exit->field[XRW_EXIT_qualification];

    return !exit->field_known[XRW_EXIT_qualification] || (q & IO_STRING && q & IO_IN);
}

/*
 * An event that was being delivered changes nothing here: Xen has the CPU deliver it again at the
 * next entry, and what the first attempt pushed the CPU wrote, before the exit.
 */
static const struct xrw_effect effects[] = {
    /* reasons that are not here may write */
    {XRW_VMX_EXCEPTION_NMI, xrw_was_emulated},
    {XRW_VMX_EXTERNAL_INTERRUPT, xrw_never_writes},
    {XRW_VMX_TRIPLE_FAULT, xrw_never_writes},
    {XRW_VMX_INIT, xrw_never_writes},
    {XRW_VMX_SIPI, xrw_never_writes},
    {XRW_VMX_IO_SMI, xrw_never_writes},
    {XRW_VMX_OTHER_SMI, xrw_never_writes},
    {XRW_VMX_INTERRUPT_WINDOW, xrw_never_writes},
    {XRW_VMX_NMI_WINDOW, xrw_never_writes},
    {XRW_VMX_CPUID, xrw_never_writes},
    {XRW_VMX_GETSEC, xrw_never_writes},
    {XRW_VMX_HLT, xrw_never_writes},
    {XRW_VMX_INVD, xrw_never_writes},
    {XRW_VMX_INVLPG, xrw_never_writes},
    {XRW_VMX_RDPMC, xrw_never_writes},
    {XRW_VMX_RDTSC, xrw_never_writes},
    {XRW_VMX_VMCALL, xrw_hypercall_may_write},
    {XRW_VMX_CR_ACCESS, xrw_never_writes},
    {XRW_VMX_DR_ACCESS, xrw_never_writes},
    {XRW_VMX_IO_INSTRUCTION, io_may_write},
    {XRW_VMX_MSR_READ, xrw_never_writes},
    {XRW_VMX_MSR_WRITE, xrw_wrmsr_may_write},
    {XRW_VMX_INVALID_GUEST_STATE, xrw_never_writes},
    {XRW_VMX_MSR_LOADING, xrw_never_writes},
    {XRW_VMX_MWAIT, xrw_never_writes},
    {XRW_VMX_MONITOR_TRAP_FLAG, xrw_never_writes},
    {XRW_VMX_MONITOR, xrw_never_writes},
    {XRW_VMX_PAUSE, xrw_never_writes},
    {XRW_VMX_MCE_DURING_VMENTRY, xrw_never_writes},
    {XRW_VMX_TPR_BELOW_THRESHOLD, xrw_never_writes},
    {XRW_VMX_APIC_ACCESS, xrw_was_emulated},
    {XRW_VMX_EOI_INDUCED, xrw_never_writes},
    {XRW_VMX_EPT_VIOLATION, xrw_was_emulated},
    {XRW_VMX_EPT_MISCONFIG, xrw_was_emulated},
    {XRW_VMX_RDTSCP, xrw_never_writes},
    {XRW_VMX_PREEMPTION_TIMER, xrw_never_writes},
    {XRW_VMX_WBINVD, xrw_never_writes},
    {XRW_VMX_XSETBV, xrw_never_writes},
    {XRW_VMX_APIC_WRITE, xrw_never_writes},
    {XRW_VMX_RDRAND, xrw_never_writes},
    {XRW_VMX_RDSEED, xrw_never_writes},
    {XRW_VMX_PML_FULL, xrw_never_writes},
    {XRW_VMX_BUS_LOCK, xrw_never_writes},
    {XRW_VMX_NOTIFY, xrw_never_writes},
};

bool xrw_vmx_may_write_memory(const struct xrw_exit *exit)
{
    return xrw_effect_listed(effects, sizeof effects / sizeof *effects, exit);
}
