/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Running translated code, and what happens where it is left. */
#include "translate_internal.h"

#include <cpuid.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define DEFAULT_CODE_BYTES ((size_t)128 << 20)
#define STACK_BYTES ((size_t)64 << 10)
#define PAGE ((size_t)4096)
/* The budget that translated code counts down; its sign is what it looks at. */
#define MAX_CHUNK ((int64_t)1 << 30)

static size_t allocation_bytes(size_t bytes)
{
    return (PAGE + STACK_BYTES + sizeof(struct translate_hot) + bytes + PAGE - 1) & ~(PAGE - 1);
}

static size_t state_offset(size_t bytes)
{
    return (allocation_bytes(bytes) - bytes) & ~(size_t)63;
}

void *native_state_allocate(size_t bytes)
{
    uint8_t *memory = mmap(NULL, allocation_bytes(bytes), PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    mprotect(memory, PAGE, PROT_NONE); /* a stack that overflows ends here */
    return memory + state_offset(bytes);
}

void native_state_free(void *state, size_t bytes)
{
    if (state)
        munmap((uint8_t *)state - state_offset(bytes), allocation_bytes(bytes));
}

void translate_flush(struct translate *translate)
{
    translate_switch_off(translate);
    translate_unchain(translate);
    translate->counters.flushes++;
}

void translate_flush_page(struct translate *translate, uint64_t page)
{
    if (translate_page_is_on(translate, page >> 12))
        translate_flush(translate);
}

void translate_reset(struct translate *translate)
{
    translate_forget_pages(translate);
    memset(translate->buckets, 0, sizeof(translate->buckets));
    memset(translate->frames, 0, sizeof(translate->frames));
    translate->block_count = translate->site_count = translate->fault_count = 0;
    translate->crossing_count = 0;
    translate->code_used = translate->code_first;
    translate->generation++;
    translate->counters.resets++;
}

void translate_set_pause(struct translate *translate, bool steps)
{
    if (translate->pause_steps == steps)
        return;
    translate->pause_steps = steps;
    translate_reset(translate);
}

static bool resolve_fault(void *ctx, uint64_t rip, uint64_t *go_on)
{
    const struct translate *translate = ctx;
    uint64_t base = (uint64_t)(uintptr_t)translate->executable;
    if (rip < base || rip >= base + translate->code_used)
        return false;
    uint32_t offset = (uint32_t)(rip - base), low = 0, high = translate->fault_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (translate->faults[middle].offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == translate->fault_count || translate->faults[low].offset != offset)
        return false;
    *go_on = base + translate->faults[low].stub;
    return true;
}

static void prepare_hot(struct translate *translate)
{
    struct translate_hot *hot = translate->hot;
    memset(hot, 0, sizeof(*hot));
    hot->mask_index = (((uint64_t)1 << translate->config.tlb.index_bits) - 1) << 12;
    hot->mask_page = ~(uint64_t)0xfff;
    hot->mask_sign = (uint64_t)1 << 63;
    hot->mask_hash = HASH_SLOTS - 1;
}

static void emit_fixed(struct translate *translate)
{
    struct emit e = {translate->writable};
    uint64_t enter = (uint64_t)(uintptr_t)translate->executable;
    translate_emit_enter(&e);
    translate->leave = translate_offset(translate, e.at);
    translate_emit_leave(&e);
    translate->code_first = (translate_offset(translate, e.at) + 63) & ~63u;
    translate->code_used = translate->code_first;
    memcpy(&translate->enter, &enter, sizeof(enter));
}

static bool host_has_bmi2(void)
{
    uint32_t eax, ebx, ecx, edx;
    return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && ebx & 1u << 8 &&
           __builtin_cpu_supports("avx");
}

static int32_t disp_of(const struct translate *translate, const void *at)
{
    return (int32_t)((const uint8_t *)at - (const uint8_t *)translate->hot);
}

static void find_places(struct translate *translate)
{
    const struct translate_config *config = &translate->config;
    translate->hot = translate_hot_of(config->state);
    translate->fs_disp = disp_of(translate, config->fs_base);
    translate->gs_disp = disp_of(translate, config->gs_base);
    for (unsigned i = 0; i < TRANSLATE_SPACES; i++)
        translate->tlb_disp[i] = disp_of(translate, config->tlb.entries[i]);
}

int translate_create(const struct translate_config *config, struct translate **out)
{
    if (!host_has_bmi2())
        return -ENOTSUP;
    struct translate *made = calloc(1, sizeof(*made));
    if (!made)
        return -ENOMEM;
    made->pages = calloc(CODE_PAGES, sizeof(*made->pages));
    if (!made->pages) {
        free(made);
        return -ENOMEM;
    }
    made->config = *config;
    if (!made->config.code_bytes)
        made->config.code_bytes = DEFAULT_CODE_BYTES;
    made->features = native_host_features();
    ZydisDecoderInit(&made->decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    find_places(made);
    int error = native_map_code(made->config.code_bytes, &made->writable, &made->executable);
    if (error) {
        free(made->pages);
        free(made);
        return error;
    }
    emit_fixed(made);
    prepare_hot(made);
    native_cache_set_extra(config->cache, resolve_fault, made);
    *out = made;
    return 0;
}

void translate_destroy(struct translate *translate)
{
    if (!translate)
        return;
    native_cache_set_extra(translate->config.cache, NULL, NULL);
    munmap(translate->writable, translate->config.code_bytes);
    munmap(translate->executable, translate->config.code_bytes);
    for (unsigned mode = 0; mode < TRANSLATE_MODES; mode++)
        free(translate->hashes[mode]);
    free(translate->pages);
    free(translate->sites);
    free(translate->blocks);
    free(translate->faults);
    free(translate->crossing);
    free(translate);
}

const struct translate_counters *translate_counters(const struct translate *translate)
{
    return &translate->counters;
}

static void restore_spilled(struct translate *translate, const struct translate_site *site)
{
    uint64_t *gpr = translate->config.state->gpr;
    const struct translate_hot *hot = translate->hot;
    if (site->m != NO_REGISTER)
        gpr[site->m] = hot->spill_m;
    if (site->b != NO_REGISTER && site->b != RCX)
        gpr[site->b] = hot->spill_b;
    if (site->b != NO_REGISTER)
        gpr[RCX] = hot->spill_rcx;
    if (site->r != NO_REGISTER)
        gpr[site->r] = hot->spill_r;
}

uint32_t translate_undefined(const struct translate *translate)
{
    return translate->undefined;
}

/* A branch that can become a jump to the code where it leads. */
struct branch {
    uint32_t site;
    uint64_t generation; /* of the code then, plus 1; 0: none */
};

struct entry {
    struct translate *translate;
    unsigned mode;
    uint64_t code; /* where to go on; 0: to be looked up */
    int64_t chunk; /* instructions that may be run from there, for which the budget is good */
    struct branch branch;
};

enum after { GO_ON, END_STEP, END_SHORT, END_LOOK };

/* Have the interpreter do the instruction, and go on behind it if nothing is in the way. */
static enum after step(struct entry *entry, uint32_t number)
{
    struct translate *translate = entry->translate;
    const struct translate_config *config = &translate->config;
    struct translate_site *site = &translate->sites[number];
    const struct translate_block *block = &translate->blocks[site->block];
    uint64_t generation = translate->generation, flushes = translate->counters.flushes;
    if (!config->step)
        return END_STEP;
    if (*config->left == 0)
        return END_SHORT;
    translate->counters.steps++;
    if (!config->step(config->ctx, &site->cached) || translate->generation != generation)
        return END_LOOK;
    int64_t rest = site->refund - 1;
    if (!site->resume || *config->rip != site->rip + site->length || *config->left < rest ||
        block->dead || translate->counters.flushes != flushes)
        return GO_ON;
    entry->chunk = *config->left < MAX_CHUNK ? *config->left : MAX_CHUNK;
    entry->code = (uint64_t)(uintptr_t)translate->executable + site->resume;
    translate->hot->budget = (uint64_t)(entry->chunk - rest);
    translate->hot->floats = block->floats;
    if (block->floats)
        __builtin_ia32_ldmxcsr(config->state->mxcsr);
    translate->counters.resumed++;
    return GO_ON;
}

static enum after left_block(struct entry *entry)
{
    struct translate *translate = entry->translate;
    uint32_t number = (uint32_t)translate->hot->site;
    const struct translate_site *site = &translate->sites[number];
    bool all = entry->chunk == *translate->config.left;
    *translate->config.left -= entry->chunk - ((int64_t)translate->hot->budget + site->refund);
    *translate->config.rip = site->rip;
    restore_spilled(translate, site);
    translate->undefined = site->undefined;
    entry->code = 0;
    switch ((enum site_kind)site->kind) {
    case SITE_STEP:
        return step(entry, number);
    case SITE_BUDGET:
        return all ? END_SHORT : GO_ON;
    case SITE_DEAD: {
        struct translate_target *target = translate_target_of(translate, site->rip, entry->mode);
        if (target)
            target->code = 0, target->negative = translate_no_target(site->rip);
        return GO_ON;
    }
    case SITE_BRANCH:
        entry->branch = (struct branch){number, translate->generation + 1};
        return GO_ON;
    }
    return END_STEP;
}

/* The block at RIP: false if there can be none. */
static bool look_up(struct entry *entry)
{
    struct translate *translate = entry->translate;
    int64_t left = *translate->config.left;
    uint64_t rip = *translate->config.rip;
    bool chains = entry->branch.generation == translate->generation + 1;
    entry->code = translate_lookup(translate, rip, entry->mode, !chains);
    if (!entry->code)
        return false;
    if (chains && entry->branch.generation == translate->generation + 1)
        translate_chain(translate, entry->branch.site, rip, entry->code);
    entry->branch.generation = 0;
    entry->chunk = left < MAX_CHUNK ? left : MAX_CHUNK;
    translate->hot->budget = (uint64_t)entry->chunk;
    translate->hot->floats = 0;
    return true;
}

enum translate_end translate_run(struct translate *translate, unsigned mode)
{
    struct entry entry = {.translate = translate, .mode = mode};
    enum after after = GO_ON;
    translate->undefined = 0;
    while (after == GO_ON) {
        if (!entry.code && !look_up(&entry))
            return TRANSLATE_STEP;
        translate->hot->hash = (uint64_t)(uintptr_t)translate->hashes[mode];
        translate->counters.entries++;
        translate->enter(translate->hot, entry.code);
        after = left_block(&entry);
    }
    return after == END_SHORT  ? TRANSLATE_SHORT
           : after == END_LOOK ? TRANSLATE_LOOK
                               : TRANSLATE_STEP;
}
