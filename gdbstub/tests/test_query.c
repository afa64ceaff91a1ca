/* SPDX-License-Identifier: MIT */
#include "setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Negotiation, documents, threads, monitor commands, what lldb asks. */

static void advertises_what_there_is(void **state)
{
    struct client *client = &((struct setup *)*state)->client;

    assert_reply(client, "qSupported:multiprocess+;swbreak+;hwbreak+;error-message+;x=1;;+",
                 "PacketSize=10000;QStartNoAckMode+;qXfer:features:read+;qXfer:threads:read+;"
                 "binary-upload+;vContSupported+;QThreadEvents+;ReverseStep+;ReverseContinue+;"
                 "qXfer:memory-map:read+;qXfer:exec-file:read+;multiprocess+;swbreak+;hwbreak+;"
                 "error-message+");
    assert_non_null(strstr(client_ask(client, "qSupported:no-resumed+"), ";no-resumed+"));
    assert_reply(client, "qSupported",
                 "PacketSize=10000;QStartNoAckMode+;qXfer:features:read+;qXfer:threads:read+;"
                 "binary-upload+;vContSupported+;QThreadEvents+;ReverseStep+;ReverseContinue+;"
                 "qXfer:memory-map:read+;qXfer:exec-file:read+");
}

static void advertises_no_more(void **state)
{
    struct setup *setup = *state;
    struct gdbstub_target_ops few = {.size = sizeof(few),
                                     .read_register = setup->fake.ops.read_register,
                                     .read_memory = setup->fake.ops.read_memory};

    setup->fake.ops = few;
    reopen(setup);
    assert_reply(&setup->client, "qSupported:swbreak+;hwbreak+",
                 "PacketSize=10000;QStartNoAckMode+;qXfer:features:read+;qXfer:threads:read+;"
                 "binary-upload+");
    assert_reply(&setup->client, "qXfer:memory-map:read::0,100", "");
    assert_reply(&setup->client, "qXfer:exec-file:read:1:0,100", "");
    assert_reply(&setup->client, "qOffsets", "");
    assert_reply(&setup->client, "qThreadExtraInfo,1", "");
    assert_reply(&setup->client, "qMemoryRegionInfo:0", "");
    assert_reply(&setup->client, "qfThreadInfo", "m1");
    assert_reply(&setup->client, "qsThreadInfo", "l");
    assert_reply(&setup->client, "T1", "OK");
    assert_reply(&setup->client, "T2", "E03");
}

static void unknown_packets_get_an_empty_reply(void **state)
{
    struct client *client = &((struct setup *)*state)->client;
    static const char *const packets[] = {
        "vMustReplyEmpty",
        "qTStatus",
        "QNonStop:0",
        "qUnknown",
        "",
        "v",
        "q",
        "Q",
        "H",
        "Hx1",
        "qXfer",
        "bx",
        "A",
        "jThreadExtendedInfo:",
        "vFile:pwrite:0,0,x",
        "qSupportedX",
        "gg",
        "vContinue;c",
        "qXfer:auxv:read::0,10",
    };

    for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++)
        assert_reply(client, packets[i], "");
}

static void some_are_accepted_as_they_are(void **state)
{
    struct client *client = &((struct setup *)*state)->client;

    assert_reply(client, "qSymbol::", "OK");
    assert_reply(client, "QPassSignals:e;10;14;17", "OK");
    assert_reply(client, "qAttached:1", "1");
    assert_reply(client, "qOffsets", "Text=ffffffff00000000;Data=1000;Bss=1000");
}

static void describes_the_target(void **state)
{
    struct client *client = &((struct setup *)*state)->client;

    assert_reply(
        client, "qXfer:features:read:target.xml:0,1000",
        "l<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n"
        "<target version=\"1.0\">\n<architecture>i386:x86-64</architecture>\n"
        "<feature name=\"org.example.core\">\n"
        "<reg name=\"pc\" bitsize=\"64\" regnum=\"0\" type=\"code_ptr\" group=\"general\"/>\n"
        "<reg name=\"sp\" bitsize=\"64\" regnum=\"1\" type=\"data_ptr\" group=\"general\"/>\n"
        "<reg name=\"wide\" bitsize=\"80\" regnum=\"3\" save-restore=\"no\"/>\n"
        "</feature>\n"
        "<feature name=\"org.example.system\">\n<flags/>"
        "<reg name=\"flags\" bitsize=\"32\" regnum=\"2\" type=\"my&lt;flags&gt;\" "
        "group=\"system\"/>\n"
        "<reg name=\"lost\" bitsize=\"16\" regnum=\"4\"/>\n"
        "</feature>\n</target>\n");
    assert_reply(client, "qXfer:features:read:other.xml:0,1000", "E02");
    assert_reply(client, "qXfer:features:read:target.xml", "E16");
    assert_reply(client, "qXfer:features:read:target.xml:0", "E16");
    assert_reply(client, "qXfer:features:read:target.xml:0,10x", "E16");
    assert_reply(client, "qXfer:features:read:target.xml:ffffffff,10", "E16");
    assert_reply(client, "qXfer:features:write:target.xml:0:x", "");
    assert_reply(client, "qXfer:features:read:target.xml:0,0", "m");
}

static void documents_come_in_pieces(void **state)
{
    struct client *client = &((struct setup *)*state)->client;
    char whole[4096];
    char joined[4096] = "";
    size_t size = 0;

    snprintf(whole, sizeof(whole), "%s",
             client_ask(client, "qXfer:features:read:target.xml:0,1000") + 1);
    for (;;) {
        char body[64];
        snprintf(body, sizeof(body), "qXfer:features:read:target.xml:%zx,7", size);
        client_ask(client, body);
        memcpy(joined + size, client->reply + 1, client->reply_size);
        size += client->reply_size - 1;
        if (client->reply[0] == 'l')
            break;
        assert_int_equal(client->reply_size, 8);
    }
    assert_string_equal(joined, whole);
    /* The end, asked for once more. */
    char body[64];
    snprintf(body, sizeof(body), "qXfer:features:read:target.xml:%zx,7", size);
    assert_reply(client, body, "l");
}

static void lists_threads(void **state)
{
    struct setup *setup = *state;
    struct client *client = &setup->client;

    assert_reply(client, "qXfer:threads:read::0,1000",
                 "l<?xml version=\"1.0\"?>\n<threads>\n"
                 "<thread id=\"p1.1\" name=\"CPU#0&lt;&amp;&quot;\">vCPU 0</thread>\n"
                 "<thread id=\"p1.2\" name=\"CPU#1&lt;&amp;&quot;\">vCPU 1</thread>\n"
                 "</threads>\n");
    assert_reply(client, "qfThreadInfo", "mp1.1,p1.2");
    assert_reply(client, "qsThreadInfo", "l");
    assert_reply(client, "qThreadExtraInfo,p1.2", "764350552031");
    assert_reply(client, "qThreadExtraInfo,p1.3", "E03");
    assert_reply(client, "qC", "QCp1.1");
}

static void takes_thread_ids_in_all_forms(void **state)
{
    struct client *client = &((struct setup *)*state)->client;
    static const char *const good[] = {
        "Hg1",     "Hg2",      "Hg0",    "Hg-1", "Hgp1.2",
        "Hgp1.-1", "Hgp-1.-1", "Hgp0.0", "Hgp1", "Hg00000000000000001",
        "Hc-1"};
    static const char *const bad[] = {
        "Hg",         "Hgp", "Hg-2",    "Hgp2.1", "Hgp1.", "Hg1x", "Hg10000000000000000",
        "Hg80000000", "Hgz", "Hgp1.1.1"};

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_reply(client, good[i], "OK");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_reply(client, bad[i], "E16");
    assert_reply(client, "Hg3", "E03");
    assert_reply(client, "Tp1.2", "OK");
    assert_reply(client, "Tp1.3", "E03");
    assert_reply(client, "T0", "E03");
}

static void describes_memory(void **state)
{
    struct client *client = &((struct setup *)*state)->client;

    assert_reply(client, "qXfer:memory-map:read::0,1000",
                 "l<?xml version=\"1.0\"?>\n<memory-map>\n"
                 "<memory type=\"rom\" start=\"0x1000\" length=\"0x1000\"/>\n"
                 "<memory type=\"ram\" start=\"0x10000\" length=\"0xffffffffffff0000\"/>\n"
                 "</memory-map>\n");
    assert_reply(client, "qXfer:exec-file:read:1:0,1000", "l/boot/vmlinux");
}

/* Sends a monitor command; the text that came back, and the final reply in client->reply. */
static const char *monitor(struct client *client, const char *line)
{
    char body[256] = "qRcmd,";

    for (const char *c = line; *c; c++)
        snprintf(body + strlen(body), 3, "%02x", (unsigned)(unsigned char)*c);
    client_send(client, body, strlen(body));
    return client_console(client);
}

static void runs_monitor_commands(void **state)
{
    struct setup *setup = *state;
    struct client *client = &setup->client;

    assert_string_equal(monitor(client, "echo  two  words  \n"), "[two  words]\n");
    assert_string_equal(client->reply, "OK");
    assert_string_equal(setup->fake.monitor_args, "two  words");
    assert_string_equal(monitor(client, "echo"), "[]\n");
    assert_string_equal(monitor(client, "  ec x"), "[x]\n");
    static const char help[] = "help [COMMAND]  this list, or what begins like that\n"
                               "echo [TEXT]     print the text\n"
                               "flood           print a lot\n"
                               "fail [WHY]      fail\n";
    assert_string_equal(monitor(client, "help"), help);
    assert_string_equal(monitor(client, "  "), help);
    assert_string_equal(monitor(client, "help  ec "), "echo [TEXT]     print the text\n");
    assert_string_equal(monitor(client, "help x"),
                        "unknown monitor command \"x\"; see \"monitor help\"\n");
    assert_string_equal(monitor(client, "f"), "ambiguous monitor command \"f\": flood fail\n");
    assert_string_equal(monitor(client, "echoes"),
                        "unknown monitor command \"echoes\"; see \"monitor help\"\n");
    assert_string_equal(monitor(client, "fail 7"), "no exit 7\n");
    assert_string_equal(client->reply, "OK");
    assert_string_equal(monitor(client, "fail"), "No such file or directory\n");
    assert_reply(client, "qRcmd,6", "E16");
    assert_reply(client, "qRcmd,zz", "E16");
}

static void new_gdb_sees_a_failed_command_fail(void **state)
{
    struct client *client = &((struct setup *)*state)->client;

    client_ask(client, "qSupported:error-message+");
    assert_string_equal(monitor(client, "fail 7"), "");
    assert_string_equal(client->reply, "E.no exit 7");
}

static void long_output_streams(void **state)
{
    struct setup *setup = *state;
    struct client *client = &setup->client;

    for (size_t size = 1022; size < 1027; size++) {
        setup->fake.monitor_bytes = size;
        assert_int_equal(strlen(monitor(client, "flood")), size);
    }
    setup->fake.monitor_bytes = 200000;
    assert_int_equal(strlen(monitor(client, "flood")), 200000);
    assert_string_equal(client->reply, "OK");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_setup, close_setup)
    const struct CMUnitTest tests[] = {
        TEST(advertises_what_there_is),
        TEST(advertises_no_more),
        TEST(unknown_packets_get_an_empty_reply),
        TEST(some_are_accepted_as_they_are),
        TEST(describes_the_target),
        TEST(documents_come_in_pieces),
        TEST(lists_threads),
        TEST(takes_thread_ids_in_all_forms),
        TEST(describes_memory),
        TEST(runs_monitor_commands),
        TEST(new_gdb_sees_a_failed_command_fail),
        TEST(long_output_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
