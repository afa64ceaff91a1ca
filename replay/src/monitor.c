/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gdb's `monitor` commands. */
#include "gdb_target.h"

#include "monitor_args.h"
#include "xrw/report.h"
#include "xrw/runs.h"
#include "xrw/writes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define EXITS_DEFAULT 20u
#define EXITS_MAX 100000u
#define PHYS_DEFAULT 64u
#define PHYS_MAX 65536u
#define SQL_ROWS 1000u
#define SQL_MS 10000u

/* ---- output ------------------------------------------------------------ */

/* What prints to a FILE, shown on gdb's console when it is done. */
struct page_out {
    FILE *file;
    char *text;
    size_t bytes;
};

static int begin_output(struct page_out *out)
{
    out->file = open_memstream(&out->text, &out->bytes);
    return out->file ? 0 : -ENOMEM;
}

/* Show what was printed, also if it ended in an error: that is ret, with its text in err. */
static int end_output(struct page_out *out, int ret, const struct xrw_error *err,
                      struct gdbstub_console *console, struct gdbstub_reason *reason)
{
    if (fclose(out->file) && !ret)
        ret = -ENOMEM;
    else
        gdbstub_console_write(console, out->text, out->bytes);
    free(out->text);
    if (ret < 0)
        gdbstub_reason_set(reason, "%s", err->text);
    return ret;
}

static int usage(struct gdbstub_reason *reason, const char *text)
{
    gdbstub_reason_set(reason, "usage: monitor %s", text);
    return -EINVAL;
}

/* ---- moving ------------------------------------------------------------ */

int xrw_monitor_show_arrival(struct xrw_gdb_target *target, struct gdbstub_console *console)
{
    char text[640];

    target->moved = true;
    xrw_report_position(target->timeline, text, sizeof text);
    gdbstub_console_print(console, "%s\n", text);
    gdbstub_console_print(console, "gdb still shows the registers of before: `maintenance flush "
                                   "register-cache' and `maintenance flush dcache'\n");
    return 0;
}

static int run_where(void *ctx, const char *args, struct gdbstub_console *console,
                     struct gdbstub_reason *reason)
{
    struct xrw_gdb_target *target = ctx;
    struct xrw_error err = {""};
    struct page_out out;
    int ret;

    (void)args;
    ret = begin_output(&out);
    if (ret)
        return ret;
    ret = xrw_report_where(target->timeline, target->disassembler, out.file, &err);
    return end_output(&out, ret, &err, console, reason);
}

static int run_position(void *ctx, const char *args, struct gdbstub_console *console,
                        struct gdbstub_reason *reason)
{
    struct xrw_gdb_target *target = ctx;
    char text[640];

    (void)args, (void)reason;
    xrw_report_position(target->timeline, text, sizeof text);
    gdbstub_console_print(console, "%s\n", text);
    return 0;
}

/* Which run an exit belongs to; 0 if the recording has no such exit. */
static uint64_t run_of(struct xrw_gdb_target *target, xrw_exit_id id)
{
    struct xrw_exit exit;

    return id && !xrw_store_exit(target->store, id, &exit, NULL) ? exit.run : 0;
}

/* Exits are numbered through the recording: going to one of another run goes to that run. */
static int seek(struct xrw_gdb_target *target, xrw_exit_id exit, struct xrw_error *err)
{
    uint64_t run = run_of(target, exit), here = xrw_timeline_run(target->timeline)->id;
    int ret = 0;

    if (run && run != here)
        ret = xrw_gdb_target_set_run(target, run, err);
    return ret ? ret : xrw_timeline_seek(target->timeline, exit, err);
}

static int run_goto(void *ctx, const char *args, struct gdbstub_console *console,
                    struct gdbstub_reason *reason)
{
    struct xrw_gdb_target *target = ctx;
    struct xrw_error err;
    uint64_t exit;
    int ret = 0;

    if (!strcmp(args, "first"))
        exit = xrw_timeline_run(target->timeline)->first_exit;
    else if (!strcmp(args, "last")) {
        ret = xrw_timeline_refresh(target->timeline, &err);
        exit = xrw_timeline_run(target->timeline)->last_exit;
    } else if (xrw_parse_number(args, &exit))
        return usage(reason, "goto N | first | last");
    if (!ret)
        ret = seek(target, exit, &err);
    if (ret) {
        gdbstub_reason_set(reason, "%s", err.text);
        return ret;
    }
    return xrw_monitor_show_arrival(target, console);
}

static int run_run(void *ctx, const char *args, struct gdbstub_console *console,
                   struct gdbstub_reason *reason)
{
    struct xrw_gdb_target *target = ctx;
    struct xrw_error err;
    uint64_t run;
    int ret;

    if (xrw_parse_number(args, &run))
        return usage(reason, "run N");
    ret = xrw_gdb_target_set_run(target, run, &err);
    if (ret) {
        gdbstub_reason_set(reason, "%s", err.text);
        return ret;
    }
    return xrw_monitor_show_arrival(target, console);
}

static int find(struct xrw_gdb_target *target, bool forward, const char *args,
                struct gdbstub_console *console, struct gdbstub_reason *reason)
{
    struct xrw_exit_filter filter;
    struct xrw_error err;
    xrw_exit_id exit = xrw_timeline_position(target->timeline);
    int ret = xrw_parse_filter(args, &filter, &err);

    if (!ret)
        ret =
            xrw_timeline_find(target->timeline, &filter, exit, forward, 0, NULL, NULL, &exit, &err);
    if (ret > 0)
        ret = xrw_timeline_seek(target->timeline, exit, &err);
    else if (!ret)
        ret = xrw_error_set(&err, -ENOENT, "no such exit %s here", forward ? "after" : "before");
    if (ret) {
        gdbstub_reason_set(reason, "%s", err.text);
        return ret;
    }
    return xrw_monitor_show_arrival(target, console);
}

static int run_next(void *ctx, const char *args, struct gdbstub_console *console,
                    struct gdbstub_reason *reason)
{
    return find(ctx, true, args, console, reason);
}

static int run_prev(void *ctx, const char *args, struct gdbstub_console *console,
                    struct gdbstub_reason *reason)
{
    return find(ctx, false, args, console, reason);
}

/* ---- looking ----------------------------------------------------------- */

static int print_exits(struct xrw_gdb_target *target, xrw_exit_id from, uint64_t count, FILE *out,
                       struct xrw_error *err)
{
    xrw_exit_id at = from ? from - 1 : 0;

    xrw_report_line_heading(out);
    for (uint64_t i = 0; i < count; i++) {
        struct xrw_exit exit;
        int ret = xrw_timeline_find(target->timeline, NULL, at, true, 0, NULL, NULL, &at, err);

        if (ret > 0)
            ret = xrw_store_exit(target->store, at, &exit, err);
        else if (!ret)
            break;
        if (!ret)
            ret = xrw_report_line(target->store, target->disassembler, &exit, out, err);
        if (ret)
            return ret;
    }
    return 0;
}

static int run_exits(void *ctx, const char *args, struct gdbstub_console *console,
                     struct gdbstub_reason *reason)
{
    struct xrw_gdb_target *target = ctx;
    uint64_t number[2] = {xrw_timeline_position(target->timeline), EXITS_DEFAULT};
    struct xrw_error err = {""};
    struct page_out out;
    int ret = xrw_parse_numbers(args, number, 2);

    if (ret < 0 || number[1] > EXITS_MAX)
        return usage(reason, "exits [FROM [COUNT]]");
    ret = begin_output(&out);
    if (ret)
        return ret;
    ret = print_exits(target, number[0], number[1], out.file, &err);
    return end_output(&out, ret, &err, console, reason);
}

static int run_info(void *ctx, const char *args, struct gdbstub_console *console,
                    struct gdbstub_reason *reason)
{
    struct xrw_gdb_target *target = ctx;
    struct xrw_summary *summary = malloc(sizeof *summary);
    struct xrw_error err = {""};
    struct page_out out;
    int ret;

    (void)args;
    if (!summary)
        return -ENOMEM;
    ret = begin_output(&out);
    if (!ret) {
        ret = xrw_summary_read(target->store, summary, &err);
        if (!ret)
            ret = xrw_summary_print(target->store, summary, out.file, &err);
        ret = end_output(&out, ret, &err, console, reason);
    }
    free(summary);
    return ret;
}

static int print_runs(struct xrw_gdb_target *target, bool all, FILE *out, struct xrw_error *err)
{
    struct xrw_runs runs;
    int ret = xrw_runs_read(target->store, &runs, err);

    if (ret)
        return ret;
    ret = all ? xrw_runs_print(target->store, &runs, out, err)
              : xrw_runs_print_paths(target->store, &runs, out, err);
    xrw_runs_deinit(&runs);
    return ret;
}

static int run_runs(void *ctx, const char *args, struct gdbstub_console *console,
                    struct gdbstub_reason *reason)
{
    struct xrw_gdb_target *target = ctx;
    struct xrw_error err = {""};
    struct page_out out;
    int ret;

    if (*args && strcmp(args, "paths") != 0)
        return usage(reason, "runs [paths]");
    ret = begin_output(&out);
    if (ret)
        return ret;
    ret = print_runs(target, !*args, out.file, &err);
    return end_output(&out, ret, &err, console, reason);
}

struct sql_out {
    FILE *file;
    bool headed;
};

static int print_row(void *ctx, int columns, const char *const *names, const char *const *values)
{
    struct sql_out *out = ctx;

    for (int i = 0; !out->headed && i < columns; i++) {
        xrw_report_text(out->file, names[i]);
        (void)fputc(i + 1 < columns ? '|' : '\n', out->file);
    }
    out->headed = true;
    for (int i = 0; i < columns; i++) {
        xrw_report_text(out->file, values[i] ? values[i] : "");
        (void)fputc(i + 1 < columns ? '|' : '\n', out->file);
    }
    return 0;
}

static int run_sql(void *ctx, const char *args, struct gdbstub_console *console,
                   struct gdbstub_reason *reason)
{
    struct xrw_gdb_target *target = ctx;
    struct xrw_error err = {""};
    struct sql_out rows = {0};
    struct page_out out;
    int ret;

    if (!*args)
        return usage(reason, "sql SELECT ...");
    ret = begin_output(&out);
    if (ret)
        return ret;
    rows.file = out.file;
    ret = xrw_store_query(target->store, args, SQL_ROWS, SQL_MS, print_row, &rows, &err);
    if (ret == -EOVERFLOW) {
        (void)fprintf(out.file, "(only the first %u rows)\n", SQL_ROWS);
        ret = 0;
    }
    return end_output(&out, ret, &err, console, reason);
}

/* ---- guest-physical memory --------------------------------------------- */

static int print_phys_line(struct xrw_gdb_target *target, xrw_gpa gpa, size_t bytes, FILE *out,
                           struct xrw_error *err)
{
    const struct xrw_known_page *page;
    int ret = xrw_memory_page(target->memory, xrw_timeline_exit(target->timeline),
                              gpa >> XRW_PAGE_SHIFT, &page, err);

    if (ret && ret != -ENODATA)
        return ret;
    (void)fprintf(out, "0x%012" PRIx64 ":", gpa);
    for (size_t i = 0; i < bytes; i++) {
        size_t offset = gpa % XRW_PAGE_BYTES + i;

        if (!ret && page->known[offset])
            (void)fprintf(out, " %02x", page->bytes[offset]);
        else
            (void)fputs(" ??", out);
    }
    if (ret && xrw_report_base_touched(target->store))
        (void)fputs("  (of memory at the start only pages that the run reached were kept)", out);
    (void)fputc('\n', out);
    return 0;
}

static int run_phys(void *ctx, const char *args, struct gdbstub_console *console,
                    struct gdbstub_reason *reason)
{
    struct xrw_gdb_target *target = ctx;
    uint64_t number[2] = {0, PHYS_DEFAULT};
    struct xrw_error err = {""};
    struct page_out out;
    int ret = xrw_parse_numbers(args, number, 2);

    if (ret < 1 || !number[1] || number[1] > PHYS_MAX || number[0] >> 52)
        return usage(reason, "phys ADDRESS [BYTES], up to 65536 bytes; ?? is not known");
    ret = begin_output(&out);
    if (ret)
        return ret;
    while (!ret && number[1]) {
        uint64_t n = 16 - number[0] % 16;

        if (n > number[1])
            n = number[1];
        ret = print_phys_line(target, number[0], (size_t)n, out.file, &err);
        number[0] += n;
        number[1] -= n;
    }
    return end_output(&out, ret, &err, console, reason);
}

/* ---- switches ---------------------------------------------------------- */

static int parse_switch(const char *args, bool *on)
{
    if (strcmp(args, "on") != 0 && strcmp(args, "off") != 0)
        return -EINVAL;
    *on = !strcmp(args, "on");
    return 0;
}

#define WRITES_MAX 200u

static int print_write(void *ctx, const struct xrw_write *write)
{
    xrw_report_write(ctx, write);
    return 0;
}

static int run_writes(void *ctx, const char *args, struct gdbstub_console *console,
                      struct gdbstub_reason *reason)
{
    struct xrw_gdb_target *target = ctx;
    struct xrw_writes_query query = {.run = xrw_timeline_run(target->timeline)->id,
                                     .physical = target->physical,
                                     .max = WRITES_MAX,
                                     .change = print_write};
    uint64_t number[2] = {0, 8};
    struct xrw_error err = {""};
    struct page_out out;
    int ret = xrw_parse_numbers(args, number, 2);

    if (ret < 1 || !number[1] || number[1] > XRW_WRITES_MAX_BYTES)
        return usage(reason, "writes ADDRESS [BYTES], up to 256 bytes; the first 200 changes");
    ret = begin_output(&out);
    if (ret)
        return ret;
    query.address = number[0];
    query.bytes = (size_t)number[1];
    query.ctx = out.file;
    ret = xrw_writes_list(target->store, &query, &err);
    return end_output(&out, ret, &err, console, reason);
}

static int run_physical(void *ctx, const char *args, struct gdbstub_console *console,
                        struct gdbstub_reason *reason)
{
    struct xrw_gdb_target *target = ctx;

    if (*args && parse_switch(args, &target->physical))
        return usage(reason, "physical on | off");
    gdbstub_console_print(console, "gdb's addresses are %s\n",
                          target->physical ? "guest-physical" : "linear");
    return 0;
}

static int run_host_exits(void *ctx, const char *args, struct gdbstub_console *console,
                          struct gdbstub_reason *reason)
{
    struct xrw_gdb_target *target = ctx;
    bool show = xrw_timeline_shows_host_exits(target->timeline);

    if (*args && parse_switch(args, &show))
        return usage(reason, "host-exits on | off");
    xrw_timeline_show_host_exits(target->timeline, show);
    gdbstub_console_print(console, "the host's own exits are %s\n",
                          show ? "shown" : "hidden: stepping and searching pass over them");
    return 0;
}

#define FILTER "[reason=NAME] [rip=ADDR[-ADDR]] [vcpu=N] [REGISTER=N]"

const struct gdbstub_command xrw_monitor_commands[] = {
    {"where", NULL, "which exit this is, why, and what is known here", run_where},
    {"position", NULL, "the same in one line", run_position},
    {"goto", "N | first | last", "go to an exit", run_goto},
    {"run", "N", "go to the first exit of a run", run_run},
    {"next", FILTER, "go to the next exit that matches", run_next},
    {"prev", FILTER, "go to the exit before that matches", run_prev},
    {"exits", "[FROM [COUNT]]", "list exits", run_exits},
    {"runs", "[paths]", "list the runs, or the paths that they took", run_runs},
    {"checkpoint", "[NOTE]", "remember this place, by a number", xrw_monitor_checkpoint},
    {"checkpoints", NULL, "list those places", xrw_monitor_checkpoints},
    {"restart", "N", "go to checkpoint N", xrw_monitor_restart},
    {"drop", "N", "forget checkpoint N", xrw_monitor_drop},
    {"kaslr", NULL, "by how much the kernel was moved at boot", xrw_monitor_kaslr},
    {"info", NULL, "what was recorded, and how", run_info},
    {"sql", "SELECT ...", "ask the recording", run_sql},
    {"phys", "ADDRESS [BYTES]", "guest-physical memory", run_phys},
    {"writes", "ADDRESS [BYTES]", "every change of memory there", run_writes},
    {"xp", "ADDRESS [BYTES]", "the same", run_phys},
    {"physical", "on | off", "whether gdb's addresses are guest-physical", run_physical},
    {"host-exits", "on | off", "whether to show exits that are the host's business",
     run_host_exits},
};
const size_t xrw_monitor_command_count = sizeof xrw_monitor_commands / sizeof *xrw_monitor_commands;
