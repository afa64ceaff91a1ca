/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Recordings cut short or with bytes changed: an error or an answer, never a crash. */
#include "sample.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t *good;
static size_t good_bytes;

static int set_up(void **state)
{
    FILE *file;

    (void)state;
    sample_make_folder();
    sample_recording(sample_path("good.db"), sample_seed(), 100);
    file = fopen(sample_path("good.db"), "r");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    good_bytes = (size_t)ftell(file);
    rewind(file);
    good = malloc(good_bytes);
    assert_non_null(good);
    assert_int_equal(fread(good, 1, good_bytes, file), good_bytes);
    (void)fclose(file);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(good);
    sample_remove_folder();
    return 0;
}

/* XRW_TEST_ROUNDS asks for more than a test run has time for. */
static unsigned rounds(void)
{
    const char *given = getenv("XRW_TEST_ROUNDS");

    return given ? (unsigned)strtoul(given, NULL, 0) : 30;
}

static void write_bytes(const char *path, const uint8_t *data, size_t bytes)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

static int ignore_row(void *ctx, int columns, const char *const *names, const char *const *values)
{
    (void)ctx;
    (void)columns;
    (void)names;
    (void)values;
    return 0;
}

/* Ask the store everything; the answers do not matter. */
static void read_everything(struct xrw_store *store)
{
    static const char *const queries[] = {"SELECT * FROM exits", "SELECT * FROM state",
                                          "SELECT * FROM memory_write",
                                          "SELECT * FROM registers WHERE id < 3"};
    struct xrw_exit_filter filter = {.by_rip = true, .rip_first = 1, .rip_last = UINT64_MAX / 2};
    struct xrw_error err;
    struct xrw_run run;
    struct xrw_exit exit;
    uint8_t page[XRW_PAGE_BYTES];
    char text[64];
    size_t bytes;

    (void)xrw_store_run_count(store);
    (void)xrw_store_run(store, 1, &run, &err);
    (void)xrw_store_get_meta(store, "closed", text, sizeof text);
    for (xrw_exit_id id = 0; id <= 101; id += 7) {
        (void)xrw_store_exit(store, id, &exit, &err);
        (void)xrw_store_insn(store, id, page, &bytes, text, sizeof text, &err);
        (void)xrw_store_fxsave(store, id, page, &err);
        (void)xrw_store_find_exit(store, &filter, id, id & 1, 0, 200, NULL, NULL, &run.id, &err);
        for (xrw_gfn gfn = 0; gfn < 16; gfn++) {
            (void)xrw_store_page(store, 1, gfn, id, page, NULL, &err);
            (void)xrw_store_find_page_change(store, 1, gfn, id, id & 1, &run.id, &err);
        }
    }
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++)
        (void)xrw_store_query(store, queries[i], 50, 2000, ignore_row, NULL, &err);
}

static bool open_and_read(const char *path)
{
    struct xrw_error err = {""};
    struct xrw_store *store;
    int ret = xrw_store_open(&store, path, &err);

    if (ret) {
        assert_true(ret < 0);
        assert_true(err.text[0] != '\0');
        return false;
    }
    read_everything(store);
    (void)xrw_store_close(store, &err);
    return true;
}

static void truncated_anywhere_it_is_refused(void **state)
{
    const char *path = sample_path("cut.db");
    struct sample_random random = sample_seed();

    (void)state;
    for (unsigned i = 0; i < 3 * rounds(); i++) {
        size_t bytes = i < 20             ? i * 8
                       : i < 2 * rounds() ? sample_below(&random, good_bytes)
                                          : good_bytes - 1 - sample_below(&random, 20000);

        write_bytes(path, good, bytes);
        assert_false(open_and_read(path));
    }
}

static void flipped_bytes_do_no_harm(void **state)
{
    const char *path = sample_path("flip.db");
    struct sample_random random = sample_seed();
    uint8_t *bad = malloc(good_bytes);
    unsigned opened = 0;

    (void)state;
    assert_non_null(bad);
    for (unsigned i = 0; i < 2 * rounds(); i++) {
        /* Headers of file and pages are where a wrong byte does most. */
        unsigned flips = 1u << sample_below(&random, 8);

        memcpy(bad, good, good_bytes);
        for (unsigned flip = 0; flip < flips; flip++) {
            size_t at = sample_below(&random, good_bytes);

            if (sample_below(&random, 2))
                at = at / 16384 * 16384 + sample_below(&random, 128);
            if (at >= 100 && at < good_bytes)
                bad[at] = (uint8_t)sample_next(&random);
        }
        write_bytes(path, bad, good_bytes);
        opened += open_and_read(path);
    }
    for (size_t at = 0; at < 100; at += 1 + sample_below(&random, 3)) {
        memcpy(bad, good, good_bytes);
        bad[at] ^= (uint8_t)(1u << sample_below(&random, 8));
        write_bytes(path, bad, good_bytes);
        opened += open_and_read(path);
    }
    free(bad);
    assert_true(opened > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(truncated_anywhere_it_is_refused),
        cmocka_unit_test(flipped_bytes_do_no_harm),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
