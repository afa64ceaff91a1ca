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
#define MAX_CHUNK ((uint64_t)1 << 30)

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

static void clear_tlb(struct translate *translate)
{
    struct translate_tlb *tlb = &translate->hot->tlb[0][0];
    for (unsigned i = 0; i < 4; i++)
        for (unsigned slot = 0; slot < TLB_SLOTS; slot++)
            tlb[i].negative[slot] = TLB_EMPTY;
}

static void clear_hashes(struct translate *translate)
{
    for (unsigned mode = 0; mode < TRANSLATE_MODES; mode++)
        if (translate->hashes[mode])
            translate_clear_hash(translate->hashes[mode]);
}

void translate_flush(struct translate *translate)
{
    clear_tlb(translate);
    clear_hashes(translate);
    translate_unchain(translate);
}

void translate_flush_page(struct translate *translate, uint64_t page)
{
    struct translate_tlb *tlb = &translate->hot->tlb[0][0];
    for (unsigned i = 0; i < 4; i++)
        tlb[i].negative[page >> 12 & (TLB_SLOTS - 1)] = TLB_EMPTY;
    clear_hashes(translate);
    translate_unchain(translate);
}

void translate_reset(struct translate *translate)
{
    clear_hashes(translate);
    memset(translate->buckets, 0, sizeof(translate->buckets));
    memset(translate->frames, 0, sizeof(translate->frames));
    translate->block_count = translate->site_count = translate->fault_count = 0;
    translate->crossing_count = 0;
    translate->code_used = translate->code_first;
    translate->generation++;
    translate->counters.resets++;
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
    memset(hot, 0, offsetof(struct translate_hot, tlb));
    hot->mask_index = (uint64_t)(TLB_SLOTS - 1) << 12;
    hot->mask_page = ~(uint64_t)0xfff;
    hot->mask_sign = (uint64_t)1 << 63;
    hot->mask_hash = HASH_SLOTS - 1;
    clear_tlb(translate);
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

int translate_create(struct native_cache *cache, struct native_state *state, uint64_t *rip,
                     const uint64_t *fs_base, const uint64_t *gs_base,
                     const struct translate_ops *ops, void *ctx, size_t code_bytes,
                     struct translate **out)
{
    if (!host_has_bmi2())
        return -ENOTSUP;
    struct translate *made = calloc(1, sizeof(*made));
    if (!made)
        return -ENOMEM;
    made->cache = cache;
    made->state = state;
    made->hot = translate_hot_of(state);
    made->rip = rip;
    made->fs_disp = (int32_t)((const uint8_t *)fs_base - (const uint8_t *)made->hot);
    made->gs_disp = (int32_t)((const uint8_t *)gs_base - (const uint8_t *)made->hot);
    made->ops = ops;
    made->ctx = ctx;
    made->features = native_host_features();
    made->code_bytes = code_bytes ? code_bytes : DEFAULT_CODE_BYTES;
    ZydisDecoderInit(&made->decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    int error = native_map_code(made->code_bytes, &made->writable, &made->executable);
    if (error) {
        free(made);
        return error;
    }
    emit_fixed(made);
    prepare_hot(made);
    native_cache_set_extra(cache, resolve_fault, made);
    *out = made;
    return 0;
}

void translate_destroy(struct translate *translate)
{
    if (!translate)
        return;
    native_cache_set_extra(translate->cache, NULL, NULL);
    munmap(translate->writable, translate->code_bytes);
    munmap(translate->executable, translate->code_bytes);
    for (unsigned mode = 0; mode < TRANSLATE_MODES; mode++)
        free(translate->hashes[mode]);
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

/* The number behind the CALL that left. */
static uint32_t site_left(const struct translate *translate)
{
    uint64_t base = (uint64_t)(uintptr_t)translate->executable;
    uint32_t number;
    memcpy(&number, translate->writable + (translate->hot->site - base), sizeof(number));
    return number;
}

static void restore_spilled(struct translate *translate, const struct translate_site *site)
{
    uint64_t *gpr = translate->state->gpr;
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

struct run {
    struct translate *translate;
    uint64_t left;
    unsigned mode;
    uint32_t branch;     /* the site that was left by a branch */
    uint64_t generation; /* ... then; else 0 */
};

static int step(struct run *run)
{
    struct translate *translate = run->translate;
    unsigned finished = 0;
    int result = translate->ops->step(translate->ctx, &finished);
    translate->counters.steps++;
    run->left -= finished;
    return result;
}

/* The TLB did not have it: now that the interpreter has been there, it may be had. */
static void fill_tlb(struct run *run, uint64_t address, bool write)
{
    struct translate *translate = run->translate;
    uint64_t page = address & ~(uint64_t)0xfff;
    unsigned slot = (unsigned)(page >> 12 & (TLB_SLOTS - 1));
    uint8_t *host = translate->ops->probe(translate->ctx, page, write, run->mode);
    if (!host)
        return;
    struct translate_tlb *tlb =
        &translate->hot->tlb[run->mode & TRANSLATE_USER ? 1 : 0][write ? 1 : 0];
    tlb->negative[slot] = 0 - page;
    tlb->addend[slot] = (uint64_t)(uintptr_t)host - page;
}

static int left_block(struct run *run, uint64_t chunk)
{
    struct translate *translate = run->translate;
    uint32_t number = site_left(translate);
    struct translate_site site = translate->sites[number]; /* a copy: code may be forgotten */
    uint64_t value = site.m != NO_REGISTER ? translate->state->gpr[site.m] : 0;
    bool all = chunk == run->left;
    run->left -= chunk - (translate->hot->budget + site.refund);
    restore_spilled(translate, &site);
    *translate->rip = site.rip;
    int result = 0;
    switch ((enum site_kind)site.kind) {
    case SITE_BRANCH:
        run->branch = number;
        run->generation = translate->generation + 1;
        break;
    case SITE_BUDGET:
        while (all && run->left && result == 0)
            result = step(run);
        break;
    case SITE_DEAD: {
        struct translate_target *target = translate_target_of(translate, site.rip, run->mode);
        if (target)
            target->code = 0, target->negative = translate_no_target(site.rip);
        break;
    }
    case SITE_STEP:
    case SITE_READ:
    case SITE_WRITE:
    case SITE_FAULT:
        if (run->left)
            result = step(run);
        if (result == 0 && (site.kind == SITE_READ || site.kind == SITE_WRITE))
            fill_tlb(run, value, site.kind == SITE_WRITE);
        break;
    }
    return result;
}

static int run_block(struct run *run)
{
    struct translate *translate = run->translate;
    uint64_t chunk = run->left < MAX_CHUNK ? run->left : MAX_CHUNK;
    int mode = translate->ops->mode(translate->ctx);
    uint64_t rip = *translate->rip;
    uint64_t code = mode < 0 ? 0 : translate_lookup(translate, rip, (unsigned)mode);
    if (!code)
        return step(run);
    if (run->generation == translate->generation + 1 && run->mode == (unsigned)mode)
        translate_chain(translate, run->branch, rip, code);
    run->generation = 0;
    run->mode = (unsigned)mode;
    translate->hot->budget = chunk;
    translate->hot->floats = 0;
    translate->hot->hash = (uint64_t)(uintptr_t)translate->hashes[mode];
    translate->counters.entries++;
    translate->enter(translate->hot, code);
    return left_block(run, chunk);
}

int translate_run(struct translate *translate, uint64_t budget, uint64_t *done)
{
    struct run run = {.translate = translate, .left = budget};
    int result = 0;
    while (run.left && result == 0)
        result = run_block(&run);
    *done = budget - run.left;
    return result;
}
