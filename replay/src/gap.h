/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Re-execution of what a guest ran between two recorded exits.
 *
 * Gap n begins with the resume state of exit n and memory as of exit n, and ends at exit n + 1.  No
 * hypervisor is in it: on one vCPU it is a function of these, of what the VM entry injected, and of
 * the few instructions that are not deterministic and do not exit.
 */
#ifndef XRW_REPLAY_GAP_H
#define XRW_REPLAY_GAP_H

#include "xrw/machine.h"
#include "xrw/store.h"
#include "xrw/verify.h"

struct gap_engine;

/*
 * An engine for the gaps of a run.  The store is borrowed, and used by one thread.  Returns 0;
 * -ENODATA with err if the run cannot be re-executed at all (no memory at every exit, several
 * vCPUs, no resume states); what xrw_machine_create() returns; -ENOMEM.
 */
int gap_engine_create(struct xrw_store *store, const struct xrw_run *run,
                      enum xrw_machine_profile profile, struct gap_engine **out,
                      struct xrw_error *err);
void gap_engine_destroy(struct gap_engine *engine);

/*
 * Re-execute gap n and compare with exit n + 1, which must be of the run.  Going through gaps in
 * increasing order is cheapest.  Returns 0 with *gap; -EINTR if *interrupted was set; what the
 * store reports.
 */
int gap_verify(struct gap_engine *engine, xrw_exit_id n, const volatile int *interrupted,
               struct xrw_gap *gap, struct xrw_error *err);

#endif
