/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All gaps of a recording, on several threads: each takes a stretch of neighbouring gaps at a time.
 */
#include "xrw/verify.h"

#include "gap.h"

#include "xrw/gaps.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 64u
#define STRETCH_GAPS 256u
#define TRIAL_GAPS 200u /* by which the profile is chosen */
#define LOOK_MS 100

const char *const xrw_gap_verdict_names[XRW_GAP_VERDICTS] = {
    [XRW_GAP_UNTRIED] = "untried", [XRW_GAP_EXACT] = "exact",       [XRW_GAP_FLAGS] = "flags",
    [XRW_GAP_ARRIVED] = "arrived", [XRW_GAP_DIVERGED] = "diverged", [XRW_GAP_UNKNOWN] = "unknown",
};

const char *const xrw_gap_cause_names[XRW_GAP_CAUSES] = {
    [XRW_CAUSE_NONE] = "none",
    [XRW_CAUSE_UNDEFINED_FLAGS] = "undefined flags",
    [XRW_CAUSE_TIME] = "unintercepted RDTSC or RDRAND",
    [XRW_CAUSE_HYPERVISOR] = "hypervisor wrote memory",
    [XRW_CAUSE_CPU_MODEL] = "CPU model",
    [XRW_CAUSE_STATE] = "state not recorded",
    [XRW_CAUSE_NOT_HANDLED] = "not handled by the engine",
    [XRW_CAUSE_OTHER_VCPU] = "another vCPU",
    [XRW_CAUSE_NOT_KNOWN] = "unknown",
};

static const char *const profile_names[] = {
    [XRW_PROFILE_HOST] = "host", [XRW_PROFILE_BOCHS] = "bochs"};

/* A stretch of gaps of one run, both ends inclusive. */
struct stretch {
    uint64_t run;
    xrw_exit_id first, last;
};

struct verify {
    const struct xrw_verify_options *options;
    struct stretch *stretches;
    size_t stretch_count;
    xrw_exit_id first; /* gaps[0] */
    struct xrw_gap *gaps;
    uint64_t gap_count;
    enum xrw_machine_profile profile;
    volatile int stop; /* the workers are to end */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t next; /* stretch to be taken */
    unsigned working;
    uint64_t done, instructions;
    int rc; /* the first error */
    struct xrw_error err;
};

static double now_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- what is to be done ------------------------------------------------------------- */

static int add_stretch(struct verify *v, const struct stretch *stretch)
{
    struct stretch *more = realloc(v->stretches, (v->stretch_count + 1) * sizeof *v->stretches);

    if (!more)
        return -ENOMEM;
    v->stretches = more;
    v->stretches[v->stretch_count++] = *stretch;
    return 0;
}

/* Gaps of a run that were asked for; the last exit begins none. */
static int add_run(struct verify *v, const struct xrw_run *run)
{
    const struct xrw_verify_options *o = v->options;
    xrw_exit_id first = run->first_exit, end = run->last_exit; /* exclusive */
    int rc = 0;

    if (o->first > first)
        first = o->first;
    if (o->last && o->last + 1 < end)
        end = o->last + 1;
    for (; first < end && !rc; first += STRETCH_GAPS) {
        xrw_exit_id last = first + STRETCH_GAPS - 1;

        rc = add_stretch(v, &(struct stretch){run->id, first, last < end ? last : end - 1});
    }
    return rc;
}

static int plan(struct verify *v, struct xrw_store *store, struct xrw_error *err)
{
    uint64_t runs = xrw_store_run_count(store);
    struct xrw_run run;
    int rc = 0;

    if (v->options->run > runs)
        return xrw_error_set(err, -ENOENT,
                             "there is no run %" PRIu64 " (the recording has %" PRIu64 ")",
                             v->options->run, runs);
    for (uint64_t id = 1; id <= runs && !rc; id++) {
        if (v->options->run && id != v->options->run)
            continue;
        rc = xrw_store_run(store, id, &run, err);
        if (!rc)
            rc = add_run(v, &run);
    }
    if (rc)
        return rc;
    if (!v->stretch_count)
        return xrw_error_set(err, -ENODATA, "there are no two exits to go from one to the next");
    v->first = v->stretches[0].first;
    v->gap_count = v->stretches[v->stretch_count - 1].last - v->first + 1;
    v->gaps = calloc(v->gap_count, sizeof *v->gaps);
    return v->gaps
               ? 0
               : xrw_error_set(err, -ENOMEM, "out of memory for %" PRIu64 " gaps", v->gap_count);
}

/* ---- workers ---------------------------------------------------------------------------- */

struct worker {
    struct verify *v;
    struct xrw_store *store;
    struct gap_engine *engine;
    uint64_t run; /* the engine's */
};

static bool take_stretch(struct verify *v, struct stretch *stretch)
{
    bool any;

    (void)pthread_mutex_lock(&v->lock);
    any = !v->stop && !v->rc && v->next < v->stretch_count;
    if (any)
        *stretch = v->stretches[v->next++];
    (void)pthread_mutex_unlock(&v->lock);
    return any;
}

static void tell(struct verify *v, uint64_t instructions)
{
    (void)pthread_mutex_lock(&v->lock);
    v->done++;
    v->instructions += instructions;
    (void)pthread_mutex_unlock(&v->lock);
}

static int engine_of_run(struct worker *w, uint64_t id, struct xrw_error *err)
{
    struct xrw_run run;
    int rc;

    if (w->engine && w->run == id)
        return 0;
    gap_engine_destroy(w->engine);
    w->engine = NULL;
    rc = xrw_store_run(w->store, id, &run, err);
    if (!rc)
        rc = gap_engine_create(w->store, &run, w->v->profile, &w->engine, err);
    w->run = id;
    return rc;
}

static int do_stretch(struct worker *w, const struct stretch *stretch, struct xrw_error *err)
{
    struct verify *v = w->v;
    int rc = engine_of_run(w, stretch->run, err);

    for (xrw_exit_id n = stretch->first; n <= stretch->last && !rc; n++) {
        struct xrw_gap *gap = &v->gaps[n - v->first];

        rc = v->stop ? -EINTR : gap_verify(w->engine, n, &v->stop, gap, err);
        if (!rc)
            tell(v, gap->instructions);
        else
            *gap = (struct xrw_gap){.exit = n};
    }
    return rc;
}

static void finish(struct verify *v, int rc, const struct xrw_error *err)
{
    (void)pthread_mutex_lock(&v->lock);
    if (rc && !v->rc) {
        v->rc = rc;
        v->err = *err;
        v->stop = 1;
    }
    v->working--;
    (void)pthread_cond_signal(&v->changed);
    (void)pthread_mutex_unlock(&v->lock);
}

static void *work(void *ctx)
{
    struct worker w = {.v = ctx};
    struct xrw_error err = {""};
    struct stretch stretch;
    int rc = xrw_store_open(&w.store, w.v->options->path, &err);

    while (!rc && take_stretch(w.v, &stretch))
        rc = do_stretch(&w, &stretch, &err);
    gap_engine_destroy(w.engine);
    if (w.store)
        (void)xrw_store_close(w.store, NULL);
    finish(w.v, rc == -EINTR ? 0 : rc, &err);
    return NULL;
}

static unsigned thread_count(const struct verify *v)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t threads =
        v->options->threads ? v->options->threads : (processors > 0 ? (size_t)processors : 1);

    if (threads > v->stretch_count)
        threads = v->stretch_count;
    return (unsigned)(threads < THREADS_MAX ? threads : THREADS_MAX);
}

/* With the lock held. */
static void show_progress(struct verify *v, double started)
{
    const struct xrw_verify_progress progress = {.gaps = v->gap_count,
                                                 .done = v->done,
                                                 .instructions = v->instructions,
                                                 .seconds = now_s() - started};

    if (v->options->progress)
        v->options->progress(v->options->ctx, &progress);
}

/* Until all workers have ended. */
static void wait_for_workers(struct verify *v, double started)
{
    (void)pthread_mutex_lock(&v->lock);
    while (v->working) {
        struct timespec until;

        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += LOOK_MS * 1000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        (void)pthread_cond_timedwait(&v->changed, &v->lock, &until);
        if (v->options->interrupted && *v->options->interrupted)
            v->stop = 1;
        show_progress(v, started);
    }
    (void)pthread_mutex_unlock(&v->lock);
}

static int run_workers(struct verify *v, double started, struct xrw_error *err)
{
    pthread_t threads[THREADS_MAX];
    unsigned wanted = thread_count(v), made = 0;

    v->working = wanted;
    while (made < wanted && !pthread_create(&threads[made], NULL, work, v))
        made++;
    (void)pthread_mutex_lock(&v->lock);
    v->working -= wanted - made;
    (void)pthread_mutex_unlock(&v->lock);
    wait_for_workers(v, started);
    for (unsigned i = 0; i < made; i++)
        (void)pthread_join(threads[i], NULL);
    if (!made)
        return xrw_error_set(err, -EAGAIN, "no thread can be started");
    return v->rc ? xrw_error_set(err, v->rc, "%s", v->err.text) : 0;
}

/* ---- profile -------------------------------------------------------------------------------- */

/* How many of the first gaps are not exact under a profile. */
static int try_profile(struct verify *v, struct xrw_store *store, enum xrw_machine_profile profile,
                       uint64_t *inexact, struct xrw_error *err)
{
    struct gap_engine *engine;
    struct xrw_run run;
    struct xrw_gap gap;
    xrw_exit_id end = v->stretches[0].first + TRIAL_GAPS;
    int rc = xrw_store_run(store, v->stretches[0].run, &run, err);

    if (!rc)
        rc = gap_engine_create(store, &run, profile, &engine, err);
    if (rc)
        return rc;
    *inexact = 0;
    for (xrw_exit_id n = v->stretches[0].first; n < run.last_exit && n < end && !rc; n++) {
        rc = gap_verify(engine, n, v->options->interrupted, &gap, err);
        *inexact += gap.verdict != XRW_GAP_EXACT;
    }
    gap_engine_destroy(engine);
    return rc;
}

/* Undefined results depend on the CPU that was recorded: take the profile that explains most. */
static int choose_profile(struct verify *v, struct xrw_store *store, struct xrw_error *err)
{
    uint64_t fewest = UINT64_MAX, inexact;

    for (int p = XRW_PROFILE_HOST; p <= XRW_PROFILE_BOCHS; p++) {
        int rc = try_profile(v, store, (enum xrw_machine_profile)p, &inexact, err);

        if (rc)
            return rc;
        if (inexact < fewest) {
            fewest = inexact;
            v->profile = (enum xrw_machine_profile)p;
        }
    }
    return 0;
}

/* ---- result -----------------------------------------------------------------------------------
 */

static void sum_up(const struct verify *v, double started, struct xrw_verify_result *result)
{
    *result = (struct xrw_verify_result){.gaps = v->gap_count,
                                         .instructions = v->instructions,
                                         .seconds = now_s() - started,
                                         .profile = profile_names[v->profile]};
    for (uint64_t i = 0; i < v->gap_count; i++) {
        const struct xrw_gap *gap = &v->gaps[i];

        result->verdicts[gap->verdict]++;
        result->hypervisor_wrote += gap->foreign_pages != 0;
        if (gap->verdict != XRW_GAP_EXACT && gap->verdict != XRW_GAP_UNTRIED)
            result->causes[gap->cause]++;
        if (v->options->gap && gap->exit)
            v->options->gap(v->options->ctx, gap);
    }
}

struct rows {
    const struct verify *v;
    uint64_t next;
};

static int next_row(void *ctx, struct xrw_gap_row *row)
{
    struct rows *rows = ctx;
    const struct xrw_gap *gap;

    while (rows->next < rows->v->gap_count && !rows->v->gaps[rows->next].exit)
        rows->next++;
    if (rows->next == rows->v->gap_count)
        return 0;
    gap = &rows->v->gaps[rows->next++];
    *row = (struct xrw_gap_row){.exit = gap->exit,
                                .instructions = gap->instructions,
                                .verdict = xrw_gap_verdict_names[gap->verdict],
                                .cause = xrw_gap_cause_names[gap->cause],
                                .detail = gap->detail};
    return 1;
}

static int verify(struct verify *v, struct xrw_store *store, struct xrw_verify_result *result,
                  struct xrw_error *err)
{
    double started = now_s();
    struct rows rows = {.v = v};
    int rc = plan(v, store, err);

    if (!rc)
        rc = choose_profile(v, store, err);
    if (!rc)
        rc = run_workers(v, started, err);
    if (rc)
        return rc;
    sum_up(v, started, result);
    if (v->options->gaps_path)
        rc = xrw_gaps_write(v->options->gaps_path, store, next_row, &rows, err);
    if (!rc && v->options->interrupted && *v->options->interrupted)
        rc = xrw_error_set(err, -EINTR, "interrupted");
    return rc;
}

int xrw_verify(const struct xrw_verify_options *options, struct xrw_verify_result *result,
               struct xrw_error *err)
{
    struct verify v = {.options = options};
    struct xrw_store *store;
    int rc = xrw_store_open(&store, options->path, err);

    if (rc)
        return rc;
    (void)pthread_mutex_init(&v.lock, NULL);
    (void)pthread_cond_init(&v.changed, NULL);
    rc = verify(&v, store, result, err);
    (void)pthread_cond_destroy(&v.changed);
    (void)pthread_mutex_destroy(&v.lock);
    (void)xrw_store_close(store, NULL);
    free(v.stretches);
    free(v.gaps);
    return rc;
}
