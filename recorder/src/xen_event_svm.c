/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen_event.h"

#include "xrw/svm.h"

/* Vectors whose exceptions have an error code: 8, 10 to 14, 17, 21, 29, 30. */
#define HAS_ERROR_CODE UINT32_C(0x60227d00)
#define MAX_INSN_BYTES 15u

static bool between(unsigned reason, unsigned first, unsigned last)
{
    return reason >= first && reason <= last;
}

/* Whether an exit's EXITINFO1 is defined.  Source: AMD APM volume 2, "SVM Intercept Codes". */
static bool has_info1(unsigned reason)
{
    static const unsigned reasons[] = {XRW_SVM_CR0_SEL_WRITE,
                                       XRW_SVM_SWINT,
                                       XRW_SVM_INVLPG,
                                       XRW_SVM_IOIO,
                                       XRW_SVM_MSR,
                                       XRW_SVM_NPF,
                                       XRW_SVM_TASK_SWITCH,
                                       XRW_SVM_REASON_OF(0x401),
                                       XRW_SVM_REASON_OF(0x402)};

    if (between(reason, XRW_SVM_EXCEPTION, XRW_SVM_EXCEPTION + 31))
        return HAS_ERROR_CODE >> (reason - XRW_SVM_EXCEPTION) & 1;
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i] == reason)
            return true;
    return between(reason, XRW_SVM_CR_READ, XRW_SVM_DR_WRITE + 15);
}

/* Whether the exit is an instruction's, which nRIP is behind. */
static bool is_instruction(unsigned reason)
{
    return between(reason, XRW_SVM_CR_READ, XRW_SVM_DR_WRITE + 15) ||
           between(reason, XRW_SVM_EXCEPTION + 3, XRW_SVM_EXCEPTION + 4) ||
           between(reason, XRW_SVM_CR0_SEL_WRITE, XRW_SVM_MSR) ||
           between(reason, XRW_SVM_VMRUN, XRW_SVM_RDPRU);
}

static void set_length(struct xrw_exit *exit, unsigned reason, const struct xrw_vmexit_svm *svm,
                       uint64_t rip)
{
    /* Told of I/O instructions by every processor. */
    uint64_t next = reason == XRW_SVM_IOIO ? svm->exitinfo2 : svm->nrip;

    if (is_instruction(reason) && next - rip - 1 < MAX_INSN_BYTES)
        xrw_exit_set(exit, XRW_EXIT_insn_len, next - rip);
}

void xen_event_set_svm(struct xrw_exit *exit, const struct xrw_vmexit_svm *svm, uint64_t rip)
{
    unsigned reason = XRW_SVM_REASON_OF(svm->exitcode);

    xrw_exit_set(exit, XRW_EXIT_reason, reason);
    if (has_info1(reason))
        xrw_exit_set(exit, XRW_EXIT_qualification, svm->exitinfo1);
    if (reason == XRW_SVM_TASK_SWITCH)
        xrw_exit_set(exit, XRW_EXIT_qualification,
                     (svm->exitinfo1 & 0xffff) | (svm->exitinfo2 & ~UINT64_C(0xffffffff)));
    if (reason == XRW_SVM_NPF)
        xrw_exit_set(exit, XRW_EXIT_gpa, svm->exitinfo2);
    if (reason == XRW_SVM_EXCEPTION_PF)
        xrw_exit_set(exit, XRW_EXIT_gla, svm->exitinfo2);
    xen_event_set_interruption(exit, XRW_EXIT_idt_info, (uint32_t)svm->exitintinfo,
                               XRW_EXIT_idt_error, (uint32_t)(svm->exitintinfo >> 32));
    set_length(exit, reason, svm, rip);
    xrw_exit_set(exit, XRW_EXIT_interruptibility, svm->interrupt_state);
    xrw_exit_set(exit, XRW_EXIT_tsc, svm->tsc);
    xrw_exit_set(exit, XRW_EXIT_entry_tsc, svm->entry_tsc);
    xrw_exit_set(exit, XRW_EXIT_entry_tsc_offset, svm->entry_offset);
    xrw_exit_set(exit, XRW_EXIT_entries, svm->entries);
    xen_event_set_entry(exit, (uint32_t)svm->entry_eventinj, (uint32_t)(svm->entry_eventinj >> 32));
}
