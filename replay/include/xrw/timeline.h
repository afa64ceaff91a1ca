/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Positions in a run, and moving between them.  A position is an exit of the run.  The host's own
 * exits (xrw_exit_is_host) are positions too, but hidden from moving unless asked for.
 */
#ifndef XRW_TIMELINE_H
#define XRW_TIMELINE_H

#include "xrw/error.h"
#include "xrw/exit.h"
#include "xrw/store.h"
#include "xrw/types.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct xrw_timeline;

/* Asked now and then during a search; true ends it with -EINTR. */
typedef bool (*xrw_interrupted)(void *ctx);

/*
 * Create a timeline over a run, at its first exit that is not hidden.  The store is borrowed and
 * must outlive it.  Returns 0; -ENOENT if there is no such run; -ENODATA if it has no exit;
 * -ENOMEM; or what the store reports.
 */
int xrw_timeline_create(struct xrw_store *store, uint64_t run, struct xrw_timeline **out,
                        struct xrw_error *err);
void xrw_timeline_destroy(struct xrw_timeline *timeline);

struct xrw_store *xrw_timeline_store(const struct xrw_timeline *timeline);

/* The run as last read; last_exit grows while a recorder is adding to it. */
const struct xrw_run *xrw_timeline_run(const struct xrw_timeline *timeline);

/*
 * Go to another run of the recording, to its first exit that is not hidden.  Returns as
 * xrw_timeline_create(); on failure nothing has changed.
 */
int xrw_timeline_set_run(struct xrw_timeline *timeline, uint64_t run, struct xrw_error *err);

/* The exit at the position.  Valid until the position changes. */
const struct xrw_exit *xrw_timeline_exit(const struct xrw_timeline *timeline);

/* Number of the exit at the position. */
xrw_exit_id xrw_timeline_position(const struct xrw_timeline *timeline);

/* Hide or show the host's own exits.  The position stays. */
void xrw_timeline_show_host_exits(struct xrw_timeline *timeline, bool show);
bool xrw_timeline_shows_host_exits(const struct xrw_timeline *timeline);

/*
 * Go to an exit, hidden or not.  Returns 0; -ERANGE if it is not in the run; what the store
 * reports.  On failure the position stays.
 */
int xrw_timeline_seek(struct xrw_timeline *timeline, xrw_exit_id exit, struct xrw_error *err);

/*
 * Find the nearest exit after (forward) or before `from`, itself excluded, that is not hidden and
 * matches the filter (NULL: any; its guest_only is overruled by what the timeline hides).  If limit
 * is not 0 the search ends there, inclusive.  At the end of a run that is still being recorded the
 * recording is looked at anew.  interrupted may be NULL.
 * Returns 1 with *exit, 0 if there is none, -EINTR, or what the store reports.
 */
int xrw_timeline_find(struct xrw_timeline *timeline, const struct xrw_exit_filter *filter,
                      xrw_exit_id from, bool forward, xrw_exit_id limit,
                      xrw_interrupted interrupted, void *ctx, xrw_exit_id *exit,
                      struct xrw_error *err);

/* See what has been recorded since.  Returns 0 or what the store reports. */
int xrw_timeline_refresh(struct xrw_timeline *timeline, struct xrw_error *err);

#ifdef __cplusplus
}
#endif
#endif
