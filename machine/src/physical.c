/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "physical.h"

#include "frames.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct node *node_create(void)
{
    struct node *node = calloc(1, sizeof *node);

    if (node)
        node->references = 1;
    return node;
}

static void node_release(struct node *node, unsigned level)
{
    if (!node || --node->references)
        return;
    for (unsigned i = 0; i < NODE_ENTRIES; i++)
        if (level)
            node_release(node->child[i], level - 1);
        else
            frame_release(node->page[i].frame);
    free(node);
}

struct node *physical_share(struct node *root)
{
    root->references++;
    return root;
}

void physical_release(struct node *root)
{
    node_release(root, NODE_LEVELS - 1);
}

int physical_create(struct physical **out)
{
    struct physical *physical = calloc(1, sizeof *physical);

    if (!physical)
        return -ENOMEM;
    physical->root = node_create();
    physical->frames = frames_create();
    if (!physical->root || !physical->frames) {
        frames_destroy(physical->frames);
        free(physical->root);
        free(physical);
        return -ENOMEM;
    }
    *out = physical;
    return 0;
}

void physical_destroy(struct physical *physical)
{
    if (!physical)
        return;
    physical_release(physical->root);
    frames_destroy(physical->frames);
    free(physical);
}

/* Make *slot a node of this tree alone. */
static int node_own(struct node **slot, unsigned level)
{
    struct node *old = *slot, *node;

    if (old && old->references == 1)
        return 0;
    node = node_create();
    if (!node)
        return -ENOMEM;
    for (unsigned i = 0; old && i < NODE_ENTRIES; i++) {
        if (level) {
            node->child[i] = old->child[i];
            if (node->child[i])
                node->child[i]->references++;
        } else {
            node->page[i] = old->page[i];
            if (node->page[i].frame)
                node->page[i].frame->references++;
        }
    }
    if (old)
        old->references--;
    *slot = node;
    return 0;
}

static unsigned node_index(xrw_gfn gfn, unsigned level)
{
    return (unsigned)(gfn >> (level * NODE_BITS)) & (NODE_ENTRIES - 1);
}

/* The page's place in the tree, made this tree's own. */
static int find_own(struct physical *physical, xrw_gfn gfn, struct page **page)
{
    struct node **slot = &physical->root;

    for (unsigned level = NODE_LEVELS - 1;; level--) {
        int rc = node_own(slot, level);
        if (rc)
            return rc;
        if (!level) {
            *page = &(*slot)->page[node_index(gfn, 0)];
            return 0;
        }
        slot = &(*slot)->child[node_index(gfn, level)];
    }
}

static struct page *find(const struct physical *physical, xrw_gfn gfn)
{
    struct node *node = physical->root;

    for (unsigned level = NODE_LEVELS - 1; level && node; level--)
        node = node->child[node_index(gfn, level)];
    return node ? &node->page[node_index(gfn, 0)] : NULL;
}

static int ask(struct xrw_machine *m, xrw_gfn gfn, struct page **page)
{
    struct frame *frame = frame_create(m->physical->frames);
    unsigned ept = 0;
    int rc;

    if (!frame)
        return -ENOMEM;
    rc = m->page ? m->page(m->page_ctx, gfn, frame->data, &ept) : -ENODATA;
    if (rc || !(ept & XRW_EPT_ALL) || (rc = find_own(m->physical, gfn, page)) != 0) {
        frame_release(frame);
        *page = NULL;
        return rc < 0 ? rc : 0;
    }
    **page = (struct page){.frame = frame, .ept = ept & XRW_EPT_ALL};
    return 0;
}

int physical_page(struct xrw_machine *m, xrw_gfn gfn, struct page **page)
{
    if (gfn >> PHYSICAL_GFN_BITS) {
        *page = NULL;
        return 0;
    }
    *page = find(m->physical, gfn);
    if (*page && (*page)->frame)
        return 0;
    return ask(m, gfn, page);
}

int physical_page_writable(struct xrw_machine *m, xrw_gfn gfn, struct page **page)
{
    struct frame *frame, *copy;
    int rc = physical_page(m, gfn, page);

    if (rc || !*page || ((rc = find_own(m->physical, gfn, page)) != 0))
        return rc;
    frame = (*page)->frame;
    if (frame->references > 1) {
        copy = frame_create(m->physical->frames);
        if (!copy)
            return -ENOMEM;
        memcpy(copy->data, frame->data, XRW_PAGE_BYTES);
        frame->references--;
        (*page)->frame = copy;
        mmu_flush(m); /* translations that still lead to the old one */
    }
    (*page)->dirty = true;
    return 0;
}

/* ---- For the caller ---- */

/* The part of a range in its first page. */
static size_t in_page(xrw_gpa gpa, size_t bytes)
{
    size_t room = XRW_PAGE_BYTES - (gpa & (XRW_PAGE_BYTES - 1));

    return bytes < room ? bytes : room;
}

int xrw_machine_read(struct xrw_machine *m, xrw_gpa gpa, void *buf, size_t bytes)
{
    for (uint8_t *out = buf; bytes;) {
        size_t n = in_page(gpa, bytes);
        struct page *page;
        int rc = physical_page(m, gpa >> XRW_PAGE_SHIFT, &page);

        if (rc)
            return rc;
        if (!page)
            return -EFAULT;
        memcpy(out, page->frame->data + (gpa & (XRW_PAGE_BYTES - 1)), n);
        out += n;
        gpa += n;
        bytes -= n;
    }
    return 0;
}

int xrw_machine_write(struct xrw_machine *m, xrw_gpa gpa, const void *buf, size_t bytes)
{
    for (const uint8_t *in = buf; bytes;) {
        size_t n = in_page(gpa, bytes);
        unsigned offset = (unsigned)(gpa & (XRW_PAGE_BYTES - 1));
        struct page *page;
        int rc = physical_page_writable(m, gpa >> XRW_PAGE_SHIFT, &page);

        if (rc)
            return rc;
        if (!page)
            return -EFAULT;
        code_touch(m, page->frame, offset, (unsigned)n);
        undo_note(m, gpa >> XRW_PAGE_SHIFT, page->frame);
        memcpy(page->frame->data + offset, in, n);
        in += n;
        gpa += n;
        bytes -= n;
    }
    return 0;
}

static int add_page(struct xrw_machine *m, struct page *page, const uint8_t *content, unsigned ept)
{
    struct frame *frame = frame_create(m->physical->frames);

    if (!frame)
        return -ENOMEM;
    memcpy(frame->data, content, XRW_PAGE_BYTES);
    *page = (struct page){.frame = frame, .ept = (uint8_t)ept};
    return 0;
}

/* Through the log, as any write; but it is not the guest's. */
static int replace_page(struct xrw_machine *m, xrw_gfn gfn, struct page *page,
                        const uint8_t *content)
{
    bool dirty = page->dirty;
    int rc = xrw_machine_write(m, gfn << XRW_PAGE_SHIFT, content, XRW_PAGE_BYTES);

    if (!rc && find_own(m->physical, gfn, &page) == 0)
        page->dirty = dirty;
    return rc;
}

int xrw_machine_set_page(struct xrw_machine *m, xrw_gfn gfn, const uint8_t *content, unsigned ept)
{
    struct page *page;
    int rc;

    if (gfn >> PHYSICAL_GFN_BITS || ept & ~XRW_EPT_ALL)
        return -EINVAL;
    if ((rc = find_own(m->physical, gfn, &page)) != 0)
        return rc;
    mmu_flush(m);
    if (!content && !ept) {
        frame_release(page->frame);
        *page = (struct page){0};
        return 0;
    }
    if (!page->frame)
        return content ? add_page(m, page, content, ept) : -ENODATA;
    page->ept = (uint8_t)ept;
    return content ? replace_page(m, gfn, page, content) : 0;
}

const uint8_t *xrw_machine_page_content(const struct xrw_machine *m, xrw_gfn gfn)
{
    const struct page *page = gfn >> PHYSICAL_GFN_BITS ? NULL : find(m->physical, gfn);

    return page && page->frame ? page->frame->data : NULL;
}

/* The first dirty page from *gfn on below a node whose first page is base. */
static bool next_dirty(const struct node *node, unsigned level, xrw_gfn base, xrw_gfn *gfn)
{
    xrw_gfn step = UINT64_C(1) << (level * NODE_BITS);

    for (unsigned i = 0; node && i < NODE_ENTRIES; i++, base += step) {
        if (base + step <= *gfn)
            continue;
        if (level) {
            if (next_dirty(node->child[i], level - 1, base, gfn))
                return true;
        } else if (node->page[i].frame && node->page[i].dirty) {
            *gfn = base;
            return true;
        }
    }
    return false;
}

int xrw_machine_next_dirty(const struct xrw_machine *m, xrw_gfn *gfn)
{
    return next_dirty(m->physical->root, NODE_LEVELS - 1, 0, gfn);
}

void xrw_machine_clear_dirty(struct xrw_machine *m)
{
    struct page *page;

    for (xrw_gfn gfn = 0; xrw_machine_next_dirty(m, &gfn); gfn++)
        if (find_own(m->physical, gfn, &page) == 0)
            page->dirty = false;
    mmu_flush(m);
}
