/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "commands.h"
#include "json.h"

#include "xrw/doctor.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

static const char usage_text[] =
    "usage: xenrewind doctor [--parent DOMAIN] [--clean] [--json]\n"
    "\n"
    "Says what this host can record: one line for each thing that is needed (ok, missing, "
    "unknown,\n"
    "or a note) with what was found, and what to change.  Nothing is changed without --clean.\n"
    "\n"
    "  --parent DOMAIN\n"
    "                also look at this domain: fork it for a moment, which proves that forks "
    "work,\n"
    "                and see whether it is fit for re-execution\n"
    "  --clean       remove forks that were left over by recorders that were killed; their "
    "parents\n"
    "                go on then.  A fork that is being recorded, or was kept by --keep, stays\n"
    "  --json        as one JSON object\n"
    "\n"
    "Exit status: 0 recording can be done (with --parent: of that domain), 1 it cannot, or that "
    "is\n"
    "not known, or --clean could not remove a fork; 2 called wrongly.";

static const char *const state_names[] = {[XRW_CHECK_OK] = "ok",
                                          [XRW_CHECK_MISSING] = "missing",
                                          [XRW_CHECK_UNKNOWN] = "unknown",
                                          [XRW_CHECK_NOTE] = "note"};

static void print_verdict(const struct xrw_doctor_report *report, uint32_t parent)
{
    static const char *const texts[] = {
        [XRW_CHECK_OK] = "can be recorded",
        [XRW_CHECK_MISSING] = "cannot be recorded: what is missing is named above",
        [XRW_CHECK_UNKNOWN] =
            "can perhaps be recorded: nothing is missing, but not all could be looked at"};

    if (parent)
        (void)printf("\nDomain %" PRIu32 " %s.\n", parent, texts[report->verdict]);
    else
        (void)printf("\nGuests of this host %s.\n", texts[report->verdict]);
}

static void print_report(const struct xrw_doctor_report *report, uint32_t parent)
{
    for (size_t i = 0; i < report->check_count; i++) {
        const struct xrw_check *check = &report->checks[i];

        (void)printf("%-7s  %-17s  %s\n", state_names[check->state], check->name, check->found);
        if (*check->advice)
            (void)printf("%28s%s\n", "-> ", check->advice);
    }
    for (size_t i = 0; i < report->fork_count; i++) {
        const struct xrw_fork *fork = &report->forks[i];

        (void)printf("\nfork %" PRIu32, fork->domain);
        if (fork->parent)
            (void)printf(" of domain %" PRIu32, fork->parent);
        if (*fork->outcome)
            (void)printf(": left over, %s", fork->outcome);
        else if (fork->left_over)
            (void)printf(": left over by process %" PRIu32, fork->recorder);
        else if (fork->recorder)
            (void)printf(": being recorded by process %" PRIu32, fork->recorder);
        else
            (void)printf(": kept on purpose");
    }
    if (report->fork_count)
        (void)putchar('\n');
    print_verdict(report, parent);
}

static json_t *checks_array(const struct xrw_doctor_report *report)
{
    json_t *array = json_array();

    for (size_t i = 0; i < report->check_count; i++) {
        const struct xrw_check *check = &report->checks[i];
        json_t *object = json_object();

        json_object_set_new(object, "id", xrw_json_text(check->id));
        json_object_set_new(object, "name", xrw_json_text(check->name));
        json_object_set_new(object, "state", xrw_json_text(state_names[check->state]));
        json_object_set_new(object, "required", json_boolean(check->required));
        json_object_set_new(object, "found", xrw_json_text(check->found));
        json_object_set_new(object, "advice", xrw_json_text(check->advice));
        json_array_append_new(array, object);
    }
    return array;
}

static json_t *forks_array(const struct xrw_doctor_report *report)
{
    json_t *array = json_array();

    for (size_t i = 0; i < report->fork_count; i++) {
        const struct xrw_fork *fork = &report->forks[i];
        json_t *object = json_object();

        json_object_set_new(object, "domain", xrw_json_u64(fork->domain));
        json_object_set_new(object, "parent",
                            fork->parent ? xrw_json_u64(fork->parent) : json_null());
        json_object_set_new(object, "recorder",
                            fork->recorder ? xrw_json_u64(fork->recorder) : json_null());
        json_object_set_new(object, "left_over", json_boolean(fork->left_over));
        json_object_set_new(object, "removed", json_boolean(fork->removed));
        json_object_set_new(object, "outcome", xrw_json_text(fork->outcome));
        json_array_append_new(array, object);
    }
    return array;
}

static int print_json(const struct xrw_doctor_report *report, struct xrw_error *err)
{
    json_t *object = json_object();
    int rc;

    json_object_set_new(object, "xen", json_boolean(report->xen));
    json_object_set_new(object, "can_record",
                        report->verdict == XRW_CHECK_UNKNOWN
                            ? json_null()
                            : json_boolean(report->verdict == XRW_CHECK_OK));
    json_object_set_new(object, "checks", checks_array(report));
    json_object_set_new(object, "forks", forks_array(report));
    rc = xrw_json_print(object, 2, err);
    json_decref(object);
    return rc;
}

static int run(const struct xrw_doctor_options *options, bool json)
{
    struct xrw_doctor_report report;
    struct xrw_error err = {""};
    int rc = xrw_doctor(options, &report, &err);

    if (!rc && json)
        rc = print_json(&report, &err);
    else if (!rc && report.xen)
        print_report(&report, options->parent);
    else if (!rc)
        (void)printf("%s: %s\n", report.checks[0].found, report.checks[0].advice);
    if (rc)
        return xrw_cli_fail(&err);
    rc = xrw_cli_finish();
    return rc ? rc : report.verdict == XRW_CHECK_OK ? XRW_CLI_OK : XRW_CLI_FAILED;
}

int xrw_cli_doctor(int argc, char **argv)
{
    static const struct option long_options[] = {{"parent", required_argument, NULL, 'p'},
                                                 {"clean", no_argument, NULL, 'c'},
                                                 {"json", no_argument, NULL, 'j'},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {0}};
    struct xrw_doctor_options options = {0};
    bool json = false;
    int option, rc;

    optind = 0; /* start anew, whatever was parsed before */
    while ((option = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
        switch (option) {
        case 'p':
            rc = xrw_cli_domain("doctor", optarg, &options.parent);
            if (rc)
                return rc;
            break;
        case 'c':
            options.clean = true;
            break;
        case 'j':
            json = true;
            break;
        case 'h':
            (void)puts(usage_text);
            return xrw_cli_finish();
        default:
            return xrw_cli_usage("doctor", "an option is not understood");
        }
    }
    if (optind < argc)
        return xrw_cli_usage("doctor", "%s is not an option", argv[optind]);
    return run(&options, json);
}
