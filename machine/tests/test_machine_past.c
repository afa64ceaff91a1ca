/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Snapshots, the undo log, and dirty pages. */
#include "guest.h"

/* Writes to many places, at any size, and to its own stack. */
GUEST_ASM(busy, "mov ebx, 0x40000\n mov ecx, 500\n"
                "1: imul rax, rax, 0x6d\n add rax, rcx\n mov edx, eax\n and edx, 0xfff8\n"
                "add [rbx + rdx], rax\n push rax\n mov byte ptr [rbx + rdx + 3], cl\n pop rsi\n"
                "mov [rbx + rdx + 0xffd], rax\n dec ecx\n jnz 1b\n mov edi, 0x50100\n"
                "mov ecx, 0x1000\n rep stosb\n mov dword ptr [rbx], 1\n hlt");

struct picture {
    struct xrw_registers regs;
    uint8_t ram[GUEST_ABSENT];
};

static void take_picture(struct guest *g, struct picture *p)
{
    xrw_machine_registers(g->m, &p->regs);
    memset(p->ram, 0, sizeof p->ram);
    for (unsigned gfn = 0; gfn < GUEST_ABSENT / XRW_PAGE_BYTES; gfn++) {
        const uint8_t *content = xrw_machine_page_content(g->m, gfn);
        if (content)
            memcpy(p->ram + gfn * XRW_PAGE_BYTES, content, XRW_PAGE_BYTES);
    }
}

static void assert_same(const struct picture *a, const struct picture *b)
{
    assert_true(xrw_registers_equal(&a->regs, &b->regs));
    assert_memory_equal(a->ram, b->ram, sizeof a->ram);
}

static struct picture *pictures(void)
{
    struct picture *p = test_calloc(3, sizeof *p);

    assert_non_null(p);
    return p;
}

static void undo_to_any_instruction(void **state)
{
    struct guest *g = *state;
    struct picture *p = pictures();
    struct xrw_snapshot *start;
    static const unsigned places[] = {5400, 5000, 4321, 2500, 999, 100, 17, 1, 0};

    GUEST_ASM_LOAD(g, busy);
    GUEST_SET(g, rax, 12345);
    assert_int_equal(xrw_machine_snapshot(g->m, &start), 0);
    assert_int_equal(xrw_machine_log(g->m, 1u << 20), 0);
    guest_expect_exit(g, XRW_VMX_HLT);
    assert_in_range(g->result.instructions, 5401, 6000);
    assert_int_equal(xrw_machine_log_begin(g->m), 0);
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
        assert_int_equal(xrw_machine_undo(g->m, places[i], NULL), 0);
        assert_int_equal(xrw_machine_count(g->m), places[i]);
        take_picture(g, &p[0]);
        /* what was there when it ran forward */
        struct xrw_snapshot *here;
        assert_int_equal(xrw_machine_snapshot(g->m, &here), 0);
        assert_int_equal(xrw_machine_restore(g->m, start), 0);
        assert_int_equal(guest_run_count(g, places[i]), XRW_STOP_COUNT);
        take_picture(g, &p[1]);
        assert_same(&p[0], &p[1]);
        assert_int_equal(xrw_machine_restore(g->m, here), 0);
        xrw_snapshot_destroy(here);
        /* restoring has emptied the log: fill it anew */
        assert_int_equal(xrw_machine_restore(g->m, start), 0);
        assert_int_equal(xrw_machine_log(g->m, 1u << 20), 0);
        guest_expect_exit(g, XRW_VMX_HLT);
    }
    assert_int_equal(xrw_machine_undo(g->m, 1000000, NULL), -22);
    xrw_snapshot_destroy(start);
    test_free(p);
}

static void undo_across_an_exit(void **state)
{
    struct guest *g = *state;

    GUEST_BYTES_LOAD(g, 0x48, 0xff, 0xc0, 0x0f, 0xa2, 0x48, 0x89, 0x03, 0x90, 0xf4);
    GUEST_SET(g, rbx, GUEST_DATA);
    GUEST_SET(g, rax, 1);
    assert_int_equal(xrw_machine_log(g->m, 1u << 20), 0);
    guest_expect_exit(g, XRW_VMX_CPUID);
    GUEST_SET(g, rax, 0x77);
    GUEST_SET(g, rbx, GUEST_DATA + 8);
    guest_put64(g, GUEST_DATA + 64, 99);
    xrw_machine_skip(g->m, 2);
    guest_expect_exit(g, XRW_VMX_HLT);
    assert_int_equal(guest_get64(g, GUEST_DATA + 8), 0x77);

    assert_int_equal(xrw_machine_undo(g->m, 2, NULL), 0); /* behind the store */
    assert_int_equal(GUEST_REG(g, rip), GUEST_CODE + 8);
    assert_int_equal(guest_get64(g, GUEST_DATA + 8), 0x77);
    assert_int_equal(xrw_machine_undo(g->m, 1, NULL), 0); /* behind the handling */
    assert_int_equal(GUEST_REG(g, rip), GUEST_CODE + 5);
    assert_int_equal(guest_get64(g, GUEST_DATA + 8), 0);
    assert_int_equal(guest_get64(g, GUEST_DATA + 64), 99);
    assert_int_equal(xrw_machine_undo(g->m, 0, NULL), 0);
    assert_int_equal(GUEST_REG(g, rax), 1);
    assert_int_equal(guest_get64(g, GUEST_DATA + 64), 0);
}

static void a_page_set_by_the_caller_is_undone(void **state)
{
    struct guest *g = *state;
    uint8_t page[XRW_PAGE_BYTES] = {1, 2, 3};
    xrw_gfn gfn = 0;

    GUEST_BYTES_LOAD(g, 0x90, 0x90, 0xf4);
    guest_put64(g, GUEST_DATA, 0x55);
    assert_int_equal(xrw_machine_log(g->m, 1u << 20), 0);
    assert_int_equal(guest_run_count(g, 1), XRW_STOP_COUNT);
    xrw_machine_clear_dirty(g->m);
    assert_int_equal(xrw_machine_set_page(g->m, GUEST_DATA >> 12, page, XRW_EPT_ALL), 0);
    assert_int_equal(xrw_machine_next_dirty(g->m, &gfn), 0);
    assert_int_equal(guest_get64(g, GUEST_DATA), 0x30201);
    assert_int_equal(guest_run_count(g, 1), XRW_STOP_COUNT);
    assert_int_equal(xrw_machine_undo(g->m, 0, NULL), 0);
    assert_int_equal(guest_get64(g, GUEST_DATA), 0x55);
}

static void a_small_log_forgets_the_oldest(void **state)
{
    struct guest *g = *state;

    GUEST_ASM_LOAD(g, busy);
    assert_int_equal(xrw_machine_log(g->m, 4096), 0);
    for (unsigned i = 0; i < 50; i++)
        guest_run_count(g, 100);
    assert_in_range(xrw_machine_log_begin(g->m), 4000, 5000);
    assert_int_equal(xrw_machine_undo(g->m, 3, NULL), -2);
    assert_int_equal(xrw_machine_count(g->m), 5000);
    assert_int_equal(xrw_machine_log(g->m, 0), 0);
    assert_true(xrw_machine_log_begin(g->m) == UINT64_MAX);
}

static void snapshots_in_any_order(void **state)
{
    struct guest *g = *state;
    struct picture *p = pictures();
    struct xrw_snapshot *s[2];

    GUEST_ASM_LOAD(g, busy);
    for (unsigned i = 0; i < 2; i++) {
        guest_run_count(g, 1500);
        assert_int_equal(xrw_machine_snapshot(g->m, &s[i]), 0);
        take_picture(g, &p[i]);
    }
    guest_expect_exit(g, XRW_VMX_HLT);
    for (unsigned i = 0; i < 6; i++) {
        unsigned which = (i * 5 / 3) & 1;
        assert_int_equal(xrw_machine_restore(g->m, s[which]), 0);
        assert_int_equal(xrw_snapshot_count(s[which]), 1500 * (which + 1));
        take_picture(g, &p[2]);
        assert_same(&p[which], &p[2]);
        guest_run_count(g, 700);
    }
    xrw_snapshot_destroy(s[0]);
    assert_int_equal(xrw_machine_restore(g->m, s[1]), 0);
    take_picture(g, &p[2]);
    assert_same(&p[1], &p[2]);
    xrw_snapshot_destroy(s[1]);
    guest_expect_exit(g, XRW_VMX_HLT);
    test_free(p);
}

static void dirty_pages(void **state)
{
    struct guest *g = *state;
    static const xrw_gfn want[] = {GUEST_PT >> 12, GUEST_DATA >> 12, (GUEST_DATA >> 12) + 3};
    xrw_gfn gfn = 0;

    GUEST_BYTES_LOAD(g, 0x48, 0x89, 0x03, 0x48, 0x89, 0x83, 0x00, 0x30, 0x00, 0x00, 0x48, 0x8b,
                     0x83, 0x00, 0x50, 0x00, 0x00, 0xf4);
    GUEST_SET(g, rbx, GUEST_DATA);
    guest_expect_exit(g, XRW_VMX_HLT);
    GUEST_SET(g, rip, GUEST_CODE);
    for (unsigned i = 0; i < 3; i++) /* their dirty bits are set again */
        guest_put64(g, GUEST_PT + (want[i] << 3), want[i] << 12 | 3);
    xrw_machine_clear_dirty(g->m);
    assert_int_equal(xrw_machine_next_dirty(g->m, &gfn), 0);
    guest_expect_exit(g, XRW_VMX_HLT);
    gfn = 0;
    for (unsigned i = 0; i < 3; i++, gfn++) {
        assert_int_equal(xrw_machine_next_dirty(g->m, &gfn), 1);
        assert_int_equal(gfn, want[i]);
    }
    assert_int_equal(xrw_machine_next_dirty(g->m, &gfn), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, guest_setup, guest_teardown)
    const struct CMUnitTest tests[] = {
        TEST(undo_to_any_instruction),
        TEST(undo_across_an_exit),
        TEST(a_page_set_by_the_caller_is_undone),
        TEST(a_small_log_forgets_the_oldest),
        TEST(snapshots_in_any_order),
        TEST(dirty_pages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
