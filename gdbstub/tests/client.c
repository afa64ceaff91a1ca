/* SPDX-License-Identifier: MIT */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int wire_output(void *ctx, const void *bytes, size_t size)
{
    struct wire *wire = ctx;

    if (wire->error)
        return wire->error;
    assert_true(size <= RAW_MAX - wire->size);
    memcpy(wire->raw + wire->size, bytes, size);
    wire->size += size;
    return 0;
}

void client_open(struct client *client, struct gdbstub_config *config)
{
    memset(&client->wire, 0, sizeof(client->wire));
    client->stub = NULL;
    config->output = wire_output;
    config->output_ctx = &client->wire;
    assert_int_equal(gdbstub_create(config, &client->stub), 0);
}

void client_close(struct client *client)
{
    gdbstub_destroy(client->stub);
}

void client_raw(struct client *client, const void *bytes, size_t size)
{
    client->wire.size = 0;
    gdbstub_feed(client->stub, bytes, size);
}

void client_send(struct client *client, const void *body, size_t size)
{
    const uint8_t *in = body;
    uint8_t *frame = malloc(2 * size + 5);
    size_t out = 0;
    unsigned sum = 0;

    assert_non_null(frame);
    frame[out++] = '$';
    for (size_t i = 0; i < size; i++) {
        if (memchr("#$}*", in[i], 4)) {
            frame[out++] = '}';
            frame[out++] = in[i] ^ 0x20;
        } else {
            frame[out++] = in[i];
        }
    }
    for (size_t i = 1; i < out; i++)
        sum += frame[i];
    snprintf((char *)frame + out, 4, "#%02x", sum & 0xff);
    client_raw(client, frame, out + 3);
    free(frame);
}

/* Decodes one frame body: run lengths refer to what is on the wire, before escapes. */
static void decode(struct client *client, const uint8_t *in, size_t size)
{
    uint8_t *flat = client->flat;
    size_t count = 0;

    for (size_t i = 0; i < size; i++) {
        if (in[i] != '*') {
            flat[count++] = in[i];
            continue;
        }
        assert_true(count > 0 && i + 1 < size && in[i + 1] >= 32);
        uint8_t last = flat[count - 1];
        for (unsigned n = in [++i] - 29u; n > 0; n--)
            flat[count++] = last;
    }
    client->reply_size = 0;
    for (size_t i = 0; i < count; i++) {
        if (flat[i] == '}')
            client->reply[client->reply_size++] = (char)(flat[++i] ^ 0x20);
        else
            client->reply[client->reply_size++] = (char)flat[i];
    }
    client->reply[client->reply_size] = '\0';
}

bool client_next(struct client *client)
{
    struct wire *wire = &client->wire;
    uint8_t *start = memchr(wire->raw, '$', wire->size);
    unsigned sum = 0;
    unsigned sent = 0;

    if (!start)
        return false;
    uint8_t *end = wire->raw + wire->size;
    uint8_t *hash = memchr(start, '#', (size_t)(end - start));
    assert_non_null(hash);
    assert_true(end - hash >= 3);
    for (uint8_t *at = start + 1; at < hash; at++)
        sum += *at;
    assert_int_equal(sscanf((char *)hash + 1, "%2x", &sent), 1);
    assert_int_equal(sum & 0xff, sent);
    decode(client, start + 1, (size_t)(hash - start - 1));
    wire->size = (size_t)(end - (hash + 3));
    memmove(wire->raw, hash + 3, wire->size);
    return true;
}

const char *client_ask_bytes(struct client *client, const void *body, size_t size)
{
    client_send(client, body, size);
    assert_true(client_next(client));
    return client->reply;
}

const char *client_ask(struct client *client, const char *body)
{
    return client_ask_bytes(client, body, strlen(body));
}

const char *client_console(struct client *client)
{
    static char text[RAW_MAX];
    size_t size = 0;

    while (client_next(client) && client->reply[0] == 'O' && client->reply[1] != 'K') {
        for (size_t i = 1; i + 1 < client->reply_size; i += 2) {
            unsigned byte;
            assert_int_equal(sscanf(client->reply + i, "%2x", &byte), 1);
            text[size++] = (char)byte;
        }
    }
    text[size] = '\0';
    return text;
}

void client_hello(struct client *client)
{
    client_ask(client, "qSupported:multiprocess+;swbreak+;hwbreak+;qRelocInsn+;fork-events+;"
                       "vContSupported+;xmlRegisters=i386");
    assert_reply(client, "QStartNoAckMode", "OK");
}
