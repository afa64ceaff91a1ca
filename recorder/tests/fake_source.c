/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake_source.h"

#include "support.h"

#include "xrw/vmx.h"

#include <errno.h>

#define CODE_BYTES 64u
#define CR0_PE 1u
#define CS_ATTR_32 0xc9bu

void fake_source_init(struct fake_source *fake, uint64_t exits)
{
    *fake = (struct fake_source){
        .exits = exits, .afterwards = SOURCE_ENDED, .step_ns = 1000000, .random = 1};
    for (xrw_gfn gfn = 0; gfn < FAKE_PAGES; gfn++) {
        uint64_t word = fake_source_word(gfn, 0);

        memcpy(fake->pages[gfn], &word, sizeof word);
    }
    for (size_t i = 0; i < CODE_BYTES; i += 2)
        memcpy(fake->pages[FAKE_CODE / XRW_PAGE_BYTES] + FAKE_CODE % XRW_PAGE_BYTES + i, "\x0f\xa2",
               2);
    memcpy(fake->at_start, fake->pages, sizeof fake->pages);
}

uint64_t fake_source_word(xrw_gfn gfn, uint64_t exit)
{
    while (exit && exit % FAKE_PAGES != gfn)
        exit--;
    return exit ? exit : 1000 + gfn;
}

static int fails(struct fake_source *f, const char *call, struct xrw_error *err)
{
    if (++f->calls != f->fail_at)
        return 0;
    f->failed = call;
    return xrw_error_set(err, -EIO, "fake %s failed", call);
}

static int start(void *ctx, struct xrw_run *run, struct xrw_error *err)
{
    struct fake_source *f = ctx;

    assert_int_equal(f->starts++, 0);
    run->vcpus = 1;
    run->domain = FAKE_DOMAIN;
    (void)snprintf(run->source, sizeof run->source, "xen");
    (void)snprintf(run->mode, sizeof run->mode, "%s", f->lets_go ? "async" : "pause");
    return fails(f, "start", err);
}

static int meta(void *ctx, source_meta set, void *set_ctx, struct xrw_error *err)
{
    struct fake_source *f = ctx;
    int rc = fails(f, "meta", err);

    assert_false(f->going);
    return rc ? rc : set(set_ctx, "hypervisor", "a fake", err);
}

static int base(void *ctx, source_page page, void *page_ctx, struct xrw_error *err)
{
    struct fake_source *f = ctx;
    int rc = fails(f, "base", err);

    assert_false(f->going);
    for (xrw_gfn gfn = 0; gfn < FAKE_PAGES && !rc; gfn++)
        rc = page(page_ctx, gfn, f->pages[gfn], false, err);
    return rc;
}

/* What it changed; at the end also the page of its code. */
static int reached(void *ctx, bool all, source_page page, void *page_ctx, struct xrw_error *err)
{
    struct fake_source *f = ctx;
    int rc = fails(f, "reached", err);

    for (xrw_gfn gfn = 0; gfn < FAKE_PAGES && !rc; gfn++) {
        bool is_code = gfn == FAKE_CODE / XRW_PAGE_BYTES;

        if (f->reached[gfn] || !(f->changed[gfn] || f->private[gfn] || (all && is_code)))
            continue;
        f->reached[gfn] = true;
        rc = page(page_ctx, gfn, f->at_start[gfn], false, err);
    }
    return rc;
}

static bool holds_always(void *ctx)
{
    struct fake_source *f = ctx;

    assert_int_equal(f->starts, 1);
    return !f->lets_go;
}

static int write_input(void *ctx, const struct source_write *write, source_page page,
                       void *page_ctx, struct xrw_error *err)
{
    struct fake_source *f = ctx;
    xrw_gfn gfn = write->address / XRW_PAGE_BYTES;
    int rc = fails(f, "write", err);

    assert_false(f->going);
    assert_true(gfn < FAKE_PAGES &&
                write->bytes <= XRW_PAGE_BYTES - write->address % XRW_PAGE_BYTES);
    f->writes++;
    if (rc)
        return rc;
    memcpy(f->pages[gfn] + write->address % XRW_PAGE_BYTES, write->data, write->bytes);
    rc = page(page_ctx, gfn, f->pages[gfn], false, err);
    return rc < 0 ? rc : 0;
}

static int reset(void *ctx, source_page page, void *page_ctx, struct xrw_error *err)
{
    struct fake_source *f = ctx;
    int rc = fails(f, "reset", err);

    assert_true(f->going);
    f->resets++;
    if (rc)
        return rc;
    memcpy(f->pages, f->at_start, sizeof f->pages);
    memset(f->changed, 0, sizeof f->changed);
    memset(f->private, 0, sizeof f->private);
    f->going = f->given = f->held = false;
    f->delivered = f->asked = 0;
    if (!f->marks)
        return 0;
    f->pages[2][100] = (uint8_t)f->resets;
    rc = page(page_ctx, 2, f->pages[2], false, err);
    return rc < 0 ? rc : 0;
}

static int go(void *ctx, struct xrw_error *err)
{
    struct fake_source *f = ctx;

    assert_false(f->going);
    f->going = true;
    return fails(f, "go", err);
}

static uint64_t next_random(struct fake_source *f)
{
    f->random ^= f->random << 13;
    f->random ^= f->random >> 7;
    f->random ^= f->random << 17;
    return f->random;
}

/* What the guest does until its next exit. */
static void run_guest(struct fake_source *f)
{
    uint64_t n = ++f->delivered, word;

    for (size_t gfn = 0; gfn < FAKE_PAGES; gfn++) {
        if (!f->noise && gfn != n % FAKE_PAGES)
            continue;
        memcpy(f->pages[gfn], &n, sizeof n);
        for (size_t i = sizeof n; f->noise && i < XRW_PAGE_BYTES; i += sizeof word) {
            word = next_random(f);
            memcpy(f->pages[gfn] + i, &word, sizeof word);
        }
        f->changed[gfn] = true;
    }
}

static void describe(struct fake_source *f, struct source_exit *out)
{
    struct xrw_exit *exit = &out->exit;
    uint64_t n = f->delivered;

    *out = (struct source_exit){.held = f->held, .final = n == f->final_at, .time_ns = f->clock_ns};
    xrw_exit_set(exit, XRW_EXIT_reason, n % FAKE_VMCALL_EVERY ? XRW_VMX_CPUID : XRW_VMX_VMCALL);
    xrw_registers_set(&exit->before, XRW_REG_cr0, CR0_PE);
    xrw_registers_set(&exit->before, XRW_REG_cr4, 0);
    xrw_registers_set(&exit->before, XRW_REG_efer, 0);
    xrw_registers_set(&exit->before, XRW_REG_cs_attr, CS_ATTR_32);
    xrw_registers_set(&exit->before, XRW_REG_cs_base, 0);
    xrw_registers_set(&exit->before, XRW_REG_rip, FAKE_CODE + 2 * (n % (CODE_BYTES / 2)));
    xrw_registers_set(&exit->before, XRW_REG_rax, n);
    exit->has_after = f->held;
    if (!exit->has_after)
        return;
    exit->after = exit->before;
    xrw_registers_set(&exit->after, XRW_REG_rax, 2 * n);
    memset(out->fxsave, (int)(n / 4), XRW_FXSAVE_BYTES);
    out->has_fxsave = true;
}

/* It takes some exits to be held, and there are some at which it cannot be. */
static bool is_held(struct fake_source *f, uint64_t hold_in)
{
    if (!f->lets_go) {
        assert_int_equal(hold_in, 0);
        return f->delivered != f->unheld_at;
    }
    if (hold_in == 1)
        f->asked++;
    if (hold_in != 1 || f->asked <= f->hold_delay || f->delivered == f->unheld_at)
        return false;
    f->asked = 0;
    return true;
}

static int next(void *ctx, unsigned timeout_ms, uint64_t hold_in, struct source_exit *out,
                struct xrw_error *err)
{
    struct fake_source *f = ctx;
    int rc = fails(f, "next", err);

    assert_true(f->going && !f->given);
    assert_true(timeout_ms > 0 && timeout_ms <= 1000);
    f->clock_ns += f->step_ns;
    if (rc)
        return rc;
    if (f->delivered == f->exits) {
        if (f->at_exit)
            f->at_exit(f, f->delivered + 1);
        return f->afterwards;
    }
    run_guest(f);
    f->given = true;
    f->held = is_held(f, hold_in);
    describe(f, out);
    if (f->at_exit)
        f->at_exit(f, f->delivered);
    return SOURCE_EXIT;
}

static int memory(void *ctx, source_page page, void *page_ctx, struct xrw_error *err)
{
    struct fake_source *f = ctx;
    int rc = fails(f, "memory", err);

    /* Or it would be of no exit at all. */
    assert_true(f->held || f->delivered == f->exits);
    for (xrw_gfn gfn = 0; gfn < FAKE_PAGES && !rc; gfn++) {
        if (!f->changed[gfn])
            continue;
        rc = page(page_ctx, gfn, f->pages[gfn], !f->private[gfn], err);
        f->changed[gfn] = false;
        f->private[gfn] = true;
    }
    return rc;
}

static int read_physical(void *ctx, xrw_gpa gpa, void *buf, size_t bytes)
{
    struct fake_source *f = ctx;

    assert_true(f->held);
    if (gpa / XRW_PAGE_BYTES >= FAKE_PAGES || bytes > XRW_PAGE_BYTES - gpa % XRW_PAGE_BYTES)
        return -ENODATA;
    memcpy(buf, f->pages[gpa / XRW_PAGE_BYTES] + gpa % XRW_PAGE_BYTES, bytes);
    return 0;
}

static int resume(void *ctx, struct xrw_error *err)
{
    struct fake_source *f = ctx;
    int rc = fails(f, "resume", err);

    assert_true(f->given);
    if (rc)
        return rc;
    f->given = f->held = false;
    f->resumed++;
    return 0;
}

static int context(void *ctx, const void **data, size_t *bytes, struct xrw_error *err)
{
    static const char record[] = "the whole context";
    struct fake_source *f = ctx;
    int rc = fails(f, "context", err);

    assert_int_equal(f->stops, 0);
    /* Or it would be of no exit at all. */
    assert_true(!f->going || f->held || f->delivered == f->exits);
    f->contexts++;
    if (rc)
        return rc;
    *data = record;
    *bytes = sizeof record;
    return 0;
}

static const char *end_text(void *ctx)
{
    (void)ctx;
    return "the guest powered off";
}

static uint64_t private_pages(void *ctx)
{
    struct fake_source *f = ctx;

    assert_int_equal(f->stops, 0);
    return 3;
}

static uint32_t domain(void *ctx)
{
    (void)ctx;
    return FAKE_DOMAIN;
}

static uint64_t now_ns(void *ctx)
{
    struct fake_source *f = ctx;

    return f->clock_ns;
}

static int stop(void *ctx, struct xrw_error *err)
{
    struct fake_source *f = ctx;

    assert_int_equal(f->starts, 1);
    f->stops++;
    return fails(f, "stop", err);
}

static const struct source_ops ops = {
    .size = sizeof ops,
    .start = start,
    .meta = meta,
    .base = base,
    .reached = reached,
    .holds_always = holds_always,
    .write = write_input,
    .reset = reset,
    .go = go,
    .next = next,
    .memory = memory,
    .read_physical = read_physical,
    .read_table = read_physical,
    .resume = resume,
    .context = context,
    .end_text = end_text,
    .private_pages = private_pages,
    .domain = domain,
    .now_ns = now_ns,
    .stop = stop,
};

struct source fake_source(struct fake_source *fake)
{
    return (struct source){&ops, fake};
}
