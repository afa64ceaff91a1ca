/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Arguments of monitor commands. */
#ifndef XRW_MONITOR_ARGS_H
#define XRW_MONITOR_ARGS_H

#include "xrw/error.h"
#include "xrw/store.h"

#include <stddef.h>
#include <stdint.h>

/* A whole number, decimal or 0x hexadecimal, and nothing else.  0 or -EINVAL. */
int xrw_parse_number(const char *text, uint64_t *number);

/* Up to count numbers with blanks between; those not given stay.  Returns how many were given, or
 * -EINVAL. */
int xrw_parse_numbers(const char *text, uint64_t *numbers, int count);

/* "reason=NAME rip=ADDR[-ADDR] vcpu=N", each optional.  0 or -EINVAL with err. */
int xrw_parse_filter(const char *text, struct xrw_exit_filter *filter, struct xrw_error *err);

#endif
