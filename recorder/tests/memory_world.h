/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A fork whose memory is followed, and the pages that were given. */
#ifndef RECORDER_TEST_MEMORY_WORLD_H
#define RECORDER_TEST_MEMORY_WORLD_H

#include "fake_domains.h"

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
    bool starting;  /* a run: take_page() tells what is not as in the base image */
    size_t fail_at; /* page() fails at this call */
};

/* Keeps what it is given; a source_page. */
int take_page(void *ctx, xrw_gfn gfn, const uint8_t *page, bool forced, struct xrw_error *err);

/* RAM from 0 on, and a special page that the fork has of its own from the start. */
int memory_setup(void **state);
int memory_teardown(void **state);

/* Take the base image, and forget what was given. */
void take_base(struct world *w);

/* An exit, and what it gives. */
void simple_exit(struct world *w, unsigned reason);
void ept_violation(struct world *w, xrw_gfn gfn, uint64_t qualification);
void hypercall(struct world *w, uint64_t number);

/* First word of a page as the recorder reads it. */
uint64_t read_word(struct world *w, xrw_gfn gfn);

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

#define MEMORY_TEST(name)                                                                          \
    cmocka_unit_test_setup_teardown(test_##name, memory_setup, memory_teardown)

#endif
