/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows that are made later: the same recording, and nothing lost when the recorder dies or the disk
 * is full. */
#include "sample.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RING_BYTES ((size_t)4 << 20)
#define RING_HEADER 4096 /* bytes before the ring in its file */
#define BOOT_OFFSET 16   /* of the id of the boot in that */

static const char *ring_of(const char *path)
{
    static char ring[512];

    (void)snprintf(ring, sizeof ring, "%s-ring", path);
    return ring;
}

/* The exit of that id follows from the id alone; most share much with others, as real ones do. */
static void make_exit(xrw_exit_id id, struct xrw_exit *exit)
{
    struct sample_random random = {id % 7 ? id % 500 : id};

    sample_exit(&random, 1, id, exit);
    xrw_exit_set(exit, XRW_EXIT_time_ns, id * 1000);
}

static struct xrw_store *begin(const char *path, bool later)
{
    struct xrw_run run = sample_run(1, 1, XRW_MEMORY_NONE);
    struct xrw_error err = {""};
    struct xrw_store *store;

    assert_done(xrw_store_create(&store, path, &err), err);
    if (later)
        assert_done(xrw_store_make_rows_later(store, RING_BYTES, &err), err);
    assert_done(xrw_store_begin_run(store, &run, &err), err);
    assert_done(xrw_store_add_context(store, 1, 0, 0, "hvm", "context", 7, &err), err);
    return store;
}

static int add(struct xrw_store *store, xrw_exit_id id, struct xrw_error *err)
{
    const uint8_t code[] = {0x0f, (uint8_t)(id % 3)};
    struct xrw_exit exit;
    uint64_t insn = 0;
    int ret = 0;

    make_exit(id, &exit);
    if (exit.before.known[XRW_REG_rip])
        ret = xrw_store_add_insn(store, exit.before.value[XRW_REG_rip], 64, code, sizeof code,
                                 "text", &insn, err);
    if (ret)
        return ret;
    xrw_store_set_next_insn(store, insn);
    return xrw_store_add_exit(store, &exit, err);
}

static void record(const char *path, bool later, xrw_exit_id exits)
{
    struct xrw_store *store = begin(path, later);
    struct xrw_run run = sample_run(1, 1, XRW_MEMORY_NONE);
    struct xrw_error err = {""};

    for (xrw_exit_id id = 1; id <= exits; id++)
        assert_done(add(store, id, &err), err);
    (void)snprintf(run.stop, sizeof run.stop, "exits");
    assert_done(xrw_store_end_run(store, &run, &err), err);
    assert_done(xrw_store_close(store, &err), err);
}

/* Open it and look at every exit; returns how many there are. */
static xrw_exit_id look(const char *path)
{
    struct xrw_error err = {""};
    struct xrw_store *store;
    struct xrw_run run = {0};

    assert_done(xrw_store_open(&store, path, &err), err);
    if (xrw_store_run_count(store))
        assert_done(xrw_store_run(store, 1, &run, &err), err);
    for (xrw_exit_id id = 1; id <= run.last_exit; id++) {
        struct xrw_exit exit, expected;

        assert_done(xrw_store_exit(store, id, &exit, &err), err);
        make_exit(id, &expected);
        assert_true(xrw_registers_equal(&exit.before, &expected.before));
        assert_int_equal(exit.has_after, expected.has_after);
        if (exit.has_after)
            assert_true(xrw_registers_equal(&exit.after, &expected.after));
        assert_memory_equal(exit.field_known, expected.field_known, sizeof exit.field_known);
        for (unsigned i = 0; i < XRW_EXIT_FIELD_COUNT; i++)
            if (exit.field_known[i])
                assert_true(exit.field[i] == expected.field[i]);
    }
    sample_assert_checked(store);
    assert_done(xrw_store_close(store, &err), err);
    return run.last_exit;
}

/* ---- the same recording ---------------------------------------------- */

/* More than the ring holds, so that rows are made while recording, too. */
static void the_recording_is_the_same(void **state)
{
    const xrw_exit_id exits = 25000;
    char command[1200];
    const char *path;

    (void)state;
    path = sample_path("now.db");
    record(path, false, exits);
    assert_int_equal(look(path), exits);
    path = sample_path("later.db");
    record(path, true, exits);
    assert_int_equal(access(ring_of(path), F_OK), -1);
    assert_int_equal(look(path), exits);
    /* All tables but the blocks, whose borders depend on when rows are made. */
    (void)snprintf(
        command, sizeof command,
        "cd '%s' && for f in now later; do sqlite3 -readonly $f.db '"
        "SELECT * FROM site; SELECT * FROM space; SELECT * FROM kept; SELECT * FROM work;"
        "SELECT * FROM sysregs; SELECT * FROM insn; SELECT * FROM context;"
        "SELECT id, site, kept, work, after_rax FROM exit' >$f.txt; done; cmp *.txt",
        sample_path("."));
    assert_int_equal(system(command), 0);
}

static void it_is_for_recordings_without_memory(void **state)
{
    struct xrw_run run = sample_run(1, 1, XRW_MEMORY_EXIT);
    static const uint8_t page[XRW_PAGE_BYTES];
    const char *path = sample_path("memory.db");
    struct xrw_error err = {""};
    struct xrw_store *store;

    (void)state;
    assert_done(xrw_store_create(&store, path, &err), err);
    assert_int_equal(xrw_store_make_rows_later(store, 12345, &err), -EINVAL);
    assert_done(xrw_store_make_rows_later(store, RING_BYTES, &err), err);
    assert_int_equal(xrw_store_make_rows_later(store, RING_BYTES, &err), -EINVAL);
    assert_int_equal(xrw_store_begin_run(store, &run, &err), -EINVAL);
    run.memory = XRW_MEMORY_NONE;
    assert_done(xrw_store_begin_run(store, &run, &err), err);
    assert_int_equal(xrw_store_add_page(store, 1, 1, 0, page, false, &err), -EINVAL);
    assert_done(xrw_store_close(store, &err), err);
    assert_int_equal(access(ring_of(path), F_OK), -1);
}

/* ---- killed ---------------------------------------------------------- */

/* A child records until it is killed after a while; returns what it had added. */
static xrw_exit_id record_and_kill(const char *path, long after_ns, xrw_exit_id at_least)
{
    const struct timespec delay = {.tv_nsec = after_ns};
    _Atomic xrw_exit_id *added =
        mmap(NULL, sizeof *added, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    xrw_exit_id last;
    int status;
    pid_t child;

    assert_ptr_not_equal(added, MAP_FAILED);
    child = fork();
    if (child == 0) {
        struct xrw_store *store = begin(path, true);
        struct xrw_error err = {""};

        for (xrw_exit_id id = 1; !add(store, id, &err); id++)
            atomic_store(added, id);
        _exit(1);
    }
    while (atomic_load(added) < at_least)
        assert_int_equal(waitpid(child, &status, WNOHANG), 0);
    (void)nanosleep(&delay, NULL);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    last = atomic_load(added);
    (void)munmap(added, sizeof *added);
    return last;
}

/* Not one exit, whether there were rows of it or not. */
static void killed_it_loses_nothing(void **state)
{
    struct sample_random random = sample_seed();
    const char *text = getenv("XRW_CRASHES");
    unsigned rounds = text ? (unsigned)strtoul(text, NULL, 10) : 8;

    (void)state;
    for (unsigned i = 0; i < rounds; i++) {
        const char *path = sample_path("kill.db");
        xrw_exit_id last =
            record_and_kill(path, (long)sample_below(&random, 120000000), i % 3 ? 1 : 6000);
        xrw_exit_id found;

        assert_int_equal(access(ring_of(path), F_OK), 0);
        found = look(path);
        assert_in_range(found, last, last + 1);
        assert_int_equal(access(ring_of(path), F_OK), -1);
        assert_int_equal(look(path), found);
        assert_int_equal(unlink(path), 0);
    }
}

static uint64_t without_rows(const char *path)
{
    struct xrw_error err = {""};
    struct xrw_store *store;
    uint64_t bytes;

    assert_done(xrw_store_open(&store, path, &err), err);
    bytes = xrw_store_bytes_without_rows(store);
    assert_done(xrw_store_close(store, &err), err);
    return bytes;
}

/* Who opens it while it is recorded sees what there are rows of, and takes nothing away. */
static void a_reader_does_not_disturb(void **state)
{
    const char *path = sample_path("live.db");
    struct xrw_error err = {""};
    struct xrw_store *store = begin(path, true);

    (void)state;
    for (xrw_exit_id id = 1; id <= 500; id++)
        assert_done(add(store, id, &err), err);
    assert_int_equal(look(path), 0);
    assert_int_equal(access(ring_of(path), F_OK), 0);
    assert_true(without_rows(path) > 500 * 100);
    assert_done(xrw_store_commit(store, &err), err);
    assert_int_equal(look(path), 500);
    assert_int_equal(without_rows(path), 0);
    for (xrw_exit_id id = 501; id <= 700; id++)
        assert_done(add(store, id, &err), err);
    assert_done(xrw_store_close(store, &err), err);
    assert_int_equal(look(path), 700);
}

/* ---- files that are not what they should be -------------------------- */

static void copy(const char *from, const char *to)
{
    char command[1200];

    (void)snprintf(command, sizeof command, "cp --sparse=always '%s' '%s'", from, to);
    assert_int_equal(system(command), 0);
}

static void change(const char *path, off_t offset, uint8_t xor)
{
    int fd = open(path, O_RDWR);
    uint8_t byte;

    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, offset), 1);
    byte ^= xor;
    assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
    assert_int_equal(close(fd), 0);
}

/* As it was when the recorder was killed: recording, its WAL, and the ring. */
struct killed {
    char db[400], wal[410], ring[410];
};

static void put_back(const struct killed *killed, const char *path)
{
    char wal[512];

    (void)snprintf(wal, sizeof wal, "%s-wal", path);
    copy(killed->db, path);
    copy(killed->wal, wal);
    copy(killed->ring, ring_of(path));
}

static struct killed keep_killed(const char *name)
{
    struct killed killed;
    const char *path = sample_path(name);

    (void)snprintf(killed.db, sizeof killed.db, "%s", path);
    (void)snprintf(killed.wal, sizeof killed.wal, "%s-wal", path);
    (void)snprintf(killed.ring, sizeof killed.ring, "%s-ring", path);
    (void)record_and_kill(path, 0, 2000);
    return killed;
}

static void a_damaged_ring_is_refused_or_harmless(void **state)
{
    struct sample_random random = sample_seed();
    struct killed killed = keep_killed("damage.db");
    unsigned refused = 0;

    (void)state;
    for (unsigned i = 0; i < 150; i++) {
        const char *path = sample_path("damaged.db");
        struct xrw_error err = {""};
        struct xrw_store *store;
        int ret;

        put_back(&killed, path);
        for (unsigned n = 1 + i % 4; n; n--)
            change(ring_of(path), (off_t)sample_below(&random, i % 8 ? 40000 : 4000),
                   (uint8_t)(1 + sample_below(&random, 255)));
        /* What cannot be seen to be damaged is opened. */
        ret = xrw_store_open(&store, path, &err);
        if (ret) {
            refused++;
            assert_int_equal(ret, -EUCLEAN);
            assert_non_null(strstr(err.text, "no exits after"));
            assert_done(xrw_store_open(&store, path, &err), err);
        }
        assert_done(xrw_store_close(store, &err), err);
    }
    assert_true(refused > 10);
}

static void a_ring_of_another_boot_is_not_believed(void **state)
{
    struct killed killed = keep_killed("boot.db");
    const char *path = sample_path("reboot.db");
    xrw_exit_id found;

    (void)state;
    put_back(&killed, path);
    change(ring_of(path), BOOT_OFFSET, 1);
    found = look(path);
    assert_int_equal(found, 0);
    assert_int_equal(access(ring_of(path), F_OK), 0);
}

static void a_ring_of_another_recording_is_not_its(void **state)
{
    struct killed killed = keep_killed("one.db");
    const char *path = sample_path("other.db");

    (void)state;
    record(path, true, 10);
    copy(killed.ring, ring_of(path));
    assert_int_equal(look(path), 10);
    /* A new recording of that name does away with it. */
    assert_int_equal(unlink(path), 0);
    record(path, true, 20);
    assert_int_equal(look(path), 20);
    assert_int_equal(access(ring_of(path), F_OK), -1);
}

/* What it has is not lost because the recording is damaged. */
static void a_damaged_recording_keeps_its_ring(void **state)
{
    struct killed killed = keep_killed("sound.db");
    const char *path = sample_path("broken.db");
    struct xrw_error err = {""};
    struct xrw_store *store;

    (void)state;
    put_back(&killed, path);
    change(path, 60 + 3, 0x40); /* of another format */
    assert_true(xrw_store_open(&store, path, &err) < 0);
    assert_int_equal(access(ring_of(path), F_OK), 0);
    change(path, 60 + 3, 0x40);
    assert_true(look(path) >= 2000);
}

static int open_as_another(const char *path)
{
    struct xrw_error err = {""};
    struct xrw_store *store;
    int ret;

    if (setgid(65534) || setuid(65534))
        return 99;
    ret = xrw_store_open(&store, path, &err);
    if (!ret)
        return xrw_store_close(store, &err) ? 98 : 0;
    return strstr(err.text, "remove it, to go on without") ? -ret : 97;
}

/* Who may not write cannot make rows, and is told what to do. */
static void who_may_not_write_is_told(void **state)
{
    struct killed killed = keep_killed("mine.db");
    const char *path = sample_path("theirs.db");
    int status;
    pid_t child;

    (void)state;
    if (getuid() != 0)
        skip();
    put_back(&killed, path);
    assert_int_equal(chmod(sample_path("."), 0755), 0);
    child = fork();
    if (child == 0)
        _exit(open_as_another(path));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EACCES);
    assert_true(look(path) >= 2000);
}

static void a_truncated_ring_is_not_believed(void **state)
{
    struct killed killed = keep_killed("whole.db");
    const char *path = sample_path("cut.db");

    (void)state;
    put_back(&killed, path);
    assert_int_equal(truncate(ring_of(path), RING_HEADER + (off_t)RING_BYTES / 2), 0);
    assert_int_equal(look(path), 0);
    put_back(&killed, path);
    assert_int_equal(truncate(ring_of(path), 100), 0);
    assert_int_equal(look(path), 0);
}

/* ---- a full disk ----------------------------------------------------- */

static int record_to_the_end(const char *path, _Atomic xrw_exit_id *added)
{
    struct rlimit limit = {RING_BYTES + 600000, RING_BYTES + 600000};
    struct xrw_store *store = begin(path, true);
    struct xrw_error err = {""};
    int ret = 0;

    (void)signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit))
        return 99;
    for (xrw_exit_id id = 1; !ret && id < 200000; id++) {
        ret = add(store, id, &err);
        if (!ret)
            atomic_store(added, id);
    }
    (void)xrw_store_close(store, NULL);
    return -ret;
}

/* What was in the ring then is not lost: once there is room, rows are made of it. */
static void a_full_disk_loses_nothing(void **state)
{
    _Atomic xrw_exit_id *added =
        mmap(NULL, sizeof *added, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const char *path = sample_path("full.db");
    xrw_exit_id found;
    int status;
    pid_t child = fork();

    (void)state;
    if (child == 0)
        _exit(record_to_the_end(path, added));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), ENOSPC);
    assert_int_equal(access(ring_of(path), F_OK), 0);
    found = look(path);
    assert_in_range(found, atomic_load(added), atomic_load(added) + 1);
    assert_int_equal(access(ring_of(path), F_OK), -1);
    (void)munmap(added, sizeof *added);
}

static void without_room_for_the_ring_rows_are_made_at_once(void **state)
{
    struct rlimit old, limit;
    const char *path = sample_path("small.db");
    struct xrw_error err = {""};
    struct xrw_store *store;

    (void)state;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    limit = (struct rlimit){1000000, old.rlim_max};
    assert_done(xrw_store_create(&store, path, &err), err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_true(xrw_store_make_rows_later(store, RING_BYTES, &err) < 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(access(ring_of(path), F_OK), -1);
    {
        struct xrw_run run = sample_run(1, 1, XRW_MEMORY_NONE);

        assert_done(xrw_store_begin_run(store, &run, &err), err);
        for (xrw_exit_id id = 1; id <= 100; id++)
            assert_done(add(store, id, &err), err);
        assert_done(xrw_store_close(store, &err), err);
    }
    assert_int_equal(look(path), 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_recording_is_the_same),
        cmocka_unit_test(it_is_for_recordings_without_memory),
        cmocka_unit_test(killed_it_loses_nothing),
        cmocka_unit_test(a_reader_does_not_disturb),
        cmocka_unit_test(a_damaged_ring_is_refused_or_harmless),
        cmocka_unit_test(a_ring_of_another_boot_is_not_believed),
        cmocka_unit_test(a_ring_of_another_recording_is_not_its),
        cmocka_unit_test(a_damaged_recording_keeps_its_ring),
        cmocka_unit_test(who_may_not_write_is_told),
        cmocka_unit_test(a_truncated_ring_is_not_believed),
        cmocka_unit_test(a_full_disk_loses_nothing),
        cmocka_unit_test(without_room_for_the_ring_rows_are_made_at_once),
    };

    return cmocka_run_group_tests(tests, sample_set_up, sample_tear_down);
}
