/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a source of exits into a recording, until a stop condition holds. */
#define _POSIX_C_SOURCE 200809L
#include "pipeline_private.h"

#include "host_cpu.h"
#include "input.h"
#include "recording_file.h"
#include "stop.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FIRST_POLL_MS 16u     /* how soon to look whether the guest is still there ... */
#define POLL_MS 100u          /* ... and how often at last, when no exit comes */
#define COMMIT_NS 1000000000u /* a commit at the latest after so long without an exit */
#define PROGRESS_NS 1000000000u
#define LAST_EXIT_NS 1000000000u /* so long an exit is waited for to end at */

uint64_t pipeline_now_ns(const struct pipeline *p)
{
    return p->source.ops->now_ns(p->source.ctx);
}

static uint64_t wall_clock_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void pipeline_notice(const struct pipeline *p, const char *text)
{
    if (p->options->notice)
        p->options->notice(p->options->ctx, text);
}

/* ---- progress -------------------------------------------------------- */

static void measure(const struct pipeline *p, struct xrw_record_progress *progress)
{
    progress->base_pages = p->base_pages;
    progress->runs = p->run.id;
    progress->exits = p->run.last_exit;
    progress->private_pages = p->source.ops->private_pages(p->source.ctx);
    progress->file_bytes = xrw_store_file_bytes(p->store);
    progress->seconds = (double)(pipeline_now_ns(p) - p->begun_ns) / 1e9;
}

void pipeline_show_progress(struct pipeline *p, uint64_t now)
{
    struct xrw_record_progress progress;

    if (!p->options->progress || now - p->last_progress_ns < PROGRESS_NS)
        return;
    p->last_progress_ns = now;
    measure(p, &progress);
    p->options->progress(p->options->ctx, &progress);
}

/* ---- one exit -------------------------------------------------------- */

static int add_fxsave(struct pipeline *p, struct xrw_error *err)
{
    if (!p->at.has_fxsave || (p->have_fxsave && p->fxsave_vcpu == p->at.exit.vcpu &&
                              !memcmp(p->at.fxsave, p->last_fxsave, sizeof p->last_fxsave)))
        return 0;
    memcpy(p->last_fxsave, p->at.fxsave, sizeof p->last_fxsave);
    p->fxsave_vcpu = p->at.exit.vcpu;
    p->have_fxsave = true;
    return xrw_store_add_context(p->store, p->run.id, p->at.exit.id, p->at.exit.vcpu, "fxsave",
                                 p->at.fxsave, sizeof p->at.fxsave, err);
}

/* The store commits by itself while exits come. */
static int commit_when_idle(struct pipeline *p, struct xrw_error *err)
{
    if (!p->uncommitted || p->seen_ns - p->last_exit_ns < COMMIT_NS)
        return 0;
    p->uncommitted = 0;
    return xrw_store_commit(p->store, err);
}

static int tell_hook(struct pipeline *p, struct xrw_error *err)
{
    int rc;

    if (!p->at.held)
        return 0;
    rc = hook_tell(&p->hook, p->at.exit.id, p->source.ops->domain(p->source.ctx),
                   p->options->interrupted, err);
    if (rc != -EINTR)
        return rc;
    stop_because(&p->run, "interrupted", "interrupted by a signal");
    return 0;
}

/* A stop that came before this exit holds: it is recorded only to end where memory can be taken. */
static void look_for_stop(struct pipeline *p, const struct xrw_exit *exit)
{
    if (!p->run.stop[0])
        stop_at_exit(&p->run, p->options, exit, p->last_exit_ns - p->started_ns);
    if (!p->run.stop[0] && p->at.final)
        stop_because(&p->run, "one-exit", "sync mode ends at the first exit that Xen would handle");
}

static int record_exit(struct pipeline *p, struct xrw_error *err)
{
    struct xrw_exit *exit = &p->at.exit;
    int rc;

    p->last_exit_ns = p->seen_ns = p->at.time_ns;
    exit->id = p->run.last_exit + 1;
    exit->run = p->run.id;
    p->quiet = p->at.held;
    p->unheld += !p->at.held;
    xrw_exit_set(exit, XRW_EXIT_time_ns, p->last_exit_ns - p->started_ns);
    look_for_stop(p, exit);
    rc = p->at.held ? sites_note(p->sites, &p->source, p->store, exit, err) : 0;
    if (!rc && pipeline_wants_memory(p))
        rc = pipeline_take_memory(p, err);
    if (!rc)
        rc = add_fxsave(p, err);
    if (!rc)
        rc = xrw_store_add_exit(p->store, exit, err);
    if (rc)
        return rc;
    p->run.last_exit = exit->id;
    p->uncommitted++;
    return tell_hook(p, err);
}

/* Whether to end: not before memory was taken that is wanted at the end, if the guest comes to an
 * exit at which it can be. */
static bool is_done(const struct pipeline *p)
{
    return p->run.stop[0] && (p->holds_always || p->run.memory != XRW_MEMORY_FRAMES ||
                              p->in_frame == p->run.last_exit);
}

static int take_outcome(struct pipeline *p, int outcome, struct xrw_error *err)
{
    switch (outcome) {
    case SOURCE_EXIT:
        return record_exit(p, err);
    case SOURCE_ENDED:
        p->quiet = true;
        if (!p->run.stop[0])
            stop_because(&p->run, "guest-end", p->source.ops->end_text(p->source.ctx));
        p->given_up = true;
        return 0;
    default:
        p->seen_ns = pipeline_now_ns(p);
        p->quiet = outcome == SOURCE_IDLE;
        if (!p->run.stop[0])
            stop_without_exit(&p->run, p->options, p->quiet, p->seen_ns - p->started_ns,
                              p->seen_ns - p->last_exit_ns);
        p->given_up = p->run.stop[0] && (p->quiet || p->seen_ns - p->last_exit_ns >= LAST_EXIT_NS);
        return 0;
    }
}

/* Exits come quickly or not for long.  A timer that is due soon costs as much as an exit: where
 * runs are many, and each ends so, it is worth that. */
static unsigned first_poll_ms(const struct pipeline *p)
{
    return p->options->runs > 1 ? 1 : FIRST_POLL_MS;
}

static int record_exits(struct pipeline *p, struct xrw_error *err)
{
    int rc = 0;

    p->poll_ms = first_poll_ms(p);
    while (!rc) {
        int outcome =
            p->source.ops->next(p->source.ctx, p->poll_ms, pipeline_hold_in(p), &p->at, err);

        p->poll_ms = outcome == SOURCE_EXIT     ? first_poll_ms(p)
                     : 2 * p->poll_ms < POLL_MS ? 2 * p->poll_ms
                                                : POLL_MS;
        rc = outcome < 0 ? outcome : take_outcome(p, outcome, err);
        if (rc || is_done(p) || p->given_up)
            break;
        rc = outcome == SOURCE_EXIT ? p->source.ops->resume(p->source.ctx, err)
                                    : commit_when_idle(p, err);
        pipeline_show_progress(p, p->seen_ns);
    }
    return rc ? rc : pipeline_take_last_memory(p, err);
}

/* ---- begin and end --------------------------------------------------- */

/* Begin the next run: the first exit is the next one of the recording. */
static int begin_run(struct pipeline *p, struct xrw_error *err)
{
    int rc;

    p->run.id++;
    p->run.base_run = p->base_run;
    p->run.first_exit = p->run.last_exit + 1;
    p->run.start_unix_ns = wall_clock_ns();
    p->run.end_unix_ns = 0;
    p->run.stop[0] = p->run.stop_detail[0] = '\0';
    p->running = p->quiet = p->given_up = p->have_fxsave = false;
    p->in_frame = p->run.last_exit;
    rc = xrw_store_begin_run(p->store, &p->run, err);
    p->begun = !rc;
    return rc;
}

/* Rows can be made later: of what has nothing but exits, and is to outlive no more than a kill. */
static bool rows_can_wait(const struct pipeline *p)
{
    return p->memory == XRW_RECORD_MEMORY_NONE && p->options->runs <= 1 &&
           !p->options->input_count && !p->options->durable;
}

static int make_rows_later(struct pipeline *p, struct xrw_error *err)
{
    int rc = xrw_store_make_rows_later(p->store, 0, err);

    p->rows_later = !rc;
    return rc;
}

static int choose_rows(struct pipeline *p, struct xrw_error *err)
{
    struct xrw_error why;

    if (p->options->rows == XRW_RECORD_ROWS_LATER && !rows_can_wait(p))
        return xrw_error_set(err, -EINVAL,
                             "rows can be made later of a single run without memory and inputs, "
                             "that need not be durable\n"
                             "give --memory none, or leave out --rows later");
    if (p->options->rows == XRW_RECORD_ROWS_LATER)
        return make_rows_later(p, err);
    if (p->options->rows == XRW_RECORD_ROWS_NOW || !rows_can_wait(p) ||
        p->options->machine.kernel || host_cpu_count() != 1)
        return 0;
    if (make_rows_later(p, &why))
        pipeline_notice(p, why.text);
    else
        pipeline_notice(p, "this host has one processor, which is the guest's while it is "
                           "recorded: rows are made afterwards");
    return 0;
}

static int begin(struct pipeline *p, struct xrw_error *err)
{
    int rc;

    p->begun_ns = p->last_progress_ns = pipeline_now_ns(p);
    /* If more than one run begins with it, or none as it is. */
    p->base_run = p->options->runs > 1 || p->options->input_count ? 0 : 1;
    rc = p->source.ops->start(p->source.ctx, &p->run, err);
    if (!rc)
        pipeline_choose_memory(p);
    if (!rc)
        rc = recording_create(p->options, &p->source, &p->store, err);
    if (!rc)
        rc = choose_rows(p, err);
    if (!rc)
        rc = begin_run(p, err);
    if (!rc)
        rc = pipeline_add_context(p, 0, err);
    if (!rc)
        rc = pipeline_take_base(p, err);
    if (!rc && p->options->each_exit)
        rc = hook_start(&p->hook, p->options->each_exit, err);
    if (!rc)
        rc = xrw_store_commit(p->store, err);
    p->begun_ns = p->last_progress_ns = pipeline_now_ns(p);
    return rc;
}

/* The guest is as it was before the first run again. */
static int begin_again(struct pipeline *p, struct xrw_error *err)
{
    int rc = begin_run(p, err);

    return rc ? rc : p->source.ops->reset(p->source.ctx, pipeline_add_page, p, err);
}

static int end(struct pipeline *p, struct xrw_error *err)
{
    p->run.end_unix_ns = wall_clock_ns();
    return xrw_store_end_run(p->store, &p->run, err);
}

/* What can be said of a run that failed; the store may be what failed, and refuse. */
static void end_failed(struct pipeline *p, const char *why)
{
    char line[sizeof p->run.stop_detail];

    (void)snprintf(line, sizeof line, "%.*s", (int)strcspn(why, "\n"), why);
    stop_because(&p->run, "error", line);
    if (p->begun)
        (void)end(p, NULL);
}

/* Of several runs the end is not kept whole: it would be most of the file. */
static bool wants_last_context(const struct pipeline *p)
{
    return p->options->runs <= 1 && pipeline_exits(p) && p->quiet &&
           (p->holds_always || p->in_frame != p->run.last_exit);
}

/* From where the guest stands now to the end of the run. */
static int record_run(struct pipeline *p, struct xrw_error *err)
{
    int rc = input_write(p->options, p->run.id, &p->source, p->store, pipeline_add_page, p, err);

    p->started_ns = p->last_exit_ns = p->in_frame_ns = p->seen_ns = pipeline_now_ns(p);
    p->running = true;
    if (!rc)
        rc = p->source.ops->go(p->source.ctx, err);
    if (!rc)
        rc = record_exits(p, err);
    if (!rc)
        rc = pipeline_take_reached(p, true, err);
    if (!rc && wants_last_context(p))
        rc = pipeline_add_context(p, p->run.last_exit, err);
    return rc ? rc : end(p, err);
}

static int record(struct pipeline *p, struct xrw_error *err)
{
    int rc = begin(p, err);

    if (!rc)
        rc = record_run(p, err);
    while (!rc && p->run.id < p->options->runs && !stop_interrupted(p->options)) {
        rc = begin_again(p, err);
        if (!rc)
            rc = record_run(p, err);
    }
    return rc || p->rows_later ? rc : xrw_store_commit(p->store, err);
}

/* The guest is through, and its parent goes on. */
static int make_rows(struct pipeline *p, struct xrw_record_result *result, struct xrw_error *err)
{
    uint64_t began_ns = pipeline_now_ns(p);
    char text[96];
    int rc;

    if (p->options->progress) {
        (void)snprintf(text, sizeof text, "making rows of the last of %" PRIu64 " exits",
                       p->run.last_exit);
        pipeline_notice(p, text);
    }
    rc = xrw_store_commit(p->store, err);
    result->rows_seconds = (double)(pipeline_now_ns(p) - began_ns) / 1e9;
    result->progress.file_bytes = xrw_store_file_bytes(p->store);
    return rc;
}

/* Keep the first error: later ones follow from it. */
static int keep_first(int first, int second)
{
    return first ? first : second;
}

static void tell_unheld(const struct pipeline *p)
{
    char text[160];

    if (!p->unheld || !p->holds_always)
        return;
    (void)snprintf(text, sizeof text,
                   "%" PRIu64 " exits could not be held (code in real mode that is emulated): "
                   "the state after them and their memory are not known",
                   p->unheld);
    pipeline_notice(p, text);
}

static int run(struct pipeline *p, struct xrw_record_result *result, struct xrw_error *err)
{
    struct xrw_error local = {""};
    int rc = record(p, &local);

    if (rc)
        end_failed(p, local.text);
    if (p->store)
        measure(p, &result->progress);
    rc = keep_first(rc, p->source.ops->stop(p->source.ctx, rc ? NULL : &local));
    /* After the fork is gone: the command may take its time. */
    rc = keep_first(rc, hook_stop(&p->hook, rc ? NULL : &local));
    if (!rc && p->rows_later)
        rc = make_rows(p, result, &local);
    if (!rc && p->options->finish)
        rc = p->options->finish(p->options->ctx, p->store, &local);
    rc = keep_first(rc, xrw_store_close(p->store, rc ? NULL : &local));
    if (rc && p->store && !p->run.last_exit)
        (void)recording_remove(p->options->path);
    tell_unheld(p);
    (void)snprintf(result->stop, sizeof result->stop, "%s", p->run.stop);
    (void)snprintf(result->stop_detail, sizeof result->stop_detail, "%s", p->run.stop_detail);
    return rc ? xrw_error_set(err, rc, "%s", local.text) : 0;
}

int pipeline_record(const struct source *source, const struct xrw_record_options *options,
                    struct xrw_record_result *result, struct xrw_error *err)
{
    struct pipeline *p;
    int rc = recording_check_path(options, err);

    if (!rc)
        rc = input_check(options, err);
    if (!rc && options->base_touched && !source->ops->reached)
        rc = xrw_error_set(err, -EOPNOTSUPP,
                           "what this guest reaches of its memory is not known: leave out --base");
    if (!rc && options->runs > 1 && !source->ops->reset)
        rc = xrw_error_set(err, -EOPNOTSUPP, "this guest cannot be reset: record a single run");
    if (rc)
        return rc;
    p = calloc(1, sizeof *p);
    if (!p || sites_create(&p->sites)) {
        free(p);
        return xrw_error_set(err, -ENOMEM, "out of memory");
    }
    p->options = options;
    p->source = *source;
    *result = (struct xrw_record_result){0};
    rc = run(p, result, err);
    sites_destroy(p->sites);
    free(p);
    return rc;
}
