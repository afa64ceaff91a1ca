/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The base image; and what fails. */
#include "support.h"

#include "memory_world.h"
#include "xrw/vmx.h"

#include <errno.h>

/* ---- base image ------------------------------------------------------ */

static void test_base(void **state)
{
    struct world *w = *state;
    bool seen[RAM_GFNS] = {false};

    assert_int_equal(memory_find(w->memory, NULL), 0);
    assert_int_equal(memory_base(w->memory, take_page, w, NULL), 0);
    assert_int_equal(w->count, RAM_GFNS + 1);
    for (size_t i = 0; i < w->count; i++) {
        const struct given *g = &w->given[i];

        if (g->gfn == SPECIAL_GFN + 8) {
            assert_int_equal(g->word, 5001); /* the fork's, not the parent's */
            continue;
        }
        assert_true(g->gfn < RAM_GFNS && !seen[g->gfn]);
        seen[g->gfn] = true;
        assert_int_equal(g->word, 1000 + g->gfn);
    }
    assert_int_equal(memory_private_pages(w->memory), 1);
    assert_int_equal(w->fake.brought_in, 0);
    assert_int_equal(w->fake.mapped, 1); /* nothing of the parent */
    /* Not every one of a million frames was asked for. */
    assert_true(w->fake.type_calls < 200);

    simple_exit(w, XRW_VMX_CPUID);
    assert_int_equal(w->count, 0);
    fake_write(&w->fake, SPECIAL_GFN + 8, 5002);
    simple_exit(w, XRW_VMX_CPUID);
    assert_given(w, 1, {SPECIAL_GFN + 8, 5002, false});
}

/* A piece of RAM at a guest frame; the special pages are at the top. */
static void add_piece(struct world *w, xrw_gfn first, xrw_gfn top)
{
    w->fake.middle = first;
    w->fake.high = top;
    for (xrw_gfn i = 0; i < FAKE_HIGH; i++)
        fake_add_page(&w->fake, first + i, 9000 + i);
    assert_int_equal(memory_find(w->memory, NULL), 0);
    assert_int_equal(memory_base(w->memory, take_page, w, NULL), 0);
    assert_int_equal(w->count, RAM_GFNS + 1 + FAKE_HIGH);
}

static void test_ram_above_4g(void **state)
{
    struct world *w = *state;

    add_piece(w, (xrw_gfn)1 << 20, (xrw_gfn)3 << 20);
    assert_true(w->fake.type_calls < 300);
}

static void test_ram_in_the_middle_of_nowhere(void **state)
{
    struct world *w = *state;

    add_piece(w, 600000, SPECIAL_GFN);
}

static void test_ram_in_the_middle_of_nowhere_above_4g(void **state)
{
    struct world *w = *state;

    add_piece(w, ((xrw_gfn)1 << 20) + 100000, (xrw_gfn)3 << 20);
}

static void test_nothing_readable(void **state)
{
    struct world *w = *state;
    struct xrw_error err = {""};

    memset(&w->fake.parent, 0, sizeof w->fake.parent);
    assert_int_equal(memory_find(w->memory, NULL), 0);
    assert_int_equal(memory_base(w->memory, take_page, w, &err), -ENODATA);
    assert_non_null(strstr(err.text, "PV dom0"));
    assert_int_equal(w->count, 0);
}

static void test_base_page_refused(void **state)
{
    struct world *w = *state;
    struct xrw_error err = {""};

    w->fail_at = 100;
    assert_int_equal(memory_find(w->memory, NULL), 0);
    assert_int_equal(memory_base(w->memory, take_page, w, &err), -ENOSPC);
    assert_string_equal(err.text, "the store is full");
}

/* ---- faults ---------------------------------------------------------- */

static int whole_story(struct world *w, struct xrw_error *err)
{
    struct xrw_exit exit = {.has_after = true};
    uint64_t entry;
    int rc;

    xrw_exit_set(&exit, XRW_EXIT_reason, XRW_VMX_EPT_VIOLATION);
    xrw_exit_set(&exit, XRW_EXIT_qualification, EPT_WRITE);
    xrw_exit_set(&exit, XRW_EXIT_gpa, 7 << XRW_PAGE_SHIFT);
    rc = memory_find(w->memory, err);
    if (!rc)
        rc = memory_base(w->memory, take_page, w, err);
    if (rc)
        return rc;
    fake_copy(&w->fake, 7);
    fake_copy(&w->fake, 11);
    fake_share(&w->fake, 12);
    rc = memory_read_table(w->memory, 12 << XRW_PAGE_SHIFT, &entry, sizeof entry);
    if (rc)
        return xrw_error_set(err, rc, "not read");
    rc = memory_exit(w->memory, &exit, err);
    if (!rc)
        rc = memory_changes(w->memory, take_page, w, err);
    fake_replace(&w->fake, 7, 1);
    w->fake.fork_pages--;
    if (!rc)
        rc = memory_exit(w->memory, &exit, err);
    return rc ? rc : memory_changes(w->memory, take_page, w, err);
}

static void test_each_call_fails_once(void **state)
{
    unsigned n = 0;
    int rc;

    (void)state;
    do {
        void *fresh = NULL;
        struct xrw_error err = {""};
        struct world *w;

        (void)memory_setup(&fresh);
        w = fresh;
        w->fake.fail_at = w->fake.calls + ++n;
        rc = whole_story(w, &err);
        assert_true(rc <= 0);
        assert_int_equal(rc != 0, w->fake.calls >= w->fake.fail_at);
        assert_int_equal(rc != 0, err.text[0] != '\0');
        (void)memory_teardown(&fresh);
    } while (rc);
    assert_true(n > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MEMORY_TEST(base),
        MEMORY_TEST(ram_above_4g),
        MEMORY_TEST(ram_in_the_middle_of_nowhere),
        MEMORY_TEST(ram_in_the_middle_of_nowhere_above_4g),
        MEMORY_TEST(nothing_readable),
        MEMORY_TEST(base_page_refused),
        cmocka_unit_test(test_each_call_fails_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
