/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Source: Intel SDM, "Exit Qualification for ..." tables. */
#include "vmx_describe.h"
#include "xrw/names.h"

static bool qualification(const struct xrw_exit *exit, uint64_t *value)
{
    *value = exit->field[XRW_EXIT_qualification];
    return exit->field_known[XRW_EXIT_qualification];
}

void xrw_vmx_describe_io(struct xrw_text *text, const struct xrw_exit *exit)
{
    uint64_t q;

    if (!qualification(exit, &q))
        return;
    xrw_describe_io(text, exit,
                    &(struct xrw_io){.port = (unsigned)(q >> 16) & 0xffff,
                                     .size = (unsigned)(q & 7) + 1,
                                     .in = q & 8,
                                     .string = q & 16,
                                     .rep = (q & 48) == 48});
}

void xrw_vmx_describe_msr_imm(struct xrw_text *text, const struct xrw_exit *exit)
{
    bool read = xrw_exit_basic_reason(exit) == XRW_VMX_RDMSR_IMM;

    xrw_text_add(text, read ? "RDMSR " : "WRMSRNS ");
    xrw_describe_msr_number(text, exit->field_known[XRW_EXIT_qualification],
                            exit->field[XRW_EXIT_qualification]);
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
        if (xrw_answered(exit)) {
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
    if (xrw_answered(exit)) {
        xrw_text_add(text, " -> ");
        xrw_text_add_register(text, &exit->after, gpr, 64);
    }
}

void xrw_vmx_describe_invlpg(struct xrw_text *text, const struct xrw_exit *exit)
{
    xrw_text_add(text, "INVLPG address ");
    xrw_text_add_field(text, exit, XRW_EXIT_qualification);
}

void xrw_vmx_describe_mwait(struct xrw_text *text, const struct xrw_exit *exit)
{
    uint64_t q;

    xrw_text_add(text, "MWAIT hint ");
    xrw_text_add_register(text, &exit->before, XRW_REG_rax, 32);
    if (qualification(exit, &q))
        xrw_text_add(text, q & 1 ? ", monitor armed" : ", monitor not armed");
}
