/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A folder, a fake source and what the pipeline made of it. */
#ifndef RECORDER_TEST_WORLD_H
#define RECORDER_TEST_WORLD_H

#include "fake_source.h"
#include "pipeline.h"
#include "xrw/insn.h"

struct world {
    char folder[64], path[96];
    struct fake_source fake;
    struct xrw_record_options options;
    struct xrw_record_result result;
    struct xrw_error err;
    unsigned notices;
    struct xrw_store *store;
    struct xrw_run run;
};

/* What options.interrupted points to. */
extern volatile sig_atomic_t world_interrupted;

/* For each test: an empty folder, a source of 20 exits. */
int world_setup(void **state);
int world_teardown(void **state);

/* Close and remove what was recorded. */
void world_remove_files(struct world *w);

int world_record(struct world *w);

/* Open what was recorded: it must have been closed cleanly. */
void world_reopen(struct world *w);

/* Record, which must go well, and reopen. */
void world_recorded(struct world *w, const char *stop, uint64_t exits);

/* First word of a page as the recording has it; -ENODATA. */
int world_stored_word(struct world *w, xrw_gfn gfn, uint64_t exit, uint64_t *word);

/*
 * What the recording says of every page at every exit: the truth, or nothing.  exact: memory was
 * taken at this exit; then it says something.
 */
void world_check_memory(struct world *w, bool (*exact)(const struct world *w, uint64_t exit));
bool at_every_exit(const struct world *w, uint64_t exit);
bool at_frames(const struct world *w, uint64_t exit);
bool at_the_end(const struct world *w, uint64_t exit);
bool at_the_start(const struct world *w, uint64_t exit);

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(test_##name, world_setup, world_teardown)

#endif
