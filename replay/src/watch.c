/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CR3_TABLE UINT64_C(0x000ffffffffff000)
#define CR0_PG (UINT64_C(1) << 31)
#define CR4_PAE (UINT64_C(1) << 5)
#define CR4_LA57 (UINT64_C(1) << 12)
#define EFER_LMA (UINT64_C(1) << 10)

int xrw_watch_create(uint64_t address, size_t bytes, bool physical, struct xrw_watch **out)
{
    struct xrw_watch *watch;
    uint8_t *values;

    if (!bytes || bytes > XRW_WATCH_MAX_BYTES || address + bytes - 1 < address)
        return -EINVAL;
    watch = calloc(1, sizeof *watch);
    values = calloc(XRW_WATCH_VIEWS + 1, bytes);
    if (!watch || !values) {
        free(watch);
        free(values);
        return -ENOMEM;
    }
    watch->address = address;
    watch->bytes = bytes;
    watch->physical = physical;
    watch->seen.value = values;
    for (unsigned i = 0; i < XRW_WATCH_VIEWS; i++)
        watch->view[i].value = values + (i + 1) * bytes;
    *out = watch;
    return 0;
}

void xrw_watch_destroy(struct xrw_watch *watch)
{
    if (watch)
        free(watch->seen.value);
    free(watch);
}

static void copy_view(struct xrw_view *to, const struct xrw_view *from, size_t bytes)
{
    uint8_t *value = to->value;

    *to = *from;
    to->value = value;
    memcpy(value, from->value, bytes);
}

/* The pages that a read looked at; more than fit: not a view to remember. */
struct pages {
    size_t count;
    xrw_gfn gfn[XRW_WATCH_VIEW_PAGES];
};

static void note_page(void *ctx, xrw_gfn gfn)
{
    struct pages *pages = ctx;

    for (size_t i = 0; i < pages->count && i < XRW_WATCH_VIEW_PAGES; i++)
        if (pages->gfn[i] == gfn)
            return;
    if (pages->count < XRW_WATCH_VIEW_PAGES)
        pages->gfn[pages->count] = gfn;
    pages->count++;
}

/* Between which versions of the pages it depends on does a view stand? */
static int bound_view(struct xrw_view *view, const struct pages *pages,
                      struct xrw_timeline *timeline, struct xrw_error *err)
{
    struct xrw_store *store = xrw_timeline_store(timeline);
    const struct xrw_run *run = xrw_timeline_run(timeline);

    view->since = 0;
    view->until = run->last_exit + 1; /* what is recorded later is looked at then */
    for (size_t i = 0; i < pages->count; i++) {
        xrw_exit_id change;
        int ret =
            xrw_store_find_page_change(store, run->id, pages->gfn[i], view->at, true, &change, err);

        if (ret < 0)
            return ret;
        if (ret && change < view->until)
            view->until = change;
        ret = xrw_store_find_page_change(store, run->id, pages->gfn[i], view->at + 1, false,
                                         &change, err);
        if (ret < 0)
            return ret;
        if (ret && change > view->since)
            view->since = change;
    }
    return 0;
}

/* One number for the address space of an exit: its top table and the paging mode.  In 64-bit mode
 * CR3's low bits are a tag or flags and do not matter. */
static uint64_t root_of(const struct xrw_watch *watch, const struct xrw_exit *exit)
{
    const uint64_t *reg = exit->before.value;
    bool lma = (reg[XRW_REG_efer] & EFER_LMA) != 0;

    if (watch->physical)
        return 0;
    if (!(reg[XRW_REG_cr0] & CR0_PG))
        return 1;
    return (reg[XRW_REG_cr3] & (lma ? CR3_TABLE : ~UINT64_C(0x1f))) | (uint64_t)lma << 1 |
           (uint64_t)((reg[XRW_REG_cr4] & CR4_PAE) != 0) << 2 |
           (uint64_t)((reg[XRW_REG_cr4] & CR4_LA57) != 0) << 3;
}

static int read_view(const struct xrw_watch *watch, struct xrw_memory *memory,
                     struct xrw_timeline *timeline, const struct xrw_exit *exit,
                     struct xrw_view *view, struct xrw_error *err)
{
    struct pages pages = {0};
    size_t got = 0;
    int ret;

    view->root = root_of(watch, exit);
    view->at = exit->id;
    xrw_memory_watch_pages(memory, note_page, &pages);
    ret = watch->physical
              ? xrw_memory_read_physical(memory, exit, watch->address, view->value, watch->bytes,
                                         &got, err)
              : xrw_memory_read(memory, exit, watch->address, view->value, watch->bytes, &got, err);
    xrw_memory_watch_pages(memory, NULL, NULL);
    if (ret && ret != -EFAULT && ret != -ENODATA)
        return ret;
    view->kind = ret == -EFAULT                ? XRW_VIEW_UNMAPPED
                 : !ret && got == watch->bytes ? XRW_VIEW_KNOWN
                                               : XRW_VIEW_UNKNOWN;
    if (view->kind != XRW_VIEW_KNOWN)
        memset(view->value, 0, watch->bytes);
    /* Between key frames a page may be unknown though no new version of it is recorded. */
    view->lasting = view->kind != XRW_VIEW_UNKNOWN && pages.count <= XRW_WATCH_VIEW_PAGES &&
                    xrw_timeline_run(timeline)->memory == XRW_MEMORY_EXIT;
    return view->lasting ? bound_view(view, &pages, timeline, err) : 0;
}

static bool holds_at(const struct xrw_view *view, xrw_exit_id exit)
{
    return view->lasting && (exit == view->at || (exit > view->since && exit < view->until));
}

/* What is seen at an exit: remembered, or read. */
static int look_at(struct xrw_watch *watch, struct xrw_memory *memory,
                   struct xrw_timeline *timeline, const struct xrw_exit *exit,
                   const struct xrw_view **out, struct xrw_error *err)
{
    uint64_t root = root_of(watch, exit);
    struct xrw_view *view;
    int ret;

    for (view = watch->view; view < watch->view + XRW_WATCH_VIEWS; view++)
        if (view->root == root && holds_at(view, exit->id)) {
            *out = view;
            return 0;
        }
    view = &watch->view[watch->next_view];
    view->lasting = false;
    ret = read_view(watch, memory, timeline, exit, view, err);
    if (ret) {
        view->lasting = false;
        return ret;
    }
    watch->next_view = (watch->next_view + 1) % XRW_WATCH_VIEWS;
    *out = view;
    return 0;
}

int xrw_watch_begin(struct xrw_watch *watch, struct xrw_memory *memory,
                    struct xrw_timeline *timeline, const struct xrw_exit *exit,
                    struct xrw_error *err)
{
    const struct xrw_view *view;
    int ret = look_at(watch, memory, timeline, exit, &view, err);

    if (ret)
        return ret;
    copy_view(&watch->seen, view, watch->bytes);
    watch->seen.at = exit->id;
    return 0;
}

int xrw_watch_steady(struct xrw_watch *watch, struct xrw_memory *memory,
                     struct xrw_timeline *timeline, const struct xrw_exit *exit, bool forward,
                     xrw_exit_id *end, struct xrw_error *err)
{
    const struct xrw_view *view, *seen = &watch->seen;
    int ret = look_at(watch, memory, timeline, exit, &view, err);

    if (ret)
        return ret;
    *end = forward ? view->until : view->since;
    if (!view->lasting || seen->kind == XRW_VIEW_UNKNOWN)
        return XRW_WATCH_MOVES;
    if (view->kind == XRW_VIEW_UNMAPPED && view->root != seen->root)
        return XRW_WATCH_PASSED;
    if (view->kind != seen->kind || memcmp(view->value, seen->value, watch->bytes) != 0)
        return XRW_WATCH_MOVES;
    return XRW_WATCH_SAME;
}

int xrw_watch_look(struct xrw_watch *watch, struct xrw_memory *memory,
                   struct xrw_timeline *timeline, const struct xrw_exit *exit, xrw_exit_id *last,
                   struct xrw_error *err)
{
    const struct xrw_view *view;
    struct xrw_view *seen = &watch->seen;
    bool comparable, differs;
    int ret = look_at(watch, memory, timeline, exit, &view, err);

    if (ret)
        return ret;
    if (view->kind == XRW_VIEW_UNKNOWN ||
        (view->kind == XRW_VIEW_UNMAPPED && seen->kind != XRW_VIEW_UNKNOWN &&
         view->root != seen->root))
        return 0;
    comparable = seen->kind == XRW_VIEW_KNOWN
                     ? true
                     : seen->kind == XRW_VIEW_UNMAPPED && view->root == seen->root;
    differs = comparable &&
              (view->kind != seen->kind || memcmp(view->value, seen->value, watch->bytes) != 0);
    if (differs)
        *last = seen->at;
    copy_view(seen, view, watch->bytes);
    seen->at = exit->id;
    return differs;
}
