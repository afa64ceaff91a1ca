/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xrw/runs.h"

#include "xrw/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_WIDTH_MAX 32u
#define INPUTS_MAX 64u

/* ---- gathering ------------------------------------------------------- */

static int compare_paths(const void *a, const void *b)
{
    const struct xrw_runs_entry *x = *(const struct xrw_runs_entry *const *)a;
    const struct xrw_runs_entry *y = *(const struct xrw_runs_entry *const *)b;

    if (x->path_known != y->path_known)
        return x->path_known ? -1 : 1;
    if (x->path != y->path)
        return x->path < y->path ? -1 : 1;
    return x->run < y->run ? -1 : x->run > y->run;
}

static int compare_groups(const void *a, const void *b)
{
    const struct xrw_runs_path *x = a, *y = b;

    if (x->runs != y->runs)
        return x->runs > y->runs ? -1 : 1;
    return x->first < y->first ? -1 : x->first > y->first;
}

/* Group the entries by path; sorted: pointers to all of them. */
static void group(struct xrw_runs *runs, struct xrw_runs_entry **sorted)
{
    struct xrw_runs_path *path = NULL;

    for (size_t i = 0; i < runs->count; i++)
        sorted[i] = &runs->entry[i];
    qsort(sorted, runs->count, sizeof *sorted, compare_paths);
    for (size_t i = 0; i < runs->count && sorted[i]->path_known; i++) {
        struct xrw_runs_entry *entry = sorted[i];

        if (!path || path->path != entry->path) {
            path = &runs->path[runs->path_count++];
            *path = (struct xrw_runs_path){.path = entry->path, .first = entry->run};
        }
        path->runs++;
        entry->same_as = path->first;
    }
    qsort(runs->path, runs->path_count, sizeof *runs->path, compare_groups);
}

static int read_entries(struct xrw_store *store, struct xrw_runs *runs, struct xrw_error *err)
{
    for (size_t i = 0; i < runs->count; i++) {
        char inputs[256];
        struct xrw_run run;
        int ret = xrw_store_run(store, i + 1, &run, err);

        if (!ret)
            ret = xrw_runs_inputs(store, i + 1, inputs, sizeof inputs, err);
        if (ret)
            return ret;
        runs->entry[i] = (struct xrw_runs_entry){.run = run.id,
                                                 .exits = run.last_exit + 1 - run.first_exit,
                                                 .path_known = run.path_known,
                                                 .path = run.path};
        if (strlen(inputs) > runs->input_width)
            runs->input_width = strlen(inputs);
    }
    if (runs->input_width > INPUT_WIDTH_MAX)
        runs->input_width = INPUT_WIDTH_MAX;
    return 0;
}

static int compare_stops(struct xrw_store *store, struct xrw_runs *runs, struct xrw_error *err)
{
    for (size_t i = 0; i < runs->path_count; i++) {
        struct xrw_runs_path *path = &runs->path[i];
        struct xrw_run first, run;
        int ret = xrw_store_run(store, path->first, &first, err);

        for (size_t j = path->first; !ret && j < runs->count && path->runs > 1; j++) {
            if (runs->entry[j].same_as != path->first)
                continue;
            ret = xrw_store_run(store, j + 1, &run, err);
            path->stops_differ |= !ret && strcmp(run.stop, first.stop) != 0;
        }
        if (ret)
            return ret;
    }
    return 0;
}

int xrw_runs_read(struct xrw_store *store, struct xrw_runs *out, struct xrw_error *err)
{
    struct xrw_runs runs = {.count = xrw_store_run_count(store)};
    struct xrw_runs_entry **sorted = calloc(runs.count + 1, sizeof(struct xrw_runs_entry *));
    int ret = 0;

    runs.entry = calloc(runs.count + 1, sizeof *runs.entry);
    runs.path = calloc(runs.count + 1, sizeof *runs.path);
    if (!sorted || !runs.entry || !runs.path)
        ret = xrw_error_set(err, -ENOMEM, "out of memory");
    if (!ret)
        ret = read_entries(store, &runs, err);
    if (!ret) {
        group(&runs, sorted);
        ret = compare_stops(store, &runs, err);
    }
    free(sorted);
    if (ret)
        xrw_runs_deinit(&runs);
    else
        *out = runs;
    return ret;
}

void xrw_runs_deinit(struct xrw_runs *runs)
{
    free(runs->entry);
    free(runs->path);
    *runs = (struct xrw_runs){0};
}

int xrw_runs_inputs(struct xrw_store *store, uint64_t run, char *text, size_t bytes,
                    struct xrw_error *err)
{
    size_t used = 0;

    text[0] = '\0';
    for (uint64_t n = 1; n <= INPUTS_MAX && used < bytes; n++) {
        struct xrw_input input;
        int ret = xrw_store_input(store, run, n, &input, err);

        if (ret)
            return ret == -ENOENT ? 0 : ret;
        used += (size_t)snprintf(text + used, bytes - used, "%s%s", n > 1 ? " " : "", input.name);
    }
    return 0;
}

/* ---- printing -------------------------------------------------------- */

static void print_stop(const struct xrw_run *run, FILE *out)
{
    xrw_report_text(out, run->stop[0] ? run->stop : "not yet, or cut off");
    (void)fputs(run->stop_detail[0] ? ": " : "", out);
    xrw_report_text(out, run->stop_detail);
}

static void print_path(bool known, uint64_t path, FILE *out)
{
    if (known)
        (void)fprintf(out, "  %016" PRIx64, path);
    else
        (void)fprintf(out, "  %-16s", "?");
}

static int print_run(struct xrw_store *store, const struct xrw_runs_entry *entry, size_t width,
                     FILE *out, struct xrw_error *err)
{
    char inputs[256];
    struct xrw_run run;
    int ret = xrw_store_run(store, entry->run, &run, err);

    if (!ret)
        ret = xrw_runs_inputs(store, entry->run, inputs, sizeof inputs, err);
    if (ret)
        return ret;
    (void)fprintf(out, "%7" PRIu64 " %8" PRIu64, entry->run, entry->exits);
    print_path(entry->path_known, entry->path, out);
    if (entry->same_as && entry->same_as != entry->run)
        (void)fprintf(out, " %7" PRIu64 "  ", entry->same_as);
    else
        (void)fprintf(out, " %7s  ", entry->same_as ? "new" : "");
    if (width) {
        size_t length = strlen(inputs);

        xrw_report_text(out, inputs);
        (void)fprintf(out, "%*s", (int)(length < width ? width - length + 2 : 2), "");
    }
    print_stop(&run, out);
    (void)fputc('\n', out);
    return 0;
}

int xrw_runs_print(struct xrw_store *store, const struct xrw_runs *runs, FILE *out,
                   struct xrw_error *err)
{
    int ret = 0;

    (void)fprintf(out, "%7s %8s  %-16s %7s  ", "run", "exits", "path", "as run");
    if (runs->input_width)
        (void)fprintf(out, "%-*s  ", (int)runs->input_width, "input");
    (void)fputs("stopped\n", out);
    for (size_t i = 0; !ret && i < runs->count && !ferror(out); i++)
        ret = print_run(store, &runs->entry[i], runs->input_width, out, err);
    return ret;
}

static int print_group(struct xrw_store *store, const struct xrw_runs *runs,
                       const struct xrw_runs_path *path, FILE *out, struct xrw_error *err)
{
    struct xrw_run run;
    int ret = xrw_store_run(store, path->first, &run, err);

    if (ret)
        return ret;
    (void)fprintf(out, "%7" PRIu64 " %7" PRIu64 " %8" PRIu64, path->runs, path->first,
                  runs->entry[path->first - 1].exits);
    print_path(true, path->path, out);
    (void)fputs("  ", out);
    print_stop(&run, out);
    (void)fputs(path->stops_differ ? " (others of this path stopped otherwise)\n" : "\n", out);
    return 0;
}

int xrw_runs_print_paths(struct xrw_store *store, const struct xrw_runs *runs, FILE *out,
                         struct xrw_error *err)
{
    uint64_t without = runs->count;
    int ret = 0;

    for (size_t i = 0; i < runs->path_count; i++)
        without -= runs->path[i].runs;
    (void)fprintf(out, "%zu run%s, %zu path%s", runs->count, runs->count == 1 ? "" : "s",
                  runs->path_count, runs->path_count == 1 ? "" : "s");
    if (without)
        (void)fprintf(out, "; %" PRIu64 " not ended, or cut off", without);
    (void)fprintf(out, "\n%7s %7s %8s  %-16s  %s\n", "runs", "first", "exits", "path", "stopped");
    for (size_t i = 0; !ret && i < runs->path_count && !ferror(out); i++)
        ret = print_group(store, runs, &runs->path[i], out, err);
    return ret;
}
