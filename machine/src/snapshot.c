/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The past: snapshots, and the log of what was overwritten. */
#include "past.h"
#include "physical.h"
#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void past_take(const struct xrw_machine *m, struct past *past)
{
    memcpy(past->registers, m, sizeof past->registers);
    past->event = m->event;
    past->count = cpu_count(m);
    past->ple_first = m->ple_first;
    past->ple_last = m->ple_last;
}

void past_put(struct xrw_machine *m, const struct past *past)
{
    memcpy(m, past->registers, sizeof past->registers);
    m->event = past->event;
    m->count = past->count;
    m->slice = 0;
    m->left = 0;
    m->ple_first = past->ple_first;
    m->ple_last = past->ple_last;
    m->attention = m->event.valid ? ATTENTION_EVENT : 0;
    mmu_flush(m);
    cpu_update(m);
}

struct xrw_snapshot {
    struct past past;
    struct node *root;
};

int xrw_machine_snapshot(struct xrw_machine *m, struct xrw_snapshot **out)
{
    struct xrw_snapshot *snapshot = aligned_alloc(64, (sizeof *snapshot + 63) & ~(size_t)63);

    if (!snapshot)
        return -ENOMEM;
    past_take(m, &snapshot->past);
    snapshot->root = physical_share(m->physical->root);
    mmu_flush(m); /* writes have to make copies from now on */
    *out = snapshot;
    return 0;
}

int xrw_machine_restore(struct xrw_machine *m, const struct xrw_snapshot *snapshot)
{
    struct node *old = m->physical->root;

    m->physical->root = physical_share(snapshot->root);
    physical_release(old);
    past_put(m, &snapshot->past);
    undo_forget(m);
    return 0;
}

void xrw_snapshot_destroy(struct xrw_snapshot *snapshot)
{
    if (!snapshot)
        return;
    physical_release(snapshot->root);
    free(snapshot);
}

uint64_t xrw_snapshot_count(const struct xrw_snapshot *snapshot)
{
    return snapshot->past.count;
}
