/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory and its truth, against the store read directly. */
#include "history.h"

#include "xrw/memory.h"
#include "xrw/vmx.h"

#include <errno.h>
#include <string.h>

#define EXITS 120u

struct opened {
    struct history history;
    struct xrw_memory *memory;
    struct xrw_error err;
};

static void open_memory(struct opened *opened, uint64_t seed, enum xrw_memory_policy policy)
{
    struct xrw_run run;

    history_make(&opened->history, seed, EXITS, policy);
    assert_done(xrw_store_run(opened->history.store, 1, &run, &opened->err), opened->err);
    assert_int_equal(xrw_memory_create(opened->history.store, &run, &opened->memory), 0);
}

static void close_memory(struct opened *opened)
{
    xrw_memory_destroy(opened->memory);
    history_remove(&opened->history);
}

static struct xrw_exit exit_of(struct opened *opened, xrw_exit_id id)
{
    struct xrw_exit exit;

    assert_done(xrw_store_exit(opened->history.store, id, &exit, &opened->err), opened->err);
    return exit;
}

/* Each byte is the recorded one, or it is not known, which it is only where it changed at an exit
 * whose handling may have written it. */
static void test_truth_of_each_byte(void **state)
{
    static struct opened opened;
    unsigned unknown = 0;

    (void)state;
    open_memory(&opened, history_seed(), XRW_MEMORY_EXIT);
    for (xrw_exit_id id = 1; id <= EXITS; id++)
        for (xrw_gfn gfn = HISTORY_PA >> 12; gfn < (HISTORY_PA >> 12) + HISTORY_PAGES; gfn++) {
            struct xrw_exit exit = exit_of(&opened, id);
            uint8_t now[XRW_PAGE_BYTES], before[XRW_PAGE_BYTES];
            const struct xrw_known_page *page;
            bool all = true;

            assert_done(xrw_store_page(opened.history.store, 1, gfn, id, now, NULL, &opened.err),
                        opened.err);
            assert_done(
                xrw_store_page(opened.history.store, 1, gfn, id - 1, before, NULL, &opened.err),
                opened.err);
            assert_done(xrw_memory_page(opened.memory, &exit, gfn, &page, &opened.err), opened.err);
            for (unsigned i = 0; i < XRW_PAGE_BYTES; i++) {
                bool doubtful = now[i] != before[i] && xrw_exit_may_write_memory(&exit);

                assert_int_equal(page->known[i], !doubtful);
                assert_int_equal(page->bytes[i], doubtful ? 0 : now[i]);
                all = all && !doubtful;
                unknown += doubtful;
            }
            assert_int_equal(page->all_known, all);
        }
    assert_true(unknown > 0);
    close_memory(&opened);
}

static void test_reads_end_at_what_is_not_known(void **state)
{
    static struct opened opened;
    uint8_t buf[3 * XRW_PAGE_BYTES];
    struct xrw_exit exit;
    size_t got;

    (void)state;
    open_memory(&opened, 5, XRW_MEMORY_EXIT);
    exit = exit_of(&opened, 1);
    exit.field[XRW_EXIT_reason] = XRW_VMX_CPUID;
    assert_done(xrw_memory_read_physical(opened.memory, &exit, HISTORY_PA + 0xffe, buf, 0x1004,
                                         &got, &opened.err),
                opened.err);
    assert_int_equal(got, 0x1004);
    assert_done(xrw_memory_read_physical(opened.memory, &exit,
                                         HISTORY_PA + HISTORY_PAGES * XRW_PAGE_BYTES - 3, buf, 8,
                                         &got, &opened.err),
                opened.err);
    assert_int_equal(got, 3);
    assert_int_equal(xrw_memory_read_physical(opened.memory, &exit, UINT64_C(0x7000000), buf, 8,
                                              &got, &opened.err),
                     -ENODATA);
    assert_int_equal(
        xrw_memory_read(opened.memory, &exit, HISTORY_VA - 8, buf, 16, &got, &opened.err), -EFAULT);
    assert_int_equal(xrw_memory_read(opened.memory, &exit, UINT64_C(0x8000000000000000), buf, 1,
                                     &got, &opened.err),
                     -EFAULT);
    exit.before.known[XRW_REG_cr3] = false;
    assert_int_equal(xrw_memory_read(opened.memory, &exit, HISTORY_VA, buf, 1, &got, &opened.err),
                     -ENODATA);
    close_memory(&opened);
}

/* Between two frames memory is known only where it did not change from one to the other. */
static void test_between_frames(void **state)
{
    static struct opened opened;
    unsigned known = 0, unknown = 0;

    (void)state;
    open_memory(&opened, 6, XRW_MEMORY_FRAMES);
    for (xrw_exit_id id = 1; id <= EXITS; id++) {
        struct xrw_exit exit = exit_of(&opened, id);
        const struct xrw_known_page *page;
        int ret = xrw_memory_page(opened.memory, &exit, HISTORY_PA >> 12, &page, &opened.err);

        assert_true(!ret || ret == -ENODATA);
        known += !ret;
        unknown += ret == -ENODATA;
    }
    assert_true(known > 0 && unknown > 0);
    close_memory(&opened);
}

static void count_page(void *ctx, xrw_gfn gfn)
{
    unsigned *count = ctx;

    (void)gfn;
    ++*count;
}

static void test_visitor_sees_tables_and_data(void **state)
{
    static struct opened opened;
    unsigned count = 0;
    struct xrw_exit exit;
    uint8_t byte;
    size_t got;

    (void)state;
    open_memory(&opened, 9, XRW_MEMORY_EXIT);
    exit = exit_of(&opened, 1);
    exit.before.value[XRW_REG_cr3] = HISTORY_CR3_A;
    exit.field[XRW_EXIT_reason] = XRW_VMX_CPUID;
    xrw_memory_watch_pages(opened.memory, count_page, &count);
    for (int twice = 0; twice < 2; twice++) {
        count = 0;
        (void)xrw_memory_read(opened.memory, &exit, HISTORY_VA, &byte, 1, &got, NULL);
        assert_true(count == 5 || count == 4); /* four tables, and the data if it is mapped */
    }
    xrw_memory_watch_pages(opened.memory, NULL, NULL);
    close_memory(&opened);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_truth_of_each_byte),
        cmocka_unit_test(test_reads_end_at_what_is_not_known),
        cmocka_unit_test(test_between_frames),
        cmocka_unit_test(test_visitor_sees_tables_and_data),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
