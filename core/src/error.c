/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xrw/error.h"

#include <stdio.h>

int xrw_error_set(struct xrw_error *err, int code, const char *format, ...)
{
    va_list args;

    if (!err)
        return code;
    va_start(args, format);
    (void)vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    return code;
}
