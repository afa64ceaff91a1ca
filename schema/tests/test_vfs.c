/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every call of SQLite to the file system fails once, for every N the N-th: the error is told, and
 * what the file then holds is whole.
 */
#include "sample.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

/* Enough for each kind of call, at each step: of more exits there are only more pages to write. */
enum { EXITS = 90, BATCH = 30 };

/* ---- a file system of which the N-th call fails ---------------------- */

struct file {
    sqlite3_file base;
    sqlite3_file *real; /* behind this struct */
};

static sqlite3_vfs vfs, *real_vfs;
static _Atomic long calls, syncs, fail_at; /* fail_at 0: none */
static _Atomic bool keep_failing;

static bool fails(void)
{
    long call = ++calls;

    return fail_at && (call == fail_at || (keep_failing && call > fail_at));
}

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct file *)(void *)file)->real;
}

static int file_close(sqlite3_file *file)
{
    sqlite3_file *real = real_of(file);

    return real->pMethods ? real->pMethods->xClose(real) : SQLITE_OK;
}

static int file_read(sqlite3_file *file, void *to, int bytes, sqlite3_int64 at)
{
    return fails() ? SQLITE_IOERR_READ
                   : real_of(file)->pMethods->xRead(real_of(file), to, bytes, at);
}

/* A write that fails may have come half way. */
static int file_write(sqlite3_file *file, const void *from, int bytes, sqlite3_int64 at)
{
    if (!fails())
        return real_of(file)->pMethods->xWrite(real_of(file), from, bytes, at);
    (void)real_of(file)->pMethods->xWrite(real_of(file), from, bytes / 2, at);
    return calls % 2 ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 bytes)
{
    return fails() ? SQLITE_IOERR_TRUNCATE
                   : real_of(file)->pMethods->xTruncate(real_of(file), bytes);
}

static int file_sync(sqlite3_file *file, int flags)
{
    syncs++;
    return fails() ? SQLITE_IOERR_FSYNC : real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int file_size(sqlite3_file *file, sqlite3_int64 *bytes)
{
    return fails() ? SQLITE_IOERR_FSTAT : real_of(file)->pMethods->xFileSize(real_of(file), bytes);
}

static int file_lock(sqlite3_file *file, int lock)
{
    return fails() ? SQLITE_IOERR_LOCK : real_of(file)->pMethods->xLock(real_of(file), lock);
}

static int file_unlock(sqlite3_file *file, int lock)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), lock);
}

static int file_check(sqlite3_file *file, int *out)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), out);
}

static int file_control(sqlite3_file *file, int what, void *arg)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), what, arg);
}

static int file_sector(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int file_device(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int file_map(sqlite3_file *file, int region, int bytes, int extend, void volatile **out)
{
    return fails() ? SQLITE_IOERR_SHMMAP
                   : real_of(file)->pMethods->xShmMap(real_of(file), region, bytes, extend, out);
}

static int file_shm_lock(sqlite3_file *file, int at, int n, int flags)
{
    return real_of(file)->pMethods->xShmLock(real_of(file), at, n, flags);
}

static void file_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int file_unmap(sqlite3_file *file, int delete)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), delete);
}

static const sqlite3_io_methods methods = {.iVersion = 2,
                                           .xClose = file_close,
                                           .xRead = file_read,
                                           .xWrite = file_write,
                                           .xTruncate = file_truncate,
                                           .xSync = file_sync,
                                           .xFileSize = file_size,
                                           .xLock = file_lock,
                                           .xUnlock = file_unlock,
                                           .xCheckReservedLock = file_check,
                                           .xFileControl = file_control,
                                           .xSectorSize = file_sector,
                                           .xDeviceCharacteristics = file_device,
                                           .xShmMap = file_map,
                                           .xShmLock = file_shm_lock,
                                           .xShmBarrier = file_barrier,
                                           .xShmUnmap = file_unmap};

static int open_file(sqlite3_vfs *self, const char *name, sqlite3_file *out, int flags, int *got)
{
    struct file *file = (struct file *)(void *)out;
    int rc;

    (void)self;
    file->base.pMethods = NULL;
    if (fails())
        return SQLITE_CANTOPEN;
    file->real = (sqlite3_file *)(void *)(file + 1);
    rc = real_vfs->xOpen(real_vfs, name, file->real, flags, got);
    if (rc == SQLITE_OK)
        file->base.pMethods = &methods;
    return rc;
}

static int delete_file(sqlite3_vfs *self, const char *name, int sync)
{
    (void)self;
    return fails() ? SQLITE_IOERR_DELETE : real_vfs->xDelete(real_vfs, name, sync);
}

static int set_up(void **state)
{
    (void)state;
    real_vfs = sqlite3_vfs_find(NULL);
    vfs = *real_vfs;
    vfs.zName = "failing";
    vfs.szOsFile = (int)sizeof(struct file) + real_vfs->szOsFile;
    vfs.xOpen = open_file;
    vfs.xDelete = delete_file;
    sample_make_folder();
    return sqlite3_vfs_register(&vfs, 1) != SQLITE_OK;
}

static int tear_down(void **state)
{
    (void)state;
    sample_remove_folder();
    return sqlite3_vfs_unregister(&vfs) != SQLITE_OK;
}

/* ---- recording on it ------------------------------------------------- */

static int add(struct xrw_store *store, xrw_exit_id id, struct xrw_error *err)
{
    struct sample_random random = {id};
    struct xrw_exit exit;
    uint8_t page[XRW_PAGE_BYTES];
    int ret;

    sample_exit(&random, 1, id, &exit);
    xrw_exit_set(&exit, XRW_EXIT_time_ns, id * 1000);
    sample_page(1, id, page);
    ret = xrw_store_add_page(store, 1, id % 3, id, page, false, err);
    return ret ? ret : xrw_store_add_exit(store, &exit, err);
}

/* Returns the first error; *committed: exits that were said to be safe. */
static int record(const char *path, bool durable, xrw_exit_id *committed, struct xrw_error *err)
{
    struct xrw_run run = sample_run(1, 1, XRW_MEMORY_EXIT);
    struct xrw_store *store;
    int ret = xrw_store_create(&store, path, err), closed;

    *committed = 0;
    if (ret)
        return ret;
    if (durable)
        ret = xrw_store_make_durable(store, err);
    if (!ret)
        ret = xrw_store_begin_run(store, &run, err);
    for (xrw_exit_id id = 1; !ret && id <= EXITS; id++) {
        ret = add(store, id, err);
        if (!ret && id % BATCH == 0) {
            ret = xrw_store_commit(store, err);
            *committed = ret ? *committed : id;
        }
    }
    if (!ret)
        ret = xrw_store_end_run(store, &run, err);
    closed = xrw_store_close(store, ret ? NULL : err);
    return ret ? ret : closed;
}

static void print_problem(void *ctx, const char *problem)
{
    print_error("call %ld: %s\n", *(long *)ctx, problem);
}

/* Whole up to what was committed, at least; nothing, if it could not even be made. */
static void assert_whole(const char *path, long call, xrw_exit_id committed)
{
    const struct xrw_check_options options = {.problem = print_problem, .ctx = &call};
    struct xrw_check_result result;
    struct xrw_error err = {""};
    struct xrw_store *store;

    if (access(path, F_OK)) {
        assert_int_equal(committed, 0);
        return;
    }
    assert_done(xrw_store_open(&store, path, &err), err);
    assert_done(xrw_store_check(store, &options, &result, &err), err);
    assert_int_equal(result.problems, 0);
    if (result.exits < committed)
        fail_msg("call %ld: %" PRIu64 " exits, %" PRIu64 " were committed", call, result.exits,
                 committed);
    assert_done(xrw_store_close(store, &err), err);
}

static void remove_files(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    char name[256];

    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        (void)snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        (void)unlink(name);
    }
}

/* Recordings for which a power loss is to lose no more than a kill: they make the calls of others,
 * and wait for the disk beside. */
static void fail_each_call(bool for_good)
{
    const char *path = sample_path("failing.db");
    unsigned told = 0;
    long n, all;

    keep_failing = for_good;
    for (n = 1;; n++) {
        struct xrw_error err = {""};
        xrw_exit_id committed;
        int ret;

        remove_files(path);
        calls = 0;
        fail_at = n;
        ret = record(path, true, &committed, &err);
        all = calls;
        fail_at = 0;
        assert_true(ret <= 0 && (!ret || err.text[0]));
        if (getenv("XRW_VERBOSE"))
            print_message("%ld: %d %s\n", n, ret, err.text);
        told += ret != 0;
        assert_whole(path, n, committed);
        if (all < n)
            break;
    }
    print_message("%ld calls, of which %u ended the recording\n", n - 1, told);
    assert_true(told > 20);
}

static void each_call_fails_once(void **state)
{
    (void)state;
    fail_each_call(false);
}

static void each_call_fails_and_all_after_it(void **state)
{
    (void)state;
    fail_each_call(true);
}

/* What is said above of durable recordings. */
static void others_make_no_other_calls(void **state)
{
    const char *path = sample_path("failing.db");
    long made[2], waited[2];

    (void)state;
    for (int durable = 0; durable < 2; durable++) {
        struct xrw_error err = {""};
        xrw_exit_id committed;

        remove_files(path);
        calls = syncs = 0;
        assert_done(record(path, durable, &committed, &err), err);
        made[durable] = calls - syncs;
        waited[durable] = syncs;
    }
    assert_int_equal(made[0], made[1]);
    assert_true(waited[0] < waited[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(others_make_no_other_calls),
        cmocka_unit_test(each_call_fails_once),
        cmocka_unit_test(each_call_fails_and_all_after_it),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
