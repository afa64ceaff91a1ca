/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of fake_xen.h share. */
#ifndef RECORDER_TEST_FAKE_XEN_PRIVATE_H
#define RECORDER_TEST_FAKE_XEN_PRIVATE_H

#include "fake_xen.h"

#define FAKE_XEN_CODE UINT64_C(0x1000) /* where the guests' code is */

/* A rule was not kept. */
void fake_xen_break(const char *what);

/* The guest that runs from now on is that of domain 1 or of the fork. */
void fake_xen_run_domain(unsigned fork);

/* It runs for some exits, if it can; something of the recorder's is called, and it ran meanwhile.
 */
void fake_xen_run_guest(void);
void fake_xen_called(void);

/* A page of the fork's parent becomes the fork's, shared or its own. */
void fake_xen_bring_in(uint64_t gfn, bool write);

/* The oldest answer on the ring that was not taken yet. */
void fake_xen_take_response(void);

/* Make the fork; take it back to where it began. */
void fake_xen_fork(void);
void fake_xen_reset(void);

#endif
