/* SPDX-License-Identifier: MIT */
/* What most tests begin with: a client that has said hello to a stub over the fake target. */
#ifndef GDBSTUB_TESTS_SETUP_H
#define GDBSTUB_TESTS_SETUP_H

#include "client.h"
#include "fake.h"

struct setup {
    struct fake fake;
    struct client client;
};

/* For cmocka: *state is a struct setup; the second kind has not said hello. */
int open_setup(void **state);
int open_setup_unacquainted(void **state);
int close_setup(void **state);

/* Connects anew, after a test has taken operations away from the fake. */
void reopen(struct setup *setup);

#endif
