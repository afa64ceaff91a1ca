/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exits into a recording, through both threads, beside a raw append log of the same content through
 * the same ring, and beside SQLite's bind and step of one wide table.
 */
#include "bench.h"
#include "raw_record.h"
#include "ring.h"
#include "stream.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#define EXITS 500000u
#define WIDE_EXITS 100000u
#define OFFERED_SECONDS 3u
#define SYSTEM_REGISTERS (XRW_REGISTER_COUNT - XRW_HOT_COUNT)

struct ingest {
    struct stream *stream;
    char folder[64], path[96];
    double index_seconds;
    double writing_ns[BENCH_PAIRS + 2]; /* processor time of the writing thread, an exit */
    size_t runs;
};

static void check(int ret, const struct xrw_error *err)
{
    if (ret)
        bench_fail("bench: %s", err->text);
}

static void remove_file(const struct ingest *ingest)
{
    (void)unlink(ingest->path);
}

/* ---- the store ------------------------------------------------------- */

static struct xrw_store *begin(struct ingest *ingest, struct xrw_run *run)
{
    struct xrw_error err = {""};
    struct xrw_store *store;

    remove_file(ingest);
    check(xrw_store_create(&store, ingest->path, &err), &err);
    check(xrw_store_begin_run(store, run, &err), &err);
    stream_rewind(ingest->stream);
    stream_add_insns(ingest->stream, store);
    check(xrw_store_commit(store, &err), &err);
    return store;
}

static void end(struct ingest *ingest, struct xrw_store *store, struct xrw_run *run)
{
    struct xrw_error err = {""};
    uint64_t before = bench_now_ns();

    run->end_unix_ns = 2;
    check(xrw_store_end_run(store, run, &err), &err);
    check(xrw_store_close(store, &err), &err);
    ingest->index_seconds = (double)(bench_now_ns() - before) / 1e9;
    remove_file(ingest);
}

static struct xrw_run a_run(void)
{
    return (struct xrw_run){
        .id = 1, .source = "xen", .mode = "pause", .vcpus = 1, .start_unix_ns = 1, .first_exit = 1};
}

static void add(struct ingest *ingest, struct xrw_store *store)
{
    struct xrw_error err = {""};
    const struct xrw_exit *exit = stream_next(ingest->stream);

    stream_name_insn(ingest->stream, store);
    check(xrw_store_add_exit(store, exit, &err), &err);
}

static uint64_t own_cpu_ns(void)
{
    struct timespec time;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static double run_store(void *ctx)
{
    struct ingest *ingest = ctx;
    struct xrw_run run = a_run();
    struct xrw_store *store = begin(ingest, &run);
    uint64_t before = bench_now_ns(), cpu = bench_cpu_ns(), own = own_cpu_ns(), after;
    struct xrw_error err = {""};

    for (unsigned i = 0; i < EXITS; i++)
        add(ingest, store);
    check(xrw_store_commit(store, &err), &err);
    after = bench_now_ns();
    cpu = bench_cpu_ns() - cpu;
    own = own_cpu_ns() - own;
    (void)fprintf(stderr, "ingest: %.2f s, %.2f s of processor time\n",
                  (double)(after - before) / 1e9, (double)cpu / 1e9);
    if (ingest->runs < sizeof ingest->writing_ns / sizeof *ingest->writing_ns)
        ingest->writing_ns[ingest->runs++] = (double)(cpu - own) / EXITS;
    end(ingest, store, &run);
    return EXITS / ((double)(after - before) / 1e9);
}

/* ---- the raw log ----------------------------------------------------- */

struct raw {
    struct xrw_ring *ring;
    int fd;
};

static void write_all(int fd, const uint8_t *data, size_t bytes)
{
    while (bytes) {
        ssize_t done = write(fd, data, bytes);

        if (done <= 0)
            bench_fail("bench: writing the raw log failed");
        data += done;
        bytes -= (size_t)done;
    }
}

/* Everything from the ring into a file, in pieces of 1 MiB. */
static void *log_raw(void *arg)
{
    static uint8_t piece[1u << 20];
    struct raw *raw = arg;
    const struct xrw_ring_record *record;
    size_t used = 0;
    int state;

    while ((state = xrw_ring_wait(raw->ring)) != XRW_RING_ENDED) {
        while ((record = xrw_ring_peek(raw->ring)) != NULL) {
            if (used + record->bytes > sizeof piece) {
                write_all(raw->fd, piece, used);
                used = 0;
            }
            memcpy(piece + used, record, record->bytes);
            used += record->bytes;
            xrw_ring_pop(raw->ring);
        }
        if (state == XRW_RING_SETTLE)
            xrw_ring_settled(raw->ring);
    }
    write_all(raw->fd, piece, used);
    return NULL;
}

static uint32_t system_id(const struct xrw_registers *regs, struct xrw_registers *last,
                          uint32_t *id)
{
    if (memcmp(regs->value + XRW_HOT_COUNT, last->value + XRW_HOT_COUNT,
               SYSTEM_REGISTERS * sizeof regs->value[0]) != 0 ||
        memcmp(regs->known + XRW_HOT_COUNT, last->known + XRW_HOT_COUNT,
               SYSTEM_REGISTERS * sizeof regs->known[0]) != 0) {
        *last = *regs;
        ++*id;
    }
    return *id;
}

static double run_raw(void *ctx)
{
    struct ingest *ingest = ctx;
    struct raw raw = {xrw_ring_create(xrw_ring_default_bytes()),
                      open(ingest->path, O_CREAT | O_TRUNC | O_WRONLY, 0666)};
    struct xrw_registers last = {0};
    uint32_t id = 0;
    pthread_t thread;
    uint64_t before, after;

    if (!raw.ring || raw.fd < 0 || pthread_create(&thread, NULL, log_raw, &raw))
        bench_fail("bench: cannot begin the raw log");
    stream_rewind(ingest->stream);
    before = bench_now_ns();
    for (unsigned i = 0; i < EXITS; i++) {
        const struct xrw_exit *exit = stream_next(ingest->stream);
        struct raw_record *record = xrw_ring_reserve(raw.ring, sizeof *record);

        raw_record_fill(record, exit);
        record->insn = 1;
        record->sysregs = system_id(&exit->before, &last, &id);
        record->after_sysregs = system_id(&exit->after, &last, &id);
        xrw_ring_push(raw.ring);
    }
    xrw_ring_settle(raw.ring);
    xrw_ring_end(raw.ring);
    (void)pthread_join(thread, NULL);
    after = bench_now_ns();
    close(raw.fd);
    xrw_ring_destroy(raw.ring);
    remove_file(ingest);
    return EXITS / ((double)(after - before) / 1e9);
}

/* ---- one wide table -------------------------------------------------- */

#define FIELD_COLUMN(name, bits, what) "," #name " INTEGER"
#define REGISTER_COLUMN(name, bits, group) "," #name " INTEGER"
#define MARK(...) ",?"

static void bind_wide(sqlite3_stmt *stmt, const struct xrw_exit *exit)
{
    int parameter = 1;

    sqlite3_bind_int64(stmt, parameter++, (sqlite3_int64)exit->id);
    for (unsigned i = 0; i < XRW_EXIT_FIELD_COUNT; i++, parameter++)
        if (exit->field_known[i])
            sqlite3_bind_int64(stmt, parameter, (sqlite3_int64)exit->field[i]);
    for (unsigned i = 0; i < XRW_REGISTER_COUNT; i++, parameter++)
        if (exit->before.known[i])
            sqlite3_bind_int64(stmt, parameter, (sqlite3_int64)exit->before.value[i]);
}

static double run_wide(void *ctx)
{
    static const char create[] = "PRAGMA page_size = 16384; PRAGMA journal_mode = WAL;"
                                 "PRAGMA synchronous = OFF; CREATE TABLE wide("
                                 "id INTEGER PRIMARY KEY" XRW_EXIT_FIELD_TABLE(FIELD_COLUMN)
                                     XRW_REGISTER_TABLE(REGISTER_COLUMN) ") STRICT;"
                                                                         "BEGIN;";
    static const char insert[] =
        "INSERT INTO wide VALUES(?" XRW_EXIT_FIELD_TABLE(MARK) XRW_REGISTER_TABLE(MARK) ")";
    struct ingest *ingest = ctx;
    sqlite3_stmt *stmt = NULL;
    sqlite3 *db = NULL;
    uint64_t before;

    remove_file(ingest);
    if (sqlite3_open(ingest->path, &db) || sqlite3_exec(db, create, NULL, NULL, NULL) ||
        sqlite3_prepare_v2(db, insert, -1, &stmt, NULL))
        bench_fail("bench: one wide table: %s", sqlite3_errmsg(db));
    stream_rewind(ingest->stream);
    before = bench_now_ns();
    for (unsigned i = 0; i < WIDE_EXITS; i++) {
        bind_wide(stmt, stream_next(ingest->stream));
        if (sqlite3_step(stmt) != SQLITE_DONE)
            bench_fail("bench: one wide table: %s", sqlite3_errmsg(db));
        sqlite3_reset(stmt);
        sqlite3_clear_bindings(stmt);
    }
    if (sqlite3_exec(db, "COMMIT", NULL, NULL, NULL))
        bench_fail("bench: one wide table: %s", sqlite3_errmsg(db));
    before = bench_now_ns() - before;
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    remove_file(ingest);
    return WIDE_EXITS / ((double)before / 1e9);
}

/* ---- a rate that is offered ------------------------------------------ */

/* Offer exits at that rate; how long did the producer stand still for want of room? */
static double stalled_at(struct ingest *ingest, unsigned rate)
{
    struct xrw_run run = a_run();
    struct xrw_store *store = begin(ingest, &run);
    uint64_t before = bench_now_ns(), count, ns;

    for (uint64_t i = 0; i < (uint64_t)rate * OFFERED_SECONDS; i++) {
        if (i % 64 == 0)
            while ((bench_now_ns() - before) * rate < i * UINT64_C(1000000000))
                ;
        add(ingest, store);
    }
    xrw_store_stalls(store, &count, &ns);
    end(ingest, store, &run);
    return (double)ns / 1e6;
}

static void offer(struct ingest *ingest)
{
    static const unsigned rates[] = {500000, 700000, 1000000};

    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        char name[64];

        (void)snprintf(name, sizeof name, "ingest/stalled-at-%u", rates[i]);
        bench_report(name, stalled_at(ingest, rates[i]), "ms in 3 s");
    }
}

int main(void)
{
    struct ingest ingest = {.stream = stream_open()};
    const char *base = getenv("TMPDIR");

    (void)snprintf(ingest.folder, sizeof ingest.folder, "%.40s/xrw-bench-XXXXXX",
                   base ? base : "/tmp");
    if (!mkdtemp(ingest.folder))
        bench_fail("bench: cannot make a folder in %s", base ? base : "/tmp");
    (void)snprintf(ingest.path, sizeof ingest.path, "%s/it", ingest.folder);
    (void)bench_pairs("ingest/exits", "exits/s", run_store, "raw append log through the same ring",
                      run_raw, &ingest);
    bench_report("ingest/writing/cpu", bench_median(ingest.writing_ns, ingest.runs), "ns/exit");
    bench_report("ingest/end", ingest.index_seconds, "s per M exits");
    bench_report_against("ingest/wide-table", run_wide(&ingest), "exits/s",
                         run_wide(&ingest) / run_store(&ingest), "ingest/exits");
    offer(&ingest);
    (void)rmdir(ingest.folder);
    stream_close(ingest.stream);
    return 0;
}
