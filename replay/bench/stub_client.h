/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A gdb stub in a process of its own, and a client that asks it over a Unix socket. */
#ifndef XRW_STUB_CLIENT_H
#define XRW_STUB_CLIENT_H

#include <sys/types.h>

struct stub_client {
    pid_t child;
    int fd;
    char socket[64];
};

/* Start argv[0], which listens at `socket` soon, and connect, without acknowledgments if it can.
 * Returns 0, or -1 if it cannot be started. */
int stub_start(struct stub_client *client, const char *socket, char *const *argv);
void stub_stop(struct stub_client *client);

/* Send a packet, and wait for its reply to end; output packets are passed over. */
void stub_ask(struct stub_client *client, const char *body);

#endif
