/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Recording in each mode from the hypervisor of fake_xen.h. */
#ifndef RECORDER_TEST_MODES_WORLD_H
#define RECORDER_TEST_MODES_WORLD_H

#include "fake_xen.h"
#include "xrw/recorder.h"
#include "xrw/store.h"

struct world {
    char path[64];
    struct xrw_record_options options;
    struct xrw_record_result result;
    struct xrw_error err;
    struct xrw_store *store;
    struct xrw_run run;
    char notices[1024];
};

/* cmocka's; *state is a struct world, of a guest that makes 100 exits. */
int modes_setup(void **state);
int modes_teardown(void **state);

/* Begin again in the same test. */
void again(struct world *w, uint64_t exits);

/* Whatever Xen did, its rules were kept, and all is as it was before. */
void check_rules(void);

/* Record, which must succeed in that mode and stop for that reason; then open the recording. */
void record(struct world *w, const char *mode, const char *stop);

#endif
