/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stop.h"

#include "xrw/reason.h"

#include <inttypes.h>
#include <stdio.h>

/* A guest that runs is given so long to come to an exit, at which its state is whole. */
#define PATIENCE_NS 1000000000u

void stop_because(struct xrw_run *run, const char *stop, const char *detail)
{
    (void)snprintf(run->stop, sizeof run->stop, "%s", stop);
    (void)snprintf(run->stop_detail, sizeof run->stop_detail, "%s", detail);
}

bool stop_interrupted(const struct xrw_record_options *options)
{
    return options->interrupted && *options->interrupted;
}

/* Conditions that need no exit. */
static bool stop_by_caller(struct xrw_run *run, const struct xrw_record_options *options,
                           uint64_t elapsed_ns)
{
    if (stop_interrupted(options))
        stop_because(run, "interrupted", "interrupted by a signal");
    else if (options->max_seconds > 0 && (double)elapsed_ns >= options->max_seconds * 1e9)
        stop_because(run, "seconds", "as long as was asked for");
    return run->stop[0];
}

void stop_at_exit(struct xrw_run *run, const struct xrw_record_options *options,
                  const struct xrw_exit *exit, uint64_t elapsed_ns)
{
    unsigned reason = xrw_exit_basic_reason(exit);
    char detail[sizeof run->stop_detail];

    if (options->until_rip && exit->before.known[XRW_REG_rip] &&
        exit->before.value[XRW_REG_rip] == options->rip) {
        (void)snprintf(detail, sizeof detail, "RIP %#" PRIx64 " at exit %" PRIu64, options->rip,
                       exit->id);
        stop_because(run, "until-rip", detail);
    } else if (options->until_reason >= 0 &&
               (reason == (unsigned)options->until_reason ||
                reason == xrw_reason_twin((unsigned)options->until_reason))) {
        const char *name = xrw_reason_name(reason);

        (void)snprintf(detail, sizeof detail, "%s at exit %" PRIu64, name ? name : "reason",
                       exit->id);
        stop_because(run, "until-reason", detail);
    } else if (options->max_exits && exit->id - run->first_exit + 1 >= options->max_exits) {
        stop_because(run, "exits", "as many exits as were asked for");
    } else {
        (void)stop_by_caller(run, options, elapsed_ns);
    }
}

/* How long a guest may wait for an interrupt; negative: for ever.  Of many runs none is to wait for
 * what cannot come. */
static double idle_seconds(const struct xrw_record_options *options)
{
    if (options->idle_seconds <= 0)
        return -1;
    return options->runs > 1 && !options->allow_interrupts && !options->fork
               ? 0
               : options->idle_seconds;
}

void stop_without_exit(struct xrw_run *run, const struct xrw_record_options *options, bool idle,
                       uint64_t elapsed_ns, uint64_t quiet_ns)
{
    if ((idle || quiet_ns >= PATIENCE_NS) && stop_by_caller(run, options, elapsed_ns))
        return;
    if (idle && idle_seconds(options) >= 0 && (double)quiet_ns >= idle_seconds(options) * 1e9)
        stop_because(run, "guest-idle",
                     options->allow_interrupts
                         ? "the guest waits for an interrupt, and none comes"
                         : "the guest waits for an interrupt, and interrupts are blocked: "
                           "--allow-interrupts lets them in");
}
