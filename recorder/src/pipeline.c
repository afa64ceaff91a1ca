/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a source of exits into a recording, until a stop condition holds. */
#define _POSIX_C_SOURCE 200809L
#include "pipeline.h"

#include "hook.h"
#include "xrw/insn.h"
#include "xrw/paging.h"
#include "xrw/store.h"
#include "xrw/vmx.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define POLL_MS 100u       /* how often to look for an interrupt when no exit comes */
#define COMMIT_EXITS 256u  /* a commit at the latest after so many exits ... */
#define COMMIT_SECONDS 1.0 /* ... or so long */
#define PROGRESS_SECONDS 0.5
#define INSN_CACHE 4096u /* a power of two */

struct cached_insn {
    uint64_t id; /* 0: free */
    xrw_gva rip;
    unsigned mode;
    uint8_t code[XRW_INSN_MAX_BYTES];
};

struct pipeline {
    const struct xrw_record_options *options;
    struct source source;
    struct xrw_store *store;
    struct xrw_disassembler *disassembler;
    struct hook hook;
    struct xrw_run run;
    struct xrw_exit exit;
    uint8_t fxsave[XRW_FXSAVE_BYTES], last_fxsave[XRW_FXSAVE_BYTES];
    bool have_fxsave, exit_in_memory;
    double started, last_exit, last_commit, last_progress;
    uint64_t uncommitted;
    struct cached_insn insns[INSN_CACHE];
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t wall_clock_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void stop_because(struct pipeline *p, const char *stop, const char *detail)
{
    (void)snprintf(p->run.stop, sizeof p->run.stop, "%s", stop);
    (void)snprintf(p->run.stop_detail, sizeof p->run.stop_detail, "%s", detail);
}

/* ---- memory ---------------------------------------------------------- */

static int add_page(void *ctx, xrw_gfn gfn, const uint8_t *page, bool forced, struct xrw_error *err)
{
    struct pipeline *p = ctx;
    xrw_exit_id exit = p->exit_in_memory ? p->exit.id : 0;

    /* Between frames it matters that a page was private, as it may have changed and changed back.
     */
    forced = forced && p->run.memory == XRW_MEMORY_FRAMES;
    return xrw_store_add_page(p->store, p->run.id, gfn, exit, page, forced, err);
}

static int take_memory(struct pipeline *p, struct xrw_error *err)
{
    int rc = p->source.ops->memory(p->source.ctx, add_page, p, err);

    if (!rc && p->run.memory == XRW_MEMORY_FRAMES)
        rc = xrw_store_add_memory_frame(p->store, p->run.id, p->exit.id, err);
    return rc;
}

static bool wants_memory(const struct pipeline *p)
{
    switch (p->options->memory) {
    case XRW_RECORD_MEMORY_EXIT:
        return true;
    case XRW_RECORD_MEMORY_EVERY:
        return p->exit.id % p->options->memory_every == 0 || p->run.stop[0];
    case XRW_RECORD_MEMORY_END:
        return p->run.stop[0];
    default:
        return false;
    }
}

/* ---- the instruction at an exit -------------------------------------- */

/* Up to 15 bytes at the exit's RIP; fewer where the next page is not known. */
static size_t fetch(struct pipeline *p, unsigned mode, uint8_t *code)
{
    const struct xrw_registers *regs = &p->exit.before;
    xrw_gva address = regs->value[XRW_REG_rip];
    size_t got = 0;

    if (mode != 64)
        address = (address + regs->value[XRW_REG_cs_base]) & 0xffffffff;
    while (got < XRW_INSN_MAX_BYTES) {
        size_t n = XRW_PAGE_BYTES - (address + got) % XRW_PAGE_BYTES;
        xrw_gpa gpa;

        if (n > XRW_INSN_MAX_BYTES - got)
            n = XRW_INSN_MAX_BYTES - got;
        if (xrw_paging_translate(regs, address + got, p->source.ops->read_physical, p->source.ctx,
                                 &gpa) ||
            p->source.ops->read_physical(p->source.ctx, gpa, code + got, n))
            break;
        got += n;
    }
    return got;
}

static int note_insn(struct pipeline *p, struct xrw_error *err)
{
    const struct xrw_registers *regs = &p->exit.before;
    xrw_gva rip = regs->value[XRW_REG_rip];
    unsigned mode = xrw_insn_mode(regs);
    struct cached_insn *cached = &p->insns[(rip ^ rip >> 12) % INSN_CACHE];
    uint8_t code[XRW_INSN_MAX_BYTES] = {0};
    struct xrw_insn insn;
    size_t bytes;
    int rc;

    xrw_store_set_next_insn(p->store, 0);
    if (!regs->known[XRW_REG_rip] || (bytes = fetch(p, mode, code)) == 0 ||
        xrw_disassemble(p->disassembler, mode, code, bytes, rip, &insn))
        return 0;
    memset(code + insn.length, 0, sizeof code - insn.length);
    if (!cached->id || cached->rip != rip || cached->mode != mode ||
        memcmp(cached->code, code, sizeof code)) {
        rc =
            xrw_store_add_insn(p->store, rip, mode, code, insn.length, insn.text, &cached->id, err);
        if (rc) {
            cached->id = 0;
            return rc;
        }
        cached->rip = rip;
        cached->mode = mode;
        memcpy(cached->code, code, sizeof code);
    }
    xrw_store_set_next_insn(p->store, cached->id);
    return 0;
}

/* ---- stop conditions ------------------------------------------------- */

static bool interrupted(const struct pipeline *p)
{
    return p->options->interrupted && *p->options->interrupted;
}

/* Fill run.stop if recording is to end with this exit. */
static void look_for_stop(struct pipeline *p)
{
    const struct xrw_record_options *o = p->options;
    char detail[128];

    if (o->until_rip && p->exit.before.value[XRW_REG_rip] == o->rip) {
        (void)snprintf(detail, sizeof detail, "RIP %#" PRIx64 " at exit %" PRIu64, o->rip,
                       p->exit.id);
        stop_because(p, "until-rip", detail);
    } else if (o->until_reason >= 0 &&
               xrw_exit_basic_reason(&p->exit) == (unsigned)o->until_reason) {
        const char *name = xrw_vmx_reason_name((unsigned)o->until_reason);

        (void)snprintf(detail, sizeof detail, "%s at exit %" PRIu64, name ? name : "reason",
                       p->exit.id);
        stop_because(p, "until-reason", detail);
    } else if (o->max_exits && p->exit.id >= o->max_exits) {
        stop_because(p, "exits", "as many exits as were asked for");
    } else if (o->max_seconds > 0 && now() - p->started >= o->max_seconds) {
        stop_because(p, "seconds", "as long as was asked for");
    } else if (interrupted(p)) {
        stop_because(p, "interrupted", "interrupted by a signal");
    }
}

/* No exit came for a while. */
static void look_for_idle_stop(struct pipeline *p)
{
    const struct xrw_record_options *o = p->options;

    if (interrupted(p))
        stop_because(p, "interrupted", "interrupted by a signal");
    else if (o->max_seconds > 0 && now() - p->started >= o->max_seconds)
        stop_because(p, "seconds", "as long as was asked for");
    else if (o->idle_seconds > 0 && now() - p->last_exit >= o->idle_seconds)
        stop_because(p, "guest-idle",
                     o->allow_interrupts ? "no exit for a while: the guest waits"
                                         : "no exit for a while: the guest waits for an interrupt, "
                                           "and interrupts are blocked");
}

/* ---- progress -------------------------------------------------------- */

static void measure(struct pipeline *p, struct xrw_record_progress *progress)
{
    progress->exits = p->run.last_exit;
    progress->private_pages = p->source.ops->private_pages(p->source.ctx);
    progress->file_bytes = xrw_store_file_bytes(p->store);
    progress->seconds = now() - p->started;
}

static void show_progress(struct pipeline *p)
{
    struct xrw_record_progress progress;

    if (!p->options->progress || now() - p->last_progress < PROGRESS_SECONDS)
        return;
    p->last_progress = now();
    measure(p, &progress);
    p->options->progress(p->options->ctx, &progress);
}

static int commit_now_and_then(struct pipeline *p, struct xrw_error *err)
{
    if (p->uncommitted < COMMIT_EXITS && now() - p->last_commit < COMMIT_SECONDS)
        return 0;
    p->uncommitted = 0;
    p->last_commit = now();
    return xrw_store_commit(p->store, err);
}

/* ---- one exit -------------------------------------------------------- */

static int add_fxsave(struct pipeline *p, struct xrw_error *err)
{
    if (!p->exit.has_after ||
        (p->have_fxsave && !memcmp(p->fxsave, p->last_fxsave, sizeof p->fxsave)))
        return 0;
    memcpy(p->last_fxsave, p->fxsave, sizeof p->fxsave);
    p->have_fxsave = true;
    return xrw_store_add_context(p->store, p->run.id, p->exit.id, p->exit.vcpu, "fxsave", p->fxsave,
                                 sizeof p->fxsave, err);
}

static int record_exit(struct pipeline *p, struct xrw_error *err)
{
    int rc;

    p->exit.id = p->run.last_exit + 1;
    p->exit.run = p->run.id;
    p->exit_in_memory = true;
    xrw_exit_set(&p->exit, XRW_EXIT_time_ns, (uint64_t)((now() - p->started) * 1e9));
    look_for_stop(p);
    rc = wants_memory(p) ? take_memory(p, err) : 0;
    if (!rc)
        rc = note_insn(p, err);
    if (!rc)
        rc = add_fxsave(p, err);
    if (!rc)
        rc = xrw_store_add_exit(p->store, &p->exit, err);
    if (!rc)
        rc = hook_tell(&p->hook, p->exit.id, p->source.ops->domain(p->source.ctx), err);
    if (rc)
        return rc;
    p->run.last_exit = p->exit.id;
    p->last_exit = now();
    p->uncommitted++;
    return commit_now_and_then(p, err);
}

static int record_exits(struct pipeline *p, struct xrw_error *err)
{
    while (!p->run.stop[0]) {
        int rc = p->source.ops->next(p->source.ctx, POLL_MS, &p->exit, p->fxsave, err);

        if (rc == SOURCE_ENDED) {
            stop_because(p, "guest-end", p->source.ops->end_text(p->source.ctx));
            rc = 0;
        } else if (rc == SOURCE_EXIT) {
            rc = record_exit(p, err);
            if (!rc && !p->run.stop[0])
                rc = p->source.ops->resume(p->source.ctx, err);
        } else if (rc == SOURCE_TIMEOUT) {
            look_for_idle_stop(p);
        }
        if (rc)
            return rc;
        show_progress(p);
    }
    return 0;
}

/* ---- the whole ------------------------------------------------------- */

static int add_whole_context(struct pipeline *p, xrw_exit_id exit, struct xrw_error *err)
{
    const void *data;
    size_t bytes;
    int rc = p->source.ops->context(p->source.ctx, &data, &bytes, err);

    return rc ? rc : xrw_store_add_context(p->store, p->run.id, exit, 0, "hvm", data, bytes, err);
}

static int set_one_meta(void *ctx, const char *key, const char *value, struct xrw_error *err)
{
    struct pipeline *p = ctx;

    return xrw_store_set_meta(p->store, key, value, err);
}

static int set_meta(struct pipeline *p, struct xrw_error *err)
{
    const struct {
        const char *key, *value;
    } texts[] = {
        {"program", "xenrewind " XENREWIND_VERSION},
        {"command_line", p->options->command_line},
        {"symbol_file", p->options->symbol_file},
        {"guest_name", p->options->guest_name},
    };
    int rc = 0;

    for (size_t i = 0; i < sizeof texts / sizeof *texts && !rc; i++)
        if (texts[i].value)
            rc = xrw_store_set_meta(p->store, texts[i].key, texts[i].value, err);
    if (!rc)
        rc = p->source.ops->meta(p->source.ctx, set_one_meta, p, err);
    return rc;
}

static int begin(struct pipeline *p, struct xrw_error *err)
{
    static const enum xrw_memory_policy policies[] = {
        [XRW_RECORD_MEMORY_EXIT] = XRW_MEMORY_EXIT,
        [XRW_RECORD_MEMORY_EVERY] = XRW_MEMORY_FRAMES,
        [XRW_RECORD_MEMORY_END] = XRW_MEMORY_FRAMES,
        [XRW_RECORD_MEMORY_NONE] = XRW_MEMORY_NONE,
    };
    int rc;

    p->run.id = 1;
    p->run.memory = policies[p->options->memory];
    p->run.first_exit = 1;
    p->run.start_unix_ns = wall_clock_ns();
    rc = p->source.ops->start(p->source.ctx, &p->run, err);
    if (!rc)
        rc = xrw_store_create(&p->store, p->options->path, err);
    if (!rc)
        rc = set_meta(p, err);
    if (!rc)
        rc = xrw_store_begin_run(p->store, &p->run, err);
    if (!rc)
        rc = add_whole_context(p, 0, err);
    if (!rc)
        rc = p->source.ops->base(p->source.ctx, add_page, p, err);
    if (!rc)
        rc = xrw_store_commit(p->store, err);
    return rc;
}

static int end(struct pipeline *p, struct xrw_error *err)
{
    int rc = p->run.last_exit ? add_whole_context(p, p->run.last_exit, err) : 0;

    p->run.end_unix_ns = wall_clock_ns();
    if (!rc)
        rc = xrw_store_end_run(p->store, &p->run, err);
    if (!rc)
        rc = xrw_store_set_meta(p->store, "closed", "1", err);
    return rc;
}

/* Keep the first error: later ones follow from it. */
static int keep_first(int first, int second)
{
    return first ? first : second;
}

static int run(struct pipeline *p, struct xrw_record_result *result, struct xrw_error *err)
{
    int rc = begin(p, err);

    p->started = p->last_exit = p->last_commit = p->last_progress = now();
    if (!rc && p->options->each_exit)
        rc = hook_start(&p->hook, p->options->each_exit, err);
    if (!rc)
        rc = p->source.ops->go(p->source.ctx, err);
    if (!rc)
        rc = record_exits(p, err);
    if (!rc)
        rc = end(p, err);
    rc = keep_first(rc, hook_stop(&p->hook, rc ? NULL : err));
    if (p->store)
        measure(p, &result->progress);
    rc = keep_first(rc, p->source.ops->stop(p->source.ctx, rc ? NULL : err));
    rc = keep_first(rc, xrw_store_close(p->store, rc ? NULL : err));
    (void)snprintf(result->stop, sizeof result->stop, "%s", p->run.stop);
    (void)snprintf(result->stop_detail, sizeof result->stop_detail, "%s", p->run.stop_detail);
    return rc;
}

/* Before anything is touched: may the file be made? */
static int check_path(const struct xrw_record_options *options, struct xrw_error *err)
{
    if (access(options->path, F_OK))
        return 0;
    if (!options->overwrite)
        return xrw_error_set(
            err, -EEXIST, "%s exists already\nchoose another name, or give --force", options->path);
    if (unlink(options->path))
        return xrw_error_set(err, -errno, "cannot replace %s: %s", options->path, strerror(errno));
    return 0;
}

int pipeline_record(const struct source *source, const struct xrw_record_options *options,
                    struct xrw_record_result *result, struct xrw_error *err)
{
    struct pipeline *p;
    int rc = check_path(options, err);

    if (rc)
        return rc;
    p = calloc(1, sizeof *p);
    if (!p)
        return xrw_error_set(err, -ENOMEM, "out of memory");
    p->options = options;
    p->source = *source;
    *result = (struct xrw_record_result){0};
    rc = xrw_disassembler_create(&p->disassembler);
    if (rc)
        (void)xrw_error_set(err, rc, "out of memory");
    else
        rc = run(p, result, err);
    xrw_disassembler_destroy(p->disassembler);
    free(p);
    return rc;
}
