/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cache of thunks, and its memory that is writable at one address and executable at another. */
#include "native_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define DEFAULT_CODE_BYTES ((size_t)64 << 20)
#define CODE_ALIGNMENT 16u
#define FIRST_SLOTS 4096u

/* A thunk with the key it is found by, and where its code lies. */
struct entry {
    struct native_thunk thunk;
    uint8_t key[24];             /* the rewritten bytes, RSP not renamed */
    uint32_t start, insn, fault; /* offsets in the code */
};

#define CHUNK_ENTRIES 256u
#define MAX_CHUNKS 16384u

struct native_cache {
    uint64_t features;
    uint8_t *writable, *executable;
    size_t code_bytes, code_used;
    struct entry **chunks; /* entries in the order of their code; they never move */
    size_t entry_count;
    uint32_t *slots;   /* open addressing: entry number + 1, 0: free */
    size_t slot_count; /* a power of two */
    struct native_cache *outer;
    native_resolve extra;
    void *extra_ctx;
};

void native_cache_set_extra(struct native_cache *cache, native_resolve resolve, void *ctx)
{
    cache->extra = resolve;
    cache->extra_ctx = ctx;
}

bool native_cache_resolve_extra(const struct native_cache *cache, uint64_t rip, uint64_t *go_on)
{
    return cache->extra && cache->extra(cache->extra_ctx, rip, go_on);
}

struct native_cache *native_cache_outer(const struct native_cache *cache)
{
    return cache->outer;
}

void native_cache_set_outer(struct native_cache *cache, struct native_cache *outer)
{
    cache->outer = outer;
}

static struct entry *entry_at(const struct native_cache *cache, size_t number)
{
    return &cache->chunks[number / CHUNK_ENTRIES][number % CHUNK_ENTRIES];
}

int native_map_code(size_t bytes, uint8_t **writable, uint8_t **executable)
{
    int fd = memfd_create("xenrewind-code", MFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    int error = 0;
    void *write = MAP_FAILED, *execute = MAP_FAILED;
    if (ftruncate(fd, (off_t)bytes) == 0) {
        write = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        execute = mmap(NULL, bytes, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    }
    if (write == MAP_FAILED || execute == MAP_FAILED)
        error = -errno;
    close(fd);
    if (error) {
        if (write != MAP_FAILED)
            munmap(write, bytes);
        return error;
    }
    *writable = write;
    *executable = execute;
    return 0;
}

int native_cache_create(struct native_cache **cache, size_t code_bytes)
{
    struct native_cache *made = calloc(1, sizeof(*made));
    int error = -ENOMEM;
    if (!made)
        return error;
    made->features = native_host_features();
    made->code_bytes = code_bytes ? code_bytes : DEFAULT_CODE_BYTES;
    made->slot_count = FIRST_SLOTS;
    made->slots = calloc(made->slot_count, sizeof(*made->slots));
    made->chunks = calloc(MAX_CHUNKS, sizeof(struct entry *));
    if (made->slots && made->chunks)
        error = native_map_code(made->code_bytes, &made->writable, &made->executable);
    if (error) {
        native_cache_destroy(made);
        return error;
    }
    *cache = made;
    return 0;
}

void native_cache_destroy(struct native_cache *cache)
{
    if (!cache)
        return;
    if (cache->writable)
        munmap(cache->writable, cache->code_bytes);
    if (cache->executable)
        munmap(cache->executable, cache->code_bytes);
    for (size_t i = 0; cache->chunks && i < MAX_CHUNKS; i++)
        free(cache->chunks[i]);
    free(cache->chunks);
    free(cache->slots);
    free(cache);
}

void native_cache_reset(struct native_cache *cache)
{
    memset(cache->slots, 0, cache->slot_count * sizeof(*cache->slots));
    cache->entry_count = 0;
    cache->code_used = 0;
}

/* FNV-1a */
static size_t hash(const uint8_t *key)
{
    uint64_t value = 0xcbf29ce484222325u;
    for (size_t i = 0; i < sizeof(((struct entry *)0)->key); i++)
        value = (value ^ key[i]) * 0x100000001b3u;
    return (size_t)(value ^ value >> 32);
}

/* The slot that holds the key, or the free one where it would go. */
static uint32_t *find(struct native_cache *cache, const uint8_t *key)
{
    size_t at = hash(key) & (cache->slot_count - 1);
    while (cache->slots[at] && memcmp(entry_at(cache, cache->slots[at] - 1)->key, key,
                                      sizeof(((struct entry *)0)->key)))
        at = (at + 1) & (cache->slot_count - 1);
    return &cache->slots[at];
}

static int grow(struct native_cache *cache)
{
    uint32_t *slots = calloc(cache->slot_count * 2, sizeof(*slots));
    if (!slots)
        return -ENOMEM;
    free(cache->slots);
    cache->slots = slots;
    cache->slot_count *= 2;
    for (size_t i = 0; i < cache->entry_count; i++)
        *find(cache, entry_at(cache, i)->key) = (uint32_t)i + 1;
    return 0;
}

/* Room for one more thunk: its entry, its slot, its code. */
static int reserve(struct native_cache *cache)
{
    struct entry **chunk = &cache->chunks[cache->entry_count / CHUNK_ENTRIES];
    if (cache->code_bytes - cache->code_used < NATIVE_MAX_THUNK ||
        cache->entry_count == (size_t)MAX_CHUNKS * CHUNK_ENTRIES)
        return -ENOSPC;
    if (!*chunk)
        *chunk = calloc(CHUNK_ENTRIES, sizeof(struct entry));
    if (!*chunk)
        return -ENOMEM;
    return cache->entry_count * 2 >= cache->slot_count ? grow(cache) : 0;
}

static bool has_bit_register(const ZydisDecodedInstruction *insn,
                             const ZydisDecodedOperand *operands, const struct native_use *use)
{
    bool bit_test = insn->mnemonic == ZYDIS_MNEMONIC_BT || insn->mnemonic == ZYDIS_MNEMONIC_BTS ||
                    insn->mnemonic == ZYDIS_MNEMONIC_BTR || insn->mnemonic == ZYDIS_MNEMONIC_BTC;
    return bit_test && use->memory && operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER;
}

static void describe(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operands,
                     const struct native_use *use, struct native_thunk *thunk)
{
    thunk->needs = use->needs;
    thunk->x87 = use->needs == NATIVE_NEEDS_X87;
    thunk->align = native_alignment(insn, use);
    thunk->masked = native_is_masked(insn, use);
    thunk->bit_register = -1;
    thunk->access = 0;
    thunk->bytes = 0;
    if (!use->memory)
        return;
    thunk->bytes = (uint8_t)(use->memory->size / 8);
    thunk->access =
        (uint8_t)((use->memory->actions & ZYDIS_OPERAND_ACTION_MASK_READ ? NATIVE_READS : 0) |
                  (use->memory->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE ? NATIVE_WRITES : 0));
    if (has_bit_register(insn, operands, use))
        thunk->bit_register = (int8_t)ZydisRegisterGetId(
            ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, operands[1].reg.value));
}

/* In 16-bit code the operand-size prefix means 32 bits, but not where it is part of the opcode:
 * take the rewriting that decodes to the same. */
static int rewrite(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operands,
                   const uint8_t *bytes, const struct native_roles *roles, bool *widen,
                   struct native_form *form)
{
    bool legacy16 = insn->machine_mode == ZYDIS_MACHINE_MODE_LEGACY_16 ||
                    insn->machine_mode == ZYDIS_MACHINE_MODE_LONG_COMPAT_16 ||
                    insn->machine_mode == ZYDIS_MACHINE_MODE_REAL_16;
    for (int attempt = 0; attempt < (legacy16 ? 2 : 1); attempt++) {
        *widen = attempt == 1;
        int error =
            native_rewrite(insn, operands, bytes, roles->memory, roles->stack, *widen, form);
        if (error)
            return error;
        if (native_same(insn, operands, bytes, form, roles->memory, roles->stack))
            return 0;
    }
    return -ENOTSUP;
}

static int make(struct native_cache *cache, const struct native_use *use,
                const struct native_roles *roles, const struct native_form *form,
                struct entry **entry)
{
    struct native_layout layout;
    int error = reserve(cache);
    if (error)
        return error;
    *entry = entry_at(cache, cache->entry_count);
    native_generate(cache->writable + cache->code_used, use, roles, form, &layout);
    uint8_t *code = cache->executable + cache->code_used;
    /* ISO C has no cast from data to code; the copy is POSIX's way. */
    memcpy(&(*entry)->thunk.code, &code, sizeof(code));
    (*entry)->start = (uint32_t)cache->code_used;
    (*entry)->insn = (*entry)->start + layout.insn;
    (*entry)->fault = (*entry)->start + layout.fault;
    cache->code_used += (layout.end + CODE_ALIGNMENT - 1) / CODE_ALIGNMENT * CODE_ALIGNMENT;
    return 0;
}

int native_compile(struct native_cache *cache, const ZydisDecodedInstruction *insn,
                   const ZydisDecodedOperand *operands, const uint8_t *bytes,
                   const struct native_thunk **thunk)
{
    struct native_use use;
    struct native_roles roles;
    struct native_form form, key;
    struct entry *entry;
    bool widen;
    int error = native_use_of(insn, operands, cache->features, &use);
    if (error)
        return error;
    native_choose_roles(&use, &roles);
    error = rewrite(insn, operands, bytes, &roles, &widen, &form);
    if (!error)
        error = native_rewrite(insn, operands, bytes, roles.memory, RSP, widen, &key);
    if (error)
        return error;
    uint32_t *slot = find(cache, key.bytes);
    if (!*slot) {
        error = make(cache, &use, &roles, &form, &entry);
        if (error)
            return error;
        memcpy(entry->key, key.bytes, sizeof(entry->key));
        describe(insn, operands, &use, &entry->thunk);
        *find(cache, key.bytes) = (uint32_t)++cache->entry_count;
        slot = find(cache, key.bytes);
    }
    *thunk = &entry_at(cache, *slot - 1)->thunk;
    return 0;
}

bool native_cache_resolve(const struct native_cache *cache, uint64_t rip, uint64_t *go_on)
{
    uint64_t base = (uint64_t)(uintptr_t)cache->executable;
    if (rip < base || rip >= base + cache->code_used)
        return false;
    uint32_t offset = (uint32_t)(rip - base);
    size_t low = 0, high = cache->entry_count; /* the last entry that starts at or before it */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (entry_at(cache, middle)->start <= offset)
            low = middle;
        else
            high = middle;
    }
    if (entry_at(cache, low)->insn != offset)
        return false; /* not the guest's instruction: a defect of ours */
    *go_on = base + entry_at(cache, low)->fault;
    return true;
}

/* FIP and FDP of an FXSAVE image. */
#define FIP_OFFSET 8
#define FDP_OFFSET 16

void native_x87_note(const struct native_cache *cache, struct native_state *state,
                     const void *memory, uint64_t rip, uint64_t operand)
{
    uint64_t fip, fdp, base = (uint64_t)(uintptr_t)cache->executable;
    memcpy(&fip, state->fx + FIP_OFFSET, sizeof(fip));
    memcpy(&fdp, state->fx + FDP_OFFSET, sizeof(fdp));
    if (fip >= base && fip < base + cache->code_used)
        memcpy(state->fx + FIP_OFFSET, &rip, sizeof(rip));
    if (memory && fdp == (uint64_t)(uintptr_t)memory)
        memcpy(state->fx + FDP_OFFSET, &operand, sizeof(operand));
}
