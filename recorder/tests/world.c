/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "world.h"

#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

volatile sig_atomic_t world_interrupted;

static void count_notice(void *ctx, const char *text)
{
    struct world *w = ctx;

    assert_true(text[0]);
    w->notices++;
}

int world_setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    (void)snprintf(w->folder, sizeof w->folder, "/tmp/xenrewind-test-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    (void)snprintf(w->path, sizeof w->path, "%s/a.db", w->folder);
    fake_source_init(&w->fake, 20);
    world_interrupted = 0;
    w->options = (struct xrw_record_options){.path = w->path,
                                             .until_reason = -1,
                                             .rows = XRW_RECORD_ROWS_NOW,
                                             .interrupted = &world_interrupted,
                                             .notice = count_notice,
                                             .ctx = w};
    *state = w;
    return 0;
}

void world_remove_files(struct world *w)
{
    char command[128];

    xrw_store_close(w->store, NULL);
    w->store = NULL;
    (void)snprintf(command, sizeof command, "rm -rf %s/*", w->folder);
    assert_int_equal(system(command), 0);
}

int world_teardown(void **state)
{
    struct world *w = *state;

    world_remove_files(w);
    assert_int_equal(rmdir(w->folder), 0);
    free(w);
    return 0;
}

int world_record(struct world *w)
{
    struct source source = fake_source(&w->fake);

    w->err.text[0] = '\0';
    return pipeline_record(&source, &w->options, &w->result, &w->err);
}

void world_reopen(struct world *w)
{
    char closed[4];

    if (xrw_store_open(&w->store, w->path, &w->err) || xrw_store_run(w->store, 1, &w->run, &w->err))
        fail_msg("%s", w->err.text);
    assert_true(w->options.runs > 1 || xrw_store_run_count(w->store) == 1);
    assert_int_equal(xrw_store_get_meta(w->store, "closed", closed, sizeof closed), 0);
    assert_string_equal(closed, "1");
    assert_true(w->run.end_unix_ns >= w->run.start_unix_ns && w->run.start_unix_ns > 0);
}

void world_recorded(struct world *w, const char *stop, uint64_t exits)
{
    if (world_record(w))
        fail_msg("%s", w->err.text);
    assert_string_equal(w->result.stop, stop);
    assert_true(w->result.stop_detail[0]);
    assert_int_equal(w->result.progress.exits, exits);
    assert_int_equal(w->fake.stops, 1);
    world_reopen(w);
    assert_string_equal(w->run.stop, stop);
    assert_string_equal(w->run.stop_detail, w->result.stop_detail);
    assert_int_equal(w->run.last_exit, exits);
}

/* ---- memory ---------------------------------------------------------- */

int world_stored_word(struct world *w, xrw_gfn gfn, uint64_t exit, uint64_t *word)
{
    uint8_t page[XRW_PAGE_BYTES];
    int rc = xrw_store_page(w->store, 1, gfn, exit, page, NULL, NULL);

    if (!rc)
        memcpy(word, page, sizeof *word);
    return rc;
}

void world_check_memory(struct world *w, bool (*exact)(const struct world *w, uint64_t exit))
{
    unsigned unknown = 0, expected_unknown = 0;

    for (uint64_t exit = 0; exit <= w->run.last_exit; exit++)
        for (xrw_gfn gfn = 0; gfn < FAKE_PAGES; gfn++) {
            uint64_t word = 0;
            int rc = world_stored_word(w, gfn, exit, &word);

            if (!rc)
                assert_int_equal(word, fake_source_word(gfn, exit));
            else
                assert_int_equal(rc, -ENODATA);
            if (exact(w, exit))
                assert_int_equal(rc, 0);
            else
                expected_unknown++;
            unknown += rc != 0;
        }
    /* Some of what is between frames cannot be known. */
    assert_int_equal(unknown > 0, expected_unknown > 0);
}

bool at_every_exit(const struct world *w, uint64_t exit)
{
    (void)w;
    (void)exit;
    return true;
}

bool at_frames(const struct world *w, uint64_t exit)
{
    return exit == 0 || exit == w->run.last_exit || exit % w->options.memory_every == 0;
}

bool at_the_end(const struct world *w, uint64_t exit)
{
    return exit == 0 || exit == w->run.last_exit;
}

bool at_the_start(const struct world *w, uint64_t exit)
{
    (void)w;
    return exit == 0;
}
