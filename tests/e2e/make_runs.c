/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Make a recording of several runs of a guest that never was: make_runs FILE RUNS
 *
 * No paging: linear addresses are physical.  At 0x2000 lies the run's input, its number; at 0x3000
 * the number of the last exit.  Each run exits six times: CPUID four times, RBX holding the run's
 * number from the third on; then runs that divide by three end in a VMCALL, others in OUT and HLT.
 * The last run is cut off after two exits if RUNS is odd.  An exit of the host's is in between.
 */
#include "xrw/store.h"
#include "xrw/vmx.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE_PAGES 16u

struct maker {
    struct xrw_store *store;
    struct xrw_error err;
    xrw_exit_id last;
};

static void check(const struct maker *maker, int ret)
{
    if (!ret)
        return;
    (void)fprintf(stderr, "make_runs: %s (%d)\n", maker->err.text, ret);
    exit(1);
}

static void add_number(struct maker *maker, uint64_t run, xrw_gfn gfn, xrw_exit_id exit,
                       uint64_t number)
{
    uint8_t page[XRW_PAGE_BYTES] = {0};

    memcpy(page, &number, sizeof number);
    check(maker, xrw_store_add_page(maker->store, run, gfn, exit, page, false, &maker->err));
}

static void add_exit(struct maker *maker, uint64_t run, unsigned reason, uint64_t rip, uint64_t rbx,
                     const char *code, const char *text)
{
    struct xrw_exit exit = {.id = maker->last + 1, .run = run, .has_after = true};
    uint64_t insn;

    for (unsigned reg = 0; reg < XRW_REGISTER_COUNT; reg++)
        xrw_registers_set(&exit.before, (enum xrw_register)reg, 0);
    xrw_registers_set(&exit.before, XRW_REG_rip, rip);
    xrw_registers_set(&exit.before, XRW_REG_rbx, rbx);
    xrw_registers_set(&exit.before, XRW_REG_cs_attr, 0xc9b);
    exit.after = exit.before;
    xrw_registers_set(&exit.after, XRW_REG_rip, rip + strlen(code));
    xrw_exit_set(&exit, XRW_EXIT_reason, reason);
    xrw_exit_set(&exit, XRW_EXIT_qualification, 0);
    xrw_exit_set(&exit, XRW_EXIT_time_ns, exit.id * 1000);
    add_number(maker, run, 3, exit.id, exit.id);
    check(maker, xrw_store_add_insn(maker->store, rip, 32, (const uint8_t *)code, strlen(code),
                                    text, &insn, &maker->err));
    xrw_store_set_next_insn(maker->store, insn);
    check(maker, xrw_store_add_exit(maker->store, &exit, &maker->err));
    maker->last++;
}

static void add_exits(struct maker *maker, uint64_t run, bool cut)
{
    for (unsigned i = 0; i < (cut ? 2 : 4); i++)
        add_exit(maker, run, XRW_VMX_CPUID, 0x1000 + 4 * i, i < 2 ? 0 : run, "\x0f\xa2", "cpuid");
    if (cut)
        return;
    if (run % 2)
        add_exit(maker, run, XRW_VMX_EXTERNAL_INTERRUPT, 0x1010 + run, run, "\x90", "nop");
    if (run % 3 == 0) {
        add_exit(maker, run, XRW_VMX_VMCALL, 0x1100, run, "\x0f\x01\xc1", "vmcall");
        return;
    }
    add_exit(maker, run, XRW_VMX_IO_INSTRUCTION, 0x1200, run, "\xe6\xe9", "out 0xe9, al");
    add_exit(maker, run, XRW_VMX_HLT, 0x1202, run, "\xf4", "hlt");
}

static void add_input(struct maker *maker, uint64_t run)
{
    struct xrw_input input = {.address = 0x2000, .bytes = sizeof run};

    (void)snprintf(input.name, sizeof input.name, "number-%" PRIu64, run);
    check(maker, xrw_store_add_input(maker->store, run, &input, &run, &maker->err));
    add_number(maker, run, 2, 0, run);
}

static void add_run(struct maker *maker, uint64_t id, bool cut)
{
    struct xrw_run run = {.id = id,
                          .source = "xen",
                          .mode = "pause",
                          .memory = XRW_MEMORY_EXIT,
                          .vcpus = 1,
                          .domain = 2,
                          .parent = 1,
                          .base_run = 1,
                          .start_unix_ns = UINT64_C(1700000000000000000) + id * 1000000,
                          .first_exit = maker->last + 1,
                          .last_exit = maker->last};

    check(maker, xrw_store_begin_run(maker->store, &run, &maker->err));
    for (xrw_gfn gfn = 0; gfn < BASE_PAGES && id == 1; gfn++)
        add_number(maker, 1, gfn, 0, 0x1000 + gfn);
    if (id > 1)
        add_input(maker, id);
    add_exits(maker, id, cut);
    if (cut)
        return;
    run.end_unix_ns = run.start_unix_ns + 500000;
    (void)snprintf(run.stop, sizeof run.stop, "%s", id % 3 ? "guest-idle" : "until-reason");
    check(maker, xrw_store_end_run(maker->store, &run, &maker->err));
}

int main(int argc, char **argv)
{
    struct maker maker = {0};
    uint64_t runs = argc == 3 ? strtoull(argv[2], NULL, 10) : 0;

    if (!runs) {
        (void)fputs("usage: make_runs FILE RUNS\n", stderr);
        return 2;
    }
    check(&maker, xrw_store_create(&maker.store, argv[1], &maker.err));
    for (uint64_t id = 1; id <= runs; id++)
        add_run(&maker, id, id == runs && runs % 2);
    check(&maker, xrw_store_close(maker.store, &maker.err));
    return 0;
}
