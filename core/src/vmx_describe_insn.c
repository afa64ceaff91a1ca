/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Source: Intel SDM, "Exit Qualification for ..." tables. */
#include "hypercall.h"
#include "vmx_describe.h"
#include "xrw/names.h"

#define RFLAGS_IF (UINT64_C(1) << 9)

static bool qualification(const struct xrw_exit *exit, uint64_t *value)
{
    *value = exit->field[XRW_EXIT_qualification];
    return exit->field_known[XRW_EXIT_qualification];
}

/* Whether there is an answer to print: the instruction was carried out. */
static bool answered(const struct xrw_exit *exit)
{
    return exit->has_after && !xrw_vmx_rip_stayed(exit);
}

void xrw_vmx_describe_cpuid(struct xrw_text *text, const struct xrw_exit *exit)
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
    for (size_t i = 0; answered(exit) && i < sizeof answers / sizeof *answers; i++) {
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

void xrw_vmx_describe_io(struct xrw_text *text, const struct xrw_exit *exit)
{
    uint64_t q;

    if (!qualification(exit, &q))
        return;
    unsigned size = (unsigned)(q & 7) + 1;
    bool in = q & 8, string = q & 16, rep = string && q & 32;

    xrw_text_add(text, "%s%s%s port 0x%x size %u", rep ? "REP " : "", in ? "IN" : "OUT",
                 string ? "S" : "", (unsigned)(q >> 16) & 0xffff, size);
    if (string) {
        add_io_string(text, exit, in, rep);
    } else if (!in) {
        xrw_text_add(text, " value ");
        xrw_text_add_register(text, &exit->before, XRW_REG_rax, 8 * size);
    } else if (answered(exit)) {
        xrw_text_add(text, " -> ");
        xrw_text_add_register(text, &exit->after, XRW_REG_rax, 8 * size);
    }
}

static void add_msr(struct xrw_text *text, bool known, uint64_t msr)
{
    xrw_text_add_hex(text, known, msr & UINT64_C(0xffffffff));
    if (known)
        xrw_text_add_name(text, xrw_msr_name((uint32_t)msr));
}

void xrw_vmx_describe_rdmsr(struct xrw_text *text, const struct xrw_exit *exit)
{
    xrw_text_add(text, "RDMSR ");
    add_msr(text, exit->before.known[XRW_REG_rcx], exit->before.value[XRW_REG_rcx]);
    if (answered(exit)) {
        xrw_text_add(text, " -> ");
        xrw_text_add_edx_eax(text, &exit->after);
    }
}

void xrw_vmx_describe_wrmsr(struct xrw_text *text, const struct xrw_exit *exit)
{
    xrw_text_add(text, "WRMSR ");
    add_msr(text, exit->before.known[XRW_REG_rcx], exit->before.value[XRW_REG_rcx]);
    xrw_text_add(text, " = ");
    xrw_text_add_edx_eax(text, &exit->before);
}

void xrw_vmx_describe_msr_imm(struct xrw_text *text, const struct xrw_exit *exit)
{
    bool read = xrw_exit_basic_reason(exit) == XRW_VMX_RDMSR_IMM;

    xrw_text_add(text, read ? "RDMSR " : "WRMSRNS ");
    add_msr(text, exit->field_known[XRW_EXIT_qualification], exit->field[XRW_EXIT_qualification]);
}

void xrw_vmx_describe_cr(struct xrw_text *text, const struct xrw_exit *exit)
{
    uint64_t q;

    if (!qualification(exit, &q))
        return;
    unsigned cr = (unsigned)q & 15, gpr = (unsigned)(q >> 8) & 15;

    switch ((q >> 4) & 3) {
    case 0:
        xrw_text_add(text, "cr%u = ", cr);
        xrw_text_add_register(text, &exit->before, gpr, 64);
        xrw_text_add_name(text, xrw_register_table[gpr].name);
        break;
    case 1:
        xrw_text_add(text, "read cr%u into %s", cr, xrw_register_table[gpr].name);
        if (answered(exit)) {
            xrw_text_add(text, " -> ");
            xrw_text_add_register(text, &exit->after, gpr, 64);
        }
        break;
    case 2:
        xrw_text_add(text, "CLTS");
        break;
    default:
        xrw_text_add(text, "LMSW 0x%x", (unsigned)(q >> 16) & 0xffff);
    }
}

void xrw_vmx_describe_dr(struct xrw_text *text, const struct xrw_exit *exit)
{
    uint64_t q;

    if (!qualification(exit, &q))
        return;
    unsigned dr = (unsigned)q & 7, gpr = (unsigned)(q >> 8) & 15;

    if (!(q & 16)) {
        xrw_text_add(text, "dr%u = ", dr);
        xrw_text_add_register(text, &exit->before, gpr, 64);
        xrw_text_add_name(text, xrw_register_table[gpr].name);
        return;
    }
    xrw_text_add(text, "read dr%u into %s", dr, xrw_register_table[gpr].name);
    if (answered(exit)) {
        xrw_text_add(text, " -> ");
        xrw_text_add_register(text, &exit->after, gpr, 64);
    }
}

void xrw_vmx_describe_vmcall(struct xrw_text *text, const struct xrw_exit *exit)
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
    if (answered(exit)) {
        xrw_text_add(text, " -> ");
        xrw_text_add_register(text, &exit->after, XRW_REG_rax, call.bits);
    }
}

void xrw_vmx_describe_xsetbv(struct xrw_text *text, const struct xrw_exit *exit)
{
    xrw_text_add(text, "XSETBV xcr ");
    xrw_text_add_register(text, &exit->before, XRW_REG_rcx, 32);
    xrw_text_add(text, " = ");
    xrw_text_add_edx_eax(text, &exit->before);
}

void xrw_vmx_describe_tsc(struct xrw_text *text, const struct xrw_exit *exit)
{
    if (!answered(exit))
        return;
    xrw_text_add(text, "-> ");
    xrw_text_add_edx_eax(text, &exit->after);
    if (xrw_exit_basic_reason(exit) == XRW_VMX_RDTSCP) {
        xrw_text_add(text, " aux ");
        xrw_text_add_register(text, &exit->after, XRW_REG_rcx, 32);
    }
}

void xrw_vmx_describe_rdpmc(struct xrw_text *text, const struct xrw_exit *exit)
{
    xrw_text_add(text, "RDPMC counter ");
    xrw_text_add_register(text, &exit->before, XRW_REG_rcx, 32);
    if (answered(exit)) {
        xrw_text_add(text, " -> ");
        xrw_text_add_edx_eax(text, &exit->after);
    }
}

void xrw_vmx_describe_hlt(struct xrw_text *text, const struct xrw_exit *exit)
{
    if (exit->before.known[XRW_REG_rflags])
        xrw_text_add(text, "HLT with interrupts %s",
                     exit->before.value[XRW_REG_rflags] & RFLAGS_IF ? "on" : "off");
}

void xrw_vmx_describe_invlpg(struct xrw_text *text, const struct xrw_exit *exit)
{
    xrw_text_add(text, "INVLPG address ");
    xrw_text_add_field(text, exit, XRW_EXIT_qualification);
}

void xrw_vmx_describe_monitor(struct xrw_text *text, const struct xrw_exit *exit)
{
    xrw_text_add(text, "MONITOR address ");
    xrw_text_add_register(text, &exit->before, XRW_REG_rax, 64);
}

void xrw_vmx_describe_mwait(struct xrw_text *text, const struct xrw_exit *exit)
{
    uint64_t q;

    xrw_text_add(text, "MWAIT hint ");
    xrw_text_add_register(text, &exit->before, XRW_REG_rax, 32);
    if (qualification(exit, &q))
        xrw_text_add(text, q & 1 ? ", monitor armed" : ", monitor not armed");
}
