/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A write watchpoint on recorded memory.
 *
 * Its value at a position is what a debugger reads there: through the page tables and CR3 of that
 * exit.  Positions at which the value is not known, or that stand in another address space in which
 * the range is not mapped, are passed over.  The watchpoint hits between two positions, next to
 * each other but for those passed over, whose values differ; becoming mapped or unmapped in one
 * address space is a difference.
 */
#ifndef XRW_WATCH_H
#define XRW_WATCH_H

#include "xrw/memory.h"
#include "xrw/timeline.h"

/* Longest range that can be watched. */
#define XRW_WATCH_MAX_BYTES 65536u

/* Address spaces whose view is remembered: those of a dozen processes, two each. */
#define XRW_WATCH_VIEWS 32u
/* Pages a view may depend on and still be remembered. */
#define XRW_WATCH_VIEW_PAGES 24u

enum xrw_view_kind { XRW_VIEW_UNKNOWN, XRW_VIEW_UNMAPPED, XRW_VIEW_KNOWN };

/* What is seen of the range in one address space, and for which exits that holds. */
struct xrw_view {
    enum xrw_view_kind kind;
    uint64_t root; /* which address space: CR3's table and the paging mode */
    uint8_t *value;
    bool lasting;   /* holds for the exits after `since` and before `until`, and at `at` */
    xrw_exit_id at; /* where it was read */
    xrw_exit_id since, until; /* exits */
};

struct xrw_watch {
    uint64_t address;
    size_t bytes;
    bool physical;
    struct xrw_view seen; /* at the last position that was not passed over */
    unsigned next_view;
    struct xrw_view view[XRW_WATCH_VIEWS];
};

/* Create or destroy; bytes 1 to XRW_WATCH_MAX_BYTES.  Returns 0, -EINVAL or -ENOMEM. */
int xrw_watch_create(uint64_t address, size_t bytes, bool physical, struct xrw_watch **out);
void xrw_watch_destroy(struct xrw_watch *watch);

/* Begin at a position: what is seen there is what later values are compared with. */
int xrw_watch_begin(struct xrw_watch *watch, struct xrw_memory *memory,
                    struct xrw_timeline *timeline, const struct xrw_exit *exit,
                    struct xrw_error *err);

/*
 * Look at the next position of a walk in either direction.  Returns 1 with *last, the position
 * before this one that was not passed over, if the value differs from the one there; 0 if not, or
 * if this one is passed over; what the store reports.
 */
int xrw_watch_look(struct xrw_watch *watch, struct xrw_memory *memory,
                   struct xrw_timeline *timeline, const struct xrw_exit *exit, xrw_exit_id *last,
                   struct xrw_error *err);

/* What an exit would be for the watchpoint. */
enum xrw_watch_steadiness {
    XRW_WATCH_MOVES,  /* a hit, or not known */
    XRW_WATCH_SAME,   /* the value that was seen last */
    XRW_WATCH_PASSED, /* passed over */
};

/*
 * What is seen of the range at an exit, without being there: one of enum xrw_watch_steadiness with
 * *end, the first exit in that direction for which it need not hold any more; or what the store
 * reports.  The exit's registers may be those of another address space.
 */
int xrw_watch_steady(struct xrw_watch *watch, struct xrw_memory *memory,
                     struct xrw_timeline *timeline, const struct xrw_exit *exit, bool forward,
                     xrw_exit_id *end, struct xrw_error *err);

#endif
