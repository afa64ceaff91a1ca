/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page through which a test guest tells dom0 how far it is.  It is RAM of the guest that its
 * memory map calls reserved, so that no kernel uses it for anything else.
 */
#ifndef XENREWIND_TESTS_GUEST_STATUS_H
#define XENREWIND_TESTS_GUEST_STATUS_H

#include <stdint.h>

#define GUEST_STATUS_GPA 0x9f000u
#define GUEST_INPUT_GPA 0x9e000u /* where tour's `input' looks for it; it ends with a zero */
#define GUEST_STATUS_MAGIC 0x5441545354534547ull /* "GESTSTAT" */

enum guest_status_code {
    GUEST_STARTED = 0, /* what the page holds before the guest has written to it */
    GUEST_READY = 1,   /* in its steady loop: may be forked */
    GUEST_PASS = 2,    /* done, found its own state right */
    GUEST_FAIL = 3,    /* done, found it wrong */
};

struct guest_status {
    uint64_t magic; /* GUEST_STATUS_MAGIC once the guest has written */
    uint32_t code;  /* enum guest_status_code */
    uint32_t line;  /* GUEST_FAIL: the source line of the first check that failed */
    uint64_t visit; /* and the number of the visit that it was in */
    uint64_t value; /* the checksum of tour */
};

#endif
