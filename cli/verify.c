/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "commands.h"
#include "json.h"

#include "xrw/verify.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage_text[] =
    "usage: xenrewind verify [OPTIONS] FILE\n"
    "\n"
    "Re-executes what the guest ran between each two exits, and compares registers and memory "
    "with\n"
    "the recording.  A gap that arrives exactly can be stepped through instruction by "
    "instruction.\n"
    "Writes lengths and verdicts to FILE.gaps (SQLite); FILE itself is only read.\n"
    "\n"
    "  --run N              only that run\n"
    "  --from N, --to N     only the gaps that begin at these exits, inclusive\n"
    "  --threads N          default: one a processor\n"
    "  --all                list every gap, not only those that are not exact\n"
    "  --gaps FILE          write there instead; --no-gaps: write nothing\n"
    "  --quiet              no progress\n"
    "  --json               one JSON object\n"
    "\n"
    "Exit status: 0 all gaps are exact, undefined flags aside; 1 some are not, or it failed.";

static volatile sig_atomic_t interrupted;

static void on_signal(int signal)
{
    (void)signal;
    interrupted = 1;
}

struct arguments {
    struct xrw_verify_options options;
    bool all, quiet, json, no_gaps, tty;
    double last_line;
    json_t *differences;
};

#define LINE_SECONDS 5.0

static void show_progress(void *ctx, const struct xrw_verify_progress *progress)
{
    struct arguments *args = ctx;

    if (args->quiet || (!args->tty && progress->seconds - args->last_line < LINE_SECONDS))
        return;
    args->last_line = progress->seconds;
    (void)fprintf(stderr, "%s%" PRIu64 " of %" PRIu64 " gaps, %.1f M instructions, %.0f s%s",
                  args->tty ? "\r\033[K" : "", progress->done, progress->gaps,
                  (double)progress->instructions / 1e6, progress->seconds, args->tty ? "" : "\n");
}

static bool is_difference(const struct xrw_gap *gap)
{
    return gap->verdict != XRW_GAP_EXACT;
}

static json_t *gap_object(const struct xrw_gap *gap)
{
    json_t *object = json_object();

    json_object_set_new(object, "exit", xrw_json_u64(gap->exit));
    json_object_set_new(object, "verdict", xrw_json_text(xrw_gap_verdict_names[gap->verdict]));
    json_object_set_new(object, "cause", xrw_json_text(xrw_gap_cause_names[gap->cause]));
    json_object_set_new(object, "instructions", xrw_json_u64(gap->instructions));
    json_object_set_new(object, "foreign_pages", xrw_json_u64(gap->foreign_pages));
    json_object_set_new(object, "candidates", xrw_json_u64(gap->candidates));
    json_object_set_new(object, "detail", xrw_json_text(gap->detail));
    return object;
}

static void take_gap(void *ctx, const struct xrw_gap *gap)
{
    struct arguments *args = ctx;

    if (!args->all && !is_difference(gap))
        return;
    if (args->json) {
        json_array_append_new(args->differences, gap_object(gap));
        return;
    }
    (void)printf("gap %" PRIu64 ": %s", gap->exit, xrw_gap_verdict_names[gap->verdict]);
    (void)printf(", %" PRIu64 " instructions", gap->instructions);
    if (gap->cause)
        (void)printf(", cause: %s", xrw_gap_cause_names[gap->cause]);
    (void)printf("%s%s\n", gap->detail[0] ? ": " : "", gap->detail);
}

static bool all_exact(const struct xrw_verify_result *result)
{
    return result->verdicts[XRW_GAP_EXACT] + result->verdicts[XRW_GAP_FLAGS] == result->gaps;
}

static void print_summary(const struct xrw_verify_result *result)
{
    uint64_t arrived = result->verdicts[XRW_GAP_EXACT] + result->verdicts[XRW_GAP_FLAGS] +
                       result->verdicts[XRW_GAP_ARRIVED];

    (void)printf("%" PRIu64 " gaps, %.1f M instructions in %.1f s (undefined flags as: %s)\n",
                 result->gaps, (double)result->instructions / 1e6, result->seconds,
                 result->profile);
    (void)printf("%" PRIu64 " (%.2f %%) arrive at the next exit with equal general registers\n",
                 arrived, 100.0 * (double)arrived / (double)result->gaps);
    for (int v = 0; v < XRW_GAP_VERDICTS; v++)
        if (result->verdicts[v])
            (void)printf("  %-9s %" PRIu64 " (%.2f %%)\n", xrw_gap_verdict_names[v],
                         result->verdicts[v],
                         100.0 * (double)result->verdicts[v] / (double)result->gaps);
    for (int c = 1; c < XRW_GAP_CAUSES; c++)
        if (result->causes[c])
            (void)printf("  cause of %" PRIu64 ": %s\n", result->causes[c], xrw_gap_cause_names[c]);
    if (result->hypervisor_wrote)
        (void)printf("  in %" PRIu64 " the hypervisor wrote memory as well\n",
                     result->hypervisor_wrote);
}

static int print_json(struct arguments *args, const struct xrw_verify_result *result)
{
    json_t *object = json_object(), *verdicts = json_object(), *causes = json_object();
    struct xrw_error err = {""};
    int rc;

    for (int v = 0; v < XRW_GAP_VERDICTS; v++)
        json_object_set_new(verdicts, xrw_gap_verdict_names[v], xrw_json_u64(result->verdicts[v]));
    for (int c = 1; c < XRW_GAP_CAUSES; c++)
        json_object_set_new(causes, xrw_gap_cause_names[c], xrw_json_u64(result->causes[c]));
    json_object_set_new(object, "file", xrw_json_text(args->options.path));
    json_object_set_new(object, "gaps", xrw_json_u64(result->gaps));
    json_object_set_new(
        object, "verified",
        xrw_json_u64(result->verdicts[XRW_GAP_EXACT] + result->verdicts[XRW_GAP_FLAGS]));
    json_object_set_new(object, "verdicts", verdicts);
    json_object_set_new(object, "causes", causes);
    json_object_set_new(object, "hypervisor_wrote", xrw_json_u64(result->hypervisor_wrote));
    json_object_set_new(object, "instructions", xrw_json_u64(result->instructions));
    json_object_set_new(object, "seconds", json_real(result->seconds));
    json_object_set_new(object, "profile", xrw_json_text(result->profile));
    json_object_set(object, args->all ? "all" : "differences", args->differences);
    rc = xrw_json_print(object, 0, &err);
    json_decref(object);
    return rc ? xrw_cli_fail(&err) : xrw_cli_finish();
}

/* ---- arguments ----------------------------------------------------------- */

enum option_id {
    OPT_RUN = 256,
    OPT_FROM,
    OPT_TO,
    OPT_THREADS,
    OPT_ALL,
    OPT_GAPS,
    OPT_NO_GAPS,
    OPT_QUIET,
    OPT_JSON
};

static const struct option long_options[] = {
    {"run", required_argument, NULL, OPT_RUN},
    {"from", required_argument, NULL, OPT_FROM},
    {"to", required_argument, NULL, OPT_TO},
    {"threads", required_argument, NULL, OPT_THREADS},
    {"all", no_argument, NULL, OPT_ALL},
    {"gaps", required_argument, NULL, OPT_GAPS},
    {"no-gaps", no_argument, NULL, OPT_NO_GAPS},
    {"quiet", no_argument, NULL, OPT_QUIET},
    {"json", no_argument, NULL, OPT_JSON},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static int parse_number(const char *option, const char *text, uint64_t *number)
{
    if (xrw_cli_number(text, number) || !*number)
        return xrw_cli_usage("verify", "--%s takes a whole number from 1 on, not %s", option, text);
    return 0;
}

static int parse_threads(const char *text, unsigned *threads)
{
    uint64_t number;
    int rc = parse_number("threads", text, &number);

    *threads = rc ? 0 : (unsigned)(number < 1000 ? number : 1000);
    return rc;
}

static int parse_option(int id, const char *value, struct arguments *args)
{
    switch (id) {
    case OPT_RUN:
        return parse_number("run", value, &args->options.run);
    case OPT_FROM:
        return parse_number("from", value, &args->options.first);
    case OPT_TO:
        return parse_number("to", value, &args->options.last);
    case OPT_THREADS:
        return parse_threads(value, &args->options.threads);
    case OPT_GAPS:
        args->options.gaps_path = value;
        return 0;
    case OPT_ALL:
        args->all = true;
        return 0;
    case OPT_NO_GAPS:
        args->no_gaps = true;
        return 0;
    case OPT_QUIET:
        args->quiet = true;
        return 0;
    case OPT_JSON:
        args->json = true;
        return 0;
    default:
        return xrw_cli_usage("verify", "an option is not understood");
    }
}

static int parse(int argc, char **argv, struct arguments *args, bool *done)
{
    int id, rc = 0;

    optind = 0;
    while (!rc && (id = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
        if (id == 'h') {
            *done = true;
            (void)puts(usage_text);
            return xrw_cli_finish();
        }
        rc = parse_option(id, optarg, args);
    }
    if (rc)
        return rc;
    args->options.path = xrw_cli_file("verify", argc, argv, optind);
    return args->options.path ? 0 : XRW_CLI_USAGE;
}

static int verify(struct arguments *args)
{
    struct xrw_verify_result result;
    struct xrw_error err = {""};
    int rc = xrw_verify(&args->options, &result, &err);

    if (args->tty && !args->quiet)
        (void)fputs("\r\033[K", stderr);
    if (rc)
        return xrw_cli_fail(&err);
    if (args->json)
        rc = print_json(args, &result);
    else
        print_summary(&result);
    if (!rc)
        rc = xrw_cli_finish();
    return rc || all_exact(&result) ? rc : XRW_CLI_FAILED;
}

int xrw_cli_verify(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct arguments args = {.tty = isatty(STDERR_FILENO)};
    char gaps[4096];
    bool done = false;
    int rc = parse(argc, argv, &args, &done);

    if (rc || done)
        return rc;
    if (!args.options.gaps_path && !args.no_gaps) {
        if (snprintf(gaps, sizeof gaps, "%s.gaps", args.options.path) >= (int)sizeof gaps)
            return xrw_cli_usage("verify", "the name of the file is too long");
        args.options.gaps_path = gaps;
    }
    args.differences = json_array();
    args.options.interrupted = &interrupted;
    args.options.progress = show_progress;
    args.options.gap = take_gap;
    args.options.ctx = &args;
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    rc = verify(&args);
    json_decref(args.differences);
    return rc;
}
