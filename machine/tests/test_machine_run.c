/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a run stops, and how instructions are counted. */
#include "guest.h"

GUEST_ASM(counting, "mov ecx, 1000\n 1: add rax, rcx\n dec ecx\n jnz 1b\n hlt");

static void a_loop_runs_and_is_counted(void **state)
{
    struct guest *g = *state;

    GUEST_ASM_LOAD(g, counting);
    GUEST_SET(g, rax, 0);
    guest_expect_exit(g, XRW_VMX_HLT);
    assert_int_equal(GUEST_REG(g, rax), 500500);
    assert_int_equal(g->result.instructions, 1 + 3 * 1000);
}

static void it_stops_after_any_number(void **state)
{
    struct guest *g = *state;
    struct xrw_snapshot *start;

    GUEST_ASM_LOAD(g, counting);
    assert_int_equal(xrw_machine_snapshot(g->m, &start), 0);
    for (unsigned n = 0; n < 40; n++) {
        assert_int_equal(xrw_machine_restore(g->m, start), 0);
        assert_int_equal(guest_run_count(g, n), XRW_STOP_COUNT);
        assert_int_equal(g->result.instructions, n);
        uint64_t rax = GUEST_REG(g, rax), rip = GUEST_REG(g, rip), rcx = GUEST_REG(g, rcx);
        assert_int_equal(xrw_machine_restore(g->m, start), 0);
        for (unsigned i = 0; i < n; i++)
            assert_int_equal(guest_run_count(g, 1), XRW_STOP_COUNT);
        assert_int_equal(GUEST_REG(g, rax), rax);
        assert_int_equal(GUEST_REG(g, rip), rip);
        assert_int_equal(GUEST_REG(g, rcx), rcx);
    }
    xrw_snapshot_destroy(start);
}

GUEST_ASM(strings, "mov edi, 0x40ff0\n mov ecx, 300\n mov al, 0x5a\n rep stosb\n mov esi, 0x40ff0\n"
                   "mov edi, 0x42000\n mov ecx, 300\n rep movsb\n hlt");

static void rep_counts_once(void **state)
{
    struct guest *g = *state;
    uint8_t got[300], want[300];

    GUEST_ASM_LOAD(g, strings);
    guest_expect_exit(g, XRW_VMX_HLT);
    assert_int_equal(g->result.instructions, 8);
    memset(want, 0x5a, sizeof want);
    assert_int_equal(xrw_machine_read(g->m, 0x42000, got, sizeof got), 0);
    assert_memory_equal(got, want, sizeof want);
}

static void it_stops_at_an_address(void **state)
{
    struct guest *g = *state;
    const xrw_gva address = GUEST_CODE + 8; /* the DEC */
    struct xrw_machine_until until = {
        .instructions = 1000, .addresses = &address, .address_count = 1};

    GUEST_ASM_LOAD(g, counting);
    for (unsigned i = 1; i < 5; i++) {
        assert_int_equal(xrw_machine_run(g->m, &until, &g->result), 0);
        assert_int_equal(g->result.stop, XRW_STOP_ADDRESS);
        assert_int_equal(GUEST_REG(g, rip), address);
        assert_int_equal(GUEST_REG(g, rcx), 1001 - i);
    }
}

static bool rcx_is_7(void *ctx, const struct xrw_machine *m)
{
    *(unsigned *)ctx += 1;
    return xrw_machine_register(m, XRW_REG_rcx) == 7;
}

static void it_stops_by_predicate(void **state)
{
    struct guest *g = *state;
    unsigned calls = 0;
    struct xrw_machine_until until = {
        .instructions = UINT64_MAX, .predicate = rcx_is_7, .predicate_ctx = &calls};

    GUEST_ASM_LOAD(g, counting);
    assert_int_equal(xrw_machine_run(g->m, &until, &g->result), 0);
    assert_int_equal(g->result.stop, XRW_STOP_PREDICATE);
    assert_int_equal(GUEST_REG(g, rcx), 7);
    assert_int_equal(calls, g->result.instructions);
}

GUEST_ASM(writes, "mov ebx, 0x40000\n mov [rbx], al\n mov [rbx + 8], rax\n mov [rbx + 16], eax\n"
                  "hlt");

static void it_stops_behind_a_write(void **state)
{
    struct guest *g = *state;
    const struct xrw_machine_range range = {0x4000e, 0x4000f};
    struct xrw_machine_until until = {.instructions = 100, .writes = &range, .write_count = 1};

    GUEST_ASM_LOAD(g, writes);
    assert_int_equal(xrw_machine_run(g->m, &until, &g->result), 0);
    assert_int_equal(g->result.stop, XRW_STOP_WRITE);
    assert_int_equal(g->result.write_gpa, 0x4000e);
    assert_int_equal(g->result.instructions, 3);
}

static void it_stops_when_interrupted(void **state)
{
    struct guest *g = *state;
    static const int yes = 1;
    struct xrw_machine_until until = {.instructions = UINT64_MAX, .interrupted = &yes};

    GUEST_BYTES_LOAD(g, 0xeb, 0xfe);
    assert_int_equal(xrw_machine_run(g->m, &until, &g->result), 0);
    assert_int_equal(g->result.stop, XRW_STOP_INTERRUPTED);
}

/* Code that changes itself: the next block, and the rest of the running one. */
GUEST_ASM(modifies, "lea rbx, [rip + 1f]\n mov byte ptr [rbx + 1], 7\n 1: mov al, 1\n hlt");

static void code_that_changes_itself(void **state)
{
    struct guest *g = *state;

    GUEST_ASM_LOAD(g, modifies);
    guest_expect_exit(g, XRW_VMX_HLT);
    assert_int_equal(GUEST_REG(g, rax) & 0xff, 7);
    assert_int_equal(g->result.instructions, 3);
}

static void code_across_pages(void **state)
{
    struct guest *g = *state;
    static const uint8_t code[] = {0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8, 0xf4};

    for (unsigned before = 1; before < 10; before++) {
        uint64_t at = GUEST_CODE + 0x1000 - before;
        guest_put(g, at, code, sizeof code);
        GUEST_SET(g, rip, at);
        GUEST_SET(g, rax, 0);
        guest_expect_exit(g, XRW_VMX_HLT);
        assert_int_equal(GUEST_REG(g, rax), UINT64_C(0x0807060504030201));
        /* the second page's part changes */
        guest_put(g, GUEST_CODE + 0x1000 + (9 - before), "\x55", 1);
        GUEST_SET(g, rip, at);
        guest_expect_exit(g, XRW_VMX_HLT);
        assert_int_equal(GUEST_REG(g, rax), UINT64_C(0x5507060504030201));
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, guest_setup, guest_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_loop_runs_and_is_counted),
        TEST(it_stops_after_any_number),
        TEST(rep_counts_once),
        TEST(it_stops_at_an_address),
        TEST(it_stops_by_predicate),
        TEST(it_stops_behind_a_write),
        TEST(it_stops_when_interrupted),
        TEST(code_that_changes_itself),
        TEST(code_across_pages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
