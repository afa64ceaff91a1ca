/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the Xen source and its capture modes share. */
#ifndef XRW_RECORDER_XEN_SOURCE_H
#define XRW_RECORDER_XEN_SOURCE_H

#include "xen.h"

struct xen_mode;

struct xen_source {
    const struct xrw_record_options *options;
    struct xen_calls xen;
    struct xen_target target;
    const struct xen_mode *mode; /* NULL: not chosen yet */
    bool has_details;            /* exits say more than stock Xen's */
    struct xen_monitor monitor;
    struct xen_decoder decoder;
    uint32_t looked;   /* number of the request on the ring that is looked at next */
    uint64_t taken_ns; /* when the requests were taken from it */
    struct xen_memory domains;
    struct memory *memory; /* NULL: not wanted */
    bool behind;           /* exits went by since memory was looked at */
    bool still;            /* several vCPUs are paused by us, to be looked at */
    bool may_have_ended;   /* with the last exit */
    bool no_hold;          /* not at the next exit: it repeats the last one */
    uint8_t *context;
};

/* How exits are taken; functions return what those of struct source_ops do. */
struct xen_mode {
    unsigned event_mode; /* of vmexit_abi.h */
    bool holds_always;
    int (*next)(struct xen_source *s, unsigned timeout_ms, uint64_t hold_in,
                struct source_exit *out, struct xrw_error *err);
    int (*resume)(struct xen_source *s, struct xrw_error *err);
};

extern const struct xen_mode xen_mode_pause, xen_mode_async, xen_mode_sync;

/*
 * The next VM exit that is on the ring, without its answer: SOURCE_EXIT, or SOURCE_TIMEOUT if
 * nothing came.  *held: the event says that the vCPU is, after the exit was handled.
 */
int xen_source_event(struct xen_source *s, unsigned timeout_ms, struct source_exit *out, bool *held,
                     struct xrw_error *err);

/* One vCPU is held: see that the others, if there are any, stand still too; let them go on. */
int xen_source_still(struct xen_source *s, struct xrw_error *err);
int xen_source_move(struct xen_source *s, struct xrw_error *err);

/* The guest stands at this exit: look for its private pages. */
int xen_source_look(struct xen_source *s, const struct xrw_exit *exit, struct xrw_error *err);

/* As those of struct source_ops. */
int xen_source_reset(struct xen_source *s, source_page page, void *page_ctx, struct xrw_error *err);
int xen_source_reset_fork(struct xen_source *s, bool ended, struct xrw_error *err);

/*
 * A new vCPU exits once when it can take an interrupt, for Xen to find that there is none.  In sync
 * mode Xen would not, and the exit come again for ever: let it happen, and reset the fork.
 */
int xen_source_settle(struct xen_source *s, struct xrw_error *err);

int xen_source_write(struct xen_source *s, const struct source_write *write, source_page page,
                     void *page_ctx, struct xrw_error *err);

#endif
