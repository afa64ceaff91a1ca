/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Building a description in a buffer that may be too small. */
#ifndef XRW_CORE_TEXT_H
#define XRW_CORE_TEXT_H

#include "xrw/error.h"
#include "xrw/exit.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A bounded text that goes on counting when it is full, as snprintf does. */
struct xrw_text {
    char *start;
    size_t bytes;  /* of the buffer */
    size_t length; /* the text would have, given room */
};

void xrw_text_add(struct xrw_text *text, const char *format, ...) XRW_PRINTF(2, 3);

/* A value in hex, or "?" where it is not known. */
void xrw_text_add_hex(struct xrw_text *text, bool known, uint64_t value);

/* A field of an exit, raw. */
void xrw_text_add_field(struct xrw_text *text, const struct xrw_exit *exit,
                        enum xrw_exit_field field);

/* The low bits of a register.  reg: an enum xrw_register, or a GPR's number in an encoding. */
void xrw_text_add_register(struct xrw_text *text, const struct xrw_registers *regs, unsigned reg,
                           unsigned bits);

/* EDX:EAX as one value. */
void xrw_text_add_edx_eax(struct xrw_text *text, const struct xrw_registers *regs);

/* A name in brackets after what it names; nothing if name is NULL. */
void xrw_text_add_name(struct xrw_text *text, const char *name);

#endif
