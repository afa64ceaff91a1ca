/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypercall.h"
#include "xrw/vmx.h"

#define INFO_VALID (UINT64_C(1) << 31)
#define IO_STRING 0x10u
#define IO_IN 0x08u
#define MASK32 UINT64_C(0xffffffff)

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

#define ANY UINT64_MAX

/*
 * Hypercalls that write nothing into the guest's memory, by number and first argument.  Missing on
 * purpose: sched_op block, which writes the event mask of vcpu_info; event_channel_op send and
 * vcpu_op set_singleshot_timer, which may mark an event of the caller's own as pending.
 */
static const struct {
    uint64_t number, argument;
} silent_hypercalls[] = {
    {15, ANY}, /* set_timer_op */
    {17, 0},   /* xen_version: version, whose answer is the result */
    {17, 7},   /* xen_version: pagesize, likewise */
    {18, 0},   /* console_io: write */
    {24, 3},   /* vcpu_op: is_up */
    {24, 7},   /* vcpu_op: stop_periodic_timer */
    {24, 9},   /* vcpu_op: stop_singleshot_timer */
    {29, 0},   /* sched_op: yield */
    {29, 2},   /* sched_op: shutdown */
    {29, 3},   /* sched_op: poll */
    {29, 5},   /* sched_op: shutdown_code */
    {29, 6},   /* sched_op: watchdog */
};

static bool vmcall_may_write(const struct xrw_exit *exit)
{
    const struct xrw_registers *regs = &exit->before;
    struct xrw_hypercall call = xrw_hypercall_convention(regs);
    uint64_t number = xrw_hypercall_value(&call, regs, XRW_REG_rax);
    uint64_t argument = regs->value[call.arg[0]] & MASK32; /* an int in all of the table's */

    if (!call.mode_known || !regs->known[XRW_REG_rax] || !regs->known[call.arg[0]])
        return true;
    for (size_t i = 0; i < sizeof silent_hypercalls / sizeof *silent_hypercalls; i++)
        if (silent_hypercalls[i].number == number &&
            (silent_hypercalls[i].argument == ANY || silent_hypercalls[i].argument == argument))
            return false;
    return true;
}

/*
 * Whether the hypervisor may have carried out the instruction, rather than let the guest try again:
 * then some register moved, RCX, RSI or RDI if not RIP (a REP instruction done in part).
 */
static bool was_emulated(const struct xrw_exit *exit)
{
    if (!exit->has_after)
        return true;
    for (int i = XRW_REG_rax; i <= XRW_REG_rflags; i++)
        if (!exit->before.known[i] || !exit->after.known[i] ||
            exit->before.value[i] != exit->after.value[i])
            return true;
    return false;
}

static bool io_may_write(const struct xrw_exit *exit)
{
    uint64_t q = exit->field[XRW_EXIT_qualification];

    return !exit->field_known[XRW_EXIT_qualification] || (q & IO_STRING && q & IO_IN);
}

/*
 * Xen fills pages of the guest's choice when some of its own or Viridian's MSRs are written.
 * Source: Xen, xen/arch/x86/msr.c, guest_wrmsr().
 */
static bool wrmsr_may_write(const struct xrw_exit *exit)
{
    uint64_t msr = exit->before.value[XRW_REG_rcx] & MASK32;

    return !exit->before.known[XRW_REG_rcx] || (msr >= 0x40000000 && msr <= 0x400002ff);
}

static bool never(const struct xrw_exit *exit)
{
    (void)exit;
    return false;
}

/*
 * An event that was being delivered changes nothing here: Xen has the CPU deliver it again at the
 * next entry, and what the first attempt pushed the CPU wrote, before the exit.
 */
static const struct {
    unsigned reason;
    bool (*may_write)(const struct xrw_exit *exit);
} effects[] = {
    /* reasons that are not here may write */
    {XRW_VMX_EXCEPTION_NMI, was_emulated},
    {XRW_VMX_EXTERNAL_INTERRUPT, never},
    {XRW_VMX_TRIPLE_FAULT, never},
    {XRW_VMX_INIT, never},
    {XRW_VMX_SIPI, never},
    {XRW_VMX_IO_SMI, never},
    {XRW_VMX_OTHER_SMI, never},
    {XRW_VMX_INTERRUPT_WINDOW, never},
    {XRW_VMX_NMI_WINDOW, never},
    {XRW_VMX_CPUID, never},
    {XRW_VMX_GETSEC, never},
    {XRW_VMX_HLT, never},
    {XRW_VMX_INVD, never},
    {XRW_VMX_INVLPG, never},
    {XRW_VMX_RDPMC, never},
    {XRW_VMX_RDTSC, never},
    {XRW_VMX_VMCALL, vmcall_may_write},
    {XRW_VMX_CR_ACCESS, never},
    {XRW_VMX_DR_ACCESS, never},
    {XRW_VMX_IO_INSTRUCTION, io_may_write},
    {XRW_VMX_MSR_READ, never},
    {XRW_VMX_MSR_WRITE, wrmsr_may_write},
    {XRW_VMX_INVALID_GUEST_STATE, never},
    {XRW_VMX_MSR_LOADING, never},
    {XRW_VMX_MWAIT, never},
    {XRW_VMX_MONITOR_TRAP_FLAG, never},
    {XRW_VMX_MONITOR, never},
    {XRW_VMX_PAUSE, never},
    {XRW_VMX_MCE_DURING_VMENTRY, never},
    {XRW_VMX_TPR_BELOW_THRESHOLD, never},
    {XRW_VMX_APIC_ACCESS, was_emulated},
    {XRW_VMX_EOI_INDUCED, never},
    {XRW_VMX_EPT_VIOLATION, was_emulated},
    {XRW_VMX_EPT_MISCONFIG, was_emulated},
    {XRW_VMX_RDTSCP, never},
    {XRW_VMX_PREEMPTION_TIMER, never},
    {XRW_VMX_WBINVD, never},
    {XRW_VMX_XSETBV, never},
    {XRW_VMX_APIC_WRITE, never},
    {XRW_VMX_RDRAND, never},
    {XRW_VMX_RDSEED, never},
    {XRW_VMX_PML_FULL, never},
    {XRW_VMX_BUS_LOCK, never},
    {XRW_VMX_NOTIFY, never},
};

bool xrw_vmx_may_write_memory(const struct xrw_exit *exit)
{
    if (!exit->field_known[XRW_EXIT_reason])
        return true;
    for (size_t i = 0; i < sizeof effects / sizeof *effects; i++)
        if (effects[i].reason == xrw_exit_basic_reason(exit))
            return effects[i].may_write(exit);
    return true;
}
