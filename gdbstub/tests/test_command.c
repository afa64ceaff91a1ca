/* SPDX-License-Identifier: MIT */
#include "setup.h"

#include <stdio.h>
#include <string.h>

/* Commands of breakpoints: what gdb's dprintf in agent style sends, and what it prints. */

static int open_breaking(void **state)
{
    open_setup(state);
    struct setup *setup = *state;
    setup->fake.ops.checks_conditions = true;
    reopen(setup);
    return 0;
}

/* Byte code for printf with these arguments: pushed last first, then channel and function. */
static void write_command(char *hex, const char *format, const uint64_t *args, size_t count)
{
    for (size_t i = count; i > 0; i--)
        hex += sprintf(hex, "25%016llx", (unsigned long long)args[i - 1]);
    hex += sprintf(hex, "2200220034%02zx%04zx", count, strlen(format) + 1);
    for (size_t i = 0; i <= strlen(format); i++)
        hex += sprintf(hex, "%02x", (unsigned)(uint8_t)format[i]);
    strcpy(hex, "27");
}

/* A target's `run` that meets the breakpoint once. */
static int run_into_breakpoint(void *ctx, struct gdbstub_console *console,
                               struct gdbstub_stop *stop)
{
    struct fake *fake = ctx;
    struct gdbstub_view view = fake_view(fake);

    view.console = console;
    stop->kind = gdbstub_breakpoint_stops(&fake->breakpoint.conditions, &view)
                     ? GDBSTUB_STOP_SWBREAK
                     : GDBSTUB_STOP_HISTORY_END;
    return 1;
}

/* What is printed when a breakpoint with this in it is met; whether it stopped there. */
static const char *meet(struct setup *setup, const char *options, bool *stopped)
{
    char body[2048];

    if (setup->fake.ops.run != run_into_breakpoint) {
        setup->fake.ops.run = run_into_breakpoint;
        reopen(setup);
    }
    snprintf(body, sizeof(body), "Z0,1000,1;%s", options);
    assert_reply(&setup->client, body, "OK");
    client_send(&setup->client, "bc", 2);
    const char *printed = client_console(&setup->client);
    *stopped = !strstr(setup->client.reply, "replaylog");
    return printed;
}

static const char *print(struct setup *setup, const char *format, const uint64_t *args,
                         size_t count, bool *stopped)
{
    char code[1024];
    char options[1100];

    write_command(code, format, args, count);
    snprintf(options, sizeof(options), "cmds:0,X%zx,%s", strlen(code) / 2, code);
    return meet(setup, options, stopped);
}

static void they_are_offered(void **state)
{
    struct client *client = &((struct setup *)*state)->client;

    assert_non_null(strstr(client_ask(client, "qSupported:swbreak+"),
                           ";ConditionalBreakpoints+;BreakpointCommands+"));
}

static void a_command_prints_and_the_target_goes_on(void **state)
{
    bool stopped;

    assert_string_equal(print(*state, "here\n", NULL, 0, &stopped), "here\n");
    assert_false(stopped);
    const uint64_t args[] = {1, 2};
    assert_string_equal(print(*state, "a %d b %d\n", args, 2, &stopped), "a 1 b 2\n");
    assert_false(stopped);
}

static void numbers_look_as_in_c(void **state)
{
    static const struct {
        const char *format;
        uint64_t value;
        const char *expected;
    } cases[] = {
        {"%d", UINT64_MAX, "-1"},
        {"%d", 0xffffffff, "-1"},
        {"%d", 0x80000000, "-2147483648"},
        {"%ld", 0xffffffff, "4294967295"},
        {"%lld", UINT64_C(1) << 63, "-9223372036854775808"},
        {"%hhd", 0x1ff, "-1"},
        {"%hd", 0x18000, "-32768"},
        {"%u", UINT64_MAX, "4294967295"},
        {"%lu", UINT64_MAX, "18446744073709551615"},
        {"%x", 0xabcdef, "abcdef"},
        {"%#lX", 0xabcdef, "0XABCDEF"},
        {"%#x", 0, "0"},
        {"%#o", 8, "010"},
        {"%o", 8, "10"},
        {"%i", 5, "5"},
        {"%5d|", 42, "   42|"},
        {"%-5d|", 42, "42   |"},
        {"%05d|", UINT64_MAX, "-0001|"},
        {"%+d% d", 7, "+7"}, /* the second has no argument */
        {"%+d", 7, "+7"},
        {"% d", 7, " 7"},
        {"%08lx", 0x1234, "00001234"},
        {"%.4u", 7, "0007"},
        {"%8.4u|", 7, "    0007|"},
        {"%p", 0x1234, "0x1234"},
        {"%c", 'x', "x"},
        {"100%% %d", 1, "100% 1"},
        {"%zu %%", 3, "3 %"},
    };
    bool stopped;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(print(*state, cases[i].format, &cases[i].value, 1, &stopped),
                            cases[i].expected);
}

static void escapes_are_undone(void **state)
{
    bool stopped;

    assert_string_equal(print(*state, "a\\tb\\\\\\\"\\'\\n\\101\\1012\\e\\0end", NULL, 0, &stopped),
                        "a\tb\\\"'\nAA2\033");
    assert_false(stopped);
    print(*state, "\\q", NULL, 0, &stopped);
    assert_true(stopped);
    print(*state, "\\", NULL, 0, &stopped);
    assert_true(stopped);
}

static void strings_come_from_memory(void **state)
{
    struct setup *setup = *state;
    uint64_t at = FAKE_MEMORY + 0x100;
    bool stopped;

    strcpy((char *)setup->fake.memory + 0x100, "kernel");
    assert_string_equal(print(setup, "<%s>", &at, 1, &stopped), "<kernel>");
    assert_string_equal(print(setup, "<%8.3s>", &at, 1, &stopped), "<     ker>");
    assert_string_equal(print(setup, "<%-8s>", &at, 1, &stopped), "<kernel  >");
    assert_false(stopped);

    memset(setup->fake.memory + 0x100, 'y', 0x400); /* without an end */
    assert_int_equal(strlen(print(setup, "%s", &at, 1, &stopped)), 256);
    at = 0x10;
    print(setup, "%s", &at, 1, &stopped);
    assert_true(stopped);
}

/* The target stops there, and gdb sees to it. */
static void what_is_not_understood_stops(void **state)
{
    static const char *const formats[] = {"%n", "%*d",      "%999d", "%.999d", "%",
                                          "%l", "%-+ #0-d", "%f",    "%d %d",  "%lf"};
    static const char *const options[] = {
        "cmds:0,X1,34",                     /* breaks off */
        "cmds:0,X6,220022003400",           /* the same */
        "cmds:0,X8,2200220034000010",       /* a format longer than the code */
        "cmds:0,Xb,2200220034010002610027", /* too few arguments */
        "cmds:0,X4,34000000",               /* nothing on the stack */
        "cmds:0,X3,210000",                 /* without end */
    };
    const uint64_t value = 1;
    struct setup *setup = *state;
    bool stopped;

    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        print(setup, formats[i], &value, 1, &stopped);
        assert_true(stopped);
    }
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        meet(setup, options[i], &stopped);
        assert_true(stopped);
    }
}

static void conditions_come_first(void **state)
{
    char code[256];
    char options[1024];
    bool stopped;

    write_command(code, "hit\n", NULL, 0);
    for (unsigned truth = 0; truth < 2; truth++) {
        snprintf(options, sizeof(options), "X3,22%02x27;cmds:1,X%zx,%s", truth, strlen(code) / 2,
                 code);
        assert_string_equal(meet(*state, options, &stopped), truth ? "hit\n" : "");
        assert_false(stopped);
    }
    /* Two commands, both carried out. */
    snprintf(options, sizeof(options), "cmds:0,X%zx,%sX%zx,%s", strlen(code) / 2, code,
             strlen(code) / 2, code);
    assert_string_equal(meet(*state, options, &stopped), "hit\nhit\n");
}

/* A printf in a condition, and a command where nothing can be printed. */
static void printing_is_for_commands_alone(void **state)
{
    struct setup *setup = *state;
    char code[256];
    char options[512];
    bool stopped;

    write_command(code, "no", NULL, 0);
    snprintf(options, sizeof(options), "X%zx,%s", strlen(code) / 2, code);
    assert_string_equal(meet(setup, options, &stopped), "");
    assert_true(stopped);

    print(setup, "x", NULL, 0, &stopped);
    struct gdbstub_view view = fake_view(&setup->fake);
    assert_true(gdbstub_breakpoint_stops(&setup->fake.breakpoint.conditions, &view));
}

static void a_run_may_print(void **state)
{
    struct setup *setup = *state;

    setup->fake.chatter = "half way\n";
    client_send(&setup->client, "c", 1);
    assert_string_equal(client_console(&setup->client), "half way\n");
    assert_memory_equal(setup->client.reply, "T05", 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_breaking, close_setup)
    const struct CMUnitTest tests[] = {
        TEST(they_are_offered),         TEST(a_command_prints_and_the_target_goes_on),
        TEST(numbers_look_as_in_c),     TEST(escapes_are_undone),
        TEST(strings_come_from_memory), TEST(what_is_not_understood_stops),
        TEST(conditions_come_first),    TEST(printing_is_for_commands_alone),
        TEST(a_run_may_print),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
