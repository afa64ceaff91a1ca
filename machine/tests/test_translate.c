/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The translator against an interpreter that decodes each instruction: same states at every stop.
 */
#include "flat.h"
#include "guest/work.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MEMORY ((uint64_t)4 << 20)
#define DATA (FLAT_BASE + 0x100000u)
#define STACK (FLAT_BASE + (unsigned)MEMORY - 4096)

static void load_work(struct flat *flat, uint32_t rounds)
{
    FILE *file = fopen(WORK_BINARY, "rb");
    struct work *work = (struct work *)(flat->memory + (DATA - FLAT_BASE));
    assert_non_null(file);
    assert_true(fread(flat->memory, 1, 0x10000, file) > 1000);
    fclose(file);
    work->rounds = rounds;
    work->seed = 7;
    flat->rip = FLAT_BASE;
    flat->native.gpr[7] = DATA;
    flat->native.gpr[4] = STACK;
}

static void results_are_those_of_the_host(void **state)
{
    static struct work expected = {.rounds = 3, .seed = 7};
    struct flat *flat = flat_create(MEMORY, true);
    uint64_t done;
    (void)state;
    assert_non_null(flat);
    load_work(flat, 3);
    assert_int_equal(flat_run(flat, INT64_MAX, &done), FLAT_STOPPED);
    work_all(&expected);
    assert_memory_equal(flat->memory + (DATA - FLAT_BASE), &expected, sizeof(expected));
    printf("%llu instructions, %llu blocks, %llu steps\n", (unsigned long long)done,
           (unsigned long long)translate_counters(flat->translate)->blocks,
           (unsigned long long)flat->steps);
    assert_true(flat->steps < 20000);
    flat_destroy(flat);
}

static void compare(const struct flat *a, const struct flat *b, uint64_t at)
{
    if (memcmp(&a->native, &b->native, sizeof(a->native)) || a->rip != b->rip)
        fail_msg("registers differ after %llu: rip %llx %llx", (unsigned long long)at,
                 (unsigned long long)a->rip, (unsigned long long)b->rip);
    if (memcmp(a->memory, b->memory, MEMORY))
        fail_msg("memory differs after %llu", (unsigned long long)at);
}

/* Both stop after the same numbers of instructions, large and small. */
static void every_stop_is_exact(void **state)
{
    struct flat *fast = flat_create(MEMORY, true), *slow = flat_create(MEMORY, false);
    uint64_t at = 0, done_fast, done_slow, seed = 1;
    int result = 0;
    (void)state;
    assert_non_null(fast);
    assert_non_null(slow);
    load_work(fast, 1);
    load_work(slow, 1);
    for (unsigned i = 0; i < 400 && result == 0; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        uint64_t budget = seed >> 33 & (i % 2 ? 63 : 4095);
        fast->no_tlb = i % 8 == 7;
        if (i % 16 == 15) {
            translate_flush(fast->translate);
            flat_flush(fast);
        }
        result = flat_run(fast, budget, &done_fast);
        assert_int_equal(flat_run(slow, budget, &done_slow), result);
        assert_int_equal(done_fast, done_slow);
        at += done_fast;
        compare(fast, slow, at);
    }
    flat_destroy(fast);
    flat_destroy(slow);
}

static void load_code(struct flat *flat, const void *code, size_t bytes)
{
    memcpy(flat->memory, code, bytes);
    flat->rip = FLAT_BASE;
    flat->native.gpr[4] = STACK;
}

static void run_both(const void *code, size_t bytes, int expected, void (*check)(struct flat *))
{
    struct flat *fast = flat_create(MEMORY, true), *slow = flat_create(MEMORY, false);
    uint64_t done_fast, done_slow;
    assert_non_null(fast);
    assert_non_null(slow);
    load_code(fast, code, bytes);
    load_code(slow, code, bytes);
    assert_int_equal(flat_run(slow, 100000, &done_slow), expected);
    assert_int_equal(flat_run(fast, 100000, &done_fast), expected);
    assert_int_equal(done_fast, done_slow);
    assert_int_equal(fast->vector, slow->vector);
    compare(fast, slow, done_fast);
    if (check)
        check(fast);
    flat_destroy(fast);
    flat_destroy(slow);
}

static void eax_is_8(struct flat *flat)
{
    assert_int_equal(flat->native.gpr[0], 8);
}

/* A loop that rewrites the immediate of an instruction before it, and one behind it in its block.
 */
static void code_may_change_itself(void **state)
{
    static const uint8_t code[] = {
        0x31, 0xc0,                               /* xor eax, eax */
        0xb9, 0x04, 0x00, 0x00, 0x00,             /* mov ecx, 4 */
        0x83, 0xc0, 0x01,                         /* loop: add eax, 1 */
        0xc6, 0x05, 0xf8, 0xff, 0xff, 0xff, 0x02, /* mov byte [loop + 2], 2 */
        0xc6, 0x05, 0x02, 0x00, 0x00, 0x00, 0x01, /* mov byte [next + 2], 1 */
        0x83, 0xe9, 0x02,                         /* next: sub ecx, 2 */
        0x75, 0xea,                               /* jnz loop */
        0x90, 0x83, 0xc0, 0x00, 0xcc,             /* nop; add eax, 0; int3 */
    };
    (void)state;
    /* 1, then 2 three times: the loop runs 4 times as its step becomes 1. */
    run_both(code, sizeof(code), FLAT_STOPPED, NULL);
}

static void faults_are_exact(void **state)
{
    /* add eax, -1; mov ecx, 0; div ecx: flags of the ADD are seen */
    static const uint8_t divide[] = {0x83, 0xc0, 0xff, 0xb9, 0, 0, 0, 0, 0xf7, 0xf1, 0xcc};
    /* cmp eax, 1; push rax; mov rbx, 0; movaps xmm0, [rsp - 3] */
    static const uint8_t align[] = {0x83, 0xf8, 0x01, 0x50, 0x0f, 0x28, 0x44, 0x24, 0xfd, 0xcc};
    /* cmp eax, 1; mov rbx, 0; mov [rbx], eax */
    static const uint8_t page[] = {0x83, 0xf8, 0x01, 0xbb, 0, 0, 0, 0, 0x89, 0x03, 0xcc};
    (void)state;
    run_both(divide, sizeof(divide), FLAT_FAULT, NULL);
    run_both(align, sizeof(align), FLAT_FAULT, NULL);
    run_both(page, sizeof(page), FLAT_FAULT, NULL);
}

/* push, pop, lea and friends with the registers that blocks use as scratch. */
static void scratch_registers_are_the_guests(void **state)
{
    static const uint8_t code[] = {
        0xb9, 3,    0,    0,    0,    /* mov ecx, 3 */
        0xba, 5,    0,    0,    0,    /* mov edx, 5 */
        0x51, 0x52,                   /* push rcx; push rdx */
        0x59, 0x5a,                   /* pop rcx; pop rdx */
        0x01, 0xca,                   /* add edx, ecx */
        0x52,                         /* push rdx */
        0x03, 0x14, 0x24,             /* add edx, [rsp] */
        0x48, 0x8d, 0x14, 0x14,       /* lea rdx, [rsp + rdx] */
        0x48, 0x29, 0xe2,             /* sub rdx, rsp */
        0x48, 0x8d, 0x64, 0x24, 0xf8, /* lea rsp, [rsp - 8] */
        0x48, 0x83, 0xc4, 0x08,       /* add rsp, 8 */
        0x48, 0x89, 0xe1,             /* mov rcx, rsp */
        0x48, 0x89, 0x0c, 0x24,       /* mov [rsp], rcx */
        0x48, 0x3b, 0x24, 0x24,       /* cmp rsp, [rsp] */
        0x48, 0x89, 0x64, 0x24, 0x08, /* mov [rsp + 8], rsp */
        0x75, 0x04,                   /* jnz out */
        0x58,                         /* pop rax */
        0xb8, 8,    0,    0,    0,    /* mov eax, 8 */
        0xcc,
    };
    (void)state;
    run_both(code, sizeof(code), FLAT_STOPPED, eax_is_8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_those_of_the_host),    cmocka_unit_test(every_stop_is_exact),
        cmocka_unit_test(code_may_change_itself),           cmocka_unit_test(faults_are_exact),
        cmocka_unit_test(scratch_registers_are_the_guests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
