/* SPDX-License-Identifier: MIT */
#include "gdbstub.h"

#include <stdarg.h>
#include <stdio.h>

void gdbstub_reason_set(struct gdbstub_reason *reason, const char *format, ...)
{
    if (!reason)
        return;

    va_list args;
    va_start(args, format);
    vsnprintf(reason->text, sizeof(reason->text), format, args);
    va_end(args);
}
