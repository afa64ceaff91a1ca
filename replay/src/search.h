/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Going on, in either direction, until something that was asked for. */
#ifndef XRW_SEARCH_H
#define XRW_SEARCH_H

#include "gdbstub.h"
#include "watch.h"
#include "xrw/memory.h"
#include "xrw/timeline.h"

/* Breakpoints and watchpoints together; gdb itself works with far fewer. */
#define XRW_STOPPERS_MAX 1024u

enum xrw_stopper_kind {
    XRW_STOPPER_SOFTWARE, /* breakpoints: an exit with that rip; the two differ in name alone */
    XRW_STOPPER_HARDWARE,
    XRW_STOPPER_WRITE, /* watchpoint */
};

struct xrw_stopper {
    enum xrw_stopper_kind kind;
    uint64_t address;
    uint64_t bytes;                       /* of a watchpoint */
    struct xrw_watch *watch;              /* of a watchpoint */
    struct gdbstub_conditions conditions; /* of a breakpoint; the bytes are the search's */
};

enum xrw_hit_kind {
    XRW_HIT_STEP,
    XRW_HIT_BREAKPOINT,
    XRW_HIT_WATCHPOINT,
    XRW_HIT_BEGIN, /* nothing before */
    XRW_HIT_END,   /* nothing after */
};

struct xrw_hit {
    enum xrw_hit_kind kind;
    struct xrw_stopper stopper; /* a copy: what was hit */
    xrw_exit_id older, newer;   /* watchpoint: the value changed after `older`, up to `newer` */
};

struct xrw_search;

/* The timeline and memory are borrowed.  Returns 0 or -ENOMEM. */
int xrw_search_create(struct xrw_timeline *timeline, struct xrw_memory *memory,
                      struct xrw_search **out);
void xrw_search_destroy(struct xrw_search *search);

/* Whether the conditions of a breakpoint hold at an exit, where the timeline does not stand. */
typedef bool (*xrw_conditions_hold)(void *ctx, const struct gdbstub_conditions *conditions,
                                    const struct xrw_exit *exit);

/* Without this, breakpoints with conditions are hit as others are. */
void xrw_search_set_conditions(struct xrw_search *search, xrw_conditions_hold hold, void *ctx);

/* Insert or remove; both tolerate repetition, and an insertion replaces the conditions of the one
 * before (NULL: none; copied).  Return 0, -ENOMEM, -EINVAL for a watchpoint of no or too great a
 * length, -ENOSPC for too many. */
int xrw_search_insert(struct xrw_search *search, enum xrw_stopper_kind kind, uint64_t address,
                      uint64_t bytes, bool physical, const struct gdbstub_conditions *conditions);
void xrw_search_remove(struct xrw_search *search, enum xrw_stopper_kind kind, uint64_t address,
                       uint64_t bytes);
void xrw_search_clear(struct xrw_search *search);

struct xrw_search_request {
    bool forward;
    bool step;     /* end at the next position, whatever it is */
    bool here;     /* a breakpoint at the position itself is a hit */
    bool one_vcpu; /* pass over the exits of all vCPUs but this; with step only */
    uint32_t vcpu;
    uint64_t range_first,
        range_end; /* a step goes on while rip is in [first, end): both 0, or gdb's line */
};

/* Begin at the timeline's position.  Returns 0 or what the store reports. */
int xrw_search_begin(struct xrw_search *search, const struct xrw_search_request *request,
                     struct xrw_error *err);

/*
 * Search on for some milliseconds.  Returns 1 with *hit, the timeline standing there; 0 to be
 * called again; what the store reports, the timeline then standing where the search began.
 */
int xrw_search_slice(struct xrw_search *search, struct xrw_hit *hit, struct xrw_error *err);

#endif
