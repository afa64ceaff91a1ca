/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "commands.h"
#include "exit_json.h"
#include "json.h"

#include "xrw/runs.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage_text[] =
    "usage: xenrewind diff [--json] FILE RUN RUN\n"
    "\n"
    "Shows the first exit at which two runs of a recording part, with registers and disassembly\n"
    "side by side, and before it the first at which a register differed.  The host's own exits\n"
    "are passed over.  A * marks what differs.\n"
    "\n"
    "  --json    as one JSON object";

static int add_pair(struct xrw_store *store, struct xrw_disassembler *disassembler,
                    const struct xrw_exit exit[2], const char *key, json_t *object,
                    struct xrw_error *err)
{
    json_t *array = json_array();
    int ret = 0;

    for (unsigned i = 0; i < 2 && !ret; i++) {
        json_t *one = NULL;

        if (exit[i].id)
            ret = xrw_exit_json(store, disassembler, &exit[i], &one, err);
        json_array_append_new(array, one ? one : json_null());
    }
    json_object_set_new(object, key, array);
    return ret;
}

static int print_json(struct xrw_store *store, struct xrw_disassembler *disassembler,
                      const struct xrw_run_diff *diff, struct xrw_error *err)
{
    json_t *object = json_object();
    int ret = 0;

    json_object_set_new(
        object, "runs",
        json_pack("[oo]", xrw_json_u64(diff->run[0].id), xrw_json_u64(diff->run[1].id)));
    json_object_set_new(object, "common", xrw_json_u64(diff->common));
    json_object_set_new(object, "parted", json_boolean(diff->parted));
    if (diff->parted)
        ret = add_pair(store, disassembler, diff->exit, "exits", object, err);
    if (!ret && diff->registers_differ)
        ret = add_pair(store, disassembler, diff->data, "registers_differ", object, err);
    if (!ret)
        ret = xrw_json_print(object, 2, err);
    json_decref(object);
    return ret;
}

static int compare(const char *path, const uint64_t run[2], bool json, struct xrw_error *err)
{
    struct xrw_run_diff *diff = malloc(sizeof *diff);
    struct xrw_disassembler *disassembler = NULL;
    struct xrw_store *store = NULL;
    int ret = diff && !xrw_disassembler_create(&disassembler) ? 0 : -ENOMEM;

    if (ret)
        (void)xrw_error_set(err, ret, "out of memory");
    if (!ret)
        ret = xrw_store_open(&store, path, err);
    if (!ret)
        ret = xrw_run_diff(store, run[0], run[1], diff, err);
    if (!ret)
        ret = json ? print_json(store, disassembler, diff, err)
                   : xrw_run_diff_print(store, disassembler, diff, stdout, err);
    (void)xrw_store_close(store, NULL);
    xrw_disassembler_destroy(disassembler);
    free(diff);
    return ret;
}

int xrw_cli_diff(int argc, char **argv)
{
    struct xrw_error err = {""};
    uint64_t run[2];
    bool json;
    int ret;

    if (!xrw_cli_json_option(argc, argv, usage_text, &json, &ret))
        return ret;
    if (argc - optind != 3)
        return xrw_cli_usage("diff", "it takes a recording and two runs of it");
    for (int i = 0; i < 2; i++)
        if (xrw_cli_number(argv[optind + 1 + i], &run[i]))
            return xrw_cli_usage("diff", "%.64s is not the number of a run", argv[optind + 1 + i]);
    return compare(argv[optind], run, json, &err) ? xrw_cli_fail(&err) : xrw_cli_finish();
}
