/* SPDX-License-Identifier: MIT */
#include "setup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void assert_wire(struct client *client, const char *expected)
{
    assert_int_equal(client->wire.size, strlen(expected));
    assert_memory_equal(client->wire.raw, expected, strlen(expected));
}

static void raw(struct client *client, const char *text)
{
    client_raw(client, text, strlen(text));
}

static void acknowledges_and_answers(void **state)
{
    struct client *client = &((struct setup *)*state)->client;

    raw(client, "$qAttached#8f");
    assert_wire(client, "+$1#31");
}

static void refuses_a_bad_checksum(void **state)
{
    struct client *client = &((struct setup *)*state)->client;

    raw(client, "$qAttached#8e");
    assert_wire(client, "-");
    raw(client, "$qAttached#zf");
    assert_wire(client, "-");
    raw(client, "$qAttached#8F");
    assert_wire(client, "+$1#31");
}

static void sends_again_when_refused(void **state)
{
    struct client *client = &((struct setup *)*state)->client;

    raw(client, "-");
    assert_wire(client, "");
    raw(client, "$qAttached#8f");
    raw(client, "-");
    assert_wire(client, "$1#31");
    raw(client, "+-");
    assert_wire(client, "");
}

static void stops_sending_again_at_some_time(void **state)
{
    struct client *client = &((struct setup *)*state)->client;

    raw(client, "$qAttached#8f");
    raw(client, "--------------------------------------------------");
    assert_int_equal(client->wire.size, 8 * strlen("$1#31"));
}

static void drops_acks_after_no_ack_mode(void **state)
{
    struct client *client = &((struct setup *)*state)->client;

    raw(client, "$QStartNoAckMode#b0");
    assert_wire(client, "+$OK#9a");
    raw(client, "+-");
    assert_wire(client, "");
    raw(client, "$qAttached#8f");
    assert_wire(client, "$1#31");
    /* The checksum is there still, but a reliable line needs no check. */
    raw(client, "$qAttached#00");
    assert_wire(client, "$1#31");
}

static void takes_bytes_one_by_one(void **state)
{
    struct client *client = &((struct setup *)*state)->client;
    static const char text[] = "noise\n$qAttached#8f";

    client->wire.size = 0;
    for (size_t i = 0; i < strlen(text); i++)
        assert_int_equal(gdbstub_feed(client->stub, text + i, 1), 0);
    assert_wire(client, "+$1#31");
}

static void begins_again_at_a_dollar(void **state)
{
    struct client *client = &((struct setup *)*state)->client;

    raw(client, "$qAtt$qAttached#8f");
    assert_wire(client, "+$1#31");
}

static void answers_several_packets(void **state)
{
    struct client *client = &((struct setup *)*state)->client;

    raw(client, "$qAttached#8f$vMustReplyEmpty#3a$qAttached#8f");
    assert_wire(client, "+$1#31+$#00+$1#31");
    raw(client, "$#00");
    assert_wire(client, "+$#00");
}

static void refuses_a_packet_that_is_too_long(void **state)
{
    struct client *client = &((struct setup *)*state)->client;
    size_t size = GDBSTUB_PACKET_SIZE_DEFAULT + 1;
    char *body = malloc(size);

    assert_non_null(body);
    memset(body, 'q', size);
    client_send(client, body, size - 1);
    assert_true(client_next(client));
    assert_string_equal(client->reply, "");
    client_send(client, body, size);
    assert_true(client_next(client));
    assert_string_equal(client->reply, "E07");
    client_hello(client);
    client_send(client, body, size);
    assert_true(client_next(client));
    assert_string_equal(client->reply, "E.the packet is longer than 65536 bytes");
    assert_reply(client, "qAttached", "1");
    free(body);
}

static void escapes_what_it_sends(void **state)
{
    struct setup *setup = *state;

    memcpy(setup->fake.memory, "a#$}*b", 6);
    raw(&setup->client, "$x10000,6#cb");
    assert_wire(&setup->client, "+$ba}\x03}\x04}]}\nb#87");
}

static void runs_are_shortened(void **state)
{
    struct setup *setup = *state;

    /* Three after the first are the least; counts that look like '#', '$', '+', '-' are avoided. */
    for (size_t run = 1; run < 300; run++) {
        memset(setup->fake.memory, 'z', run);
        setup->fake.memory[run] = 'y';
        char body[32];
        snprintf(body, sizeof(body), "x10000,%zx", run + 1);
        client_send(&setup->client, body, strlen(body));
        uint8_t *wire = setup->client.wire.raw;
        size_t size = setup->client.wire.size;
        for (size_t i = 3; i + 3 < size; i++) {
            if (wire[i - 1] == '*')
                assert_true(wire[i] >= 32 && wire[i] <= 126 && !strchr("#$+-", wire[i]));
        }
        assert_true(run < 4 || size < run + 8);
        assert_true(client_next(&setup->client));
        assert_int_equal(setup->client.reply_size, run + 2);
        assert_memory_equal(setup->client.reply + 1, setup->fake.memory, run + 1);
    }
}

static void unescapes_what_it_gets(void **state)
{
    struct setup *setup = *state;
    static const uint8_t body[] = "X10000,7:#$}*\0\x03z";

    assert_string_equal(client_ask_bytes(&setup->client, body, sizeof(body) - 1), "OK");
    assert_memory_equal(setup->fake.memory, "#$}*\0\x03z", 7);
}

static void an_interrupt_is_only_one_between_packets(void **state)
{
    struct setup *setup = *state;

    setup->fake.runs_needed = 0;
    client_send(&setup->client, "c", 1);
    assert_int_equal(gdbstub_state(setup->client.stub), GDBSTUB_RUNNING);
    raw(&setup->client, "$\x03\x03#06");
    assert_int_equal(setup->fake.interrupts, 0);
    raw(&setup->client, "\x03\x03\x03");
    assert_int_equal(setup->fake.interrupts, 1);
    assert_true(client_next(&setup->client));
    assert_false(client_next(&setup->client));
    assert_memory_equal(setup->client.reply, "T02", 3);
}

static void packets_while_running_are_dropped(void **state)
{
    struct setup *setup = *state;

    setup->fake.runs_needed = 0;
    client_send(&setup->client, "c", 1);
    raw(&setup->client, "$g#67");
    assert_wire(&setup->client, "");
    assert_int_equal(gdbstub_state(setup->client.stub), GDBSTUB_RUNNING);
    raw(&setup->client, "\x03");
    assert_true(client_next(&setup->client));
}

static void a_client_that_is_gone_gets_nothing(void **state)
{
    struct setup *setup = *state;
    struct gdbstub *stub = setup->client.stub;

    setup->client.wire.error = -EPIPE;
    assert_int_equal(gdbstub_feed(stub, "$g#67", 5), -EPIPE);
    setup->client.wire.error = 0;
    assert_int_equal(gdbstub_feed(stub, "$g#67", 5), -EPIPE);
    assert_int_equal(gdbstub_poll(stub), -EPIPE);
    assert_int_equal(setup->client.wire.size, 0);
    gdbstub_reset(stub);
    raw(&setup->client, "$qAttached#8f");
    assert_wire(&setup->client, "+$1#31");
}

static void a_new_client_starts_afresh(void **state)
{
    struct setup *setup = *state;
    struct client *client = &setup->client;

    client_hello(client);
    setup->fake.runs_needed = 0;
    client_send(client, "c", 1);
    raw(client, "$half a pac");
    gdbstub_reset(client->stub);
    assert_int_equal(setup->fake.interrupts, 1);
    assert_int_equal(setup->fake.clears, 1);
    assert_int_equal(gdbstub_state(client->stub), GDBSTUB_WAITING);
    raw(client, "$qAttached#8f");
    assert_wire(client, "+$1#31");
    assert_reply(client, "qC", "QC1");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_setup_unacquainted, close_setup)
    const struct CMUnitTest tests[] = {
        TEST(acknowledges_and_answers),
        TEST(refuses_a_bad_checksum),
        TEST(sends_again_when_refused),
        TEST(stops_sending_again_at_some_time),
        TEST(drops_acks_after_no_ack_mode),
        TEST(takes_bytes_one_by_one),
        TEST(begins_again_at_a_dollar),
        TEST(answers_several_packets),
        TEST(refuses_a_packet_that_is_too_long),
        TEST(escapes_what_it_sends),
        TEST(runs_are_shortened),
        TEST(unescapes_what_it_gets),
        TEST(an_interrupt_is_only_one_between_packets),
        TEST(packets_while_running_are_dropped),
        TEST(a_client_that_is_gone_gets_nothing),
        TEST(a_new_client_starts_afresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
