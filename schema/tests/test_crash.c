/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A recorder that is killed, and a device that fills: whole batches, readable without repair. */
#include "sample.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 20 };

/* How often to try: XRW_CRASHES says so for thorough runs. */
static unsigned rounds(unsigned usual)
{
    const char *text = getenv("XRW_CRASHES");

    return text ? (unsigned)strtoul(text, NULL, 10) : usual;
}

/* Exit and page of that id follow from the id alone. */
static int add(struct xrw_store *store, xrw_exit_id id, struct xrw_error *err)
{
    struct sample_random random = {id};
    struct xrw_exit exit;
    uint8_t page[XRW_PAGE_BYTES];
    int ret;

    sample_exit(&random, 1, id, &exit);
    xrw_exit_set(&exit, XRW_EXIT_time_ns, id * 1000);
    sample_page(1, id, page);
    ret = xrw_store_add_page(store, 1, 1, id, page, false, err);
    return ret ? ret : xrw_store_add_exit(store, &exit, err);
}

/* Record until something fails, committing every `batch` exits; tells the pipe the last exit
 * committed. */
static int record(const char *path, int pipe, xrw_exit_id last, unsigned batch)
{
    struct xrw_run run = sample_run(1, 1, XRW_MEMORY_EXIT);
    struct xrw_error err = {""};
    struct xrw_store *store;
    xrw_exit_id committed = 0;
    int ret = xrw_store_create(&store, path, &err), closed;

    if (ret)
        return ret;
    ret = xrw_store_begin_run(store, &run, &err);
    if (!ret)
        ret = xrw_store_commit(store, &err);
    for (xrw_exit_id id = 1; !ret && id <= last; id++) {
        ret = add(store, id, &err);
        if (!ret && id % batch == 0) {
            ret = xrw_store_commit(store, &err);
            committed = ret ? committed : id;
            if (!ret && write(pipe, &id, sizeof id) != sizeof id)
                return -EPIPE;
        }
    }
    if (!ret)
        ret = xrw_store_end_run(store, &run, &err);
    if (ret == -ENOSPC) {
        char text[64];

        (void)snprintf(text, sizeof text, "intact up to exit %" PRIu64 ".", committed);
        if (!strstr(err.text, text))
            ret = -EPROTO;
    }
    /* What failed once stays failed. */
    closed = xrw_store_close(store, NULL);
    return closed == ret || ret != -ENOSPC ? ret : -EPROTO;
}

/* Whole batches, at least up to `committed`, all with their memory. */
static xrw_exit_id assert_whole(const char *path, xrw_exit_id committed, unsigned batch)
{
    struct xrw_error err = {""};
    struct xrw_store *store;
    struct xrw_run run;
    uint8_t page[XRW_PAGE_BYTES], expected[XRW_PAGE_BYTES];

    assert_done(xrw_store_open(&store, path, &err), err);
    if (xrw_store_run_count(store) == 0) {
        assert_int_equal(committed, 0);
        assert_done(xrw_store_close(store, &err), err);
        return 0;
    }
    assert_done(xrw_store_run(store, 1, &run, &err), err);
    assert_true(run.last_exit >= committed);
    assert_int_equal(run.last_exit % batch, 0);
    for (xrw_exit_id id = 1; id <= run.last_exit; id++) {
        struct sample_random random = {id};
        struct xrw_exit exit, sample;

        assert_done(xrw_store_exit(store, id, &exit, &err), err);
        sample_exit(&random, 1, id, &sample);
        assert_true(xrw_registers_equal(&exit.before, &sample.before));
        assert_done(xrw_store_page(store, 1, 1, id, page, NULL, &err), err);
        sample_page(1, id, expected);
        assert_memory_equal(page, expected, sizeof page);
    }
    assert_int_equal(xrw_store_exit(store, run.last_exit + 1, &(struct xrw_exit){0}, &err),
                     -ENOENT);
    sample_assert_checked(store);
    assert_done(xrw_store_close(store, &err), err);
    return run.last_exit;
}

/* As assert_whole(); but a recorder that was killed while it made the file has left an empty one,
 * or one that says that it is. */
static void assert_killed(const char *path, xrw_exit_id committed, unsigned batch)
{
    struct xrw_error err = {""};
    struct xrw_store *store;
    int ret = xrw_store_open(&store, path, &err);

    if (ret == -EINVAL && !committed && strstr(err.text, "empty"))
        return;
    assert_done(ret, err);
    assert_done(xrw_store_close(store, &err), err);
    (void)assert_whole(path, committed, batch);
}

static void killed_at_any_time_it_opens(void **state)
{
    struct sample_random random = sample_seed();
    unsigned with_exits = 0, kills = rounds(20);

    (void)state;
    for (unsigned i = 0; i < kills; i++) {
        /* Odd ones commit when they want; the others leave it to the store after the first. */
        unsigned batch = i % 2 ? BATCH : 1000000;
        struct timespec delay = {.tv_nsec = (long)sample_below(&random, 120000000)};
        const char *path;
        char name[32];
        xrw_exit_id committed = 0, told;
        int pipes[2], status;
        pid_t child;

        (void)snprintf(name, sizeof name, "kill%u.db", i);
        path = sample_path(name);
        assert_int_equal(pipe(pipes), 0);
        child = fork();
        if (child == 0) {
            (void)close(pipes[0]);
            _exit(record(path, pipes[1], UINT64_MAX, batch) ? 1 : 0);
        }
        (void)close(pipes[1]);
        /* The first batch comes when it comes; then anything may happen. */
        if (i % 2)
            assert_int_equal(read(pipes[0], &committed, sizeof committed), sizeof committed);
        (void)nanosleep(&delay, NULL);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        while (read(pipes[0], &told, sizeof told) == sizeof told)
            committed = told;
        (void)close(pipes[0]);
        if (i % 2 || !access(path, F_OK))
            assert_killed(path, committed, i % 2 ? BATCH : 1);
        with_exits++;
        (void)unlink(path);
    }
    assert_int_equal(with_exits, kills);
}

/* A limit on file size stands for a full device: writes fall short, then fail. */
static void when_the_device_is_full_what_is_committed_stays(void **state)
{
    unsigned full = 0;

    (void)state;
    for (unsigned i = 0; i < 24; i++) {
        struct rlimit limit = {250000 + i * 90000, 250000 + i * 90000};
        xrw_exit_id committed = 0, told;
        const char *path;
        char name[32];
        int pipes[2], status;
        pid_t child;

        (void)snprintf(name, sizeof name, "full%u.db", i);
        path = sample_path(name);
        assert_int_equal(pipe(pipes), 0);
        child = fork();
        if (child == 0) {
            (void)close(pipes[0]);
            (void)signal(SIGXFSZ, SIG_IGN);
            if (setrlimit(RLIMIT_FSIZE, &limit))
                _exit(99);
            _exit(-record(path, pipes[1], 2000, BATCH));
        }
        (void)close(pipes[1]);
        while (read(pipes[0], &told, sizeof told) == sizeof told)
            committed = told;
        (void)close(pipes[0]);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), ENOSPC);
        full++;
        /* Where even the empty recording did not fit, no file is left. */
        if (access(path, F_OK))
            assert_int_equal(committed, 0);
        else
            (void)assert_whole(path, committed, BATCH);
    }
    assert_int_equal(full, 24);
}

static void what_does_not_fit_at_all_leaves_nothing(void **state)
{
    int status;
    pid_t child = fork();

    (void)state;
    if (child == 0) {
        struct rlimit limit = {10000, 10000};
        struct xrw_error err = {""};
        struct xrw_store *store;
        int ret;

        (void)signal(SIGXFSZ, SIG_IGN);
        if (setrlimit(RLIMIT_FSIZE, &limit))
            _exit(99);
        ret = xrw_store_create(&store, sample_path("nothing.db"), &err);
        _exit(ret == -ENOSPC && strstr(err.text, "no space left") ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(access(sample_path("nothing.db"), F_OK), -1);
}

/* Small tmpfs, seen by this process alone. */
static void on_a_small_device_what_is_committed_stays(void **state)
{
    struct sample_random random = sample_seed();
    char folder[160];

    (void)state;
    (void)snprintf(folder, sizeof folder, "%s", sample_path("small"));
    assert_int_equal(mkdir(folder, 0755), 0);
    for (unsigned i = 0; i < rounds(4); i++) {
        xrw_exit_id committed = 0, told;
        char options[32];
        int pipes[2];

        (void)snprintf(options, sizeof options, "size=%uk",
                       1200 + (unsigned)sample_below(&random, 3000));
        if ((!i && (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))) ||
            mount("tmpfs", folder, "tmpfs", 0, options)) {
            print_message("no right to mount: skipped\n");
            skip();
        }
        assert_int_equal(pipe(pipes), 0);
        assert_int_equal(record(sample_path("small/full.db"), pipes[1], 5000, BATCH), -ENOSPC);
        (void)close(pipes[1]);
        while (read(pipes[0], &told, sizeof told) == sizeof told)
            committed = told;
        (void)close(pipes[0]);
        assert_int_equal(assert_whole(sample_path("small/full.db"), committed, BATCH), committed);
        assert_int_equal(umount(folder), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_any_time_it_opens),
        cmocka_unit_test(when_the_device_is_full_what_is_committed_stays),
        cmocka_unit_test(what_does_not_fit_at_all_leaves_nothing),
        cmocka_unit_test(on_a_small_device_what_is_committed_stays),
    };

    return cmocka_run_group_tests(tests, sample_set_up, sample_tear_down);
}
