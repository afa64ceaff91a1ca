/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake_domains.h"

#include "support.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

static struct fake_page *page_of(struct fake *f, bool parent, xrw_gfn gfn)
{
    struct fake_domain *d = parent ? &f->parent : &f->fork;

    if (gfn < FAKE_GFNS)
        return &d->low[gfn];
    if (f->middle && gfn >= f->middle && gfn - f->middle < FAKE_HIGH)
        return &d->middle[gfn - f->middle];
    if (f->high && gfn >= f->high && gfn - f->high < FAKE_HIGH)
        return &d->high[gfn - f->high];
    return NULL;
}

static uint8_t *frame(struct fake *f, unsigned n)
{
    return f->frames + (size_t)n * XRW_PAGE_BYTES;
}

static unsigned new_frame(struct fake *f)
{
    assert_true(f->used < FAKE_FRAMES);
    return f->used++;
}

void fake_init(struct fake *f)
{
    *f = (struct fake){.memory = memfd_create("frames", 0)};
    assert_true(f->memory >= 0);
    assert_int_equal(ftruncate(f->memory, (off_t)FAKE_FRAMES * XRW_PAGE_BYTES), 0);
    f->frames = mmap(NULL, (size_t)FAKE_FRAMES * XRW_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
                     f->memory, 0);
    assert_true(f->frames != MAP_FAILED);
}

void fake_deinit(struct fake *f)
{
    (void)munmap(f->frames, (size_t)FAKE_FRAMES * XRW_PAGE_BYTES);
    (void)close(f->memory);
}

void fake_add_page(struct fake *f, xrw_gfn gfn, uint64_t word)
{
    struct fake_page *page = page_of(f, true, gfn);

    assert_int_equal(page->type, PAGE_HOLE);
    *page = (struct fake_page){PAGE_PRIVATE, new_frame(f)};
    memcpy(frame(f, page->frame), &word, sizeof word);
    f->parent_pages++;
}

void fake_share(struct fake *f, xrw_gfn gfn)
{
    struct fake_page *page = page_of(f, false, gfn);

    if (page->type == PAGE_HOLE)
        *page = (struct fake_page){PAGE_SHARED, page_of(f, true, gfn)->frame};
}

void fake_copy(struct fake *f, xrw_gfn gfn)
{
    struct fake_page *page = page_of(f, false, gfn);
    unsigned copy = new_frame(f);

    assert_int_not_equal(page->type, PAGE_PRIVATE);
    memcpy(frame(f, copy), frame(f, page_of(f, true, gfn)->frame), XRW_PAGE_BYTES);
    *page = (struct fake_page){PAGE_PRIVATE, copy};
    f->fork_pages++;
}

uint64_t fake_word(struct fake *f, xrw_gfn gfn)
{
    struct fake_page *page = page_of(f, false, gfn);
    uint64_t word;

    if (page->type == PAGE_HOLE)
        page = page_of(f, true, gfn);
    memcpy(&word, frame(f, page->frame), sizeof word);
    return word;
}

void fake_write(struct fake *f, xrw_gfn gfn, uint64_t word)
{
    assert_int_equal(page_of(f, false, gfn)->type, PAGE_PRIVATE);
    fake_write_through(f, gfn, word);
}

void fake_write_through(struct fake *f, xrw_gfn gfn, uint64_t word)
{
    memcpy(frame(f, page_of(f, false, gfn)->frame), &word, sizeof word);
}

static bool is_mapped(const struct fake *f, xrw_gfn gfn)
{
    for (size_t i = 0; i < FAKE_MAPPINGS; i++)
        for (size_t j = 0; f->mapping[i].of_fork && j < f->mapping[i].count; j++)
            if (f->mapping[i].gfns[j] == gfn)
                return true;
    return false;
}

void fake_reset(struct fake *f)
{
    for (size_t i = 0; i < FAKE_GFNS; i++)
        if (f->fork.low[i].type == PAGE_PRIVATE && (f->reset_frees || !is_mapped(f, i))) {
            f->fork.low[i] = (struct fake_page){PAGE_HOLE, 0};
            f->fork_pages--;
        }
}

void fake_replace(struct fake *f, xrw_gfn gfn, uint64_t word)
{
    page_of(f, false, gfn)->frame = new_frame(f);
    fake_write(f, gfn, word);
}

/* ---- the operations -------------------------------------------------- */

static bool fails(struct fake *f)
{
    return ++f->calls == f->fail_at;
}

static int types(void *ctx, bool parent, xrw_gfn first, size_t n, enum page_type *out)
{
    struct fake *f = ctx;

    f->type_calls++;
    if (fails(f))
        return -EIO;
    for (size_t i = 0; i < n; i++) {
        const struct fake_page *page = page_of(f, parent, first + i);

        out[i] = page ? page->type : PAGE_HOLE;
    }
    return 0;
}

/* Frame that a mapping shows; a page that the fork does not have comes in.  -1: none. */
static long frame_to_map(struct fake *f, enum map_as as, xrw_gfn gfn)
{
    struct fake_page *page = page_of(f, as == MAP_PARENT, gfn);

    if (!page)
        return -1;
    if (as == MAP_OWN && page->type != PAGE_PRIVATE && page_of(f, true, gfn)->type != PAGE_HOLE) {
        fake_copy(f, gfn);
        f->made_own++;
    } else if (page->type == PAGE_HOLE && as == MAP_FORK &&
               page_of(f, true, gfn)->type != PAGE_HOLE) {
        fake_share(f, gfn);
        f->brought_in++;
    }
    return page->type == PAGE_HOLE ? -1 : (long)page->frame;
}

static struct fake_mapping *find_mapping(struct fake *f, const uint8_t *pages)
{
    for (size_t i = 0; i < FAKE_MAPPINGS; i++)
        if (f->mapping[i].pages == pages)
            return &f->mapping[i];
    fail_msg("no such mapping, or too many");
    return NULL;
}

static int map(void *ctx, enum map_as as, const xrw_gfn *gfns, size_t n, uint8_t **pages,
               bool *present)
{
    struct fake *f = ctx;
    struct fake_mapping *mapping;
    uint8_t *at;

    if (fails(f))
        return -ENOMEM;
    at = mmap(NULL, n * XRW_PAGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(at != MAP_FAILED);
    for (size_t i = 0; i < n; i++) {
        long number = frame_to_map(f, as, gfns[i]);

        present[i] = number >= 0;
        if (present[i])
            assert_true(mmap(at + i * XRW_PAGE_BYTES, XRW_PAGE_BYTES,
                             as == MAP_OWN ? PROT_READ | PROT_WRITE : PROT_READ,
                             MAP_SHARED | MAP_FIXED, f->memory,
                             (off_t)number * XRW_PAGE_BYTES) != MAP_FAILED);
    }
    mapping = find_mapping(f, NULL);
    assert_true(n <= sizeof mapping->gfns / sizeof *gfns);
    *mapping = (struct fake_mapping){.pages = at, .count = n, .of_fork = as != MAP_PARENT};
    memcpy(mapping->gfns, gfns, n * sizeof *gfns);
    f->mapped += n;
    f->mappings++;
    if (f->mappings > f->most_mappings)
        f->most_mappings = f->mappings;
    *pages = at;
    return 0;
}

static void unmap(void *ctx, uint8_t *pages, size_t n)
{
    struct fake *f = ctx;

    assert_true(f->mapped >= n);
    f->mapped -= n;
    f->mappings--;
    *find_mapping(f, pages) = (struct fake_mapping){0};
    assert_int_equal(munmap(pages, n * XRW_PAGE_BYTES), 0);
}

static int extent(void *ctx, xrw_gfn *last, uint64_t *pages)
{
    struct fake *f = ctx;

    if (fails(f))
        return -EIO;
    *last = f->high ? f->high + FAKE_HIGH - 1 : FAKE_GFNS - 1;
    *pages = f->parent_pages;
    return 0;
}

static int fork_pages(void *ctx, uint64_t *pages)
{
    struct fake *f = ctx;

    if (fails(f))
        return -EIO;
    *pages = f->fork_pages;
    return 0;
}

const struct memory_ops fake_ops = {
    .types = types,
    .map = map,
    .unmap = unmap,
    .extent = extent,
    .fork_pages = fork_pages,
};
