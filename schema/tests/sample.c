/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sample.h"

#include "xrw/vmx.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct sample_random sample_seed(void)
{
    const char *given = getenv("XRW_TEST_SEED");
    struct sample_random random = {given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL)};

    print_message("XRW_TEST_SEED=%" PRIu64 "\n", random.state);
    return random;
}

uint64_t sample_next(struct sample_random *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint64_t sample_below(struct sample_random *random, uint64_t limit)
{
    return sample_next(random) % limit;
}

/* Small numbers, kernel addresses and the edges of the signed range are what real values are. */
static uint64_t value(struct sample_random *random)
{
    static const uint64_t edges[] = {0, 1, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX};

    switch (sample_below(random, 4)) {
    case 0:
        return edges[sample_below(random, sizeof edges / sizeof *edges)];
    case 1:
        return UINT64_C(0xffffffff81000000) + sample_below(random, 1 << 20);
    case 2:
        return sample_below(random, 256);
    default:
        return sample_next(random);
    }
}

static void registers(struct sample_random *random, struct xrw_registers *regs)
{
    /* Few system registers change: else nothing is ever shared. */
    struct sample_random system = {sample_below(random, 20)};

    memset(regs, 0, sizeof *regs);
    for (unsigned reg = 0; reg < XRW_REGISTER_COUNT; reg++) {
        struct sample_random *source = reg < XRW_HOT_COUNT ? random : &system;

        if (sample_below(source, 8))
            xrw_registers_set(regs, (enum xrw_register)reg, value(source));
    }
}

void sample_exit(struct sample_random *random, uint64_t run, xrw_exit_id id, struct xrw_exit *exit)
{
    struct xrw_registers other;

    memset(exit, 0, sizeof *exit);
    exit->id = id;
    exit->run = run;
    exit->vcpu = (uint32_t)sample_below(random, 4);
    for (unsigned field = 0; field < XRW_EXIT_FIELD_COUNT; field++)
        if (sample_below(random, 8))
            xrw_exit_set(exit, (enum xrw_exit_field)field, value(random));
    registers(random, &exit->before);
    registers(random, &other);
    exit->has_after = sample_below(random, 4) != 0;
    if (!exit->has_after)
        return;
    exit->after = exit->before;
    for (unsigned reg = 0; reg < XRW_REGISTER_COUNT; reg++)
        if (!sample_below(random, 4)) {
            exit->after.value[reg] = other.value[reg];
            exit->after.known[reg] = other.known[reg];
        }
}

void sample_page(uint64_t a, uint64_t b, uint8_t *page)
{
    struct sample_random random = {a * 1000003 + b};

    memset(page, 0, XRW_PAGE_BYTES);
    if (b % 3 == 2) {
        for (unsigned i = 0; i < XRW_PAGE_BYTES; i++)
            page[i] = (uint8_t)sample_next(&random);
        return;
    }
    for (unsigned i = 0; i < 32; i++)
        page[sample_below(&random, XRW_PAGE_BYTES)] = (uint8_t)sample_next(&random);
}

static char folder[64];

void sample_make_folder(void)
{
    const char *base = getenv("TMPDIR");

    (void)snprintf(folder, sizeof folder, "%.40s/xrw-store-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(folder));
}

void sample_remove_folder(void)
{
    char command[128];

    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
}

const char *sample_path(const char *name)
{
    static char paths[4][160];
    static unsigned next;
    char *path = paths[next++ % 4];

    (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

struct xrw_run sample_run(uint64_t id, xrw_exit_id first, enum xrw_memory_policy memory)
{
    return (struct xrw_run){.id = id,
                            .source = "xen",
                            .mode = "pause",
                            .memory = memory,
                            .vcpus = 4,
                            .interrupts = true,
                            .reexecutable = true,
                            .fitness = "rdtsc exits; rdrand hidden",
                            .domain = 7,
                            .parent = 5,
                            .start_unix_ns = UINT64_C(1700000000000000000),
                            .first_exit = first,
                            .last_exit = first - 1};
}

void sample_recording(const char *path, struct sample_random random, unsigned exits)
{
    struct xrw_run run = sample_run(1, 1, XRW_MEMORY_EXIT);
    struct xrw_error err = {""};
    struct xrw_store *store;
    uint8_t page[XRW_PAGE_BYTES];
    uint64_t insn;

    assert_done(xrw_store_create(&store, path, &err), err);
    assert_done(xrw_store_begin_run(store, &run, &err), err);
    for (xrw_gfn gfn = 0; gfn < 16; gfn++) {
        sample_page(gfn, 0, page);
        assert_done(xrw_store_add_page(store, 1, gfn, 0, page, false, &err), err);
    }
    for (xrw_exit_id id = 1; id <= exits; id++) {
        struct xrw_exit exit;

        sample_exit(&random, 1, id, &exit);
        sample_page(id % 16, id, page);
        assert_done(xrw_store_add_page(store, 1, id % 16, id, page, false, &err), err);
        assert_done(xrw_store_add_insn(store, id % 5, 64, (const uint8_t *)"\x0f\xa2", 2, "cpuid",
                                       &insn, &err),
                    err);
        xrw_store_set_next_insn(store, insn);
        assert_done(xrw_store_add_exit(store, &exit, &err), err);
    }
    run.end_unix_ns = run.start_unix_ns + 1;
    (void)snprintf(run.stop, sizeof run.stop, "exits");
    assert_done(xrw_store_end_run(store, &run, &err), err);
    assert_done(xrw_store_close(store, &err), err);
}

/* ---- every kind of exit ---------------------------------------------- */

struct tour_stop {
    unsigned reason;
    uint64_t qualification;
    uint64_t rax, rcx, rdx;        /* before */
    uint64_t after_rax, after_rdx; /* after */
    uint64_t gpa, gla;             /* 0: not known */
    uint32_t intr_info, insn_info; /* 0: not known */
    uint32_t entry_intr_info;      /* 0: not known */
    bool stays;                    /* RIP: not carried out */
    const char *text;
};

static const struct tour_stop tour[] = {
    {.reason = XRW_VMX_CPUID,
     .rax = 0x1,
     .after_rax = 0x306c3,
     .after_rdx = 0x1783fbff,
     .text = "cpuid"},
    {.reason = XRW_VMX_CPUID,
     .rax = 0x40000000,
     .after_rax = 0x40000005,
     .after_rdx = 0x4d4d566e,
     .text = "cpuid"},
    {.reason = XRW_VMX_IO_INSTRUCTION,
     .qualification = UINT64_C(0xe9) << 16 | 0x40,
     .rax = 'A',
     .after_rax = 'A',
     .text = "out 0xe9, al"},
    {.reason = XRW_VMX_IO_INSTRUCTION,
     .qualification = UINT64_C(0x3fd) << 16 | 8,
     .rdx = 0x3fd,
     .after_rax = 0x60,
     .after_rdx = 0x3fd,
     .text = "in al, dx"},
    {.reason = XRW_VMX_IO_INSTRUCTION,
     .qualification = UINT64_C(0x1f0) << 16 | 0x39,
     .rcx = 256,
     .rdx = 0x1f0,
     .after_rdx = 0x1f0,
     .gla = UINT64_C(0xffff888000100000),
     .text = "rep insw"},
    {.reason = XRW_VMX_MSR_READ, .rcx = 0x1b, .after_rax = 0xfee00900, .text = "rdmsr"},
    {.reason = XRW_VMX_MSR_WRITE,
     .rcx = 0x1b,
     .rax = 0xfee00900,
     .after_rax = 0xfee00900,
     .text = "wrmsr"},
    {.reason = XRW_VMX_CR_ACCESS,
     .qualification = 0x0,
     .rax = 0x80050033,
     .after_rax = 0x80050033,
     .text = "mov cr0, rax"},
    {.reason = XRW_VMX_CR_ACCESS,
     .qualification = 0x13,
     .after_rax = 0x1000,
     .text = "mov rax, cr3"},
    {.reason = XRW_VMX_DR_ACCESS,
     .qualification = 0x7,
     .rax = 0x400,
     .after_rax = 0x400,
     .text = "mov dr7, rax"},
    {.reason = XRW_VMX_EPT_VIOLATION,
     .qualification = 0x182,
     .gpa = 0x123456,
     .gla = UINT64_C(0xffff888000123456),
     .text = "mov qword ptr [rdi], rax"},
    {.reason = XRW_VMX_EPT_VIOLATION,
     .qualification = 0x81,
     .gpa = 0x2008,
     .gla = UINT64_C(0xffff888000200000),
     .text = "mov rax, qword ptr [rsi]"},
    {.reason = XRW_VMX_EXCEPTION_NMI,
     .qualification = 0xdead000,
     .intr_info = 0x80000b0e,
     .text = "mov al, byte ptr [rdi]"},
    {.reason = XRW_VMX_VMCALL, .rax = 17, .after_rax = 0x40011, .text = "vmcall"},
    {.reason = XRW_VMX_VMCALL, .rax = 29, .after_rax = UINT64_MAX - 21, .text = "vmcall"},
    {.reason = XRW_VMX_RDTSC, .after_rax = 0x89abcdef, .after_rdx = 0x12, .text = "rdtsc"},
    {.reason = XRW_VMX_XSETBV, .rax = 7, .after_rax = 7, .text = "xsetbv"},
    {.reason = XRW_VMX_APIC_ACCESS, .qualification = 0x10b0, .text = "mov dword ptr [rax], ecx"},
    {.reason = XRW_VMX_GDTR_IDTR_ACCESS, .insn_info = UINT32_C(3) << 28, .text = "lidt [rax]"},
    {.reason = XRW_VMX_HLT, .text = "hlt"},
    {.reason = XRW_VMX_EXTERNAL_INTERRUPT, .intr_info = 0x800000f3, .text = "pause"},
    {.reason = XRW_VMX_EPT_VIOLATION,
     .qualification = 0x184,
     .gpa = 0x3000,
     .gla = 0x403000,
     .entry_intr_info = 0x800000f3,
     .text = "ret"},
    {.reason = XRW_VMX_WBINVD, .text = "wbinvd"},
    {.reason = XRW_VMX_MSR_READ, .rcx = 0xbad, .stays = true, .text = "rdmsr"},
    {.reason = XRW_VMX_TASK_SWITCH, .qualification = 0x40000030, .text = "iretd"},
};

#define STOPS (sizeof tour / sizeof *tour)

static void tour_exit(xrw_exit_id id, const struct tour_stop *stop, struct xrw_exit *exit)
{
    memset(exit, 0, sizeof *exit);
    exit->id = id;
    exit->run = 1;
    exit->has_after = true;
    xrw_exit_set(exit, XRW_EXIT_time_ns, id * id * 1500);
    xrw_exit_set(exit, XRW_EXIT_tsc, id * id * 4000);
    xrw_exit_set(exit, XRW_EXIT_reason, stop->reason);
    xrw_exit_set(exit, XRW_EXIT_qualification, stop->qualification);
    if (stop->gpa)
        xrw_exit_set(exit, XRW_EXIT_gpa, stop->gpa);
    if (stop->gla)
        xrw_exit_set(exit, XRW_EXIT_gla, stop->gla);
    if (stop->intr_info)
        xrw_exit_set(exit, XRW_EXIT_intr_info, stop->intr_info);
    if (stop->intr_info >> 11 & 1)
        xrw_exit_set(exit, XRW_EXIT_intr_error, 2);
    if (stop->insn_info)
        xrw_exit_set(exit, XRW_EXIT_insn_info, stop->insn_info);
    if (stop->entry_intr_info)
        xrw_exit_set(exit, XRW_EXIT_entry_intr_info, stop->entry_intr_info);
    for (unsigned reg = 0; reg < XRW_REGISTER_COUNT; reg++)
        xrw_registers_set(&exit->before, (enum xrw_register)reg, 0x100 + reg);
    xrw_registers_set(&exit->before, XRW_REG_rax, stop->rax);
    xrw_registers_set(&exit->before, XRW_REG_rcx, stop->rcx);
    xrw_registers_set(&exit->before, XRW_REG_rdx, stop->rdx);
    xrw_registers_set(&exit->before, XRW_REG_rip,
                      UINT64_C(0xffffffff81000000) + (uint64_t)(stop - tour) * 16);
    xrw_registers_set(&exit->before, XRW_REG_cr3, id < STOPS ? 0x1000 : 0x2000);
    xrw_registers_set(&exit->before, XRW_REG_efer, 0xd01);
    xrw_registers_set(&exit->before, XRW_REG_cs_attr, 0xa9b);
    exit->after = exit->before;
    xrw_registers_set(&exit->after, XRW_REG_rax, stop->after_rax);
    xrw_registers_set(&exit->after, XRW_REG_rdx, stop->after_rdx);
    xrw_registers_set(&exit->after, XRW_REG_rip,
                      exit->before.value[XRW_REG_rip] + (stop->stays ? 0 : 2));
    if (stop->reason == XRW_VMX_CR_ACCESS && stop->qualification == 0)
        xrw_registers_set(&exit->after, XRW_REG_cr0, stop->rax);
}

static void tour_add(struct xrw_store *store, xrw_exit_id id)
{
    const struct tour_stop *stop = &tour[(id - 1) % STOPS];
    struct xrw_error err = {""};
    struct xrw_exit exit;
    uint8_t page[XRW_PAGE_BYTES], fxsave[XRW_FXSAVE_BYTES] = {0};
    uint64_t insn;

    tour_exit(id, stop, &exit);
    sample_page(id % 4, id / 4, page);
    assert_done(xrw_store_add_page(store, 1, id % 4, id, page, false, &err), err);
    fxsave[160] = (uint8_t)(id / 10);
    assert_done(xrw_store_add_context(store, 1, id, 0, "fxsave", fxsave, sizeof fxsave, &err), err);
    assert_done(xrw_store_add_insn(store, exit.before.value[XRW_REG_rip], 64,
                                   (const uint8_t *)"\x90", 1, stop->text, &insn, &err),
                err);
    xrw_store_set_next_insn(store, insn);
    assert_done(xrw_store_add_exit(store, &exit, &err), err);
}

void sample_tour(const char *path)
{
    struct xrw_run run = sample_run(1, 1, XRW_MEMORY_EXIT);
    const struct xrw_input input = {.address = 0x5000, .bytes = 4, .name = "input"};
    struct xrw_error err = {""};
    struct xrw_store *store;
    uint8_t page[XRW_PAGE_BYTES];

    assert_done(xrw_store_create(&store, path, &err), err);
    assert_done(xrw_store_set_meta(store, "program", "xenrewind test", &err), err);
    assert_done(xrw_store_begin_run(store, &run, &err), err);
    for (xrw_gfn gfn = 0; gfn < 64; gfn++) {
        sample_page(gfn % 8, 0, page);
        if (gfn >= 32)
            memset(page, 0, sizeof page);
        assert_done(xrw_store_add_page(store, 1, gfn, 0, page, false, &err), err);
    }
    assert_done(xrw_store_add_input(store, 1, &input, "tour", &err), err);
    for (xrw_exit_id id = 1; id <= 2 * STOPS; id++)
        tour_add(store, id);
    run.end_unix_ns = run.start_unix_ns + 2000000;
    (void)snprintf(run.stop, sizeof run.stop, "guest-end");
    (void)snprintf(run.stop_detail, sizeof run.stop_detail, "the guest shut itself down");
    assert_done(xrw_store_end_run(store, &run, &err), err);
    assert_done(xrw_store_close(store, &err), err);
}

int sample_set_up(void **state)
{
    (void)state;
    sample_make_folder();
    return 0;
}

int sample_tear_down(void **state)
{
    (void)state;
    sample_remove_folder();
    return 0;
}

static void print_problem(void *ctx, const char *problem)
{
    (void)ctx;
    print_error("%s\n", problem);
}

void sample_assert_checked(struct xrw_store *store)
{
    const struct xrw_check_options options = {.problem = print_problem};
    struct xrw_check_result result;
    struct xrw_error err = {""};

    assert_done(xrw_store_check(store, &options, &result, &err), err);
    assert_int_equal(result.problems, 0);
}
