/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding what re-execution needs in a save record, which may hold anything. */
#include "hvm_context.h"

#include <stdlib.h>
#include <string.h>

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct record {
    uint16_t typecode, instance;
    uint32_t length;
    uint64_t word[8];
};

static struct record record(uint16_t typecode, uint16_t instance, uint64_t second)
{
    return (struct record){typecode, instance, sizeof(uint64_t[8]), {7, second, 3, 4, 5}};
}

static void records_of_the_vcpu_are_found(void **state)
{
    const struct record records[] = {record(2, 0, 0), record(14, 1, 0), record(14, 0, 0),
                                     record(16, 1, 5), record(16, 0, 7)};
    struct hvm_context context;

    (void)state;
    hvm_context_parse((const uint8_t *)records, sizeof records, 0, &context);
    assert_true(context.has_pat && context.pat == 7);
    assert_true(context.has_xsave && context.xcr0 == 7);
    assert_int_equal(context.xsave_bytes, sizeof(uint64_t[8]) - 24);
    assert_ptr_equal(context.xsave, &records[4].word[3]);
}

static void what_follows_the_end_does_not_count(void **state)
{
    struct record records[] = {record(0, 0, 0), record(14, 0, 0)};
    struct hvm_context context;

    (void)state;
    hvm_context_parse((const uint8_t *)records, sizeof records, 0, &context);
    assert_false(context.has_pat || context.has_xsave);
}

/* Cut off anywhere, in memory of just that size: the sanitizer sees a read beyond. */
static void a_truncated_record_is_not_read_beyond(void **state)
{
    const struct record records[] = {record(14, 0, 0), record(16, 0, 7)};
    struct hvm_context context;

    (void)state;
    for (size_t bytes = 0; bytes <= sizeof records; bytes++) {
        uint8_t *copy = malloc(bytes ? bytes : 1);

        assert_non_null(copy);
        memcpy(copy, records, bytes);
        hvm_context_parse(copy, bytes, 0, &context);
        assert_int_equal(context.has_xsave, bytes == sizeof records);
        free(copy);
    }
}

static void lengths_that_lie_are_not_believed(void **state)
{
    struct record records[] = {record(16, 0, 7), record(14, 0, 0)};
    struct hvm_context context;

    (void)state;
    records[0].length = UINT32_MAX;
    hvm_context_parse((const uint8_t *)records, sizeof records, 0, &context);
    assert_false(context.has_pat || context.has_xsave);
    records[0].length = 8; /* too short for what it is */
    hvm_context_parse((const uint8_t *)records, sizeof records, 0, &context);
    assert_false(context.has_xsave);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_of_the_vcpu_are_found),
        cmocka_unit_test(what_follows_the_end_does_not_count),
        cmocka_unit_test(a_truncated_record_is_not_read_beyond),
        cmocka_unit_test(lengths_that_lie_are_not_believed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
