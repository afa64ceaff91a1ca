/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmx_describe.h"

#define REASON_BUS_LOCK (UINT64_C(1) << 26)
#define REASON_ENTRY_FAILURE (UINT64_C(1) << 31)

static const struct xrw_describer_entry describers[] = {
    {XRW_VMX_EXCEPTION_NMI, false, xrw_vmx_describe_interruption},
    {XRW_VMX_EXTERNAL_INTERRUPT, false, xrw_vmx_describe_interruption},
    {XRW_VMX_SIPI, false, xrw_vmx_describe_vector},
    {XRW_VMX_TASK_SWITCH, false, xrw_vmx_describe_task_switch},
    {XRW_VMX_CPUID, true, xrw_describe_cpuid},
    {XRW_VMX_HLT, false, xrw_describe_hlt},
    {XRW_VMX_INVLPG, false, xrw_vmx_describe_invlpg},
    {XRW_VMX_RDPMC, true, xrw_describe_rdpmc},
    {XRW_VMX_RDTSC, true, xrw_describe_tsc},
    {XRW_VMX_VMCALL, true, xrw_describe_vmcall},
    {XRW_VMX_VMCLEAR, true, xrw_vmx_describe_memory_operand},
    {XRW_VMX_VMPTRLD, true, xrw_vmx_describe_memory_operand},
    {XRW_VMX_VMPTRST, true, xrw_vmx_describe_memory_operand},
    {XRW_VMX_VMREAD, true, xrw_vmx_describe_memory_operand},
    {XRW_VMX_VMWRITE, true, xrw_vmx_describe_memory_operand},
    {XRW_VMX_VMXON, true, xrw_vmx_describe_memory_operand},
    {XRW_VMX_CR_ACCESS, true, xrw_vmx_describe_cr},
    {XRW_VMX_DR_ACCESS, false, xrw_vmx_describe_dr}, /* often given to the guest, to try again */
    {XRW_VMX_IO_INSTRUCTION, true, xrw_vmx_describe_io},
    {XRW_VMX_MSR_READ, true, xrw_describe_rdmsr},
    {XRW_VMX_MSR_WRITE, true, xrw_describe_wrmsr},
    {XRW_VMX_INVALID_GUEST_STATE, false, xrw_vmx_describe_entry_failure},
    {XRW_VMX_MSR_LOADING, false, xrw_vmx_describe_entry_failure},
    {XRW_VMX_MWAIT, true, xrw_vmx_describe_mwait},
    {XRW_VMX_MONITOR, true, xrw_describe_monitor},
    {XRW_VMX_APIC_ACCESS, false, xrw_vmx_describe_apic_access},
    {XRW_VMX_EOI_INDUCED, false, xrw_vmx_describe_vector},
    {XRW_VMX_GDTR_IDTR_ACCESS, true, xrw_vmx_describe_descriptor_table},
    {XRW_VMX_LDTR_TR_ACCESS, true, xrw_vmx_describe_descriptor_table},
    {XRW_VMX_EPT_VIOLATION, false, xrw_vmx_describe_ept},
    {XRW_VMX_EPT_MISCONFIG, false, xrw_vmx_describe_ept_misconfig},
    {XRW_VMX_INVEPT, true, xrw_vmx_describe_memory_operand},
    {XRW_VMX_RDTSCP, true, xrw_describe_tsc},
    {XRW_VMX_INVVPID, true, xrw_vmx_describe_memory_operand},
    {XRW_VMX_XSETBV, true, xrw_describe_xsetbv},
    {XRW_VMX_APIC_WRITE, false, xrw_vmx_describe_apic_write},
    {XRW_VMX_RDRAND, true, xrw_vmx_describe_register_operand},
    {XRW_VMX_INVPCID, true, xrw_vmx_describe_memory_operand},
    {XRW_VMX_RDSEED, true, xrw_vmx_describe_register_operand},
    {XRW_VMX_XSAVES, true, xrw_vmx_describe_memory_operand},
    {XRW_VMX_XRSTORS, true, xrw_vmx_describe_memory_operand},
    {XRW_VMX_NOTIFY, false, xrw_vmx_describe_notify},
    {XRW_VMX_RDMSR_IMM, true, xrw_vmx_describe_msr_imm},
    {XRW_VMX_WRMSRNS_IMM, true, xrw_vmx_describe_msr_imm},
};

size_t xrw_vmx_describe(const struct xrw_exit *exit, char *buf, size_t bytes)
{
    struct xrw_text text = {buf, bytes, 0};
    uint64_t reason = exit->field[XRW_EXIT_reason];

    if (bytes)
        buf[0] = '\0';
    if (!exit->field_known[XRW_EXIT_reason])
        return 0;
    xrw_describe_listed(describers, sizeof describers / sizeof *describers, &text, exit);
    if (reason & REASON_BUS_LOCK && xrw_exit_basic_reason(exit) != XRW_VMX_BUS_LOCK)
        xrw_text_add(&text, "%sbus lock detected", text.length ? ", " : "");
    if (reason & REASON_ENTRY_FAILURE)
        xrw_text_add(&text, "%sthe VM entry failed", text.length ? ", " : "");
    xrw_describe_delivery(&text, exit);
    return text.length;
}
