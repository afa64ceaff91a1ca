/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Searches that skip by index and remember what they saw, against a walk that does neither. */
#include "history.h"
#include "search.h"

#include "xrw/reason.h"

#include <errno.h>
#include <string.h>

#define EXITS 160u
#define WATCH_BYTES_MAX 8u
#define LOOK_BEHIND 16 /* as in search.c */

struct seen {
    enum xrw_view_kind kind;
    uint64_t root;
    uint8_t value[WATCH_BYTES_MAX];
};

struct world {
    struct history history;
    struct xrw_timeline *timeline;
    struct xrw_memory *memory;
    struct xrw_search *search;
    struct xrw_exit exit[EXITS + 1];
    struct xrw_error err;
};

static bool divides(void *ctx, const struct gdbstub_conditions *conditions,
                    const struct xrw_exit *exit)
{
    (void)ctx;
    assert_int_equal(conditions->size, 1);
    return exit->id % *conditions->bytes == 0;
}

static void open_world(struct world *world, uint64_t seed, enum xrw_memory_policy policy)
{
    history_make(&world->history, seed, EXITS, policy);
    assert_done(xrw_timeline_create(world->history.store, 1, &world->timeline, &world->err),
                world->err);
    assert_int_equal(
        xrw_memory_create(world->history.store, xrw_timeline_run(world->timeline), &world->memory),
        0);
    assert_int_equal(xrw_search_create(world->timeline, world->memory, &world->search), 0);
    xrw_search_set_conditions(world->search, divides, NULL);
    for (xrw_exit_id id = 1; id <= EXITS; id++)
        assert_done(xrw_store_exit(world->history.store, id, &world->exit[id], &world->err),
                    world->err);
}

static void close_world(struct world *world)
{
    xrw_search_destroy(world->search);
    xrw_memory_destroy(world->memory);
    xrw_timeline_destroy(world->timeline);
    history_remove(&world->history);
}

/* ---- the walk that is plainly right ------------------------------------ */

static bool is_hidden(const struct world *world, xrw_exit_id id)
{
    return !xrw_timeline_shows_host_exits(world->timeline) &&
           xrw_exit_is_host(&world->exit[id]);
}

/* The next position that is not hidden; 0 if there is none. */
static xrw_exit_id neighbour(const struct world *world, xrw_exit_id id, bool forward)
{
    do
        id = forward ? id + 1 : id - 1;
    while (id >= 1 && id <= EXITS && is_hidden(world, id));
    return id > EXITS ? 0 : id;
}

static struct seen see(struct world *world, const struct xrw_stopper *s, bool physical,
                       xrw_exit_id id)
{
    struct seen seen = {.root = physical ? 0 : world->exit[id].before.value[XRW_REG_cr3] >> 12};
    struct xrw_memory *memory; /* a new one: nothing remembered */
    size_t got = 0;
    int ret;

    assert_int_equal(
        xrw_memory_create(world->history.store, xrw_timeline_run(world->timeline), &memory), 0);
    ret = (physical ? xrw_memory_read_physical : xrw_memory_read)(
        memory, &world->exit[id], s->address, seen.value, s->bytes, &got, &world->err);
    xrw_memory_destroy(memory);
    assert_true(!ret || ret == -EFAULT || ret == -ENODATA);
    seen.kind = ret == -EFAULT            ? XRW_VIEW_UNMAPPED
                : !ret && got == s->bytes ? XRW_VIEW_KNOWN
                                          : XRW_VIEW_UNKNOWN;
    return seen;
}

static bool is_passed_over(const struct seen *at, const struct seen *last)
{
    return at->kind == XRW_VIEW_UNKNOWN ||
           (at->kind == XRW_VIEW_UNMAPPED && last->kind != XRW_VIEW_UNKNOWN &&
            at->root != last->root);
}

static bool differs(const struct seen *at, const struct seen *last, size_t bytes)
{
    if (last->kind == XRW_VIEW_UNKNOWN ||
        (last->kind == XRW_VIEW_UNMAPPED && at->root != last->root))
        return false;
    if (at->kind != last->kind)
        return true;
    return at->kind == XRW_VIEW_KNOWN && memcmp(at->value, last->value, bytes) != 0;
}

struct expectation {
    enum xrw_hit_kind kind;
    xrw_exit_id at, last;
    size_t stopper;
};

struct question {
    struct xrw_stopper stopper[4];
    uint8_t every[4]; /* the condition: an exit whose number this divides; 0: none */
    size_t count;
    bool physical, forward, step;
    xrw_exit_id start;
};

static struct expectation walk(struct world *world, const struct question *q)
{
    struct expectation expected = {.kind = q->forward ? XRW_HIT_END : XRW_HIT_BEGIN};
    struct seen last[4] = {0};
    xrw_exit_id last_at[4] = {0}, id = q->start;

    for (size_t i = 0; i < q->count; i++) {
        xrw_exit_id behind = q->start;

        for (int n = 0; behind && n <= LOOK_BEHIND && last[i].kind == XRW_VIEW_UNKNOWN; n++) {
            if (q->stopper[i].kind == XRW_STOPPER_WRITE)
                last[i] = see(world, &q->stopper[i], q->physical, behind);
            last_at[i] = behind;
            behind = neighbour(world, behind, !q->forward);
        }
    }
    for (expected.at = id; (id = neighbour(world, id, q->forward)); expected.at = id) {
        struct expectation hit = {XRW_HIT_STEP, id, 0, 0};
        bool watched = false, broken = false;

        for (size_t i = 0; i < q->count; i++) {
            struct seen at;

            if (q->stopper[i].kind != XRW_STOPPER_WRITE)
                continue;
            at = see(world, &q->stopper[i], q->physical, id);
            if (is_passed_over(&at, &last[i]))
                continue;
            if (!watched && differs(&at, &last[i], q->stopper[i].bytes)) {
                watched = true;
                hit = (struct expectation){XRW_HIT_WATCHPOINT, id, last_at[i], i};
            }
            last[i] = at;
            last_at[i] = id;
        }
        for (size_t i = 0; !watched && !q->step && !broken && i < q->count; i++)
            if (q->stopper[i].kind != XRW_STOPPER_WRITE &&
                q->stopper[i].address == world->exit[id].before.value[XRW_REG_rip] &&
                (!q->every[i] || id % q->every[i] == 0)) {
                broken = true;
                hit = (struct expectation){XRW_HIT_BREAKPOINT, id, 0, i};
            }
        if (watched || broken || q->step)
            return hit;
    }
    return expected;
}

/* ---- questions --------------------------------------------------------- */

static struct question invent(struct world *world, bool with_watch)
{
    struct history *history = &world->history;
    struct question q = {.forward = history_random(history, 2),
                         .physical = !history_random(history, 4),
                         .step = !history_random(history, 5),
                         .start = 1 + history_random(history, EXITS)};

    q.count = history_random(history, 4);
    if (with_watch && !q.count)
        q.count = 1;
    for (size_t i = 0; i < q.count; i++) {
        struct xrw_stopper *s = &q.stopper[i];
        uint64_t page = history_random(history, HISTORY_PAGES) * XRW_PAGE_BYTES;

        s->kind = with_watch && (!i || history_random(history, 2)) ? XRW_STOPPER_WRITE
                                                                   : XRW_STOPPER_SOFTWARE;
        q.every[i] = (uint8_t)history_random(history, 6);
        s->address = HISTORY_RIP + i; /* no two alike */
        if (s->kind != XRW_STOPPER_WRITE)
            continue;
        s->bytes = 1 + history_random(history, WATCH_BYTES_MAX);
        s->address = (q.physical ? HISTORY_PA : HISTORY_VA) + page + history_random(history, 8);
        if (!history_random(history, 8)) /* across two pages */
            s->address = (s->address | 0xfff) - history_random(history, 2);
    }
    return q;
}

static void begin(struct world *world, bool forward, bool step, bool here)
{
    const struct xrw_search_request request = {.forward = forward, .step = step, .here = here};

    assert_done(xrw_search_begin(world->search, &request, &world->err), world->err);
}

static void ask(struct world *world, const struct question *q)
{
    struct expectation expected = walk(world, q);
    struct xrw_hit hit;
    int ret;

    assert_done(xrw_timeline_seek(world->timeline, q->start, &world->err), world->err);
    xrw_search_clear(world->search);
    for (size_t i = 0; i < q->count; i++) {
        const struct gdbstub_conditions every = {&q->every[i], q->every[i] != 0};
        const struct xrw_stopper *s = &q->stopper[i];

        assert_int_equal(
            xrw_search_insert(world->search, s->kind, s->address, s->bytes, q->physical, &every),
            0);
    }
    begin(world, q->forward, q->step, false);
    do
        ret = xrw_search_slice(world->search, &hit, &world->err);
    while (!ret);
    if (ret < 0)
        fail_msg("search: %d: %s", ret, world->err.text);
    assert_int_equal(hit.kind, expected.kind);
    assert_int_equal(xrw_timeline_position(world->timeline), expected.at);
    if (hit.kind == XRW_HIT_BREAKPOINT)
        assert_int_equal(hit.stopper.address, q->stopper[expected.stopper].address);
    if (hit.kind == XRW_HIT_WATCHPOINT) {
        assert_int_equal(hit.stopper.address, q->stopper[expected.stopper].address);
        assert_int_equal(q->forward ? hit.older : hit.newer, expected.last);
        assert_int_equal(q->forward ? hit.newer : hit.older, expected.at);
    }
}

static void ask_many(enum xrw_memory_policy policy, bool with_watch, unsigned worlds,
                     unsigned questions)
{
    static struct world world;
    uint64_t seed = history_seed();

    for (unsigned i = 0; i < worlds; i++) {
        open_world(&world, seed + i, policy);
        for (unsigned n = 0; n < questions; n++) {
            struct question q = invent(&world, with_watch);

            xrw_timeline_show_host_exits(world.timeline, n % 3 == 0);
            ask(&world, &q);
        }
        close_world(&world);
    }
}

static void test_breakpoints(void **state)
{
    (void)state;
    ask_many(XRW_MEMORY_EXIT, false, 3, 300);
}

static void test_watchpoints(void **state)
{
    (void)state;
    ask_many(XRW_MEMORY_EXIT, true, 12, 80);
}

static void test_watchpoints_between_frames(void **state)
{
    (void)state;
    ask_many(XRW_MEMORY_FRAMES, true, 6, 80);
}

/* Forward, a breakpoint at the start is a hit if asked for; backward it never is. */
static void test_breakpoint_at_the_start(void **state)
{
    static struct world world;
    struct xrw_hit hit;
    uint64_t rip;

    (void)state;
    open_world(&world, 7, XRW_MEMORY_EXIT);
    xrw_timeline_show_host_exits(world.timeline, true);
    assert_done(xrw_timeline_seek(world.timeline, 80, &world.err), world.err);
    rip = world.exit[80].before.value[XRW_REG_rip];
    assert_int_equal(xrw_search_insert(world.search, XRW_STOPPER_HARDWARE, rip, 1, false, NULL), 0);
    begin(&world, true, false, true);
    assert_int_equal(xrw_search_slice(world.search, &hit, &world.err), 1);
    assert_int_equal(hit.kind, XRW_HIT_BREAKPOINT);
    assert_int_equal(xrw_timeline_position(world.timeline), 80);
    begin(&world, false, false, false);
    assert_int_equal(xrw_search_slice(world.search, &hit, &world.err), 1);
    assert_true(xrw_timeline_position(world.timeline) < 80);
    close_world(&world);
}

/* Inserted once more, a breakpoint has the conditions that it was given last. */
static void test_conditions_are_replaced(void **state)
{
    static const uint8_t never = EXITS + 1;
    const struct gdbstub_conditions conditions = {&never, 1};
    static struct world world;
    struct xrw_hit hit;
    uint64_t rip;

    (void)state;
    open_world(&world, 7, XRW_MEMORY_EXIT);
    xrw_timeline_show_host_exits(world.timeline, true);
    assert_done(xrw_timeline_seek(world.timeline, 80, &world.err), world.err);
    rip = world.exit[80].before.value[XRW_REG_rip];
    for (int known = 0; known < 2; known++) {
        assert_int_equal(
            xrw_search_insert(world.search, XRW_STOPPER_SOFTWARE, rip, 1, false, &conditions), 0);
        begin(&world, true, false, true);
        assert_int_equal(xrw_search_slice(world.search, &hit, &world.err), 1);
        assert_int_equal(hit.kind, XRW_HIT_END);
        assert_done(xrw_timeline_seek(world.timeline, 80, &world.err), world.err);
        assert_int_equal(xrw_search_insert(world.search, XRW_STOPPER_SOFTWARE, rip, 1, false, NULL),
                         0);
        begin(&world, true, false, true);
        assert_int_equal(xrw_search_slice(world.search, &hit, &world.err), 1);
        assert_int_equal(hit.kind, XRW_HIT_BREAKPOINT);
        assert_int_equal(xrw_timeline_position(world.timeline), 80);
    }
    close_world(&world);
}

/* A step over a range ends at the first exit outside of it; at a breakpoint within, it ends there.
 */
static void test_steps_over_ranges(void **state)
{
    static struct world world;

    (void)state;
    open_world(&world, history_seed(), XRW_MEMORY_EXIT);
    xrw_timeline_show_host_exits(world.timeline, true);
    for (xrw_exit_id id = 1; id < EXITS; id++) {
        struct xrw_search_request request = {
            .forward = true,
            .step = true,
            .range_first = HISTORY_RIP,
            .range_end = world.exit[id % 7 + 1].before.value[XRW_REG_rip] + 1};
        bool with_breakpoint = id % 3 == 0;
        xrw_exit_id expected = id + 1;
        struct xrw_hit hit;
        int ret;

        while (!with_breakpoint && expected < EXITS &&
               world.exit[expected].before.value[XRW_REG_rip] < request.range_end)
            expected++;
        if (with_breakpoint)
            assert_int_equal(xrw_search_insert(world.search, XRW_STOPPER_SOFTWARE,
                                               world.exit[expected].before.value[XRW_REG_rip], 1,
                                               false, NULL),
                             0);
        assert_done(xrw_timeline_seek(world.timeline, id, &world.err), world.err);
        assert_done(xrw_search_begin(world.search, &request, &world.err), world.err);
        while (!(ret = xrw_search_slice(world.search, &hit, &world.err)))
            ;
        assert_int_equal(ret, 1);
        assert_int_equal(xrw_timeline_position(world.timeline), expected);
        assert_int_equal(hit.kind == XRW_HIT_BREAKPOINT, with_breakpoint);
        xrw_search_clear(world.search);
    }
    close_world(&world);
}

static void test_insert_and_remove(void **state)
{
    static struct world world;
    struct xrw_hit hit;

    (void)state;
    open_world(&world, 8, XRW_MEMORY_EXIT);
    assert_int_equal(xrw_search_insert(world.search, XRW_STOPPER_WRITE, 0, 0, false, NULL),
                     -EINVAL);
    assert_int_equal(
        xrw_search_insert(world.search, XRW_STOPPER_WRITE, 0, XRW_WATCH_MAX_BYTES + 1, false, NULL),
        -EINVAL);
    assert_int_equal(xrw_search_insert(world.search, XRW_STOPPER_WRITE, UINT64_MAX, 2, false, NULL),
                     -EINVAL);
    for (uint64_t i = 0; i < XRW_STOPPERS_MAX; i++) {
        assert_int_equal(xrw_search_insert(world.search, XRW_STOPPER_SOFTWARE, i, 1, false, NULL),
                         0);
        assert_int_equal(xrw_search_insert(world.search, XRW_STOPPER_SOFTWARE, i, 1, false, NULL),
                         0);
    }
    assert_int_equal(
        xrw_search_insert(world.search, XRW_STOPPER_SOFTWARE, 1u << 20, 1, false, NULL), -ENOSPC);
    for (uint64_t i = 0; i < XRW_STOPPERS_MAX; i++) {
        xrw_search_remove(world.search, XRW_STOPPER_SOFTWARE, i, 1);
        xrw_search_remove(world.search, XRW_STOPPER_SOFTWARE, i, 1);
    }
    begin(&world, true, false, false);
    while (!xrw_search_slice(world.search, &hit, &world.err))
        ;
    assert_int_equal(hit.kind, XRW_HIT_END);
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_breakpoints),
        cmocka_unit_test(test_watchpoints),
        cmocka_unit_test(test_watchpoints_between_frames),
        cmocka_unit_test(test_breakpoint_at_the_start),
        cmocka_unit_test(test_conditions_are_replaced),
        cmocka_unit_test(test_steps_over_ranges),
        cmocka_unit_test(test_insert_and_remove),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
