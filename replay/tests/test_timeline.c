/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "history.h"

#include "xrw/timeline.h"
#include "xrw/vmx.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define EXITS 300u

static bool is_host(struct xrw_store *store, xrw_exit_id id)
{
    struct xrw_exit exit;
    struct xrw_error err;

    assert_done(xrw_store_exit(store, id, &exit, &err), err);
    return xrw_exit_is_host(&exit);
}

static void test_walk_visits_each_position_once_each_way(void **state)
{
    struct history history;
    struct xrw_timeline *timeline;
    struct xrw_error err;

    (void)state;
    history_make(&history, history_seed(), EXITS, XRW_MEMORY_EXIT);
    assert_done(xrw_timeline_create(history.store, 1, &timeline, &err), err);
    for (int shown = 0; shown < 2; shown++) {
        xrw_exit_id at = 0;

        xrw_timeline_show_host_exits(timeline, shown);
        for (xrw_exit_id id = 1; id <= EXITS; id++)
            if (shown || !is_host(history.store, id)) {
                assert_int_equal(
                    xrw_timeline_find(timeline, NULL, at, true, 0, NULL, NULL, &at, &err), 1);
                assert_int_equal(at, id);
            }
        assert_int_equal(xrw_timeline_find(timeline, NULL, at, true, 0, NULL, NULL, &at, &err), 0);
        at = EXITS + 1;
        for (xrw_exit_id id = EXITS; id >= 1; id--)
            if (shown || !is_host(history.store, id)) {
                assert_int_equal(
                    xrw_timeline_find(timeline, NULL, at, false, 0, NULL, NULL, &at, &err), 1);
                assert_int_equal(at, id);
            }
        assert_int_equal(xrw_timeline_find(timeline, NULL, at, false, 0, NULL, NULL, &at, &err), 0);
    }
    xrw_timeline_destroy(timeline);
    history_remove(&history);
}

static void test_seek(void **state)
{
    struct history history;
    struct xrw_timeline *timeline;
    struct xrw_error err;

    (void)state;
    history_make(&history, 1, 20, XRW_MEMORY_EXIT);
    assert_int_equal(xrw_timeline_create(history.store, 2, &timeline, &err), -ENOENT);
    assert_done(xrw_timeline_create(history.store, 1, &timeline, &err), err);
    assert_done(xrw_timeline_seek(timeline, 20, &err), err);
    assert_int_equal(xrw_timeline_position(timeline), 20);
    assert_int_equal(xrw_timeline_seek(timeline, 21, &err), -ERANGE);
    assert_int_equal(xrw_timeline_seek(timeline, 0, &err), -ERANGE);
    assert_int_equal(xrw_timeline_seek(timeline, UINT64_MAX, &err), -ERANGE);
    assert_int_equal(xrw_timeline_position(timeline), 20);
    assert_int_equal(xrw_timeline_exit(timeline)->id, 20);
    xrw_timeline_destroy(timeline);
    history_remove(&history);
}

static void test_limit_is_inclusive(void **state)
{
    struct history history;
    struct xrw_timeline *timeline;
    struct xrw_error err;
    xrw_exit_id at;

    (void)state;
    history_make(&history, 2, 20, XRW_MEMORY_EXIT);
    assert_done(xrw_timeline_create(history.store, 1, &timeline, &err), err);
    xrw_timeline_show_host_exits(timeline, true);
    assert_int_equal(xrw_timeline_find(timeline, NULL, 5, true, 6, NULL, NULL, &at, &err), 1);
    assert_int_equal(at, 6);
    assert_int_equal(xrw_timeline_find(timeline, NULL, 5, true, 5, NULL, NULL, &at, &err), 0);
    assert_int_equal(xrw_timeline_find(timeline, NULL, 5, false, 4, NULL, NULL, &at, &err), 1);
    assert_int_equal(at, 4);
    assert_int_equal(xrw_timeline_find(timeline, NULL, 5, false, 5, NULL, NULL, &at, &err), 0);
    xrw_timeline_destroy(timeline);
    history_remove(&history);
}

static void add_exit(struct xrw_store *store, xrw_exit_id id)
{
    struct xrw_exit exit = {.id = id, .run = 1};
    struct xrw_error err;

    xrw_exit_set(&exit, XRW_EXIT_reason, XRW_VMX_CPUID);
    assert_done(xrw_store_add_exit(store, &exit, &err), err);
    assert_done(xrw_store_commit(store, &err), err);
}

/* A recorder goes on while the recording is open: the end of history moves. */
static void test_recording_grows(void **state)
{
    const char *path = "/tmp/xrw-replay-growing.db";
    struct xrw_run run = {
        .id = 1, .source = "xen", .mode = "pause", .memory = XRW_MEMORY_NONE, .first_exit = 1};
    struct xrw_store *writer, *reader;
    struct xrw_timeline *timeline;
    struct xrw_error err;
    xrw_exit_id at = 0;

    (void)state;
    unlink(path);
    assert_done(xrw_store_create(&writer, path, &err), err);
    assert_done(xrw_store_begin_run(writer, &run, &err), err);
    assert_done(xrw_store_commit(writer, &err), err);
    assert_done(xrw_store_open(&reader, path, &err), err);
    assert_int_equal(xrw_timeline_create(reader, 1, &timeline, &err), -ENODATA);
    add_exit(writer, 1);
    assert_done(xrw_store_refresh(reader, &err), err);
    assert_done(xrw_timeline_create(reader, 1, &timeline, &err), err);
    assert_int_equal(xrw_timeline_find(timeline, NULL, 1, true, 0, NULL, NULL, &at, &err), 0);
    add_exit(writer, 2);
    assert_int_equal(xrw_timeline_find(timeline, NULL, 1, true, 0, NULL, NULL, &at, &err), 1);
    assert_int_equal(at, 2);
    add_exit(writer, 3);
    assert_done(xrw_timeline_seek(timeline, 3, &err), err);
    xrw_timeline_destroy(timeline);
    (void)xrw_store_close(reader, NULL);
    (void)xrw_store_close(writer, NULL);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walk_visits_each_position_once_each_way),
        cmocka_unit_test(test_seek),
        cmocka_unit_test(test_limit_is_inclusive),
        cmocka_unit_test(test_recording_grows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
