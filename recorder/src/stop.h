/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When a recording ends. */
#ifndef XRW_RECORDER_STOP_H
#define XRW_RECORDER_STOP_H

#include "xrw/exit.h"
#include "xrw/recorder.h"
#include "xrw/store.h"

/* Give the run its reason to stop. */
void stop_because(struct xrw_run *run, const char *stop, const char *detail);

/* Whether the caller wants it to end. */
bool stop_interrupted(const struct xrw_record_options *options);

/* Fill run->stop if the recording is to end with this exit; its time since the start of the run. */
void stop_at_exit(struct xrw_run *run, const struct xrw_record_options *options,
                  const struct xrw_exit *exit, uint64_t elapsed_ns);

/* The same when no exit came for quiet_ns.  idle: the guest waits for an interrupt. */
void stop_without_exit(struct xrw_run *run, const struct xrw_record_options *options, bool idle,
                       uint64_t elapsed_ns, uint64_t quiet_ns);

#endif
