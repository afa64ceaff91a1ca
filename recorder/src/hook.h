/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A command that is told of every exit while the fork is held, and answers when it has looked. */
#ifndef XRW_RECORDER_HOOK_H
#define XRW_RECORDER_HOOK_H

#include "xrw/error.h"
#include "xrw/types.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

struct hook {
    pid_t pid; /* its process group; 0: not started */
    int to, from;
    bool asked; /* and has not answered */
};

/* Start a shell command.  SIGPIPE is to be ignored. */
int hook_start(struct hook *hook, const char *command, struct xrw_error *err);

/* Send it the line "EXIT DOMAIN" and wait for a line back: for a second only once *interrupted
 * (which may be NULL) is set, then -EINTR.  Does nothing if not started. */
int hook_tell(struct hook *hook, xrw_exit_id exit, uint32_t domain,
              const volatile sig_atomic_t *interrupted, struct xrw_error *err);

/* Close its input and wait for its end, which a signal to us brings on; -ECHILD if it failed.  One
 * that still owes an answer is ended.  Does nothing if not started. */
int hook_stop(struct hook *hook, struct xrw_error *err);

#endif
