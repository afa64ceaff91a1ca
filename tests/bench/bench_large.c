/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A large recording: ten million exits (or as many as the argument says), a page of memory changed
 * at every tenth.  How long it takes to open, to read an exit, a page as of an exit, to find an
 * exit by its address, and how much memory the reader needs.
 */
#include "bench.h"
#include "stream.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXITS 10000000u
#define PAGES 4096u
#define SAMPLES 20000u

static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint64_t random_below(uint64_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % limit;
}

static void check(int ret, const struct xrw_error *err)
{
    if (ret < 0)
        bench_fail("bench: %s", err->text);
}

/* ---- making it ------------------------------------------------------- */

static uint8_t memory[PAGES][XRW_PAGE_BYTES];

static void fill_memory(void)
{
    for (size_t i = 0; i < PAGES; i++)
        for (size_t j = 0; j < XRW_PAGE_BYTES / 3; j++)
            memory[i][random_below(XRW_PAGE_BYTES)] = (uint8_t)random_below(256);
}

/* As a guest does: eight words of one of few pages. */
static xrw_gfn change_memory(void)
{
    xrw_gfn gfn = random_below(4) ? random_below(64) : random_below(PAGES);

    for (unsigned i = 0; i < 8; i++)
        memory[gfn][random_below(XRW_PAGE_BYTES / 8) * 8] ^= (uint8_t)(1 + random_below(255));
    return gfn;
}

static void make(const char *path, uint64_t exits)
{
    struct xrw_run run = {.id = 1,
                          .source = "xen",
                          .mode = "pause",
                          .memory = XRW_MEMORY_EXIT,
                          .vcpus = 1,
                          .start_unix_ns = 1,
                          .first_exit = 1};
    struct stream *stream = stream_open();
    struct xrw_error err = {""};
    struct xrw_store *store;

    check(xrw_store_create(&store, path, &err), &err);
    check(xrw_store_begin_run(store, &run, &err), &err);
    stream_add_insns(stream, store);
    fill_memory();
    for (xrw_gfn gfn = 0; gfn < PAGES; gfn++)
        check(xrw_store_add_page(store, 1, gfn, 0, memory[gfn], false, &err), &err);
    for (uint64_t i = 1; i <= exits; i++) {
        const struct xrw_exit *exit = stream_next(stream);

        if (i % 10 == 0) {
            xrw_gfn gfn = change_memory();

            check(xrw_store_add_page(store, 1, gfn, i, memory[gfn], false, &err), &err);
        }
        stream_name_insn(stream, store);
        check(xrw_store_add_exit(store, exit, &err), &err);
        if (i % 1000000 == 0)
            (void)fprintf(stderr, "large: %llu exits\n", (unsigned long long)i);
    }
    run.end_unix_ns = 2;
    check(xrw_store_end_run(store, &run, &err), &err);
    check(xrw_store_close(store, &err), &err);
    stream_close(stream);
}

/* ---- reading it ------------------------------------------------------ */

static double us_since(uint64_t before)
{
    return (double)(bench_now_ns() - before) / 1e3;
}

/* Median, and the mean of processor time, which a busy machine does not lengthen. */
static void report(const char *name, double *us, uint64_t cpu_ns)
{
    char text[64];

    bench_report(name, bench_median(us, SAMPLES), "us");
    (void)snprintf(text, sizeof text, "%s/p99", name);
    bench_report(text, bench_quantile(us, SAMPLES, 0.99), "us");
    (void)snprintf(text, sizeof text, "%s/cpu", name);
    bench_report(text, (double)cpu_ns / 1e3 / SAMPLES, "us");
}

static void measure_open(const char *path)
{
    double ms[BENCH_PAIRS];
    uint64_t cpu = bench_cpu_ns();

    for (unsigned i = 0; i < BENCH_PAIRS; i++) {
        uint64_t before = bench_now_ns();
        struct xrw_error err = {""};
        struct xrw_store *store;

        check(xrw_store_open(&store, path, &err), &err);
        ms[i] = us_since(before) / 1e3;
        (void)xrw_store_close(store, NULL);
    }
    bench_report("large/open", bench_median(ms, BENCH_PAIRS), "ms");
    bench_report("large/open/cpu", (double)(bench_cpu_ns() - cpu) / 1e6 / BENCH_PAIRS, "ms");
}

static double us[SAMPLES];

static void measure_exits(struct xrw_store *store, uint64_t exits)
{
    struct xrw_error err = {""};
    struct xrw_exit exit;
    uint64_t cpu = bench_cpu_ns();

    for (unsigned i = 0; i < SAMPLES; i++) {
        xrw_exit_id id = 1 + random_below(exits);
        uint64_t before = bench_now_ns();

        check(xrw_store_exit(store, id, &exit, &err), &err);
        us[i] = us_since(before);
    }
    report("large/exit", us, bench_cpu_ns() - cpu);
}

/* A page as of an exit, beside reading 4 KiB from a random place of the same file. */
static void measure_pages(struct xrw_store *store, const char *path, uint64_t exits)
{
    uint8_t page[XRW_PAGE_BYTES];
    struct xrw_error err = {""};
    int fd = open(path, O_RDONLY);
    uint64_t cpu = bench_cpu_ns();
    struct stat st;
    double median;

    for (unsigned i = 0; i < SAMPLES; i++) {
        xrw_exit_id id = 1 + random_below(exits);
        xrw_gfn gfn = random_below(2) ? random_below(64) : random_below(PAGES);
        uint64_t before = bench_now_ns();

        check(xrw_store_page(store, 1, gfn, id, page, NULL, &err), &err);
        us[i] = us_since(before);
    }
    report("large/page", us, bench_cpu_ns() - cpu);
    median = bench_median(us, SAMPLES);
    if (fd < 0 || fstat(fd, &st))
        bench_fail("bench: cannot read %s", path);
    for (unsigned i = 0; i < SAMPLES; i++) {
        uint64_t at = random_below((uint64_t)st.st_size / sizeof page) * sizeof page;
        uint64_t before = bench_now_ns();

        if (pread(fd, page, sizeof page, (off_t)at) != sizeof page)
            bench_fail("bench: cannot read %s", path);
        us[i] = us_since(before);
    }
    (void)close(fd);
    bench_report_against("large/page-of-file", bench_median(us, SAMPLES), "us",
                         median / bench_median(us, SAMPLES), "large/page to reading 4 KiB");
}

/* A search for exits with the register as at that exit. */
static struct xrw_exit_filter filter_by(enum xrw_register reg, const struct xrw_exit *exit)
{
    uint64_t value = exit->before.value[reg];

    if (reg == XRW_REG_rip)
        return (struct xrw_exit_filter){.by_rip = true, .rip_first = value, .rip_last = value};
    return (struct xrw_exit_filter){.by_register = true, .reg = reg, .value = value};
}

/* Next and previous exit, from anywhere, at which a register has the value that it has at a random
 * exit. */
static void measure_find(struct xrw_store *store, uint64_t exits, enum xrw_register reg,
                         bool forward, const char *name)
{
    struct xrw_error err = {""};
    struct xrw_exit exit;
    xrw_exit_id found;
    uint64_t cpu = 0;

    for (unsigned i = 0; i < SAMPLES; i++) {
        xrw_exit_id from = 1 + random_below(exits);
        struct xrw_exit_filter filter;
        uint64_t before, cpu_before;

        check(xrw_store_exit(store, 1 + random_below(exits), &exit, &err), &err);
        filter = filter_by(reg, &exit);
        cpu_before = bench_cpu_ns();
        before = bench_now_ns();
        check(
            xrw_store_find_exit(store, &filter, from, forward, 1, exits, NULL, NULL, &found, &err),
            &err);
        us[i] = us_since(before);
        cpu += bench_cpu_ns() - cpu_before;
    }
    report(name, us, cpu);
}

static void index_by(const char *path, enum xrw_register reg, const char *name)
{
    uint64_t before = bench_now_ns();
    struct xrw_error err = {""};

    check(xrw_store_index_register(path, reg, &err), &err);
    bench_report(name, us_since(before) / 1e6, "s");
}

static void measure_registers(const char *path)
{
    struct xrw_error err = {""};
    struct xrw_store *store;
    struct xrw_run run;

    index_by(path, XRW_REG_rax, "large/index-rax");
    index_by(path, XRW_REG_rsp, "large/index-rsp");
    check(xrw_store_open(&store, path, &err), &err);
    check(xrw_store_run(store, 1, &run, &err), &err);
    measure_find(store, run.last_exit, XRW_REG_rax, true, "large/next-rax");
    measure_find(store, run.last_exit, XRW_REG_rsp, true, "large/next-rsp");
    measure_find(store, run.last_exit, XRW_REG_rsp, false, "large/previous-rsp");
    bench_report("large/bytes-indexed", (double)xrw_store_file_bytes(store) / (double)run.last_exit,
                 "bytes/exit with memory and two indexes");
    (void)xrw_store_close(store, NULL);
}

/* Next and previous change of a page: hot ones change at every hundredth exit or so, others at one
 * in a hundred thousand. */
static void measure_changes(struct xrw_store *store, uint64_t exits, bool forward, const char *name)
{
    struct xrw_error err = {""};
    xrw_exit_id found;
    uint64_t cpu = bench_cpu_ns();

    for (unsigned i = 0; i < SAMPLES; i++) {
        xrw_exit_id from = 1 + random_below(exits);
        uint64_t before = bench_now_ns();

        check(
            xrw_store_find_page_change(store, 1, random_below(PAGES), from, forward, &found, &err),
            &err);
        us[i] = us_since(before);
    }
    report(name, us, bench_cpu_ns() - cpu);
}

/* The same where the answer is as far away as can be: the ends of the recording. */
static void measure_far(struct xrw_store *store, uint64_t exits)
{
    struct xrw_exit_filter filter = {.by_rip = true};
    struct xrw_error err = {""};
    struct xrw_exit exit;
    xrw_exit_id found;
    uint64_t cpu = bench_cpu_ns();

    check(xrw_store_exit(store, 1, &exit, &err), &err);
    filter.rip_first = filter.rip_last = exit.before.value[XRW_REG_rip] + 1; /* nowhere */
    for (unsigned i = 0; i < SAMPLES; i++) {
        uint64_t before = bench_now_ns();

        check(xrw_store_find_exit(store, &filter, 1, true, 1, exits, NULL, NULL, &found, &err),
              &err);
        us[i] = us_since(before);
    }
    report("large/rip-nowhere", us, bench_cpu_ns() - cpu);
}

static int ignore_row(void *ctx, int columns, const char *const *names, const char *const *values)
{
    (void)ctx, (void)columns, (void)names, (void)values;
    return 0;
}

static void measure_query(struct xrw_store *store, const char *name, const char *sql)
{
    uint64_t before = bench_now_ns();
    struct xrw_error err = {""};

    check(xrw_store_query(store, sql, 1000, 600000, ignore_row, NULL, &err), &err);
    bench_report(name, us_since(before) / 1e3, "ms");
}

static double resident_mib(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[128];
    double kib = 0;

    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, "VmHWM:", 6))
            kib = strtod(line + 6, NULL);
    if (file)
        (void)fclose(file);
    return kib / 1024;
}

static void read_it(const char *path)
{
    struct xrw_error err = {""};
    struct xrw_store *store;
    struct xrw_run run;

    measure_open(path);
    check(xrw_store_open(&store, path, &err), &err);
    check(xrw_store_run(store, 1, &run, &err), &err);
    measure_exits(store, run.last_exit);
    measure_pages(store, path, run.last_exit);
    measure_find(store, run.last_exit, XRW_REG_rip, true, "large/next-rip");
    measure_find(store, run.last_exit, XRW_REG_rip, false, "large/previous-rip");
    measure_far(store, run.last_exit);
    measure_changes(store, run.last_exit, true, "large/next-change");
    measure_changes(store, run.last_exit, false, "large/previous-change");
    bench_report("large/resident", resident_mib(), "MiB");
    measure_query(store, "large/count-by-reason", "SELECT * FROM reasons");
    measure_query(store, "large/top-places", "SELECT * FROM places LIMIT 10");
    measure_query(store, "large/first-cpuid",
                  "SELECT id, rip_hex FROM exits WHERE reason = 'CPUID' ORDER BY id LIMIT 10");
    measure_query(store, "large/all-registers-of-one",
                  "SELECT * FROM registers WHERE id = 4321 ORDER BY register");
    bench_report("large/bytes", (double)xrw_store_file_bytes(store) / (double)run.last_exit,
                 "bytes/exit with memory");
    (void)xrw_store_close(store, NULL);
    measure_registers(path);
}

/* ---- main ------------------------------------------------------------ */

/* The reader is a process of its own, so that its memory is its own. */
static void read_in_child(char *self, char *path)
{
    char option[] = "--read";
    char *const arguments[] = {self, option, path, NULL};
    pid_t child = fork();
    int status;

    if (!child) {
        (void)execv("/proc/self/exe", arguments);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status)
        bench_fail("bench: reading the recording failed");
}

int main(int argc, char **argv)
{
    char folder[64], path[96];
    const char *base = getenv("TMPDIR");
    uint64_t exits = argc > 1 ? strtoull(argv[1], NULL, 10) : EXITS;

    if (argc == 3 && !strcmp(argv[1], "--read")) {
        read_it(argv[2]);
        return 0;
    }
    (void)snprintf(folder, sizeof folder, "%.40s/xrw-bench-XXXXXX", base ? base : "/tmp");
    if (!exits || !mkdtemp(folder))
        bench_fail("usage: bench_large [EXITS]");
    (void)snprintf(path, sizeof path, "%s/large.db", folder);
    make(path, exits);
    read_in_child(argv[0], path);
    (void)unlink(path);
    (void)rmdir(folder);
    return 0;
}
