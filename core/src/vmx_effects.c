/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xrw/vmx.h"

bool xrw_vmx_is_host_exit(const struct xrw_exit *exit)
{
    switch (xrw_exit_basic_reason(exit)) {
    case XRW_VMX_EXTERNAL_INTERRUPT:
    case XRW_VMX_INTERRUPT_WINDOW:
    case XRW_VMX_NMI_WINDOW:
    case XRW_VMX_PREEMPTION_TIMER:
        return exit->field_known[XRW_EXIT_reason];
    case XRW_VMX_EXCEPTION_NMI: /* interruption type 2: an NMI, which is the host's */
        return exit->field_known[XRW_EXIT_intr_info] &&
               ((exit->field[XRW_EXIT_intr_info] >> 8) & 7) == 2;
    default:
        return false;
    }
}

#define ANY UINT64_MAX

/* Hypercalls that write nothing into the guest's memory, by number and first argument (RDI). */
static const struct {
    uint64_t number, argument;
} silent_hypercalls[] = {
    {15, ANY}, /* set_timer_op */
    {18, 0},   /* console_io: write */
    {29, 0},   /* sched_op: yield, block, shutdown */
    {29, 1},   {29, 2},
};

static bool vmcall_may_write(const struct xrw_registers *before)
{
    uint64_t number = before->value[XRW_REG_rax] & 0xffffffff;
    uint64_t argument = before->value[XRW_REG_rdi];

    if (!before->known[XRW_REG_rax] || !before->known[XRW_REG_rdi])
        return true;
    for (size_t i = 0; i < sizeof silent_hypercalls / sizeof *silent_hypercalls; i++)
        if (silent_hypercalls[i].number == number &&
            (silent_hypercalls[i].argument == ANY || silent_hypercalls[i].argument == argument))
            return false;
    return true;
}

/* An access to memory that the hypervisor emulated, rather than letting the guest try again. */
static bool was_emulated(const struct xrw_exit *exit)
{
    return !exit->has_after || !exit->after.known[XRW_REG_rip] ||
           !exit->before.known[XRW_REG_rip] ||
           exit->after.value[XRW_REG_rip] != exit->before.value[XRW_REG_rip];
}

/* Xen fills a page of the guest's choice when one of these is written. */
static bool msr_fills_page(const struct xrw_registers *before)
{
    uint64_t msr = before->value[XRW_REG_rcx] & 0xffffffff;

    return !before->known[XRW_REG_rcx] || (msr >= 0x40000000 && msr <= 0x400001ff);
}

bool xrw_vmx_may_write_memory(const struct xrw_exit *exit)
{
    uint64_t qualification = exit->field[XRW_EXIT_qualification];

    if (!exit->field_known[XRW_EXIT_reason])
        return true;
    switch (xrw_exit_basic_reason(exit)) {
    case XRW_VMX_VMCALL:
        return vmcall_may_write(&exit->before);
    case XRW_VMX_IO_INSTRUCTION: /* INS */
        return !exit->field_known[XRW_EXIT_qualification] || (qualification & 0x18) == 0x18;
    case XRW_VMX_MSR_WRITE:
        return msr_fills_page(&exit->before);
    case XRW_VMX_EPT_VIOLATION:
    case XRW_VMX_EPT_MISCONFIG:
    case XRW_VMX_APIC_ACCESS:
        return was_emulated(exit);
    case XRW_VMX_TASK_SWITCH:
    case XRW_VMX_GDTR_IDTR_ACCESS:
    case XRW_VMX_LDTR_TR_ACCESS:
        return true;
    default:
        return false;
    }
}
