/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "commands.h"
#include "json.h"

#include "xrw/runs.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

static const char usage_text[] =
    "usage: xenrewind runs [OPTIONS] FILE\n"
    "\n"
    "Lists the runs of a recording: how each stopped, and which path of exits it took.  Runs\n"
    "with the same path exited for the same reasons at the same places, in the same order,\n"
    "whatever data they carried (the host's own exits do not count).  `as run' is the first run\n"
    "with that path.  Then the paths, most frequent first.\n"
    "\n"
    "  --paths    the paths only\n"
    "  --json     as one JSON object";

struct listing {
    bool paths_only, json;
};

static json_t *path_text(uint64_t path)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%016" PRIx64, path);
    return json_string(text);
}

static json_t *inputs_array(struct xrw_store *store, uint64_t run)
{
    json_t *array = json_array();
    struct xrw_input input;

    for (uint64_t n = 1; !xrw_store_input(store, run, n, &input, NULL); n++) {
        json_t *object = json_object();

        json_object_set_new(object, "name", xrw_json_text(input.name));
        json_object_set_new(object, input.physical ? "gpa" : "gva", xrw_json_hex(input.address));
        json_object_set_new(object, "bytes", xrw_json_u64(input.bytes));
        json_array_append_new(array, object);
    }
    return array;
}

static int add_run(struct xrw_store *store, const struct xrw_runs_entry *entry, json_t *array,
                   struct xrw_error *err)
{
    json_t *object = json_object();
    struct xrw_run run;
    int ret = xrw_store_run(store, entry->run, &run, err);

    json_array_append_new(array, object);
    if (ret)
        return ret;
    json_object_set_new(object, "run", xrw_json_u64(run.id));
    json_object_set_new(object, "first_exit", xrw_json_u64(run.first_exit));
    json_object_set_new(object, "exits", xrw_json_u64(entry->exits));
    json_object_set_new(object, "path", entry->path_known ? path_text(entry->path) : json_null());
    json_object_set_new(object, "same_as",
                        entry->same_as ? xrw_json_u64(entry->same_as) : json_null());
    json_object_set_new(object, "input", inputs_array(store, run.id));
    json_object_set_new(object, "stop", xrw_json_text(run.stop));
    json_object_set_new(object, "stop_detail", xrw_json_text(run.stop_detail));
    return 0;
}

static json_t *paths_array(const struct xrw_runs *runs)
{
    json_t *array = json_array();

    for (size_t i = 0; i < runs->path_count; i++) {
        const struct xrw_runs_path *path = &runs->path[i];
        json_t *object = json_object();

        json_object_set_new(object, "path", path_text(path->path));
        json_object_set_new(object, "runs", xrw_json_u64(path->runs));
        json_object_set_new(object, "first", xrw_json_u64(path->first));
        json_object_set_new(object, "stops_differ", json_boolean(path->stops_differ));
        json_array_append_new(array, object);
    }
    return array;
}

static int print_json(struct xrw_store *store, const struct xrw_runs *runs, bool paths_only,
                      struct xrw_error *err)
{
    json_t *object = json_object(), *array = json_array();
    int ret = 0;

    for (size_t i = 0; !ret && !paths_only && i < runs->count; i++)
        ret = add_run(store, &runs->entry[i], array, err);
    json_object_set_new(object, "count", xrw_json_u64(runs->count));
    if (!paths_only)
        json_object_set(object, "runs", array);
    json_object_set_new(object, "paths", paths_array(runs));
    if (!ret)
        ret = xrw_json_print(object, 2, err);
    json_decref(array);
    json_decref(object);
    return ret;
}

static int print(struct xrw_store *store, const struct xrw_runs *runs,
                 const struct listing *listing, struct xrw_error *err)
{
    int ret = 0;

    if (listing->json)
        return print_json(store, runs, listing->paths_only, err);
    if (!listing->paths_only) {
        ret = xrw_runs_print(store, runs, stdout, err);
        (void)putchar('\n');
    }
    return ret ? ret : xrw_runs_print_paths(store, runs, stdout, err);
}

static int list_file(const char *path, const struct listing *listing, struct xrw_error *err)
{
    struct xrw_store *store;
    struct xrw_runs runs;
    int ret = xrw_store_open(&store, path, err);

    if (ret)
        return ret;
    ret = xrw_runs_read(store, &runs, err);
    if (!ret) {
        ret = print(store, &runs, listing, err);
        xrw_runs_deinit(&runs);
    }
    (void)xrw_store_close(store, NULL);
    return ret;
}

int xrw_cli_runs(int argc, char **argv)
{
    static const struct option options[] = {{"paths", no_argument, NULL, 'p'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    struct listing listing = {0};
    struct xrw_error err = {""};
    const char *path;
    int option;

    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case 'p':
            listing.paths_only = true;
            break;
        case 'j':
            listing.json = true;
            break;
        case 'h':
            (void)puts(usage_text);
            return xrw_cli_finish();
        default:
            return XRW_CLI_USAGE;
        }
    }
    path = xrw_cli_file("runs", argc, argv, optind);
    if (!path)
        return XRW_CLI_USAGE;
    return list_file(path, &listing, &err) ? xrw_cli_fail(&err) : xrw_cli_finish();
}
