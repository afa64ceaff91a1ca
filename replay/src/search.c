/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "search.h"

#include "leap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SLICE_NS 20000000u
/* Exits looked at between two looks at the clock: one by one, with watchpoints; or by index, if
 * there is one, and then as many as take a part of a slice. */
#define WINDOW_WALKED 8u
#define WINDOW_MIN 256u
#define WINDOW_MAX (UINT64_C(1) << 32)
/* How far to look behind the start for a value to compare with, if it is not known there. */
#define LOOK_BEHIND 16u

struct xrw_search {
    struct xrw_timeline *timeline;
    struct xrw_memory *memory;
    size_t count;
    size_t watches;
    struct xrw_stopper stopper[XRW_STOPPERS_MAX];
    struct xrw_search_request request;
    xrw_exit_id cursor; /* all up to here has been looked at */
    uint64_t window;    /* of the next look by index */
    struct xrw_leap *leap;
    xrw_conditions_hold hold;
    void *hold_ctx;
};

int xrw_search_create(struct xrw_timeline *timeline, struct xrw_memory *memory,
                      struct xrw_search **out)
{
    struct xrw_search *search = calloc(1, sizeof *search);

    if (!search)
        return -ENOMEM;
    search->timeline = timeline;
    search->memory = memory;
    search->leap = xrw_leap_create();
    search->window = WINDOW_MIN;
    *out = search;
    return 0;
}

void xrw_search_destroy(struct xrw_search *search)
{
    if (search) {
        xrw_search_clear(search);
        xrw_leap_destroy(search->leap);
    }
    free(search);
}

static struct xrw_stopper *find_stopper(struct xrw_search *search, enum xrw_stopper_kind kind,
                                        uint64_t address, uint64_t bytes)
{
    for (size_t i = 0; i < search->count; i++) {
        struct xrw_stopper *s = &search->stopper[i];

        if (s->kind == kind && s->address == address &&
            (kind != XRW_STOPPER_WRITE || s->bytes == bytes))
            return s;
    }
    return NULL;
}

void xrw_search_set_conditions(struct xrw_search *search, xrw_conditions_hold hold, void *ctx)
{
    search->hold = hold;
    search->hold_ctx = ctx;
}

static int set_conditions(struct xrw_stopper *stopper, const struct gdbstub_conditions *conditions)
{
    struct gdbstub_conditions own = {NULL, conditions ? conditions->size : 0};

    if (own.size) {
        uint8_t *copy = malloc(own.size);

        if (!copy)
            return -ENOMEM;
        own.bytes = memcpy(copy, conditions->bytes, own.size);
    }
    free((void *)stopper->conditions.bytes);
    stopper->conditions = own;
    return 0;
}

static void drop(struct xrw_stopper *stopper)
{
    xrw_watch_destroy(stopper->watch);
    free((void *)stopper->conditions.bytes);
}

int xrw_search_insert(struct xrw_search *search, enum xrw_stopper_kind kind, uint64_t address,
                      uint64_t bytes, bool physical, const struct gdbstub_conditions *conditions)
{
    struct xrw_stopper stopper = {.kind = kind, .address = address, .bytes = bytes};
    struct xrw_stopper *known = find_stopper(search, kind, address, bytes);
    int ret;

    if (known)
        return set_conditions(known, conditions);
    if (search->count == XRW_STOPPERS_MAX)
        return -ENOSPC;
    ret = set_conditions(&stopper, conditions);
    if (!ret && kind == XRW_STOPPER_WRITE)
        ret = bytes > XRW_WATCH_MAX_BYTES
                  ? -EINVAL
                  : xrw_watch_create(address, (size_t)bytes, physical, &stopper.watch);
    if (ret) {
        drop(&stopper);
        return ret;
    }
    search->watches += kind == XRW_STOPPER_WRITE;
    search->stopper[search->count++] = stopper;
    return 0;
}

void xrw_search_remove(struct xrw_search *search, enum xrw_stopper_kind kind, uint64_t address,
                       uint64_t bytes)
{
    struct xrw_stopper *stopper = find_stopper(search, kind, address, bytes);

    if (!stopper)
        return;
    search->watches -= stopper->watch != NULL;
    drop(stopper);
    *stopper = search->stopper[--search->count];
}

void xrw_search_clear(struct xrw_search *search)
{
    for (size_t i = 0; i < search->count; i++)
        drop(&search->stopper[i]);
    search->count = search->watches = 0;
}

/* ---- beginning --------------------------------------------------------- */

static int begin_watch(struct xrw_search *search, struct xrw_watch *watch, struct xrw_error *err)
{
    xrw_exit_id at = xrw_timeline_position(search->timeline);
    struct xrw_exit exit = *xrw_timeline_exit(search->timeline);
    int ret = xrw_watch_begin(watch, search->memory, search->timeline, &exit, err);

    for (unsigned i = 0; !ret && watch->seen.kind == XRW_VIEW_UNKNOWN && i < LOOK_BEHIND; i++) {
        ret = xrw_timeline_find(search->timeline, NULL, at, !search->request.forward, 0, NULL, NULL,
                                &at, err);
        if (ret <= 0)
            break;
        ret = xrw_store_exit(xrw_timeline_store(search->timeline), at, &exit, err);
        if (!ret)
            ret = xrw_watch_begin(watch, search->memory, search->timeline, &exit, err);
    }
    return ret < 0 ? ret : 0;
}

int xrw_search_begin(struct xrw_search *search, const struct xrw_search_request *request,
                     struct xrw_error *err)
{
    int ret = 0;

    search->request = *request;
    search->cursor = xrw_timeline_position(search->timeline);
    xrw_leap_begin(search->leap);
    for (size_t i = 0; !ret && i < search->count; i++)
        if (search->stopper[i].watch)
            ret = begin_watch(search, search->stopper[i].watch, err);
    return ret;
}

/* ---- searching --------------------------------------------------------- */

static bool holds(const struct xrw_search *search, const struct xrw_stopper *stopper,
                  const struct xrw_exit *exit)
{
    return !stopper->conditions.size || !search->hold ||
           search->hold(search->hold_ctx, &stopper->conditions, exit);
}

static struct xrw_stopper *breakpoint_at(struct xrw_search *search, const struct xrw_exit *exit)
{
    struct xrw_stopper *found = NULL;

    if (!exit->before.known[XRW_REG_rip])
        return NULL;
    for (size_t i = 0; i < search->count && !found; i++)
        if (!search->stopper[i].watch &&
            search->stopper[i].address == exit->before.value[XRW_REG_rip] &&
            holds(search, &search->stopper[i], exit))
            found = &search->stopper[i];
    return found;
}

/* Stand at an exit and say why. */
static int arrive(struct xrw_search *search, xrw_exit_id at, enum xrw_hit_kind kind,
                  const struct xrw_stopper *stopper, struct xrw_hit *hit, struct xrw_error *err)
{
    int ret = xrw_timeline_seek(search->timeline, at, err);

    if (ret)
        return ret;
    hit->kind = kind;
    if (stopper)
        hit->stopper = *stopper;
    return 1;
}

/* No position is left in this direction: the last of them is where it ends. */
static int end_of_history(struct xrw_search *search, struct xrw_hit *hit, struct xrw_error *err)
{
    const struct xrw_run *run = xrw_timeline_run(search->timeline);
    xrw_exit_id at = xrw_timeline_position(search->timeline), edge;
    xrw_exit_id beyond = search->request.forward ? run->last_exit + 1 : run->first_exit - 1;
    int ret = xrw_timeline_find(search->timeline, NULL, beyond, !search->request.forward, 0, NULL,
                                NULL, &edge, err);

    if (ret < 0)
        return ret;
    /* The edge may lie behind, if the search began at a hidden exit: then it does not move. */
    if (!ret || (search->request.forward ? edge < at : edge > at))
        edge = at;
    return arrive(search, edge, search->request.forward ? XRW_HIT_END : XRW_HIT_BEGIN, NULL, hit,
                  err);
}

/* The nearest exit up to limit at which a breakpoint is, whatever its conditions.  Returns 1 with
 * *found, 0 or an error. */
static int nearest_breakpoint(struct xrw_search *search, xrw_exit_id limit, xrw_exit_id *found,
                              struct xrw_error *err)
{
    int any = 0;

    for (size_t i = 0; i < search->count; i++) {
        const struct xrw_stopper *s = &search->stopper[i];
        struct xrw_exit_filter filter = {
            .by_rip = true, .rip_first = s->address, .rip_last = s->address};
        int ret;

        if (s->watch)
            continue;
        ret = xrw_timeline_find(search->timeline, &filter, search->cursor, search->request.forward,
                                limit, NULL, NULL, found, err);
        if (ret < 0)
            return ret;
        if (ret) {
            any = 1;
            limit = *found;
        }
    }
    return any;
}

/* Look at all watchpoints at one position, so that each has seen it; the first hit counts. */
static int look(struct xrw_search *search, const struct xrw_exit *exit,
                const struct xrw_stopper **stopper, xrw_exit_id *last, struct xrw_error *err)
{
    int hit = 0;

    for (size_t i = 0; i < search->count; i++) {
        xrw_exit_id seen;
        int ret;

        if (!search->stopper[i].watch)
            continue;
        ret = xrw_watch_look(search->stopper[i].watch, search->memory, search->timeline, exit,
                             &seen, err);
        if (ret < 0)
            return ret;
        if (ret && !hit) {
            hit = 1;
            *stopper = &search->stopper[i];
            *last = seen;
        }
    }
    return hit;
}

/* A watchpoint hit: forward after the change, backward before it. */
static int arrive_watch(struct xrw_search *search, xrw_exit_id at, xrw_exit_id last,
                        const struct xrw_stopper *stopper, struct xrw_hit *hit,
                        struct xrw_error *err)
{
    hit->older = search->request.forward ? last : at;
    hit->newer = search->request.forward ? at : last;
    return arrive(search, at, XRW_HIT_WATCHPOINT, stopper, hit, err);
}

/* A step over a range stops at what lies beyond, and at breakpoints within. */
static bool ranged(const struct xrw_search *search)
{
    return search->request.range_end > search->request.range_first;
}

static bool in_range(const struct xrw_search *search, const struct xrw_exit *exit)
{
    return ranged(search) && exit->before.known[XRW_REG_rip] &&
           exit->before.value[XRW_REG_rip] - search->request.range_first <
               search->request.range_end - search->request.range_first;
}

/* Pass over exits at which no watchpoint can hit and no breakpoint is.  Returns 0 or an error. */
static int leap(struct xrw_search *search, struct xrw_error *err)
{
    const struct xrw_leap_from from = {search->timeline, search->memory,          search->stopper,
                                       search->count,    search->request.forward, search->cursor};
    xrw_exit_id to, end, found;
    int ret = search->request.step || ranged(search) ? 0 : xrw_leap(search->leap, &from, &to, &end, err);

    if (ret <= 0)
        return ret;
    if (search->count > search->watches) {
        ret = nearest_breakpoint(search, from.forward ? end - 1 : end + 1, &found, err);
        if (ret < 0)
            return ret;
        if (ret && (from.forward ? found <= to : found >= to))
            to = from.forward ? found - 1 : found + 1;
    }
    search->cursor = to;
    return 0;
}

/* Go one position on.  Returns 1 with *hit, 0 if there was nothing, or an error. */
static int walk(struct xrw_search *search, struct xrw_hit *hit, struct xrw_error *err)
{
    const struct xrw_stopper *stopper = NULL;
    struct xrw_exit exit;
    xrw_exit_id at, last = 0;
    const struct xrw_exit_filter filter = {.by_vcpu = search->request.one_vcpu,
                                           .vcpu = search->request.vcpu};
    int ret = leap(search, err);

    if (!ret)
        ret = xrw_timeline_find(search->timeline, &filter, search->cursor, search->request.forward,
                                0, NULL, NULL, &at, err);
    if (!ret)
        return end_of_history(search, hit, err);
    if (ret > 0)
        ret = xrw_store_exit(xrw_timeline_store(search->timeline), at, &exit, err);
    if (!ret)
        ret = look(search, &exit, &stopper, &last, err);
    if (ret < 0)
        return ret;
    search->cursor = at;
    if (ret)
        return arrive_watch(search, at, last, stopper, hit, err);
    stopper = search->request.step && !ranged(search) ? NULL : breakpoint_at(search, &exit);
    if (stopper)
        return arrive(search, at, XRW_HIT_BREAKPOINT, stopper, hit, err);
    return search->request.step && !in_range(search, &exit)
               ? arrive(search, at, XRW_HIT_STEP, NULL, hit, err)
               : 0;
}

/* Skip to the next breakpoint by index.  As walk(). */
static int skip(struct xrw_search *search, struct xrw_hit *hit, struct xrw_error *err)
{
    const struct xrw_run *run = xrw_timeline_run(search->timeline);
    const struct xrw_stopper *stopper;
    xrw_exit_id limit, found = 0;
    struct xrw_exit exit;
    int ret;

    if (search->request.forward) {
        if (search->cursor >= run->last_exit && (ret = xrw_timeline_refresh(search->timeline, err)))
            return ret;
        if (search->cursor >= run->last_exit)
            return end_of_history(search, hit, err);
        limit = run->last_exit - search->cursor > search->window ? search->cursor + search->window
                                                                 : run->last_exit;
    } else {
        if (search->cursor <= run->first_exit)
            return end_of_history(search, hit, err);
        limit = search->cursor - run->first_exit > search->window ? search->cursor - search->window
                                                                  : run->first_exit;
    }
    ret = nearest_breakpoint(search, limit, &found, err);
    if (ret < 0)
        return ret;
    search->cursor = ret ? found : limit;
    if (!ret)
        return 0;
    ret = xrw_store_exit(xrw_timeline_store(search->timeline), found, &exit, err);
    if (ret)
        return ret;
    stopper = breakpoint_at(search, &exit);
    return stopper ? arrive(search, found, XRW_HIT_BREAKPOINT, stopper, hit, err) : 0;
}

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Look as far at once as takes a part of a slice, so that an interrupt never waits for long. */
static int skip_timed(struct xrw_search *search, struct xrw_hit *hit, struct xrw_error *err)
{
    uint64_t begun = now_ns(), took;
    int ret = skip(search, hit, err);

    took = now_ns() - begun;
    if (took < SLICE_NS / 8 && search->window < WINDOW_MAX)
        search->window *= 2;
    else if (took > SLICE_NS / 2 && search->window > WINDOW_MIN)
        search->window /= 2;
    return ret;
}

int xrw_search_slice(struct xrw_search *search, struct xrw_hit *hit, struct xrw_error *err)
{
    bool by_index = !search->watches && !search->request.step;
    uint64_t end = now_ns() + SLICE_NS;
    struct xrw_hit found = {0};
    int ret = 0;

    if (search->request.here) {
        const struct xrw_exit *exit = xrw_timeline_exit(search->timeline);
        const struct xrw_stopper *stopper = breakpoint_at(search, exit);

        search->request.here = false;
        if (stopper)
            ret = arrive(search, exit->id, XRW_HIT_BREAKPOINT, stopper, &found, err);
    }
    while (!ret && now_ns() < end)
        for (unsigned i = 0; !ret && i < (by_index ? 1 : WINDOW_WALKED); i++)
            ret = by_index ? skip_timed(search, &found, err) : walk(search, &found, err);
    if (ret > 0)
        *hit = found;
    return ret;
}
