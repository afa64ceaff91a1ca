/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "leap.h"

#include "xrw/reason.h"

#include <errno.h>
#include <stdlib.h>

#define SPACES_MAX 4096u
/* Address spaces at once: each needs a view of its own. */
#define ALIVE_MAX (XRW_WATCH_VIEWS * 3 / 4)
#define NEAR 3u        /* exits that are sooner looked at than leapt over */
#define LOOK_BACK 32u  /* how far to look for the last exit that is not passed over */
#define PATIENCE 1024u /* longest pause after leaps that were not worth it */

struct xrw_leap {
    size_t count;
    xrw_exit_id known_to; /* last exit when the spaces were read; 0: not read */
    bool too_many;
    unsigned pause, skipped; /* walk so many exits before the next try; walked since */
    struct xrw_space space[SPACES_MAX];
};

struct xrw_leap *xrw_leap_create(void)
{
    return calloc(1, sizeof(struct xrw_leap));
}

void xrw_leap_destroy(struct xrw_leap *leap)
{
    free(leap);
}

void xrw_leap_begin(struct xrw_leap *leap)
{
    if (leap)
        leap->pause = leap->skipped = 0;
}

static int read_spaces(struct xrw_leap *leap, const struct xrw_leap_from *from,
                       struct xrw_error *err)
{
    xrw_exit_id last = xrw_timeline_run(from->timeline)->last_exit;
    struct xrw_space space;
    int ret = 0;

    if (leap->known_to == last)
        return 0;
    leap->count = 0;
    leap->known_to = 0;
    while (!ret && leap->count < SPACES_MAX) {
        ret = xrw_store_space(xrw_timeline_store(from->timeline), leap->count + 1, &space, NULL);
        if (!ret)
            leap->space[leap->count++] = space;
    }
    if (ret && ret != -ENOENT)
        return xrw_error_set(err, ret, "the address spaces cannot be read");
    leap->too_many = !ret;
    leap->known_to = last;
    return 0;
}

static void nearer(bool forward, xrw_exit_id *end, xrw_exit_id other)
{
    if (forward ? other < *end : other > *end)
        *end = other;
}

/* The exit as it would be in another address space. */
static void enter(struct xrw_exit *exit, const struct xrw_space *space)
{
    static const enum xrw_register registers[] = {XRW_REG_cr3, XRW_REG_cr0, XRW_REG_cr4,
                                                  XRW_REG_efer};

    for (size_t i = 0; i < sizeof registers / sizeof *registers; i++) {
        exit->before.known[registers[i]] = space->registers.known[registers[i]];
        exit->before.value[registers[i]] = space->registers.value[registers[i]];
    }
}

/* As long as what each watchpoint sees from there stays: 1 with *end brought nearer, 0 or error. */
static int all_steady(const struct xrw_leap_from *from, const struct xrw_exit *exit,
                      xrw_exit_id *end, struct xrw_error *err)
{
    for (size_t i = 0; i < from->count; i++) {
        xrw_exit_id until;
        int ret;

        if (!from->stoppers[i].watch)
            continue;
        ret = xrw_watch_steady(from->stoppers[i].watch, from->memory, from->timeline, exit,
                               from->forward, &until, err);
        if (ret < 0)
            return ret;
        if (ret == XRW_WATCH_MOVES)
            return 0;
        nearer(from->forward, end, until);
    }
    return 1;
}

/* The first exit that may be a hit: 1 with *end, 0 or an error. */
static int find_end(const struct xrw_leap *leap, const struct xrw_leap_from *from, xrw_exit_id *end,
                    struct xrw_error *err)
{
    struct xrw_exit exit;
    unsigned alive = 0;
    int ret = xrw_store_exit(xrw_timeline_store(from->timeline), from->cursor, &exit, err);

    if (ret)
        return ret;
    for (size_t i = 0; i < leap->count; i++) {
        const struct xrw_space *space = &leap->space[i];

        if (from->forward ? space->last_exit <= from->cursor : space->first_exit >= from->cursor)
            continue;
        if (from->forward ? space->first_exit > from->cursor : space->last_exit < from->cursor) {
            nearer(from->forward, end, from->forward ? space->first_exit : space->last_exit);
            continue;
        }
        if (++alive > ALIVE_MAX)
            return 0;
        enter(&exit, space);
        ret = all_steady(from, &exit, end, err);
        if (ret <= 0)
            return ret;
    }
    return 1;
}

/* Before `end`, the last exit that is passed over by no watchpoint; *to is that or as far as it
 * was looked for. */
static int last_seen(const struct xrw_leap_from *from, xrw_exit_id end, xrw_exit_id *to,
                     struct xrw_error *err)
{
    struct xrw_exit exit;
    xrw_exit_id at = end, ignored;
    int ret;

    for (unsigned i = 0; i < LOOK_BACK; i++) {
        bool seen = true;

        at = from->forward ? at - 1 : at + 1;
        if (at == from->cursor)
            break;
        ret = xrw_store_exit(xrw_timeline_store(from->timeline), at, &exit, err);
        if (!ret && !xrw_timeline_shows_host_exits(from->timeline) && xrw_exit_is_host(&exit))
            continue;
        for (size_t j = 0; ret >= 0 && j < from->count; j++)
            if (from->stoppers[j].watch) {
                ret = xrw_watch_steady(from->stoppers[j].watch, from->memory, from->timeline, &exit,
                                       from->forward, &ignored, err);
                seen = seen && ret == XRW_WATCH_SAME;
            }
        if (ret < 0)
            return ret;
        if (seen)
            break;
    }
    *to = at;
    return 0;
}

/* Leaps that bring nothing are tried less and less often. */
static void learn(struct xrw_leap *leap, bool worth_it)
{
    leap->skipped = 0;
    if (worth_it)
        leap->pause = 0;
    else
        leap->pause = leap->pause < PATIENCE ? 2 * leap->pause + 1 : PATIENCE;
}

int xrw_leap(struct xrw_leap *leap, const struct xrw_leap_from *from, xrw_exit_id *to,
             xrw_exit_id *end, struct xrw_error *err)
{
    const struct xrw_run *run = xrw_timeline_run(from->timeline);
    xrw_exit_id limit = from->forward ? run->last_exit + 1 : run->first_exit - 1, seen;
    int ret;

    if (!leap || leap->skipped++ < leap->pause || from->cursor < run->first_exit ||
        from->cursor > run->last_exit)
        return 0;
    ret = read_spaces(leap, from, err);
    if (ret || leap->too_many)
        return ret;
    ret = find_end(leap, from, &limit, err);
    if (ret < 0)
        return ret;
    if (!ret || (from->forward ? limit <= from->cursor + NEAR : limit + NEAR >= from->cursor)) {
        learn(leap, false);
        return 0;
    }
    ret = last_seen(from, limit, &seen, err);
    if (ret)
        return ret;
    learn(leap, true);
    *to = seen == from->cursor ? seen : from->forward ? seen - 1 : seen + 1;
    *end = limit;
    return 1;
}
