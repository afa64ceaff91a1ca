/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Paging: permissions, error codes, accessed and dirty bits, all modes. */
#include "guest.h"

#define PTE(linear) (GUEST_PT + (linear) / XRW_PAGE_BYTES * 8)
#define A 0x20u
#define D 0x40u
#define NX (UINT64_C(1) << 63)
#define RFLAGS_AC 0x40000u

#define CR4 0x620u
#define CR4_SMEP 0x100000u
#define CR4_SMAP 0x200000u
#define CR4_PKE 0x400000u

/* mov rax, [rbx]; hlt */
static const uint8_t reads[] = {0x48, 0x8b, 0x03, 0xf4};
/* mov [rbx], rax; hlt */
static const uint8_t writes[] = {0x48, 0x89, 0x03, 0xf4};

/* Run code with that address in RBX, and expect a #PF with that error code there. */
static void expect_fault(struct guest *g, const uint8_t *code, uint64_t address, uint32_t error)
{
    guest_load(g, code, 4);
    GUEST_SET(g, rsp, GUEST_STACK);
    GUEST_SET(g, rbx, address);
    guest_expect_vector(g, 14);
    assert_int_equal(guest_get64(g, GUEST_REG(g, rsp)), error);
    assert_int_equal(GUEST_REG(g, cr2), address);
}

static void expect_none(struct guest *g, const uint8_t *code, uint64_t address)
{
    guest_load(g, code, 4);
    GUEST_SET(g, rsp, GUEST_STACK);
    GUEST_SET(g, rbx, address);
    guest_expect_exit(g, XRW_VMX_HLT);
    assert_int_equal(GUEST_REG(g, rip), GUEST_CODE + 3);
}

static void not_mapped(void **state)
{
    struct guest *g = *state;

    expect_fault(g, reads, GUEST_UNMAPPED + 0x123, 0);
    expect_fault(g, writes, GUEST_UNMAPPED + 0x123, 2);
    expect_fault(g, reads, UINT64_C(0xffff800000000000), 0);
    /* the second page of an access */
    guest_put64(g, PTE(GUEST_DATA + 0x2000), 0);
    guest_load(g, reads, 4);
    GUEST_SET(g, rsp, GUEST_STACK);
    GUEST_SET(g, rbx, GUEST_DATA + 0x1ffc);
    guest_expect_vector(g, 14);
    assert_int_equal(GUEST_REG(g, cr2), GUEST_DATA + 0x2000);
}

static void read_only(void **state)
{
    struct guest *g = *state;

    guest_put64(g, PTE(GUEST_DATA), GUEST_DATA | 1);
    expect_none(g, reads, GUEST_DATA);
    expect_fault(g, writes, GUEST_DATA, 3);
    GUEST_SET(g, cr0, 0x80000033); /* no WP */
    expect_none(g, writes, GUEST_DATA);
}

static void no_execution(void **state)
{
    struct guest *g = *state;
    uint64_t entry = guest_get64(g, PTE(GUEST_DATA));

    guest_put64(g, PTE(GUEST_DATA), entry | NX);
    GUEST_SET(g, rip, GUEST_DATA + 4);
    guest_expect_vector(g, 14);
    assert_int_equal(guest_get64(g, GUEST_REG(g, rsp)), 0x11);
    assert_int_equal(GUEST_REG(g, cr2), GUEST_DATA + 4);
    assert_int_equal(guest_get64(g, GUEST_REG(g, rsp) + 8), GUEST_DATA + 4);
    /* without NXE the bit is reserved */
    GUEST_SET(g, efer, 0x501);
    expect_fault(g, reads, GUEST_DATA, 9);
}

static void reserved_bits(void **state)
{
    struct guest *g = *state;

    guest_put64(g, PTE(GUEST_DATA), guest_get64(g, PTE(GUEST_DATA)) | UINT64_C(1) << 50);
    expect_fault(g, writes, GUEST_DATA, 0xb);
    guest_put64(g, GUEST_PD + 8, 0x200083 | 0x4000); /* a large page with a low address bit */
    expect_fault(g, reads, 0x200000, 9);
    guest_put64(g, GUEST_PML4 + 8, GUEST_PDPT | 0x83);
    expect_fault(g, reads, UINT64_C(1) << 39, 9);
}

static void user_pages(void **state)
{
    struct guest *g = *state;

    guest_put(g, GUEST_USER, reads, sizeof reads);
    guest_enter_user(g);
    GUEST_SET(g, rbx, GUEST_DATA);
    guest_expect_vector(g, 14);
    assert_int_equal(guest_get64(g, GUEST_REG(g, rsp)), 5);
}

static void smep_and_smap(void **state)
{
    struct guest *g = *state;

    expect_none(g, reads, GUEST_USER + 8);
    GUEST_SET(g, cr4, CR4 | CR4_SMAP);
    expect_fault(g, reads, GUEST_USER + 8, 1);
    GUEST_SET(g, rflags, 2 | RFLAGS_AC);
    expect_none(g, reads, GUEST_USER + 8);
    GUEST_SET(g, rflags, 2);
    expect_fault(g, writes, GUEST_USER + 8, 3);

    GUEST_SET(g, cr4, CR4);
    guest_put(g, GUEST_USER, "\xf4", 1);
    GUEST_SET(g, rip, GUEST_USER);
    guest_expect_exit(g, XRW_VMX_HLT);
    assert_int_equal(GUEST_REG(g, rip), GUEST_USER);
    GUEST_SET(g, cr4, CR4 | CR4_SMEP);
    GUEST_SET(g, rsp, GUEST_STACK);
    guest_expect_vector(g, 14);
    assert_int_equal(guest_get64(g, GUEST_REG(g, rsp)), 0x11);
}

/* stac; mov rax, [rbx]; clac; mov rax, [rbx] */
GUEST_ASM(lifts_smap, "stac\n mov rax, [rbx]\n clac\n mov rax, [rbx]\n hlt");

static void stac_and_clac(void **state)
{
    struct guest *g = *state;

    GUEST_ASM_LOAD(g, lifts_smap);
    GUEST_SET(g, cr4, CR4 | CR4_SMAP);
    GUEST_SET(g, rbx, GUEST_USER);
    guest_expect_vector(g, 14);
    assert_int_equal(guest_get64(g, GUEST_REG(g, rsp) + 8), GUEST_CODE + 9);
}

GUEST_ASM(protection_keys, "mov eax, 0xc\n xor ecx, ecx\n xor edx, edx\n wrpkru\n"
                           "mov rax, [rbx]\n hlt");

static void keys(void **state)
{
    struct guest *g = *state;

    GUEST_ASM_LOAD(g, protection_keys);
    GUEST_SET(g, cr4, CR4 | CR4_PKE);
    guest_put64(g, PTE(GUEST_USER), GUEST_USER | 7 | UINT64_C(1) << 59);
    GUEST_SET(g, rbx, GUEST_USER + 16);
    guest_expect_vector(g, 14);
    assert_int_equal(guest_get64(g, GUEST_REG(g, rsp)), 0x21);
}

static void accessed_and_dirty(void **state)
{
    struct guest *g = *state;
    uint64_t at = GUEST_DATA + 0x3000;

    assert_int_equal(guest_get64(g, PTE(at)) & (A | D), 0);
    expect_none(g, reads, at);
    assert_int_equal(guest_get64(g, PTE(at)) & (A | D), A);
    expect_none(g, writes, at);
    assert_int_equal(guest_get64(g, PTE(at)) & (A | D), A | D);
    assert_int_equal(guest_get64(g, GUEST_PML4) & A, A);
    assert_int_equal(guest_get64(g, GUEST_PD) & (A | D), A);
    /* a fault sets nothing */
    guest_put64(g, PTE(at + 0x1000), (at + 0x1000) | 1);
    expect_fault(g, writes, at + 0x1000, 3);
    assert_int_equal(guest_get64(g, PTE(at + 0x1000)) & (A | D), 0);
}

/* Change a mapping, forget it by INVLPG, and look. */
GUEST_ASM(remaps, "mov rax, [rbx]\n mov [rcx], rdx\n invlpg [rbx]\n mov rsi, [rbx]\n hlt");

static void invlpg(void **state)
{
    struct guest *g = *state;

    guest_put64(g, GUEST_DATA, 1);
    guest_put64(g, GUEST_DATA + 0x1000, 2);
    GUEST_ASM_LOAD(g, remaps);
    GUEST_SET(g, rbx, GUEST_DATA);
    GUEST_SET(g, rcx, PTE(GUEST_DATA));
    GUEST_SET(g, rdx, (GUEST_DATA + 0x1000) | 3);
    guest_expect_exit(g, XRW_VMX_HLT);
    assert_int_equal(GUEST_REG(g, rax), 1);
    assert_int_equal(GUEST_REG(g, rsi), 2);
}

static void large_pages(void **state)
{
    struct guest *g = *state;
    uint64_t value;
    xrw_gpa gpa;

    guest_put64(g, GUEST_DATA + 0x18, 0xabcd);
    guest_put64(g, GUEST_PD + 8, 0x83);       /* 2 MiB at 0x200000 */
    guest_put64(g, GUEST_PDPT + 8 * 3, 0x83); /* 1 GiB at 0xc0000000 */
    GUEST_BYTES_LOAD(g, 0x48, 0x8b, 0x03, 0x48, 0x8b, 0x31, 0xf4);
    GUEST_SET(g, rbx, 0x200000 + GUEST_DATA + 0x18);
    GUEST_SET(g, rcx, 0xc0000000 + GUEST_DATA + 0x18);
    guest_expect_exit(g, XRW_VMX_HLT);
    assert_int_equal(GUEST_REG(g, rax), 0xabcd);
    assert_int_equal(GUEST_REG(g, rsi), 0xabcd);
    assert_int_equal(xrw_machine_translate(g->m, 0xc0012345, &gpa), 0);
    assert_int_equal(gpa, 0x12345);
    assert_int_equal(xrw_machine_read_linear(g->m, 0xc0000000 + GUEST_DATA + 0x18, &value, 8), 0);
    assert_int_equal(value, 0xabcd);
    assert_int_equal(xrw_machine_translate(g->m, GUEST_UNMAPPED, &gpa), -14);
}

static void five_levels(void **state)
{
    struct guest *g = *state;

    guest_put64(g, GUEST_DATA + 0x7000, GUEST_PML4 | 3);
    guest_put64(g, GUEST_DATA + 0x7000 + 8, GUEST_PML4 | 3);
    GUEST_SET(g, cr4, CR4 | 0x1000);
    GUEST_SET(g, cr3, GUEST_DATA + 0x7000);
    guest_put64(g, GUEST_DATA, 77);
    expect_none(g, reads, (UINT64_C(1) << 48) + GUEST_DATA);
    assert_int_equal(GUEST_REG(g, rax), 77);
}

/* ---- 32-bit paging, in 32-bit mode ---- */

static void enter_32bit(struct guest *g, uint64_t cr3, uint64_t cr4)
{
    GUEST_SET(g, cs, SEL_CODE32);
    GUEST_SET(g, cs_attr, 0xc9b);
    GUEST_SET(g, efer, 0);
    GUEST_SET(g, cr3, cr3);
    GUEST_SET(g, cr4, cr4);
}

static void paging_of_32_bits(void **state)
{
    struct guest *g = *state;
    uint32_t directory[1024] = {[0] = 0x83, [1] = GUEST_DATA + 0x9003};
    uint32_t table[1024] = {[2] = GUEST_DATA + 0xa003};

    guest_put(g, GUEST_DATA + 0x8000, directory, sizeof directory);
    guest_put(g, GUEST_DATA + 0x9000, table, sizeof table);
    guest_put64(g, GUEST_DATA + 0xa010, 0x1122334455667788);
    enter_32bit(g, GUEST_DATA + 0x8000, 0x10);
    GUEST_BYTES_LOAD(g, 0x8b, 0x03, 0x89, 0x43, 0x04, 0xf4); /* mov eax, [ebx]; mov [ebx+4], eax */
    GUEST_SET(g, rbx, 0x402010);
    guest_expect_exit(g, XRW_VMX_HLT);
    assert_int_equal(GUEST_REG(g, rax), 0x55667788);
    assert_int_equal(guest_get64(g, GUEST_DATA + 0xa010), 0x5566778855667788);
    assert_int_equal(guest_get64(g, GUEST_DATA + 0x9008) & 0x60, 0x60);
}

static void paging_of_pae(void **state)
{
    struct guest *g = *state;

    guest_put64(g, GUEST_DATA + 0x8000, GUEST_PD | 1);
    guest_put64(g, GUEST_DATA + 0x8008, (GUEST_DATA + 0x9000) | 1);
    guest_put64(g, GUEST_DATA + 0x9000, 0x83);
    guest_put64(g, GUEST_DATA + 0x40, 0x99);
    guest_put64(g, GUEST_PD, 0x83);
    enter_32bit(g, 0, 0);
    GUEST_SET(g, cr0, 0x11);
    GUEST_SET(g, cr4, 0x20);
    g->config.controls.cr0_mask = 0;
    assert_int_equal(xrw_machine_set_controls(g->m, &g->config.controls), 0);
    static const uint8_t code[] = {0x0f, 0x22, 0xd8, 0x0f, 0x22, 0xc1, 0x8b, 0x03, 0xf4};
    guest_load(g, code, sizeof code); /* mov cr3, eax; mov cr0, ecx; mov eax, [ebx]; hlt */
    GUEST_SET(g, rax, GUEST_DATA + 0x8000);
    GUEST_SET(g, rcx, 0x80000011);
    GUEST_SET(g, rbx, 0x40000000 + GUEST_DATA + 0x40);
    guest_expect_exit(g, XRW_VMX_HLT);
    assert_int_equal(GUEST_REG(g, rax), 0x99);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, guest_setup, guest_teardown)
    const struct CMUnitTest tests[] = {
        TEST(not_mapped),         TEST(read_only),     TEST(no_execution),  TEST(reserved_bits),
        TEST(user_pages),         TEST(smep_and_smap), TEST(stac_and_clac), TEST(keys),
        TEST(accessed_and_dirty), TEST(invlpg),        TEST(large_pages),   TEST(five_levels),
        TEST(paging_of_32_bits),  TEST(paging_of_pae),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
