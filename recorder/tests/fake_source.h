/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A source of exits without a hypervisor.  Its guest has a few pages and writes one of them before
 * each exit; its clock goes on by a step for each exit waited for.  It checks that it is called in
 * the order that source.h promises, and fails at a call if told so.
 */
#ifndef RECORDER_TEST_FAKE_SOURCE_H
#define RECORDER_TEST_FAKE_SOURCE_H

#include "source.h"

#define FAKE_PAGES 6u
#define FAKE_CODE 0x1800u /* its instructions: CPUID, in page 1 */
#define FAKE_DOMAIN 7u
#define FAKE_VMCALL_EVERY 5u /* exits; the others are CPUID */

struct fake_source {
    /* What it does. */
    uint64_t exits;      /* how many come ... */
    int afterwards;      /* ... and the outcome of next() then */
    uint64_t step_ns;    /* time that next() takes */
    uint64_t unheld_at;  /* an exit at which it is not held */
    uint64_t final_at;   /* an exit from which it cannot go on */
    bool lets_go;        /* it goes on at once, and is held where it is asked for ... */
    uint64_t hold_delay; /* ... so many exits late */
    bool noise;          /* all pages get new random content at each exit */
    unsigned fail_at;    /* this call fails; 0: none */
    void (*at_exit)(struct fake_source *fake, uint64_t exit);
    void *at_exit_ctx;

    /* What happened. */
    unsigned calls;
    const char *failed; /* name of the call that did */
    uint64_t delivered, resumed;
    unsigned starts, stops;
    unsigned contexts;
    uint64_t asked;
    bool going, given, held;
    uint64_t clock_ns;

    unsigned resets, writes;
    bool marks; /* a reset leaves page 2 with another content, as a processor may */

    uint8_t pages[FAKE_PAGES][XRW_PAGE_BYTES];
    uint8_t at_start[FAKE_PAGES][XRW_PAGE_BYTES];
    bool changed[FAKE_PAGES], private[FAKE_PAGES], reached[FAKE_PAGES];
    uint64_t random;
};

/* A source that gives so many exits and ends then. */
void fake_source_init(struct fake_source *fake, uint64_t exits);
struct source fake_source(struct fake_source *fake);

/* First word of a page as of an exit (0: base image), without noise. */
uint64_t fake_source_word(xrw_gfn gfn, uint64_t exit);

#endif
