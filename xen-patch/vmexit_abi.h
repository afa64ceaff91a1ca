/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The VM-exit monitor event as the recorder sees it on the ring: the stock layout (Xen 4.17 and
 * later) and the one of the patches in this folder.  Fixed-width, no Xen header needed; a test
 * compiles it beside Xen's own public/vm_event.h and compares sizes and offsets.
 * Source: xen/include/public/vm_event.h, xen/include/public/domctl.h.
 */
#ifndef XENREWIND_VMEXIT_ABI_H
#define XENREWIND_VMEXIT_ABI_H

#include <stdint.h>

/* Value of the `version` word of a request; a response must carry the same. */
#define XRW_VM_EVENT_VERSION_STOCK 7u
#define XRW_VM_EVENT_VERSION_PATCHED 9u

/* What XEN_DOMCTL_MONITOR_OP_ENABLE of event 12 (VMEXIT) takes in u.vmexit.sync. */
#define XRW_VMEXIT_MODE_ASYNC 0u
#define XRW_VMEXIT_MODE_SYNC 1u
#define XRW_VMEXIT_MODE_PAUSE 2u /* patched Xen only */

/* Bit of the capability word of XEN_DOMCTL_MONITOR_OP_GET_CAPABILITIES: pause mode is there. */
#define XRW_MONITOR_CAP_VMEXIT_PAUSE (UINT32_C(1) << 31)

/* u.vmexit of a stock request. */
struct xrw_vmexit_stock {
    uint64_t reason;
    uint64_t qualification;
};

/* u.vmexit.arch.vmx of a patched request.  Raw VMCS fields, read at the exit. */
struct xrw_vmexit_vmx {
    uint64_t reason;             /* EXIT_REASON, all 32 bits */
    uint64_t qualification;      /* EXIT_QUALIFICATION */
    uint64_t guest_physical;     /* GUEST_PHYSICAL_ADDRESS; defined for exits 48 and 49 */
    uint64_t guest_linear;       /* GUEST_LINEAR_ADDRESS */
    uint32_t intr_info;          /* VM_EXIT_INTR_INFO */
    uint32_t intr_error;         /* VM_EXIT_INTR_ERROR_CODE; valid if intr_info bit 11 */
    uint32_t idt_vectoring_info; /* IDT_VECTORING_INFO */
    uint32_t idt_vectoring_error;
    uint32_t instruction_length; /* VM_EXIT_INSTRUCTION_LEN */
    uint32_t instruction_info;   /* VMX_INSTRUCTION_INFO */
    uint32_t interruptibility;   /* GUEST_INTERRUPTIBILITY_INFO */
    uint32_t held;               /* 1: the vCPU is held after the handler; 0: it goes on */
    uint64_t tsc;                /* host TSC right after the exit */
    /* The VM entry that began the gap which this exit ends. */
    uint64_t entry_tsc;       /* host TSC right before the entry */
    uint64_t entry_offset;    /* TSC_OFFSET at the entry */
    uint32_t entry_intr_info; /* VM_ENTRY_INTR_INFO: what was injected */
    uint32_t entry_error;     /* VM_ENTRY_EXCEPTION_ERROR_CODE */
    uint64_t entries;         /* VM entries of this vCPU so far */
};

/* u.vmexit.arch.svm of a patched request.  Raw VMCB fields, read at the exit. */
struct xrw_vmexit_svm {
    uint64_t exitcode;        /* EXITCODE, all 64 bits: -1 is a VMRUN that failed */
    uint64_t exitinfo1;       /* EXITINFO1 */
    uint64_t exitinfo2;       /* EXITINFO2 */
    uint64_t exitintinfo;     /* EXITINTINFO: what was being delivered; laid out as VMX has it,
                                 with the error code in bits 63:32 */
    uint64_t nrip;            /* nRIP; 0 if the processor does not save it, or not for this exit */
    uint32_t interrupt_state; /* bit 0: in an interrupt shadow */
    uint32_t held;            /* as above */
    uint8_t insn_len;         /* valid bytes of insn, 0 to 15 */
    uint8_t insn[15];         /* guest instruction bytes (nested page faults and #PF only) */
    uint64_t tsc;             /* these as above */
    uint64_t entry_tsc;
    uint64_t entry_offset;
    uint64_t entry_eventinj; /* EVENTINJ at the entry: what was injected */
    uint64_t entries;
};

/* u.vmexit of a patched request. */
#define XRW_VMEXIT_VENDOR_VMX 1u
#define XRW_VMEXIT_VENDOR_SVM 2u
struct xrw_vmexit {
    union {
        struct xrw_vmexit_vmx vmx;
        struct xrw_vmexit_svm svm;
    } arch;
    uint32_t vendor; /* which of them: XRW_VMEXIT_VENDOR_* */
    uint32_t pad;
};

/* The registers that come with each request, stock or patched. */
struct xrw_event_segment {
    uint32_t limit : 20; /* in pages if attribute bit 11 is set, else cut to 20 bits */
    uint32_t ar : 12;    /* attributes: bits 7:0 of the descriptor's, then 15:12 */
};

struct xrw_event_regs {
    uint64_t rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t rflags;
    uint64_t dr6, dr7; /* on VMX wrong: 0, and stale while the guest owns them */
    uint64_t rip;
    uint64_t cr0, cr2, cr3, cr4;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t msr_efer, msr_star, msr_lstar;
    uint64_t gdtr_base;
    uint64_t npt_base, vmtrace_pos; /* 0 and -1 on 4.14 */
    uint32_t cs_base, ss_base, ds_base, es_base;
    uint64_t fs_base, gs_base;
    struct xrw_event_segment cs, ss, ds, es, fs, gs;
    uint64_t shadow_gs;
    uint16_t gdtr_limit;
    uint16_t cs_sel, ss_sel, ds_sel, es_sel, fs_sel, gs_sel;
    uint16_t pad;
};

/* Offsets and sizes in a request, in bytes. */
#define XRW_REQUEST_SIZE_STOCK 400u
#define XRW_REQUEST_SIZE_PATCHED 480u
#define XRW_REQUEST_UNION_OFFSET 24u
#define XRW_REQUEST_REGS_OFFSET_STOCK 56u
#define XRW_REQUEST_REGS_OFFSET_PATCHED 136u

#endif
