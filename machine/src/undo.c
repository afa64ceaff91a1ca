/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log of what was overwritten, in stretches that begin with a mark: the vCPU's registers then.
 * In a stretch, a page is copied before the first write to it, and later writes cost nothing; when
 * the stretch ends, what differs goes to the log.  Any mark can be gone back to, and from there
 * forward to the very instruction.
 */
#include "past.h"
#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* An entry is its old bytes, and behind them this. */
struct entry_end {
    uint64_t gpa;
    uint64_t bytes;
};

struct mark {
    struct past *past;
    size_t used; /* of the log, then */
};

/* A page as it was when the stretch began. */
struct kept {
    xrw_gfn gfn;
    uint8_t data[XRW_PAGE_BYTES];
};

struct undo_log {
    uint8_t *data;
    size_t used, size, limit;
    struct kept *kept;
    size_t kept_count, kept_size;
    struct tlb_entry **writable; /* entries that let pages be written without asking */
    size_t writable_count, writable_size;
    uint64_t stretch;
    struct mark *marks;
    size_t mark_count, mark_size;
    bool replaying; /* entries are taken back, not made */
    bool failed;    /* out of memory: what is here has a hole */
};

static void drop_marks(struct undo_log *log, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        free(log->marks[i].past);
    memmove(log->marks + from, log->marks + to, (log->mark_count - to) * sizeof *log->marks);
    log->mark_count -= to - from;
}

/* A new stretch: every page is to be kept again before it is written to. */
static void begin_stretch(struct xrw_machine *m)
{
    struct undo_log *log = m->log;

    for (size_t i = 0; i < log->writable_count; i++)
        mmu_revoke_write(m, log->writable[i]);
    log->writable_count = log->kept_count = 0;
    log->stretch = ++m->log_stretch;
}

void undo_forget(struct xrw_machine *m)
{
    if (!m->log)
        return;
    drop_marks(m->log, 0, m->log->mark_count);
    m->log->used = 0;
    m->log->failed = false;
    begin_stretch(m);
}

void undo_destroy(struct xrw_machine *m)
{
    if (!m->log)
        return;
    undo_forget(m);
    free(m->log->marks);
    free(m->log->data);
    free(m->log->kept);
    free(m->log->writable);
    free(m->log);
    m->log = NULL;
}

int xrw_machine_log(struct xrw_machine *m, size_t max_bytes)
{
    undo_destroy(m);
    mmu_flush(m); /* no page may be written without being kept */
    if (!max_bytes)
        return 0;
    m->log = calloc(1, sizeof *m->log);
    if (!m->log)
        return -ENOMEM;
    m->log->limit = max_bytes;
    undo_mark(m);
    if (!m->log->mark_count) {
        undo_destroy(m);
        return -ENOMEM;
    }
    return 0;
}

/* ---- Keeping ---- */

/* Forget the older half. */
static void forget_half(struct undo_log *log)
{
    size_t keep, cut;

    for (keep = 0; keep < log->mark_count && log->marks[keep].used < log->used / 2;)
        keep++;
    if (keep == log->mark_count) { /* one stretch is larger than all that may be kept */
        drop_marks(log, 0, keep);
        log->used = 0;
        return;
    }
    cut = log->marks[keep].used;
    memmove(log->data, log->data + cut, log->used - cut);
    log->used -= cut;
    drop_marks(log, 0, keep);
    for (size_t i = 0; i < log->mark_count; i++)
        log->marks[i].used -= cut;
}

static bool make_room(struct undo_log *log, size_t bytes)
{
    size_t size;
    uint8_t *data;

    if (log->used + bytes > log->limit)
        forget_half(log);
    if (log->used + bytes <= log->size)
        return true;
    size = log->size ? log->size * 2 : 1u << 16;
    while (size < log->used + bytes)
        size *= 2;
    data = realloc(log->data, size);
    if (!data)
        return false;
    log->data = data;
    log->size = size;
    return true;
}

/* Room for one more; the array may move. */
static bool grow(void *array, size_t count, size_t *size, size_t element)
{
    void *old, *grown;

    if (count < *size)
        return true;
    memcpy(&old, array, sizeof old);
    grown = realloc(old, (*size ? 2 * *size : 16) * element);
    if (!grown)
        return false;
    memcpy(array, &grown, sizeof grown);
    *size = *size ? 2 * *size : 16;
    return true;
}

/* The log has a hole: nothing before it can be gone back to. */
static void fail(struct xrw_machine *m)
{
    undo_forget(m);
    m->log->failed = true;
}

void undo_note(struct xrw_machine *m, xrw_gfn gfn, struct frame *frame)
{
    struct undo_log *log = m->log;

    if (LIKELY(!log) || log->replaying || frame->logged == log->stretch)
        return;
    if (!grow(&log->kept, log->kept_count, &log->kept_size, sizeof *log->kept)) {
        fail(m);
        return;
    }
    log->kept[log->kept_count].gfn = gfn;
    memcpy(log->kept[log->kept_count].data, frame->data, XRW_PAGE_BYTES);
    log->kept_count++;
    frame->logged = log->stretch;
}

bool undo_writable(struct xrw_machine *m, struct tlb_entry *entry)
{
    struct undo_log *log = m->log;

    if (!log)
        return true;
    if (log->replaying ||
        !grow(&log->writable, log->writable_count, &log->writable_size, sizeof *log->writable))
        return false;
    log->writable[log->writable_count++] = entry;
    return true;
}

static bool append(struct undo_log *log, xrw_gpa gpa, const uint8_t *old, size_t bytes)
{
    struct entry_end end = {gpa, bytes};
    size_t total = bytes + sizeof end;

    if ((log->used + total > log->size || log->used + total > log->limit) && !make_room(log, total))
        return false;
    memcpy(log->data + log->used, old, bytes);
    memcpy(log->data + log->used + bytes, &end, sizeof end);
    log->used += total;
    return true;
}

#define LINE 64u

/* What a page held and holds no more, in runs of lines. */
static bool append_difference(struct xrw_machine *m, const struct kept *kept)
{
    const uint8_t *now = xrw_machine_page_content(m, kept->gfn);
    unsigned first = 0;

    while (now && first < XRW_PAGE_BYTES) {
        unsigned end = first;

        while (end < XRW_PAGE_BYTES && memcmp(now + end, kept->data + end, LINE))
            end += LINE;
        if (end > first &&
            !append(m->log, (kept->gfn << XRW_PAGE_SHIFT) + first, kept->data + first, end - first))
            return false;
        first = end + LINE;
    }
    return true;
}

static void end_stretch(struct xrw_machine *m)
{
    for (size_t i = 0; i < m->log->kept_count; i++)
        if (!append_difference(m, &m->log->kept[i])) {
            fail(m);
            return;
        }
    begin_stretch(m);
}

void undo_mark(struct xrw_machine *m)
{
    struct undo_log *log = m->log;
    struct past *past;

    if (!log || log->replaying)
        return;
    past = aligned_alloc(64, (sizeof *past + 63) & ~(size_t)63);
    if (!past || !grow(&log->marks, log->mark_count, &log->mark_size, sizeof *log->marks)) {
        free(past);
        return; /* the stretch goes on */
    }
    end_stretch(m);
    past_take(m, past);
    log->marks[log->mark_count++] = (struct mark){past, log->used};
}

/* ---- Going back ---- */

uint64_t xrw_machine_log_begin(const struct xrw_machine *m)
{
    return m->log && m->log->mark_count ? m->log->marks[0].past->count : UINT64_MAX;
}

static int take_back(struct xrw_machine *m, size_t to)
{
    struct undo_log *log = m->log;
    int rc = 0;

    log->replaying = true;
    for (size_t i = log->kept_count; i-- > 0 && !rc;)
        rc = xrw_machine_write(m, log->kept[i].gfn << XRW_PAGE_SHIFT, log->kept[i].data,
                               XRW_PAGE_BYTES);
    log->kept_count = 0;
    while (log->used > to && !rc) {
        struct entry_end end;
        memcpy(&end, log->data + log->used - sizeof end, sizeof end);
        log->used -= sizeof end + end.bytes;
        rc = xrw_machine_write(m, end.gpa, log->data + log->used, end.bytes);
    }
    log->replaying = false;
    return rc;
}

int xrw_machine_undo(struct xrw_machine *m, uint64_t count, struct xrw_error *err)
{
    struct xrw_machine_result result;
    struct xrw_machine_until until = {0};
    size_t mark;
    int rc;

    if (count > xrw_machine_count(m))
        return xrw_error_set(err, -EINVAL, "that many instructions were not run yet");
    if (count < xrw_machine_log_begin(m))
        return xrw_error_set(err, -ENOENT, "the log does not reach back that far");
    for (mark = m->log->mark_count; m->log->marks[mark - 1].past->count > count;)
        mark--;
    rc = take_back(m, m->log->marks[mark - 1].used);
    if (rc)
        return xrw_error_set(err, rc, "a page of the past cannot be written");
    past_put(m, m->log->marks[mark - 1].past);
    drop_marks(m->log, mark, m->log->mark_count);
    begin_stretch(m);
    until.instructions = count - cpu_count(m);
    if (!until.instructions)
        return 0;
    rc = xrw_machine_run(m, &until, &result);
    if (!rc && result.stop != XRW_STOP_COUNT)
        rc = -EIO;
    return rc ? xrw_error_set(err, rc, "the past did not run as it had run") : 0;
}
