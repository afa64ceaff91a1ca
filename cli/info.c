/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "commands.h"
#include "json.h"

#include "xrw/report.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage_text[] =
    "usage: xenrewind info [--json] FILE\n"
    "\n"
    "Says what was recorded, on what and how; the exits by reason; the most frequent\n"
    "instruction pointers; the memory; and what of all that is exact.\n"
    "\n"
    "  --json    as one JSON object";

static json_t *counts(const struct xrw_summary_count *count, size_t n, const char *key, bool hex)
{
    json_t *array = json_array();

    for (size_t i = 0; i < n; i++) {
        json_t *object = json_object();

        json_object_set_new(object, key,
                            hex ? xrw_json_hex(count[i].number) : xrw_json_u64(count[i].number));
        json_object_set_new(object, hex ? "instruction" : "name", xrw_json_text(count[i].text));
        json_object_set_new(object, "exits", xrw_json_u64(count[i].exits));
        json_array_append_new(array, object);
    }
    return array;
}

static json_t *run_object(const struct xrw_run *run)
{
    static const char *const memory[] = {
        [XRW_MEMORY_NONE] = "none", [XRW_MEMORY_EXIT] = "exit", [XRW_MEMORY_FRAMES] = "frames"};
    json_t *object = json_object();

    json_object_set_new(object, "id", xrw_json_u64(run->id));
    json_object_set_new(object, "source", xrw_json_text(run->source));
    json_object_set_new(object, "mode", xrw_json_text(run->mode));
    json_object_set_new(object, "memory", xrw_json_text(memory[run->memory]));
    json_object_set_new(object, "vcpus", xrw_json_u64(run->vcpus));
    json_object_set_new(object, "interrupts", json_boolean(run->interrupts));
    json_object_set_new(object, "reexecutable", json_boolean(run->reexecutable));
    json_object_set_new(object, "fitness", xrw_json_text(run->fitness));
    json_object_set_new(object, "domain", xrw_json_u64(run->domain));
    json_object_set_new(object, "parent", xrw_json_u64(run->parent));
    json_object_set_new(object, "start_unix_ns", xrw_json_u64(run->start_unix_ns));
    json_object_set_new(object, "end_unix_ns", xrw_json_u64(run->end_unix_ns));
    json_object_set_new(object, "first_exit", xrw_json_u64(run->first_exit));
    json_object_set_new(object, "last_exit", xrw_json_u64(run->last_exit));
    json_object_set_new(object, "stop", xrw_json_text(run->stop));
    json_object_set_new(object, "stop_detail", xrw_json_text(run->stop_detail));
    json_object_set_new(object, "register_truth", xrw_json_text(xrw_report_register_truth(run)));
    json_object_set_new(object, "memory_truth", xrw_json_text(xrw_report_memory_truth(run)));
    return object;
}

static void add_meta(json_t *object, struct xrw_store *store)
{
    static const char *const keys[] = {"program",  "command_line", "hypervisor",
                                       "host_cpu", "guest_name",   "symbol_file"};
    char value[1024];

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!xrw_store_get_meta(store, keys[i], value, sizeof value))
            json_object_set_new(object, keys[i], xrw_json_text(value));
}

static int print_json(struct xrw_store *store, const struct xrw_summary *summary,
                      struct xrw_error *err)
{
    json_t *object = json_object(), *runs = json_array();
    int ret = 0;

    add_meta(object, store);
    json_object_set_new(object, "base",
                        xrw_json_text(xrw_report_base_touched(store) ? "touched" : "full"));
    json_object_set_new(object, "closed", json_boolean(summary->closed));
    json_object_set_new(object, "without_rows", xrw_json_u64(summary->without_rows));
    json_object_set_new(object, "exits", xrw_json_u64(summary->exits));
    json_object_set_new(object, "resumes", xrw_json_u64(summary->resumes));
    json_object_set_new(object, "guest_pages", xrw_json_u64(summary->guest_pages));
    json_object_set_new(object, "page_versions", xrw_json_u64(summary->page_versions));
    json_object_set_new(object, "pages", xrw_json_u64(summary->pages));
    json_object_set_new(object, "page_bytes", xrw_json_u64(summary->page_bytes));
    json_object_set_new(object, "file_bytes", xrw_json_u64(summary->file_bytes));
    json_object_set_new(object, "reasons",
                        counts(summary->reason, summary->reason_count, "reason", false));
    json_object_set_new(object, "top_rips", counts(summary->rip, summary->rip_count, "rip", true));
    for (uint64_t id = 1; !ret && id <= summary->runs; id++) {
        struct xrw_run run;

        ret = xrw_store_run(store, id, &run, err);
        if (!ret)
            json_array_append_new(runs, run_object(&run));
    }
    json_object_set_new(object, "runs", runs);
    if (!ret)
        ret = xrw_json_print(object, 2, err);
    json_decref(object);
    return ret;
}

static int print(const char *path, bool json, struct xrw_error *err)
{
    struct xrw_summary *summary = malloc(sizeof *summary);
    struct xrw_store *store;
    int ret = summary ? 0 : xrw_error_set(err, -ENOMEM, "out of memory");

    if (!ret)
        ret = xrw_store_open(&store, path, err);
    if (ret) {
        free(summary);
        return ret;
    }
    ret = xrw_summary_read(store, summary, err);
    if (!ret)
        ret =
            json ? print_json(store, summary, err) : xrw_summary_print(store, summary, stdout, err);
    (void)xrw_store_close(store, NULL);
    free(summary);
    return ret;
}

int xrw_cli_info(int argc, char **argv)
{
    struct xrw_error err = {""};
    bool json;
    const char *path;
    int ret;

    if (!xrw_cli_json_option(argc, argv, usage_text, &json, &ret))
        return ret;
    path = xrw_cli_file("info", argc, argv, optind);
    if (!path)
        return XRW_CLI_USAGE;
    return print(path, json, &err) ? xrw_cli_fail(&err) : xrw_cli_finish();
}
