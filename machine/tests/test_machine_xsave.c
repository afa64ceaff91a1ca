/* SPDX-License-Identifier: GPL-2.0-or-later */
/* FXSAVE, XSAVE and its kin; XCR0. */
#include "guest.h"

#define AREA (GUEST_DATA + 0xfc0) /* across a page */

GUEST_ASM(fills, "mov rax, 0x1111111111111111\n vmovq xmm0, rax\n vpbroadcastq ymm3, xmm0\n"
                 "fld1\n fldpi\n mov dword ptr [rsp - 4], 0x1fa0\n ldmxcsr [rsp - 4]\n"
                 "mov eax, 7\n xor edx, edx\n");

static void load_and_fill(struct guest *g, const uint8_t *then, size_t bytes)
{
    uint8_t code[200];
    size_t filling = (size_t)(fills_end - fills);

    memcpy(code, fills, filling);
    memcpy(code + filling, then, bytes);
    guest_load(g, code, filling + bytes);
    GUEST_SET(g, rsp, GUEST_STACK);
    GUEST_SET(g, rbx, AREA);
}
#define FILL_AND(g, name) load_and_fill(g, name, (size_t)(name##_end - name))

/* Save, make everything initial, restore, look. */
GUEST_ASM(round_trip, "xsave [rbx]\n vzeroall\n fninit\n mov dword ptr [rsp - 4], 0x1f80\n"
                      "ldmxcsr [rsp - 4]\n xrstor [rbx]\n vmovdqu [rbx + 0x1000], ymm3\n"
                      "fstp qword ptr [rbx + 0x1020]\n stmxcsr [rbx + 0x1028]\n hlt");

static void xsave_and_xrstor(void **state)
{
    struct guest *g = *state;
    double pi;
    uint64_t bits;

    FILL_AND(g, round_trip);
    guest_put64(g, AREA + 512, UINT64_C(1) << 60); /* what is there of other components stays */
    guest_put64(g, AREA + 528, 0);
    GUEST_SET(g, cr4, 0x40620);
    guest_put64(g, AREA + 512, 0);
    guest_expect_exit(g, XRW_VMX_HLT);
    assert_int_equal(guest_get64(g, AREA + 512), 7);
    assert_int_equal(guest_get64(g, AREA + 160 + 3 * 16), UINT64_C(0x1111111111111111));
    assert_int_equal(guest_get64(g, AREA + 576 + 3 * 16), UINT64_C(0x1111111111111111));
    assert_int_equal(guest_get64(g, AREA + 576), 0);
    assert_int_equal(guest_get64(g, AREA + 24) & 0xffffffff, 0x1fa0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(guest_get64(g, AREA + 0x1000 + 8 * i), UINT64_C(0x1111111111111111));
    bits = guest_get64(g, AREA + 0x1020);
    memcpy(&pi, &bits, 8);
    assert_true(pi > 3.14159 && pi < 3.1416);
    assert_int_equal(guest_get64(g, AREA + 0x1028) & 0xffffffff, 0x1fa0);
}

GUEST_ASM(compacts,
          "xsavec [rbx]\n vzeroall\n fninit\n xrstor [rbx]\n vmovdqu [rbx + 0x1000], ymm3\n"
          "hlt");

static void the_compact_form(void **state)
{
    struct guest *g = *state;

    FILL_AND(g, compacts);
    guest_expect_exit(g, XRW_VMX_HLT);
    assert_int_equal(guest_get64(g, AREA + 512), 7);
    assert_int_equal(guest_get64(g, AREA + 520), UINT64_C(0x8000000000000007));
    assert_int_equal(guest_get64(g, AREA + 0x1018), UINT64_C(0x1111111111111111));
}

GUEST_ASM(saves_init, "vzeroall\n fninit\n xsaveopt [rbx]\n hlt");

static void what_is_initial_is_not_saved(void **state)
{
    struct guest *g = *state;

    FILL_AND(g, saves_init);
    guest_put64(g, AREA + 160, 0x55);
    guest_put64(g, AREA + 512, 0xff);
    guest_expect_exit(g, XRW_VMX_HLT);
    assert_int_equal(guest_get64(g, AREA + 512) & ~UINT64_C(1), 0xf8); /* FNINIT keeps numbers */
    assert_int_equal(guest_get64(g, AREA + 160), 0x55);
}

GUEST_ASM(restores, "mov eax, 7\n xor edx, edx\n xrstor [rbx]\n hlt");

static void areas_that_cannot_be(void **state)
{
    struct guest *g = *state;
    static const struct {
        unsigned offset;
        uint64_t value;
    } wrong[] = {
        {512, 1u << 4},               /* a component that XCR0 lacks */
        {520, 1},                     /* XCOMP_BV without bit 63 */
        {520, UINT64_C(1) << 63 | 8}, /* a component that XCR0 lacks */
        {528, 1},                     /* reserved */
        {24, 0x10000},                /* MXCSR */
    };

    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        for (unsigned at = 512; at < 576; at += 8)
            guest_put64(g, AREA + at, 0);
        guest_put64(g, AREA + 24, 0x1f80);
        GUEST_ASM_LOAD(g, restores);
        GUEST_SET(g, rsp, GUEST_STACK);
        GUEST_SET(g, rbx, AREA);
        guest_expect_exit(g, XRW_VMX_HLT);
        assert_int_equal(GUEST_REG(g, rip), GUEST_CODE + (size_t)(restores_end - restores) - 1);
        guest_put64(g, AREA + wrong[i].offset, wrong[i].value);
        GUEST_ASM_LOAD(g, restores);
        guest_expect_vector(g, 13);
    }
    GUEST_ASM_LOAD(g, restores);
    GUEST_SET(g, rbx, AREA + 8);
    guest_expect_vector(g, 13);
}

GUEST_ASM(fxsaves, "fxsave64 [rbx]\n hlt");

static void fxsave(void **state)
{
    struct guest *g = *state;

    FILL_AND(g, fxsaves);
    guest_put64(g, AREA + 480, 0x1234);
    guest_expect_exit(g, XRW_VMX_HLT);
    assert_int_equal(guest_get64(g, AREA) & 0xffff, 0x37f);
    assert_int_equal(guest_get64(g, AREA + 28) & 0xffffffff, g->config.cpu.mxcsr_mask);
    assert_int_equal(guest_get64(g, AREA + 480), 0x1234); /* the program's own bytes */
}

GUEST_ASM(sets_xcr0, "xor ecx, ecx\n xor edx, edx\n xsetbv\n xgetbv\n hlt");

static void xcr0(void **state)
{
    struct guest *g = *state;
    static const uint32_t wrong[] = {0, 2, 5, 0x27, 0x1000};

    g->config.controls.exits &= ~XRW_EXITS_XSETBV;
    guest_remake(g);
    GUEST_ASM_LOAD(g, sets_xcr0);
    GUEST_SET(g, rax, 3);
    guest_expect_exit(g, XRW_VMX_HLT);
    assert_int_equal(GUEST_REG(g, rax), 3);
    GUEST_BYTES_LOAD(g, 0xc5, 0xfc, 0x58, 0xc0); /* vaddps ymm0: AVX is off now */
    guest_expect_vector(g, 6);
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        GUEST_ASM_LOAD(g, sets_xcr0);
        GUEST_SET(g, rsp, GUEST_STACK);
        GUEST_SET(g, rax, wrong[i]);
        guest_expect_vector(g, 13);
        assert_int_equal(xrw_machine_set_xcr0(g->m, wrong[i]), -22);
    }
}

static void state_in_and_out(void **state)
{
    struct guest *g = *state;
    struct xrw_machine_state *a = test_calloc(2, sizeof *a), *b = a + 1;

    FILL_AND(g, fxsaves);
    guest_expect_exit(g, XRW_VMX_HLT);
    xrw_machine_store(g->m, a);
    guest_remake(g);
    assert_int_equal(xrw_machine_load(g->m, a, NULL), 0);
    xrw_machine_store(g->m, b);
    assert_memory_equal(a, b, sizeof *a);
    a->regs.known[XRW_REG_lstar] = false;
    assert_int_equal(xrw_machine_load(g->m, a, NULL), -61);
    a->regs.known[XRW_REG_lstar] = true;
    xrw_registers_set(&a->regs, XRW_REG_efer, 0x100);
    assert_int_equal(xrw_machine_load(g->m, a, NULL), -22);
    test_free(a);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, guest_setup, guest_teardown)
    const struct CMUnitTest tests[] = {
        TEST(xsave_and_xrstor),     TEST(the_compact_form), TEST(what_is_initial_is_not_saved),
        TEST(areas_that_cannot_be), TEST(fxsave),           TEST(xcr0),
        TEST(state_in_and_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
