/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xrw/error.h"

#include "support.h"

#include <errno.h>
#include <string.h>

static void the_text_is_stored_and_the_code_returned(void **state)
{
    struct xrw_error err = {""};

    (void)state;
    assert_int_equal(xrw_error_set(&err, -ENOENT, "no %s %d", "exit", 7), -ENOENT);
    assert_string_equal(err.text, "no exit 7");
}

static void a_long_text_is_cut(void **state)
{
    char longer[2 * sizeof(struct xrw_error)];
    struct xrw_error err;

    (void)state;
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(xrw_error_set(&err, -EIO, "%s", longer), -EIO);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
}

static void nobody_need_listen(void **state)
{
    (void)state;
    assert_int_equal(xrw_error_set(NULL, -EINVAL, "lost"), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_is_stored_and_the_code_returned),
        cmocka_unit_test(a_long_text_is_cut),
        cmocka_unit_test(nobody_need_listen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
