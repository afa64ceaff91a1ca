/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What goes wrong while recording, and the command that is told of each exit. */
#include "support.h"

#include "world.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* ---- the file -------------------------------------------------------- */

static void put_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void check_file(const char *path, const char *text)
{
    char found[64] = "";
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    assert_non_null(fgets(found, sizeof found, file));
    (void)fclose(file);
    assert_string_equal(found, text);
}

static void test_file_in_the_way(void **state)
{
    struct world *w = *state;
    char journal[128];

    put_file(w->path, "precious");
    assert_int_equal(world_record(w), -EEXIST);
    assert_non_null(strstr(w->err.text, "--force"));
    assert_int_equal(w->fake.starts, 0);
    check_file(w->path, "precious");

    (void)snprintf(journal, sizeof journal, "%s-wal", w->path);
    put_file(journal, "of another recording");
    w->options.overwrite = true;
    world_recorded(w, "guest-end", 20);
}

/* What is to be replaced goes only when there is something to put in its place. */
static void test_file_stays_if_the_source_fails(void **state)
{
    struct world *w = *state;

    put_file(w->path, "precious");
    w->options.overwrite = true;
    w->fake.fail_at = 1;
    assert_int_equal(world_record(w), -EIO);
    check_file(w->path, "precious");
    assert_int_equal(w->fake.stops, 1);
}

static void test_no_such_folder(void **state)
{
    struct world *w = *state;

    w->options.path = "/nonexistent/folder/a.db";
    assert_true(world_record(w) < 0);
    assert_non_null(strstr(w->err.text, "/nonexistent/folder"));
    assert_int_equal(w->fake.stops, w->fake.starts);
}

/* ---- faults ---------------------------------------------------------- */

/* Exits that must be in the file. */
static uint64_t kept(const struct fake_source *fake)
{
    return !strcmp(fake->failed, "memory") && fake->held ? fake->delivered - 1 : fake->delivered;
}

static void check_fault(struct world *w)
{
    char expected[64];

    (void)snprintf(expected, sizeof expected, "fake %s failed", w->fake.failed);
    assert_string_equal(w->err.text, expected);
    assert_int_equal(w->fake.starts, 1);
    assert_int_equal(w->fake.stops, 1);
    if (!kept(&w->fake)) {
        assert_int_not_equal(access(w->path, F_OK), 0);
        return;
    }
    world_reopen(w);
    assert_int_equal(w->run.last_exit, kept(&w->fake));
    assert_string_equal(w->run.stop, strcmp(w->fake.failed, "stop") ? "error" : "guest-end");
    if (!strcmp(w->run.stop, "error"))
        assert_string_equal(w->run.stop_detail, expected);
    if (w->options.memory == XRW_RECORD_MEMORY_EXIT)
        world_check_memory(w, at_every_exit);
    world_remove_files(w);
}

static void test_each_call_fails_once(void **state)
{
    static const enum xrw_record_memory policies[] = {
        XRW_RECORD_MEMORY_EXIT, XRW_RECORD_MEMORY_EVERY, XRW_RECORD_MEMORY_END};
    struct world *w = *state;

    w->options.memory_every = 2;
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++)
        for (unsigned n = 1;; n++) {
            int rc;

            fake_source_init(&w->fake, 5);
            w->fake.fail_at = n;
            w->options.memory = policies[i];
            rc = world_record(w);
            if (!rc) {
                assert_null(w->fake.failed);
                assert_true(n > 15);
                world_remove_files(w);
                break;
            }
            assert_int_equal(rc, -EIO);
            check_fault(w);
        }
}

/* Long enough for a commit of all that came before, however fast the disk fills: between two there
 * is a second at most. */
static void dawdle(struct fake_source *fake, uint64_t exit)
{
    const struct timespec pause = {.tv_sec = 1, .tv_nsec = 500000000};

    (void)fake;
    if (exit == 20)
        (void)nanosleep(&pause, NULL);
}

static void test_disk_full(void **state)
{
    struct world *w = *state;
    struct rlimit limit, small;
    int rc;

    fake_source_init(&w->fake, 2000);
    w->fake.noise = true;
    w->fake.at_exit = dawdle;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = (struct rlimit){10 << 20, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    rc = world_record(w);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_true(rc < 0);
    assert_true(w->err.text[0]);
    assert_int_equal(w->fake.stops, 1);
    assert_int_equal(xrw_store_open(&w->store, w->path, &w->err), 0);
    assert_int_equal(xrw_store_run(w->store, 1, &w->run, &w->err), 0);
    /* All but what was not committed yet, and each of them whole. */
    assert_true(w->run.last_exit >= 19 && w->run.last_exit <= w->fake.delivered);
    for (xrw_gfn gfn = 0; gfn < FAKE_PAGES; gfn++) {
        uint64_t word;

        assert_int_equal(world_stored_word(w, gfn, w->run.last_exit, &word), 0);
        assert_int_equal(word, w->run.last_exit);
    }
}

/* A guest that waits: its exits are safe all the same. */
static void look_into_file(struct fake_source *fake, uint64_t exit)
{
    struct world *w = fake->at_exit_ctx;

    if (exit <= fake->exits || fake->clock_ns < UINT64_C(10000000000))
        return;
    world_interrupted = 1;
    assert_int_equal(xrw_store_open(&w->store, w->path, &w->err), 0);
    assert_int_equal(xrw_store_run(w->store, 1, &w->run, &w->err), 0);
    assert_int_equal(w->run.last_exit, 20);
    xrw_store_close(w->store, NULL);
    w->store = NULL;
}

static void test_exits_are_committed_while_nothing_happens(void **state)
{
    struct world *w = *state;

    w->fake.afterwards = SOURCE_IDLE;
    w->fake.at_exit = look_into_file;
    w->fake.at_exit_ctx = w;
    w->fake.step_ns = 10000000;
    world_recorded(w, "interrupted", 20);
}

/* ---- the command of each exit ---------------------------------------- */

static void test_hook(void **state)
{
    struct world *w = *state;
    char command[256], line[96];
    FILE *file;

    (void)snprintf(command, sizeof command,
                   "while read line; do echo $line >>%s/told; "
                   "printf '%%01000d\\n' 0; done",
                   w->folder);
    w->options.each_exit = command;
    world_recorded(w, "guest-end", 20);
    (void)snprintf(line, sizeof line, "%s/told", w->folder);
    file = fopen(line, "r");
    assert_non_null(file);
    for (unsigned id = 1; id <= 20; id++) {
        char expected[32];

        (void)snprintf(expected, sizeof expected, "%u %u\n", id, FAKE_DOMAIN);
        assert_non_null(fgets(line, sizeof line, file));
        assert_string_equal(line, expected);
    }
    assert_null(fgets(line, sizeof line, file));
    (void)fclose(file);
}

static void test_hook_ends_early(void **state)
{
    struct world *w = *state;

    w->options.each_exit = "read line; echo; read line; echo";
    assert_int_equal(world_record(w), -EPIPE);
    assert_non_null(strstr(w->err.text, "--each-exit"));
    assert_int_equal(w->fake.stops, 1);
    world_reopen(w);
    assert_int_equal(w->run.last_exit, 3);
    assert_string_equal(w->run.stop, "error");
}

static void test_hook_fails_at_once(void **state)
{
    struct world *w = *state;

    w->options.each_exit = "exit 3";
    assert_int_equal(world_record(w), -EPIPE);
    assert_int_equal(w->fake.stops, 1);
}

static void test_hook_fails_in_the_end(void **state)
{
    struct world *w = *state;

    w->options.each_exit = "while read line; do echo; done; exit 3";
    assert_int_equal(world_record(w), -ECHILD);
    assert_int_equal(w->fake.stops, 1);
    world_reopen(w); /* nothing is missing */
    assert_int_equal(w->run.last_exit, 20);
    assert_string_equal(w->run.stop, "guest-end");
}

static void on_alarm(int signal)
{
    (void)signal;
    world_interrupted = 1;
}

static void soon_after_exit_2(struct fake_source *fake, uint64_t exit)
{
    struct itimerval soon = {.it_value = {.tv_usec = 200000}};

    (void)fake;
    if (exit == 2)
        assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
}

/* Ctrl-C gets through to a recorder whose command does not answer. */
static void test_hook_hangs(void **state)
{
    struct sigaction action = {.sa_handler = on_alarm}, before;
    struct world *w = *state;

    w->fake.at_exit = soon_after_exit_2;
    w->options.each_exit = "read line; echo; read line; sleep 1000; echo";
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    w->options.memory = XRW_RECORD_MEMORY_END;
    world_recorded(w, "interrupted", 2);
    world_check_memory(w, at_the_end); /* it was held there */
    assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(file_in_the_way),
        WORLD_TEST(file_stays_if_the_source_fails),
        WORLD_TEST(no_such_folder),
        WORLD_TEST(each_call_fails_once),
        WORLD_TEST(disk_full),
        WORLD_TEST(exits_are_committed_while_nothing_happens),
        WORLD_TEST(hook),
        WORLD_TEST(hook_ends_early),
        WORLD_TEST(hook_fails_at_once),
        WORLD_TEST(hook_fails_in_the_end),
        WORLD_TEST(hook_hangs),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
