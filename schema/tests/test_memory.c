/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory as of an exit, by each policy, and the FPU state. */
#include "page_cache.h"
#include "page_codec.h"
#include "sample.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct xrw_store *begin(const char *name, enum xrw_memory_policy memory)
{
    struct xrw_run run = sample_run(1, 1, memory);
    struct xrw_error err = {""};
    struct xrw_store *store;

    assert_done(xrw_store_create(&store, sample_path(name), &err), err);
    assert_done(xrw_store_begin_run(store, &run, &err), err);
    return store;
}

static void add_exit(struct xrw_store *store, xrw_exit_id id)
{
    struct xrw_error err = {""};
    struct xrw_exit exit = {.id = id, .run = 1};

    assert_done(xrw_store_add_exit(store, &exit, &err), err);
}

static void add_page(struct xrw_store *store, xrw_gfn gfn, xrw_exit_id exit, uint8_t fill,
                     bool force)
{
    struct xrw_error err = {""};
    uint8_t page[XRW_PAGE_BYTES];

    memset(page, fill, sizeof page);
    assert_done(xrw_store_add_page(store, 1, gfn, exit, page, force, &err), err);
}

/* First byte of the page, or the error. */
static int page_at(struct xrw_store *store, xrw_gfn gfn, xrw_exit_id exit, xrw_exit_id *since)
{
    struct xrw_error err = {""};
    uint8_t page[XRW_PAGE_BYTES];
    int ret = xrw_store_page(store, 1, gfn, exit, page, since, &err);

    return ret ? ret : page[0];
}

static int take_count(void *ctx, int columns, const char *const *names, const char *const *values)
{
    (void)columns;
    (void)names;
    *(int64_t *)ctx = strtoll(values[0], NULL, 10);
    return 0;
}

static int64_t count(struct xrw_store *store, const char *sql)
{
    struct xrw_error err = {""};
    int64_t n = -1;

    assert_done(xrw_store_query(store, sql, 1, 10000, take_count, &n, &err), err);
    return n;
}

static void pages_pack_and_unpack(void **state)
{
    uint8_t page[XRW_PAGE_BYTES], back[XRW_PAGE_BYTES], data[XRW_PAGE_BYTES];
    size_t bytes;

    (void)state;
    memset(page, 0, sizeof page);
    assert_int_equal(xrw_page_encode(page, data, &bytes), XRW_PAGE_ZERO);
    assert_int_equal(bytes, 0);
    assert_int_equal(xrw_page_decode(XRW_PAGE_ZERO, data, 0, NULL, back), 0);
    assert_memory_equal(page, back, sizeof page);
    for (unsigned i = 0; i < 300; i++) {
        enum xrw_page_encoding encoding;

        sample_page(i, i, page);
        encoding = xrw_page_encode(page, data, &bytes);
        assert_int_equal(encoding, i % 3 == 2 ? XRW_PAGE_RAW : XRW_PAGE_LZ4);
        assert_int_equal(xrw_page_decode(encoding, data, bytes, NULL, back), 0);
        assert_memory_equal(page, back, sizeof page);
    }
}

static void differences_pack_and_unpack(void **state)
{
    uint8_t base[XRW_PAGE_BYTES], page[XRW_PAGE_BYTES], back[XRW_PAGE_BYTES], data[XRW_PAGE_BYTES];
    size_t bytes;

    (void)state;
    sample_page(2, 2, base); /* hard to compress */
    memcpy(page, base, sizeof page);
    for (unsigned i = 0; i < 8; i++)
        page[i * 500] ^= 0x5a;
    bytes = xrw_page_encode_difference(page, base, data);
    assert_in_range(bytes, 1, 200);
    assert_int_equal(xrw_page_decode(XRW_PAGE_DIFFERENCE, data, bytes, base, back), 0);
    assert_memory_equal(page, back, sizeof page);
    assert_int_equal(xrw_page_decode(XRW_PAGE_DIFFERENCE, data, bytes, NULL, back), -EUCLEAN);
    assert_int_equal(xrw_page_decode(XRW_PAGE_DIFFERENCE, data, bytes - 1, base, back), -EUCLEAN);
    sample_page(5, 5, page);
    assert_int_equal(xrw_page_encode_difference(page, base, data), 0);
}

static void damaged_pages_do_not_unpack(void **state)
{
    struct sample_random random = sample_seed();
    uint8_t page[XRW_PAGE_BYTES], back[XRW_PAGE_BYTES], data[XRW_PAGE_BYTES];
    size_t bytes;

    (void)state;
    sample_page(1, 1, page);
    assert_int_equal(xrw_page_encode(page, data, &bytes), XRW_PAGE_LZ4);
    memset(back, 0x77, sizeof back);
    for (size_t cut = 0; cut < bytes; cut++)
        assert_int_equal(xrw_page_decode(XRW_PAGE_LZ4, data, cut, NULL, back), -EUCLEAN);
    assert_int_equal(xrw_page_decode(XRW_PAGE_RAW, data, bytes, NULL, back), -EUCLEAN);
    assert_int_equal(xrw_page_decode(XRW_PAGE_ZERO, data, bytes, NULL, back), -EUCLEAN);
    assert_int_equal(xrw_page_decode(4, data, bytes, NULL, back), -EUCLEAN);
    assert_int_equal(xrw_page_decode(-1, data, bytes, NULL, back), -EUCLEAN);
    assert_int_equal(xrw_page_decode(INT64_MAX, data, bytes, NULL, back), -EUCLEAN);
    for (unsigned i = 0; i < sizeof back; i++)
        assert_int_equal(back[i], 0x77);
    for (unsigned i = 0; i < 20000; i++) {
        size_t length = sample_below(&random, sizeof data);

        for (size_t j = 0; j < length; j++)
            data[j] = (uint8_t)sample_next(&random);
        (void)xrw_page_decode(XRW_PAGE_LZ4, data, length, NULL, back);
    }
}

static void the_cache_forgets_the_oldest(void **state)
{
    struct xrw_page_cache *cache = xrw_page_cache_create();
    uint8_t page[XRW_PAGE_BYTES];

    (void)state;
    assert_non_null(cache);
    for (uint64_t id = 0; id < 10000; id++) {
        memset(page, (int)(id % 251), sizeof page);
        xrw_page_cache_add(cache, id, page);
        assert_non_null(xrw_page_cache_find(cache, id));
    }
    assert_null(xrw_page_cache_find(cache, 0));
    for (uint64_t id = 9900; id < 10000; id++)
        assert_int_equal(xrw_page_cache_find(cache, id)[9], id % 251);
    xrw_page_cache_destroy(cache);
    xrw_page_cache_destroy(NULL);
    assert_null(xrw_page_cache_find(NULL, 1));
}

/* Against a model: every page at every exit, read in random order. */
static void exact_memory_at_every_exit(void **state)
{
    enum { PAGES = 8, EXITS = 200 };
    static uint64_t model[EXITS + 1][PAGES], since[EXITS + 1][PAGES];
    struct sample_random random = sample_seed();
    struct xrw_store *store = begin("exact.db", XRW_MEMORY_EXIT);
    struct xrw_error err = {""};
    uint8_t page[XRW_PAGE_BYTES], read[XRW_PAGE_BYTES];

    (void)state;
    for (xrw_exit_id exit = 0; exit <= EXITS; exit++) {
        for (xrw_gfn gfn = 0; gfn < PAGES; gfn++) {
            uint64_t content =
                exit && sample_below(&random, 4) ? model[exit - 1][gfn] : sample_below(&random, 30);

            model[exit][gfn] = content;
            since[exit][gfn] =
                exit && content == model[exit - 1][gfn] ? since[exit - 1][gfn] : exit;
            sample_page(7, content, page);
            assert_done(xrw_store_add_page(store, 1, gfn, exit, page, false, &err), err);
        }
        if (exit)
            add_exit(store, exit);
    }
    assert_done(xrw_store_close(store, &err), err);
    assert_done(xrw_store_open(&store, sample_path("exact.db"), &err), err);
    for (unsigned i = 0; i < 5000; i++) {
        xrw_exit_id exit = sample_below(&random, EXITS + 1), version = 12345;
        xrw_gfn gfn = sample_below(&random, PAGES);

        assert_done(xrw_store_page(store, 1, gfn, exit, read, &version, &err), err);
        sample_page(7, model[exit][gfn], page);
        assert_memory_equal(page, read, sizeof page);
        assert_int_equal(version, since[exit][gfn]);
    }
    assert_true(count(store, "SELECT count(*) FROM page") <= 31);
    assert_int_equal(page_at(store, 0, EXITS + 1, NULL), -ENODATA);
    assert_int_equal(page_at(store, PAGES, 1, NULL), -ENODATA);
    assert_int_equal(page_at(store, UINT64_MAX, 1, NULL), -ENODATA);
    assert_int_equal(xrw_store_page(store, 2, 0, 1, read, NULL, &err), -ENOENT);
    assert_done(xrw_store_close(store, &err), err);
}

static void page_changes_are_found_both_ways(void **state)
{
    struct xrw_store *store = begin("changes.db", XRW_MEMORY_EXIT);
    struct xrw_error err = {""};
    xrw_exit_id found = 99;

    (void)state;
    add_page(store, 5, 0, 1, false);
    for (xrw_exit_id id = 1; id <= 10; id++) {
        if (id == 3 || id == 7)
            add_page(store, 5, id, (uint8_t)id, false);
        add_exit(store, id);
    }
    assert_int_equal(xrw_store_find_page_change(store, 1, 5, 0, true, &found, &err), 1);
    assert_int_equal(found, 3);
    assert_int_equal(xrw_store_find_page_change(store, 1, 5, 3, true, &found, &err), 1);
    assert_int_equal(found, 7);
    assert_int_equal(xrw_store_find_page_change(store, 1, 5, 7, true, &found, &err), 0);
    assert_int_equal(xrw_store_find_page_change(store, 1, 5, 10, false, &found, &err), 1);
    assert_int_equal(found, 7);
    assert_int_equal(xrw_store_find_page_change(store, 1, 5, 7, false, &found, &err), 1);
    assert_int_equal(found, 3);
    /* The base image is no change. */
    assert_int_equal(xrw_store_find_page_change(store, 1, 5, 3, false, &found, &err), 0);
    assert_int_equal(found, 3);
    assert_done(xrw_store_close(store, &err), err);
}

/* Frames at 4 and 8 of 10 exits.  Page 1 never becomes private; page 2 does by frame 4; page 3 by
 * frame 8, with the content it had. */
static void between_frames_only_untouched_pages_are_known(void **state)
{
    struct xrw_store *store = begin("frames.db", XRW_MEMORY_FRAMES);
    struct xrw_error err = {""};
    xrw_exit_id since = 99;

    (void)state;
    for (xrw_gfn gfn = 1; gfn <= 3; gfn++)
        add_page(store, gfn, 0, 10, false);
    for (xrw_exit_id id = 1; id <= 10; id++) {
        if (id == 4 || id == 8) {
            add_page(store, 2, id, (uint8_t)id, false);
            if (id == 8)
                add_page(store, 3, id, 10, true);
            assert_done(xrw_store_add_memory_frame(store, 1, id, &err), err);
        }
        add_exit(store, id);
    }
    assert_int_equal(page_at(store, 1, 0, NULL), 10);
    assert_int_equal(page_at(store, 2, 0, NULL), 10);
    for (xrw_exit_id id = 1; id <= 8; id++)
        assert_int_equal(page_at(store, 1, id, NULL), 10);
    assert_int_equal(page_at(store, 2, 3, NULL), -ENODATA);
    assert_int_equal(page_at(store, 2, 4, NULL), 4);
    assert_int_equal(page_at(store, 2, 5, NULL), -ENODATA);
    assert_int_equal(page_at(store, 2, 8, NULL), 8);
    assert_int_equal(page_at(store, 3, 4, NULL), 10);
    assert_int_equal(page_at(store, 3, 3, NULL), 10);
    assert_int_equal(page_at(store, 3, 5, NULL), -ENODATA);
    assert_int_equal(page_at(store, 3, 8, &since), 10);
    assert_int_equal(since, 0);
    assert_int_equal(page_at(store, 2, 8, &since), 8);
    assert_int_equal(since, 8);
    /* That page 3 became private is recorded, but it was not written. */
    assert_int_equal(count(store, "SELECT count(*) FROM page_version WHERE gfn = 3"), 2);
    assert_int_equal(count(store, "SELECT count(*) FROM memory_write WHERE gfn = 3"), 0);
    assert_int_equal(count(store, "SELECT count(*) FROM memory_write WHERE gfn = 2"), 2);
    for (xrw_gfn gfn = 1; gfn <= 3; gfn++)
        for (xrw_exit_id id = 9; id <= 10; id++)
            assert_int_equal(page_at(store, gfn, id, NULL), -ENODATA);
    assert_done(xrw_store_close(store, &err), err);
}

static void without_memory_only_the_base_image_is_known(void **state)
{
    struct xrw_store *store = begin("none.db", XRW_MEMORY_NONE);
    struct xrw_error err = {""};
    xrw_exit_id since = 5;

    (void)state;
    add_page(store, 1, 0, 10, false);
    add_exit(store, 1);
    assert_int_equal(page_at(store, 1, 0, &since), 10);
    assert_int_equal(since, 0);
    assert_int_equal(page_at(store, 1, 1, NULL), -ENODATA);
    assert_done(xrw_store_close(store, &err), err);
}

static void equal_pages_are_stored_once(void **state)
{
    struct xrw_store *store = begin("once.db", XRW_MEMORY_EXIT);
    struct xrw_error err = {""};
    uint8_t page[XRW_PAGE_BYTES] = {9};

    (void)state;
    for (xrw_gfn gfn = 0; gfn < 100; gfn++)
        add_page(store, gfn, 0, gfn < 50 ? 0 : 7, false);
    assert_int_equal(count(store, "SELECT count(*) FROM page"), 2);
    assert_int_equal(count(store, "SELECT count(*) FROM page_version WHERE page = 0"), 50);
    add_page(store, 1, 1, 0, false);
    assert_int_equal(count(store, "SELECT count(*) FROM page_version WHERE exit = 1"), 0);
    add_page(store, 1, 1, 0, true);
    add_page(store, 1, 1, 0, true);
    assert_int_equal(count(store, "SELECT count(*) FROM page_version WHERE exit = 1"), 1);
    assert_int_equal(xrw_store_add_page(store, 1, 1, 1, page, false, &err), -EINVAL);
    assert_int_equal(xrw_store_add_page(store, 1, 1, 2, page, false, &err), -EINVAL);
    assert_int_equal(xrw_store_add_page(store, 2, 1, 1, page, false, &err), -EINVAL);
    assert_done(xrw_store_close(store, &err), err);
    /* The exit never came: nor did its memory. */
    assert_done(xrw_store_open(&store, sample_path("once.db"), &err), err);
    assert_int_equal(count(store, "SELECT count(*) FROM page_version WHERE exit = 1"), 0);
    assert_int_equal(count(store, "SELECT count(*) FROM page_version"), 100);
    assert_done(xrw_store_close(store, &err), err);
}

static void fpu_state_is_valid_until_the_next(void **state)
{
    struct xrw_store *store = begin("fpu.db", XRW_MEMORY_NONE);
    struct xrw_error err = {""};
    uint8_t fxsave[XRW_FXSAVE_BYTES] = {0};

    (void)state;
    for (xrw_exit_id id = 1; id <= 10; id++) {
        fxsave[160] = id < 4 ? 1 : 2;
        if (id > 1)
            assert_done(
                xrw_store_add_context(store, 1, id, 0, "fxsave", fxsave, sizeof fxsave, &err), err);
        add_exit(store, id);
    }
    assert_int_equal(count(store, "SELECT count(*) FROM context"), 2);
    assert_int_equal(xrw_store_fxsave(store, 1, fxsave, &err), -ENODATA);
    assert_done(xrw_store_fxsave(store, 3, fxsave, &err), err);
    assert_int_equal(fxsave[160], 1);
    assert_done(xrw_store_fxsave(store, 9, fxsave, &err), err);
    assert_int_equal(fxsave[160], 2);
    assert_int_equal(xrw_store_fxsave(store, 11, fxsave, &err), -ENOENT);
    assert_int_equal(xrw_store_add_context(store, 1, 11, 0, "fxsave", fxsave, 100, &err), -EINVAL);
    assert_done(xrw_store_close(store, &err), err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_pack_and_unpack),
        cmocka_unit_test(differences_pack_and_unpack),
        cmocka_unit_test(damaged_pages_do_not_unpack),
        cmocka_unit_test(the_cache_forgets_the_oldest),
        cmocka_unit_test(exact_memory_at_every_exit),
        cmocka_unit_test(page_changes_are_found_both_ways),
        cmocka_unit_test(between_frames_only_untouched_pages_are_known),
        cmocka_unit_test(without_memory_only_the_base_image_is_known),
        cmocka_unit_test(equal_pages_are_stored_once),
        cmocka_unit_test(fpu_state_is_valid_until_the_next),
    };

    return cmocka_run_group_tests(tests, sample_set_up, sample_tear_down);
}
