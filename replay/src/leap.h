/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far a search for watchpoints can go without looking: as long as in no address space that
 * exits are in anything changes that the watched ranges depend on.
 */
#ifndef XRW_LEAP_H
#define XRW_LEAP_H

#include "search.h"

struct xrw_leap;

/* NULL: no memory; then there are no leaps. */
struct xrw_leap *xrw_leap_create(void);
void xrw_leap_destroy(struct xrw_leap *leap);

struct xrw_leap_from {
    struct xrw_timeline *timeline;
    struct xrw_memory *memory;
    const struct xrw_stopper *stoppers;
    size_t count;
    bool forward;
    xrw_exit_id cursor; /* all up to here has been looked at */
};

/*
 * Find the next exit at which a watchpoint may hit.  1 with *to, the exit before the one that is to
 * be looked at next, and *end, which may hit; 0 if it cannot be said, or is near; or an error.
 */
int xrw_leap(struct xrw_leap *leap, const struct xrw_leap_from *from, xrw_exit_id *to,
             xrw_exit_id *end, struct xrw_error *err);

/* A search begins: try again. */
void xrw_leap_begin(struct xrw_leap *leap);

#endif
