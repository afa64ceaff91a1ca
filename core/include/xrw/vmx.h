/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What VMX exits are called and mean. */
#ifndef XRW_VMX_H
#define XRW_VMX_H

#include "xrw/exit.h"
#include "xrw/reason.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Basic exit reasons that code of ours names.  Source: Intel SDM, "VMX Basic Exit Reasons". */
enum xrw_vmx_reason {
    XRW_VMX_EXCEPTION_NMI = 0,
    XRW_VMX_EXTERNAL_INTERRUPT = 1,
    XRW_VMX_TRIPLE_FAULT = 2,
    XRW_VMX_INIT = 3,
    XRW_VMX_SIPI = 4,
    XRW_VMX_IO_SMI = 5,
    XRW_VMX_OTHER_SMI = 6,
    XRW_VMX_INTERRUPT_WINDOW = 7,
    XRW_VMX_NMI_WINDOW = 8,
    XRW_VMX_TASK_SWITCH = 9,
    XRW_VMX_CPUID = 10,
    XRW_VMX_GETSEC = 11,
    XRW_VMX_HLT = 12,
    XRW_VMX_INVD = 13,
    XRW_VMX_INVLPG = 14,
    XRW_VMX_RDPMC = 15,
    XRW_VMX_RDTSC = 16,
    XRW_VMX_RSM = 17,
    XRW_VMX_VMCALL = 18,
    XRW_VMX_VMCLEAR = 19,
    XRW_VMX_VMPTRLD = 21,
    XRW_VMX_VMPTRST = 22,
    XRW_VMX_VMREAD = 23,
    XRW_VMX_VMWRITE = 25,
    XRW_VMX_VMXON = 27,
    XRW_VMX_CR_ACCESS = 28,
    XRW_VMX_DR_ACCESS = 29,
    XRW_VMX_IO_INSTRUCTION = 30,
    XRW_VMX_MSR_READ = 31,
    XRW_VMX_MSR_WRITE = 32,
    XRW_VMX_INVALID_GUEST_STATE = 33,
    XRW_VMX_MSR_LOADING = 34,
    XRW_VMX_MWAIT = 36,
    XRW_VMX_MONITOR_TRAP_FLAG = 37,
    XRW_VMX_MONITOR = 39,
    XRW_VMX_PAUSE = 40,
    XRW_VMX_MCE_DURING_VMENTRY = 41,
    XRW_VMX_TPR_BELOW_THRESHOLD = 43,
    XRW_VMX_APIC_ACCESS = 44,
    XRW_VMX_EOI_INDUCED = 45,
    XRW_VMX_GDTR_IDTR_ACCESS = 46,
    XRW_VMX_LDTR_TR_ACCESS = 47,
    XRW_VMX_EPT_VIOLATION = 48,
    XRW_VMX_EPT_MISCONFIG = 49,
    XRW_VMX_INVEPT = 50,
    XRW_VMX_RDTSCP = 51,
    XRW_VMX_PREEMPTION_TIMER = 52,
    XRW_VMX_INVVPID = 53,
    XRW_VMX_WBINVD = 54,
    XRW_VMX_XSETBV = 55,
    XRW_VMX_APIC_WRITE = 56,
    XRW_VMX_RDRAND = 57,
    XRW_VMX_INVPCID = 58,
    XRW_VMX_RDSEED = 61,
    XRW_VMX_PML_FULL = 62,
    XRW_VMX_XSAVES = 63,
    XRW_VMX_XRSTORS = 64,
    XRW_VMX_BUS_LOCK = 74,
    XRW_VMX_NOTIFY = 75,
    XRW_VMX_RDMSR_IMM = 84,
    XRW_VMX_WRMSRNS_IMM = 85,
};

/* Table of the reasons, by increasing number, and its length. */
extern const struct xrw_reason_info xrw_vmx_reason_table[];
extern const size_t xrw_vmx_reason_count;

/* As xrw_exit_describe(), xrw_exit_is_host() and xrw_exit_may_write_memory(), for exits of VMX.
 * Source: for the last one Xen 4.17, xen/arch/x86/hvm/vmx/vmx.c, vmx_vmexit_handler(). */
size_t xrw_vmx_describe(const struct xrw_exit *exit, char *text, size_t bytes);

/* Fields that an exit may define. */
#define XRW_VMX_HAS_QUALIFICATION 1u
#define XRW_VMX_HAS_LENGTH 2u /* VM-exit instruction length */
#define XRW_VMX_HAS_INFO 4u   /* VM-exit instruction information */
#define XRW_VMX_HAS_LINEAR 8u /* guest-linear address */

/*
 * Which of these an exit with that basic reason, qualification and interruption informations (0:
 * none) defines; the others hold anything.  Source: Intel SDM, "Basic VM-Exit Information",
 * "Information for VM Exits Due to Instruction Execution".
 */
unsigned xrw_vmx_defined_fields(unsigned reason, uint64_t qualification, uint32_t intr_info,
                                uint32_t idt_info);

bool xrw_vmx_is_host_exit(const struct xrw_exit *exit);
bool xrw_vmx_may_write_memory(const struct xrw_exit *exit);

#ifdef __cplusplus
}
#endif
#endif
