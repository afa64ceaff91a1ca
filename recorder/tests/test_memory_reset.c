/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A fork that is reset, and pages of it that are written from outside. */
#include "support.h"

#include "memory_world.h"
#include "xrw/vmx.h"

#include <errno.h>

static void reset(struct world *w)
{
    memory_release(w->memory, false);
    fake_reset(&w->fake);
    w->count = 0;
    w->starting = true;
    assert_int_equal(memory_reset(w->memory, take_page, w, NULL), 0);
    w->starting = false;
}

static void test_private_pages_go(void **state)
{
    struct world *w = *state;

    take_base(w);
    for (unsigned i = 0; i < 3; i++) {
        fake_copy(&w->fake, 7);
        ept_violation(w, 7, EPT_WRITE);
        fake_write(&w->fake, 7, 42 + i);
        simple_exit(w, XRW_VMX_CPUID);
        assert_given(w, 1, {7, 42 + i, false});
        assert_int_equal(memory_private_pages(w->memory), 2);
        reset(w);
        assert_int_equal(read_word(w, 7), 1007);
        assert_int_equal(memory_private_pages(w->memory), 2); /* the special page, and this */
        reset(w);
        assert_int_equal(read_word(w, 7), 1007);
        assert_int_equal(memory_private_pages(w->memory), 1); /* a run did not change it */
    }
    simple_exit(w, XRW_VMX_CPUID);
    assert_int_equal(w->count, 0);
    assert_int_equal(w->fake.brought_in, 0);
}

/* A page that a run changed is the fork's own when the next begins, and as in the base image. */
static void change_in_each_run(struct world *w)
{
    take_base(w);
    fake_copy(&w->fake, 7);
    ept_violation(w, 7, EPT_WRITE);
    fake_write(&w->fake, 7, 42);
    for (unsigned i = 1; i < 4; i++) {
        reset(w);
        assert_int_equal(memory_private_pages(w->memory), 2);
        assert_int_equal(w->count, 0);
        assert_int_equal(read_word(w, 7), 1007);
        assert_int_equal(fake_word(&w->fake, 7), 1007);
        /* Changed without a further look, as of runs of which memory is not wanted. */
        fake_write(&w->fake, 7, 42 + i);
    }
    simple_exit(w, XRW_VMX_CPUID);
    assert_given(w, 1, {7, 45, true});
    simple_exit(w, XRW_VMX_CPUID);
    assert_int_equal(w->count, 0);
}

static void test_changed_pages_stay_own(void **state)
{
    struct world *w = *state;

    change_in_each_run(w);
    assert_int_equal(w->fake.made_own, 1);
}

/* As by Xen 4.14, which takes pages away though they are mapped. */
static void test_changed_pages_are_made_own_again(void **state)
{
    struct world *w = *state;

    w->fake.reset_frees = true;
    change_in_each_run(w);
    assert_int_equal(w->fake.made_own, 3);
}

static void test_another_fork_takes_its_place(void **state)
{
    struct world *w = *state;

    take_base(w);
    fake_copy(&w->fake, 7);
    ept_violation(w, 7, EPT_WRITE);
    reset(w);
    fake_write(&w->fake, 7, 42);
    memory_release(w->memory, true);
    assert_int_equal(w->fake.mapped, 0);
    fake_reset(&w->fake);
    assert_int_equal(memory_reset(w->memory, take_page, w, NULL), 0);
    assert_int_equal(fake_word(&w->fake, 7), 1007);
    assert_int_equal(w->fake.made_own, 2);
}

/* It may have changed and changed back before it is looked at. */
static void test_a_page_made_own_is_given_unchanged(void **state)
{
    struct world *w = *state;

    take_base(w);
    fake_copy(&w->fake, 7);
    ept_violation(w, 7, EPT_WRITE);
    fake_write(&w->fake, 7, 42);
    reset(w);
    simple_exit(w, XRW_VMX_CPUID);
    assert_given(w, 1, {7, 1007, true});
}

static void test_so_many_pages_are_made_own(void **state)
{
    struct world *w = *state;

    take_base(w);
    for (xrw_gfn gfn = 0; gfn < 100; gfn++)
        fake_copy(&w->fake, gfn);
    simple_exit(w, XRW_VMX_CPUID);
    reset(w);
    assert_int_equal(w->fake.made_own, 64);
    assert_true(w->fake.mappings <= 2);
}

static void test_silent_copies_are_seen_after_a_reset(void **state)
{
    struct world *w = *state;

    take_base(w);
    fake_copy(&w->fake, 20);
    simple_exit(w, XRW_VMX_CPUID);
    reset(w);
    fake_copy(&w->fake, 21);
    fake_write(&w->fake, 21, 9);
    simple_exit(w, XRW_VMX_CPUID);
    assert_given(w, 2, {20, 1020, true}, {21, 9, true});
}

static void test_a_page_that_was_not_reset(void **state)
{
    struct world *w = *state;
    struct xrw_error err = {""};

    take_base(w);
    fake_copy(&w->fake, 7);
    ept_violation(w, 7, EPT_WRITE);
    memory_release(w->memory, false);
    /* Someone else has it mapped. */
    assert_int_equal(memory_reset(w->memory, take_page, w, &err), -EBUSY);
    assert_non_null(strstr(err.text, "0x7"));
}

static void test_a_page_table_that_the_processor_marked(void **state)
{
    struct world *w = *state;
    uint64_t word;

    take_base(w);
    assert_int_equal(memory_read_table(w->memory, 9 << XRW_PAGE_SHIFT, &word, sizeof word), 0);
    fake_share(&w->fake, 9);
    simple_exit(w, XRW_VMX_CPUID);
    fake_write_through(&w->fake, 9, 1009 | 1u << 20);
    simple_exit(w, XRW_VMX_CPUID);
    reset(w);
    assert_given(w, 1, {9, 1009 | 1u << 20, false});
    /* It is still so when it stays mapped. */
    fake_write(&w->fake, 9, 8);
    reset(w);
    assert_given(w, 1, {9, 1009 | 1u << 20, false});
}

static void test_write(void **state)
{
    struct world *w = *state;
    const uint64_t five = 5;
    struct xrw_error err = {""};

    take_base(w);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(
            memory_write(w->memory, 7 << XRW_PAGE_SHIFT, &five, sizeof five, take_page, w, NULL),
            0);
        assert_int_equal(w->given[w->count - 1].gfn, 7);
        assert_int_equal(w->given[w->count - 1].word, 5);
        simple_exit(w, XRW_VMX_CPUID);
        assert_int_equal(w->count, 0);
        fake_write(&w->fake, 7, 6);
        simple_exit(w, XRW_VMX_CPUID);
        assert_given(w, 1, {7, 6, false});
        reset(w);
        assert_int_equal(read_word(w, 7), 1007);
    }
    assert_int_equal(memory_write(w->memory, 0x400 << XRW_PAGE_SHIFT, &five, 8, take_page, w, &err),
                     -ENODATA);
    assert_non_null(strstr(err.text, "not RAM"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MEMORY_TEST(private_pages_go),
        MEMORY_TEST(changed_pages_stay_own),
        MEMORY_TEST(changed_pages_are_made_own_again),
        MEMORY_TEST(another_fork_takes_its_place),
        MEMORY_TEST(a_page_made_own_is_given_unchanged),
        MEMORY_TEST(so_many_pages_are_made_own),
        MEMORY_TEST(silent_copies_are_seen_after_a_reset),
        MEMORY_TEST(a_page_that_was_not_reset),
        MEMORY_TEST(a_page_table_that_the_processor_marked),
        MEMORY_TEST(write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
