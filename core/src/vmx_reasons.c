/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xrw/vmx.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

/* Names as Xen's EXIT_REASON_* where it has one.  Source: Intel SDM, "VMX Basic Exit Reasons". */
const struct xrw_vmx_reason_info xrw_vmx_reason_table[] = {
    {0, "EXCEPTION_NMI", "an exception in the exception bitmap, or an NMI"},
    {1, "EXTERNAL_INTERRUPT", "an interrupt for the host arrived"},
    {2, "TRIPLE_FAULT", "a fault while delivering a double fault: the machine would reset"},
    {3, "INIT", "an INIT signal arrived"},
    {4, "SIPI", "a start-up IPI arrived while waiting for one"},
    {5, "IO_SMI", "an SMI right after an I/O instruction"},
    {6, "OTHER_SMI", "an SMI arrived elsewhere"},
    {7, "PENDING_VIRT_INTR", "the guest can take an interrupt now (interrupt window)"},
    {8, "PENDING_VIRT_NMI", "the guest can take an NMI now (NMI window)"},
    {9, "TASK_SWITCH", "the guest attempted a hardware task switch"},
    {10, "CPUID", "CPUID"},
    {11, "GETSEC", "GETSEC"},
    {12, "HLT", "HLT: the guest waits for an interrupt"},
    {13, "INVD", "INVD: throw the caches away"},
    {14, "INVLPG", "INVLPG: forget the translation of an address"},
    {15, "RDPMC", "RDPMC: read a performance counter"},
    {16, "RDTSC", "RDTSC: read the time-stamp counter"},
    {17, "RSM", "RSM: leave system management mode"},
    {18, "VMCALL", "a hypercall"},
    {19, "VMCLEAR", "VMCLEAR by the guest"},
    {20, "VMLAUNCH", "VMLAUNCH by the guest"},
    {21, "VMPTRLD", "VMPTRLD by the guest"},
    {22, "VMPTRST", "VMPTRST by the guest"},
    {23, "VMREAD", "VMREAD by the guest"},
    {24, "VMRESUME", "VMRESUME by the guest"},
    {25, "VMWRITE", "VMWRITE by the guest"},
    {26, "VMXOFF", "VMXOFF by the guest"},
    {27, "VMXON", "VMXON by the guest"},
    {28, "CR_ACCESS", "an access to a control register that the hypervisor watches"},
    {29, "DR_ACCESS", "MOV to or from a debug register"},
    {30, "IO_INSTRUCTION", "IN, OUT, INS or OUTS"},
    {31, "MSR_READ", "RDMSR"},
    {32, "MSR_WRITE", "WRMSR"},
    {33, "INVALID_GUEST_STATE", "VM entry failed: invalid guest state"},
    {34, "MSR_LOADING", "VM entry failed: loading MSRs"},
    {36, "MWAIT_INSTRUCTION", "MWAIT"},
    {37, "MONITOR_TRAP_FLAG", "one instruction was stepped (monitor trap flag)"},
    {39, "MONITOR_INSTRUCTION", "MONITOR"},
    {40, "PAUSE_INSTRUCTION", "PAUSE, often in a spin loop"},
    {41, "MCE_DURING_VMENTRY", "a machine check during VM entry"},
    {43, "TPR_BELOW_THRESHOLD", "the task priority fell below the threshold"},
    {44, "APIC_ACCESS", "an access to the page of the local APIC"},
    {45, "EOI_INDUCED", "an end of interrupt that the hypervisor must see"},
    {46, "ACCESS_GDTR_OR_IDTR", "LGDT, LIDT, SGDT or SIDT"},
    {47, "ACCESS_LDTR_OR_TR", "LLDT, LTR, SLDT or STR"},
    {48, "EPT_VIOLATION", "an access that the second-level page tables do not allow (yet)"},
    {49, "EPT_MISCONFIG", "a malformed second-level page-table entry"},
    {50, "INVEPT", "INVEPT by the guest"},
    {51, "RDTSCP", "RDTSCP: read the time-stamp counter and the processor id"},
    {52, "VMX_PREEMPTION_TIMER_EXPIRED", "the hypervisor's time slice for the guest is over"},
    {53, "INVVPID", "INVVPID by the guest"},
    {54, "WBINVD", "WBINVD or WBNOINVD: write the caches back"},
    {55, "XSETBV", "XSETBV: set XCR0"},
    {56, "APIC_WRITE", "a write to the virtual APIC page"},
    {57, "RDRAND", "RDRAND: read a random number"},
    {58, "INVPCID", "INVPCID: forget translations of a PCID"},
    {59, "VMFUNC", "VMFUNC"},
    {60, "ENCLS", "ENCLS"},
    {61, "RDSEED", "RDSEED: read a random seed"},
    {62, "PML_FULL", "the log of dirtied pages is full"},
    {63, "XSAVES", "XSAVES"},
    {64, "XRSTORS", "XRSTORS"},
    {65, "PCONFIG", "PCONFIG"},
    {66, "SPP_EVENT", "a sub-page permission event"},
    {67, "UMWAIT", "UMWAIT"},
    {68, "TPAUSE", "TPAUSE"},
    {69, "LOADIWKEY", "LOADIWKEY"},
    {70, "ENCLV", "ENCLV"},
    {72, "ENQCMD_PASID", "ENQCMD: PASID translation failed"},
    {73, "ENQCMDS_PASID", "ENQCMDS: PASID translation failed"},
    {74, "BUS_LOCK", "the guest took a bus lock"},
    {75, "NOTIFY", "the guest made no progress for the notify window"},
    {76, "SEAMCALL", "SEAMCALL"},
    {77, "TDCALL", "TDCALL"},
    {78, "RDMSRLIST", "RDMSRLIST"},
    {79, "WRMSRLIST", "WRMSRLIST"},
    {80, "URDMSR", "URDMSR"},
    {81, "UWRMSR", "UWRMSR"},
    {84, "RDMSR_IMM", "RDMSR with an immediate"},
    {85, "WRMSRNS_IMM", "WRMSRNS with an immediate"},
};
const size_t xrw_vmx_reason_count = sizeof xrw_vmx_reason_table / sizeof *xrw_vmx_reason_table;

const char *xrw_vmx_reason_name(unsigned basic_reason)
{
    for (size_t i = 0; i < xrw_vmx_reason_count; i++)
        if (xrw_vmx_reason_table[i].reason == basic_reason)
            return xrw_vmx_reason_table[i].name;
    return NULL;
}

int xrw_vmx_reason_by_name(const char *name)
{
    char *end;
    unsigned long number;

    for (size_t i = 0; i < xrw_vmx_reason_count; i++)
        if (!strcasecmp(xrw_vmx_reason_table[i].name, name))
            return (int)xrw_vmx_reason_table[i].reason;
    if (*name < '0' || *name > '9')
        return -ENOENT;
    errno = 0;
    number = strtoul(name, &end, 10);
    return errno || *end || number > 0xffff ? -ENOENT : (int)number;
}
