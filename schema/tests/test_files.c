/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that are not what they should be: each is told in words, none is opened. */
#include "sample.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

static int set_up(void **state)
{
    (void)state;
    sample_make_folder();
    sample_tour(sample_path("tour.db"));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sample_remove_folder();
    return 0;
}

static void write_file(const char *path, const void *data, size_t bytes)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

static void sql_on(const char *path, const char *sql)
{
    sqlite3 *db;
    char *message = NULL;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static const char *copy_of_tour(const char *name)
{
    const char *to = sample_path(name), *from = sample_path("tour.db");
    char command[512];

    (void)snprintf(command, sizeof command, "cp '%s' '%s'", from, to);
    assert_int_equal(system(command), 0);
    return to;
}

/* Opening fails with that error, in at most two lines that have the words in them. */
static void assert_refused(const char *path, int error, const char *words)
{
    struct xrw_error err = {""};
    struct xrw_store *store = (void *)0x1234;
    const char *newline;
    int ret = xrw_store_open(&store, path, &err);

    if (ret != error || !strstr(err.text, words))
        fail_msg("%s: %d: %s", path, ret, err.text);
    assert_ptr_equal(store, (void *)0x1234);
    newline = strchr(err.text, '\n');
    assert_true(!newline || !strchr(newline + 1, '\n'));
    assert_int_equal(xrw_store_open(&store, path, NULL), error);
}

static void what_is_no_recording_is_refused(void **state)
{
    const char *path;

    (void)state;
    assert_refused(sample_path("missing.db"), -ENOENT, "No such file");
    assert_refused(sample_path(""), -EISDIR, "directory");
    assert_refused("/dev/null", -EINVAL, "not a regular file");
    path = sample_path("fifo");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_refused(path, -EINVAL, "not a regular file");
    path = sample_path("empty");
    write_file(path, "", 0);
    assert_refused(path, -EINVAL, "empty");
    path = sample_path("short");
    write_file(path, "SQLite format 3", 16);
    assert_refused(path, -EINVAL, "16 bytes");
    path = sample_path("text");
    write_file(path,
               "It was a dark and stormy night; the rain fell in torrents, except at "
               "occasional intervals, when it was checked.",
               110);
    assert_refused(path, -EINVAL, "not a recording");
    path = sample_path("other.db");
    sql_on(path, "CREATE TABLE t(a)");
    assert_refused(path, -EINVAL, "another program's");
}

/* Killed when it made the file: all of it, or a part, is there, and a journal that takes it back.
 */
static void a_file_that_was_not_finished_is_empty(void **state)
{
    /* Source: SQLite, "Database File Format", section "The Rollback Journal". */
    static const uint8_t journal[512] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};
    const char *path = copy_of_tour("unfinished.db");
    struct stat st;

    (void)state;
    write_file(sample_path("unfinished.db-journal"), journal, sizeof journal);
    assert_refused(path, -EINVAL, "it is empty");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size - 8192), 0);
    assert_refused(path, -EINVAL, "it is empty");
    assert_int_equal(unlink(sample_path("unfinished.db-journal")), 0);
    assert_refused(path, -EUCLEAN, "truncated");
}

static void other_formats_are_refused(void **state)
{
    const char *path = copy_of_tour("newer.db");

    (void)state;
    sql_on(path, "PRAGMA user_version = 5");
    assert_refused(path, -EPROTONOSUPPORT, "newer xenrewind");
    path = copy_of_tour("older.db");
    sql_on(path, "PRAGMA user_version = 1");
    assert_refused(path, -EPROTONOSUPPORT, "Record it again");
}

static void changed_structures_are_refused(void **state)
{
    static const char *const changes[] = {
        "CREATE TABLE mine(a)",
        "CREATE TRIGGER t AFTER INSERT ON exit BEGIN DELETE FROM exit; END",
        "CREATE VIEW v AS SELECT load_extension('x')",
        "CREATE INDEX i ON exit(d_r9)",
        "ALTER TABLE exit ADD COLUMN more INTEGER",
        "DROP VIEW io; CREATE TABLE io(id INTEGER)",
        "CREATE VIRTUAL TABLE f USING fts5(a)",
    };

    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        const char *path = copy_of_tour("changed.db");

        sql_on(path, changes[i]);
        assert_refused(path, -EUCLEAN, "does not belong");
    }
    sql_on(copy_of_tour("changed.db"), "DROP TABLE context");
    assert_refused(sample_path("changed.db"), -EUCLEAN, "missing");
}

static int keep_text(void *ctx, int columns, const char *const *names, const char *const *values)
{
    (void)columns;
    (void)names;
    (void)snprintf(ctx, 32, "%s", values[0] ? values[0] : "NULL");
    return 0;
}

/* Views of the file are not run: neither a stranger's nor those of another version. */
static void views_of_the_file_are_hidden(void **state)
{
    static const char *const changes[] = {
        "DROP VIEW exits; CREATE VIEW exits AS SELECT 'evil' AS reason, 1 AS id",
        "DROP VIEW state; CREATE VIEW state AS SELECT randomblob(9) AS id",
        "DROP VIEW exits; DROP VIEW io",
    };
    struct xrw_error err = {""};
    struct xrw_store *store;

    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        char text[32] = "";

        sql_on(copy_of_tour("views.db"), changes[i]);
        assert_done(xrw_store_open(&store, sample_path("views.db"), &err), err);
        assert_done(xrw_store_query(store, "SELECT reason FROM exits WHERE id = 1", 1, 1000,
                                    keep_text, text, &err),
                    err);
        assert_string_equal(text, "CPUID");
        assert_done(xrw_store_query(store, "SELECT port_hex FROM io WHERE id = 3", 1, 1000,
                                    keep_text, text, &err),
                    err);
        assert_string_equal(text, "0xe9");
        assert_done(xrw_store_close(store, &err), err);
    }
}

static void contradictions_are_reported_where_they_are_read(void **state)
{
    static const struct {
        const char *sql;
        xrw_exit_id exit;
    } cases[] = {
        {"UPDATE exit SET d_sysregs = 9999 WHERE id = 3", 3},
        {"UPDATE exit SET after_sysregs = -1 WHERE id = 3", 3},
        {"UPDATE exit SET site = 9999 WHERE id = 3", 3},
        {"UPDATE exit SET block = 0 WHERE id = 3", 3},
        {"UPDATE exit SET kept = 9999 WHERE id = 3", 3},
        {"UPDATE exit SET work = -1 WHERE id = 3", 3},
    };
    struct xrw_error err = {""};
    struct xrw_store *store;
    struct xrw_exit exit;
    struct xrw_run run;
    uint8_t page[XRW_PAGE_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sql_on(copy_of_tour("wrong.db"), cases[i].sql);
        assert_done(xrw_store_open(&store, sample_path("wrong.db"), &err), err);
        assert_int_equal(xrw_store_exit(store, cases[i].exit, &exit, &err), -EUCLEAN);
        assert_done(xrw_store_exit(store, 4, &exit, &err), err);
        assert_done(xrw_store_close(store, &err), err);
    }
    sql_on(copy_of_tour("wrong.db"),
           "UPDATE page SET data = zeroblob(length(data)) WHERE id = (SELECT page FROM page_version"
           " WHERE gfn = 1 AND exit = 0); UPDATE page_version SET page = 999 WHERE gfn = 2;"
           "UPDATE context SET data = x'00'; UPDATE insn SET code = zeroblob(16);");
    assert_done(xrw_store_open(&store, sample_path("wrong.db"), &err), err);
    assert_int_equal(xrw_store_page(store, 1, 1, 0, page, NULL, &err), -EUCLEAN);
    assert_int_equal(xrw_store_page(store, 1, 2, 0, page, NULL, &err), -EUCLEAN);
    assert_done(xrw_store_page(store, 1, 4, 0, page, NULL, &err), err);
    assert_int_equal(xrw_store_fxsave(store, 5, page, &err), -EUCLEAN);
    assert_int_equal(xrw_store_insn(store, 5, page, &(size_t){0}, NULL, 0, &err), -EUCLEAN);
    assert_done(xrw_store_close(store, &err), err);
    sql_on(copy_of_tour("wrong.db"), "UPDATE run SET memory = 'all'");
    assert_done(xrw_store_open(&store, sample_path("wrong.db"), &err), err);
    assert_int_equal(xrw_store_run(store, 1, &run, &err), -EUCLEAN);
    assert_done(xrw_store_close(store, &err), err);
    sql_on(copy_of_tour("wrong.db"), "UPDATE run SET last_exit = -7");
    assert_done(xrw_store_open(&store, sample_path("wrong.db"), &err), err);
    assert_int_equal(xrw_store_run(store, 1, &run, &err), -EUCLEAN);
    assert_done(xrw_store_close(store, &err), err);
}

static void nothing_is_overwritten(void **state)
{
    struct xrw_error err = {""};
    struct xrw_store *store;

    (void)state;
    assert_int_equal(xrw_store_create(&store, sample_path("tour.db"), &err), -EEXIST);
    assert_non_null(strstr(err.text, "not overwritten"));
    assert_int_equal(xrw_store_create(&store, sample_path("no/such/folder.db"), &err), -ENOENT);
    assert_int_equal(xrw_store_create(&store, sample_path(""), &err), -EISDIR);
    assert_done(xrw_store_open(&store, sample_path("tour.db"), &err), err);
    assert_done(xrw_store_close(store, &err), err);
}

static void odd_names_are_names(void **state)
{
    static const char *const names[] = {"a b?c#d%41.db", ":memory:", "file:x.db", "\xc3\xa9.db"};
    struct xrw_error err = {""};
    char before[512];

    (void)state;
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(sample_path("")), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct xrw_store *store;

        assert_done(xrw_store_create(&store, names[i], &err), err);
        assert_done(xrw_store_close(store, &err), err);
        assert_int_equal(access(names[i], R_OK), 0);
        assert_done(xrw_store_open(&store, names[i], &err), err);
        assert_done(xrw_store_close(store, &err), err);
    }
    assert_int_equal(chdir(before), 0);
}

/* In a child that may read the folder but not write it. */
static int open_without_rights(const char *path)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        struct xrw_error err = {""};
        struct xrw_store *store;
        struct xrw_exit exit;
        int ret;

        if (geteuid() == 0 && (setgid(65534) || setuid(65534)))
            _exit(99);
        ret = xrw_store_open(&store, path, &err);
        if (!ret)
            ret = xrw_store_exit(store, 1, &exit, &err);
        _exit(-ret);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return -WEXITSTATUS(status);
}

static void a_folder_that_cannot_be_written_is_enough_to_read(void **state)
{
    struct xrw_error err = {""};
    struct xrw_store *store;
    struct xrw_run run = sample_run(1, 1, XRW_MEMORY_NONE);
    struct xrw_exit exit = {.id = 1, .run = 1};
    char folder[160], command[1024];

    (void)state;
    (void)snprintf(folder, sizeof folder, "%s", sample_path("locked"));
    assert_int_equal(mkdir(folder, 0755), 0);
    assert_int_equal(chmod(sample_path(""), 0755), 0);
    (void)snprintf(command, sizeof command, "cp '%s' '%s/closed.db'", sample_path("tour.db"),
                   folder);
    assert_int_equal(system(command), 0);
    assert_done(xrw_store_create(&store, sample_path("locked/open.db"), &err), err);
    assert_done(xrw_store_begin_run(store, &run, &err), err);
    assert_done(xrw_store_add_exit(store, &exit, &err), err);
    assert_done(xrw_store_commit(store, &err), err);
    /* As a copy without its shared memory: the WAL cannot be read there. */
    (void)snprintf(command, sizeof command,
                   "cd '%s' && cp open.db part.db && cp open.db-wal part.db-wal &&"
                   " cp open.db walless.db && chmod 0644 * && chmod 0555 .",
                   folder);
    assert_int_equal(system(command), 0);
    assert_int_equal(open_without_rights(sample_path("locked/closed.db")), 0);
    assert_int_equal(open_without_rights(sample_path("locked/open.db")), 0);
    assert_int_equal(open_without_rights(sample_path("locked/part.db")), -EROFS);
    assert_int_equal(open_without_rights(sample_path("locked/walless.db")), -ENOENT);
    assert_int_equal(chmod(folder, 0755), 0);
    assert_int_equal(chmod(sample_path("locked/closed.db"), 0000), 0);
    assert_int_equal(open_without_rights(sample_path("locked/closed.db")), -EACCES);
    assert_done(xrw_store_close(store, &err), err);
}

/* Closed, a recording is one file. */
static void a_closed_recording_is_one_file(void **state)
{
    char wal[170];

    (void)state;
    (void)snprintf(wal, sizeof wal, "%s-wal", sample_path("tour.db"));
    assert_int_equal(access(wal, F_OK), -1);
    (void)snprintf(wal, sizeof wal, "%s-shm", sample_path("tour.db"));
    assert_int_equal(access(wal, F_OK), -1);
    (void)snprintf(wal, sizeof wal, "%s-journal", sample_path("tour.db"));
    assert_int_equal(access(wal, F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_closed_recording_is_one_file),
        cmocka_unit_test(what_is_no_recording_is_refused),
        cmocka_unit_test(a_file_that_was_not_finished_is_empty),
        cmocka_unit_test(other_formats_are_refused),
        cmocka_unit_test(changed_structures_are_refused),
        cmocka_unit_test(views_of_the_file_are_hidden),
        cmocka_unit_test(contradictions_are_reported_where_they_are_read),
        cmocka_unit_test(nothing_is_overwritten),
        cmocka_unit_test(odd_names_are_names),
        cmocka_unit_test(a_folder_that_cannot_be_written_is_enough_to_read),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
