/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xrw/timeline.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

struct xrw_timeline {
    struct xrw_store *store;
    struct xrw_run run;
    struct xrw_exit exit;
    bool host_exits;
};

static int first_position(struct xrw_timeline *timeline, struct xrw_error *err)
{
    xrw_exit_id first = timeline->run.first_exit;
    int ret;

    if (first > timeline->run.last_exit)
        return xrw_error_set(err, -ENODATA, "run %" PRIu64 " has no exit yet", timeline->run.id);
    ret = xrw_timeline_find(timeline, NULL, first - 1, true, 0, NULL, NULL, &first, err);
    if (ret < 0)
        return ret;
    return xrw_timeline_seek(timeline, first, err);
}

/* Read a run and go to its first position; what the timeline had is lost. */
static int open_run(struct xrw_timeline *timeline, uint64_t run, struct xrw_error *err)
{
    int ret = xrw_store_run(timeline->store, run, &timeline->run, err);

    if (ret == -ENOENT)
        return xrw_error_set(err, ret, "there is no run %" PRIu64 "; the recording has %" PRIu64,
                             run, xrw_store_run_count(timeline->store));
    return ret ? ret : first_position(timeline, err);
}

int xrw_timeline_create(struct xrw_store *store, uint64_t run, struct xrw_timeline **out,
                        struct xrw_error *err)
{
    struct xrw_timeline *timeline = calloc(1, sizeof *timeline);
    int ret;

    if (!timeline)
        return xrw_error_set(err, -ENOMEM, "out of memory");
    timeline->store = store;
    ret = open_run(timeline, run, err);
    if (ret) {
        xrw_timeline_destroy(timeline);
        return ret;
    }
    *out = timeline;
    return 0;
}

void xrw_timeline_destroy(struct xrw_timeline *timeline)
{
    free(timeline);
}

int xrw_timeline_set_run(struct xrw_timeline *timeline, uint64_t run, struct xrw_error *err)
{
    struct xrw_timeline other = *timeline;
    int ret = open_run(&other, run, err);

    if (!ret)
        *timeline = other;
    return ret;
}

struct xrw_store *xrw_timeline_store(const struct xrw_timeline *timeline)
{
    return timeline->store;
}

const struct xrw_run *xrw_timeline_run(const struct xrw_timeline *timeline)
{
    return &timeline->run;
}

const struct xrw_exit *xrw_timeline_exit(const struct xrw_timeline *timeline)
{
    return &timeline->exit;
}

xrw_exit_id xrw_timeline_position(const struct xrw_timeline *timeline)
{
    return timeline->exit.id;
}

void xrw_timeline_show_host_exits(struct xrw_timeline *timeline, bool show)
{
    timeline->host_exits = show;
}

bool xrw_timeline_shows_host_exits(const struct xrw_timeline *timeline)
{
    return timeline->host_exits;
}

int xrw_timeline_seek(struct xrw_timeline *timeline, xrw_exit_id exit, struct xrw_error *err)
{
    const struct xrw_run *run = &timeline->run;
    struct xrw_exit found;
    int ret;

    if (exit > run->last_exit) {
        ret = xrw_timeline_refresh(timeline, err);
        if (ret)
            return ret;
    }
    if (exit < run->first_exit || exit > run->last_exit)
        return xrw_error_set(err, -ERANGE,
                             "run %" PRIu64 " has exits %" PRIu64 " to %" PRIu64 ", not %" PRIu64,
                             run->id, run->first_exit, run->last_exit, exit);
    ret = xrw_store_exit(timeline->store, exit, &found, err);
    if (!ret)
        timeline->exit = found;
    return ret;
}

int xrw_timeline_refresh(struct xrw_timeline *timeline, struct xrw_error *err)
{
    struct xrw_run run;
    int ret;

    if (timeline->run.end_unix_ns)
        return 0;
    ret = xrw_store_refresh(timeline->store, err);
    if (!ret)
        ret = xrw_store_run(timeline->store, timeline->run.id, &run, err);
    if (!ret && run.last_exit >= timeline->run.last_exit)
        timeline->run = run;
    return ret;
}

/* One search over what is known of the run now. */
static int find(struct xrw_timeline *timeline, const struct xrw_exit_filter *filter,
                xrw_exit_id from, bool forward, xrw_exit_id limit, xrw_interrupted interrupted,
                void *ctx, xrw_exit_id *exit, struct xrw_error *err)
{
    struct xrw_exit_filter wanted = filter ? *filter : (struct xrw_exit_filter){0};
    xrw_exit_id first = timeline->run.first_exit, last = timeline->run.last_exit;

    wanted.guest_only = !timeline->host_exits;
    if (limit && forward && limit < last)
        last = limit;
    if (limit && !forward && limit > first)
        first = limit;
    return xrw_store_find_exit(timeline->store, &wanted, from, forward, first, last, interrupted,
                               ctx, exit, err);
}

int xrw_timeline_find(struct xrw_timeline *timeline, const struct xrw_exit_filter *filter,
                      xrw_exit_id from, bool forward, xrw_exit_id limit,
                      xrw_interrupted interrupted, void *ctx, xrw_exit_id *exit,
                      struct xrw_error *err)
{
    xrw_exit_id last = timeline->run.last_exit;
    int ret = find(timeline, filter, from, forward, limit, interrupted, ctx, exit, err);

    if (ret || !forward || (limit && limit <= last))
        return ret;
    ret = xrw_timeline_refresh(timeline, err);
    if (ret || timeline->run.last_exit == last)
        return ret;
    return find(timeline, filter, from > last ? from : last, forward, limit, interrupted, ctx, exit,
                err);
}
