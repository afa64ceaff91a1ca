/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "commands.h"
#include "json.h"

#include "xrw/report.h"
#include "xrw/writes.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage_text[] =
    "usage: xenrewind writes [OPTIONS] FILE ADDR\n"
    "\n"
    "Lists every change of guest memory at an address: between which exits, from what to what,\n"
    "and by whom.\n"
    "\n"
    "  ADDR            hexadecimal; linear, through the page tables of each exit\n"
    "  --physical      ADDR is guest-physical\n"
    "  --bytes N       follow N bytes (8; at most 256)\n"
    "  --run N         in that run (1)\n"
    "  --count N       list N changes at most\n"
    "  --json          one JSON object a line";

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

static bool is_interrupted(void *ctx)
{
    (void)ctx;
    return interrupted != 0;
}

static int print_write(void *ctx, const struct xrw_write *write)
{
    (void)ctx;
    xrw_report_write(stdout, write);
    return ferror(stdout) ? -EIO : 0;
}

static int print_json(void *ctx, const struct xrw_write *write)
{
    json_t *object = json_object();
    struct xrw_error err;
    char number[24];
    int ret;

    (void)ctx;
    json_object_set_new(object, "older", xrw_json_u64(write->older));
    json_object_set_new(object, "newer", xrw_json_u64(write->newer));
    if (write->old_known)
        json_object_set_new(object, "old", xrw_json_bytes(write->old_value, write->bytes));
    if (write->new_known)
        json_object_set_new(object, "new", xrw_json_bytes(write->new_value, write->bytes));
    json_object_set_new(object, "by",
                        json_string(write->by_hypervisor ? "guest or hypervisor" : "guest"));
    json_object_set_new(object, "reason", xrw_json_text(xrw_report_reason(&write->exit, number)));
    if (write->exit.before.known[XRW_REG_rip])
        json_object_set_new(object, "rip", xrw_json_hex(write->exit.before.value[XRW_REG_rip]));
    ret = xrw_json_print(object, 0, &err);
    json_decref(object);
    return ret;
}

static int list(const char *path, const struct xrw_writes_query *query, struct xrw_error *err)
{
    struct xrw_store *store;
    int ret = xrw_store_open(&store, path, err);

    if (ret)
        return ret;
    ret = xrw_writes_list(store, query, err);
    (void)xrw_store_close(store, NULL);
    return ret;
}

static int take_number(const char *option, uint64_t *number)
{
    return xrw_cli_number(optarg, number) ? xrw_cli_usage("writes", "--%s takes a number", option)
                                          : 0;
}

static int take_option(int option, struct xrw_writes_query *query)
{
    uint64_t number;
    int ret = 0;

    switch (option) {
    case 'p':
        query->physical = true;
        break;
    case 'j':
        query->change = print_json;
        break;
    case 'b':
        ret = take_number("bytes", &number);
        if (!ret && (!number || number > XRW_WRITES_MAX_BYTES))
            ret = xrw_cli_usage("writes", "--bytes takes 1 to %u", XRW_WRITES_MAX_BYTES);
        query->bytes = ret ? 0 : (size_t)number;
        break;
    case 'r':
        ret = take_number("run", &query->run);
        break;
    case 'c':
        ret = take_number("count", &query->max);
        break;
    default:
        ret = XRW_CLI_USAGE;
    }
    return ret;
}

int xrw_cli_writes(int argc, char **argv)
{
    static const struct option options[] = {{"physical", no_argument, NULL, 'p'},
                                            {"bytes", required_argument, NULL, 'b'},
                                            {"run", required_argument, NULL, 'r'},
                                            {"count", required_argument, NULL, 'c'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    struct xrw_writes_query query = {
        .run = 1, .bytes = 8, .change = print_write, .interrupted = is_interrupted};
    struct xrw_error err = {""};
    char *end;
    int option, ret;

    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'h') {
            (void)puts(usage_text);
            return xrw_cli_finish();
        }
        ret = take_option(option, &query);
        if (ret)
            return ret;
    }
    if (argc - optind != 2)
        return xrw_cli_usage("writes", "a recording and an address, please");
    errno = 0;
    query.address = strtoull(argv[optind + 1], &end, 16);
    if (errno || *end || end == argv[optind + 1])
        return xrw_cli_usage("writes", "%s is not an address", argv[optind + 1]);
    (void)signal(SIGINT, on_interrupt);
    return list(argv[optind], &query, &err) ? xrw_cli_fail(&err) : xrw_cli_finish();
}
