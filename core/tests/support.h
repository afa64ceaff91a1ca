/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of this folder share: cmocka, random numbers, exits made from short lists. */
#ifndef CORE_TEST_SUPPORT_H
#define CORE_TEST_SUPPORT_H

#include "xrw/exit.h"
#include "xrw/vmx.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct random {
    uint64_t state;
};

/* From $XRW_TEST_SEED or the clock; prints the seed, so that a failure can be had again. */
struct random random_seed(void);
uint64_t random_next(struct random *random);
uint64_t random_below(struct random *random, uint64_t limit);

/* One known value of an exit; a list of them ends with where 0. */
struct setting {
    enum { END, FIELD, BEFORE, AFTER } where;
    unsigned which;
    uint64_t value;
};
#define F(name, value)                                                                             \
    {                                                                                              \
        FIELD, XRW_EXIT_##name, value                                                              \
    }
#define B(name, value)                                                                             \
    {                                                                                              \
        BEFORE, XRW_REG_##name, value                                                              \
    }
#define A(name, value)                                                                             \
    {                                                                                              \
        AFTER, XRW_REG_##name, value                                                               \
    }

/* An exit of that reason which knows what is listed; it has a resume state if any A() is there. */
struct xrw_exit exit_of(uint32_t reason, const struct setting *settings);

/* An exit full of random values, each known or not, some wider than their field. */
void random_exit(struct random *random, uint32_t basic_reason, struct xrw_exit *exit);

#endif
