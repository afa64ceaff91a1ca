/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support.h"
#include "xrw/path.h"

static const struct setting at_1000[] = {B(rip, 0x1000), {0}};
static const struct setting at_2000[] = {B(rip, 0x2000), {0}};

/* A path of exits, each given by its reason and settings. */
struct stop {
    uint32_t reason;
    const struct setting *settings;
};

static struct xrw_path path_of(const struct stop *stops, size_t count)
{
    struct xrw_path path = {0};

    for (size_t i = 0; i < count; i++) {
        struct xrw_exit exit = exit_of(stops[i].reason, stops[i].settings);

        xrw_path_add(&path, &exit);
    }
    return path;
}

#define PATH(...)                                                                                  \
    path_of((const struct stop[]){__VA_ARGS__},                                                    \
            sizeof(const struct stop[]){__VA_ARGS__} / sizeof(struct stop))

static void what_a_path_is_made_of(void **state)
{
    const struct xrw_path path = PATH({XRW_VMX_CPUID, at_1000}, {XRW_VMX_VMCALL, at_2000});

    (void)state;
    assert_int_equal(path.exits, 2);
    assert_true(path.hash == PATH({XRW_VMX_CPUID, at_1000}, {XRW_VMX_VMCALL, at_2000}).hash);
    assert_true(path.hash != PATH({XRW_VMX_VMCALL, at_2000}, {XRW_VMX_CPUID, at_1000}).hash);
    assert_true(path.hash != PATH({XRW_VMX_CPUID, at_1000}).hash);
    assert_true(path.hash != PATH({XRW_VMX_CPUID, at_2000}, {XRW_VMX_VMCALL, at_2000}).hash);
    assert_true(path.hash != PATH({XRW_VMX_HLT, at_1000}, {XRW_VMX_VMCALL, at_2000}).hash);
    assert_true(PATH({XRW_VMX_EXCEPTION_NMI, at_1000}).hash != 0);
}

static void data_does_not_part_paths(void **state)
{
    static const struct setting with_data[] = {
        B(rip, 0x1000), B(rax, 7), F(qualification, 9), F(tsc, 11), {0}};

    (void)state;
    assert_true(PATH({XRW_VMX_CPUID, at_1000}).hash == PATH({XRW_VMX_CPUID, with_data}).hash);
}

static void exceptions_are_told_apart_by_vector(void **state)
{
    static const struct setting gp[] = {B(rip, 0x1000), F(intr_info, 0x80000b0d), {0}};
    static const struct setting pf[] = {B(rip, 0x1000), F(intr_info, 0x80000b0e), {0}};

    (void)state;
    assert_true(PATH({XRW_VMX_EXCEPTION_NMI, gp}).hash != PATH({XRW_VMX_EXCEPTION_NMI, pf}).hash);
}

/* How often a fork waits for pages depends on what was touched before, not on its path. */
static void the_hosts_part_does_not_count(void **state)
{
    static const struct setting retried[] = {B(rip, 0x1000), A(rip, 0x1000), {0}};
    static const struct setting emulated[] = {B(rip, 0x1000), A(rip, 0x1003), {0}};
    const struct xrw_path path = PATH({XRW_VMX_CPUID, at_1000});
    const struct xrw_path longer =
        PATH({XRW_VMX_EXTERNAL_INTERRUPT, at_2000}, {XRW_VMX_EPT_VIOLATION, retried},
             {XRW_VMX_CPUID, at_1000}, {XRW_VMX_EPT_VIOLATION, at_1000},
             {XRW_VMX_INTERRUPT_WINDOW, at_2000});

    (void)state;
    assert_int_equal(longer.exits, 1);
    assert_true(longer.hash == path.hash);
    assert_int_equal(PATH({XRW_VMX_EPT_VIOLATION, emulated}).exits, 1);
    assert_int_equal(PATH({XRW_VMX_EPT_MISCONFIG, retried}).exits, 1);
}

static void steps_are_what_the_hash_is_of(void **state)
{
    struct random random = random_seed();

    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        struct xrw_path one = {0}, two = {0};
        struct xrw_path_step a, b;
        struct xrw_exit exit[2];

        for (unsigned j = 0; j < 2; j++) {
            random_exit(&random, (uint32_t)random_below(&random, 64), &exit[j]);
            if (random_below(&random, 2))
                xrw_registers_set(&exit[j].before, XRW_REG_rip, random_below(&random, 3));
        }
        a = xrw_path_step(&exit[0]);
        b = xrw_path_step(&exit[1]);
        xrw_path_add(&one, &exit[0]);
        xrw_path_add(&two, &exit[1]);
        assert_int_equal(one.exits, xrw_path_counts(&exit[0]));
        if (one.exits && two.exits)
            assert_int_equal(xrw_path_same_step(&a, &b), one.hash == two.hash);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_path_is_made_of),
        cmocka_unit_test(data_does_not_part_paths),
        cmocka_unit_test(exceptions_are_told_apart_by_vector),
        cmocka_unit_test(the_hosts_part_does_not_count),
        cmocka_unit_test(steps_are_what_the_hash_is_of),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
