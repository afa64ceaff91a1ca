/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compares vmexit_abi.h with a Xen public header at compile time: the stock layout where the header
 * has interface version 7, the patched one where it has 9.  There is nothing to run.
 *
 *   cc -std=gnu11 -fsyntax-only -isystem DIR abi_check.c
 *
 * DIR holds a folder `xen` with Xen's public headers: /usr/include for libxen-dev; for a source
 * tree, any folder with a symbolic link `xen` to its xen/include/public.  GNU C because Xen's
 * headers refuse anything stricter.
 */
#define __XEN_TOOLS__ 1

#include "vmexit_abi.h"

#include <stddef.h>
#include <xen/domctl.h>
#include <xen/vm_event.h>
#include <xen/xen.h>

#define SAME(ours, theirs) _Static_assert((ours) == (theirs), #ours " is not " #theirs)

/* A field of ours against Xen's, MEMBER of the event; offsets are from the request's beginning. */
#define SAME_MEMBER(type, field, member)                                                           \
    SAME(XRW_REQUEST_UNION_OFFSET + offsetof(struct type, field),                                  \
         offsetof(vm_event_request_t, u.vmexit.member));                                           \
    SAME(sizeof(((struct type *)0)->field), sizeof(((struct vm_event_vmexit *)0)->member))
#define SAME_FIELD(type, field) SAME_MEMBER(type, field, arch.vmx.field)
#define SAME_SVM(field) SAME_MEMBER(xrw_vmexit_svm, field, arch.svm.field)
#define SAME_REG(field)                                                                            \
    SAME(offsetof(struct xrw_event_regs, field), offsetof(struct vm_event_regs_x86, field));       \
    SAME(sizeof(((struct xrw_event_regs *)0)->field),                                              \
         sizeof(((struct vm_event_regs_x86 *)0)->field))

SAME(XRW_REQUEST_UNION_OFFSET, offsetof(vm_event_request_t, u));
SAME(sizeof(vm_event_request_t), sizeof(vm_event_response_t));

SAME(sizeof(struct xrw_event_regs), sizeof(struct vm_event_regs_x86));
SAME_REG(rax);
SAME_REG(rcx);
SAME_REG(rdx);
SAME_REG(rbx);
SAME_REG(rsp);
SAME_REG(rbp);
SAME_REG(rsi);
SAME_REG(rdi);
SAME_REG(r8);
SAME_REG(r9);
SAME_REG(r10);
SAME_REG(r11);
SAME_REG(r12);
SAME_REG(r13);
SAME_REG(r14);
SAME_REG(r15);
SAME_REG(rflags);
SAME_REG(dr6);
SAME_REG(dr7);
SAME_REG(rip);
SAME_REG(cr0);
SAME_REG(cr2);
SAME_REG(cr3);
SAME_REG(cr4);
SAME_REG(sysenter_cs);
SAME_REG(sysenter_esp);
SAME_REG(sysenter_eip);
SAME_REG(msr_efer);
SAME_REG(msr_star);
SAME_REG(msr_lstar);
SAME_REG(gdtr_base);
SAME_REG(npt_base);
SAME_REG(vmtrace_pos);
SAME_REG(cs_base);
SAME_REG(ss_base);
SAME_REG(ds_base);
SAME_REG(es_base);
SAME_REG(fs_base);
SAME_REG(gs_base);
SAME_REG(cs);
SAME_REG(ss);
SAME_REG(ds);
SAME_REG(es);
SAME_REG(fs);
SAME_REG(gs);
SAME_REG(shadow_gs);
SAME_REG(gdtr_limit);
SAME_REG(cs_sel);
SAME_REG(ss_sel);
SAME_REG(ds_sel);
SAME_REG(es_sel);
SAME_REG(fs_sel);
SAME_REG(gs_sel);

#if VM_EVENT_INTERFACE_VERSION == 7

SAME(XRW_VM_EVENT_VERSION_STOCK, VM_EVENT_INTERFACE_VERSION);
SAME(XRW_REQUEST_SIZE_STOCK, sizeof(vm_event_request_t));
SAME(XRW_REQUEST_REGS_OFFSET_STOCK, offsetof(vm_event_request_t, data));
SAME(sizeof(struct xrw_vmexit_stock), sizeof(struct vm_event_vmexit));
SAME_FIELD(xrw_vmexit_stock, reason);
SAME_FIELD(xrw_vmexit_stock, qualification);

#elif VM_EVENT_INTERFACE_VERSION == 9

SAME(XRW_VM_EVENT_VERSION_PATCHED, VM_EVENT_INTERFACE_VERSION);
SAME(XRW_REQUEST_SIZE_PATCHED, sizeof(vm_event_request_t));
SAME(XRW_REQUEST_REGS_OFFSET_PATCHED, offsetof(vm_event_request_t, data));
SAME(sizeof(struct xrw_vmexit), sizeof(struct vm_event_vmexit));
SAME_MEMBER(xrw_vmexit, vendor, vendor);
SAME(XRW_VMEXIT_VENDOR_VMX, VM_EVENT_VMEXIT_VMX);
SAME(XRW_VMEXIT_VENDOR_SVM, VM_EVENT_VMEXIT_SVM);
SAME(sizeof(struct xrw_vmexit_vmx), sizeof(((struct vm_event_vmexit *)0)->arch.vmx));
SAME(sizeof(struct xrw_vmexit_svm), sizeof(((struct vm_event_vmexit *)0)->arch.svm));
SAME_FIELD(xrw_vmexit_vmx, reason);
SAME_FIELD(xrw_vmexit_vmx, qualification);
SAME_FIELD(xrw_vmexit_vmx, guest_physical);
SAME_FIELD(xrw_vmexit_vmx, guest_linear);
SAME_FIELD(xrw_vmexit_vmx, intr_info);
SAME_FIELD(xrw_vmexit_vmx, intr_error);
SAME_FIELD(xrw_vmexit_vmx, idt_vectoring_info);
SAME_FIELD(xrw_vmexit_vmx, idt_vectoring_error);
SAME_FIELD(xrw_vmexit_vmx, instruction_length);
SAME_FIELD(xrw_vmexit_vmx, instruction_info);
SAME_FIELD(xrw_vmexit_vmx, interruptibility);
SAME_FIELD(xrw_vmexit_vmx, held);
SAME_FIELD(xrw_vmexit_vmx, tsc);
SAME_FIELD(xrw_vmexit_vmx, entry_tsc);
SAME_FIELD(xrw_vmexit_vmx, entry_offset);
SAME_FIELD(xrw_vmexit_vmx, entry_intr_info);
SAME_FIELD(xrw_vmexit_vmx, entry_error);
SAME_FIELD(xrw_vmexit_vmx, entries);
SAME_SVM(exitcode);
SAME_SVM(exitinfo1);
SAME_SVM(exitinfo2);
SAME_SVM(exitintinfo);
SAME_SVM(nrip);
SAME_SVM(interrupt_state);
SAME_SVM(held);
SAME_SVM(insn_len);
SAME_SVM(insn);
SAME_SVM(tsc);
SAME_SVM(entry_tsc);
SAME_SVM(entry_offset);
SAME_SVM(entry_eventinj);
SAME_SVM(entries);

SAME(XRW_VMEXIT_MODE_ASYNC, XEN_DOMCTL_MONITOR_VMEXIT_ASYNC);
SAME(XRW_VMEXIT_MODE_SYNC, XEN_DOMCTL_MONITOR_VMEXIT_SYNC);
SAME(XRW_VMEXIT_MODE_PAUSE, XEN_DOMCTL_MONITOR_VMEXIT_PAUSE);
SAME(XRW_MONITOR_CAP_VMEXIT_PAUSE, XEN_DOMCTL_MONITOR_CAP_VMEXIT_PAUSE);

#else
#error "vmexit_abi.h describes interface versions 7 and 9 only"
#endif

/* A page of 4096 bytes, 64 of them the ring's header: 8 slots either way, as 16 would not fit. */
_Static_assert(64 + 8 * sizeof(vm_event_request_t) <= 4096, "8 slots fit");
_Static_assert(64 + 16 * sizeof(vm_event_request_t) > 4096, "16 slots do not");
