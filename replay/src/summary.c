/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xrw/reason.h"
#include "xrw/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A question to a recording may look at all of it. */
#define QUERY_MS 120000u
#define RUNS_SHOWN 3u

struct numbers {
    uint64_t *value;
    int count;
};

static int take_numbers(void *ctx, int columns, const char *const *names, const char *const *values)
{
    struct numbers *numbers = ctx;

    (void)names;
    for (int i = 0; i < columns && i < numbers->count; i++)
        if (values[i])
            numbers->value[i] = strtoull(values[i], NULL, 10);
    return 0;
}

struct counts {
    struct xrw_summary_count *count;
    size_t used, size;
};

static int take_count(void *ctx, int columns, const char *const *names, const char *const *values)
{
    struct counts *counts = ctx;
    struct xrw_summary_count *count = &counts->count[counts->used];

    (void)names;
    if (columns < 3 || counts->used == counts->size)
        return 0;
    /* The database holds unsigned numbers bit for bit in signed ones. */
    count->number = values[0] ? (uint64_t)strtoll(values[0], NULL, 10) : 0;
    count->exits = values[1] ? strtoull(values[1], NULL, 10) : 0;
    (void)snprintf(count->text, sizeof count->text, "%s", values[2] ? values[2] : "");
    counts->used++;
    return 0;
}

/* As many rows as there is room for. */
static int read_counts(struct xrw_store *store, const char *sql, struct counts *counts,
                       struct xrw_error *err)
{
    int ret = xrw_store_query(store, sql, counts->size, QUERY_MS, take_count, counts, err);

    return ret == -EOVERFLOW ? 0 : ret;
}

static void name_reasons(struct counts *counts)
{
    for (size_t i = 0; i < counts->used; i++) {
        struct xrw_summary_count *count = &counts->count[i];
        const char *name = xrw_reason_name((unsigned)count->number);

        (void)snprintf(count->text, sizeof count->text, "%s", name ? name : "unknown reason");
    }
}

int xrw_summary_read(struct xrw_store *store, struct xrw_summary *summary, struct xrw_error *err)
{
    struct xrw_summary read = {0};
    uint64_t n[6] = {0};
    struct numbers numbers = {n, 6};
    struct counts reasons = {read.reason, 0, XRW_SUMMARY_REASONS};
    struct counts rips = {read.rip, 0, XRW_SUMMARY_TOP};
    char closed[4] = "";
    int ret = xrw_store_query(store,
                              "SELECT (SELECT coalesce(sum(exits), 0) FROM site),"
                              " (SELECT coalesce(sum(exits), 0) FROM block WHERE resume),"
                              " (SELECT count(*) FROM (SELECT DISTINCT gfn FROM page_version)),"
                              " (SELECT count(*) FROM page_version), (SELECT count(*) FROM page),"
                              " (SELECT coalesce(sum(length(data)), 0) FROM page)",
                              1, QUERY_MS, take_numbers, &numbers, err);

    if (!ret)
        ret = read_counts(store,
                          "SELECT reason & 0xffff, sum(exits), '' FROM site GROUP BY 1"
                          " ORDER BY 2 DESC, 1",
                          &reasons, err);
    if (!ret)
        ret = read_counts(store,
                          "SELECT t.rip, t.n, i.text FROM"
                          " (SELECT rip, sum(exits) AS n, max(insn) AS insn FROM site"
                          " WHERE rip IS NOT NULL GROUP BY rip ORDER BY 2 DESC, 1 LIMIT 10) t"
                          " LEFT JOIN insn i ON i.id = t.insn ORDER BY 2 DESC, 1",
                          &rips, err);
    if (ret)
        return ret;
    name_reasons(&reasons);
    read.exits = n[0];
    read.resumes = n[1];
    read.guest_pages = n[2];
    read.page_versions = n[3];
    read.pages = n[4];
    read.page_bytes = n[5];
    read.runs = xrw_store_run_count(store);
    read.file_bytes = xrw_store_file_bytes(store);
    read.reason_count = reasons.used;
    read.rip_count = rips.used;
    read.without_rows = xrw_store_bytes_without_rows(store);
    read.closed = !xrw_store_get_meta(store, "closed", closed, sizeof closed) && closed[0] == '1';
    *summary = read;
    return 0;
}

/* ---- printing ---------------------------------------------------------- */

const char *xrw_report_register_truth(const struct xrw_run *run)
{
    static const struct {
        const char *mode, *truth;
    } truths[] = {
        {"async", "exact at every exit; after its handling known only where the guest was held"},
        {"sync", "exact at every exit; exits were not handled, so there is no state after them"},
    };

    for (size_t i = 0; i < sizeof truths / sizeof *truths; i++)
        if (!strcmp(run->mode, truths[i].mode))
            return truths[i].truth;
    return "exact at every exit, before and after its handling; what the source does not deliver "
           "is "
           "unavailable";
}

const char *xrw_report_memory_truth(const struct xrw_run *run)
{
    static const char *const truths[] = {
        [XRW_MEMORY_NONE] = "not recorded beyond the start, if there",
        [XRW_MEMORY_EXIT] = "exact at every exit; at exits whose handling may write memory, the "
                            "bytes that changed are unavailable",
        [XRW_MEMORY_FRAMES] = "exact at key frames; in between what may have changed is "
                              "unavailable",
    };

    if (run->memory == XRW_MEMORY_EXIT && !strcmp(run->mode, "sync"))
        return "exact at every exit";
    return truths[run->memory];
}

bool xrw_report_base_touched(struct xrw_store *store)
{
    char base[16];

    return !xrw_store_get_meta(store, "base", base, sizeof base) && !strcmp(base, "touched");
}

static void print_meta(struct xrw_store *store, const char *label, const char *key, FILE *out)
{
    char value[512];

    if (xrw_store_get_meta(store, key, value, sizeof value))
        return;
    (void)fprintf(out, "%-15s ", label);
    xrw_report_text(out, value);
    (void)fputc('\n', out);
}

static void print_base(struct xrw_store *store, FILE *out)
{
    if (xrw_report_base_touched(store))
        (void)fputs("base image      only pages that a run reached; any other is not known\n", out);
}

static void print_time(uint64_t unix_ns, FILE *out)
{
    time_t seconds = (time_t)(unix_ns / 1000000000u);
    struct tm tm;
    char text[40];

    if (gmtime_r(&seconds, &tm) && strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &tm))
        (void)fputs(text, out);
}

static void print_run(const struct xrw_run *run, FILE *out)
{
    uint64_t exits = run->last_exit + 1 - run->first_exit;

    (void)fprintf(out, "run %-11" PRIu64 " ", run->id);
    if (exits)
        (void)fprintf(out, "exits %" PRIu64 " to %" PRIu64, run->first_exit, run->last_exit);
    else
        (void)fputs("no exit", out);
    (void)fputs("; source ", out);
    xrw_report_text(out, run->source);
    (void)fputs(", mode ", out);
    xrw_report_text(out, run->mode);
    (void)fprintf(out, ", %" PRIu32 " vCPU%s, interrupts %s\n", run->vcpus,
                  run->vcpus == 1 ? "" : "s", run->interrupts ? "allowed" : "blocked");
    (void)fputs("  started       ", out);
    print_time(run->start_unix_ns, out);
    if (run->end_unix_ns > run->start_unix_ns)
        (void)fprintf(out, ", %.3f s", (double)(run->end_unix_ns - run->start_unix_ns) / 1e9);
    if (run->parent)
        (void)fprintf(out, "\n  fork          domain %" PRIu32 " of parent %" PRIu32, run->domain,
                      run->parent);
    else
        (void)fprintf(out, "\n  domain        %" PRIu32, run->domain);
    (void)fputs("\n  stopped       ", out);
    xrw_report_text(out, run->stop[0] ? run->stop : "not yet, or cut off");
    (void)fputs(run->stop_detail[0] ? ": " : "", out);
    xrw_report_text(out, run->stop_detail);
    (void)fprintf(out, "\n  registers     %s\n", xrw_report_register_truth(run));
    (void)fprintf(out, "  memory        %s\n", xrw_report_memory_truth(run));
    (void)fprintf(out, "  re-execution  %s", run->reexecutable ? "fit" : "not fit");
    (void)fputs(run->fitness[0] ? ": " : "", out);
    xrw_report_text(out, run->fitness);
    (void)fputc('\n', out);
}

static void print_counts(const struct xrw_summary *summary, FILE *out)
{
    (void)fprintf(out, "exits           %" PRIu64 ", resume state known of %" PRIu64 "\n",
                  summary->exits, summary->resumes);
    (void)fprintf(out,
                  "memory          %" PRIu64 " guest pages, %" PRIu64 " versions, %" PRIu64
                  " different contents in %" PRIu64 " KiB compressed\n",
                  summary->guest_pages, summary->page_versions, summary->pages,
                  (summary->page_bytes + 1023) / 1024);
    (void)fprintf(out, "file            %" PRIu64 " KiB\n", (summary->file_bytes + 1023) / 1024);
    (void)fputs("\nexits by reason\n", out);
    for (size_t i = 0; i < summary->reason_count; i++)
        (void)fprintf(out, "%10" PRIu64 "  %3" PRIu64 " %s\n", summary->reason[i].exits,
                      summary->reason[i].number, summary->reason[i].text);
    (void)fputs("\nmost frequent instruction pointers\n", out);
    for (size_t i = 0; i < summary->rip_count; i++) {
        (void)fprintf(out, "%10" PRIu64 "  0x%016" PRIx64 "  ", summary->rip[i].exits,
                      summary->rip[i].number);
        xrw_report_text(out, summary->rip[i].text);
        (void)fputc('\n', out);
    }
}

int xrw_summary_print(struct xrw_store *store, const struct xrw_summary *summary, FILE *out,
                      struct xrw_error *err)
{
    print_meta(store, "recorded by", "program", out);
    print_meta(store, "command", "command_line", out);
    print_meta(store, "hypervisor", "hypervisor", out);
    print_meta(store, "host CPU", "host_cpu", out);
    print_meta(store, "guest", "guest_name", out);
    print_meta(store, "symbols", "symbol_file", out);
    print_base(store, out);
    (void)fprintf(out, "%-15s %s\n", "closed",
                  summary->closed ? "cleanly" : "no: still being written, or cut off");
    if (summary->without_rows)
        (void)fprintf(out, "%-15s %.1f MiB recorded, of which rows are still to be made\n",
                      "to come", (double)summary->without_rows / 1048576);
    for (uint64_t id = 1; id <= summary->runs && id <= RUNS_SHOWN; id++) {
        struct xrw_run run;
        int ret = xrw_store_run(store, id, &run, err);

        if (ret)
            return ret;
        print_run(&run, out);
    }
    if (summary->runs > RUNS_SHOWN)
        (void)fprintf(out, "and %" PRIu64 " more runs: `xenrewind runs' lists them\n",
                      summary->runs - RUNS_SHOWN);
    print_counts(summary, out);
    return 0;
}
