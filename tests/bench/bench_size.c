/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes an exit that each table and index of a closed recording takes, by SQLite's own account
 * (dbstat), without memory: of the real exits, and of the stream grown from them.
 */
#include "bench.h"
#include "stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#define MANY_EXITS 500000u

/* What a file has once, however long it is, is left out. */
static const char *const parts[] = {"exit", "kept", "work", "block", "sysregs", "site"};
static const char index_name[] = "exit_by_site";

static void make(struct stream *stream, const char *path, uint64_t exits)
{
    struct xrw_run run = {.id = 1,
                          .source = "xen",
                          .mode = "pause",
                          .vcpus = 1,
                          .start_unix_ns = 1,
                          .end_unix_ns = 2,
                          .first_exit = 1};
    struct xrw_error err = {""};
    struct xrw_store *store;
    int ret;

    stream_rewind(stream);
    ret = xrw_store_create(&store, path, &err);
    if (!ret)
        ret = xrw_store_begin_run(store, &run, &err);
    if (!ret)
        stream_add_insns(stream, store);
    for (uint64_t i = 0; !ret && i < exits; i++) {
        const struct xrw_exit *exit = stream_next(stream);

        stream_name_insn(stream, store);
        ret = xrw_store_add_exit(store, exit, &err);
    }
    if (!ret)
        ret = xrw_store_end_run(store, &run, &err);
    if (!ret)
        ret = xrw_store_close(store, &err);
    if (ret)
        bench_fail("bench: %s", err.text);
}

/* Bytes of a table's or an index's content, with what SQLite needs for each of its rows. */
static double bytes_of(sqlite3 *db, const char *name)
{
    sqlite3_stmt *stmt = NULL;
    double bytes;

    if (sqlite3_prepare_v2(db, "SELECT sum(pgsize - unused) FROM dbstat WHERE name = ?", -1, &stmt,
                           NULL))
        bench_fail("bench: %s", sqlite3_errmsg(db));
    sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
    if (sqlite3_step(stmt) != SQLITE_ROW)
        bench_fail("bench: %s", sqlite3_errmsg(db));
    bytes = sqlite3_column_double(stmt, 0);
    sqlite3_finalize(stmt);
    return bytes;
}

static void measure(const char *path, const char *what, uint64_t exits)
{
    double total = 0;
    sqlite3 *db = NULL;
    char name[64];

    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL))
        bench_fail("bench: %s", sqlite3_errmsg(db));
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        double bytes = bytes_of(db, parts[i]) / (double)exits;

        (void)snprintf(name, sizeof name, "size/%s/%s", what, parts[i]);
        bench_report(name, bytes, "bytes/exit");
        total += strcmp(parts[i], "site") ? bytes : 0; /* grows with the code, not with time */
    }
    (void)snprintf(name, sizeof name, "size/%s", what);
    bench_report(name, total, "bytes/exit");
    (void)snprintf(name, sizeof name, "size/%s/index", what);
    bench_report(name, bytes_of(db, index_name) / (double)exits, "bytes/exit");
    sqlite3_close(db);
}

int main(void)
{
    struct stream *stream = stream_open();
    const char *base = getenv("TMPDIR");
    char folder[64], path[96];

    (void)snprintf(folder, sizeof folder, "%.40s/xrw-bench-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(folder))
        bench_fail("bench: cannot make a folder in %s", base ? base : "/tmp");
    (void)snprintf(path, sizeof path, "%s/it", folder);
    make(stream, path, stream_lap(stream));
    measure(path, "real", stream_lap(stream));
    (void)unlink(path);
    make(stream, path, MANY_EXITS);
    measure(path, "stream", MANY_EXITS);
    (void)unlink(path);
    (void)rmdir(folder);
    stream_close(stream);
    return 0;
}
