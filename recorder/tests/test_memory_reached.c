/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A base image of what a fork reaches. */
#include "support.h"

#include "memory_world.h"
#include "xrw/vmx.h"

#include <errno.h>

static void find(struct world *w)
{
    assert_int_equal(memory_find(w->memory, NULL), 0);
    assert_int_equal(memory_reached(w->memory, false, take_page, w, NULL), 0);
    /* What it has of its own from the beginning, as the fork has it. */
    assert_given(w, 1, {SPECIAL_GFN + 8, 5001, false});
}

static void reached(struct world *w, bool all)
{
    struct xrw_error err = {""};

    w->count = 0;
    if (memory_reached(w->memory, all, take_page, w, &err))
        fail_msg("%s", err.text);
}

static void take_exit(struct world *w, xrw_gfn gfn, uint64_t qualification)
{
    struct xrw_exit exit = {.has_after = true};

    xrw_exit_set(&exit, XRW_EXIT_reason, XRW_VMX_EPT_VIOLATION);
    xrw_exit_set(&exit, XRW_EXIT_qualification, qualification);
    xrw_exit_set(&exit, XRW_EXIT_gpa, gfn << XRW_PAGE_SHIFT);
    assert_int_equal(memory_exit(w->memory, &exit, NULL), 0);
}

/* Pages that are written are given once, as the parent has them; those that are read, at the end.
 */
static void test_written_and_read(void **state)
{
    struct world *w = *state;

    find(w);
    fake_copy(&w->fake, 7);
    fake_write(&w->fake, 7, 70);
    fake_share(&w->fake, 8);
    take_exit(w, 7, EPT_WRITE);
    reached(w, false);
    assert_given(w, 1, {7, 1007, false});
    reached(w, false);
    assert_int_equal(w->count, 0);
    reached(w, true);
    assert_given(w, 1, {8, 1008, false});
    reached(w, true);
    assert_int_equal(w->count, 0);
    assert_int_equal(w->fake.brought_in, 0);
}

/* A table that the processor missed and found missing is as it was; one that it walked unseen may
 * have been marked, and what it was in the beginning is not known. */
static void test_page_tables(void **state)
{
    struct world *w = *state;
    uint64_t entry;

    find(w);
    fake_share(&w->fake, 5);
    take_exit(w, 5, EPT_WALK);
    reached(w, false);
    assert_given(w, 1, {5, 1005, false});

    fake_share(&w->fake, 3);
    fake_write_through(&w->fake, 3, 1003 + 0x20);
    assert_int_equal(memory_read_table(w->memory, 3 << XRW_PAGE_SHIFT, &entry, sizeof entry), 0);
    w->count = 0;
    assert_int_equal(memory_changes(w->memory, take_page, w, NULL), 0);
    reached(w, false);
    assert_int_equal(w->count, 0);
    fake_copy(&w->fake, 3);
    take_exit(w, 3, EPT_WRITE);
    reached(w, true);
    assert_int_equal(w->count, 0);
}

/* Xen may have read the root of tables before the guest uses it: it is as it was until then. */
static void test_root_of_page_tables(void **state)
{
    struct world *w = *state;
    struct xrw_exit exit = {.has_after = true};

    find(w);
    fake_share(&w->fake, 6);
    xrw_exit_set(&exit, XRW_EXIT_reason, XRW_VMX_CR_ACCESS);
    xrw_registers_set(&exit.before, XRW_REG_cr3, 0);
    xrw_registers_set(&exit.after, XRW_REG_cr3, (6 << XRW_PAGE_SHIFT) | 0x18);
    assert_int_equal(memory_exit(w->memory, &exit, NULL), 0);
    reached(w, false);
    assert_given(w, 1, {6, 1006, false});
    fake_write_through(&w->fake, 6, 1006 + 0x20);
    exit.before = exit.after;
    assert_int_equal(memory_exit(w->memory, &exit, NULL), 0);
    w->count = 0;
    assert_int_equal(memory_changes(w->memory, take_page, w, NULL), 0);
    assert_given(w, 1, {6, 1006 + 0x20, false});
}

/* A page that is reached again after a reset, or is the fork's own at once, is not given again. */
static void test_after_a_reset(void **state)
{
    struct world *w = *state;

    find(w);
    for (unsigned i = 0; i < 2; i++) {
        if (!i)
            fake_copy(&w->fake, 7);
        take_exit(w, 7, EPT_WRITE);
        reached(w, true);
        if (!i)
            assert_given(w, 1, {7, 1007, false});
        else
            assert_int_equal(w->count, 0);
        memory_release(w->memory, false);
        fake_reset(&w->fake);
        assert_int_equal(memory_reset(w->memory, take_page, w, NULL), 0);
    }
}

static void test_refused(void **state)
{
    struct world *w = *state;
    struct xrw_error err = {""};

    find(w);
    w->count = 0;
    fake_share(&w->fake, 8);
    w->fail_at = 1;
    assert_int_equal(memory_reached(w->memory, true, take_page, w, &err), -ENOSPC);
    assert_string_equal(err.text, "the store is full");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MEMORY_TEST(written_and_read), MEMORY_TEST(page_tables), MEMORY_TEST(root_of_page_tables),
        MEMORY_TEST(after_a_reset),    MEMORY_TEST(refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
