/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Instructions whose operands are in registers, the same on either vendor. */
#include "describe.h"
#include "hypercall.h"
#include "xrw/names.h"
#include "xrw/svm.h"
#include "xrw/vmx.h"

#define RFLAGS_IF (UINT64_C(1) << 9)

bool xrw_rip_stayed(const struct xrw_exit *exit)
{
    return exit->has_after && exit->before.known[XRW_REG_rip] && exit->after.known[XRW_REG_rip] &&
           exit->before.value[XRW_REG_rip] == exit->after.value[XRW_REG_rip];
}

bool xrw_answered(const struct xrw_exit *exit)
{
    return exit->has_after && !xrw_rip_stayed(exit);
}

void xrw_describe_listed(const struct xrw_describer_entry *entries, size_t count,
                         struct xrw_text *text, const struct xrw_exit *exit)
{
    for (size_t i = 0; i < count; i++) {
        if (entries[i].reason != xrw_exit_basic_reason(exit))
            continue;
        entries[i].describe(text, exit);
        if (text->length && entries[i].steps_over && xrw_rip_stayed(exit))
            xrw_text_add(text, " -> not completed");
    }
}

void xrw_describe_cpuid(struct xrw_text *text, const struct xrw_exit *exit)
{
    static const struct {
        const char *name;
        unsigned reg;
    } answers[] = {{" -> eax ", XRW_REG_rax},
                   {" ebx ", XRW_REG_rbx},
                   {" ecx ", XRW_REG_rcx},
                   {" edx ", XRW_REG_rdx}};

    xrw_text_add(text, "CPUID leaf ");
    xrw_text_add_register(text, &exit->before, XRW_REG_rax, 32);
    xrw_text_add(text, " subleaf ");
    xrw_text_add_register(text, &exit->before, XRW_REG_rcx, 32);
    for (size_t i = 0; xrw_answered(exit) && i < sizeof answers / sizeof *answers; i++) {
        xrw_text_add(text, "%s", answers[i].name);
        xrw_text_add_register(text, &exit->after, answers[i].reg, 32);
    }
}

static void add_io_string(struct xrw_text *text, const struct xrw_exit *exit, bool in, bool rep)
{
    xrw_text_add(text, in ? " to " : " from ");
    xrw_text_add_register(text, &exit->before, in ? XRW_REG_rdi : XRW_REG_rsi, 64);
    if (!rep)
        return;
    xrw_text_add(text, " count ");
    xrw_text_add_register(text, &exit->before, XRW_REG_rcx, 64);
    if (exit->has_after) {
        xrw_text_add(text, " left ");
        xrw_text_add_register(text, &exit->after, XRW_REG_rcx, 64);
    }
}

void xrw_describe_io(struct xrw_text *text, const struct xrw_exit *exit, const struct xrw_io *io)
{
    xrw_text_add(text, "%s%s%s port 0x%x size %u", io->rep ? "REP " : "", io->in ? "IN" : "OUT",
                 io->string ? "S" : "", io->port, io->size);
    if (io->string) {
        add_io_string(text, exit, io->in, io->rep);
    } else if (!io->in) {
        xrw_text_add(text, " value ");
        xrw_text_add_register(text, &exit->before, XRW_REG_rax, 8 * io->size);
    } else if (xrw_answered(exit)) {
        xrw_text_add(text, " -> ");
        xrw_text_add_register(text, &exit->after, XRW_REG_rax, 8 * io->size);
    }
}

void xrw_describe_msr_number(struct xrw_text *text, bool known, uint64_t msr)
{
    xrw_text_add_hex(text, known, msr & UINT64_C(0xffffffff));
    if (known)
        xrw_text_add_name(text, xrw_msr_name((uint32_t)msr));
}

void xrw_describe_rdmsr(struct xrw_text *text, const struct xrw_exit *exit)
{
    xrw_text_add(text, "RDMSR ");
    xrw_describe_msr_number(text, exit->before.known[XRW_REG_rcx], exit->before.value[XRW_REG_rcx]);
    if (xrw_answered(exit)) {
        xrw_text_add(text, " -> ");
        xrw_text_add_edx_eax(text, &exit->after);
    }
}

void xrw_describe_wrmsr(struct xrw_text *text, const struct xrw_exit *exit)
{
    xrw_text_add(text, "WRMSR ");
    xrw_describe_msr_number(text, exit->before.known[XRW_REG_rcx], exit->before.value[XRW_REG_rcx]);
    xrw_text_add(text, " = ");
    xrw_text_add_edx_eax(text, &exit->before);
}

void xrw_describe_vmcall(struct xrw_text *text, const struct xrw_exit *exit)
{
    struct xrw_hypercall call = xrw_hypercall_convention(&exit->before);

    xrw_text_add(text, "hypercall ");
    xrw_text_add_register(text, &exit->before, XRW_REG_rax, call.bits);
    if (exit->before.known[XRW_REG_rax])
        xrw_text_add_name(
            text, xrw_hypercall_name(xrw_hypercall_value(&call, &exit->before, XRW_REG_rax)));
    for (size_t i = 0; i < XRW_HYPERCALL_ARGS; i++) {
        xrw_text_add(text, i ? ", " : " args ");
        xrw_text_add_register(text, &exit->before, call.arg[i], call.bits);
    }
    if (xrw_answered(exit)) {
        xrw_text_add(text, " -> ");
        xrw_text_add_register(text, &exit->after, XRW_REG_rax, call.bits);
    }
}

void xrw_describe_xsetbv(struct xrw_text *text, const struct xrw_exit *exit)
{
    xrw_text_add(text, "XSETBV xcr ");
    xrw_text_add_register(text, &exit->before, XRW_REG_rcx, 32);
    xrw_text_add(text, " = ");
    xrw_text_add_edx_eax(text, &exit->before);
}

void xrw_describe_tsc(struct xrw_text *text, const struct xrw_exit *exit)
{
    if (!xrw_answered(exit))
        return;
    xrw_text_add(text, "-> ");
    xrw_text_add_edx_eax(text, &exit->after);
    if (xrw_exit_basic_reason(exit) == XRW_VMX_RDTSCP ||
        xrw_exit_basic_reason(exit) == XRW_SVM_RDTSCP) {
        xrw_text_add(text, " aux ");
        xrw_text_add_register(text, &exit->after, XRW_REG_rcx, 32);
    }
}

void xrw_describe_rdpmc(struct xrw_text *text, const struct xrw_exit *exit)
{
    xrw_text_add(text, "RDPMC counter ");
    xrw_text_add_register(text, &exit->before, XRW_REG_rcx, 32);
    if (xrw_answered(exit)) {
        xrw_text_add(text, " -> ");
        xrw_text_add_edx_eax(text, &exit->after);
    }
}

void xrw_describe_hlt(struct xrw_text *text, const struct xrw_exit *exit)
{
    if (exit->before.known[XRW_REG_rflags])
        xrw_text_add(text, "HLT with interrupts %s",
                     exit->before.value[XRW_REG_rflags] & RFLAGS_IF ? "on" : "off");
}

void xrw_describe_monitor(struct xrw_text *text, const struct xrw_exit *exit)
{
    xrw_text_add(text, "MONITOR address ");
    xrw_text_add_register(text, &exit->before, XRW_REG_rax, 64);
}
