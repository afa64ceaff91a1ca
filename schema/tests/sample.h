/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the store's tests share: random exits, small recordings, files in a folder of their own. */
#ifndef XRW_STORE_TEST_SAMPLE_H
#define XRW_STORE_TEST_SAMPLE_H

#include "xrw/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Fails the test with the error's text. */
#define assert_done(call, err)                                                                     \
    do {                                                                                           \
        int ret_ = (call);                                                                         \
        if (ret_)                                                                                  \
            fail_msg("%s: %d: %s", #call, ret_, (err).text);                                       \
    } while (0)

/* A generator of numbers; the same seed gives the same. */
struct sample_random {
    uint64_t state;
};

/* Seed from XRW_TEST_SEED or the clock; printed, so that a failure can be repeated. */
struct sample_random sample_seed(void);
uint64_t sample_next(struct sample_random *random);
uint64_t sample_below(struct sample_random *random, uint64_t limit);

/* An exit of random fields and registers, about one in eight of them not known. */
void sample_exit(struct sample_random *random, uint64_t run, xrw_exit_id id, struct xrw_exit *exit);

/* Content of a page that depends on its two numbers alone; every third is hard to compress. */
void sample_page(uint64_t a, uint64_t b, uint8_t *page);

/* A folder for the test's files, removed by sample_remove_folder(), and a path in it. */
void sample_make_folder(void);
void sample_remove_folder(void);
const char *sample_path(const char *name);

/* These two for a group of tests. */
int sample_set_up(void **state);
int sample_tear_down(void **state);

/* `xenrewind check` has nothing to say. */
void sample_assert_checked(struct xrw_store *store);

/* The beginning of run `id` at exit `first`. */
struct xrw_run sample_run(uint64_t id, xrw_exit_id first, enum xrw_memory_policy memory);

/* Create a recording with one closed run: `exits` exits from the generator's stream, one page
 * version an exit on 16 pages, memory policy EXIT. */
void sample_recording(const char *path, struct sample_random random, unsigned exits);

/* Create a recording that has every kind of exit. */
void sample_tour(const char *path);

#endif
