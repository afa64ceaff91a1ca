/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xrw/kind.h"

#include "xrw/svm.h"
#include "xrw/vmx.h"

#include <stddef.h>
#include <stdint.h>

#define EPT_LINEAR_VALID (1u << 7)
#define EPT_FINAL_ACCESS (1u << 8)
#define PAGE_WRITE (1u << 1) /* of either vendor */
#define INFO_VALID (UINT32_C(1) << 31)

static const uint8_t vmx_kinds[] = {
    [XRW_VMX_EXCEPTION_NMI] = XRW_KIND_EXCEPTION,
    [XRW_VMX_INIT] = XRW_KIND_INIT,
    [XRW_VMX_SIPI] = XRW_KIND_INIT,
    [XRW_VMX_TASK_SWITCH] = XRW_KIND_TASK_SWITCH,
    [XRW_VMX_VMCALL] = XRW_KIND_HYPERCALL,
    [XRW_VMX_DR_ACCESS] = XRW_KIND_DR_ACCESS,
    [XRW_VMX_IO_INSTRUCTION] = XRW_KIND_IO,
    [XRW_VMX_MSR_READ] = XRW_KIND_MSR_READ,
    [XRW_VMX_MSR_WRITE] = XRW_KIND_MSR_WRITE,
    [XRW_VMX_APIC_ACCESS] = XRW_KIND_APIC_ACCESS,
    [XRW_VMX_GDTR_IDTR_ACCESS] = XRW_KIND_GDTR_IDTR_ACCESS,
    [XRW_VMX_LDTR_TR_ACCESS] = XRW_KIND_LDTR_TR_ACCESS,
    [XRW_VMX_EPT_VIOLATION] = XRW_KIND_PAGE,
    [XRW_VMX_EPT_MISCONFIG] = XRW_KIND_PAGE,
};

static const struct {
    uint16_t first, last;
    enum xrw_exit_kind kind;
} svm_kinds[] = {
    {XRW_SVM_DR_READ, XRW_SVM_DR_WRITE + 15, XRW_KIND_DR_ACCESS},
    {XRW_SVM_EXCEPTION, XRW_SVM_EXCEPTION + 31, XRW_KIND_EXCEPTION},
    {XRW_SVM_INIT, XRW_SVM_INIT, XRW_KIND_INIT},
    {XRW_SVM_IDTR_READ, XRW_SVM_IDTR_READ + 1, XRW_KIND_GDTR_IDTR_ACCESS},
    {XRW_SVM_IDTR_READ + 2, XRW_SVM_IDTR_READ + 3, XRW_KIND_LDTR_TR_ACCESS},
    {XRW_SVM_IDTR_READ + 4, XRW_SVM_IDTR_READ + 5, XRW_KIND_GDTR_IDTR_ACCESS},
    {XRW_SVM_IDTR_READ + 6, XRW_SVM_TR_WRITE, XRW_KIND_LDTR_TR_ACCESS},
    {XRW_SVM_IOIO, XRW_SVM_IOIO, XRW_KIND_IO},
    {XRW_SVM_TASK_SWITCH, XRW_SVM_TASK_SWITCH, XRW_KIND_TASK_SWITCH},
    {XRW_SVM_VMMCALL, XRW_SVM_VMMCALL, XRW_KIND_HYPERCALL},
    {XRW_SVM_NPF, XRW_SVM_NPF, XRW_KIND_PAGE},
};

enum xrw_exit_kind xrw_exit_kind(const struct xrw_exit *exit)
{
    unsigned reason = xrw_exit_basic_reason(exit);

    if (!exit->field_known[XRW_EXIT_reason])
        return XRW_KIND_OTHER;
    if (reason < sizeof vmx_kinds)
        return vmx_kinds[reason];
    if (reason == XRW_SVM_MSR && exit->field_known[XRW_EXIT_qualification])
        return exit->field[XRW_EXIT_qualification] & XRW_SVM_MSR_WRITE ? XRW_KIND_MSR_WRITE
                                                                       : XRW_KIND_MSR_READ;
    for (size_t i = 0; i < sizeof svm_kinds / sizeof *svm_kinds; i++)
        if (reason >= svm_kinds[i].first && reason <= svm_kinds[i].last)
            return svm_kinds[i].kind;
    return XRW_KIND_OTHER;
}

int xrw_exit_vector(const struct xrw_exit *exit)
{
    unsigned reason = xrw_exit_basic_reason(exit);
    uint64_t info = exit->field[XRW_EXIT_intr_info];

    if (xrw_exit_kind(exit) != XRW_KIND_EXCEPTION)
        return -1;
    if (reason != XRW_VMX_EXCEPTION_NMI)
        return (int)(reason - XRW_SVM_EXCEPTION);
    return exit->field_known[XRW_EXIT_intr_info] && info & INFO_VALID ? (int)(info & 0xff) : -1;
}

bool xrw_exit_page_write(const struct xrw_exit *exit)
{
    return xrw_exit_kind(exit) == XRW_KIND_PAGE && exit->field_known[XRW_EXIT_qualification] &&
           exit->field[XRW_EXIT_qualification] & PAGE_WRITE;
}

bool xrw_exit_page_walk(const struct xrw_exit *exit)
{
    uint64_t q = exit->field[XRW_EXIT_qualification];

    if (xrw_exit_kind(exit) != XRW_KIND_PAGE || !exit->field_known[XRW_EXIT_qualification])
        return false;
    return xrw_exit_basic_reason(exit) == XRW_SVM_NPF
               ? q & XRW_SVM_NPF_WALK
               : q & EPT_LINEAR_VALID && !(q & EPT_FINAL_ACCESS);
}
