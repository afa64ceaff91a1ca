/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Gaps that a recording may have and that no guest of the tests has each time. */
#include "gap.h"

#include "history.h"
#include "xrw/vmx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Two address spaces that differ in their top table alone. */
#define CR3_A 0x1000u
#define CR3_B 0x2000u
#define TABLES 0x3000u
#define CODE 0x10000u
#define DATA 0x11000u
#define PRESENT UINT64_C(0x63) /* present, writable, accessed, dirty */
#define LARGE UINT64_C(0x80)
#define WALK_READ UINT64_C(0x81) /* of a paging structure, to translate a linear address */

/* mov cr3, rax; inc rbx; mov rcx, [rdx] */
static const uint8_t code[] = {0x0f, 0x22, 0xd8, 0x48, 0xff, 0xc3, 0x48, 0x8b, 0x0a};
#define LOAD 6u
#define RFLAGS_RF (UINT64_C(1) << 16)

struct world {
    char path[64];
    struct xrw_store *store;
    struct xrw_error err;
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    (void)snprintf(w->path, sizeof w->path, "/tmp/xenrewind-gap-%d.db", (int)getpid());
    assert_done(xrw_store_create(&w->store, w->path, &w->err), w->err);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    (void)xrw_store_close(w->store, NULL);
    (void)unlink(w->path);
    free(w);
    return 0;
}

static void add_page(struct world *w, uint64_t gpa, const void *data, size_t bytes)
{
    uint8_t page[XRW_PAGE_BYTES] = {0};

    memcpy(page, data, bytes);
    assert_done(xrw_store_add_page(w->store, 1, gpa / XRW_PAGE_BYTES, 0, page, false, &w->err),
                w->err);
}

static void add_memory(struct world *w)
{
    const uint64_t top = TABLES | PRESENT, low = (TABLES + 0x1000) | PRESENT, all = PRESENT | LARGE;

    add_page(w, CR3_A, &top, sizeof top);
    add_page(w, CR3_B, &top, sizeof top);
    add_page(w, TABLES, &low, sizeof low);
    add_page(w, TABLES + 0x1000, &all, sizeof all);
    add_page(w, CODE, code, sizeof code);
    add_page(w, DATA, "datadata", 8);
}

/* 64-bit kernel mode. */
static void fill_registers(struct xrw_registers *r, uint64_t cr3, uint64_t rip, uint64_t rbx)
{
    for (int reg = 0; reg < XRW_REGISTER_COUNT; reg++)
        xrw_registers_set(r, reg, 0);
    xrw_registers_set(r, XRW_REG_rax, CR3_B);
    xrw_registers_set(r, XRW_REG_rbx, rbx);
    xrw_registers_set(r, XRW_REG_rdx, DATA);
    xrw_registers_set(r, XRW_REG_rip, rip);
    xrw_registers_set(r, XRW_REG_rflags, 2);
    xrw_registers_set(r, XRW_REG_cr0, 0x80010033);
    xrw_registers_set(r, XRW_REG_cr3, cr3);
    xrw_registers_set(r, XRW_REG_cr4, 0x620);
    xrw_registers_set(r, XRW_REG_efer, 0xd01);
    xrw_registers_set(r, XRW_REG_dr6, 0xffff0ff0);
    xrw_registers_set(r, XRW_REG_dr7, 0x400);
    for (int reg = XRW_REG_cs; reg < XRW_REG_ldtr; reg += 4) {
        xrw_registers_set(r, reg + 2, 0xffffffff);
        xrw_registers_set(r, reg + 3, reg == XRW_REG_cs ? 0xa9b : 0xc93);
    }
    xrw_registers_set(r, XRW_REG_tr_limit, 0x67);
    xrw_registers_set(r, XRW_REG_tr_attr, 0x8b);
}

/* A run of a CPUID, and of an EPT violation at a table of address space B with these registers. */
static void record(struct world *w, uint64_t rip, uint64_t rbx)
{
    struct xrw_run run = {.source = "xen",
                          .mode = "pause",
                          .memory = XRW_MEMORY_EXIT,
                          .vcpus = 1,
                          .id = 1,
                          .first_exit = 1};
    struct xrw_exit from = {.id = 1, .run = 1, .has_after = true}, to = from;

    assert_done(xrw_store_begin_run(w->store, &run, &w->err), w->err);
    add_memory(w);
    xrw_exit_set(&from, XRW_EXIT_reason, XRW_VMX_CPUID);
    fill_registers(&from.before, CR3_A, CODE - 2, 0);
    fill_registers(&from.after, CR3_A, CODE, 0);
    assert_done(xrw_store_add_exit(w->store, &from, &w->err), w->err);
    to.id = 2;
    xrw_exit_set(&to, XRW_EXIT_reason, XRW_VMX_EPT_VIOLATION);
    xrw_exit_set(&to, XRW_EXIT_qualification, WALK_READ);
    xrw_exit_set(&to, XRW_EXIT_gpa, CR3_B);
    xrw_exit_set(&to, XRW_EXIT_gla, DATA);
    fill_registers(&to.before, CR3_B, rip, rbx);
    xrw_registers_set(&to.before, XRW_REG_rflags, RFLAGS_RF | 2); /* saved so at such exits */
    to.after = to.before;
    assert_done(xrw_store_add_exit(w->store, &to, &w->err), w->err);
    run.last_exit = 2;
    assert_done(xrw_store_end_run(w->store, &run, &w->err), w->err);
    assert_done(xrw_store_close(w->store, &w->err), w->err);
    assert_done(xrw_store_open(&w->store, w->path, &w->err), w->err);
}

static void verify(struct world *w, struct xrw_gap *gap)
{
    struct gap_engine *engine;
    struct xrw_run run;

    assert_done(xrw_store_run(w->store, 1, &run, &w->err), w->err);
    assert_done(gap_engine_create(w->store, &run, XRW_PROFILE_HOST, &engine, &w->err), w->err);
    assert_done(gap_verify(engine, 1, NULL, gap, &w->err), w->err);
    gap_engine_destroy(engine);
}

/* The processor walks where it fetches behind MOV to CR3. */
static void test_walk_for_the_fetch(void **state)
{
    struct world *w = *state;
    struct xrw_gap gap;

    record(w, CODE + 3, 0);
    verify(w, &gap);
    if (gap.verdict != XRW_GAP_EXACT)
        fail_msg("%s", gap.detail);
    assert_int_equal(gap.instructions, 1);
}

/* The code's page was in its TLB: it walks for the first data. */
static void test_walk_for_data(void **state)
{
    struct world *w = *state;
    struct xrw_gap gap;

    record(w, CODE + LOAD, 1);
    verify(w, &gap);
    if (gap.verdict != XRW_GAP_EXACT)
        fail_msg("%s", gap.detail);
    assert_int_equal(gap.instructions, 2);
}

/* There is no such place. */
static void test_walk_nowhere(void **state)
{
    struct world *w = *state;
    struct xrw_gap gap;

    record(w, CODE + LOAD, 2);
    verify(w, &gap);
    assert_int_equal(gap.verdict, XRW_GAP_DIVERGED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(walk_for_the_fetch),
        TEST(walk_for_data),
        TEST(walk_nowhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
