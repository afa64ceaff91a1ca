/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support.h"

#include "fake_domains.h"
#include "xrw/vmx.h"

#include <errno.h>
#include <stdlib.h>

#define SPECIAL_GFN ((xrw_gfn)0xfeff0) /* where the domain builder puts its pages */
#define RAM_GFNS 300u

#define EPT_READ 0x181u /* of a linear address, the access itself */
#define EPT_WRITE 0x182u
#define EPT_WALK 0x081u /* met while walking the page tables */

struct given {
    xrw_gfn gfn;
    uint64_t word;
    bool forced;
};

struct world {
    struct fake fake;
    struct memory *memory;
    struct given given[2 * FAKE_GFNS];
    size_t count;
    size_t fail_at; /* page() fails at this call */
};

static int take_page(void *ctx, xrw_gfn gfn, const uint8_t *page, bool forced,
                     struct xrw_error *err)
{
    struct world *w = ctx;

    if (w->fail_at && w->count + 1 == w->fail_at)
        return xrw_error_set(err, -ENOSPC, "the store is full");
    assert_true(w->count < sizeof w->given / sizeof *w->given);
    w->given[w->count] = (struct given){.gfn = gfn, .forced = forced};
    memcpy(&w->given[w->count++].word, page, sizeof(uint64_t));
    return 0;
}

/* RAM from 0 on, and a special page that the fork has of its own from the start. */
static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    fake_init(&w->fake);
    w->fake.high = SPECIAL_GFN;
    for (xrw_gfn gfn = 0; gfn < RAM_GFNS; gfn++)
        fake_add_page(&w->fake, gfn, 1000 + gfn);
    fake_add_page(&w->fake, SPECIAL_GFN + 8, 5000);
    fake_copy(&w->fake, SPECIAL_GFN + 8);
    fake_write(&w->fake, SPECIAL_GFN + 8, 5001);
    w->fake.fork_pages += 3; /* that are at no guest frame */
    assert_int_equal(memory_create(&w->memory, &fake_ops, &w->fake), 0);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    memory_destroy(w->memory);
    assert_int_equal(w->fake.mapped, 0);
    assert_int_equal(w->fake.mappings, 0);
    fake_deinit(&w->fake);
    free(w);
    return 0;
}

static void take_base(struct world *w)
{
    struct xrw_error err = {""};

    if (memory_base(w->memory, take_page, w, &err))
        fail_msg("%s", err.text);
    assert_int_equal(w->count, RAM_GFNS + 1);
    w->count = 0;
}

/* An exit, and what it gives. */
static void exit_at(struct world *w, struct xrw_exit *exit)
{
    struct xrw_error err = {""};

    w->count = 0;
    if (memory_exit(w->memory, exit, &err) || memory_changes(w->memory, take_page, w, &err))
        fail_msg("%s", err.text);
}

static void simple_exit(struct world *w, unsigned reason)
{
    struct xrw_exit exit = {.has_after = true};

    xrw_exit_set(&exit, XRW_EXIT_reason, reason);
    exit_at(w, &exit);
}

static void ept_violation(struct world *w, xrw_gfn gfn, uint64_t qualification)
{
    struct xrw_exit exit = {.has_after = true};

    xrw_exit_set(&exit, XRW_EXIT_reason, XRW_VMX_EPT_VIOLATION);
    xrw_exit_set(&exit, XRW_EXIT_qualification, qualification);
    xrw_exit_set(&exit, XRW_EXIT_gpa, (gfn << XRW_PAGE_SHIFT) + 0x123);
    exit_at(w, &exit);
}

static void hypercall(struct world *w, uint64_t number)
{
    struct xrw_exit exit = {.has_after = true};

    xrw_exit_set(&exit, XRW_EXIT_reason, XRW_VMX_VMCALL);
    xrw_registers_set(&exit.before, XRW_REG_rax, number);
    exit_at(w, &exit);
}

#define assert_given(w, n, ...)                                                                    \
    do {                                                                                           \
        const struct given expected_[] = {__VA_ARGS__};                                            \
        assert_int_equal((w)->count, n);                                                           \
        for (size_t i_ = 0; i_ < (n); i_++) {                                                      \
            assert_int_equal((w)->given[i_].gfn, expected_[i_].gfn);                               \
            assert_int_equal((w)->given[i_].word, expected_[i_].word);                             \
            assert_int_equal((w)->given[i_].forced, expected_[i_].forced);                         \
        }                                                                                          \
    } while (0)

static uint64_t read_word(struct world *w, xrw_gfn gfn)
{
    uint64_t word = 0;

    assert_int_equal(memory_read(w->memory, gfn << XRW_PAGE_SHIFT, &word, sizeof word), 0);
    return word;
}

/* ---- base image ------------------------------------------------------ */

static void test_base(void **state)
{
    struct world *w = *state;
    bool seen[RAM_GFNS] = {false};

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
    assert_int_equal(memory_base(w->memory, take_page, w, &err), -ENODATA);
    assert_non_null(strstr(err.text, "PV dom0"));
    assert_int_equal(w->count, 0);
}

static void test_base_page_refused(void **state)
{
    struct world *w = *state;
    struct xrw_error err = {""};

    w->fail_at = 100;
    assert_int_equal(memory_base(w->memory, take_page, w, &err), -ENOSPC);
    assert_string_equal(err.text, "the store is full");
}

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

/* ---- faults ---------------------------------------------------------- */

static int whole_story(struct world *w, struct xrw_error *err)
{
    struct xrw_exit exit = {.has_after = true};
    uint64_t entry;
    int rc;

    xrw_exit_set(&exit, XRW_EXIT_reason, XRW_VMX_EPT_VIOLATION);
    xrw_exit_set(&exit, XRW_EXIT_qualification, EPT_WRITE);
    xrw_exit_set(&exit, XRW_EXIT_gpa, 7 << XRW_PAGE_SHIFT);
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

        (void)setup(&fresh);
        w = fresh;
        w->fake.fail_at = w->fake.calls + ++n;
        rc = whole_story(w, &err);
        assert_true(rc <= 0);
        assert_int_equal(rc != 0, w->fake.calls >= w->fake.fail_at);
        assert_int_equal(rc != 0, err.text[0] != '\0');
        (void)teardown(&fresh);
    } while (rc);
    assert_true(n > 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(base),
        TEST(ram_above_4g),
        TEST(ram_in_the_middle_of_nowhere),
        TEST(ram_in_the_middle_of_nowhere_above_4g),
        TEST(nothing_readable),
        TEST(base_page_refused),
        TEST(hole_shared_private_changed),
        TEST(last_byte_of_a_page),
        TEST(silent_copy),
        TEST(many_pages),
        TEST(shared_page_table),
        TEST(page_table_met_by_a_walk),
        TEST(page_table_in_a_hole),
        TEST(many_page_tables),
        TEST(memory_op_replaces_a_frame),
        TEST(fewer_pages),
        TEST(read),
        cmocka_unit_test(test_each_call_fails_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
