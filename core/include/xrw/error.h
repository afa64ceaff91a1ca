/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why something failed, in words for a person. */
#ifndef XRW_ERROR_H
#define XRW_ERROR_H

#include <stdarg.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define XRW_PRINTF(fmt, first) __attribute__((__format__(__printf__, fmt, first)))
#else
#define XRW_PRINTF(fmt, first)
#endif

/* Caller-owned.  text is empty or one or two NUL-terminated lines without a final newline. */
struct xrw_error {
    char text[512];
};

/*
 * Store a formatted text (cut to fit) in err, which may be NULL.
 * Returns code, so that `return xrw_error_set(err, -EINVAL, "...")` reads well.
 */
int xrw_error_set(struct xrw_error *err, int code, const char *format, ...) XRW_PRINTF(3, 4);

#ifdef __cplusplus
}
#endif
#endif
