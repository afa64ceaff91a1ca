/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The translator against the interpreter in lock step, on the whole machine: a user program under a
 * kernel that takes timer interrupts, flushes translations, and changes code.  At every stop all
 * registers and all memory are equal.
 */
#include "guest.h"
#include "work_machine.h"

#include <stdio.h>

#define ROUNDS 2
#define SEED 7

/* Counts; reads and writes the user's stack; flushes a translation; patches its own immediate and
 * runs it, and an instruction of the user's code page now and then; returns. */
GUEST_ASM(tick, "push rax\n push rcx\n push rdx\n"
                "lock inc qword ptr [0x40000]\n"
                "mov rax, [rsp + 0x30]\n"
                "mov rcx, [rax - 8]\n add rcx, [0x40000]\n mov [0x40008], rcx\n"
                "invlpg [rax]\n"
                "mov ecx, [0x40000]\n mov [rip + 1f + 1], ecx\n"
                "1: mov edx, 0x11111111\n add [0x40010], rdx\n"
                "test cl, 7\n jnz 2f\n mov rax, cr3\n mov cr3, rax\n"
                "mov al, [0x400000]\n mov [0x400000], al\n"
                "2: pushfq\n cli\n popfq\n"
                "pop rdx\n pop rcx\n pop rax\n iretq");

static struct xrw_machine *make(bool translator)
{
    static uint8_t image[65536];
    FILE *file = fopen(WORK_BINARY, "rb");

    assert_non_null(file);
    size_t bytes = fread(image, 1, sizeof image, file);
    fclose(file);
    struct xrw_machine *m = work_machine_create(image, bytes, ROUNDS, SEED);
    assert_non_null(m);
    xrw_machine_set_translator(m, translator);
    assert_int_equal(xrw_machine_write(m, WORK_KERNEL, tick, (size_t)(tick_end - tick)), 0);
    return m;
}

static void compare(const struct xrw_machine *a, const struct xrw_machine *b, uint64_t at)
{
    static struct xrw_machine_state x, y;

    xrw_machine_store(a, &x);
    xrw_machine_store(b, &y);
    for (unsigned i = 0; i < XRW_REGISTER_COUNT; i++)
        if (x.regs.value[i] != y.regs.value[i])
            fail_msg("%s differs after %llu: %llx, interpreted %llx", xrw_register_table[i].name,
                     (unsigned long long)at, (unsigned long long)x.regs.value[i],
                     (unsigned long long)y.regs.value[i]);
    assert_memory_equal(x.xsave, y.xsave, sizeof x.xsave);
    for (xrw_gfn gfn = 0; gfn < WORK_BYTES >> XRW_PAGE_SHIFT; gfn++) {
        const uint8_t *p = xrw_machine_page_content(a, gfn), *q = xrw_machine_page_content(b, gfn);
        if (!p != !q || (p && memcmp(p, q, XRW_PAGE_BYTES)))
            fail_msg("page %llx differs after %llu", (unsigned long long)gfn,
                     (unsigned long long)at);
    }
}

static void lock_step(void **state)
{
    struct xrw_machine *fast = make(true), *slow = make(false);
    struct xrw_machine_result f, s = {0};
    uint64_t seed = 1;

    (void)state;
    for (unsigned i = 0; s.stop == XRW_STOP_COUNT; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        struct xrw_machine_until until = {.instructions = seed >> 33 & (i % 2 ? 31 : 32767)};
        if (i % 3 == 2) {
            uint32_t info = 0x80000000u | WORK_TIMER;
            bool possible = xrw_machine_interruptible(slow);
            assert_int_equal(possible, xrw_machine_interruptible(fast));
            if (possible) {
                assert_int_equal(xrw_machine_inject(fast, info, 0, 0), 0);
                assert_int_equal(xrw_machine_inject(slow, info, 0, 0), 0);
            }
        }
        assert_int_equal(xrw_machine_run(fast, &until, &f), 0);
        assert_int_equal(xrw_machine_run(slow, &until, &s), 0);
        assert_int_equal(f.stop, s.stop);
        assert_int_equal(f.instructions, s.instructions);
        assert_int_equal(xrw_machine_count(fast), xrw_machine_count(slow));
        compare(fast, slow, xrw_machine_count(slow));
    }
    if (s.stop == XRW_STOP_UNHANDLED)
        print_error("unhandled: %s\n", s.text.text);
    /* The end: INT3, for which there is no gate, nor one for what follows from that. */
    assert_int_equal(s.stop, XRW_STOP_EXIT);
    static struct work expected = {.rounds = ROUNDS, .seed = SEED}, results;
    work_all(&expected);
    assert_int_equal(xrw_machine_read(fast, WORK_DATA, &results, sizeof results), 0);
    assert_memory_equal(&results, &expected, sizeof results);
    uint64_t ticks;
    assert_int_equal(xrw_machine_read(fast, 0x40000, &ticks, sizeof ticks), 0);
    assert_true(ticks > 20);
    printf("%llu instructions, %llu interrupts\n", (unsigned long long)xrw_machine_count(fast),
           (unsigned long long)ticks);
    xrw_machine_destroy(fast);
    xrw_machine_destroy(slow);
}

#define STOPS 120u

static uint64_t hash(uint64_t value, const void *data, size_t bytes)
{
    const uint8_t *at = data;
    for (size_t i = 0; i < bytes; i += 8) {
        uint64_t word;
        memcpy(&word, at + i, 8);
        value = (value ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        value ^= value >> 32;
    }
    return value;
}

/* Of all registers and all memory. */
static uint64_t hash_machine(const struct xrw_machine *m)
{
    static struct xrw_machine_state state;
    uint64_t value = 1;

    xrw_machine_store(m, &state);
    value = hash(value, state.regs.value, sizeof state.regs.value);
    value = hash(value, state.xsave, sizeof state.xsave);
    for (xrw_gfn gfn = 0; gfn < WORK_BYTES >> XRW_PAGE_SHIFT; gfn++) {
        static const uint8_t zero[XRW_PAGE_BYTES]; /* what a page not yet used holds */
        const uint8_t *content = xrw_machine_page_content(m, gfn);
        value = hash(value, content ? content : zero, XRW_PAGE_BYTES);
    }
    return value;
}

/* Forward in strides with interrupts, then back through the same places, and forward again. */
static void go_back(bool translator)
{
    struct xrw_machine *m = make(translator);
    struct xrw_machine_result result;
    static uint64_t counts[STOPS], hashes[STOPS];
    uint64_t seed = 5;

    assert_int_equal(xrw_machine_log(m, (size_t)256 << 20), 0);
    for (unsigned i = 0; i < STOPS; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        struct xrw_machine_until until = {.instructions = seed >> 33 & (i % 2 ? 31 : 65535)};
        counts[i] = xrw_machine_count(m);
        hashes[i] = hash_machine(m);
        if (i % 3 == 2 && xrw_machine_interruptible(m))
            assert_int_equal(xrw_machine_inject(m, 0x80000000u | WORK_TIMER, 0, 0), 0);
        assert_int_equal(xrw_machine_run(m, &until, &result), 0);
        assert_int_equal(result.stop, XRW_STOP_COUNT);
    }
    for (unsigned i = STOPS; i-- > 0;) {
        struct xrw_error err = {0};
        if (i % 3 == 2 || (i + 1 < STOPS && counts[i] == counts[i + 1]))
            continue; /* the count does not tell whether an interrupt was delivered by then */
        if (xrw_machine_undo(m, counts[i], &err) != 0)
            fail_msg("to %llu: %s", (unsigned long long)counts[i], err.text);
        assert_int_equal(xrw_machine_count(m), counts[i]);
        if (hash_machine(m) != hashes[i])
            fail_msg("the state at %llu is another one than before, going back (stop %u)",
                     (unsigned long long)counts[i], i);
    }
    xrw_machine_destroy(m);
}

static void the_past_is_what_it_was(void **state)
{
    (void)state;
    go_back(false);
    go_back(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lock_step),
                                       cmocka_unit_test(the_past_is_what_it_was)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
