/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which VM-exit information fields an exit defines. */
#include "xrw/vmx.h"

#define QUALIFICATION XRW_VMX_HAS_QUALIFICATION
#define LENGTH XRW_VMX_HAS_LENGTH
#define INFO XRW_VMX_HAS_INFO

/*
 * Fields that are defined for a basic reason whatever its qualification; elsewhere they are not
 * known.  Source: Intel SDM, "Basic VM-Exit Information", "Information for VM Exits Due to
 * Instruction Execution".
 */
static const uint8_t defined_fields[] = {
    [XRW_VMX_SIPI] = QUALIFICATION,
    [XRW_VMX_TASK_SWITCH] = QUALIFICATION,
    [XRW_VMX_CPUID] = LENGTH,
    [XRW_VMX_GETSEC] = LENGTH,
    [XRW_VMX_HLT] = LENGTH,
    [XRW_VMX_INVD] = LENGTH,
    [XRW_VMX_INVLPG] = QUALIFICATION | LENGTH,
    [XRW_VMX_RDPMC] = LENGTH,
    [XRW_VMX_RDTSC] = LENGTH,
    [17] = LENGTH, /* RSM */
    [XRW_VMX_VMCALL] = LENGTH,
    [XRW_VMX_VMCLEAR] = QUALIFICATION | LENGTH | INFO,
    [20] = LENGTH, /* VMLAUNCH */
    [XRW_VMX_VMPTRLD] = QUALIFICATION | LENGTH | INFO,
    [XRW_VMX_VMPTRST] = QUALIFICATION | LENGTH | INFO,
    [XRW_VMX_VMREAD] = QUALIFICATION | LENGTH | INFO,
    [24] = LENGTH, /* VMRESUME */
    [XRW_VMX_VMWRITE] = QUALIFICATION | LENGTH | INFO,
    [26] = LENGTH, /* VMXOFF */
    [XRW_VMX_VMXON] = QUALIFICATION | LENGTH | INFO,
    [XRW_VMX_CR_ACCESS] = QUALIFICATION | LENGTH,
    [XRW_VMX_DR_ACCESS] = QUALIFICATION | LENGTH,
    [XRW_VMX_IO_INSTRUCTION] = QUALIFICATION | LENGTH,
    [XRW_VMX_MSR_READ] = LENGTH,
    [XRW_VMX_MSR_WRITE] = LENGTH,
    [XRW_VMX_INVALID_GUEST_STATE] = QUALIFICATION,
    [XRW_VMX_MSR_LOADING] = QUALIFICATION,
    [XRW_VMX_MWAIT] = QUALIFICATION | LENGTH,
    [XRW_VMX_MONITOR] = LENGTH,
    [XRW_VMX_PAUSE] = LENGTH,
    [XRW_VMX_APIC_ACCESS] = QUALIFICATION,
    [XRW_VMX_EOI_INDUCED] = QUALIFICATION,
    [XRW_VMX_GDTR_IDTR_ACCESS] = QUALIFICATION | LENGTH | INFO,
    [XRW_VMX_LDTR_TR_ACCESS] = QUALIFICATION | LENGTH | INFO,
    [XRW_VMX_EPT_VIOLATION] = QUALIFICATION,
    [XRW_VMX_INVEPT] = QUALIFICATION | LENGTH | INFO,
    [XRW_VMX_RDTSCP] = LENGTH,
    [XRW_VMX_INVVPID] = QUALIFICATION | LENGTH | INFO,
    [XRW_VMX_WBINVD] = LENGTH,
    [XRW_VMX_XSETBV] = LENGTH,
    [XRW_VMX_APIC_WRITE] = QUALIFICATION,
    [XRW_VMX_RDRAND] = LENGTH | INFO,
    [XRW_VMX_INVPCID] = QUALIFICATION | LENGTH | INFO,
    [59] = LENGTH, /* VMFUNC */
    [60] = LENGTH, /* ENCLS */
    [XRW_VMX_RDSEED] = LENGTH | INFO,
    [XRW_VMX_PML_FULL] = QUALIFICATION,
    [XRW_VMX_XSAVES] = QUALIFICATION | LENGTH | INFO,
    [XRW_VMX_XRSTORS] = QUALIFICATION | LENGTH | INFO,
    [65] = LENGTH,        /* PCONFIG */
    [66] = QUALIFICATION, /* SPP event */
    [67] = LENGTH | INFO, /* UMWAIT */
    [68] = LENGTH | INFO, /* TPAUSE */
    [69] = LENGTH | INFO, /* LOADIWKEY */
    [70] = LENGTH,        /* ENCLV */
    [XRW_VMX_NOTIFY] = QUALIFICATION,
    [XRW_VMX_RDMSR_IMM] = QUALIFICATION | LENGTH | INFO,
    [XRW_VMX_WRMSRNS_IMM] = QUALIFICATION | LENGTH | INFO,
};

#define INFO_VALID (UINT32_C(1) << 31)
#define INFO_VECTOR(info) ((info)&0xff)
#define INFO_TYPE(info) ((info) >> 8 & 7)
#define IO_STRING (1u << 4)
#define EPT_HAS_LINEAR (1u << 7)
#define CR_LMSW_MEMORY(qualification) (((qualification)&0x70) == 0x70)
#define TASK_SWITCH_BY_GATE(qualification) (((qualification) >> 30 & 3) == 3)

enum { VECTOR_DB = 1, VECTOR_PF = 14 };

/* Whether an interruption information names an event that an instruction asked for: INT n, INT1,
 * INT3, INTO. */
static bool is_software(uint32_t info)
{
    return info & INFO_VALID && INFO_TYPE(info) >= 4 && INFO_TYPE(info) <= 6;
}

/* Beside those of the table, by what the exit was about. */
static unsigned more_fields(unsigned reason, uint64_t qualification, uint32_t intr_info)
{
    switch (reason) {
    case XRW_VMX_EXCEPTION_NMI:
        return (is_software(intr_info) ? LENGTH : 0) |
               (INFO_VECTOR(intr_info) == VECTOR_DB || INFO_VECTOR(intr_info) == VECTOR_PF
                    ? QUALIFICATION
                    : 0);
    case XRW_VMX_TASK_SWITCH:
        return TASK_SWITCH_BY_GATE(qualification) ? 0 : LENGTH;
    case XRW_VMX_IO_INSTRUCTION:
        return qualification & IO_STRING ? INFO | XRW_VMX_HAS_LINEAR : 0;
    case XRW_VMX_EPT_VIOLATION:
        return qualification & EPT_HAS_LINEAR ? XRW_VMX_HAS_LINEAR : 0;
    case XRW_VMX_CR_ACCESS:
        return CR_LMSW_MEMORY(qualification) ? XRW_VMX_HAS_LINEAR : 0;
    default:
        return 0;
    }
}

unsigned xrw_vmx_defined_fields(unsigned reason, uint64_t qualification, uint32_t intr_info,
                                uint32_t idt_info)
{
    unsigned fields = reason < sizeof defined_fields ? defined_fields[reason] : 0;

    fields |= more_fields(reason, qualification, intr_info);
    /* Met while delivering an event that an instruction asked for. */
    return is_software(idt_info) ? fields | LENGTH : fields;
}
