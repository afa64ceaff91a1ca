/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding code by its linear address. */
#include "translate_internal.h"

#include <stdlib.h>
#include <string.h>

static void clear_hash(struct translate_target *hash)
{
    for (uint64_t slot = 0; slot < HASH_SLOTS; slot++) {
        hash[slot].negative = translate_no_target(slot);
        hash[slot].code = 0;
    }
}

struct translate_target *translate_target_of(struct translate *translate, uint64_t rip,
                                             unsigned mode)
{
    struct translate_target **hash = &translate->hashes[mode];
    if (!*hash) {
        *hash = calloc(HASH_SLOTS, sizeof(**hash));
        if (*hash)
            clear_hash(*hash);
    }
    return *hash ? *hash + (rip & (HASH_SLOTS - 1)) : NULL;
}

static unsigned slot_of(uint64_t page, unsigned mode)
{
    return (unsigned)((page ^ page >> 11 ^ (uint64_t)mode << 5) & (CODE_PAGES - 1));
}

static void put_target(struct translate *translate, uint64_t rip, unsigned mode, uint64_t code)
{
    struct translate_target *target = translate_target_of(translate, rip, mode);
    target->negative = code ? 0 - rip : translate_no_target(rip);
    target->code = code;
}

static void switch_page(struct translate *translate, struct code_page *page, bool on)
{
    page->on = on;
    for (unsigned i = 0; i < page->count; i++)
        put_target(translate, page->targets[i].rip, page->mode, on ? page->targets[i].code : 0);
    if (!on || page->listed)
        return;
    page->listed = true;
    translate->used[translate->used_count++] = (uint16_t)(page - translate->pages);
}

void translate_switch_off(struct translate *translate)
{
    for (unsigned i = 0; i < translate->used_count; i++) {
        struct code_page *page = &translate->pages[translate->used[i]];
        switch_page(translate, page, false);
        page->listed = false;
    }
    translate->used_count = 0;
    memset(translate->on, 0, sizeof(translate->on));
}

void translate_forget_pages(struct translate *translate)
{
    translate_switch_off(translate);
    for (unsigned i = 0; i < CODE_PAGES; i++)
        translate->pages[i].known = false;
}

bool translate_page_is_on(const struct translate *translate, uint64_t page)
{
    return translate->on[page >> 6 & 63] >> (page & 63) & 1;
}

/* The page's entry, on, its code lying in frame. */
static struct code_page *turn_on(struct translate *translate, uint64_t page, unsigned mode,
                                 uint64_t frame)
{
    struct code_page *entry = &translate->pages[slot_of(page, mode)];
    bool same = entry->known && entry->page == page && entry->mode == mode && entry->frame == frame;
    if (!same) {
        switch_page(translate, entry, false); /* what had its place is found the long way */
        entry->page = page;
        entry->mode = (uint8_t)mode;
        entry->frame = frame;
        entry->known = true;
        entry->count = 0;
    }
    if (!entry->on)
        switch_page(translate, entry, true);
    translate->on[page >> 6 & 63] |= (uint64_t)1 << (page & 63);
    return entry;
}

static bool is_on(const struct code_page *entry, uint64_t page, unsigned mode)
{
    return entry->on && entry->page == page && entry->mode == mode;
}

static void remember(struct translate *translate, struct code_page *page, uint64_t rip,
                     uint64_t code)
{
    unsigned i = 0;
    while (i < page->count && page->targets[i].rip != rip)
        i++;
    if (i == PAGE_TARGETS)
        return; /* found the long way each time */
    page->targets[i].rip = rip;
    page->targets[i].code = code;
    page->count = (uint16_t)(i == page->count ? i + 1 : page->count);
    put_target(translate, rip, page->mode, code);
}

uint64_t translate_lookup(struct translate *translate, uint64_t rip, unsigned mode, bool indirect)
{
    struct translate_target *target = translate_target_of(translate, rip, mode);
    struct code_page *page = &translate->pages[slot_of(rip >> 12, mode)];
    struct translate_block *block = NULL;
    const uint8_t *code;
    unsigned bytes;
    uint64_t frame, generation = translate->generation;
    if (!target)
        return 0;
    if (target->code && target->negative == 0 - rip)
        return target->code;
    translate->counters.misses++;
    if (is_on(page, rip >> 12, mode))
        block = translate_find_block(translate, rip, page->frame, mode);
    if (!block) {
        if (translate->config.fetch(translate->config.ctx, rip, &code, &bytes, &frame) != 0)
            return 0;
        page = turn_on(translate, rip >> 12, mode, frame);
        if (target->code && target->negative == 0 - rip)
            return target->code;
        block = translate_find_block(translate, rip, frame, mode);
        if (!block)
            block = translate_block(translate, rip, mode, code, bytes, frame);
        if (!block)
            return 0;
        if (translate->generation != generation)
            page = turn_on(translate, rip >> 12, mode, frame); /* everything was forgotten */
    }
    uint64_t found = (uint64_t)(uintptr_t)translate->executable + block->start;
    if (indirect)
        remember(translate, page, rip, found);
    return found;
}
