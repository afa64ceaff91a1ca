/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sockets under libgdbstub. */
#ifndef XENREWIND_SERVE_H
#define XENREWIND_SERVE_H

#include "xrw/error.h"
#include "xrw/gdb_target.h"

#include <stdbool.h>

#define XRW_LISTEN_NAME_MAX 300

struct xrw_listener {
    int fd;
    char name[XRW_LISTEN_NAME_MAX]; /* what gdb's `target remote' takes */
    char unix_path[108];            /* to be removed at the end; empty for TCP */
    bool open_to_others;            /* not a loopback address */
};

/*
 * Listen at "HOST:PORT", "PORT" (on loopback) or "unix:PATH".  Port 0: any free one.  Returns 0;
 * -EINVAL for an address that is none; -EADDRINUSE; another negative errno.
 */
int xrw_listen(const char *where, struct xrw_listener *listener, struct xrw_error *err);
void xrw_listener_close(struct xrw_listener *listener);

/*
 * Have SIGTERM, and SIGINT if asked for, end the serving: *fd becomes readable then.  Without
 * interrupts SIGINT is ignored: it is meant for the client, in whose foreground group this runs.
 */
int xrw_serve_signals(bool interrupts, int *fd, struct xrw_error *err);

/* Serve one client after the other until told to end.  Returns 0 or a negative errno. */
int xrw_serve_listener(struct xrw_gdb_target *target, const struct xrw_listener *listener,
                       int signals, struct xrw_error *err);

/* Serve one client on standard input and output, until it closes or this is told to end. */
int xrw_serve_stdio(struct xrw_gdb_target *target, int signals, struct xrw_error *err);

#endif
