/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

void xrw_text_add(struct xrw_text *text, const char *format, ...)
{
    size_t used = text->length < text->bytes ? text->length : text->bytes;
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text->bytes ? text->start + used : NULL, text->bytes - used, format, args);
    va_end(args);
    if (n > 0)
        text->length += (size_t)n;
}

void xrw_text_add_hex(struct xrw_text *text, bool known, uint64_t value)
{
    if (known)
        xrw_text_add(text, "0x%" PRIx64, value);
    else
        xrw_text_add(text, "?");
}

void xrw_text_add_field(struct xrw_text *text, const struct xrw_exit *exit,
                        enum xrw_exit_field field)
{
    xrw_text_add_hex(text, exit->field_known[field], exit->field[field]);
}

void xrw_text_add_register(struct xrw_text *text, const struct xrw_registers *regs, unsigned reg,
                           unsigned bits)
{
    uint64_t mask = bits < 64 ? (UINT64_C(1) << bits) - 1 : UINT64_MAX;

    xrw_text_add_hex(text, regs->known[reg], regs->value[reg] & mask);
}

void xrw_text_add_edx_eax(struct xrw_text *text, const struct xrw_registers *regs)
{
    xrw_text_add_hex(text, regs->known[XRW_REG_rax] && regs->known[XRW_REG_rdx],
                     (regs->value[XRW_REG_rdx] << 32) |
                         (regs->value[XRW_REG_rax] & UINT64_C(0xffffffff)));
}

void xrw_text_add_name(struct xrw_text *text, const char *name)
{
    if (name)
        xrw_text_add(text, " (%s)", name);
}
