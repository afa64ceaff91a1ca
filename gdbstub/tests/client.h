/* SPDX-License-Identifier: MIT */
#ifndef GDBSTUB_TESTS_CLIENT_H
#define GDBSTUB_TESTS_CLIENT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gdbstub.h"

#define RAW_MAX (1u << 20)

/* The other end of the wire: what came out of the stub, and whether to take it. */
struct wire {
    uint8_t raw[RAW_MAX];
    size_t size;
    int error; /* what the output callback returns */
};

/* Fits gdbstub_config.output; output_ctx is a struct wire. */
int wire_output(void *ctx, const void *bytes, size_t size);

/* A client that talks in packets. Replies are decoded: run lengths, escapes, checksum, acks. */
struct client {
    struct gdbstub *stub;
    struct wire wire;
    uint8_t flat[RAW_MAX]; /* a frame with its runs written out */
    char reply[RAW_MAX];
    size_t reply_size;
};

/* Makes a stub of the configuration with the client's wire, and a client of it. */
void client_open(struct client *client, struct gdbstub_config *config);
void client_close(struct client *client);

/* Sends bytes as they are; forgets what came out before. */
void client_raw(struct client *client, const void *bytes, size_t size);

/* Frames a body, escapes what needs it, sends it. */
void client_send(struct client *client, const void *body, size_t size);

/* Takes the next packet off the wire into client->reply; false when there is none. */
bool client_next(struct client *client);

/* Sends a text packet and returns its one reply; fails the test when there is none. */
const char *client_ask(struct client *client, const char *body);
/* As above for a body with zero bytes. */
const char *client_ask_bytes(struct client *client, const void *body, size_t size);

/* Takes what is printed (packets O…) and the packet after it, which is left in client->reply. */
const char *client_console(struct client *client);

/* Negotiates as gdb 13 does. */
void client_hello(struct client *client);

#define assert_reply(client, body, expected) assert_string_equal(client_ask(client, body), expected)
/* No reply at all, not even an empty packet. */
#define assert_silent(client, body)                                                                \
    do {                                                                                           \
        client_send(client, body, strlen(body));                                                   \
        assert_false(client_next(client));                                                         \
    } while (0)

#endif
