/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Source: Intel SDM, "VM-Exit Information Fields"; "Local APIC" for the offsets. */
#include "vmx_describe.h"
#include "xrw/names.h"

enum { VECTOR_DB = 1, VECTOR_PF = 14 };

void xrw_vmx_describe_interruption(struct xrw_text *text, const struct xrw_exit *exit)
{
    uint64_t info = exit->field[XRW_EXIT_intr_info];

    if (!xrw_event_is_valid(exit, XRW_EXIT_intr_info))
        return;
    xrw_describe_event(text, exit, XRW_EXIT_intr_info, XRW_EXIT_intr_error);
    if (!xrw_event_is_exception(info))
        return;
    if ((info & 0xff) == VECTOR_PF) {
        xrw_text_add(text, " address ");
        xrw_text_add_field(text, exit, XRW_EXIT_qualification);
    } else if ((info & 0xff) == VECTOR_DB) {
        xrw_text_add(text, " dr6 bits ");
        xrw_text_add_field(text, exit, XRW_EXIT_qualification);
    }
}

void xrw_vmx_describe_ept(struct xrw_text *text, const struct xrw_exit *exit)
{
    uint64_t q = exit->field[XRW_EXIT_qualification];

    xrw_text_add(text, "EPT");
    if (exit->field_known[XRW_EXIT_qualification])
        xrw_text_add(text, "%s%s%s", q & 1 ? " read" : "", q & 2 ? " write" : "",
                     q & 4 ? " fetch" : "");
    xrw_text_add(text, " gpa ");
    xrw_text_add_field(text, exit, XRW_EXIT_gpa);
    if (!exit->field_known[XRW_EXIT_qualification])
        return;
    if (q & 0x80) {
        xrw_text_add(text, " gla ");
        xrw_text_add_field(text, exit, XRW_EXIT_gla);
        if (!(q & 0x100)) /* else the access is to what gla translates to */
            xrw_text_add(text, " (page walk)");
    }
    if (q & 0x38)
        xrw_text_add(text, " entry %c%c%c", q & 8 ? 'r' : '-', q & 16 ? 'w' : '-',
                     q & 32 ? 'x' : '-');
    else
        xrw_text_add(text, " not present");
}

void xrw_vmx_describe_ept_misconfig(struct xrw_text *text, const struct xrw_exit *exit)
{
    xrw_text_add(text, "EPT misconfigured gpa ");
    xrw_text_add_field(text, exit, XRW_EXIT_gpa);
}

static void add_apic_register(struct xrw_text *text, uint64_t q)
{
    unsigned offset = (unsigned)q & 0xfff;

    xrw_text_add(text, " offset 0x%x", offset);
    xrw_text_add_name(text, xrw_lapic_register_name(offset));
}

void xrw_vmx_describe_apic_access(struct xrw_text *text, const struct xrw_exit *exit)
{
    static const char *const types[16] = {
        [0] = "read",
        [1] = "write",
        [2] = "fetch",
        [3] = "event delivery",
        [4] = "monitoring",
        [10] = "event delivery by physical address",
        [15] = "fetch by physical address",
    };
    uint64_t q = exit->field[XRW_EXIT_qualification];
    const char *type = types[(q >> 12) & 15];

    if (!exit->field_known[XRW_EXIT_qualification])
        return;
    xrw_text_add(text, "APIC %s", type ? type : "access of unknown type");
    if ((q >> 12 & 15) <= 3) /* others leave the offset undefined */
        add_apic_register(text, q);
}

void xrw_vmx_describe_apic_write(struct xrw_text *text, const struct xrw_exit *exit)
{
    if (!exit->field_known[XRW_EXIT_qualification])
        return;
    xrw_text_add(text, "APIC write");
    add_apic_register(text, exit->field[XRW_EXIT_qualification]);
}

void xrw_vmx_describe_task_switch(struct xrw_text *text, const struct xrw_exit *exit)
{
    static const char *const sources[4] = {"CALL", "IRET", "JMP", "task gate"};
    uint64_t q = exit->field[XRW_EXIT_qualification];

    if (exit->field_known[XRW_EXIT_qualification])
        xrw_text_add(text, "task switch to TSS 0x%x by %s", (unsigned)q & 0xffff,
                     sources[(q >> 30) & 3]);
}

void xrw_vmx_describe_vector(struct xrw_text *text, const struct xrw_exit *exit)
{
    if (exit->field_known[XRW_EXIT_qualification])
        xrw_text_add(text, "vector %u", (unsigned)exit->field[XRW_EXIT_qualification] & 0xff);
}

void xrw_vmx_describe_entry_failure(struct xrw_text *text, const struct xrw_exit *exit)
{
    bool msr = xrw_exit_basic_reason(exit) == XRW_VMX_MSR_LOADING;

    if (!exit->field_known[XRW_EXIT_qualification])
        return;
    xrw_text_add(text, msr ? "MSR-load entry " : "cause ");
    xrw_text_add_field(text, exit, XRW_EXIT_qualification);
}

void xrw_vmx_describe_notify(struct xrw_text *text, const struct xrw_exit *exit)
{
    if (exit->field_known[XRW_EXIT_qualification])
        xrw_text_add(text, exit->field[XRW_EXIT_qualification] & 1 ? "VM context is lost"
                                                                   : "VM context is intact");
}
