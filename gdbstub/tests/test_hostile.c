/* SPDX-License-Identifier: MIT */
#include "client.h"
#include "fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/*
 * Whatever comes in, the stub stays within bounds (ASan, UBSan), sends well-formed frames and works
 * on. Seeds are printed; GDBSTUB_SEED repeats a run.
 */

#define ROUNDS 20000

static struct fake fake;
static struct client client;
static uint64_t random_state;

static uint32_t random_below(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32) % limit;
}

static const char *const packets[] = {
    "qSupported:multiprocess+;swbreak+;error-message+",
    "QStartNoAckMode",
    "?",
    "g",
    "G0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1exxxx",
    "p4",
    "P2=01020304",
    "m10000,40",
    "M10000,2:0102",
    "X10000,2:ab",
    "x10000,40",
    "qSearch:memory:10000;9000;abc",
    "Hgp1.2",
    "Hc-1",
    "vCont?",
    "vCont;s:p1.1;c:p1.-1",
    "vCont;r10000,10010:1",
    "C05",
    "s",
    "bc",
    "bs",
    "Z0,10000,1",
    "Z0,10000,1;X9,260000164022001327X3,220027",
    "Z1,10000,1;X3,220027;X6,240001000017",
    "z2,10000,8",
    "qXfer:features:read:target.xml:0,1000",
    "qXfer:threads:read::0,20",
    "qXfer:memory-map:read::0,1000",
    "qfThreadInfo",
    "qThreadExtraInfo,p1.1",
    "qRcmd,6563686f2068",
    "qMemoryRegionInfo:1000",
    "D;1",
    "vKill;1",
    "!",
    "vRun;61;62",
    "T1",
};
#define PACKET_COUNT (sizeof(packets) / sizeof(packets[0]))

static size_t mutate(char *body, size_t size, size_t capacity)
{
    static const char spice[] = "0123456789abcdefx:;,.=-p*}#$+\x03\x00\xff";

    for (uint32_t n = random_below(4); n > 0 && size > 0; n--) {
        size_t at = random_below((uint32_t)size);
        switch (random_below(4)) {
        case 0:
            body[at] = spice[random_below(sizeof(spice))];
            break;
        case 1:
            memmove(body + at, body + at + 1, size - at - 1);
            size--;
            break;
        case 2:
            size = at;
            break;
        default:
            if (size + 32 > capacity)
                break;
            memmove(body + at + 16, body + at, size - at);
            memset(body + at, spice[random_below(sizeof(spice))], 16);
            size += 16;
        }
    }
    return size;
}

/* Whether what came out is acks and frames with right sums, and no more. */
static void check_wire(void)
{
    while (client_next(&client))
        ;
    for (size_t i = 0; i < client.wire.size; i++)
        assert_non_null(strchr("+-", client.wire.raw[i]));
}

static void check_alive(void)
{
    gdbstub_reset(client.stub);
    assert_int_equal(gdbstub_state(client.stub), GDBSTUB_WAITING);
    assert_reply(&client, "qAttached", "1");
    assert_reply(&client, "p4", "xxxx");
}

static int open_client(void **state)
{
    const char *seed = getenv("GDBSTUB_SEED");

    (void)state;
    random_state = seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL) * 2654435761u + 1;
    random_state |= random_state == 0;
    printf("GDBSTUB_SEED=%llu\n", (unsigned long long)random_state);
    fake_init(&fake);
    fake.ops.announce = fake_announce;
    fake.ops.checks_conditions = true;
    fake.config.packet_size = GDBSTUB_PACKET_SIZE_MIN;
    client_open(&client, &fake.config);
    return 0;
}

static int close_client(void **state)
{
    (void)state;
    client_close(&client);
    return 0;
}

static void mutated_packets(void **state)
{
    char body[512];

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        const char *packet = packets[random_below(PACKET_COUNT)];
        size_t size = strlen(packet);
        memcpy(body, packet, size);
        fake.runs = 0;
        fake.runs_needed = (int)random_below(3);
        client_send(&client, body, mutate(body, size, sizeof(body)));
        for (int i = 0; i < 3; i++)
            gdbstub_poll(client.stub);
        if (gdbstub_state(client.stub) == GDBSTUB_RUNNING)
            gdbstub_feed(client.stub, "\x03", 1);
        check_wire();
        if (random_below(50) == 0)
            gdbstub_reset(client.stub);
    }
    check_alive();
}

static void noise(void **state)
{
    static const char spice[] = "$$$$##00++--\x03}*";
    uint8_t bytes[256];

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        size_t size = random_below(sizeof(bytes));
        for (size_t i = 0; i < size; i++)
            bytes[i] = random_below(2) ? (uint8_t)random_below(256)
                                       : (uint8_t)spice[random_below(sizeof(spice) - 1)];
        client_raw(&client, bytes, size);
        gdbstub_poll(client.stub);
        check_wire();
    }
    check_alive();
}

static void floods_of_interrupts(void **state)
{
    static uint8_t bytes[1 << 16];

    (void)state;
    memset(bytes, 3, sizeof(bytes));
    fake.runs_needed = 0;
    for (int round = 0; round < 10; round++) {
        client_send(&client, "bc", 2);
        client_raw(&client, bytes, sizeof(bytes));
        assert_int_equal(fake.interrupts, round + 1);
        assert_true(client.wire.size < 256);
    }
    check_alive();
}

static void a_packet_without_end(void **state)
{
    static uint8_t bytes[1 << 16];

    (void)state;
    memset(bytes, 'm', sizeof(bytes));
    client_raw(&client, "$", 1);
    for (int round = 0; round < 1000; round++)
        client_raw(&client, bytes, sizeof(bytes));
    assert_int_equal(client.wire.size, 0);
    check_alive();
}

/* Byte code made of opcodes rather than of bytes gets farther. */
static size_t make_expression(uint8_t *code, size_t capacity)
{
    size_t size = 1 + random_below((uint32_t)capacity);

    for (size_t i = 0; i < size; i++) {
        code[i] = (uint8_t)random_below(random_below(8) == 0 ? 256 : 0x35);
        if (random_below(3) == 0)
            code[i] = 0x22; /* const8: something to work on */
    }
    return size;
}

static void hostile_expressions(void **state)
{
    const struct gdbstub_view view = fake_view(&fake);
    unsigned held = 0;

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        uint8_t code[64];
        char body[256];
        size_t size = make_expression(code, sizeof(code));
        int at = snprintf(body, sizeof(body), "Z0,1000,1;X%zx,", size);
        for (size_t i = 0; i < size; i++)
            at += snprintf(body + at, sizeof(body) - (size_t)at, "%02x", code[i]);
        assert_reply(&client, body, "OK");
        bool hit = gdbstub_breakpoint_stops(&fake.breakpoint.conditions, &view);
        assert_int_equal(gdbstub_breakpoint_stops(&fake.breakpoint.conditions, &view), hit);
        held += hit;
    }
    /* Not all of them may break off at once. */
    assert_true(held < ROUNDS);
    check_alive();
}

static void thousands_of_breakpoints(void **state)
{
    char body[64];

    (void)state;
    for (int i = 0; i < 20000; i++) {
        snprintf(body, sizeof(body), "Z0,%x,1", i);
        assert_reply(&client, body, "OK");
    }
    assert_int_equal(fake.inserts, 20000);
    check_alive();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_client, close_client)
    const struct CMUnitTest tests[] = {
        TEST(mutated_packets),          TEST(noise),
        TEST(floods_of_interrupts),     TEST(a_packet_without_end),
        TEST(thousands_of_breakpoints), TEST(hostile_expressions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
