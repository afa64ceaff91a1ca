/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "effects.h"
#include "xrw/svm.h"

bool xrw_svm_is_host_exit(const struct xrw_exit *exit)
{
    if (!exit->field_known[XRW_EXIT_reason])
        return false;
    switch (xrw_exit_basic_reason(exit)) {
    case XRW_SVM_EXCEPTION_MC:
    case XRW_SVM_INTR:
    case XRW_SVM_NMI:
    case XRW_SVM_SMI:
    case XRW_SVM_INIT:
    case XRW_SVM_VINTR:
        return true;
    default:
        return false;
    }
}

static bool io_may_write(const struct xrw_exit *exit)
{
    uint64_t info = exit->field[XRW_EXIT_qualification];

    return !exit->field_known[XRW_EXIT_qualification] ||
           (info & XRW_SVM_IOIO_STRING && info & XRW_SVM_IOIO_IN);
}

static bool msr_may_write(const struct xrw_exit *exit)
{
    if (!exit->field_known[XRW_EXIT_qualification])
        return true;
    return exit->field[XRW_EXIT_qualification] & XRW_SVM_MSR_WRITE && xrw_wrmsr_may_write(exit);
}

/* An event that was being delivered changes nothing here: see vmx_effects.c. */
static const struct xrw_effect effects[] = {
    /* reasons that are not here may write */
    {XRW_SVM_INTR, xrw_never_writes},     {XRW_SVM_NMI, xrw_never_writes},
    {XRW_SVM_SMI, xrw_never_writes},      {XRW_SVM_INIT, xrw_never_writes},
    {XRW_SVM_VINTR, xrw_never_writes},    {XRW_SVM_RDTSC, xrw_never_writes},
    {XRW_SVM_RDPMC, xrw_never_writes},    {XRW_SVM_CPUID, xrw_never_writes},
    {XRW_SVM_IRET, xrw_never_writes},     {XRW_SVM_INVD, xrw_never_writes},
    {XRW_SVM_PAUSE, xrw_never_writes},    {XRW_SVM_HLT, xrw_never_writes},
    {XRW_SVM_INVLPG, xrw_never_writes},   {XRW_SVM_INVLPGA, xrw_never_writes},
    {XRW_SVM_IOIO, io_may_write},         {XRW_SVM_MSR, msr_may_write},
    {XRW_SVM_SHUTDOWN, xrw_never_writes}, {XRW_SVM_VMMCALL, xrw_hypercall_may_write},
    {XRW_SVM_SKINIT, xrw_never_writes},   {XRW_SVM_RDTSCP, xrw_never_writes},
    {XRW_SVM_WBINVD, xrw_never_writes},   {XRW_SVM_MONITOR, xrw_never_writes},
    {XRW_SVM_MWAIT, xrw_never_writes},    {XRW_SVM_MWAIT_CONDITIONAL, xrw_never_writes},
    {XRW_SVM_XSETBV, xrw_never_writes},   {XRW_SVM_RDPRU, xrw_never_writes},
    {XRW_SVM_NPF, xrw_was_emulated},      {XRW_SVM_INVALID, xrw_never_writes},
};

bool xrw_svm_may_write_memory(const struct xrw_exit *exit)
{
    unsigned reason = xrw_exit_basic_reason(exit);

    if (!exit->field_known[XRW_EXIT_reason])
        return true;
    /* Their handling is in registers: SMSW to memory is emulated, and moves RIP. */
    if (reason >= XRW_SVM_CR_READ && reason < XRW_SVM_DR_READ)
        return reason < XRW_SVM_CR_WRITE && xrw_was_emulated(exit) &&
               !(exit->field[XRW_EXIT_qualification] & XRW_SVM_CR_IS_MOV);
    if (reason >= XRW_SVM_DR_READ && reason < XRW_SVM_EXCEPTION)
        return false;
    if (reason >= XRW_SVM_EXCEPTION && reason < XRW_SVM_INTR)
        return xrw_was_emulated(exit);
    return xrw_effect_listed(effects, sizeof effects / sizeof *effects, exit);
}
