/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two domains' memory, as memory.h wants it. */
#include "xen.h"

#include "ram.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define PROBE_GFNS ((xrw_gfn)4096)

static uint32_t domain_of(const struct xen_memory *m, bool parent)
{
    return parent ? m->parent : m->fork;
}

static int map(void *ctx, enum map_as as, const xrw_gfn *gfns, size_t n, uint8_t **pages,
               bool *present)
{
    struct xen_memory *m = ctx;
    xen_pfn_t pfns[RAM_BATCH];
    int errs[RAM_BATCH];
    void *mapped;

    if (n > RAM_BATCH)
        return -EINVAL;
    for (size_t i = 0; i < n; i++)
        pfns[i] = gfns[i];
    mapped =
        xenforeignmemory_map(m->xen->fmem, domain_of(m, as == MAP_PARENT),
                             as == MAP_OWN ? PROT_READ | PROT_WRITE : PROT_READ, n, pfns, errs);
    if (!mapped)
        return errno ? -errno : -ENOMEM;
    for (size_t i = 0; i < n; i++)
        present[i] = errs[i] == 0;
    *pages = mapped;
    return 0;
}

static void unmap(void *ctx, uint8_t *pages, size_t n)
{
    struct xen_memory *m = ctx;

    (void)xenforeignmemory_unmap(m->xen->fmem, pages, n);
}

/* A page that can be mapped is there, even if Xen would bring it in from farther up only now. */
static int types_by_mapping(struct xen_memory *m, xrw_gfn first, size_t n, enum page_type *types)
{
    xrw_gfn gfns[RAM_BATCH];
    bool present[RAM_BATCH];
    uint8_t *pages;
    int rc;

    for (size_t i = 0; i < n; i++)
        gfns[i] = first + i;
    rc = map(m, MAP_PARENT, gfns, n, &pages, present);
    if (rc == -EINVAL || rc == -ENOENT)
        memset(present, 0, sizeof present); /* none of them */
    else if (rc)
        return rc;
    else
        unmap(m, pages, n);
    for (size_t i = 0; i < n; i++)
        types[i] = present[i] ? PAGE_SHARED : PAGE_HOLE;
    return 0;
}

static int types(void *ctx, bool parent, xrw_gfn first, size_t n, enum page_type *out)
{
    struct xen_memory *m = ctx;

    if (n > RAM_BATCH)
        return -EINVAL;
    if (parent && m->parent_is_fork)
        return types_by_mapping(m, first, n, out);
    return xen_page_types(m->xen, domain_of(m, parent), first, n, out);
}

static int extent(void *ctx, xrw_gfn *last, uint64_t *pages)
{
    struct xen_memory *m = ctx;
    xc_domaininfo_t info;
    xen_pfn_t top;
    int rc = xen_domain_info(m->xen, m->parent, &info);

    if (rc)
        return rc;
    if (xc_domain_maximum_gpfn(m->xen->xch, m->parent, &top) < 0)
        return -errno;
    *last = top;
    /* A fork owns but few of the pages that it has. */
    *pages = m->parent_is_fork ? 0 : info.tot_pages + info.shr_pages;
    return 0;
}

static int fork_pages(void *ctx, uint64_t *pages)
{
    struct xen_memory *m = ctx;
    xc_domaininfo_t info;
    int rc = xen_domain_info(m->xen, m->fork, &info);

    if (!rc)
        *pages = info.tot_pages;
    return rc;
}

const struct memory_ops xen_memory_ops = {
    .types = types,
    .map = map,
    .unmap = unmap,
    .extent = extent,
    .fork_pages = fork_pages,
};

/* Among a batch of pages: is there a hole that can be mapped? */
static int probe(struct xen_memory *m, xrw_gfn first, size_t n, bool *found)
{
    enum page_type by_table[RAM_BATCH], by_mapping[RAM_BATCH];
    bool holes = false;
    int rc = xen_page_types(m->xen, m->parent, first, n, by_table);

    for (size_t i = 0; i < n && !rc; i++)
        holes = holes || by_table[i] == PAGE_HOLE;
    if (rc || !holes)
        return rc;
    rc = types_by_mapping(m, first, n, by_mapping);
    for (size_t i = 0; i < n && !rc; i++)
        *found = *found || (by_table[i] == PAGE_HOLE && by_mapping[i] != PAGE_HOLE);
    return rc;
}

int xen_memory_init(struct xen_memory *m, struct xen_calls *xen, uint32_t fork, uint32_t parent)
{
    xen_pfn_t top;
    bool found = false;
    int rc = 0;

    *m = (struct xen_memory){.xen = xen, .fork = fork, .parent = parent};
    if (xc_domain_maximum_gpfn(xen->xch, parent, &top) < 0)
        return -errno;
    for (xrw_gfn gfn = 0; gfn <= top && gfn < PROBE_GFNS && !rc && !found; gfn += RAM_BATCH)
        rc = probe(m, gfn, top - gfn < RAM_BATCH ? (size_t)(top - gfn + 1) : RAM_BATCH, &found);
    m->parent_is_fork = found;
    return rc;
}

int xen_bring_in(struct xen_calls *xen, uint32_t fork, xrw_gfn first, size_t n, bool write,
                 bool *all)
{
    xen_pfn_t pfns[RAM_BATCH];
    int errs[RAM_BATCH];
    void *pages;

    if (n > RAM_BATCH)
        return -EINVAL;
    for (size_t i = 0; i < n; i++)
        pfns[i] = first + i;
    pages = xenforeignmemory_map(xen->fmem, fork, write ? PROT_READ | PROT_WRITE : PROT_READ, n,
                                 pfns, errs);
    *all = pages != NULL;
    if (!pages)
        return errno == EINVAL || errno == ENOENT ? 0 : -errno;
    for (size_t i = 0; i < n; i++)
        *all = *all && errs[i] == 0;
    (void)xenforeignmemory_unmap(xen->fmem, pages, n);
    return 0;
}

int xen_memory_bring_in_all(struct xen_memory *m, struct memory *memory, struct xrw_error *err)
{
    const struct ram *ram = memory_ram(memory);
    int rc = 0;
    bool all;

    for (size_t i = 0; i < ram->count && !rc; i++)
        for (size_t done = 0, n; done < ram->extents[i].count && !rc; done += n) {
            n = ram->extents[i].count - done;
            n = n < RAM_BATCH ? n : RAM_BATCH;
            rc = xen_bring_in(m->xen, m->fork, ram->extents[i].first + done, n, true, &all);
        }
    if (!rc)
        return memory_catch_up(memory, err);
    return xrw_error_set(err, rc, "cannot bring the fork's memory in from its parent: %s",
                         strerror(-rc));
}
