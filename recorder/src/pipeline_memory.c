/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When the guest's memory is taken, and as of which exit. */
#include "pipeline_private.h"
#include "stop.h"

#include <errno.h>

void pipeline_choose_memory(struct pipeline *p)
{
    static const enum xrw_memory_policy policies[] = {
        [XRW_RECORD_MEMORY_EXIT] = XRW_MEMORY_EXIT,  [XRW_RECORD_MEMORY_EVERY] = XRW_MEMORY_FRAMES,
        [XRW_RECORD_MEMORY_END] = XRW_MEMORY_FRAMES, [XRW_RECORD_MEMORY_START] = XRW_MEMORY_NONE,
        [XRW_RECORD_MEMORY_NONE] = XRW_MEMORY_NONE,
    };

    p->holds_always = p->source.ops->holds_always(p->source.ctx);
    p->memory = p->options->memory;
    if (p->memory == XRW_RECORD_MEMORY_DEFAULT)
        p->memory = p->holds_always ? XRW_RECORD_MEMORY_EXIT : XRW_RECORD_MEMORY_NONE;
    p->run.memory = policies[p->memory];
    /* It is held nearly always when asked to be: exact where it was. */
    if (!p->holds_always && p->run.memory == XRW_MEMORY_EXIT)
        p->run.memory = XRW_MEMORY_FRAMES;
}

int pipeline_add_page(void *ctx, xrw_gfn gfn, const uint8_t *page, bool private,
                      struct xrw_error *err)
{
    struct pipeline *p = ctx;
    /* Between frames it matters that a page was private: it may have changed and changed back. */
    bool force = private && p->run.memory == XRW_MEMORY_FRAMES;
    int rc;

    if (p->memory == XRW_RECORD_MEMORY_NONE)
        return 0;
    rc = xrw_store_add_page(p->store, p->run.id, gfn, p->running ? p->at.exit.id : 0, page, force,
                            err);
    return rc || p->running ? rc : xrw_store_has_own_page(p->store, gfn);
}

static int add_base_page(void *ctx, xrw_gfn gfn, const uint8_t *page, bool private,
                         struct xrw_error *err)
{
    struct pipeline *p = ctx;

    (void)private;
    p->base_pages++;
    pipeline_show_progress(p, pipeline_now_ns(p));
    if (stop_interrupted(p->options))
        return xrw_error_set(err, -EINTR, "interrupted before the guest ran");
    return xrw_store_add_page(p->store, p->base_run, gfn, 0, page, false, err);
}

static int add_reached_page(void *ctx, xrw_gfn gfn, const uint8_t *page, bool private,
                            struct xrw_error *err)
{
    struct pipeline *p = ctx;

    (void)private;
    p->base_pages++;
    return xrw_store_add_page(p->store, p->base_run, gfn, 0, page, false, err);
}

int pipeline_take_reached(struct pipeline *p, bool all, struct xrw_error *err)
{
    if (!p->options->base_touched || p->memory == XRW_RECORD_MEMORY_NONE)
        return 0;
    return p->source.ops->reached(p->source.ctx, all, add_reached_page, p, err);
}

int pipeline_take_base(struct pipeline *p, struct xrw_error *err)
{
    if (p->memory == XRW_RECORD_MEMORY_NONE)
        return 0;
    if (p->options->base_touched)
        return pipeline_take_reached(p, false, err);
    return p->source.ops->base(p->source.ctx, add_base_page, p, err);
}

int pipeline_add_context(struct pipeline *p, xrw_exit_id exit, struct xrw_error *err)
{
    const void *data;
    size_t bytes;
    int rc = p->source.ops->context(p->source.ctx, &data, &bytes, err);

    return rc ? rc
              : xrw_store_add_context(p->store, exit ? p->run.id : p->base_run, exit, 0, "hvm",
                                      data, bytes, err);
}

int pipeline_take_memory(struct pipeline *p, struct xrw_error *err)
{
    int rc = pipeline_take_reached(p, false, err);

    if (!rc)
        rc = p->source.ops->memory(p->source.ctx, pipeline_add_page, p, err);
    if (!rc && p->run.memory == XRW_MEMORY_FRAMES)
        rc = xrw_store_add_memory_frame(p->store, p->run.id, p->at.exit.id, err);
    /* The registers of other exits do not add up to it. */
    if (!rc && !p->holds_always)
        rc = pipeline_add_context(p, p->at.exit.id, err);
    if (rc)
        return rc;
    p->in_frame = p->at.exit.id;
    p->in_frame_ns = p->seen_ns;
    return 0;
}

uint64_t pipeline_exits(const struct pipeline *p)
{
    return p->run.last_exit + 1 - p->run.first_exit;
}

/* In how many exits memory is to be taken next; 0: at none that is known of. */
static uint64_t frame_in(const struct pipeline *p)
{
    uint64_t last = pipeline_exits(p), every = p->options->memory_every, in = 0;
    uint64_t frame = p->in_frame + 1 - p->run.first_exit;

    if (p->run.memory == XRW_MEMORY_NONE)
        return 0;
    if (p->run.stop[0] || p->memory == XRW_RECORD_MEMORY_EXIT)
        return 1;
    if (p->memory == XRW_RECORD_MEMORY_EVERY && every)
        /* One may be overdue: the guest could not be held there. */
        in = last / every > frame / every ? 1 : every - last % every;
    else if (p->memory == XRW_RECORD_MEMORY_EVERY)
        in = p->seen_ns - p->in_frame_ns >= p->options->memory_every_ns;
    if (p->options->max_exits > last && (!in || p->options->max_exits - last < in))
        in = p->options->max_exits - last;
    return in;
}

uint64_t pipeline_hold_in(const struct pipeline *p)
{
    return p->holds_always ? 0 : frame_in(p);
}

bool pipeline_wants_memory(const struct pipeline *p)
{
    return p->at.held && frame_in(p) == 1;
}

int pipeline_take_last_memory(struct pipeline *p, struct xrw_error *err)
{
    if (p->run.memory != XRW_MEMORY_FRAMES || !pipeline_exits(p) || p->in_frame == p->run.last_exit)
        return 0;
    if (p->quiet)
        return pipeline_take_memory(p, err);
    pipeline_notice(p,
                    "memory at the end was not taken: the guest did not come to an exit any more");
    return 0;
}
