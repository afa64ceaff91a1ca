/* SPDX-License-Identifier: MIT */
#include "setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Registers, memory, memory search, breakpoints. */

#define BLOCK_1                                                                                    \
    "0102030405060708090a0b0c0d0e0f1011121314"                                                     \
    "15161718191a1b1c1d1e"
#define BLOCK_2                                                                                    \
    "8182838485868788898a8b8c8d8e8f9091929394"                                                     \
    "95969798999a9b9c9d9e"

static void reads_registers(void **state)
{
    struct client *client = &((struct setup *)*state)->client;

    assert_reply(client, "g", BLOCK_1 "xxxx");
    assert_reply(client, "p0", "0102030405060708");
    assert_reply(client, "p3", "15161718191a1b1c1d1e");
    assert_reply(client, "p4", "xxxx");
    assert_reply(client, "p5", "E16");
    assert_reply(client, "p", "E16");
    assert_reply(client, "pffffffffffffffff", "E16");
    assert_reply(client, "p10000000000000000", "E16");
    assert_reply(client, "p0;", "E16");
}

static void reads_registers_of_the_selected_thread(void **state)
{
    struct client *client = &((struct setup *)*state)->client;

    assert_reply(client, "Hgp1.2", "OK");
    assert_reply(client, "g", BLOCK_2 "xxxx");
    assert_reply(client, "Hg1", "OK");
    assert_reply(client, "p0", "0102030405060708");
}

static void writes_registers(void **state)
{
    struct setup *setup = *state;
    struct client *client = &setup->client;

    assert_reply(client, "P2=a1b2c3d4", "OK");
    assert_reply(client, "p2", "a1b2c3d4");
    assert_reply(client, "P2=a1b2c3", "E16");
    assert_reply(client, "P2=a1b2c3zz", "E16");
    assert_reply(client, "P2=a1b2c3d4e5", "E16");
    assert_reply(client, "P9=00", "E16");
    assert_reply(client, "P2", "E16");
    /* A block with an unavailable register leaves that one alone. */
    assert_reply(client, "G" BLOCK_2 "xxxx", "OK");
    assert_reply(client, "g", BLOCK_2 "xxxx");
    assert_reply(client, "G" BLOCK_2, "E16");
    assert_reply(client, "G" BLOCK_2 "xxxxxx", "E16");

    setup->fake.refusal = "a recording cannot be changed";
    assert_reply(client, "P0=0102030405060708", "E.a recording cannot be changed");
    assert_reply(client, "G" BLOCK_1 "xxxx", "E.a recording cannot be changed");
    setup->fake.ops.write_register = NULL;
    reopen(setup);
    assert_reply(client, "P0=0102030405060708", "E.registers are read-only here");
    assert_reply(client, "G" BLOCK_1 "xxxx", "E.registers are read-only here");
}

static void reads_memory(void **state)
{
    struct setup *setup = *state;
    struct client *client = &setup->client;

    memcpy(setup->fake.memory, "\x00\x7f\x80\xff", 4);
    memcpy(setup->fake.memory + FAKE_MEMORY_SIZE - 2, "\xab\xcd", 2);
    assert_reply(client, "m10000,4", "007f80ff");
    assert_reply(client, "m10000,0", "");
    assert_reply(client, "m18ffe,10", "abcd"); /* the rest is not known */
    assert_reply(client, "m19000,1", "E0e");
    assert_reply(client, "mffff,2", "E0e");
    assert_reply(client, "mffffffffffffffff,8", "E0e");
    assert_reply(client, "m10000", "E16");
    assert_reply(client, "m10000,", "E16");
    assert_reply(client, "m,4", "E16");
    assert_reply(client, "m10000,4x", "E16");
    assert_reply(client, "m10000000000010000,4", "E16");
    /* More than fits is cut to what fits. */
    client_ask(client, "m10000,ffffffffffffffff");
    assert_int_equal(client->reply_size, GDBSTUB_PACKET_SIZE_DEFAULT);
}

static void reads_memory_in_binary(void **state)
{
    struct setup *setup = *state;
    struct client *client = &setup->client;

    client_ask(client, "x10000,1000");
    assert_int_equal(client->reply_size, 0x1001);
    assert_int_equal(client->reply[0], 'b');
    assert_memory_equal(client->reply + 1, setup->fake.memory, 0x1000);
    assert_reply(client, "x10000,0", "b");
    assert_reply(client, "x0,4", "E0e");
    memset(setup->fake.memory, '#', FAKE_MEMORY_SIZE);
    client_ask(client, "x10000,ffffffff");
    assert_int_equal(client->reply_size, GDBSTUB_PACKET_SIZE_DEFAULT / 2);
}

static void writes_memory(void **state)
{
    struct setup *setup = *state;
    struct client *client = &setup->client;

    assert_reply(client, "M10000,3:a1B2c3", "OK");
    assert_memory_equal(setup->fake.memory, "\xa1\xb2\xc3", 3);
    assert_reply(client, "X10000,2:hi", "OK");
    assert_memory_equal(setup->fake.memory, "hi", 2);
    assert_reply(client, "X10000,0:", "OK");
    assert_reply(client, "M10000,3:a1b2", "E16");
    assert_reply(client, "M10000,3:a1b2c", "E16");
    assert_reply(client, "M10000,1:zz", "E16");
    assert_reply(client, "M10000,8000000000000001:a1b2", "E16");
    assert_reply(client, "X10000,3:hi", "E16");
    assert_reply(client, "X10000,1:hi", "E16");
    assert_reply(client, "X10000,2", "E16");
    assert_reply(client, "Mffffffffffffffff,2:0000", "E0e");
    assert_reply(client, "M18fff,2:0000", "E0e");

    setup->fake.refusal = "a recording cannot be changed";
    assert_reply(client, "M10000,1:00", "E.a recording cannot be changed");
    setup->fake.ops.write_memory = NULL;
    reopen(setup);
    assert_reply(client, "X10000,1:0", "E.memory is read-only here");
    assert_reply(client, "X10000,0:", "OK");
}

static void lldb_gets_numbers_for_errors(void **state)
{
    struct setup *setup = *state;

    setup->fake.refusal = "a recording cannot be changed";
    client_ask(&setup->client, "qSupported:xmlRegisters=i386;multiprocess+");
    assert_reply(&setup->client, "M10000,1:00", "E01");
}

static void new_gdb_gets_sentences_everywhere(void **state)
{
    struct setup *setup = *state;

    client_ask(&setup->client, "qSupported:error-message+");
    assert_reply(&setup->client, "p", "E.malformed packet");
}

/* Searches and goes on for as long as it takes. */
static const char *search(struct client *client, const char *range, const void *pattern,
                          size_t size)
{
    char body[256];
    int head = snprintf(body, sizeof(body), "qSearch:memory:%s;", range);

    memcpy(body + head, pattern, size);
    client_send(client, body, (size_t)head + size);
    for (int i = 0; i < 100 && gdbstub_state(client->stub) == GDBSTUB_RUNNING; i++)
        gdbstub_poll(client->stub);
    assert_true(client_next(client));
    return client->reply;
}

static void searches_memory(void **state)
{
    struct setup *setup = *state;
    struct client *client = &setup->client;

    memset(setup->fake.memory, 0, FAKE_MEMORY_SIZE);
    memcpy(setup->fake.memory + 0x100, "needle", 6);
    assert_string_equal(search(client, "10000;1000", "needle", 6), "1,10100");
    assert_string_equal(search(client, "10000;106", "needle", 6), "1,10100");
    assert_string_equal(search(client, "10000;105", "needle", 6), "0");
    assert_string_equal(search(client, "10101;1000", "needle", 6), "0");
    assert_string_equal(search(client, "10000;0", "n", 1), "0");
    assert_string_equal(search(client, "10000;ffffffffffffffff", "none", 4), "E0e");
    assert_string_equal(search(client, "0;100", "none", 4), "E0e");
    assert_string_equal(search(client, "10000;zz", "none", 4), "E16");
    assert_string_equal(search(client, "10000;10", "", 0), "E16");
}

static void a_search_finds_what_lies_across_windows(void **state)
{
    struct setup *setup = *state;
    struct client *client = &setup->client;
    size_t window = GDBSTUB_PACKET_SIZE_MIN;

    setup->fake.config.packet_size = window;
    reopen(setup);
    for (size_t at = window - 8; at < window + 3; at++) {
        char expected[32];
        memset(setup->fake.memory, 0, FAKE_MEMORY_SIZE);
        memcpy(setup->fake.memory + at, "needle", 6);
        snprintf(expected, sizeof(expected), "1,%zx", FAKE_MEMORY + at);
        assert_string_equal(search(client, "10000;9000", "needle", 6), expected);
    }
}

/* Memory without end, for a search that takes for ever. */
static int endless_memory(void *ctx, gdbstub_thread thread, uint64_t address, void *bytes,
                          size_t size, size_t *got)
{
    (void)ctx, (void)thread, (void)address;
    memset(bytes, 0, size);
    *got = size;
    return 0;
}

static void a_search_can_be_interrupted(void **state)
{
    struct setup *setup = *state;
    struct client *client = &setup->client;

    setup->fake.ops.read_memory = endless_memory;
    reopen(setup);
    assert_silent(client, "qSearch:memory:0;ffffffffffffffff;needle");
    assert_int_equal(gdbstub_state(client->stub), GDBSTUB_RUNNING);
    assert_int_equal(gdbstub_poll(client->stub), 0);
    client_raw(client, "\x03", 1);
    assert_true(client_next(client));
    assert_string_equal(client->reply, "E04");
    assert_reply(client, "qAttached", "1");
    /* And a client may vanish within one. */
    assert_silent(client, "qSearch:memory:0;ffffffffffffffff;needle");
    gdbstub_reset(client->stub);
    assert_int_equal(gdbstub_state(client->stub), GDBSTUB_WAITING);
}

static void inserts_and_removes_breakpoints(void **state)
{
    struct setup *setup = *state;
    struct client *client = &setup->client;

    assert_reply(client, "Z0,1050,1", "OK");
    assert_int_equal(setup->fake.breakpoint.type, GDBSTUB_BREAK_SOFTWARE);
    assert_true(setup->fake.breakpoint.address == 0x1050 && setup->fake.breakpoint.kind == 1);
    assert_reply(client, "Z1,ffffffffffffffff,1", "OK");
    assert_int_equal(setup->fake.breakpoint.type, GDBSTUB_BREAK_HARDWARE);
    assert_reply(client, "Z2,3000,4", "OK");
    assert_int_equal(setup->fake.breakpoint.type, GDBSTUB_WATCH_WRITE);
    assert_true(setup->fake.breakpoint.kind == 4);
    assert_reply(client, "Z4,3000,8", "OK");
    assert_int_equal(setup->fake.breakpoint.type, GDBSTUB_WATCH_ACCESS);
    assert_reply(client, "z2,3000,4", "OK");
    assert_int_equal(setup->fake.inserts, 4);
    assert_int_equal(setup->fake.removes, 1);
    assert_int_equal(setup->fake.breakpoint.type, GDBSTUB_WATCH_WRITE);

    assert_reply(client, "Z3,3000,4", ""); /* a type that this target has not */
    assert_reply(client, "Z5,3000,4", "");
    assert_reply(client, "Zffffffff,3000,4", "");
    assert_reply(client, "Z2,3000,0", "E16");
    assert_reply(client, "Z2,ffffffffffffffff,2", "E16");
    assert_reply(client, "Z2,3000", "E16");
    assert_reply(client, "Z2,,4", "E16");
    assert_reply(client, "Z", "E16");
    assert_reply(client, "Z0,1050,1;X1,27", "E.conditions and commands were not offered");
    assert_int_equal(setup->fake.inserts, 4);

    setup->fake.refusal = "too many";
    assert_reply(client, "Z0,1050,1", "E.too many");
    assert_reply(client, "D;1", "OK");
    assert_int_equal(setup->fake.clears, 1);
}

static void a_target_without_breakpoints(void **state)
{
    struct setup *setup = *state;

    setup->fake.ops.insert_breakpoint = NULL;
    setup->fake.ops.remove_breakpoint = NULL;
    setup->fake.ops.clear_breakpoints = NULL;
    reopen(setup);
    assert_reply(&setup->client, "Z0,1050,1", "");
    assert_reply(&setup->client, "D", "OK");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_setup, close_setup)
    const struct CMUnitTest tests[] = {
        TEST(reads_registers),
        TEST(reads_registers_of_the_selected_thread),
        TEST(writes_registers),
        TEST(reads_memory),
        TEST(reads_memory_in_binary),
        TEST(writes_memory),
        TEST(lldb_gets_numbers_for_errors),
        TEST(new_gdb_gets_sentences_everywhere),
        TEST(searches_memory),
        TEST(a_search_finds_what_lies_across_windows),
        TEST(a_search_can_be_interrupted),
        TEST(inserts_and_removes_breakpoints),
        TEST(a_target_without_breakpoints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
