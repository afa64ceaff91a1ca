/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Source: Intel SDM, "VM-Exit Information Fields"; "Local APIC" for the offsets. */
#include "vmx_describe.h"
#include "xrw/names.h"

#define INFO_VALID (UINT64_C(1) << 31)
#define INFO_HAS_ERROR (UINT64_C(1) << 11)

enum { TYPE_HARDWARE_EXCEPTION = 3, TYPE_PRIVILEGED_EXCEPTION = 5, TYPE_SOFTWARE_EXCEPTION = 6 };
enum { VECTOR_DB = 1, VECTOR_PF = 14 };

static unsigned info_type(uint64_t info)
{
    return (unsigned)(info >> 8) & 7;
}

static bool is_exception(uint64_t info)
{
    unsigned type = info_type(info);

    return type == TYPE_HARDWARE_EXCEPTION || type == TYPE_PRIVILEGED_EXCEPTION ||
           type == TYPE_SOFTWARE_EXCEPTION;
}

/* Interruption information, as of an exit or of IDT vectoring. */
static void add_interruption(struct xrw_text *text, const struct xrw_exit *exit,
                             enum xrw_exit_field info_field, enum xrw_exit_field error_field)
{
    static const char *const types[8] = {
        "external interrupt", "reserved",           "NMI",
        "exception",          "software interrupt", "privileged software exception",
        "software exception", "other event"};
    uint64_t info = exit->field[info_field];
    unsigned vector = (unsigned)info & 0xff;

    xrw_text_add(text, "%s vector %u", types[info_type(info)], vector);
    if (is_exception(info))
        xrw_text_add_name(text, xrw_exception_name(vector));
    if (info & INFO_HAS_ERROR) {
        xrw_text_add(text, " error ");
        xrw_text_add_field(text, exit, error_field);
    }
}

static bool is_valid(const struct xrw_exit *exit, enum xrw_exit_field info_field)
{
    return exit->field_known[info_field] && exit->field[info_field] & INFO_VALID;
}

void xrw_vmx_describe_interruption(struct xrw_text *text, const struct xrw_exit *exit)
{
    uint64_t info = exit->field[XRW_EXIT_intr_info];

    if (!is_valid(exit, XRW_EXIT_intr_info))
        return;
    add_interruption(text, exit, XRW_EXIT_intr_info, XRW_EXIT_intr_error);
    if (!is_exception(info))
        return;
    if ((info & 0xff) == VECTOR_PF) {
        xrw_text_add(text, " address ");
        xrw_text_add_field(text, exit, XRW_EXIT_qualification);
    } else if ((info & 0xff) == VECTOR_DB) {
        xrw_text_add(text, " dr6 bits ");
        xrw_text_add_field(text, exit, XRW_EXIT_qualification);
    }
}

void xrw_vmx_describe_idt_vectoring(struct xrw_text *text, const struct xrw_exit *exit)
{
    if (!is_valid(exit, XRW_EXIT_idt_info))
        return;
    xrw_text_add(text, text->length ? ", while delivering " : "while delivering ");
    add_interruption(text, exit, XRW_EXIT_idt_info, XRW_EXIT_idt_error);
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
