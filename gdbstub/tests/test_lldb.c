/* SPDX-License-Identifier: MIT */
#include "setup.h"

#include <string.h>

/* What lldb asks beyond gdb's packets. */

#define MACHINE "triple:7838365f36342d756e6b6e6f776e2d6c696e7578;ptrsize:8;endian:little;"

/* As lldb 19 does it; what it does not offer is gdb's. */
static int open_lldb(void **state)
{
    open_setup_unacquainted(state);
    struct client *client = &((struct setup *)*state)->client;
    assert_reply(client, "QStartNoAckMode", "OK");
    client_ask(client, "qSupported:xmlRegisters=i386,arm,mips,arc;multiprocess+;fork-events+;"
                       "vfork-events+");
    assert_reply(client, "QThreadSuffixSupported", "OK");
    assert_reply(client, "QListThreadsInStopReply", "OK");
    assert_reply(client, "QEnableErrorStrings", "OK");
    return 0;
}

static void it_learns_what_machine_that_is(void **state)
{
    struct setup *setup = *state;

    assert_reply(&setup->client, "qHostInfo", MACHINE);
    assert_reply(&setup->client, "qProcessInfo", "pid:1;" MACHINE);
    assert_reply(&setup->client, "x0,0", "b");
    setup->fake.description.triple = NULL;
    assert_reply(&setup->client, "qHostInfo", "");
    assert_reply(&setup->client, "qProcessInfo", "");
}

static void stop_replies_list_the_threads(void **state)
{
    struct setup *setup = *state;

    setup->fake.stop = (struct gdbstub_stop){.kind = GDBSTUB_STOP_HISTORY_END, .thread = 2};
    assert_reply(&setup->client, "vCont;c:p1.-1",
                 "T050:8182838485868788;1:898a8b8c8d8e8f90;thread:p1.2;threads:p1.1,p1.2;"
                 "replaylog:end;");
    assert_reply(&setup->client, "qThreadStopInfo2",
                 "T050:8182838485868788;1:898a8b8c8d8e8f90;thread:p1.2;threads:p1.1,p1.2;"
                 "replaylog:end;");
    assert_reply(&setup->client, "qThreadStopInfop1.1",
                 "T000:0102030405060708;1:090a0b0c0d0e0f10;thread:p1.1;");
    assert_reply(&setup->client, "qThreadStopInfo3", "E16;6d616c666f726d6564207061636b6574");
}

static void all_threads_come_in_one_reply(void **state)
{
    struct setup *setup = *state;

    setup->fake.stop =
        (struct gdbstub_stop){.kind = GDBSTUB_STOP_WATCH_WRITE, .thread = 1, .address = 0x10010};
    client_ask(&setup->client, "bc");
    assert_reply(&setup->client, "jThreadsInfo",
                 "[{\"tid\":1,\"name\":\"CPU#0<&\\\"\",\"reason\":\"watchpoint\",\"signal\":5,"
                 "\"description\":\"65552 0\",\"registers\":{\"0\":\"0102030405060708\","
                 "\"1\":\"090a0b0c0d0e0f10\"}},{\"tid\":2,\"name\":\"CPU#1<&\\\"\","
                 "\"reason\":\"none\",\"registers\":{\"0\":\"8182838485868788\","
                 "\"1\":\"898a8b8c8d8e8f90\"}}]");
    setup->fake.stop = (struct gdbstub_stop){.kind = GDBSTUB_STOP_STEP, .thread = 2};
    setup->fake.runs = 0;
    client_ask(&setup->client, "bs");
    client_ask(&setup->client, "jThreadsInfo");
    assert_non_null(strstr(setup->client.reply, "\"reason\":\"trace\",\"signal\":5"));
}

static void packets_name_their_thread(void **state)
{
    struct setup *setup = *state;
    struct client *client = &setup->client;

    assert_reply(client, "p0;thread:0002;", "8182838485868788");
    assert_reply(client, "p0;thread:p1.1;", "0102030405060708");
    client_ask(client, "g;thread:0002;");
    assert_memory_equal(client->reply, "8182838485868788", 16);
    assert_reply(client, "P0=aa00000000000000;thread:0002;", "OK");
    assert_reply(client, "p0;thread:2;", "aa00000000000000");
    assert_reply(client, "p0", "0102030405060708");
    assert_int_equal(client_ask(client, "p0;thread:3;")[0], 'E');
    assert_int_equal(client_ask(client, "p0;thread:")[0], 'E');
    assert_int_equal(client_ask(client, "p0;tread:1;")[0], 'E');
    assert_int_equal(client_ask(client, "p0;thread:1;x")[0], 'E');
    assert_int_equal(client_ask(client, "p0;thread:0;")[0], 'E');
    assert_int_equal(client_ask(client, "P0=aa;thread:0002;")[0], 'E');
}

static void errors_are_words_in_hex(void **state)
{
    struct setup *setup = *state;

    setup->fake.refusal = "no";
    assert_reply(&setup->client, "P0=0000000000000000", "E01;6e6f");
    setup->fake.refusal = NULL;
    assert_reply(&setup->client, "T7", "E03");
}

/* "xx" would be a value for it. */
static void a_register_that_is_not_known_is_an_error(void **state)
{
    struct client *client = &((struct setup *)*state)->client;

    assert_memory_equal(client_ask(client, "p4"), "E3d;", 4);
    assert_string_equal(client_ask(client, "p4;thread:1;") + 4,
                        "746865207265676973746572206973206e6f74206b6e6f776e20617420746869732070"
                        "6f736974696f6e");
}

static void memory_is_described_as_it_is_now(void **state)
{
    struct setup *setup = *state;
    struct client *client = &setup->client;

    assert_reply(client, "qMemoryRegionInfo:1234", "start:1000;size:1000;permissions:rx;");
    assert_reply(client, "qMemoryRegionInfo:10000", "start:10000;size:1000;permissions:r;");
    assert_reply(client, "qMemoryRegionInfo:ffffffffffffffff",
                 "start:fffffffffffff000;size:1000;permissions:r;");
    assert_reply(client, "qMemoryRegionInfo:bad", "E05");
    assert_int_equal(client_ask(client, "qMemoryRegionInfo:")[0], 'E');

    setup->fake.ops.find_mapping = NULL; /* the regions then */
    reopen(setup);
    assert_reply(client, "qMemoryRegionInfo:0", "start:0;size:1000;");
    assert_reply(client, "qMemoryRegionInfo:1fff", "start:1000;size:1000;permissions:rx;");
    assert_reply(client, "qMemoryRegionInfo:2000", "start:2000;size:e000;");
    assert_reply(client, "qMemoryRegionInfo:10000",
                 "start:10000;size:ffffffffffff0000;permissions:rwx;");
}

static void a_stop_is_one_packet(void **state)
{
    struct setup *setup = *state;

    setup->fake.ops.announce = fake_announce;
    reopen(setup);
    assert_reply(&setup->client, "QEnableErrorStrings", "OK");
    assert_int_equal(client_ask(&setup->client, "bs")[0], 'T');
    assert_int_equal(setup->fake.announces, 0);
}

/* lldb 21 and later, as its packets are known: it asks what is supported twice, selects the thread
 * that is to run, and goes back by gdb's packets. */
static void it_goes_back(void **state)
{
    static const char question[] = "qSupported:xmlRegisters=i386,arm,mips,arc;multiprocess+;"
                                   "fork-events+;vfork-events+;swbreak+;hwbreak+";
    struct setup *setup = *state;
    struct client *client = &setup->client;

    gdbstub_reset(client->stub);
    assert_reply(client, "QStartNoAckMode", "OK");
    for (int i = 0; i < 2; i++) {
        assert_non_null(strstr(client_ask(client, question), "ReverseStep+"));
        assert_non_null(strstr(client->reply, "ReverseContinue+"));
        assert_reply(client, "QThreadSuffixSupported", "OK");
        assert_reply(client, "QListThreadsInStopReply", "OK");
        assert_reply(client, "QEnableErrorStrings", "OK");
    }
    setup->fake.stop = (struct gdbstub_stop){.kind = GDBSTUB_STOP_STEP, .thread = 2};
    assert_reply(client, "Hc2", "OK");
    assert_reply(client, "bs",
                 "T050:8182838485868788;1:898a8b8c8d8e8f90;thread:p1.2;threads:p1.1,p1.2;");
    assert_int_equal(setup->fake.request.direction, GDBSTUB_REVERSE);
    assert_int_equal(setup->fake.request.action, GDBSTUB_STEP);
    assert_int_equal(setup->fake.request.thread, 2);
    setup->fake.stop = (struct gdbstub_stop){.kind = GDBSTUB_STOP_SWBREAK, .thread = 2};
    setup->fake.runs = 0;
    assert_reply(client, "Hc-1", "OK");
    assert_reply(client, "bc",
                 "T050:8182838485868788;1:898a8b8c8d8e8f90;thread:p1.2;threads:p1.1,p1.2;"
                 "swbreak:;");
    assert_int_equal(setup->fake.request.action, GDBSTUB_CONTINUE);
    setup->fake.stop = (struct gdbstub_stop){.kind = GDBSTUB_STOP_HISTORY_BEGIN, .thread = 2};
    setup->fake.runs = 0;
    assert_reply(client, "bc",
                 "T050:8182838485868788;1:898a8b8c8d8e8f90;thread:p1.2;threads:p1.1,p1.2;"
                 "replaylog:begin;");
}

static void it_is_told_that_the_target_was_killed(void **state)
{
    struct setup *setup = *state;

    assert_reply(&setup->client, "k", "X09;process:1");
    assert_int_equal(gdbstub_state(setup->client.stub), GDBSTUB_KILLED);
}

/* The next client may be gdb. */
static void nothing_of_it_outlives_the_client(void **state)
{
    struct setup *setup = *state;

    gdbstub_reset(setup->client.stub);
    client_hello(&setup->client);
    assert_reply(&setup->client, "p4", "xxxx");
    assert_reply(&setup->client, "?", "T050:0102030405060708;1:090a0b0c0d0e0f10;thread:p1.1;");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_lldb, close_setup)
    const struct CMUnitTest tests[] = {
        TEST(it_learns_what_machine_that_is),    TEST(stop_replies_list_the_threads),
        TEST(all_threads_come_in_one_reply),     TEST(packets_name_their_thread),
        TEST(errors_are_words_in_hex),           TEST(a_register_that_is_not_known_is_an_error),
        TEST(memory_is_described_as_it_is_now),  TEST(a_stop_is_one_packet),
        TEST(it_goes_back),                      TEST(it_is_told_that_the_target_was_killed),
        TEST(nothing_of_it_outlives_the_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
