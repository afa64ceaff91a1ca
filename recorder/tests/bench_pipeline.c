/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What recording an exit costs without Xen: events as the ring has them, decoded and brought into a
 * recording, beside events that are decoded only.
 */
#include "bench.h"
#include "pipeline.h"
#include "vmexit_abi.h"
#include "xen.h"
#include "xrw/vmx.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xen/vm_event.h>

#define CODE UINT64_C(0xffffffff8010d000)

struct guest {
    uint64_t exits, wanted, taken_ns;
    _Alignas(8) uint8_t request[XRW_REQUEST_SIZE_STOCK];
    struct xen_decoder decoder;
    char path[64];
};

/* The next exit of a loop of CPUID and OUT, with registers that count. */
static void run_guest(struct guest *g)
{
    struct xrw_vmexit_stock exit = {.reason = XRW_VMX_CPUID};
    struct xrw_event_regs regs;

    memcpy(&regs, g->request + XRW_REQUEST_REGS_OFFSET_STOCK, sizeof regs);
    if (g->exits++ % 2)
        exit = (struct xrw_vmexit_stock){.reason = XRW_VMX_IO_INSTRUCTION,
                                         .qualification = UINT64_C(0x12340000)};
    regs.rip = CODE + 16 * exit.reason;
    regs.rax = g->exits;
    regs.rcx = g->exits / 1000;
    memcpy(g->request + XRW_REQUEST_UNION_OFFSET, &exit, sizeof exit);
    memcpy(g->request + XRW_REQUEST_REGS_OFFSET_STOCK, &regs, sizeof regs);
}

static void reset_guest(struct guest *g)
{
    struct xrw_event_regs regs = {.rsp = 0xffffffff80123f00,
                                  .rflags = 0x46,
                                  .cr0 = 0x80050033,
                                  .cr3 = 0x101000,
                                  .cr4 = 0x20,
                                  .msr_efer = 0x500,
                                  .rbx = 1,
                                  .rsi = 2,
                                  .r8 = 3,
                                  .r15 = 4};
    const uint32_t head[] = {XRW_VM_EVENT_VERSION_STOCK, 0, VM_EVENT_REASON_VMEXIT, 0};

    g->exits = 0;
    memset(g->request, 0, sizeof g->request);
    memcpy(g->request, head, sizeof head);
    memcpy(g->request + XRW_REQUEST_REGS_OFFSET_STOCK, &regs, sizeof regs);
}

static int start(void *ctx, struct xrw_run *run, struct xrw_error *err)
{
    (void)ctx;
    (void)err;
    run->vcpus = 1;
    (void)snprintf(run->source, sizeof run->source, "xen");
    (void)snprintf(run->mode, sizeof run->mode, "async");
    return 0;
}

static int meta(void *ctx, source_meta set, void *set_ctx, struct xrw_error *err)
{
    (void)ctx;
    return set(set_ctx, "hypervisor", "none", err);
}

static int base(void *ctx, source_page page, void *page_ctx, struct xrw_error *err)
{
    (void)ctx;
    (void)page;
    (void)page_ctx;
    (void)err;
    return 0;
}

static bool holds_always(void *ctx)
{
    (void)ctx;
    return false;
}

static int go(void *ctx, struct xrw_error *err)
{
    (void)ctx;
    (void)err;
    return 0;
}

static int next(void *ctx, unsigned timeout_ms, uint64_t hold_in, struct source_exit *out,
                struct xrw_error *err)
{
    struct guest *g = ctx;
    bool held;

    (void)timeout_ms;
    (void)hold_in;
    if (g->exits == g->wanted)
        return SOURCE_ENDED;
    run_guest(g);
    out->held = out->final = out->has_fxsave = false;
    if (g->exits % RING_SLOTS == 1) /* as many come at a time */
        g->taken_ns = bench_now_ns();
    out->time_ns = g->taken_ns;
    return xen_event_decode(&g->decoder, g->request, sizeof g->request, &out->exit, &held, err) == 1
               ? SOURCE_EXIT
               : -1;
}

static int read_physical(void *ctx, xrw_gpa gpa, void *buf, size_t bytes)
{
    (void)ctx;
    (void)gpa;
    (void)buf;
    (void)bytes;
    return -1;
}

static int resume(void *ctx, struct xrw_error *err)
{
    (void)ctx;
    (void)err;
    return 0;
}

static int context(void *ctx, const void **data, size_t *bytes, struct xrw_error *err)
{
    (void)err;
    *data = ctx;
    *bytes = 1;
    return 0;
}

static const char *end_text(void *ctx)
{
    (void)ctx;
    return "the end";
}

static uint64_t private_pages(void *ctx)
{
    (void)ctx;
    return 0;
}

static uint32_t domain(void *ctx)
{
    (void)ctx;
    return 1;
}

static uint64_t now_ns(void *ctx)
{
    (void)ctx;
    return bench_now_ns();
}

static const struct source_ops ops = {
    .size = sizeof ops,
    .start = start,
    .meta = meta,
    .base = base,
    .holds_always = holds_always,
    .go = go,
    .next = next,
    .memory = base,
    .read_physical = read_physical,
    .read_table = read_physical,
    .resume = resume,
    .context = context,
    .end_text = end_text,
    .private_pages = private_pages,
    .domain = domain,
    .now_ns = now_ns,
    .stop = go,
};

/* Exits a second of processor time, of all threads. */
static double record(void *ctx)
{
    struct guest *g = ctx;
    struct xrw_record_options options = {.path = g->path, .overwrite = true, .until_reason = -1};
    struct xrw_record_result result;
    struct xrw_error err;
    const struct source source = {&ops, g};
    uint64_t started;

    reset_guest(g);
    started = bench_cpu_ns();
    if (pipeline_record(&source, &options, &result, &err))
        bench_fail("%s", err.text);
    return (double)g->exits * 1e9 / (double)(bench_cpu_ns() - started);
}

static double decode(void *ctx)
{
    struct guest *g = ctx;
    struct source_exit out;
    uint64_t started;

    reset_guest(g);
    started = bench_cpu_ns();
    while (next(g, 0, 0, &out, NULL) == SOURCE_EXIT)
        ;
    return (double)g->exits * 1e9 / (double)(bench_cpu_ns() - started);
}

int main(int argc, char **argv)
{
    struct guest g = {.wanted = argc > 1 ? strtoull(argv[1], NULL, 10) : 300000};

    (void)snprintf(g.path, sizeof g.path, "/tmp/xenrewind-bench-%d.db", (int)getpid());
    if (argc > 2) /* once, to be profiled */
        (void)record(&g);
    else
        (void)bench_pairs("recorder/async", "exits/cpu s", record, "decoding", decode, &g);
    (void)unlink(g.path);
    return 0;
}
