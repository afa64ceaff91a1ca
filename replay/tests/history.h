/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small random recordings for the tests of replay. */
#ifndef XRW_REPLAY_TEST_HISTORY_H
#define XRW_REPLAY_TEST_HISTORY_H

#include "xrw/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/*
 * The guest: two address spaces, each with a page table for four pages at HISTORY_VA; data pages at
 * HISTORY_PA.  Bytes that change are among the first eight of a page and have values 0 to 2, so
 * that values come back.
 */
#define HISTORY_VA UINT64_C(0x400000)
#define HISTORY_PA UINT64_C(0x10000)
#define HISTORY_PAGES 4u
#define HISTORY_CR3_A UINT64_C(0x1000)
#define HISTORY_CR3_B UINT64_C(0x5000)
#define HISTORY_RIP UINT64_C(0x1000000)
#define HISTORY_RIPS 6u

#define assert_done(call, err)                                                                     \
    do {                                                                                           \
        int ret_ = (call);                                                                         \
        if (ret_)                                                                                  \
            fail_msg("%s: %d: %s", #call, ret_, (err).text);                                       \
    } while (0)

struct history {
    struct xrw_store *store; /* open for reading, or still for writing if not ended */
    uint64_t random;
    char path[96];
};

uint64_t history_random(struct history *history, uint64_t limit);

/* Seed from XRW_TEST_SEED or the clock, printed. */
uint64_t history_seed(void);

/* Record `exits` random exits in a new file, then open it; or leave it unfinished. */
void history_make(struct history *history, uint64_t seed, unsigned exits,
                  enum xrw_memory_policy memory);
void history_remove(struct history *history);

#endif
