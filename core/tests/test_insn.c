/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xrw/insn.h"

#include "support.h"

#include <errno.h>
#include <string.h>

static int set_up(void **state)
{
    struct xrw_disassembler *disassembler;

    if (xrw_disassembler_create(&disassembler))
        return -1;
    *state = disassembler;
    return 0;
}

static int tear_down(void **state)
{
    xrw_disassembler_destroy(*state);
    return 0;
}

static void instructions_of_each_mode_decode(void **state)
{
    static const struct {
        unsigned mode;
        uint8_t code[XRW_INSN_MAX_BYTES];
        size_t bytes;
        unsigned length;
        const char *text;
    } cases[] = {
        {64, {0x0f, 0xa2, 0x90}, 3, 2, "cpuid"},
        {64, {0xf4}, 1, 1, "hlt"},
        {64, {0x0f, 0x01, 0xc1}, 3, 3, "vmcall"},
        {64, {0x48, 0x8b, 0x47, 0x08}, 4, 4, "mov rax, qword ptr [rdi + 8]"},
        {64, {0xe6, 0xe9}, 2, 2, "out 0xe9, al"},
        {64, {0xeb, 0xfe}, 2, 2, "jmp 0x1000"},
        {64, {0x0f, 0x30}, 2, 2, "wrmsr"},
        {32, {0x40}, 1, 1, "inc eax"},
        {32, {0xb8, 0x78, 0x56, 0x34, 0x12}, 5, 5, "mov eax, 0x12345678"},
        {16, {0xb8, 0x34, 0x12}, 3, 3, "mov ax, 0x1234"},
        {16, {0x0f, 0x20, 0xc0}, 3, 3, "mov eax, cr0"},
    };
    struct xrw_insn insn;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memset(&insn, 0x5a, sizeof insn);
        assert_int_equal(
            xrw_disassemble(*state, cases[i].mode, cases[i].code, cases[i].bytes, 0x1000, &insn),
            0);
        assert_string_equal(insn.text, cases[i].text);
        assert_int_equal(insn.length, cases[i].length);
    }
}

static void what_is_no_whole_instruction_is_refused(void **state)
{
    static const uint8_t cut[] = {0x48, 0x8b}, bad[] = {0x06},
                         only_prefixes[] = {0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                                            0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66};
    struct xrw_insn insn = {77, "untouched"};

    assert_int_equal(xrw_disassemble(*state, 64, cut, 0, 0, &insn), -EILSEQ);
    assert_int_equal(xrw_disassemble(*state, 64, cut, sizeof cut, 0, &insn), -EILSEQ);
    assert_int_equal(xrw_disassemble(*state, 64, bad, sizeof bad, 0, &insn), -EILSEQ);
    assert_int_equal(xrw_disassemble(*state, 64, only_prefixes, sizeof only_prefixes, 0, &insn),
                     -EILSEQ);
    assert_int_equal(insn.length, 77);
    assert_string_equal(insn.text, "untouched");
}

static void any_bytes_are_survived(void **state)
{
    static const unsigned modes[] = {16, 32, 64, 0, UINT32_MAX};
    struct random random = random_seed();
    unsigned decoded = 0;

    for (unsigned i = 0; i < 100000; i++) {
        size_t bytes = random_below(&random, XRW_INSN_MAX_BYTES + 1);
        uint8_t code[XRW_INSN_MAX_BYTES];
        struct xrw_insn insn;
        int ret;

        for (size_t b = 0; b < sizeof code; b++)
            code[b] = (uint8_t)random_next(&random);
        ret = xrw_disassemble(*state, modes[i % 5], code, bytes, random_next(&random), &insn);
        if (ret) {
            assert_int_equal(ret, -EILSEQ);
            continue;
        }
        decoded++;
        assert_in_range(insn.length, 1, bytes);
        assert_non_null(memchr(insn.text, '\0', sizeof insn.text));
        assert_true(*insn.text);
    }
    assert_true(decoded > 10000);
}

static void a_disassembler_that_is_not_there_may_be_destroyed(void **state)
{
    (void)state;
    xrw_disassembler_destroy(NULL);
}

static void the_mode_is_that_of_the_code_segment(void **state)
{
    enum { LMA = 1 << 10, LONG = 1 << 9, BIG = 1 << 10 };
    static const struct {
        uint64_t efer, attr;
        unsigned mode;
    } cases[] = {
        {LMA, LONG, 64}, {LMA, BIG, 32},           {LMA, 0, 16},   {0, BIG, 32}, {0, 0, 16},
        {0, LONG, 16},   {0xd01 | LMA, 0xa9b, 64}, {0, 0xc9b, 32},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct xrw_registers regs = {0};

        assert_int_equal(xrw_insn_mode(&regs), 64);
        xrw_registers_set(&regs, XRW_REG_efer, cases[i].efer);
        assert_int_equal(xrw_insn_mode(&regs), 64);
        xrw_registers_set(&regs, XRW_REG_cs_attr, cases[i].attr);
        assert_int_equal(xrw_insn_mode(&regs), cases[i].mode);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(instructions_of_each_mode_decode, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_whole_instruction_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_bytes_are_survived, set_up, tear_down),
        cmocka_unit_test(a_disassembler_that_is_not_there_may_be_destroyed),
        cmocka_unit_test(the_mode_is_that_of_the_code_segment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
