/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the pages of a fork change. */
#include "support.h"

#include "memory_world.h"
#include "xrw/vmx.h"

#include <errno.h>

/* ---- how pages change ------------------------------------------------ */

static void test_hole_shared_private_changed(void **state)
{
    struct world *w = *state;

    take_base(w);
    fake_share(&w->fake, 7);
    ept_violation(w, 7, EPT_READ);
    assert_int_equal(w->count, 0);
    assert_int_equal(memory_private_pages(w->memory), 1);
    assert_int_equal(w->fake.mapped, 1); /* a shared page is not watched */

    fake_copy(&w->fake, 7);
    ept_violation(w, 7, EPT_WRITE);
    assert_given(w, 1, {7, 1007, true}); /* not written yet, but private */
    assert_int_equal(memory_private_pages(w->memory), 2);

    fake_write(&w->fake, 7, 42);
    simple_exit(w, XRW_VMX_CPUID);
    assert_given(w, 1, {7, 42, false});
    simple_exit(w, XRW_VMX_CPUID);
    assert_int_equal(w->count, 0);

    fake_write(&w->fake, 7, 43);
    simple_exit(w, XRW_VMX_CPUID);
    assert_given(w, 1, {7, 43, false});
    assert_int_equal(w->fake.brought_in, 0);
}

static void test_last_byte_of_a_page(void **state)
{
    struct world *w = *state;
    uint8_t byte = 0;

    take_base(w);
    fake_copy(&w->fake, 7);
    ept_violation(w, 7, EPT_WRITE);
    w->fake.frames[(size_t)w->fake.fork.low[7].frame * XRW_PAGE_BYTES + 4095] = 9;
    simple_exit(w, XRW_VMX_CPUID);
    assert_given(w, 1, {7, 1007, false});
    assert_int_equal(memory_read(w->memory, (7 << XRW_PAGE_SHIFT) + 4095, &byte, 1), 0);
    assert_int_equal(byte, 9);
}

/* Xen copies a page without an EPT violation: only the number of pages tells. */
static void test_silent_copy(void **state)
{
    struct world *w = *state;

    take_base(w);
    fake_copy(&w->fake, 20);
    fake_copy(&w->fake, 21);
    fake_write(&w->fake, 21, 99);
    simple_exit(w, XRW_VMX_IO_INSTRUCTION);
    assert_given(w, 2, {20, 1020, true}, {21, 99, true});
    assert_int_equal(read_word(w, 21), 99);
    assert_int_equal(memory_private_pages(w->memory), 3);

    /* Together with one that the exit explains. */
    fake_copy(&w->fake, 30);
    fake_copy(&w->fake, 31);
    ept_violation(w, 30, EPT_WRITE);
    assert_given(w, 2, {30, 1030, true}, {31, 1031, true});
    assert_int_equal(w->fake.brought_in, 0);
}

static void test_many_pages(void **state)
{
    struct world *w = *state;

    take_base(w);
    for (xrw_gfn gfn = 0; gfn < RAM_GFNS; gfn++) {
        fake_copy(&w->fake, gfn);
        ept_violation(w, gfn, EPT_WRITE);
        assert_given(w, 1, {gfn, 1000 + gfn, true});
    }
    /* Mappings are a scarce resource: not one a page. */
    assert_true(w->fake.most_mappings < 100);
    for (xrw_gfn gfn = 0; gfn < RAM_GFNS; gfn++)
        fake_write(&w->fake, gfn, 2000 + gfn);
    simple_exit(w, XRW_VMX_CPUID);
    assert_int_equal(w->count, RAM_GFNS);
    for (xrw_gfn gfn = 0; gfn < RAM_GFNS; gfn++)
        assert_int_equal(read_word(w, gfn), 2000 + gfn);
    assert_int_equal(w->fake.brought_in, 0);
}

/* ---- page tables ----------------------------------------------------- */

/* A processor may set accessed bits in a page that EPT says is read-only. */
static void test_shared_page_table(void **state)
{
    struct world *w = *state;
    uint64_t entry;

    take_base(w);
    fake_share(&w->fake, 3);
    fake_write_through(&w->fake, 3, 1003 + 0x20); /* since the base image, and before it is read */
    assert_int_equal(memory_read_table(w->memory, 3 << XRW_PAGE_SHIFT, &entry, sizeof entry), 0);
    assert_int_equal(entry, 1003 + 0x20);
    /* It is read while the fork is held, and taken at that very exit. */
    assert_int_equal(memory_changes(w->memory, take_page, w, NULL), 0);
    assert_given(w, 1, {3, 1003 + 0x20, false});
    simple_exit(w, XRW_VMX_CPUID);
    assert_int_equal(w->count, 0);

    fake_write_through(&w->fake, 3, 1003 + 0x60);
    simple_exit(w, XRW_VMX_CPUID);
    assert_given(w, 1, {3, 1003 + 0x60, false});

    /* Copied now: the mapping shows the old frame, and must not be used any more. */
    fake_copy(&w->fake, 3);
    fake_write(&w->fake, 3, 4);
    simple_exit(w, XRW_VMX_CPUID);
    assert_given(w, 1, {3, 4, true});
    fake_write(&w->fake, 3, 5);
    simple_exit(w, XRW_VMX_CPUID);
    assert_given(w, 1, {3, 5, false});
    assert_int_equal(w->fake.brought_in, 0);
}

static void test_page_table_met_by_a_walk(void **state)
{
    struct world *w = *state;

    take_base(w);
    fake_share(&w->fake, 5);
    ept_violation(w, 5, EPT_WALK);
    assert_given(w, 1, {5, 1005, false});
    fake_write_through(&w->fake, 5, 1005 + 0x20);
    simple_exit(w, XRW_VMX_CPUID);
    assert_given(w, 1, {5, 1005 + 0x20, false});
}

/* A table that the fork has not touched is read from the parent, and stays a hole. */
static void test_page_table_in_a_hole(void **state)
{
    struct world *w = *state;
    uint64_t entry;

    take_base(w);
    for (xrw_gfn gfn = 0; gfn < 40; gfn++) /* more than it keeps in mind */
        assert_int_equal(memory_read_table(w->memory, gfn << XRW_PAGE_SHIFT, &entry, sizeof entry),
                         0);
    simple_exit(w, XRW_VMX_CPUID);
    assert_int_equal(w->count, 0);
    assert_int_equal(w->fake.brought_in, 0);
    assert_int_equal(w->fake.mapped, 1);
}

/* So many that they are mapped in groups: what is said of one holds there too. */
static void test_many_page_tables(void **state)
{
    struct world *w = *state;
    uint64_t entry;

    take_base(w);
    for (xrw_gfn gfn = 0; gfn < 100; gfn++) {
        fake_share(&w->fake, gfn);
        assert_int_equal(memory_read_table(w->memory, gfn << XRW_PAGE_SHIFT, &entry, sizeof entry),
                         0);
        if (gfn % 10 == 9)
            simple_exit(w, XRW_VMX_CPUID);
    }
    for (xrw_gfn gfn = 0; gfn < 100; gfn++) {
        fake_write_through(&w->fake, gfn, 3000 + gfn);
        simple_exit(w, XRW_VMX_CPUID);
        assert_given(w, 1, {gfn, 3000 + gfn, false});
        fake_copy(&w->fake, gfn);
        fake_write(&w->fake, gfn, 4000 + gfn);
        simple_exit(w, XRW_VMX_CPUID);
        assert_given(w, 1, {gfn, 4000 + gfn, true});
    }
    assert_int_equal(w->fake.brought_in, 0);
}

/* ---- another frame in the same place --------------------------------- */

static void test_memory_op_replaces_a_frame(void **state)
{
    static const uint64_t numbers[] = {12, 13, 12 | UINT64_C(1) << 32};
    struct world *w = *state;

    take_base(w);
    fake_copy(&w->fake, 9);
    ept_violation(w, 9, EPT_WRITE);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        fake_replace(&w->fake, 9, 70 + i);
        hypercall(w, numbers[i]);
        assert_given(w, 1, {9, 70 + i, false});
        fake_write(&w->fake, 9, 80 + i);
        simple_exit(w, XRW_VMX_CPUID);
        assert_given(w, 1, {9, 80 + i, false});
    }
    assert_int_equal(w->fake.brought_in, 0);
}

/* Pages that the fork gave back: what stands in their place is looked at again. */
static void test_fewer_pages(void **state)
{
    struct world *w = *state;

    take_base(w);
    for (xrw_gfn gfn = 0; gfn < 100; gfn++) /* mapped in groups */
        fake_copy(&w->fake, gfn);
    simple_exit(w, XRW_VMX_CPUID);
    assert_int_equal(w->count, 100);
    fake_replace(&w->fake, 9, 70);
    w->fake.fork_pages--;
    simple_exit(w, XRW_VMX_CPUID);
    assert_given(w, 1, {9, 70, false});

    /* What is missing now is known, and not looked for at every exit. */
    w->fake.type_calls = 0;
    simple_exit(w, XRW_VMX_CPUID);
    assert_int_equal(w->fake.type_calls, 0);
}

/* ---- reading --------------------------------------------------------- */

static void test_read(void **state)
{
    struct world *w = *state;
    uint8_t bytes[XRW_PAGE_BYTES];

    take_base(w);
    fake_copy(&w->fake, 7);
    fake_write(&w->fake, 7, 42);
    ept_violation(w, 7, EPT_WRITE);
    assert_int_equal(read_word(w, 7), 42);
    assert_int_equal(read_word(w, 8), 1008);
    assert_int_equal(read_word(w, 8 + 256), 1008 + 256); /* the same place in the cache */
    assert_int_equal(read_word(w, 8), 1008);
    assert_int_equal(memory_read(w->memory, 7 << XRW_PAGE_SHIFT, bytes, XRW_PAGE_BYTES), 0);
    assert_int_equal(memory_read(w->memory, (7 << XRW_PAGE_SHIFT) + 1, bytes, XRW_PAGE_BYTES),
                     -ENODATA);
    assert_int_equal(memory_read(w->memory, RAM_GFNS << XRW_PAGE_SHIFT, bytes, 1), -ENODATA);
    assert_int_equal(memory_read(w->memory, UINT64_MAX, bytes, 1), -ENODATA);
    assert_int_equal(memory_read(w->memory, UINT64_MAX, bytes, 2), -ENODATA);
    assert_int_equal(w->fake.brought_in, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MEMORY_TEST(hole_shared_private_changed),
        MEMORY_TEST(last_byte_of_a_page),
        MEMORY_TEST(silent_copy),
        MEMORY_TEST(many_pages),
        MEMORY_TEST(shared_page_table),
        MEMORY_TEST(page_table_met_by_a_walk),
        MEMORY_TEST(page_table_in_a_hole),
        MEMORY_TEST(many_page_tables),
        MEMORY_TEST(memory_op_replaces_a_frame),
        MEMORY_TEST(fewer_pages),
        MEMORY_TEST(read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
