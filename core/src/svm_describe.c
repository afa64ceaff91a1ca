/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Source: AMD APM volume 2, "Intercept Operation" and the sections on single intercepts. */
#include "describe.h"
#include "xrw/names.h"
#include "xrw/svm.h"

/* Vectors whose exceptions have an error code. */
#define HAS_ERROR_CODE                                                                             \
    (UINT32_C(1) << 8 | UINT32_C(0x1f) << 10 | UINT32_C(1) << 17 | UINT32_C(1) << 21 |             \
     UINT32_C(1) << 29 | UINT32_C(1) << 30)

static bool info1(const struct xrw_exit *exit, uint64_t *value)
{
    *value = exit->field[XRW_EXIT_qualification];
    return exit->field_known[XRW_EXIT_qualification];
}

static void describe_io(struct xrw_text *text, const struct xrw_exit *exit)
{
    uint64_t info;

    if (info1(exit, &info))
        xrw_describe_io(
            text, exit,
            &(struct xrw_io){.port = XRW_SVM_IOIO_PORT(info),
                             .size = XRW_SVM_IOIO_BYTES(info),
                             .in = info & XRW_SVM_IOIO_IN,
                             .string = info & XRW_SVM_IOIO_STRING,
                             .rep = info & XRW_SVM_IOIO_STRING && info & XRW_SVM_IOIO_REP});
}

static void describe_msr(struct xrw_text *text, const struct xrw_exit *exit)
{
    uint64_t info;

    if (!info1(exit, &info))
        return;
    if (info & XRW_SVM_MSR_WRITE)
        xrw_describe_wrmsr(text, exit);
    else
        xrw_describe_rdmsr(text, exit);
}

static void describe_cr_read(struct xrw_text *text, const struct xrw_exit *exit)
{
    uint64_t info;
    unsigned gpr;

    xrw_text_add(text, "read cr%u", xrw_exit_basic_reason(exit) - XRW_SVM_CR_READ);
    if (!info1(exit, &info) || !(info & XRW_SVM_CR_IS_MOV))
        return;
    gpr = XRW_SVM_CR_GPR(info);
    xrw_text_add(text, " into %s", xrw_register_table[gpr].name);
    if (xrw_answered(exit)) {
        xrw_text_add(text, " -> ");
        xrw_text_add_register(text, &exit->after, gpr, 64);
    }
}

static void describe_cr_write(struct xrw_text *text, const struct xrw_exit *exit)
{
    unsigned reason = xrw_exit_basic_reason(exit);
    unsigned cr = reason == XRW_SVM_CR0_SEL_WRITE ? 0 : reason - XRW_SVM_CR_WRITE;
    uint64_t info;

    if (!info1(exit, &info) || !(info & XRW_SVM_CR_IS_MOV)) {
        xrw_text_add(text, "write cr%u", cr);
        return;
    }
    xrw_text_add(text, "cr%u = ", cr);
    xrw_text_add_register(text, &exit->before, XRW_SVM_CR_GPR(info), 64);
    xrw_text_add_name(text, xrw_register_table[XRW_SVM_CR_GPR(info)].name);
}

/* Which register takes part is told by some processors only, and not whether it is. */
static void describe_dr(struct xrw_text *text, const struct xrw_exit *exit)
{
    unsigned reason = xrw_exit_basic_reason(exit);

    xrw_text_add(text, "%s dr%u", reason >= XRW_SVM_DR_WRITE ? "write" : "read", reason & 15);
}

static void describe_exception(struct xrw_text *text, const struct xrw_exit *exit)
{
    unsigned vector = xrw_exit_basic_reason(exit) - XRW_SVM_EXCEPTION;

    xrw_text_add(text, "exception vector %u", vector);
    xrw_text_add_name(text, xrw_exception_name(vector));
    if (HAS_ERROR_CODE >> vector & 1) {
        xrw_text_add(text, " error ");
        xrw_text_add_field(text, exit, XRW_EXIT_qualification);
    }
    if (xrw_exit_basic_reason(exit) == XRW_SVM_EXCEPTION_PF) {
        xrw_text_add(text, " address ");
        xrw_text_add_field(text, exit, XRW_EXIT_gla);
    }
}

static void describe_npf(struct xrw_text *text, const struct xrw_exit *exit)
{
    uint64_t info;
    bool known = info1(exit, &info);

    xrw_text_add(text, "NPF");
    if (known)
        xrw_text_add(text, info & XRW_SVM_NPF_WRITE   ? " write"
                           : info & XRW_SVM_NPF_FETCH ? " fetch"
                                                      : " read");
    xrw_text_add(text, " gpa ");
    xrw_text_add_field(text, exit, XRW_EXIT_gpa);
    if (!known)
        return;
    if (info & XRW_SVM_NPF_WALK)
        xrw_text_add(text, " (page walk)");
    xrw_text_add(text, info & XRW_SVM_NPF_PRESENT ? " present" : " not present");
}

static void describe_task_switch(struct xrw_text *text, const struct xrw_exit *exit)
{
    uint64_t info;

    if (info1(exit, &info))
        xrw_text_add(text, "task switch to TSS 0x%x by %s", (unsigned)info & 0xffff,
                     info & XRW_SVM_TASK_IRET                      ? "IRET"
                     : info & XRW_SVM_TASK_JMP                     ? "JMP"
                     : xrw_event_is_valid(exit, XRW_EXIT_idt_info) ? "task gate"
                                                                   : "CALL");
}

static void describe_invlpg(struct xrw_text *text, const struct xrw_exit *exit)
{
    xrw_text_add(text, "INVLPG address ");
    xrw_text_add_field(text, exit, XRW_EXIT_qualification);
}

static void describe_invlpga(struct xrw_text *text, const struct xrw_exit *exit)
{
    xrw_text_add(text, "INVLPGA address ");
    xrw_text_add_register(text, &exit->before, XRW_REG_rax, 64);
    xrw_text_add(text, " asid ");
    xrw_text_add_register(text, &exit->before, XRW_REG_rcx, 32);
}

static void describe_vmcb(struct xrw_text *text, const struct xrw_exit *exit)
{
    xrw_text_add(text, "vmcb ");
    xrw_text_add_register(text, &exit->before, XRW_REG_rax, 64);
}

static void describe_swint(struct xrw_text *text, const struct xrw_exit *exit)
{
    uint64_t info;

    if (info1(exit, &info))
        xrw_text_add(text, "INT 0x%x", (unsigned)info & 0xff);
}

static void describe_mwait(struct xrw_text *text, const struct xrw_exit *exit)
{
    xrw_text_add(text, "MWAIT hint ");
    xrw_text_add_register(text, &exit->before, XRW_REG_rax, 32);
}

static const struct xrw_describer_entry describers[] = {
    {XRW_SVM_CR0_SEL_WRITE, true, describe_cr_write},
    {XRW_SVM_RDTSC, true, xrw_describe_tsc},
    {XRW_SVM_RDPMC, true, xrw_describe_rdpmc},
    {XRW_SVM_CPUID, true, xrw_describe_cpuid},
    {XRW_SVM_SWINT, false, describe_swint},
    {XRW_SVM_HLT, false, xrw_describe_hlt},
    {XRW_SVM_INVLPG, false, describe_invlpg},
    {XRW_SVM_INVLPGA, true, describe_invlpga},
    {XRW_SVM_IOIO, true, describe_io},
    {XRW_SVM_MSR, true, describe_msr},
    {XRW_SVM_TASK_SWITCH, false, describe_task_switch},
    {XRW_SVM_VMRUN, true, describe_vmcb},
    {XRW_SVM_VMMCALL, true, xrw_describe_vmcall},
    {XRW_SVM_VMLOAD, true, describe_vmcb},
    {XRW_SVM_VMSAVE, true, describe_vmcb},
    {XRW_SVM_RDTSCP, true, xrw_describe_tsc},
    {XRW_SVM_MONITOR, true, xrw_describe_monitor},
    {XRW_SVM_MWAIT, true, describe_mwait},
    {XRW_SVM_MWAIT_CONDITIONAL, true, describe_mwait},
    {XRW_SVM_XSETBV, true, xrw_describe_xsetbv},
    {XRW_SVM_NPF, false, describe_npf},
};

/* Reasons of which there is one a register or vector. */
static const struct {
    unsigned first, last;
    struct xrw_describer_entry entry;
} ranges[] = {
    {XRW_SVM_CR_READ, XRW_SVM_CR_READ + 15, {0, true, describe_cr_read}},
    {XRW_SVM_CR_WRITE, XRW_SVM_CR_WRITE + 15, {0, true, describe_cr_write}},
    {XRW_SVM_DR_READ, XRW_SVM_DR_WRITE + 15, {0, false, describe_dr}}, /* given to the guest */
    {XRW_SVM_EXCEPTION, XRW_SVM_EXCEPTION + 31, {0, false, describe_exception}},
};

size_t xrw_svm_describe(const struct xrw_exit *exit, char *buf, size_t bytes)
{
    struct xrw_text text = {buf, bytes, 0};
    unsigned reason = xrw_exit_basic_reason(exit);

    if (bytes)
        buf[0] = '\0';
    if (!exit->field_known[XRW_EXIT_reason])
        return 0;
    xrw_describe_listed(describers, sizeof describers / sizeof *describers, &text, exit);
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        struct xrw_describer_entry entry = ranges[i].entry;

        entry.reason = reason;
        if (reason >= ranges[i].first && reason <= ranges[i].last)
            xrw_describe_listed(&entry, 1, &text, exit);
    }
    xrw_describe_delivery(&text, exit);
    return text.length;
}
