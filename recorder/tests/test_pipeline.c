/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a fake source into real files. */
#include "support.h"

#include "fake_source.h"
#include "pipeline.h"
#include "xrw/insn.h"
#include "xrw/vmx.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

struct world {
    char folder[64], path[96];
    struct fake_source fake;
    struct xrw_record_options options;
    struct xrw_record_result result;
    struct xrw_error err;
    unsigned notices;
    struct xrw_store *store;
    struct xrw_run run;
};

static volatile sig_atomic_t interrupted;

static void count_notice(void *ctx, const char *text)
{
    struct world *w = ctx;

    assert_true(text[0]);
    w->notices++;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    (void)snprintf(w->folder, sizeof w->folder, "/tmp/xenrewind-test-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    (void)snprintf(w->path, sizeof w->path, "%s/a.db", w->folder);
    fake_source_init(&w->fake, 20);
    interrupted = 0;
    w->options = (struct xrw_record_options){.path = w->path,
                                             .until_reason = -1,
                                             .interrupted = &interrupted,
                                             .notice = count_notice,
                                             .ctx = w};
    *state = w;
    return 0;
}

static void remove_files(struct world *w)
{
    char command[128];

    xrw_store_close(w->store, NULL);
    w->store = NULL;
    (void)snprintf(command, sizeof command, "rm -rf %s/*", w->folder);
    assert_int_equal(system(command), 0);
}

static int teardown(void **state)
{
    struct world *w = *state;

    remove_files(w);
    assert_int_equal(rmdir(w->folder), 0);
    free(w);
    return 0;
}

static int record(struct world *w)
{
    struct source source = fake_source(&w->fake);

    w->err.text[0] = '\0';
    return pipeline_record(&source, &w->options, &w->result, &w->err);
}

/* Open what was recorded: it must be whole. */
static void reopen(struct world *w)
{
    char closed[4];

    if (xrw_store_open(&w->store, w->path, &w->err) || xrw_store_run(w->store, 1, &w->run, &w->err))
        fail_msg("%s", w->err.text);
    assert_int_equal(xrw_store_run_count(w->store), 1);
    assert_int_equal(xrw_store_get_meta(w->store, "closed", closed, sizeof closed), 0);
    assert_string_equal(closed, "1");
    assert_true(w->run.end_unix_ns >= w->run.start_unix_ns && w->run.start_unix_ns > 0);
}

static void recorded(struct world *w, const char *stop, uint64_t exits)
{
    if (record(w))
        fail_msg("%s", w->err.text);
    assert_string_equal(w->result.stop, stop);
    assert_true(w->result.stop_detail[0]);
    assert_int_equal(w->result.progress.exits, exits);
    assert_int_equal(w->fake.stops, 1);
    reopen(w);
    assert_string_equal(w->run.stop, stop);
    assert_string_equal(w->run.stop_detail, w->result.stop_detail);
    assert_int_equal(w->run.last_exit, exits);
}

/* ---- what is recorded ------------------------------------------------ */

static void test_exits(void **state)
{
    struct world *w = *state;
    struct xrw_exit exit;
    uint8_t code[XRW_INSN_MAX_BYTES], fxsave[XRW_FXSAVE_BYTES];
    char text[64];
    size_t bytes;

    w->fake.unheld_at = 9;
    w->options.symbol_file = "vmlinux";
    recorded(w, "guest-end", 20);
    assert_string_equal(w->run.stop_detail, "the guest powered off");
    for (uint64_t id = 1; id <= 20; id++) {
        assert_int_equal(xrw_store_exit(w->store, id, &exit, NULL), 0);
        assert_int_equal(xrw_exit_basic_reason(&exit),
                         id % FAKE_VMCALL_EVERY ? XRW_VMX_CPUID : XRW_VMX_VMCALL);
        assert_int_equal(exit.before.value[XRW_REG_rax], id);
        assert_int_equal(exit.has_after, id != 9);
        assert_int_equal(exit.after.value[XRW_REG_rax], id == 9 ? 0 : 2 * id);
        assert_int_equal(exit.field[XRW_EXIT_time_ns], id * 1000000);
        assert_int_equal(xrw_store_insn(w->store, id, code, &bytes, text, sizeof text, NULL), 0);
        assert_int_equal(bytes, 2);
        assert_memory_equal(code, "\x0f\xa2", 2);
        assert_string_equal(text, "cpuid");
        assert_int_equal(xrw_store_fxsave(w->store, id, fxsave, NULL), 0);
        assert_int_equal(fxsave[100], (id == 9 ? 8 : id) / 4);
    }
    assert_int_equal(xrw_store_exit(w->store, 21, &exit, NULL), -ENOENT);
    assert_int_equal(xrw_store_get_meta(w->store, "symbol_file", text, sizeof text), 0);
    assert_string_equal(text, "vmlinux");
    assert_int_equal(xrw_store_get_meta(w->store, "hypervisor", text, sizeof text), 0);
    assert_int_equal(w->notices, 1); /* of the exit that was not held */
}

/* ---- when it stops --------------------------------------------------- */

static void test_stop_exits(void **state)
{
    struct world *w = *state;

    w->options.max_exits = 7;
    recorded(w, "exits", 7);
    /* The guest did not go on after the last one. */
    assert_int_equal(w->fake.delivered, 7);
    assert_int_equal(w->fake.resumed, 6);
}

static void test_stop_seconds(void **state)
{
    struct world *w = *state;

    w->fake.step_ns = 100000000;
    w->options.max_seconds = 0.75;
    recorded(w, "seconds", 8);
}

static void test_stop_seconds_without_exits(void **state)
{
    struct world *w = *state;

    w->fake.exits = 0;
    w->fake.afterwards = SOURCE_IDLE;
    w->fake.step_ns = 100000000;
    w->options.max_seconds = 2;
    w->options.memory = XRW_RECORD_MEMORY_END;
    recorded(w, "seconds", 0); /* the base image is there */
    assert_int_equal(w->fake.clock_ns, 2000000000);
}

static void test_stop_rip(void **state)
{
    struct world *w = *state;

    w->options.until_rip = true;
    w->options.rip = FAKE_CODE + 2 * 11;
    recorded(w, "until-rip", 11);
}

static void test_stop_reason(void **state)
{
    struct world *w = *state;

    w->options.until_reason = XRW_VMX_VMCALL;
    recorded(w, "until-reason", FAKE_VMCALL_EVERY);
    assert_non_null(strstr(w->run.stop_detail, "VMCALL"));
}

static void test_stop_idle(void **state)
{
    struct world *w = *state;

    w->fake.afterwards = SOURCE_IDLE;
    w->fake.step_ns = 100000000;
    w->options.idle_seconds = 1.5;
    recorded(w, "guest-idle", 20);
    assert_int_equal(w->fake.clock_ns, (20 + 15) * UINT64_C(100000000));
    assert_non_null(strstr(w->run.stop_detail, "--allow-interrupts"));
}

/* A guest that runs without an exit is not idle, however long. */
static void stop_after_a_minute(struct fake_source *fake, uint64_t exit)
{
    (void)exit;
    if (fake->clock_ns > UINT64_C(60000000000))
        interrupted = 1;
}

static void test_running_is_not_idle(void **state)
{
    struct world *w = *state;

    w->fake.afterwards = SOURCE_TIMEOUT;
    w->fake.step_ns = 100000000;
    w->fake.at_exit = stop_after_a_minute;
    w->options.idle_seconds = 1;
    recorded(w, "interrupted", 20);
}

static void interrupt_at_13(struct fake_source *fake, uint64_t exit)
{
    (void)fake;
    if (exit == 13)
        interrupted = 1;
}

static void test_stop_interrupted(void **state)
{
    struct world *w = *state;

    w->fake.at_exit = interrupt_at_13;
    recorded(w, "interrupted", 13);
}

static void test_interrupted_before_it_began(void **state)
{
    struct world *w = *state;

    interrupted = 1;
    assert_int_equal(record(w), -EINTR);
    assert_int_equal(w->fake.stops, 1);
    assert_false(w->fake.going);
    assert_int_not_equal(access(w->path, F_OK), 0);
}

/* ---- memory ---------------------------------------------------------- */

static int stored_word(struct world *w, xrw_gfn gfn, uint64_t exit, uint64_t *word)
{
    uint8_t page[XRW_PAGE_BYTES];
    int rc = xrw_store_page(w->store, 1, gfn, exit, page, NULL, NULL);

    if (!rc)
        memcpy(word, page, sizeof *word);
    return rc;
}

/*
 * What the recording says of every page at every exit: the truth, or nothing.  exact: a frame
 * stands at this exit; then it says something.
 */
static void check_memory(struct world *w, bool (*exact)(const struct world *w, uint64_t exit))
{
    unsigned unknown = 0, expected_unknown = 0;

    for (uint64_t exit = 0; exit <= w->run.last_exit; exit++)
        for (xrw_gfn gfn = 0; gfn < FAKE_PAGES; gfn++) {
            uint64_t word = 0;
            int rc = stored_word(w, gfn, exit, &word);

            if (!rc)
                assert_int_equal(word, fake_source_word(gfn, exit));
            else
                assert_int_equal(rc, -ENODATA);
            if (exact(w, exit))
                assert_int_equal(rc, 0);
            else
                expected_unknown++;
            unknown += rc != 0;
        }
    /* Some of what is between frames cannot be known. */
    assert_int_equal(unknown > 0, expected_unknown > 0);
}

static bool at_every_exit(const struct world *w, uint64_t exit)
{
    (void)w;
    (void)exit;
    return true;
}

static bool at_frames(const struct world *w, uint64_t exit)
{
    return exit == 0 || exit == w->run.last_exit || exit % w->options.memory_every == 0;
}

static bool at_the_end(const struct world *w, uint64_t exit)
{
    return exit == 0 || exit == w->run.last_exit;
}

static bool at_the_start(const struct world *w, uint64_t exit)
{
    (void)w;
    return exit == 0;
}

static void test_memory_exit(void **state)
{
    struct world *w = *state;

    w->options.memory = XRW_RECORD_MEMORY_EXIT;
    recorded(w, "guest-end", 20);
    assert_int_equal(w->run.memory, XRW_MEMORY_EXIT);
    check_memory(w, at_every_exit);
}

static void test_memory_every(void **state)
{
    struct world *w = *state;

    w->options.memory = XRW_RECORD_MEMORY_EVERY;
    w->options.memory_every = 6;
    w->options.max_exits = 16;
    recorded(w, "exits", 16);
    assert_int_equal(w->run.memory, XRW_MEMORY_FRAMES);
    check_memory(w, at_frames);
}

static void test_memory_end(void **state)
{
    static const int outcomes[] = {SOURCE_ENDED, SOURCE_IDLE};
    struct world *w = *state;

    for (size_t i = 0; i < 2; i++) {
        fake_source_init(&w->fake, 20);
        w->fake.afterwards = outcomes[i];
        w->fake.step_ns = 100000000;
        w->options.idle_seconds = 1;
        w->options.memory = XRW_RECORD_MEMORY_END;
        recorded(w, outcomes[i] == SOURCE_ENDED ? "guest-end" : "guest-idle", 20);
        check_memory(w, at_the_end);
        remove_files(w);
    }
    fake_source_init(&w->fake, 20);
    w->options.max_exits = 11;
    recorded(w, "exits", 11);
    check_memory(w, at_the_end);
    assert_int_equal(w->notices, 0);
}

/* It was not at an exit when it was stopped: no exit's memory is known, and that is said. */
static void test_memory_end_of_a_running_guest(void **state)
{
    struct world *w = *state;

    w->fake.afterwards = SOURCE_TIMEOUT;
    w->fake.step_ns = 100000000;
    w->options.max_seconds = 10;
    w->options.memory = XRW_RECORD_MEMORY_END;
    recorded(w, "seconds", 20);
    check_memory(w, at_the_start);
    assert_int_equal(w->notices, 1);
}

static void test_memory_none(void **state)
{
    struct world *w = *state;

    w->options.memory = XRW_RECORD_MEMORY_NONE;
    recorded(w, "guest-end", 20);
    assert_int_equal(w->run.memory, XRW_MEMORY_NONE);
    check_memory(w, at_the_start);
}

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
    assert_int_equal(record(w), -EEXIST);
    assert_non_null(strstr(w->err.text, "--force"));
    assert_int_equal(w->fake.starts, 0);
    check_file(w->path, "precious");

    (void)snprintf(journal, sizeof journal, "%s-wal", w->path);
    put_file(journal, "of another recording");
    w->options.overwrite = true;
    recorded(w, "guest-end", 20);
}

/* What is to be replaced goes only when there is something to put in its place. */
static void test_file_stays_if_the_source_fails(void **state)
{
    struct world *w = *state;

    put_file(w->path, "precious");
    w->options.overwrite = true;
    w->fake.fail_at = 1;
    assert_int_equal(record(w), -EIO);
    check_file(w->path, "precious");
    assert_int_equal(w->fake.stops, 1);
}

static void test_no_such_folder(void **state)
{
    struct world *w = *state;

    w->options.path = "/nonexistent/folder/a.db";
    assert_true(record(w) < 0);
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
    reopen(w);
    assert_int_equal(w->run.last_exit, kept(&w->fake));
    assert_string_equal(w->run.stop, strcmp(w->fake.failed, "stop") ? "error" : "guest-end");
    if (!strcmp(w->run.stop, "error"))
        assert_string_equal(w->run.stop_detail, expected);
    if (w->options.memory == XRW_RECORD_MEMORY_EXIT)
        check_memory(w, at_every_exit);
    remove_files(w);
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
            rc = record(w);
            if (!rc) {
                assert_null(w->fake.failed);
                assert_true(n > 15);
                remove_files(w);
                break;
            }
            assert_int_equal(rc, -EIO);
            check_fault(w);
        }
}

static void test_disk_full(void **state)
{
    struct world *w = *state;
    struct rlimit limit, small;
    int rc;

    fake_source_init(&w->fake, 2000);
    w->fake.noise = true;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = (struct rlimit){10 << 20, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    rc = record(w);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_true(rc < 0);
    assert_true(w->err.text[0]);
    assert_int_equal(w->fake.stops, 1);
    assert_int_equal(xrw_store_open(&w->store, w->path, &w->err), 0);
    assert_int_equal(xrw_store_run(w->store, 1, &w->run, &w->err), 0);
    /* All but what was not committed yet, and each of them whole. */
    assert_true(w->run.last_exit > 0 && w->run.last_exit <= w->fake.delivered);
    for (xrw_gfn gfn = 0; gfn < FAKE_PAGES; gfn++) {
        uint64_t word;

        assert_int_equal(stored_word(w, gfn, w->run.last_exit, &word), 0);
        assert_int_equal(word, w->run.last_exit);
    }
}

/* A guest that waits: its exits are safe all the same. */
static void look_into_file(struct fake_source *fake, uint64_t exit)
{
    struct world *w = fake->at_exit_ctx;

    if (exit <= fake->exits || fake->clock_ns < UINT64_C(10000000000))
        return;
    interrupted = 1;
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
    recorded(w, "interrupted", 20);
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
    recorded(w, "guest-end", 20);
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
    assert_int_equal(record(w), -EPIPE);
    assert_non_null(strstr(w->err.text, "--each-exit"));
    assert_int_equal(w->fake.stops, 1);
    reopen(w);
    assert_int_equal(w->run.last_exit, 3);
    assert_string_equal(w->run.stop, "error");
}

static void test_hook_fails_at_once(void **state)
{
    struct world *w = *state;

    w->options.each_exit = "exit 3";
    assert_int_equal(record(w), -EPIPE);
    assert_int_equal(w->fake.stops, 1);
}

static void test_hook_fails_in_the_end(void **state)
{
    struct world *w = *state;

    w->options.each_exit = "while read line; do echo; done; exit 3";
    assert_int_equal(record(w), -ECHILD);
    assert_int_equal(w->fake.stops, 1);
    reopen(w); /* nothing is missing */
    assert_int_equal(w->run.last_exit, 20);
    assert_string_equal(w->run.stop, "guest-end");
}

static void on_alarm(int signal)
{
    (void)signal;
    interrupted = 1;
}

/* Ctrl-C gets through to a recorder whose command does not answer. */
static void test_hook_hangs(void **state)
{
    struct sigaction action = {.sa_handler = on_alarm}, before;
    struct itimerval soon = {.it_value = {.tv_usec = 200000}};
    struct world *w = *state;

    w->options.each_exit = "read line; echo; read line; sleep 1000; echo";
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
    w->options.memory = XRW_RECORD_MEMORY_END;
    recorded(w, "interrupted", 2);
    check_memory(w, at_the_end); /* it was held there */
    assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(exits),
        TEST(stop_exits),
        TEST(stop_seconds),
        TEST(stop_seconds_without_exits),
        TEST(stop_rip),
        TEST(stop_reason),
        TEST(stop_idle),
        TEST(running_is_not_idle),
        TEST(stop_interrupted),
        TEST(interrupted_before_it_began),
        TEST(memory_exit),
        TEST(memory_every),
        TEST(memory_end),
        TEST(memory_end_of_a_running_guest),
        TEST(memory_none),
        TEST(file_in_the_way),
        TEST(file_stays_if_the_source_fails),
        TEST(no_such_folder),
        TEST(each_call_fails_once),
        TEST(disk_full),
        TEST(exits_are_committed_while_nothing_happens),
        TEST(hook),
        TEST(hook_ends_early),
        TEST(hook_fails_at_once),
        TEST(hook_fails_in_the_end),
        TEST(hook_hangs),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
