/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xrw/memory.h"

#include "xrw/paging.h"
#include "xrw/reason.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Page tables and data of a few addresses: what one read by linear address touches, twice. */
#define SLOTS 16

struct slot {
    xrw_exit_id exit; /* 0: free */
    xrw_gfn gfn;
    struct xrw_known_page page;
};

struct xrw_memory {
    struct xrw_store *store;
    uint64_t run;
    xrw_exit_id first_exit;
    bool handled; /* exits were, when memory was read */
    xrw_page_visitor visitor;
    void *visitor_ctx;
    unsigned next_slot;
    struct slot slot[SLOTS];
};

int xrw_memory_create(struct xrw_store *store, const struct xrw_run *run, struct xrw_memory **out)
{
    struct xrw_memory *memory = calloc(1, sizeof *memory);

    if (!memory)
        return -ENOMEM;
    memory->store = store;
    xrw_memory_set_run(memory, run);
    *out = memory;
    return 0;
}

void xrw_memory_destroy(struct xrw_memory *memory)
{
    free(memory);
}

/* Pages that are kept stay right: their exits belong to one run. */
void xrw_memory_set_run(struct xrw_memory *memory, const struct xrw_run *run)
{
    memory->run = run->id;
    memory->first_exit = run->first_exit;
    memory->handled = strcmp(run->mode, "sync") != 0;
}

void xrw_memory_watch_pages(struct xrw_memory *memory, xrw_page_visitor visitor, void *ctx)
{
    memory->visitor = visitor;
    memory->visitor_ctx = ctx;
}

/* Mark as not known what differs from the exit before. */
static int doubt_changes(struct xrw_memory *memory, xrw_exit_id exit, xrw_gfn gfn,
                         struct xrw_known_page *page, struct xrw_error *err)
{
    xrw_exit_id before = exit == memory->first_exit ? 0 : exit - 1;
    uint8_t old[XRW_PAGE_BYTES];
    size_t known = 0;
    int ret = xrw_store_page(memory->store, memory->run, gfn, before, old, NULL, err);

    if (ret && ret != -ENODATA)
        return ret;
    for (size_t i = 0; i < XRW_PAGE_BYTES; i++) {
        page->known[i] = !ret && page->bytes[i] == old[i];
        if (page->known[i])
            known++;
        else
            page->bytes[i] = 0;
    }
    page->all_known = known == XRW_PAGE_BYTES;
    return known ? 0 : xrw_error_set(err, -ENODATA, "the page is not known at this exit");
}

static int load(struct xrw_memory *memory, const struct xrw_exit *exit, xrw_gfn gfn,
                struct xrw_known_page *page, struct xrw_error *err)
{
    int ret =
        xrw_store_page(memory->store, memory->run, gfn, exit->id, page->bytes, &page->since, err);

    if (ret)
        return ret;
    if (page->since == exit->id && memory->handled && xrw_exit_may_write_memory(exit))
        return doubt_changes(memory, exit->id, gfn, page, err);
    memset(page->known, true, sizeof page->known);
    page->all_known = true;
    return 0;
}

int xrw_memory_page(struct xrw_memory *memory, const struct xrw_exit *exit, xrw_gfn gfn,
                    const struct xrw_known_page **page, struct xrw_error *err)
{
    struct slot *slot;
    int ret;

    if (memory->visitor)
        memory->visitor(memory->visitor_ctx, gfn);
    for (slot = memory->slot; slot < memory->slot + SLOTS; slot++)
        if (slot->exit == exit->id && slot->gfn == gfn) {
            *page = &slot->page;
            return 0;
        }
    slot = &memory->slot[memory->next_slot];
    slot->exit = 0;
    ret = load(memory, exit, gfn, &slot->page, err);
    if (ret)
        return ret;
    slot->exit = exit->id;
    slot->gfn = gfn;
    memory->next_slot = (memory->next_slot + 1) % SLOTS;
    *page = &slot->page;
    return 0;
}

/* Bytes known from gpa on, within its page. */
static int read_in_page(struct xrw_memory *memory, const struct xrw_exit *exit, xrw_gpa gpa,
                        uint8_t *buf, size_t bytes, size_t *got, struct xrw_error *err)
{
    const struct xrw_known_page *page;
    size_t offset = gpa % XRW_PAGE_BYTES, n = XRW_PAGE_BYTES - offset, i = 0;
    int ret = xrw_memory_page(memory, exit, gpa >> XRW_PAGE_SHIFT, &page, err);

    if (ret)
        return ret;
    if (n > bytes)
        n = bytes;
    while (i < n && page->known[offset + i])
        i++;
    if (!i)
        return xrw_error_set(err, -ENODATA, "the byte at %#llx is not known at this exit",
                             (unsigned long long)gpa);
    memcpy(buf, page->bytes + offset, i);
    *got = i;
    return 0;
}

/* What one call reads: by linear or by physical address. */
struct range {
    bool linear;
    uint64_t address;
    uint8_t *buf;
    size_t bytes;
};

static int read_range(struct xrw_memory *memory, const struct xrw_exit *exit, struct range range,
                      size_t *got, struct xrw_error *err)
{
    size_t done = 0;

    while (done < range.bytes) {
        uint64_t address = range.address + done;
        size_t n = XRW_PAGE_BYTES - address % XRW_PAGE_BYTES, part = 0;
        xrw_gpa gpa = address;
        int ret = 0;

        if (n > range.bytes - done)
            n = range.bytes - done;
        if (range.linear)
            ret = xrw_memory_translate(memory, exit, address, &gpa, err);
        if (!ret)
            ret = read_in_page(memory, exit, gpa, range.buf + done, n, &part, err);
        if (ret && done && (ret == -ENODATA || ret == -EFAULT))
            break;
        if (ret)
            return ret;
        done += part;
        if (part < n)
            break;
    }
    *got = done;
    return 0;
}

int xrw_memory_read_physical(struct xrw_memory *memory, const struct xrw_exit *exit, xrw_gpa gpa,
                             void *buf, size_t bytes, size_t *got, struct xrw_error *err)
{
    return read_range(memory, exit, (struct range){false, gpa, buf, bytes}, got, err);
}

int xrw_memory_read(struct xrw_memory *memory, const struct xrw_exit *exit, xrw_gva gva, void *buf,
                    size_t bytes, size_t *got, struct xrw_error *err)
{
    return read_range(memory, exit, (struct range){true, gva, buf, bytes}, got, err);
}

struct table_reader {
    struct xrw_memory *memory;
    const struct xrw_exit *exit;
    struct xrw_error *err;
};

static int read_table(void *ctx, xrw_gpa gpa, void *buf, size_t bytes)
{
    struct table_reader *reader = ctx;
    size_t got;
    int ret =
        xrw_memory_read_physical(reader->memory, reader->exit, gpa, buf, bytes, &got, reader->err);

    return ret ? ret : got == bytes ? 0 : -ENODATA;
}

int xrw_memory_map(struct xrw_memory *memory, const struct xrw_exit *exit, xrw_gva gva,
                   struct xrw_mapping *mapping, struct xrw_error *err)
{
    struct table_reader reader = {memory, exit, err};
    int ret = xrw_paging_map(&exit->before, gva, read_table, &reader, mapping);

    if (ret == -ENODATA)
        return xrw_error_set(err, ret, "%#llx: a page table or register needed is not known",
                             (unsigned long long)gva);
    return ret;
}

int xrw_memory_translate(struct xrw_memory *memory, const struct xrw_exit *exit, xrw_gva gva,
                         xrw_gpa *gpa, struct xrw_error *err)
{
    struct table_reader reader = {memory, exit, err};
    int ret = xrw_paging_translate(&exit->before, gva, read_table, &reader, gpa);

    if (ret == -EFAULT)
        return xrw_error_set(err, ret, "%#llx is not mapped", (unsigned long long)gva);
    if (ret == -ENODATA)
        return xrw_error_set(err, ret, "%#llx: a page table or register needed is not known",
                             (unsigned long long)gva);
    return ret;
}
