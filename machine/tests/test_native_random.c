/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every instruction form that thunks exist for, with random registers and memory: run as a thunk,
 * and run bare on the same processor; all registers, flags, memory and faults must be equal.
 *
 *   test_native_random [--seed N] [--rounds N] [--runs N]
 *
 * By hand, for an hour: --seed $RANDOM --rounds 1000000.
 */
#include "bare.h"
#include "forms.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLICE_BEFORE 1024u
#define SLICE_BYTES 2304u

/* The thunk's copy of the data, at the same offset in a page as the bare instruction's. */
static _Alignas(4096) uint8_t mirror[BARE_DATA_BYTES];

struct test {
    ZydisDecoder decoder;
    struct native_cache *cache;
    struct random random;
    uint64_t seed;
    unsigned runs, attempts_per_form;
    unsigned long tried, run, faulted, differed;
    bool mnemonics[ZYDIS_MNEMONIC_MAX_VALUE + 1];
    bool avx512;
};

/* One instruction with everything it starts from. */
struct sample {
    uint8_t bytes[15];
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    const struct native_thunk *thunk;
    struct native_state before;
    uint32_t target; /* address of the memory operand, 0: none */
};

static bool decode(const struct test *test, struct sample *sample)
{
    return ZYAN_SUCCESS(
        native_decode(&test->decoder, sample->bytes, 15, &sample->insn, sample->operands));
}

static const ZydisDecodedOperand *memory_of(const struct sample *sample)
{
    for (unsigned i = 0; i < sample->insn.operand_count; i++)
        if (sample->operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
            return &sample->operands[i];
    return NULL;
}

/* DIV of random numbers nearly always overflows: make the upper half small half of the time. */
static void tame_division(struct test *test, struct sample *sample)
{
    if ((sample->insn.mnemonic == ZYDIS_MNEMONIC_DIV ||
         sample->insn.mnemonic == ZYDIS_MNEMONIC_IDIV) &&
        random_below(&test->random, 2))
        sample->before.gpr[2] = random_below(&test->random, 4);
}

static bool aim(struct test *test, struct sample *sample)
{
    const ZydisDecodedOperand *memory = memory_of(sample);
    sample->target = 0;
    if (!memory)
        return true;
    if (memory->mem.segment == ZYDIS_REGISTER_FS || memory->mem.segment == ZYDIS_REGISTER_GS)
        return false; /* these are the C library's */
    sample->target = BARE_DATA_ADDRESS + BARE_DATA_BYTES / 2 + 64 * random_below(&test->random, 4);
    if (random_below(&test->random, 4) == 0)
        sample->target += random_below(&test->random, 64);
    int bit = sample->thunk->bit_register;
    if (bit >= 0)
        sample->before.gpr[bit] = random_below(&test->random, 8192) - 4096ul;
    if (!forms_aim(&sample->insn, memory, &test->random, BARE_INSN_ADDRESS, sample->target,
                   sample->bytes, &sample->before) ||
        !decode(test, sample))
        return false;
    return bit < 0 || sample->before.gpr[bit] + 4096 < 8192;
}

static void forget_what_the_host_lacks(const struct test *test, struct native_state *state)
{
    if (test->avx512)
        return;
    memset(state->k, 0, sizeof(state->k));
    for (unsigned i = 0; i < 32; i++)
        memset(state->zmm[i] + (i < 16 ? 32 : 0), 0, i < 16 ? 32 : 64);
}

static bool make(struct test *test, const struct form *form, struct sample *sample)
{
    forms_encode(form, &test->random, sample->bytes);
    if (!decode(test, sample))
        return false;
    test->tried++;
    if (native_compile(test->cache, &sample->insn, sample->operands, sample->bytes,
                       &sample->thunk) != 0)
        return false;
    forms_state(&test->random, &sample->before);
    forget_what_the_host_lacks(test, &sample->before);
    tame_division(test, sample);
    return aim(test, sample);
}

static void print_bytes(const char *what, const void *data, unsigned count)
{
    const uint8_t *bytes = data;
    printf("  %-12s", what);
    for (unsigned i = 0; i < count; i++)
        printf("%02x", bytes[i]);
    printf("\n");
}

static bool same(const char *what, unsigned index, const void *before, const void *bare,
                 const void *thunk, unsigned bytes)
{
    char name[32];
    if (memcmp(bare, thunk, bytes) == 0)
        return true;
    snprintf(name, sizeof(name), "%s%u", what, index);
    printf(" %s differs:\n", name);
    print_bytes("before", before, bytes);
    print_bytes("bare", bare, bytes);
    print_bytes("thunk", thunk, bytes);
    return false;
}

/* Control word, tags and registers; the status word without ES and B, which follow from it. */
static bool same_x87(const struct native_state *before, const struct native_state *bare,
                     const struct native_state *thunk)
{
    bool equal = same("fcw", 0, before->fx, bare->fx, thunk->fx, 2) &&
                 same("ftw", 0, before->fx + 4, bare->fx + 4, thunk->fx + 4, 1);
    uint8_t status[3][2] = {
        {before->fx[2], before->fx[3]}, {bare->fx[2], bare->fx[3]}, {thunk->fx[2], thunk->fx[3]}};
    for (unsigned i = 0; i < 3; i++) {
        status[i][0] &= 0x7f;
        status[i][1] &= 0x7f;
    }
    equal = same("fsw", 0, status[0], status[1], status[2], 2) && equal;
    for (unsigned i = 0; i < 8; i++)
        equal = same("st", i, before->fx + 32 + 16 * i, bare->fx + 32 + 16 * i,
                     thunk->fx + 32 + 16 * i, 10) &&
                equal;
    return equal;
}

static bool same_state(const struct native_state *before, const struct native_state *bare,
                       const struct native_state *thunk)
{
    bool equal = same("flags", 0, &before->flags, &bare->flags, &thunk->flags, 2);
    equal = same("mxcsr", 0, &before->mxcsr, &bare->mxcsr, &thunk->mxcsr, 4) && equal;
    for (unsigned i = 0; i < 16; i++)
        equal = same("gpr", i, &before->gpr[i], &bare->gpr[i], &thunk->gpr[i], 8) && equal;
    for (unsigned i = 0; i < 32; i++)
        equal = same("zmm", i, before->zmm[i], bare->zmm[i], thunk->zmm[i], 64) && equal;
    for (unsigned i = 0; i < 8; i++)
        equal = same("k", i, &before->k[i], &bare->k[i], &thunk->k[i], 8) && equal;
    return same_x87(before, bare, thunk) && equal;
}

static bool same_memory(const struct sample *sample, const uint8_t *before)
{
    if (!sample->target)
        return true;
    uint32_t start = sample->target - SLICE_BEFORE;
    return same("memory", start, before, (const void *)(uintptr_t)start,
                mirror + (start - BARE_DATA_ADDRESS), SLICE_BYTES);
}

/* A misaligned operand that the processor refuses is one that the thunk says must be aligned. */
static bool alignment_is_known(const struct sample *sample, int fault)
{
    bool misaligned = sample->target % sample->thunk->align != 0;
    if (sample->thunk->masked &&
        native_lanes(&sample->insn, sample->operands, &sample->before) == 0)
        return true; /* nothing is touched: some processors check, some do not */
    if (misaligned ? fault != 0 : fault != (NATIVE_FAULT | 13) || !sample->target)
        return true;
    printf(" alignment of %u: target %x, fault %x\n", sample->thunk->align, sample->target, fault);
    return false;
}

static void report(const struct test *test, const struct sample *sample)
{
    ZydisFormatter formatter;
    char text[128] = "";
    ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
    ZydisFormatterFormatInstruction(&formatter, &sample->insn, sample->operands,
                                    sample->insn.operand_count_visible, text, sizeof(text),
                                    BARE_INSN_ADDRESS, NULL);
    printf("seed %llu: %s\n", (unsigned long long)test->seed, text);
    print_bytes("code", sample->bytes, sample->insn.length);
}

static void run_sample(struct test *test, struct sample *sample)
{
    static uint8_t before_memory[SLICE_BYTES];
    struct native_state bare = sample->before, thunk = sample->before;
    uint8_t *data = (uint8_t *)(uintptr_t)BARE_DATA_ADDRESS;
    void *operand = NULL;
    if (sample->target) {
        uint32_t start = sample->target - SLICE_BEFORE - BARE_DATA_ADDRESS;
        struct native_state noise;
        forms_state(&test->random, &noise);
        memcpy(before_memory, noise.zmm, sizeof(noise.zmm));
        memcpy(before_memory + SLICE_BEFORE, noise.zmm, SLICE_BYTES - SLICE_BEFORE);
        memcpy(data + start, before_memory, SLICE_BYTES);
        memcpy(mirror + start, before_memory, SLICE_BYTES);
        operand = mirror + (sample->target - BARE_DATA_ADDRESS);
    }
    int bare_fault = bare_run(sample->bytes, sample->insn.length, &bare);
    int thunk_fault = native_run(sample->thunk, &thunk, operand);
    test->run++;
    test->faulted += bare_fault != 0;
    test->mnemonics[sample->insn.mnemonic] = true;
    bool equal = bare_fault == thunk_fault && alignment_is_known(sample, bare_fault);
    equal = equal && same_state(&sample->before, &bare, &thunk);
    if (equal && same_memory(sample, before_memory))
        return;
    test->differed++;
    if (bare_fault != thunk_fault)
        printf(" fault: bare %x, thunk %x\n", bare_fault, thunk_fault);
    report(test, sample);
}

static void run_form(struct test *test, const struct form *form)
{
    struct sample sample;
    unsigned runs = 0;
    for (unsigned i = 0; i < test->attempts_per_form && runs < test->runs; i++) {
        if (!make(test, form, &sample))
            continue;
        run_sample(test, &sample);
        runs++;
        if (test->differed > 40)
            return;
    }
}

/* Were nearly all mnemonics of the table reached?  A table that denies all would pass else. */
static bool enough(const struct test *test)
{
    unsigned mnemonics = 0;
    for (unsigned i = 0; i <= ZYDIS_MNEMONIC_MAX_VALUE; i++)
        mnemonics += test->mnemonics[i];
    printf("seed %llu: %lu instructions run of %lu tried, %lu faulted, %u mnemonics, %lu differ\n",
           (unsigned long long)test->seed, test->run, test->tried, test->faulted, mnemonics,
           test->differed);
    return test->run > 1000 && test->faulted > 100 && mnemonics >= (test->avx512 ? 900 : 500);
}

int main(int argc, char **argv)
{
    struct test test = {.seed = 1, .runs = 6, .attempts_per_form = 24};
    unsigned long rounds = 1;
    for (int i = 1; i + 1 < argc; i += 2) {
        unsigned long value = strtoul(argv[i + 1], NULL, 0);
        if (strcmp(argv[i], "--seed") == 0)
            test.seed = value;
        else if (strcmp(argv[i], "--rounds") == 0)
            rounds = value;
        else if (strcmp(argv[i], "--runs") == 0)
            test.runs = (unsigned)value, test.attempts_per_form = 4 * test.runs;
    }
    test.random.state = test.seed;
    if (bare_init() != 0 || native_cache_create(&test.cache, 0) != 0 ||
        native_enter(test.cache) != 0) {
        printf("cannot set up\n");
        return 1;
    }
    ZydisDecoderInit(&test.decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    test.avx512 = __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    for (unsigned long round = 0; round < rounds && test.differed <= 40; round++)
        for (unsigned n = 0; n < forms_count() && test.differed <= 40; n++) {
            struct form form;
            forms_get(n, &form);
            run_form(&test, &form);
        }
    native_leave(test.cache);
    bool ok = enough(&test) && test.differed == 0;
    native_cache_destroy(test.cache);
    return ok ? 0 : 1;
}
