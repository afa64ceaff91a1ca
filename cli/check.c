/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "commands.h"
#include "json.h"

#include "xrw/report.h"
#include "xrw/store.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char usage_text[] =
    "usage: xenrewind check [--json] FILE\n"
    "\n"
    "Checks that a recording is whole: its structure, that exits and runs are complete and in\n"
    "order, that all they refer to is there, and that every page has the content that its hash\n"
    "says.  Says what is wrong; exits with 0 if nothing is, else with 1.\n"
    "\n"
    "  --json    as one JSON object";

struct checking {
    json_t *problems; /* NULL: print them */
};

static void take_problem(void *ctx, const char *problem)
{
    const struct checking *checking = ctx;

    if (checking->problems) {
        json_array_append_new(checking->problems, xrw_json_text(problem));
        return;
    }
    xrw_report_text(stdout, problem);
    (void)fputc('\n', stdout);
}

static int print_json(const struct xrw_check_result *result, bool closed, json_t *problems,
                      struct xrw_error *err)
{
    json_t *object = json_object();
    int ret;

    json_object_set_new(object, "whole", json_boolean(!result->problems));
    json_object_set_new(object, "closed", json_boolean(closed));
    json_object_set_new(object, "runs", xrw_json_u64(result->runs));
    json_object_set_new(object, "exits", xrw_json_u64(result->exits));
    json_object_set_new(object, "pages", xrw_json_u64(result->pages));
    json_object_set(object, "problems", problems);
    ret = xrw_json_print(object, 2, err);
    json_decref(object);
    return ret;
}

static void print(const char *path, const struct xrw_check_result *result, bool closed)
{
    (void)printf("%s: %" PRIu64 " run%s, %" PRIu64 " exits, %" PRIu64 " contents of pages: ", path,
                 result->runs, result->runs == 1 ? "" : "s", result->exits, result->pages);
    if (result->problems)
        (void)printf("%" PRIu64 " problem%s\n", result->problems, result->problems == 1 ? "" : "s");
    else
        (void)puts(closed ? "whole" : "whole, but not closed: still being written, or cut off");
}

/* 0: whole; 1: not; negative: could not be checked. */
static int check(const char *path, bool json, struct xrw_error *err)
{
    struct checking checking = {json ? json_array() : NULL};
    const struct xrw_check_options options = {.problem = take_problem, .ctx = &checking};
    struct xrw_check_result result = {0};
    struct xrw_store *store;
    char text[4] = "";
    bool closed;
    int ret = xrw_store_open(&store, path, err);

    if (!ret) {
        ret = xrw_store_check(store, &options, &result, err);
        closed = !xrw_store_get_meta(store, "closed", text, sizeof text) && text[0] == '1';
        if (!ret && json)
            ret = print_json(&result, closed, checking.problems, err);
        else if (!ret)
            print(path, &result, closed);
        (void)xrw_store_close(store, NULL);
    }
    json_decref(checking.problems);
    return ret ? ret : result.problems != 0;
}

int xrw_cli_check(int argc, char **argv)
{
    struct xrw_error err = {""};
    bool json;
    const char *path;
    int ret;

    if (!xrw_cli_json_option(argc, argv, usage_text, &json, &ret))
        return ret;
    path = xrw_cli_file("check", argc, argv, optind);
    if (!path)
        return XRW_CLI_USAGE;
    ret = check(path, json, &err);
    if (ret < 0)
        return xrw_cli_fail(&err);
    return xrw_cli_finish() || ret ? XRW_CLI_FAILED : XRW_CLI_OK;
}
