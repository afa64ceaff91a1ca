/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which pages are private is asked of Xen:
 *   - of all pages at the start: special pages are private from the beginning,
 *   - of the page of each EPT violation,
 *   - of all others when the fork owns more or fewer pages than that explains: Xen copies pages
 *     too, when it walks the guest's page tables, fetches for emulation, or writes the output of a
 *     hypercall,
 *   - of all when the guest asks Xen to change its memory map; frames may be others then, and are
 *     mapped anew.
 * Mapping a page that the fork does not have yet would bring it in, and mapping a parent's page
 * while the fork runs would keep it from being shared: neither is done.
 *
 * Page tables are watched even while they are shared: not every processor (Bochs 2.7 is one)
 * respects EPT permissions when it sets accessed and dirty bits.
 */
#include "memory_private.h"
#include "xrw/kind.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define HYPERCALL_MEMORY_OP 12u
#define HYPERCALL_MULTICALL 13u

int memory_create(struct memory **out, const struct memory_ops *ops, void *ctx, bool frames)
{
    struct memory *m = calloc(1, sizeof *m);

    if (!m)
        return -ENOMEM;
    m->ops = ops;
    m->ctx = ctx;
    m->frames = frames;
    *out = m;
    return 0;
}

void memory_destroy(struct memory *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->group_count; i++)
        if (m->groups[i].users)
            m->ops->unmap(m->ctx, m->groups[i].pages, m->groups[i].count);
    for (size_t i = 0; i < m->count; i++) {
        free(m->slots[i].copy);
        free(m->slots[i].start);
    }
    free(m->slots);
    free(m->groups);
    ram_deinit(&m->ram);
    gfn_map_deinit(&m->by_gfn);
    gfn_map_deinit(&m->reached);
    free(m);
}

uint64_t memory_private_pages(const struct memory *m)
{
    return m->private_count;
}

const struct ram *memory_ram(const struct memory *m)
{
    return &m->ram;
}

struct slot *memory_slot(const struct memory *m, xrw_gfn gfn)
{
    size_t index = gfn_map_find(&m->by_gfn, gfn);

    return index == GFN_MAP_NONE ? NULL : &m->slots[index];
}

/* ---- watching -------------------------------------------------------- */

/* Watch a page from now on; leaves the mapping to the caller if it is not alone. */
static int watch(struct memory *m, xrw_gfn gfn, bool private, bool table, bool alone)
{
    struct slot *slot = memory_slot(m, gfn);
    size_t index = slot ? (size_t)(slot - m->slots) : m->count;
    int rc = 0;

    if (!slot) {
        rc = memory_new_slot(m, gfn, private);
    } else if (private && !slot->private) {
        slot->private = slot->fresh = true;
        m->private_count++;
        alone = true; /* its mapping shows the shared frame */
    } else {
        alone = false;
    }
    if (rc)
        return rc;
    m->slots[index].table = m->slots[index].table || table;
    if (alone)
        rc = memory_map_slots(m, MAP_FORK, &index, 1);
    if (!rc && m->singles >= GROUP)
        rc = memory_regroup(m, false);
    return rc;
}

/* Ask Xen about one page. */
int memory_look_at(struct memory *m, xrw_gfn gfn, bool page_table)
{
    enum page_type type;
    int rc = m->ops->types(m->ctx, false, gfn, 1, &type);

    if (rc || type == PAGE_HOLE || (type == PAGE_SHARED && !page_table))
        return rc;
    return watch(m, gfn, type == PAGE_PRIVATE, page_table, true);
}

/* Ask Xen about all pages. */
static int look_at_all(struct memory *m)
{
    enum page_type types[RAM_BATCH];
    int rc = 0;

    for (size_t i = 0; i < m->ram.count && !rc; i++) {
        const struct ram_extent *extent = &m->ram.extents[i];

        for (size_t done = 0, n; done < extent->count && !rc; done += n) {
            n = extent->count - done < RAM_BATCH ? extent->count - done : RAM_BATCH;
            rc = m->ops->types(m->ctx, false, extent->first + done, n, types);
            for (size_t j = 0; j < n && !rc; j++)
                if (types[j] == PAGE_PRIVATE)
                    rc = watch(m, extent->first + done + j, true, false, false);
        }
    }
    return rc ? rc : memory_regroup(m, false);
}

/* Look for the page tables that were read since the last exit. */
static int look_at_tables(struct memory *m)
{
    int rc = 0;

    for (size_t i = 0; i < m->table_count && !rc; i++)
        rc = memory_look_at(m, m->tables[i], true);
    m->table_count = 0;
    return rc;
}

int memory_give(struct slot *slot, source_page page, void *page_ctx, struct xrw_error *err)
{
    bool forced = slot->fresh;

    memcpy(slot->copy, slot->map, XRW_PAGE_BYTES);
    slot->given = true;
    slot->fresh = false;
    return page(page_ctx, slot->gfn, slot->copy, forced, err);
}

/* ---- base image ------------------------------------------------------ */

/* Not of all pages of a domain that is no fork: they are all originals. */
static void note_start(const struct memory *m, struct slot *slot)
{
    if (!slot->original || m->private_count > KEPT_OWN || slot->start)
        return;
    slot->start = malloc(XRW_PAGE_BYTES);
    if (slot->start)
        memcpy(slot->start, slot->copy, XRW_PAGE_BYTES);
}

/* The pages of a part of RAM, as the fork has them. */
static int base_batch(struct memory *m, xrw_gfn first, size_t n, uint64_t *read, source_page page,
                      void *page_ctx, struct xrw_error *err)
{
    xrw_gfn gfns[RAM_BATCH];
    bool present[RAM_BATCH];
    uint8_t *pages;
    int rc;

    for (size_t i = 0; i < n; i++)
        gfns[i] = first + i;
    rc = m->ops->map(m->ctx, MAP_PARENT, gfns, n, &pages, present);
    if (rc)
        return rc;
    for (size_t i = 0; i < n && !rc; i++) {
        struct slot *slot = memory_slot(m, first + i);

        if (slot && slot->map) {
            rc = memory_give(slot, page, page_ctx, err);
            note_start(m, slot);
        } else if (present[i]) {
            rc = page(page_ctx, first + i, pages + i * XRW_PAGE_BYTES, false, err);
        } else {
            continue;
        }
        ++*read;
    }
    m->ops->unmap(m->ctx, pages, n);
    return rc;
}

static int base(struct memory *m, source_page page, void *page_ctx, struct xrw_error *err)
{
    uint64_t read = 0;
    int rc = 0;

    for (size_t i = 0; i < m->ram.count && !rc; i++) {
        const struct ram_extent *extent = &m->ram.extents[i];

        for (size_t done = 0, n; done < extent->count && !rc; done += n) {
            n = extent->count - done < RAM_BATCH ? extent->count - done : RAM_BATCH;
            rc = base_batch(m, extent->first + done, n, &read, page, page_ctx, err);
        }
    }
    if (!rc && !read)
        return xrw_error_set(err, -ENODATA,
                             "none of the guest's memory can be read\n"
                             "recording needs a PV dom0: a PVH dom0 cannot map shared pages");
    return rc;
}

/* How many pages the fork owns that are not explained. */
int memory_count_unexplained(struct memory *m, uint64_t *unexplained)
{
    uint64_t pages;
    int rc = m->ops->fork_pages(m->ctx, &pages);

    if (!rc)
        *unexplained = pages - m->private_count; /* may wrap: only compared */
    return rc;
}

int memory_find(struct memory *m, struct xrw_error *err)
{
    int rc = ram_find(&m->ram, m->ops, m->ctx);

    if (!rc)
        rc = look_at_all(m);
    if (!rc)
        rc = memory_count_unexplained(m, &m->unexplained);
    if (!rc)
        rc = memory_note_originals(m);
    return rc ? xrw_error_set(err, rc, "cannot find the guest's memory: %s", strerror(-rc)) : 0;
}

int memory_base(struct memory *m, source_page page, void *page_ctx, struct xrw_error *err)
{
    int rc = base(m, page, page_ctx, err);

    if (rc && err && !err->text[0])
        return xrw_error_set(err, rc, "cannot read the guest's memory: %s", strerror(-rc));
    return rc;
}

/* ---- exits ----------------------------------------------------------- */

/* Whether the guest asked Xen to change its memory map, as far as can be told. */
static bool changes_map(const struct xrw_exit *exit)
{
    uint64_t number = exit->before.value[XRW_REG_rax] & 0xffffffff;

    return xrw_exit_kind(exit) == XRW_KIND_HYPERCALL &&
           (number == HYPERCALL_MEMORY_OP || number == HYPERCALL_MULTICALL);
}

/* Xen copies page tables that it walks for the guest: those that are watched are the likeliest. */
static int look_at_shared(struct memory *m, uint64_t *unexplained)
{
    int rc = 0;

    for (size_t i = 0; i < m->count && !rc; i++)
        if (!m->slots[i].private)
            rc = memory_look_at(m, m->slots[i].gfn, true);
    return rc ? rc : memory_count_unexplained(m, unexplained);
}

/* A page table that was missing, or not in use, until this exit: nothing has been marked in it yet.
 */
static int look_at_missing(struct memory *m, xrw_gfn gfn, bool page_table)
{
    bool seen = memory_slot(m, gfn) != NULL;
    int rc = memory_look_at(m, gfn, page_table);
    struct slot *slot = memory_slot(m, gfn);

    if (!rc && !seen && slot)
        slot->marked = false;
    return rc;
}

static bool changed(const struct xrw_exit *exit, enum xrw_register reg)
{
    return exit->before.value[reg] != exit->after.value[reg];
}

/* The root of page tables that the guest is about to use: Xen may have brought it in. */
static int look_at_root(struct memory *m, const struct xrw_exit *exit)
{
    if (!exit->has_after || !exit->after.known[XRW_REG_cr3] ||
        !(changed(exit, XRW_REG_cr3) || changed(exit, XRW_REG_cr0)))
        return 0;
    return look_at_missing(m, exit->after.value[XRW_REG_cr3] >> XRW_PAGE_SHIFT, true);
}

static int learn(struct memory *m, const struct xrw_exit *exit)
{
    uint64_t unexplained;
    int rc = look_at_root(m, exit);

    if (!rc && exit->field_known[XRW_EXIT_gpa])
        rc = look_at_missing(m, exit->field[XRW_EXIT_gpa] >> XRW_PAGE_SHIFT,
                             xrw_exit_page_walk(exit));
    if (!rc)
        rc = look_at_tables(m);
    if (!rc)
        rc = memory_count_unexplained(m, &unexplained);
    if (!rc && (int64_t)(unexplained - m->unexplained) > 0)
        rc = look_at_shared(m, &unexplained);
    if (rc || (unexplained == m->unexplained && !changes_map(exit)))
        return rc;
    /* Fewer pages: some were given back, and others may stand in their place. */
    if (changes_map(exit) || (int64_t)(unexplained - m->unexplained) < 0)
        rc = memory_regroup(m, true);
    if (!rc)
        rc = look_at_all(m);
    return rc ? rc : memory_count_unexplained(m, &m->unexplained);
}

static int cannot_follow(int code, struct xrw_error *err)
{
    return xrw_error_set(err, code, "cannot follow the fork's memory: %s", strerror(-code));
}

int memory_exit(struct memory *m, const struct xrw_exit *exit, struct xrw_error *err)
{
    int rc = learn(m, exit);

    return rc ? cannot_follow(rc, err) : 0;
}

/* Frames may have been exchanged without a word: all are mapped anew. */
int memory_catch_up(struct memory *m, struct xrw_error *err)
{
    int rc = look_at_tables(m);

    if (!rc)
        rc = memory_regroup(m, true);
    if (!rc)
        rc = look_at_all(m);
    if (!rc)
        rc = memory_count_unexplained(m, &m->unexplained);
    return rc ? cannot_follow(rc, err) : 0;
}

int memory_changes(struct memory *m, source_page page, void *page_ctx, struct xrw_error *err)
{
    int rc = look_at_tables(m);

    if (rc)
        return cannot_follow(rc, err);
    for (size_t i = 0; i < m->count && rc >= 0; i++) {
        struct slot *slot = &m->slots[i];
        bool differs =
            slot->map && (!slot->given || memcmp(slot->copy, slot->map, XRW_PAGE_BYTES) != 0);

        /* What a page held before it was watched is not known here: a page table that is shared
         * may have got accessed bits since the base image. */
        if (!slot->map || (!differs && !(slot->fresh && m->frames)))
            continue;
        slot->changed = slot->changed || differs;
        rc = memory_give(slot, page, page_ctx, err);
    }
    return rc < 0 ? rc : 0;
}

int memory_read(struct memory *m, xrw_gpa gpa, void *buf, size_t bytes)
{
    const struct slot *slot = memory_slot(m, gpa >> XRW_PAGE_SHIFT);
    size_t offset = gpa % XRW_PAGE_BYTES;
    const uint8_t *content;
    int rc;

    if (bytes > XRW_PAGE_BYTES - offset)
        return -ENODATA;
    if (slot && slot->map)
        content = slot->map;
    else if ((rc = parent_pages_read(&m->parent, m->ops, m->ctx, gpa >> XRW_PAGE_SHIFT,
                                     &content)) != 0)
        return rc;
    memcpy(buf, content + offset, bytes);
    return 0;
}

int memory_read_table(struct memory *m, xrw_gpa gpa, void *buf, size_t bytes)
{
    if (!memory_slot(m, gpa >> XRW_PAGE_SHIFT) && m->table_count < TABLE_NOTES)
        m->tables[m->table_count++] = gpa >> XRW_PAGE_SHIFT;
    return memory_read(m, gpa, buf, bytes);
}
