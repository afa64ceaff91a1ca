/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A fork that is reset, and pages of it that are written from outside. */
#include "support.h"

#include "memory_world.h"
#include "xrw/vmx.h"

#include <errno.h>

static void reset(struct world *w)
{
    memory_release(w->memory);
    assert_int_equal(w->fake.mapped, 0); /* Xen passes over a page that is mapped */
    fake_reset(&w->fake);
    w->count = 0;
    assert_int_equal(memory_reset(w->memory, take_page, w, NULL), 0);
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
        assert_int_equal(memory_private_pages(w->memory), 1); /* the special page */
        assert_int_equal(read_word(w, 7), 1007);
    }
    simple_exit(w, XRW_VMX_CPUID);
    assert_int_equal(w->count, 0);
    assert_int_equal(w->fake.brought_in, 0);
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
    assert_given(w, 1, {21, 9, true});
}

static void test_a_page_that_was_not_reset(void **state)
{
    struct world *w = *state;
    struct xrw_error err = {""};

    take_base(w);
    fake_copy(&w->fake, 7);
    ept_violation(w, 7, EPT_WRITE);
    memory_release(w->memory);
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
    assert_int_equal(w->count, 2); /* and the special page */
    assert_int_equal(w->given[1].gfn, 9);
    assert_int_equal(w->given[1].word, 1009 | 1u << 20);
}

static void test_written(void **state)
{
    struct world *w = *state;

    take_base(w);
    fake_copy(&w->fake, 7);
    fake_write(&w->fake, 7, 5);
    assert_int_equal(memory_written(w->memory, 7, take_page, w, NULL), 0);
    assert_given(w, 1, {7, 5, false});
    w->count = 0;
    simple_exit(w, XRW_VMX_CPUID);
    assert_int_equal(w->count, 0);
    fake_write(&w->fake, 7, 6);
    simple_exit(w, XRW_VMX_CPUID);
    assert_given(w, 1, {7, 6, false});
    reset(w);
    assert_int_equal(read_word(w, 7), 1007);
    assert_int_equal(memory_written(w->memory, 0x400, take_page, w, NULL), -ENODATA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MEMORY_TEST(private_pages_go),
        MEMORY_TEST(silent_copies_are_seen_after_a_reset),
        MEMORY_TEST(a_page_that_was_not_reset),
        MEMORY_TEST(a_page_table_that_the_processor_marked),
        MEMORY_TEST(written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
