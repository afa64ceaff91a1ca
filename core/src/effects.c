/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "effects.h"

#include "hypercall.h"

#define MASK32 UINT64_C(0xffffffff)
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

bool xrw_hypercall_may_write(const struct xrw_exit *exit)
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

bool xrw_was_emulated(const struct xrw_exit *exit)
{
    if (!exit->has_after)
        return true;
    for (int i = XRW_REG_rax; i <= XRW_REG_rflags; i++)
        if (!exit->before.known[i] || !exit->after.known[i] ||
            exit->before.value[i] != exit->after.value[i])
            return true;
    return false;
}

/*
 * Xen fills pages of the guest's choice when some of its own or Viridian's MSRs are written.
 * Source: Xen, xen/arch/x86/msr.c, guest_wrmsr().
 */
bool xrw_wrmsr_may_write(const struct xrw_exit *exit)
{
    uint64_t msr = exit->before.value[XRW_REG_rcx] & MASK32;

    return !exit->before.known[XRW_REG_rcx] || (msr >= 0x40000000 && msr <= 0x400002ff);
}

bool xrw_never_writes(const struct xrw_exit *exit)
{
    (void)exit;
    return false;
}

bool xrw_effect_listed(const struct xrw_effect *effects, size_t count, const struct xrw_exit *exit)
{
    if (!exit->field_known[XRW_EXIT_reason])
        return true;
    for (size_t i = 0; i < count; i++)
        if (effects[i].reason == xrw_exit_basic_reason(exit))
            return effects[i].may_write(exit);
    return true;
}
