/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "commands.h"
#include "exit_json.h"
#include "json.h"

#include "xrw/filter.h"
#include "xrw/report.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char usage_text[] =
    "usage: xenrewind exits [OPTIONS] FILE\n"
    "\n"
    "Lists the exits of a recording, with instruction and operands decoded.\n"
    "\n"
    "  --reason NAME        only exits of that reason (a name as in the listing, or a number)\n"
    "  --rip ADDR[-ADDR]    only exits at that address or in that range (hexadecimal)\n"
    "  --vcpu N             only exits of that vCPU\n"
    "  --register REG=N     only exits at which that register has that value (decimal, or\n"
    "                       hexadecimal with 0x); see `xenrewind index'\n"
    "  --from N             begin at exit N\n"
    "  --count N            list N exits at most\n"
    "  --host               with the host's own exits (external interrupts and the like)\n"
    "  --json               one JSON object a line";

struct listing {
    struct xrw_exit_filter filter;
    uint64_t from, count;
    bool json;
};

struct lister {
    struct xrw_store *store;
    struct xrw_disassembler *disassembler;
    const struct listing *listing;
};

static int print_json(const struct lister *lister, const struct xrw_exit *exit,
                      struct xrw_error *err)
{
    json_t *object;
    int ret = xrw_exit_json(lister->store, lister->disassembler, exit, &object, err);

    if (ret)
        return ret;
    ret = xrw_json_print(object, 0, err);
    json_decref(object);
    return ret;
}

static int list(const struct lister *lister, struct xrw_error *err)
{
    const struct listing *listing = lister->listing;
    struct xrw_exit exit;
    xrw_exit_id at = listing->from ? listing->from - 1 : 0, last = INT64_MAX;
    int ret = 0;

    if (!listing->json)
        xrw_report_line_heading(stdout);
    for (uint64_t i = 0; i < listing->count && !ferror(stdout); i++) {
        ret = xrw_store_find_exit(lister->store, &listing->filter, at, true, 1, last, NULL, NULL,
                                  &at, err);
        if (ret <= 0)
            break;
        ret = xrw_store_exit(lister->store, at, &exit, err);
        if (!ret)
            ret = listing->json
                      ? print_json(lister, &exit, err)
                      : xrw_report_line(lister->store, lister->disassembler, &exit, stdout, err);
        if (ret)
            break;
    }
    return ret;
}

static int list_file(const char *path, const struct listing *listing, struct xrw_error *err)
{
    struct lister lister = {.listing = listing};
    int ret = xrw_store_open(&lister.store, path, err);

    if (ret)
        return ret;
    ret = xrw_disassembler_create(&lister.disassembler);
    if (ret)
        ret = xrw_error_set(err, ret, "out of memory");
    else
        ret = list(&lister, err);
    xrw_disassembler_destroy(lister.disassembler);
    (void)xrw_store_close(lister.store, NULL);
    return ret;
}

enum { OPTION_FROM = 256, OPTION_COUNT, OPTION_HOST, OPTION_JSON, OPTION_FILTER, OPTION_REGISTER };

static const struct option options[] = {
    {"reason", required_argument, NULL, OPTION_FILTER},
    {"rip", required_argument, NULL, OPTION_FILTER},
    {"vcpu", required_argument, NULL, OPTION_FILTER},
    {"register", required_argument, NULL, OPTION_REGISTER},
    {"from", required_argument, NULL, OPTION_FROM},
    {"count", required_argument, NULL, OPTION_COUNT},
    {"host", no_argument, NULL, OPTION_HOST},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, 'h'},
    {0},
};

static int set_register(struct listing *listing, char *text, struct xrw_error *err)
{
    char *value = strchr(text, '=');

    if (!value)
        return xrw_error_set(err, -EINVAL, "%.64s is not REGISTER=NUMBER", text);
    *value++ = '\0';
    if (xrw_register_by_name(text) < 0)
        return xrw_error_set(err, -EINVAL, "there is no register %.64s", text);
    return xrw_filter_set(&listing->filter, text, value, err);
}

/* Take one option.  Returns 0 or an error with err. */
static int take_option(struct listing *listing, int option, int index, struct xrw_error *err)
{
    uint64_t *number = option == OPTION_FROM ? &listing->from : &listing->count;

    switch (option) {
    case OPTION_FILTER:
        return xrw_filter_set(&listing->filter, options[index].name, optarg, err);
    case OPTION_REGISTER:
        return set_register(listing, optarg, err);
    case OPTION_FROM:
    case OPTION_COUNT:
        if (xrw_cli_number(optarg, number))
            return xrw_error_set(err, -EINVAL, "%.64s is not a number", optarg);
        return 0;
    case OPTION_HOST:
        listing->filter.guest_only = false;
        return 0;
    default:
        listing->json = true;
        return 0;
    }
}

int xrw_cli_exits(int argc, char **argv)
{
    struct listing listing = {.filter.guest_only = true, .count = UINT64_MAX};
    struct xrw_error err = {""};
    const char *path;
    int option, index = 0;

    while ((option = getopt_long(argc, argv, "h", options, &index)) != -1) {
        if (option == '?')
            return XRW_CLI_USAGE;
        if (option == 'h') {
            (void)puts(usage_text);
            return xrw_cli_finish();
        }
        if (take_option(&listing, option, index, &err))
            return xrw_cli_usage("exits", "%s", err.text);
    }
    path = xrw_cli_file("exits", argc, argv, optind);
    if (!path)
        return XRW_CLI_USAGE;
    return list_file(path, &listing, &err) ? xrw_cli_fail(&err) : xrw_cli_finish();
}
