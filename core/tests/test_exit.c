/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xrw/exit.h"

#include "support.h"

#include <errno.h>
#include <string.h>

static void names_lead_back_to_fields(void **state)
{
    (void)state;
    for (int i = 0; i < XRW_EXIT_FIELD_COUNT; i++)
        assert_int_equal(xrw_exit_field_by_name(xrw_exit_field_table[i].name), i);
    assert_int_equal(xrw_exit_field_by_name(""), -ENOENT);
    assert_int_equal(xrw_exit_field_by_name("Reason"), -ENOENT);
    assert_int_equal(xrw_exit_field_by_name("reasons"), -ENOENT);
}

static void setting_cuts_to_the_field(void **state)
{
    struct xrw_exit exit = {0};

    (void)state;
    for (unsigned i = 0; i < XRW_EXIT_FIELD_COUNT; i++) {
        uint64_t whole = xrw_exit_field_table[i].bits == 64 ? UINT64_MAX : UINT32_MAX;

        assert_false(exit.field_known[i]);
        xrw_exit_set(&exit, i, UINT64_MAX);
        assert_true(exit.field_known[i]);
        assert_true(exit.field[i] == whole);
    }
}

static void the_basic_reason_is_the_low_half(void **state)
{
    struct xrw_exit exit = {0};

    (void)state;
    xrw_exit_set(&exit, XRW_EXIT_reason, 0x84000021);
    assert_int_equal(xrw_exit_basic_reason(&exit), 33);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_lead_back_to_fields),
        cmocka_unit_test(setting_cuts_to_the_field),
        cmocka_unit_test(the_basic_reason_is_the_low_half),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
