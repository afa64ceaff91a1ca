/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Xen source: a domain, its exits in one of the capture modes, and its memory. */
#include "xen_source.h"
#include "xrw/kind.h"
#include "xrw/svm.h"
#include "xrw/vmx.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HYPERCALL_SCHED_OP 29u

const char *const xrw_record_mode_names[XRW_RECORD_MODES] = {
    [XRW_RECORD_MODE_AUTO] = "auto",
    [XRW_RECORD_MODE_PAUSE] = "pause",
    [XRW_RECORD_MODE_ASYNC] = "async",
    [XRW_RECORD_MODE_SYNC] = "sync",
};

/* ---- start ----------------------------------------------------------- */

static void notice(const struct xen_source *s, const char *text)
{
    if (s->options->notice && *text)
        s->options->notice(s->options->ctx, text);
}

static void tell_left_overs(struct xen_source *s)
{
    struct xrw_fork forks[XRW_DOCTOR_FORKS];
    size_t n = xen_list_forks(&s->xen, forks, XRW_DOCTOR_FORKS), used = 0;
    char ids[128] = "", text[320];

    for (size_t i = 0; i < n && used < sizeof ids; i++)
        if (forks[i].left_over)
            used += (size_t)snprintf(ids + used, sizeof ids - used, "%s%" PRIu32, used ? ", " : "",
                                     forks[i].domain);
    if (!used)
        return;
    (void)snprintf(text, sizeof text,
                   "forks left over by recorders that were killed: domain %s\n"
                   "`xenrewind doctor --clean` removes them; their parents stay paused until then",
                   ids);
    notice(s, text);
}

static int choose_mode(struct xen_source *s, struct xrw_run *run, struct xrw_error *err)
{
    static const struct xen_mode *const modes[XRW_RECORD_MODES] = {
        [XRW_RECORD_MODE_PAUSE] = &xen_mode_pause,
        [XRW_RECORD_MODE_ASYNC] = &xen_mode_async,
        [XRW_RECORD_MODE_SYNC] = &xen_mode_sync,
    };
    struct xen_choice choice;
    int rc = xen_choose_mode(&s->xen, &s->target, s->options->mode, &choice, err);

    if (rc)
        return rc;
    notice(s, choice.why);
    s->mode = modes[choice.mode];
    s->has_details = choice.has_details;
    (void)snprintf(run->mode, sizeof run->mode, "%s", xrw_record_mode_names[choice.mode]);
    return 0;
}

static bool wants_memory(const struct xen_source *s)
{
    return s->mode->holds_always || s->options->input_count ||
           (s->options->memory != XRW_RECORD_MEMORY_DEFAULT &&
            s->options->memory != XRW_RECORD_MEMORY_NONE);
}

static bool wants_every_exit(const struct xen_source *s)
{
    return s->options->memory == XRW_RECORD_MEMORY_EXIT ||
           (s->options->memory == XRW_RECORD_MEMORY_DEFAULT && s->mode->holds_always);
}

/* In sync mode Xen does not bring a fork's pages in; and without details the exit does not say
 * which one is missing. */
static bool wants_all_pages(const struct xen_source *s)
{
    return s->mode == &xen_mode_sync && s->target.is_fork && !s->has_details;
}

static int open_memory(struct xen_source *s, struct xrw_error *err)
{
    int rc;

    if (!wants_memory(s))
        return 0;
    rc = xen_memory_init(&s->domains, &s->xen, s->target.domain, s->target.parent);
    if (!rc)
        rc = memory_create(&s->memory, &xen_memory_ops, &s->domains, !wants_every_exit(s));
    if (rc)
        return xrw_error_set(err, rc, "cannot look at the memory of domain %" PRIu32 ": %s",
                             s->target.parent, strerror(-rc));
    if (s->domains.parent_is_fork && s->target.parent == s->target.domain)
        notice(s, "all pages of the fork are brought in from its parent now, to be read\n"
                  "its first reads of them will cause no exits; --parent ID avoids that");
    rc = memory_find(s->memory, err);
    return rc || !wants_all_pages(s) ? rc : xen_memory_bring_in_all(&s->domains, s->memory, err);
}

static int start(void *ctx, struct xrw_run *run, struct xrw_error *err)
{
    struct xen_source *s = ctx;
    int rc;

    tell_left_overs(s);
    rc = xen_target_open(&s->target, &s->xen, s->options, err);
    /* All runs begin where a reset leads to. */
    if (!rc && s->options->runs > 1 && !s->target.made_fork)
        rc = xen_source_reset_fork(s, false, err);
    if (!rc)
        rc = choose_mode(s, run, err);
    if (!rc && s->mode == &xen_mode_sync && s->target.made_fork)
        rc = xen_source_settle(s, err);
    if (!rc)
        rc = xen_monitor_open(&s->monitor, &s->xen, s->target.domain, s->mode->event_mode, err);
    if (!rc)
        rc = open_memory(s, err);
    if (rc)
        return rc;
    (void)snprintf(run->source, sizeof run->source, "xen");
    run->vcpus = s->target.vcpus;
    run->interrupts = s->options->allow_interrupts || !s->target.made_fork;
    run->domain = s->target.domain;
    run->parent = s->options->parent;
    if (s->target.vcpus > 1)
        notice(s, "the guest has several vCPUs, which are stopped a moment after the exit of one\n"
                  "memory as of an exit has what the others wrote until then");
    xen_describe_fitness(&s->xen, s->target.domain,
                         s->mode == &xen_mode_pause && s->target.vcpus == 1, run);
    return 0;
}

static int meta(void *ctx, source_meta set, void *set_ctx, struct xrw_error *err)
{
    struct xen_source *s = ctx;

    return xen_describe_host(&s->xen, set, set_ctx, err);
}

static int base(void *ctx, source_page page, void *page_ctx, struct xrw_error *err)
{
    struct xen_source *s = ctx;

    return memory_base(s->memory, page, page_ctx, err);
}

static bool holds_always(void *ctx)
{
    const struct xen_source *s = ctx;

    return s->mode->holds_always;
}

static int go(void *ctx, struct xrw_error *err)
{
    struct xen_source *s = ctx;

    return xen_target_go(&s->target, err);
}

static uint64_t now_ns(void *ctx)
{
    struct timespec t;

    (void)ctx;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- exits ----------------------------------------------------------- */

/* One that someone else has enabled is not ours to record; it may hold its vCPU. */
static int pass_over(struct xen_source *s, struct xrw_error *err)
{
    return xen_monitor_answer(&s->monitor, s->looked - s->monitor.ring.answered, err);
}

int xen_source_event(struct xen_source *s, unsigned timeout_ms, struct source_exit *out, bool *held,
                     struct xrw_error *err)
{
    const struct ring *ring = &s->monitor.ring;
    int rc;

    out->held = out->final = out->has_fxsave = false;
    for (;;) {
        if (s->looked == ring->consumed) {
            rc = xen_monitor_take(&s->monitor, timeout_ms, err);
            if (rc <= 0)
                return rc;
            s->taken_ns = now_ns(s);
        }
        rc = xen_event_decode(&s->decoder, ring_request(ring, s->looked), ring->layout->request_bytes,
                              &out->exit, held, err);
        s->looked++;
        if (rc < 0)
            return rc;
        if (rc == 1)
            break;
        if ((int32_t)(s->looked - ring->answered) > 0)
            rc = pass_over(s, err);
        if (rc)
            return rc;
    }
    out->time_ns = s->taken_ns;
    if (out->exit.vcpu >= s->target.vcpus)
        return xrw_error_set(err, -EUCLEAN,
                             "an event of vCPU %" PRIu32 ", of a guest that has %" PRIu32,
                             out->exit.vcpu, s->target.vcpus);
    return SOURCE_EXIT;
}

int xen_source_still(struct xen_source *s, struct xrw_error *err)
{
    int rc;

    if (s->target.vcpus == 1 || s->still)
        return 0;
    rc = xen_target_pause(&s->target);
    if (rc)
        return xrw_error_set(err, rc, "cannot pause domain %" PRIu32 ": %s", s->target.domain,
                             strerror(-rc));
    s->still = true;
    return 0;
}

int xen_source_move(struct xen_source *s, struct xrw_error *err)
{
    if (!s->still)
        return 0;
    s->still = false;
    return xen_target_go(&s->target, err);
}

int xen_source_look(struct xen_source *s, const struct xrw_exit *exit, struct xrw_error *err)
{
    int rc;

    if (!s->memory)
        return 0;
    rc = s->behind ? memory_catch_up(s->memory, err) : memory_exit(s->memory, exit, err);
    if (!rc)
        s->behind = false;
    return rc;
}

/* Whether the guest may have ended with this exit, or waits for an interrupt: that shows at once.
 */
static bool may_be_last(const struct xrw_exit *exit)
{
    switch (xrw_exit_basic_reason(exit)) {
    case XRW_VMX_TRIPLE_FAULT:
    case XRW_VMX_HLT:
    case XRW_SVM_SHUTDOWN:
    case XRW_SVM_HLT:
        return true;
    default:
        return xrw_exit_kind(exit) == XRW_KIND_HYPERCALL &&
               (exit->before.value[XRW_REG_rax] & 0xffffffff) == HYPERCALL_SCHED_OP;
    }
}

/* No exit came.  If the guest has ended, one of its vCPUs may be about to send its last one. */
static int look(struct xen_source *s, uint64_t hold_in, struct source_exit *out,
                struct xrw_error *err)
{
    int rc, end = xen_target_look(&s->target, err);

    if (end != SOURCE_ENDED && end != SOURCE_IDLE)
        return end;
    if (end == SOURCE_ENDED)
        (void)xen_target_pause(&s->target); /* until none of them runs */
    rc = s->mode->next(s, 0, hold_in, out, err);
    return rc == SOURCE_TIMEOUT ? end : rc;
}

static int next(void *ctx, unsigned timeout_ms, uint64_t hold_in, struct source_exit *out,
                struct xrw_error *err)
{
    struct xen_source *s = ctx;
    int rc = s->mode->next(s, s->may_have_ended ? 0 : timeout_ms, hold_in, out, err);

    s->may_have_ended = rc == SOURCE_EXIT && may_be_last(&out->exit);
    if (rc == SOURCE_TIMEOUT)
        rc = look(s, hold_in, out, err);
    if (rc >= 0 || rc == -EUCLEAN)
        return rc;
    return xen_target_is_going(&s->target) ? xen_target_look(&s->target, err) : rc;
}

static int catch_up(struct xen_source *s, struct xrw_error *err)
{
    int rc = s->behind ? memory_catch_up(s->memory, err) : 0;

    if (!rc)
        s->behind = false;
    return rc;
}

static int memory(void *ctx, source_page page, void *page_ctx, struct xrw_error *err)
{
    struct xen_source *s = ctx;
    int rc = catch_up(s, err);

    return rc ? rc : memory_changes(s->memory, page, page_ctx, err);
}

static int reached(void *ctx, bool all, source_page page, void *page_ctx, struct xrw_error *err)
{
    struct xen_source *s = ctx;
    int rc = 0;

    if (s->target.parent == s->target.domain)
        return xrw_error_set(err, -EOPNOTSUPP,
                             "what domain %" PRIu32 " reaches is not known, only what a fork does\n"
                             "record a fork (--parent), or leave out --base touched",
                             s->target.domain);
    if (!all)
        rc = catch_up(s, err);
    return rc ? rc : memory_reached(s->memory, all, page, page_ctx, err);
}

static int read_physical(void *ctx, xrw_gpa gpa, void *buf, size_t bytes)
{
    struct xen_source *s = ctx;

    return s->memory ? memory_read(s->memory, gpa, buf, bytes) : -ENODATA;
}

static int read_table(void *ctx, xrw_gpa gpa, void *buf, size_t bytes)
{
    struct xen_source *s = ctx;

    return s->memory ? memory_read_table(s->memory, gpa, buf, bytes) : -ENODATA;
}

static int resume(void *ctx, struct xrw_error *err)
{
    struct xen_source *s = ctx;

    return s->mode->resume(s, err);
}

static int context(void *ctx, const void **data, size_t *bytes, struct xrw_error *err)
{
    struct xen_source *s = ctx;
    int size = xc_domain_hvm_getcontext(s->xen.xch, s->target.domain, NULL, 0);

    if (size > 0) {
        free(s->context);
        s->context = malloc((size_t)size);
        if (!s->context)
            return xrw_error_set(err, -ENOMEM, "out of memory");
        size = xc_domain_hvm_getcontext(s->xen.xch, s->target.domain, s->context, (uint32_t)size);
    }
    if (size <= 0) {
        int error = errno ? errno : EIO;

        if (xen_target_is_going(&s->target))
            return xen_target_look(&s->target, err);
        return xrw_error_set(err, -error, "cannot read the context of domain %" PRIu32 ": %s",
                             s->target.domain, strerror(error));
    }
    *data = s->context;
    *bytes = (size_t)size;
    return 0;
}

static const char *end_text(void *ctx)
{
    const struct xen_source *s = ctx;

    return s->target.end;
}

static uint64_t private_pages(void *ctx)
{
    const struct xen_source *s = ctx;

    return s->memory ? memory_private_pages(s->memory) : 0;
}

static uint32_t domain(void *ctx)
{
    const struct xen_source *s = ctx;

    return s->target.domain;
}

/* ---- stop ------------------------------------------------------------ */

static int stop(void *ctx, struct xrw_error *err)
{
    struct xen_source *s = ctx;

    /* Pages of the fork that are mapped would outlive it. */
    memory_destroy(s->memory);
    s->memory = NULL;
    if (!s->target.domain)
        return 0;
    (void)xen_target_pause(&s->target);
    xen_monitor_close(&s->monitor, &s->xen);
    return xen_target_close(&s->target, err);
}

static int reset(void *ctx, source_page page, void *page_ctx, struct xrw_error *err)
{
    struct xen_source *s = ctx;
    int rc = xen_source_reset(s, page, page_ctx, err);

    return rc || !wants_all_pages(s) ? rc : xen_memory_bring_in_all(&s->domains, s->memory, err);
}

static int write_input(void *ctx, const struct source_write *write, source_page page,
                       void *page_ctx, struct xrw_error *err)
{
    return xen_source_write(ctx, write, page, page_ctx, err);
}

static const struct source_ops xen_ops = {
    .size = sizeof xen_ops,
    .start = start,
    .meta = meta,
    .base = base,
    .reached = reached,
    .holds_always = holds_always,
    .write = write_input,
    .reset = reset,
    .go = go,
    .next = next,
    .memory = memory,
    .read_physical = read_physical,
    .read_table = read_table,
    .resume = resume,
    .context = context,
    .end_text = end_text,
    .private_pages = private_pages,
    .domain = domain,
    .now_ns = now_ns,
    .stop = stop,
};

int xen_source_create(struct source *source, const struct xrw_record_options *options,
                      struct xrw_error *err)
{
    struct xen_source *s = calloc(1, sizeof *s);
    int rc;

    if (!s)
        return xrw_error_set(err, -ENOMEM, "out of memory");
    s->options = options;
    s->monitor.port = -1;
    rc = xen_calls_open(&s->xen, err);
    if (rc) {
        free(s);
        return rc;
    }
    *source = (struct source){&xen_ops, s};
    return 0;
}

void xen_source_destroy(struct source *source)
{
    struct xen_source *s = source->ctx;

    if (!s)
        return;
    xen_calls_close(&s->xen);
    free(s->context);
    free(s);
    *source = (struct source){0};
}
