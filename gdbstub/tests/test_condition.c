/* SPDX-License-Identifier: MIT */
#include "client.h"
#include "fake.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Conditions, as they come in and as they are evaluated. Byte code is written as gdb sends it. */

static struct fake fake;
static struct client client;

static int open_client(void **state)
{
    (void)state;
    fake_init(&fake);
    fake.ops.checks_conditions = true;
    client_open(&client, &fake.config);
    client_hello(&client);
    return 0;
}

static int close_client(void **state)
{
    (void)state;
    client_close(&client);
    return 0;
}

/* Inserts a breakpoint with one condition, which comes in two parts. */
static void insert(const char *code, const char *more)
{
    static char body[2 * GDBSTUB_CONDITIONS_MAX + 64];

    snprintf(body, sizeof(body), "Z0,1000,1;X%zx,%s%s", (strlen(code) + strlen(more)) / 2, code,
             more);
    assert_reply(&client, body, "OK");
}

static bool holds(void)
{
    const struct gdbstub_view view = fake_view(&fake);

    return gdbstub_breakpoint_stops(&fake.breakpoint.conditions, &view);
}

#define MINUS(n) "25fffffffffffffff" n
#define ALL_ONES "25ffffffffffffffff"
#define LEAST "258000000000000000"

static const struct {
    const char *code;
    uint64_t value;
} values[] = {
    {"2203220402", 7},                          /* add */
    {ALL_ONES "220202", 1},                     /* and wrap */
    {"2203220503", UINT64_MAX - 1},             /* sub */
    {"2206220704", 42},                         /* mul */
    {MINUS("9") "220205", UINT64_MAX - 2},      /* div_signed */
    {"2207" ALL_ONES "05", UINT64_MAX - 6},     /* */
    {LEAST ALL_ONES "05", UINT64_C(1) << 63},   /* */
    {MINUS("9") "220206", 0x7ffffffffffffffc},  /* div_unsigned */
    {MINUS("9") "220207", UINT64_MAX},          /* rem_signed */
    {LEAST ALL_ONES "07", 0},                   /* */
    {MINUS("9") "220a08", 9},                   /* rem_unsigned */
    {"2203220409", 48},                         /* lsh */
    {"2203224009", 0},                          /* */
    {MINUS("0") "22040a", UINT64_MAX},          /* rsh_signed */
    {MINUS("0") "22c80a", UINT64_MAX},          /* */
    {MINUS("0") "22000a", UINT64_MAX - 15},     /* */
    {"227022040a", 7},                          /* */
    {"227022400a", 0},                          /* */
    {MINUS("0") "22040b", 0x0fffffffffffffff},  /* rsh_unsigned */
    {MINUS("0") "22400b", 0},                   /* */
    {"22000e", 1},                              /* log_not */
    {"22050e", 0},                              /* */
    {"220c220a0f", 8},                          /* bit_and */
    {"220c220a10", 14},                         /* bit_or */
    {"220c220a11", 6},                          /* bit_xor */
    {"220012", UINT64_MAX},                     /* bit_not */
    {"2205220513", 1},                          /* equal */
    {"2205220613", 0},                          /* */
    {ALL_ONES "220114", 1},                     /* less_signed */
    {"2201" ALL_ONES "14", 0},                  /* */
    {"2201220114", 0},                          /* */
    {ALL_ONES "220115", 0},                     /* less_unsigned */
    {"2201" ALL_ONES "15", 1},                  /* */
    {"22801608", 0xffffffffffffff80},           /* ext */
    {"227f1608", 0x7f},                         /* */
    {"22011601", UINT64_MAX},                   /* */
    {LEAST "1640", UINT64_C(1) << 63},          /* */
    {LEAST "16ff", UINT64_C(1) << 63},          /* */
    {"240001000117", 7},                        /* ref8 */
    {"240001000118", 0x0e07},                   /* ref16 */
    {"240001000119", 0x1c150e07},               /* ref32 */
    {"24000100011a", 0x38312a231c150e07},       /* ref64 */
    {"220120000a220521000c2206", 6},            /* if_goto, goto */
    {"220020000a220521000c2206", 5},            /* */
    {"22ff", 0xff},                             /* const8 */
    {"231234", 0x1234},                         /* const16 */
    {"2412345678", 0x12345678},                 /* const32 */
    {"25123456789abcdef0", 0x123456789abcdef0}, /* const64 */
    {"260000", 0x0807060504030201},             /* reg */
    {"260002", 0x14131211},                     /* */
    {"22032804", 9},                            /* dup */
    {"2203220429", 3},                          /* pop */
    {ALL_ONES "2a10", 0xffff},                  /* zero_ext */
    {ALL_ONES "2a40", UINT64_MAX},              /* */
    {"220322052b03", 2},                        /* swap */
    {"2203220422053202", 3},                    /* pick */
    {"2203220422053200", 5},                    /* */
    {"220122022203330304", UINT64_MAX - 2},     /* rot: 3 * (1 - 2) */
};

/* An error would hold too, so each value is also told apart from another one. */
static void each_opcode_computes(void **state)
{
    char compare[32];

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        snprintf(compare, sizeof(compare), "25%016" PRIx64 "1327", values[i].value);
        insert(values[i].code, compare);
        if (!holds())
            fail_msg("%s is not %#" PRIx64, values[i].code, values[i].value);
        snprintf(compare, sizeof(compare), "25%016" PRIx64 "1327", values[i].value ^ 1);
        insert(values[i].code, compare);
        if (holds())
            fail_msg("%s cannot be evaluated", values[i].code);
    }
}

static void the_byte_order_is_the_targets(void **state)
{
    (void)state;
    fake.description.big_endian = true;
    insert("2400010001182307", "0e1327");
    assert_true(holds());
    insert("2400010001182307", "0f1327");
    assert_false(holds());
    insert("2600022411121314", "1327");
    assert_true(holds());
    insert("2600022411121315", "1327");
    assert_false(holds());
}

/* Each would be 0, which does not hold, if it were gone on with behind it. */
static void what_cannot_be_evaluated_holds(void **state)
{
    static const char *const codes[] = {
        "2201220005", "2201220006", "2201220007",   "2201220008",           /* division by zero */
        "260003",     "260004",     "260005",       "26ffff",               /* wide, lost, none */
        "220017",     "220018",     "2400018ffc1a", "25fffffffffffffffd1a", /* no memory there */
        "22011600",   "22012a00",                                           /* of no bits */
        "02",         "220102",     "0e",           "17",
        "1608",       "200000",     "28",           "29",
        "2b", /* an empty stack */
        "22012b",     "33",         "2201220233",   "3200",
        "22013201",                                                 /* */
        "21ffff",     "21000f",     "210000",       "220128210002", /* nowhere, no end */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        insert(codes[i], "220027");
        if (!holds())
            fail_msg("%s was evaluated", codes[i]);
    }
}

static void what_breaks_off_holds(void **state)
{
    static const char *const codes[] = {
        "27",     "2200",   "22",       "220022", "2300", "24000000", "25000000",
        "220016", "220020", "22002000", "2100",   "2600", "22002a",   "220032",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        insert(codes[i], "");
        if (!holds())
            fail_msg("%s was evaluated", codes[i]);
    }
}

/* The opcodes that a condition has no use for: floating point, trace state, tracing, printf. */
static void other_opcodes_are_refused(void **state)
{
    static const char known[] = "\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0e\x0f\x10\x11\x12\x13"
                                "\x14\x15\x16\x17\x18\x19\x1a\x20\x21\x22\x23\x24\x25\x26\x27\x28"
                                "\x29\x2a\x2b\x32\x33";
    char code[32];
    unsigned refused = 0;

    (void)state;
    for (unsigned opcode = 0; opcode < 256; opcode++) {
        if (memchr(known, (int)opcode, sizeof(known) - 1))
            continue;
        snprintf(code, sizeof(code), "220122012201%02x", opcode);
        insert(code, "22002200220027");
        assert_true(holds());
        refused++;
    }
    assert_int_equal(refused, 256 - (sizeof(known) - 1));
}

/* 2000 rounds of four steps, then 0. */
#define COUNT_DOWN "2307d022010328200003220027"

static void steps_are_bounded_over_all_conditions(void **state)
{
    (void)state;
    insert(COUNT_DOWN, "");
    assert_false(holds());
    assert_reply(&client, "Z0,1000,1;Xd," COUNT_DOWN "Xd," COUNT_DOWN, "OK");
    assert_true(holds());
}

static void one_of_several_suffices(void **state)
{
    static const struct {
        const char *body;
        bool holds;
    } cases[] = {
        {"Z0,1000,1", true},
        {"Z0,1000,1;X3,220027", false},
        {"Z1,1000,1;X3,220027", false},
        {"Z0,1000,1;X3,220127", true},
        {"Z0,1000,1;X3,220027X3,220027", false},
        {"Z0,1000,1;X3,220027X3,220127", true},
        {"Z0,1000,1;X3,220127;X3,220027", true},
        {"Z0,1000,1;X3,220027;X3,220027X1,27", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_reply(&client, cases[i].body, "OK");
        assert_int_equal(fake.breakpoint.address, 0x1000);
        assert_int_equal(holds(), cases[i].holds);
    }
}

static void they_are_parsed_strictly(void **state)
{
    static const char *const wrong[] = {
        ";",
        "X3,220027",
        ";X",
        ";X3",
        ";X,220027",
        ";X0,",
        ";X3220027",
        ";X4,220027",
        ";X3,22002",
        ";X3,2200zz",
        ";X2,220027",
        ";X3,220027;",
        ";;X3,220027",
        ";X3,22002700",
        ";X-1,22",
        ";X3,220027;cmds:",
        ";cmds:0",
        ";cmds:0,",
        ";cmds:,X1,27",
        ";cmds:0,X1,27;",
        ";cmds:0,X2,27",
        ";cmds:0,X1,27;cmds:0,X1,27",
        ";cmd:0,X1,27",
        ";X3,220027Y3,220027",
        ";Xffffffffffffffff,220027",
        ";X8000000000000003,220027",
        ";X10000000000000003,220027",
    };
    char body[128];

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        snprintf(body, sizeof(body), "Z0,1000,1%s", wrong[i]);
        assert_reply(&client, body, "E16");
    }
    assert_int_equal(fake.inserts, 0);
}

static void their_length_is_bounded(void **state)
{
    static char code[2 * GDBSTUB_CONDITIONS_MAX];
    static char body[2 * GDBSTUB_CONDITIONS_MAX + 64];
    const size_t most = GDBSTUB_CONDITIONS_MAX - 3;

    (void)state;
    memset(code, '2', sizeof(code) - 1);
    memcpy(code + 2 * most - 6, "220027", 7);
    insert(code, "");
    assert_int_equal(fake.breakpoint.conditions.size, GDBSTUB_CONDITIONS_MAX);
    assert_true(holds()); /* it fills its stack */

    snprintf(body, sizeof(body), "Z0,1000,1;X%zx,%s00", most + 1, code);
    assert_reply(&client, body, "E.the conditions are too long");
    code[2 * most - 2] = '\0';
    snprintf(body, sizeof(body), "Z0,1000,1;X%zx,%sX1,27", most - 1, code);
    assert_reply(&client, body, "E.the conditions are too long");
    assert_int_equal(fake.inserts, 1);
}

static void only_what_was_offered_is_taken(void **state)
{
    static const char *const bodies[] = {"z0,1000,1;X3,220027", "Z2,1000,1;X3,220027",
                                         "Z3,1000,1;X3,220027", "Z5,1000,1;X3,220027"};

    (void)state;
    assert_non_null(strstr(client_ask(&client, "qSupported:swbreak+"), ";ConditionalBreakpoints+"));
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
        assert_reply(&client, bodies[i], "E.conditions and commands were not offered");

    fake.ops.checks_conditions = false;
    client_close(&client);
    client_open(&client, &fake.config);
    assert_null(strstr(client_ask(&client, "qSupported:swbreak+"), "Conditional"));
    assert_reply(&client, "Z0,1000,1;X3,220027", "E.conditions and commands were not offered");
    assert_int_equal(fake.inserts + fake.removes, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_client, close_client)
    const struct CMUnitTest tests[] = {
        TEST(each_opcode_computes),           TEST(the_byte_order_is_the_targets),
        TEST(what_cannot_be_evaluated_holds), TEST(what_breaks_off_holds),
        TEST(other_opcodes_are_refused),      TEST(steps_are_bounded_over_all_conditions),
        TEST(one_of_several_suffices),        TEST(they_are_parsed_strictly),
        TEST(their_length_is_bounded),        TEST(only_what_was_offered_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
