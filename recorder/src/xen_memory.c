/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the fork's memory holds, exit by exit, without touching it.
 *
 * A page of a fork is a hole (never touched), shared with the parent (only read so far), or
 * private. The content of the first two is the parent's, which stands still.  Only private pages
 * can change; they are mapped and compared with a copy at each exit.  Which pages are private is
 * asked of Xen (xen_page_type), for
 *   - all pages at the start: special pages are private from the beginning,
 *   - the page of each EPT violation,
 *   - all others when the fork has got more pages than that explains: Xen copies pages too, when it
 *     walks the guest's page tables, fetches for emulation, or writes the output of a hypercall.
 * Mapping an absent page would bring it in, and mapping a parent's page while the fork runs would
 * keep it from being shared: neither is done.
 *
 * Page-table pages are watched even while they are shared: not all processors (Bochs 2.7 is one)
 * respect EPT permissions when they set accessed and dirty bits.
 */
#include "xen.h"

#include "xrw/vmx.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 256u        /* pages mapped at a time for the base image */
#define PARENT_CACHE 128u /* pages of the parent kept for reading; a power of two */
#define HYPERCALL_MEMORY_OP 12u

struct slot {
    xrw_gfn gfn;
    bool private;       /* Xen says so */
    bool announced;     /* given to the pipeline as private */
    bool watched;       /* map and copy are valid */
    uint8_t *copy;      /* content last given to the pipeline */
    const uint8_t *map; /* the fork's page */
};

struct parent_page {
    bool valid;
    xrw_gfn gfn;
    uint8_t content[XRW_PAGE_BYTES];
};

struct xen_memory {
    struct xen_calls *xen;
    uint32_t fork, parent;
    struct slot *slots; /* one for each page of RAM, by increasing gfn */
    size_t count, capacity;
    size_t *watched; /* indexes of slots */
    size_t watched_count, watched_capacity;
    uint64_t private_count;
    uint64_t fork_pages; /* what Xen counts, when private_count was last right */
    struct parent_page cache[PARENT_CACHE];
};

int xen_memory_create(struct xen_memory **out, struct xen_calls *xen, uint32_t fork,
                      uint32_t parent)
{
    struct xen_memory *m = calloc(1, sizeof *m);

    if (!m)
        return -ENOMEM;
    m->xen = xen;
    m->fork = fork;
    m->parent = parent;
    *out = m;
    return 0;
}

void xen_memory_destroy(struct xen_memory *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->count; i++) {
        xen_unmap(m->xen, m->slots[i].map, 1);
        free(m->slots[i].copy);
    }
    free(m->slots);
    free(m->watched);
    free(m);
}

uint64_t xen_memory_private_pages(const struct xen_memory *m)
{
    return m->private_count;
}

/* Make room for one more element; a power-of-two growth. */
static int grow(void **array, size_t *capacity, size_t count, size_t element)
{
    size_t wanted = *capacity ? *capacity * 2 : 1024;
    void *bigger;

    if (count < *capacity)
        return 0;
    bigger = realloc(*array, wanted * element);
    if (!bigger)
        return -ENOMEM;
    *array = bigger;
    *capacity = wanted;
    return 0;
}

static struct slot *find_slot(struct xen_memory *m, xrw_gfn gfn)
{
    size_t low = 0, high = m->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (m->slots[middle].gfn == gfn)
            return &m->slots[middle];
        if (m->slots[middle].gfn < gfn)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* ---- the parent's pages ---------------------------------------------- */

/* Content of a page as the parent has it; mapped for a moment only. */
static int parent_page(struct xen_memory *m, xrw_gfn gfn, const uint8_t **content)
{
    struct parent_page *entry = &m->cache[gfn % PARENT_CACHE];
    xen_pfn_t pfn = gfn;
    const uint8_t *map;
    int failed = 0;

    if (!entry->valid || entry->gfn != gfn) {
        map = xen_map(m->xen, m->parent, &pfn, 1, &failed);
        if (!map || failed) {
            xen_unmap(m->xen, map, 1);
            return -ENODATA;
        }
        memcpy(entry->content, map, XRW_PAGE_BYTES);
        xen_unmap(m->xen, map, 1);
        entry->gfn = gfn;
        entry->valid = true;
    }
    *content = entry->content;
    return 0;
}

/* ---- watching -------------------------------------------------------- */

static int remap(struct xen_memory *m, struct slot *slot)
{
    xen_pfn_t pfn = slot->gfn;
    int failed = 0;
    const uint8_t *map = xen_map(m->xen, m->fork, &pfn, 1, &failed);

    if (!map || failed) {
        xen_unmap(m->xen, map, 1);
        return failed ? failed : -errno;
    }
    xen_unmap(m->xen, slot->map, 1);
    slot->map = map;
    return 0;
}

/* Begin to watch a page, whose content so far was the parent's. */
static int watch(struct xen_memory *m, struct slot *slot)
{
    const uint8_t *content;
    int rc;

    if (slot->watched)
        return remap(m, slot);
    rc = grow((void **)&m->watched, &m->watched_capacity, m->watched_count, sizeof *m->watched);
    if (!rc)
        rc = remap(m, slot);
    if (rc)
        return rc;
    if (!slot->copy) {
        if ((rc = parent_page(m, slot->gfn, &content)) != 0)
            return rc;
        if (!(slot->copy = malloc(XRW_PAGE_BYTES)))
            return -ENOMEM;
        memcpy(slot->copy, content, XRW_PAGE_BYTES);
    }
    slot->watched = true;
    m->watched[m->watched_count++] = (size_t)(slot - m->slots);
    return 0;
}

/* Ask Xen about a page; if it has become private, or is a page table, watch it. */
static int look_at(struct xen_memory *m, struct slot *slot, bool page_table)
{
    enum xen_page_type type;
    int rc = xen_page_type(m->xen, m->fork, slot->gfn, &type);

    if (rc)
        return rc;
    if (type == XEN_PAGE_PRIVATE && !slot->private) {
        slot->private = true;
        m->private_count++;
        return watch(m, slot);
    }
    if (type == XEN_PAGE_SHARED && page_table && !slot->watched)
        return watch(m, slot);
    return 0;
}

static int look_at_all(struct xen_memory *m)
{
    for (size_t i = 0; i < m->count; i++) {
        int rc = m->slots[i].private ? 0 : look_at(m, &m->slots[i], false);

        if (rc)
            return rc;
    }
    return 0;
}

static int remap_all(struct xen_memory *m)
{
    for (size_t i = 0; i < m->watched_count; i++) {
        int rc = remap(m, &m->slots[m->watched[i]]);

        /* A page that the guest gave away reads as it last was. */
        if (rc && rc != -EINVAL && rc != -ENOENT)
            return rc;
    }
    return 0;
}

static int fork_pages(struct xen_memory *m, uint64_t *pages)
{
    xc_domaininfo_t info;
    int rc = xen_domain_info(m->xen, m->fork, &info);

    if (!rc)
        *pages = info.tot_pages;
    return rc;
}

/* ---- base image ------------------------------------------------------ */

/* A page that exists: its slot, and its content as the fork has it. */
static int base_page(struct xen_memory *m, xrw_gfn gfn, const uint8_t *parent, source_page page,
                     void *ctx, struct xrw_error *err)
{
    const uint8_t *content = parent;
    enum xen_page_type type;
    struct slot *slot;
    int rc = grow((void **)&m->slots, &m->capacity, m->count, sizeof *m->slots);

    if (!rc)
        rc = xen_page_type(m->xen, m->fork, gfn, &type);
    if (rc)
        return rc;
    slot = &m->slots[m->count++];
    *slot = (struct slot){.gfn = gfn};
    if (type == XEN_PAGE_PRIVATE) {
        slot->private = slot->announced = true;
        m->private_count++;
        if (!(slot->copy = malloc(XRW_PAGE_BYTES)))
            return -ENOMEM;
        if ((rc = watch(m, slot)) != 0)
            return rc;
        memcpy(slot->copy, slot->map, XRW_PAGE_BYTES);
        content = slot->copy;
    }
    return page(ctx, gfn, content, false, err);
}

/* The pages that exist among n from first on; *found counts them. */
static int base_batch(struct xen_memory *m, xrw_gfn first, size_t n, source_page page, void *ctx,
                      size_t *found, struct xrw_error *err)
{
    xen_pfn_t gfns[BATCH] = {0};
    int errs[BATCH], rc = 0;
    const uint8_t *map;

    for (size_t i = 0; i < n; i++)
        gfns[i] = first + i;
    map = xen_map(m->xen, m->parent, gfns, n, errs);
    if (!map) /* none of them exists, as a rule */
        return errno == ENOMEM ? -ENOMEM : 0;
    for (size_t i = 0; i < n && !rc; i++)
        if (!errs[i]) {
            (*found)++;
            rc = base_page(m, first + i, map + i * XRW_PAGE_BYTES, page, ctx, err);
        }
    xen_unmap(m->xen, map, n);
    return rc;
}

/*
 * RAM begins at 0 and is mostly in one piece; a few special pages lie near the top of the address
 * space, below 4 GiB.  Between the two there may be a hole of a million frames, which is skipped
 * when all pages that the parent owns have been seen but the special ones.
 */
#define SPECIAL_FIRST ((xrw_gfn)0xfef00)
#define SPECIAL_LAST ((xrw_gfn)0xfffff)
#define SPECIAL_PAGES 64u

int xen_memory_base(struct xen_memory *m, source_page page, void *ctx, struct xrw_error *err)
{
    xc_domaininfo_t info;
    xen_pfn_t top = 0;
    size_t found = 0;
    int rc = xen_domain_info(m->xen, m->parent, &info);

    if (rc || xc_domain_maximum_gpfn(m->xen->xch, m->parent, &top) < 0)
        return xrw_error_set(err, rc ? rc : -errno,
                             "cannot ask Xen for the memory of domain %" PRIu32, m->parent);
    for (xrw_gfn gfn = 0; gfn <= top && !rc; gfn += BATCH) {
        size_t n = top - gfn + 1 < BATCH ? (size_t)(top - gfn + 1) : BATCH;
        size_t before = found;

        rc = base_batch(m, gfn, n, page, ctx, &found, err);
        if (found == before && found + SPECIAL_PAGES >= info.tot_pages && gfn < SPECIAL_FIRST)
            gfn = (SPECIAL_FIRST & ~(xrw_gfn)(BATCH - 1)) - BATCH;
        if (gfn > SPECIAL_LAST && found >= info.tot_pages)
            break;
    }
    if (!rc)
        rc = fork_pages(m, &m->fork_pages);
    if (rc && err && !err->text[0])
        return xrw_error_set(err, rc, "cannot read the memory of domain %" PRIu32 ": %s", m->parent,
                             strerror(-rc));
    return rc;
}

/* ---- exits ----------------------------------------------------------- */

#define EPT_LINEAR_VALID (1u << 7)
#define EPT_FINAL_ACCESS (1u << 8)

static int ept_violation(struct xen_memory *m, const struct xrw_exit *exit)
{
    uint64_t q = exit->field[XRW_EXIT_qualification];
    struct slot *slot = find_slot(m, exit->field[XRW_EXIT_gpa] >> XRW_PAGE_SHIFT);

    return slot ? look_at(m, slot, q & EPT_LINEAR_VALID && !(q & EPT_FINAL_ACCESS)) : 0;
}

int xen_memory_exit(struct xen_memory *m, const struct xrw_exit *exit, struct xrw_error *err)
{
    unsigned reason = xrw_exit_basic_reason(exit);
    uint64_t known = m->private_count, pages = 0;
    int rc = 0;

    if (reason == XRW_VMX_EPT_VIOLATION)
        rc = ept_violation(m, exit);
    if (!rc)
        rc = fork_pages(m, &pages);
    /* More pages than the ones just learned of: Xen has copied others. */
    if (!rc && pages != m->fork_pages + (m->private_count - known)) {
        rc = look_at_all(m);
        m->fork_pages = pages;
    } else {
        m->fork_pages = pages;
    }
    if (!rc && reason == XRW_VMX_VMCALL &&
        (exit->before.value[XRW_REG_rax] & 0xffffffff) == HYPERCALL_MEMORY_OP)
        rc = remap_all(m);
    if (rc)
        return xrw_error_set(err, rc, "cannot follow the memory of domain %" PRIu32 ": %s", m->fork,
                             strerror(-rc));
    return 0;
}

int xen_memory_changes(struct xen_memory *m, source_page page, void *ctx, struct xrw_error *err)
{
    for (size_t i = 0; i < m->watched_count; i++) {
        struct slot *slot = &m->slots[m->watched[i]];
        bool announce = slot->private && !slot->announced;
        int rc;

        if (!announce && !memcmp(slot->copy, slot->map, XRW_PAGE_BYTES))
            continue;
        memcpy(slot->copy, slot->map, XRW_PAGE_BYTES);
        if ((rc = page(ctx, slot->gfn, slot->copy, announce, err)) != 0)
            return rc;
        slot->announced = slot->private;
    }
    return 0;
}

int xen_memory_read(struct xen_memory *m, xrw_gpa gpa, void *buf, size_t bytes)
{
    struct slot *slot = find_slot(m, gpa >> XRW_PAGE_SHIFT);
    const uint8_t *content;
    size_t offset = gpa % XRW_PAGE_BYTES;
    int rc;

    if (!slot || offset + bytes > XRW_PAGE_BYTES)
        return -ENODATA;
    if (slot->watched)
        content = slot->map;
    else if ((rc = parent_page(m, slot->gfn, &content)) != 0)
        return rc;
    memcpy(buf, content + offset, bytes);
    return 0;
}
