/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xrw/registers.h"

#include "support.h"

#include <errno.h>
#include <string.h>

static void names_lead_back_to_registers(void **state)
{
    (void)state;
    for (int i = 0; i < XRW_REGISTER_COUNT; i++)
        assert_int_equal(xrw_register_by_name(xrw_register_table[i].name), i);
    assert_int_equal(xrw_register_by_name(""), -ENOENT);
    assert_int_equal(xrw_register_by_name("RAX"), -ENOENT);
    assert_int_equal(xrw_register_by_name("r16"), -ENOENT);
}

static void gprs_come_in_encoding_order(void **state)
{
    static const char *const order[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                        "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

    (void)state;
    for (unsigned i = 0; i < 16; i++)
        assert_string_equal(xrw_register_table[i].name, order[i]);
}

static void hot_registers_come_first(void **state)
{
    (void)state;
    for (unsigned i = 0; i < XRW_REGISTER_COUNT; i++)
        assert_int_equal(xrw_register_table[i].group,
                         i < XRW_HOT_COUNT ? XRW_GROUP_HOT : XRW_GROUP_SYSTEM);
}

static void what_is_set_is_known_and_cut_to_size(void **state)
{
    struct random random = random_seed();
    struct xrw_registers regs = {0};

    (void)state;
    for (unsigned i = 0; i < 10000; i++) {
        unsigned reg = (unsigned)random_below(&random, XRW_REGISTER_COUNT);
        unsigned bits = xrw_register_table[reg].bits;
        uint64_t value = random_next(&random);

        xrw_registers_set(&regs, reg, value);
        assert_true(regs.known[reg]);
        assert_true(regs.value[reg] == (value << (64 - bits)) >> (64 - bits));
    }
}

static void sets_are_equal_until_one_value_differs(void **state)
{
    struct random random = random_seed();
    struct xrw_registers a = {0}, b;

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        unsigned reg = (unsigned)random_below(&random, XRW_REGISTER_COUNT);

        xrw_registers_set(&a, reg, random_next(&random));
        b = a;
        assert_true(xrw_registers_equal(&a, &b));
        b.value[reg] ^= 1;
        assert_false(xrw_registers_equal(&a, &b));
        b.known[reg] = false; /* no better than another value */
        assert_false(xrw_registers_equal(&a, &b));
        assert_false(xrw_registers_equal(&b, &a));
    }
}

static void values_that_are_not_known_do_not_count(void **state)
{
    struct xrw_registers a = {0}, b = {0};

    (void)state;
    b.value[XRW_REG_rax] = 5;
    assert_true(xrw_registers_equal(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_lead_back_to_registers),
        cmocka_unit_test(gprs_come_in_encoding_order),
        cmocka_unit_test(hot_registers_come_first),
        cmocka_unit_test(what_is_set_is_known_and_cut_to_size),
        cmocka_unit_test(sets_are_equal_until_one_value_differs),
        cmocka_unit_test(values_that_are_not_known_do_not_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
