/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filters of exits as people type them. */
#ifndef XRW_FILTER_H
#define XRW_FILTER_H

#include "xrw/error.h"
#include "xrw/store.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Narrow a filter: key "reason" (a name, any case, or a number), "rip" (ADDR or ADDR-ADDR,
 * inclusive, hexadecimal with or without 0x), "vcpu" (a number), or the name of a register (a
 * number, decimal or hexadecimal with 0x; of several the last).  Returns 0, or -EINVAL with err
 * saying what is wrong.
 */
int xrw_filter_set(struct xrw_exit_filter *filter, const char *key, const char *value,
                   struct xrw_error *err);

#ifdef __cplusplus
}
#endif
#endif
