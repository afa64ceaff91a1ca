/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The path of a run: which exits the guest caused, where, in order.  Two runs of one fork that took
 * the same path have the same hash, whatever data they carried along.
 */
#ifndef XRW_PATH_H
#define XRW_PATH_H

#include "xrw/exit.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All zero is the path of no exit. */
struct xrw_path {
    uint64_t hash;
    uint64_t exits; /* that counted */
};

/*
 * Whether an exit is part of the path.  Not: the host's exits, and EPT violations at which the
 * guest only waited for a page of the fork: how many there are depends on what runs before it
 * touched.  One that the hypervisor emulated (a device's memory) is told by RIP, which moved.
 */
bool xrw_path_counts(const struct xrw_exit *exit);

/* What of an exit is compared: vCPU, basic reason, RIP, and the vector of an exception. */
struct xrw_path_step {
    uint64_t vcpu, reason, rip, vector;
};

struct xrw_path_step xrw_path_step(const struct xrw_exit *exit);
bool xrw_path_same_step(const struct xrw_path_step *a, const struct xrw_path_step *b);

/* Add an exit, if it counts.  The hash is the same on every machine and in every version that
 * writes the same format of recordings. */
void xrw_path_add(struct xrw_path *path, const struct xrw_exit *exit);

#ifdef __cplusplus
}
#endif
#endif
