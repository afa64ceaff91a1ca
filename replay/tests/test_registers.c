/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The registers that gdb is shown. */
#include "gdb_registers.h"
#include "history.h"

#include <errno.h>
#include <string.h>

static struct xrw_gdb_registers registers;

static int set_up(void **state)
{
    (void)state;
    xrw_gdb_registers_init(&registers);
    return 0;
}

static size_t index_of(const char *name)
{
    for (size_t i = 0; i < registers.count; i++)
        if (!strcmp(registers.reg[i].name, name))
            return i;
    fail_msg("no register %s", name);
    return 0;
}

static int read_value(const char *name, const struct xrw_exit *exit, const uint8_t *fxsave,
                      uint64_t *value)
{
    uint8_t bytes[64] = {0};
    int ret = xrw_gdb_register_value(&registers, index_of(name), exit, fxsave, bytes);

    memcpy(value, bytes, sizeof *value);
    return ret;
}

/* gdb's block: numbers that it expects for these, no name twice, all of the tables there. */
static void test_layout(void **state)
{
    (void)state;
    assert_int_equal(index_of("rax"), 0);
    assert_int_equal(index_of("rsp"), 7);
    assert_int_equal(index_of("rip"), 16);
    assert_int_equal(index_of("eflags"), 17);
    assert_int_equal(index_of("st0"), 24);
    assert_int_equal(index_of("fop"), 39);
    assert_int_equal(index_of("xmm0"), 40);
    assert_int_equal(index_of("mxcsr"), 56);
    assert_true(registers.count < XRW_GDB_REGISTERS_MAX);
    assert_int_equal(registers.description.register_count, registers.count);
    for (size_t i = 0; i < registers.count; i++)
        assert_int_equal(index_of(registers.reg[i].name), i);
    for (unsigned i = 0; i < XRW_REGISTER_COUNT; i++)
        if (i != XRW_REG_rflags)
            (void)index_of(xrw_register_table[i].name);
    (void)index_of("exit_id");
    (void)index_of("exit_entries");
    (void)index_of("resume_tr_attr");
}

static void test_values_and_truth(void **state)
{
    static struct xrw_exit exit = {.id = 17, .run = 2, .vcpu = 3};
    uint64_t value;

    (void)state;
    xrw_registers_set(&exit.before, XRW_REG_rax, UINT64_C(0x8877665544332211));
    xrw_registers_set(&exit.before, XRW_REG_rflags, 0x246);
    xrw_registers_set(&exit.before, XRW_REG_cs, 0x10);
    xrw_registers_set(&exit.after, XRW_REG_rax, 5);
    xrw_exit_set(&exit, XRW_EXIT_reason, 10);
    assert_int_equal(read_value("rax", &exit, NULL, &value), 0);
    assert_true(value == UINT64_C(0x8877665544332211));
    assert_int_equal(read_value("eflags", &exit, NULL, &value), 0);
    assert_int_equal(value, 0x246);
    assert_int_equal(read_value("cs", &exit, NULL, &value), 0);
    assert_int_equal(value, 0x10);
    assert_int_equal(read_value("exit_id", &exit, NULL, &value), 0);
    assert_int_equal(value, 17);
    assert_int_equal(read_value("exit_reason", &exit, NULL, &value), 0);
    assert_int_equal(value, 10);
    assert_int_equal(read_value("exit_gpa", &exit, NULL, &value), -ENODATA);
    assert_int_equal(read_value("rbx", &exit, NULL, &value), -ENODATA);
    assert_int_equal(read_value("xmm0", &exit, NULL, &value), -ENODATA);
    assert_int_equal(read_value("ftag", &exit, NULL, &value), -ENODATA);
    assert_int_equal(read_value("resume_rax", &exit, NULL, &value), -ENODATA);
    exit.has_after = true;
    assert_int_equal(read_value("resume_rax", &exit, NULL, &value), 0);
    assert_int_equal(value, 5);
}

/* One of each kind of tag, with TOP = 5: st(i) is physical register (5 + i) % 8. */
static void test_fpu(void **state)
{
    static const struct xrw_exit exit;
    uint8_t fxsave[XRW_FXSAVE_BYTES] = {0};
    uint64_t value;

    (void)state;
    fxsave[3] = 5 << 3;
    fxsave[4] = 1 << 5 | 1 << 6 | 1 << 7 | 1 << 0; /* st0, st1, st2, st3 */
    fxsave[32 + 7] = 0x80;                         /* st0 = 1.0: valid */
    fxsave[32 + 8] = 0xff;
    fxsave[32 + 9] = 0x3f;
    fxsave[64 + 7] = 0xc0; /* st2 a NaN: special; st1 is zero */
    fxsave[64 + 8] = 0xff;
    fxsave[64 + 9] = 0x7f;
    fxsave[80 + 0] = 1; /* st3 a denormal: special */
    assert_int_equal(read_value("ftag", &exit, fxsave, &value), 0);
    /* Physical registers 7 to 0: special zero valid | 4 to 1 empty | 0 special. */
    fxsave[48] = 0;
    assert_int_equal(value, 2u << 14 | 1u << 12 | 0u << 10 | 0xffu << 2 | 2u);
    fxsave[24] = 0x80;
    fxsave[25] = 0x1f;
    assert_int_equal(read_value("mxcsr", &exit, fxsave, &value), 0);
    assert_int_equal(value, 0x1f80);
    fxsave[160 + 16] = 0x42;
    assert_int_equal(read_value("xmm1", &exit, fxsave, &value), 0);
    assert_int_equal(value, 0x42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_layout, set_up),
        cmocka_unit_test_setup(test_values_and_truth, set_up),
        cmocka_unit_test_setup(test_fpu, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
