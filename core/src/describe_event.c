/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Source: Intel SDM, "VM-Exit Interruption Information"; AMD APM volume 2, "EXITINTINFO". */
#include "describe.h"
#include "xrw/names.h"

#define INFO_VALID (UINT64_C(1) << 31)
#define INFO_HAS_ERROR (UINT64_C(1) << 11)

enum { TYPE_HARDWARE_EXCEPTION = 3, TYPE_PRIVILEGED_EXCEPTION = 5, TYPE_SOFTWARE_EXCEPTION = 6 };

static unsigned info_type(uint64_t info)
{
    return (unsigned)(info >> 8) & 7;
}

bool xrw_event_is_exception(uint64_t info)
{
    unsigned type = info_type(info);

    return type == TYPE_HARDWARE_EXCEPTION || type == TYPE_PRIVILEGED_EXCEPTION ||
           type == TYPE_SOFTWARE_EXCEPTION;
}

void xrw_describe_event(struct xrw_text *text, const struct xrw_exit *exit,
                        enum xrw_exit_field info_field, enum xrw_exit_field error_field)
{
    static const char *const types[8] = {
        "external interrupt", "reserved",           "NMI",
        "exception",          "software interrupt", "privileged software exception",
        "software exception", "other event"};
    uint64_t info = exit->field[info_field];
    unsigned vector = (unsigned)info & 0xff;

    xrw_text_add(text, "%s vector %u", types[info_type(info)], vector);
    if (xrw_event_is_exception(info))
        xrw_text_add_name(text, xrw_exception_name(vector));
    if (info & INFO_HAS_ERROR) {
        xrw_text_add(text, " error ");
        xrw_text_add_field(text, exit, error_field);
    }
}

bool xrw_event_is_valid(const struct xrw_exit *exit, enum xrw_exit_field info_field)
{
    return exit->field_known[info_field] && exit->field[info_field] & INFO_VALID;
}

void xrw_describe_delivery(struct xrw_text *text, const struct xrw_exit *exit)
{
    if (!xrw_event_is_valid(exit, XRW_EXIT_idt_info))
        return;
    xrw_text_add(text, text->length ? ", while delivering " : "while delivering ");
    xrw_describe_event(text, exit, XRW_EXIT_idt_info, XRW_EXIT_idt_error);
}
