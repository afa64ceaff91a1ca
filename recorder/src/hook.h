/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A command that is told of every exit while the fork is held, and answers when it has looked. */
#ifndef XRW_RECORDER_HOOK_H
#define XRW_RECORDER_HOOK_H

#include "xrw/error.h"
#include "xrw/types.h"

#include <stdio.h>
#include <sys/types.h>

struct hook {
    pid_t pid;
    FILE *to, *from;
};

/* Start a shell command. */
int hook_start(struct hook *hook, const char *command, struct xrw_error *err);

/* Send it the line "EXIT DOMAIN" and wait for a line back. */
int hook_tell(struct hook *hook, xrw_exit_id exit, uint32_t domain, struct xrw_error *err);

/* Close its input and wait for its end; -ECHILD if it failed.  Does nothing if not started. */
int hook_stop(struct hook *hook, struct xrw_error *err);

#endif
