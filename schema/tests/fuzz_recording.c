/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libFuzzer harness: a good recording, harmed as the input says, is opened and read in every way.
 * The first byte says what the rest is:
 *   0  changes of bytes: a little-endian offset of 3 bytes, a length, that many bytes; and so on
 *   1  changes of values: table, column, row, kind, 8 bytes of value; and so on
 *   2  one page as `page` holds it: encoding, a byte that fills its base, data
 *   3  SQL, as a user may type it
 *   4  changes of bytes, as 0, of the ring of a recorder that was killed
 */
#include "page_codec.h"
#include "sample.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A file, and the beginning of it, harmed. */
struct content {
    uint8_t *good, *bad;
    size_t bytes;
};

static char path[64], ring_path[72];
static struct content recording, killed, ring;

#define RING_BYTES ((size_t)4 << 20)
#define RING_USED 65536u /* all that is in it, and its header */

static void read_content(struct content *content, const char *name, size_t most)
{
    FILE *file = fopen(name, "rb");

    if (!file || fseek(file, 0, SEEK_END))
        abort();
    content->bytes = (size_t)ftell(file);
    if (content->bytes > most)
        content->bytes = most;
    content->good = malloc(content->bytes);
    content->bad = malloc(content->bytes);
    if (!content->good || !content->bad || fseek(file, 0, SEEK_SET) ||
        fread(content->good, 1, content->bytes, file) != content->bytes)
        abort();
    (void)fclose(file);
}

static void record_and_die(void)
{
    struct xrw_run run = sample_run(1, 1, XRW_MEMORY_NONE);
    struct sample_random random = {7};
    struct xrw_error err;
    struct xrw_store *store;

    if (xrw_store_create(&store, path, &err) ||
        xrw_store_make_rows_later(store, RING_BYTES, &err) ||
        xrw_store_begin_run(store, &run, &err) ||
        xrw_store_add_context(store, 1, 0, 0, "hvm", "context", 7, &err))
        abort();
    for (xrw_exit_id id = 1; id <= 60; id++) {
        struct xrw_exit exit;

        sample_exit(&random, 1, id, &exit);
        if (xrw_store_add_exit(store, &exit, &err) || (id == 20 && xrw_store_commit(store, &err)))
            abort();
    }
    (void)raise(SIGKILL);
}

/* A recording that was killed before there were rows of all, and its ring. */
static void make_killed(void)
{
    pid_t child = fork();
    sqlite3 *db;
    int status;

    if (child == 0)
        record_and_die();
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFSIGNALED(status))
        abort();
    /* Into one file. */
    if (sqlite3_open(path, &db) ||
        sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE", NULL,
                     NULL, NULL))
        abort();
    (void)sqlite3_close(db);
    (void)snprintf(ring_path, sizeof ring_path, "%s-ring", path);
    read_content(&killed, path, SIZE_MAX);
    read_content(&ring, ring_path, RING_USED);
    (void)unlink(ring_path);
    (void)unlink(path);
}

static void make_good(void)
{
    (void)snprintf(path, sizeof path, "%s/xrw-fuzz-%ld.db",
                   access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm", (long)getpid());
    (void)unlink(path);
    sample_tour(path);
    read_content(&recording, path, SIZE_MAX);
    (void)unlink(path);
    make_killed();
}

static void put_file(const char *name, const uint8_t *data, size_t bytes, size_t size)
{
    int fd = open(name, O_CREAT | O_TRUNC | O_WRONLY, 0600);

    if (fd < 0 || write(fd, data, bytes) != (ssize_t)bytes || ftruncate(fd, (off_t)size))
        abort();
    (void)close(fd);
}

static void put_good(void)
{
    put_file(path, recording.good, recording.bytes, recording.bytes);
}

/* ---- harm ------------------------------------------------------------ */

static void change_bytes(struct content *content, const uint8_t *data, size_t size)
{
    memcpy(content->bad, content->good, content->bytes);
    while (size >= 4) {
        size_t at = (data[0] | (size_t)data[1] << 8 | (size_t)data[2] << 16) % content->bytes;
        size_t n = data[3];

        data += 4;
        size -= 4;
        for (size_t i = 0; i < n && i < size && at + i < content->bytes; i++)
            content->bad[at + i] = data[i];
        data += n < size ? n : size;
        size -= n < size ? n : size;
    }
}

static void harm_recording(const uint8_t *data, size_t size)
{
    change_bytes(&recording, data, size);
    put_file(path, recording.bad, recording.bytes, recording.bytes);
}

static void harm_ring(const uint8_t *data, size_t size)
{
    change_bytes(&ring, data, size);
    put_file(path, killed.good, killed.bytes, killed.bytes);
    put_file(ring_path, ring.bad, ring.bytes, 4096 + RING_BYTES);
}

static const struct {
    const char *table, *columns; /* columns in words, divided by blanks */
} tables[] = {
    {"run", "id source mode memory vcpus base_run first_exit last_exit path end_unix_ns"},
    {"site", "id rip reason insn qualification intr_info insn_len exits first_exit last_exit"},
    {"block", "id run vcpu resume exits time_ns tsc sysregs r9 entries"},
    {"exit", "id site block kept work d_time_ns gap advance d_sysregs after_sysregs after_rip "
             "unknown qualification d_gpa whole_entries"},
    {"kept", "id rbx rsp cr3"},
    {"work", "id rax rflags"},
    {"sysregs", "id cr0 cr4 efer cs_attr"},
    {"insn", "id rip mode code text"},
    {"page", "id hash encoding base data"},
    {"page_version", "run gfn exit page"},
    {"context", "run kind vcpu exit data"},
    {"input", "run n space address name data"},
    {"meta", "key value"},
    {"exit_reason", "reason name what"},
};

/* Word n of the text, counted around. */
static void word(const char *text, unsigned n, char *out, size_t bytes)
{
    unsigned words = 1;

    for (const char *c = text; *c; c++)
        words += *c == ' ';
    for (n %= words; n; n--)
        text = strchr(text, ' ') + 1;
    (void)snprintf(out, bytes, "%.*s", (int)strcspn(text, " "), text);
}

static void change_value(sqlite3 *db, const uint8_t *data)
{
    static const char *const kinds[][2] = {
        {"", ""}, {"NULL --", ""}, {"'", "'"}, {"zeroblob(", ")"}, {"randomblob(16) --", ""}};
    const char *table = tables[data[0] % (sizeof tables / sizeof *tables)].table;
    char column[32], value[48], sql[256];
    int64_t number;

    word(tables[data[0] % (sizeof tables / sizeof *tables)].columns, data[1], column,
         sizeof column);
    memcpy(&number, data + 4, sizeof number);
    if (data[3] % 5 == 3)
        number &= 0x1fff;
    (void)snprintf(value, sizeof value, "%s%lld%s", kinds[data[3] % 5][0], (long long)number,
                   kinds[data[3] % 5][1]);
    (void)snprintf(sql, sizeof sql,
                   "UPDATE OR IGNORE %s SET %s = %s\n WHERE %s = (SELECT %s FROM %s LIMIT 1 OFFSET "
                   "%u)",
                   table, column, value, column, column, table, data[2] % 64u);
    (void)sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static void change_values(const uint8_t *data, size_t size)
{
    sqlite3 *db;

    put_good();
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        abort();
    (void)sqlite3_exec(db, "PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY; BEGIN", NULL,
                       NULL, NULL);
    for (; size >= 12; data += 12, size -= 12)
        change_value(db, data);
    (void)sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    (void)sqlite3_close(db);
}

/* ---- reading --------------------------------------------------------- */

static int ignore_row(void *ctx, int columns, const char *const *names, const char *const *values)
{
    (void)ctx, (void)columns, (void)names, (void)values;
    return 0;
}

static void find(struct xrw_store *store, xrw_exit_id id)
{
    const struct xrw_exit_filter filters[] = {
        {.by_rip = true, .rip_first = 0xffffffff81000010, .rip_last = 0xffffffff81000010},
        {.by_rip = true, .rip_first = 1, .rip_last = UINT64_MAX},
        {.by_reason = true, .reason = 10, .guest_only = true},
        {.by_vcpu = true, .vcpu = 1},
        {.guest_only = true},
    };
    struct xrw_error err;
    xrw_exit_id found;

    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
        (void)xrw_store_find_exit(store, &filters[i], id, id & 1, 0, 100, NULL, NULL, &found, &err);
}

static void read_all(struct xrw_store *store)
{
    static const struct xrw_check_options options = {0};
    struct xrw_check_result result;
    struct xrw_error err;
    struct xrw_exit exit;
    struct xrw_input input;
    struct xrw_run run;
    uint8_t page[XRW_PAGE_BYTES];
    char text[64];
    size_t bytes;

    (void)xrw_store_run_count(store);
    (void)xrw_store_run(store, 1, &run, &err);
    (void)xrw_store_input(store, 1, 1, &input, &err);
    (void)xrw_store_get_meta(store, "program", text, sizeof text);
    for (xrw_exit_id id = 0; id <= 52; id += 3) {
        (void)xrw_store_exit(store, id, &exit, &err);
        (void)xrw_store_insn(store, id, page, &bytes, text, sizeof text, &err);
        (void)xrw_store_fxsave(store, id, page, &err);
        (void)xrw_store_page(store, 1, id % 4, id, page, &run.id, &err);
        (void)xrw_store_find_page_change(store, 1, id % 4, id, id & 1, &run.id, &err);
        find(store, id);
    }
    (void)xrw_store_query(store, "SELECT * FROM state", 60, 500, ignore_row, NULL, &err);
    (void)xrw_store_query(store, "SELECT * FROM exits", 60, 500, ignore_row, NULL, &err);
    (void)xrw_store_check(store, &options, &result, &err);
}

static void ask(struct xrw_store *store, const uint8_t *data, size_t size)
{
    char *sql = malloc(size + 1);
    struct xrw_error err;

    if (!sql)
        abort();
    memcpy(sql, data, size);
    sql[size] = '\0';
    (void)xrw_store_query(store, sql, 100, 100, ignore_row, NULL, &err);
    free(sql);
}

static void decode(const uint8_t *data, size_t size)
{
    uint8_t page[XRW_PAGE_BYTES], base[XRW_PAGE_BYTES];

    if (size < 2)
        return;
    memset(base, data[1], sizeof base);
    (void)xrw_page_decode(data[0] % 8 - 1, data + 2, size - 2, data[1] ? base : NULL, page);
}

static void read_and_remove(unsigned kind, const uint8_t *data, size_t size)
{
    struct xrw_store *store;
    struct xrw_error err;

    if (!xrw_store_open(&store, path, &err)) {
        if (kind == 3)
            ask(store, data, size);
        else
            read_all(store);
        (void)xrw_store_close(store, &err);
    }
    (void)unlink(path);
    (void)unlink(ring_path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned kind = size ? data[0] % 5 : 0;

    if (!recording.good)
        make_good();
    if (!size)
        return 0;
    data++;
    size--;
    if (kind == 2) {
        decode(data, size);
        return 0;
    }
    if (kind == 0)
        harm_recording(data, size);
    else if (kind == 1)
        change_values(data, size);
    else if (kind == 4)
        harm_ring(data, size);
    else
        put_good();
    read_and_remove(kind, data, size);
    return 0;
}
