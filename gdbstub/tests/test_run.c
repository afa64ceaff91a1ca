/* SPDX-License-Identifier: MIT */
#include "setup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Running, stopping, and how sessions end and start over. */

#define REGS_1 "0:0102030405060708;1:090a0b0c0d0e0f10;"
#define REGS_2 "0:8182838485868788;1:898a8b8c8d8e8f90;"
#define AT_1 REGS_1 "thread:p1.1;"
#define AT_2 REGS_2 "thread:p1.2;"

/* Makes the next run end with `stop` in its first slice. */
static void stop_with(struct setup *setup, struct gdbstub_stop stop)
{
    setup->fake.stop = stop;
    setup->fake.runs = 0;
    setup->fake.runs_needed = 1;
}

static void each_stop_has_its_words(void **state)
{
    struct setup *setup = *state;
    static const struct {
        struct gdbstub_stop stop;
        const char *reply;
    } cases[] = {
        {{.kind = GDBSTUB_STOP_STEP}, "T05" AT_1},
        {{.kind = GDBSTUB_STOP_STEP, .thread = 2}, "T05" AT_2},
        {{.kind = GDBSTUB_STOP_SWBREAK, .thread = 1}, "T05" AT_1 "swbreak:;"},
        {{.kind = GDBSTUB_STOP_HWBREAK}, "T05" AT_1 "hwbreak:;"},
        {{.kind = GDBSTUB_STOP_WATCH_WRITE, .address = 0x3000}, "T05" AT_1 "watch:3000;"},
        {{.kind = GDBSTUB_STOP_WATCH_READ, .address = 0}, "T05" AT_1 "rwatch:0;"},
        {{.kind = GDBSTUB_STOP_WATCH_ACCESS, .address = UINT64_MAX},
         "T05" AT_1 "awatch:ffffffffffffffff;"},
        {{.kind = GDBSTUB_STOP_HISTORY_BEGIN}, "T05" AT_1 "replaylog:begin;"},
        {{.kind = GDBSTUB_STOP_HISTORY_END}, "T05" AT_1 "replaylog:end;"},
        {{.kind = GDBSTUB_STOP_INTERRUPTED}, "T02" AT_1},
        {{.kind = GDBSTUB_STOP_SIGNAL, .signal = 11}, "T0b" AT_1},
        {{.kind = (enum gdbstub_stop_kind)77}, "T05" AT_1},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        stop_with(setup, cases[i].stop);
        assert_reply(&setup->client, "vCont;c:p1.-1", cases[i].reply);
        assert_int_equal(gdbstub_state(setup->client.stub), GDBSTUB_WAITING);
        assert_reply(&setup->client, "?", cases[i].reply);
    }
}

static void breaks_are_only_named_to_who_asked(void **state)
{
    struct setup *setup = *state;

    client_ask(&setup->client, "qSupported:xmlRegisters=i386");
    stop_with(setup, (struct gdbstub_stop){.kind = GDBSTUB_STOP_SWBREAK});
    assert_reply(&setup->client, "c", "T05" REGS_1 "thread:1;");
    stop_with(setup, (struct gdbstub_stop){.kind = GDBSTUB_STOP_HWBREAK});
    assert_reply(&setup->client, "c", "T05" REGS_1 "thread:1;");
    stop_with(setup, (struct gdbstub_stop){.kind = GDBSTUB_STOP_HISTORY_END});
    assert_reply(&setup->client, "c", "T05" REGS_1 "thread:1;replaylog:end;");
}

static void the_target_may_end(void **state)
{
    struct setup *setup = *state;

    stop_with(setup, (struct gdbstub_stop){.kind = GDBSTUB_STOP_EXITED, .status = 3});
    assert_reply(&setup->client, "c", "W03;process:1");
    assert_reply(&setup->client, "g", "E03");
    reopen(setup);
    stop_with(setup, (struct gdbstub_stop){.kind = GDBSTUB_STOP_TERMINATED, .signal = 9});
    assert_reply(&setup->client, "c", "X09;process:1");
    assert_reply(&setup->client, "?", "W00;process:1");
}

static void each_request_reaches_the_target(void **state)
{
    struct setup *setup = *state;
    static const struct {
        const char *packet;
        struct gdbstub_resume request;
    } cases[] = {
        {"c", {.action = GDBSTUB_CONTINUE, .others_run = true}},
        {"s", {.action = GDBSTUB_STEP}},
        {"C0b", {.action = GDBSTUB_CONTINUE, .others_run = true, .signal = 11}},
        {"S02", {.action = GDBSTUB_STEP, .signal = 2}},
        {"bc", {.action = GDBSTUB_CONTINUE, .direction = GDBSTUB_REVERSE, .others_run = true}},
        {"bs", {.action = GDBSTUB_STEP, .direction = GDBSTUB_REVERSE}},
        {"vCont;c", {.action = GDBSTUB_CONTINUE, .others_run = true}},
        {"vCont;c:p1.-1", {.action = GDBSTUB_CONTINUE, .others_run = true}},
        {"vCont;c:p1.2", {.action = GDBSTUB_CONTINUE, .thread = 2}},
        {"vCont;s:p1.2", {.action = GDBSTUB_STEP, .thread = 2}},
        {"vCont;s:2", {.action = GDBSTUB_STEP, .thread = 2}},
        {"vCont;s:p1.2;c:p1.-1", {.action = GDBSTUB_STEP, .thread = 2, .others_run = true}},
        {"vCont;c:p1.1;s:p1.2", {.action = GDBSTUB_STEP, .thread = 2, .others_run = true}},
        {"vCont;S0b:p1.2;c",
         {.action = GDBSTUB_STEP, .thread = 2, .others_run = true, .signal = 11}},
        {"vCont;r1000,1010:p1.1",
         {.action = GDBSTUB_STEP, .thread = 1, .range_start = 0x1000, .range_end = 0x1010}},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct gdbstub_resume *wanted = &cases[i].request;
        const struct gdbstub_resume *got = &setup->fake.request;
        stop_with(setup, (struct gdbstub_stop){.kind = GDBSTUB_STOP_STEP});
        client_ask(&setup->client, cases[i].packet);
        assert_int_equal(setup->fake.resumes, (int)i + 1);
        assert_int_equal(got->action, wanted->action);
        assert_int_equal(got->direction, wanted->direction);
        assert_int_equal(got->thread, wanted->thread);
        assert_int_equal(got->others_run, wanted->others_run);
        assert_int_equal(got->signal, wanted->signal);
        assert_true(got->range_start == wanted->range_start && got->range_end == wanted->range_end);
    }
}

static void malformed_requests_do_not(void **state)
{
    struct setup *setup = *state;
    static const char *const packets[] = {
        "vCont",         "vCont;",      "vCont;q",
        "vCont;t",       "vCont;c;q",   "vCont;C",
        "vCont;C100",    "vCont;s:",    "vCont;s:p2.1",
        "vCont;r1000",   "vCont;r1,2x", "vCont;cc",
        "vCont;s:p1.1x", "vCont;r,:1",  "C",
        "Czz",           "S123",        "bsx",
        "bc;1",          "vCont;s:-2",  "vCont;s:p1.80000000",
    };

    for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
        const char *reply = client_ask(&setup->client, packets[i]);
        assert_true(reply[0] == 'E' || reply[0] == '\0');
    }
    assert_reply(&setup->client, "vCont;s:p1.3", "E03");
    assert_reply(&setup->client, "c1000", "E.cannot go on at another address; set the pc");
    assert_int_equal(setup->fake.resumes, 0);
}

static void the_reverse_thread_is_the_selected_one(void **state)
{
    struct setup *setup = *state;

    assert_reply(&setup->client, "Hcp1.2", "OK");
    stop_with(setup, (struct gdbstub_stop){.kind = GDBSTUB_STOP_STEP, .thread = 2});
    assert_reply(&setup->client, "bs", "T05" AT_2);
    assert_int_equal(setup->fake.request.thread, 2);
}

static void a_run_goes_in_slices(void **state)
{
    struct setup *setup = *state;
    struct gdbstub *stub = setup->client.stub;

    setup->fake.runs_needed = 3;
    assert_silent(&setup->client, "vCont;c");
    assert_int_equal(setup->fake.runs, 1);
    assert_int_equal(gdbstub_state(stub), GDBSTUB_RUNNING);
    assert_int_equal(gdbstub_poll(stub), 0);
    assert_false(client_next(&setup->client));
    assert_int_equal(gdbstub_poll(stub), 0);
    assert_true(client_next(&setup->client));
    assert_string_equal(setup->client.reply, "T05" AT_1);
    assert_int_equal(gdbstub_state(stub), GDBSTUB_WAITING);
    assert_int_equal(gdbstub_poll(stub), 0);
    assert_int_equal(setup->fake.runs, 3);
}

static void a_run_can_fail(void **state)
{
    struct setup *setup = *state;

    setup->fake.refusal = "the recording is damaged";
    assert_reply(&setup->client, "bc", "E.the recording is damaged");
    assert_int_equal(gdbstub_state(setup->client.stub), GDBSTUB_WAITING);
    setup->fake.refusal = NULL;
    setup->fake.run_error = -EIO;
    assert_reply(&setup->client, "bc", "T06" AT_1);
    assert_int_equal(gdbstub_state(setup->client.stub), GDBSTUB_WAITING);
}

static void stops_are_announced(void **state)
{
    struct setup *setup = *state;

    setup->fake.ops.announce = fake_announce;
    reopen(setup);
    stop_with(setup, (struct gdbstub_stop){.kind = GDBSTUB_STOP_HISTORY_END});
    assert_reply(&setup->client, "c",
                 "O"
                 "73746f7020370a"); /* "stop 7\n" */
    assert_true(client_next(&setup->client));
    assert_string_equal(setup->client.reply, "T05" AT_1 "replaylog:end;");
    client_ask(&setup->client, "?");
    assert_int_equal(setup->fake.announces, 1);
}

static void a_target_that_only_stands(void **state)
{
    struct setup *setup = *state;

    setup->fake.ops.resume = NULL;
    setup->fake.ops.run = NULL;
    setup->fake.ops.interrupt = NULL;
    setup->fake.ops.can_reverse = false;
    setup->fake.ops.status = NULL;
    reopen(setup);
    assert_reply(&setup->client, "?", "T05" AT_1);
    assert_reply(&setup->client, "c", "");
    assert_reply(&setup->client, "bc", "");
    assert_reply(&setup->client, "vCont?", "");
    assert_null(strstr(client_ask(&setup->client, "qSupported"), "vCont"));
    client_raw(&setup->client, "\x03", 1);
    assert_int_equal(setup->client.wire.size, 0);
}

static void a_target_that_only_goes_forward(void **state)
{
    struct setup *setup = *state;

    setup->fake.ops.can_reverse = false;
    reopen(setup);
    assert_reply(&setup->client, "bs", "");
    assert_reply(&setup->client, "bc", "");
    assert_reply(&setup->client, "vCont?", "vCont;c;C;s;S;r");
    assert_null(strstr(client_ask(&setup->client, "qSupported"), "Reverse"));
    assert_int_equal(setup->fake.resumes, 0);
}

static void says_good_bye(void **state)
{
    struct setup *setup = *state;
    struct client *client = &setup->client;

    assert_reply(client, "D;2", "E16");
    assert_reply(client, "D;1", "OK");
    assert_int_equal(gdbstub_state(client->stub), GDBSTUB_DETACHED);
    reopen(setup);
    assert_reply(client, "vKill;7", "E16");
    assert_reply(client, "vKill;1", "OK");
    assert_int_equal(gdbstub_state(client->stub), GDBSTUB_KILLED);
    assert_reply(client, "g", "E03");
    assert_reply(client, "?", "W00;process:1");
    reopen(setup);
    assert_silent(client, "k");
    assert_int_equal(gdbstub_state(client->stub), GDBSTUB_KILLED);
    assert_int_equal(setup->fake.clears, 3);
    /* The next client finds a target. */
    gdbstub_reset(client->stub);
    assert_int_equal(gdbstub_state(client->stub), GDBSTUB_WAITING);
    client_hello(client);
    assert_reply(client, "?", "T05" AT_1);
}

static void starts_over_in_extended_mode(void **state)
{
    struct setup *setup = *state;
    struct client *client = &setup->client;

    assert_reply(client, "vRun;", "");
    assert_reply(client, "vAttach;1", "");
    assert_reply(client, "!", "OK");
    assert_reply(client, "vKill;1", "OK");
    assert_reply(client, "vAttach;1", "E03");
    assert_reply(client, "vRun;2f62696e;61", "T05" AT_1);
    assert_int_equal(gdbstub_state(client->stub), GDBSTUB_WAITING);
    assert_reply(client, "D;1", "OK");
    assert_reply(client, "vAttach;1", "T05" AT_1);
    assert_int_equal(gdbstub_state(client->stub), GDBSTUB_WAITING);
    assert_silent(client, "R00");
    assert_int_equal(setup->fake.restarts, 2);
    setup->fake.refusal = "no start recorded";
    assert_reply(client, "vRun;", "E.no start recorded");

    setup->fake.ops.restart = NULL;
    reopen(setup);
    assert_reply(client, "!", "");
    assert_reply(client, "vRun;", "");
    assert_reply(client, "R00", "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_setup, close_setup)
    const struct CMUnitTest tests[] = {
        TEST(each_stop_has_its_words),
        TEST(breaks_are_only_named_to_who_asked),
        TEST(the_target_may_end),
        TEST(each_request_reaches_the_target),
        TEST(malformed_requests_do_not),
        TEST(the_reverse_thread_is_the_selected_one),
        TEST(a_run_goes_in_slices),
        TEST(a_run_can_fail),
        TEST(stops_are_announced),
        TEST(a_target_that_only_stands),
        TEST(a_target_that_only_goes_forward),
        TEST(says_good_bye),
        TEST(starts_over_in_extended_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
