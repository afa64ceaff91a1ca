/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The embedded source: a guest that the engine runs, held at each exit after it was handled. */
#define _POSIX_C_SOURCE 200809L
#include "machine_source.h"

#include "host_cpu.h"

#include "xrw/platform.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/*
 * The context is kept in the form of Xen's HVM save record, with what the registers of an exit
 * lack: PAT, XCR0 and the XSAVE area.  Source: xen/include/public/arch-x86/hvm/save.h.
 */
enum typecode { CODE_END = 0, CODE_MTRR = 14, CODE_XSAVE = 16 };

struct descriptor {
    uint16_t typecode, instance;
    uint32_t length;
};

struct context {
    struct descriptor mtrr;
    uint64_t pat;
    struct descriptor xsave_descriptor;
    uint64_t feature_mask, xcr0, xcr0_accumulated;
    uint8_t xsave[XRW_XSAVE_BYTES];
    struct descriptor end;
};

struct machine_source {
    const struct xrw_record_options *options;
    struct xrw_platform_cpuid *cpuid;
    size_t cpuid_count;
    struct xrw_platform *platform;
    FILE *console;
    struct context context;
};

static void print(void *ctx, const char *text, size_t bytes)
{
    struct machine_source *s = ctx;

    (void)fwrite(text, 1, bytes, s->console);
    if (memchr(text, '\n', bytes))
        (void)fflush(s->console);
}

static int open_console(struct machine_source *s, struct xrw_error *err)
{
    const char *path = s->options->machine.console;

    if (!path)
        return 0;
    s->console = strcmp(path, "-") ? fopen(path, "w") : stdout;
    if (s->console)
        return 0;
    return xrw_error_set(err, -errno, "%s: %s", path, strerror(errno));
}

/* ---- the CPU of a recording ---------------------------------------------------- */

#define LEAVES_MAX 512u
#define QUERY_MS 10000u

static int add_leaf(void *ctx, int columns, const char *const *names, const char *const *values)
{
    struct machine_source *s = ctx;
    struct xrw_platform_cpuid *leaf = &s->cpuid[s->cpuid_count];
    uint32_t *const words[] = {&leaf->leaf,   &leaf->subleaf, &leaf->out[0],
                               &leaf->out[1], &leaf->out[2],  &leaf->out[3]};

    (void)names;
    for (int i = 0; i < columns && i < 6; i++) {
        if (!values[i])
            return 0; /* an answer that is not known */
        *words[i] = (uint32_t)strtoull(values[i], NULL, 10);
    }
    s->cpuid_count++;
    return 0;
}

static int read_cpu(struct machine_source *s, struct xrw_error *err)
{
    struct xrw_store *store;
    int rc;

    if (!s->options->machine.cpu_of)
        return 0;
    s->cpuid = calloc(LEAVES_MAX, sizeof *s->cpuid);
    if (!s->cpuid)
        return xrw_error_set(err, -ENOMEM, "out of memory");
    rc = xrw_store_open(&store, s->options->machine.cpu_of, err);
    if (rc)
        return rc;
    rc = xrw_store_query(store,
                         "SELECT leaf, subleaf, eax, ebx, ecx, edx FROM cpuid WHERE moved"
                         " GROUP BY leaf, subleaf HAVING id = min(id)",
                         LEAVES_MAX, QUERY_MS, add_leaf, s, err);
    (void)xrw_store_close(store, NULL);
    return rc;
}

static int start(void *ctx, struct xrw_run *run, struct xrw_error *err)
{
    struct machine_source *s = ctx;
    const struct xrw_record_machine *machine = &s->options->machine;
    struct xrw_platform_config config = {.kernel = machine->kernel,
                                         .initrd = machine->initrd,
                                         .cmdline = machine->cmdline,
                                         .memory_bytes = machine->memory_bytes,
                                         .xen = machine->xen,
                                         .lazy = machine->xen,
                                         .ctx = s};
    int rc = open_console(s, err);

    if (!rc)
        rc = read_cpu(s, err);
    config.cpuid = s->cpuid;
    config.cpuid_count = s->cpuid_count;
    config.profile = machine->bochs_flags ? XRW_PROFILE_BOCHS : XRW_PROFILE_HOST;
    config.console = s->console ? print : NULL;
    if (!rc)
        rc = xrw_platform_create(&config, &s->platform, err);
    if (rc)
        return rc;
    (void)snprintf(run->source, sizeof run->source, "machine");
    (void)snprintf(run->mode, sizeof run->mode, "machine");
    run->vcpus = 1;
    run->interrupts = true;
    run->reexecutable = true;
    (void)snprintf(run->fitness, sizeof run->fitness, "%s; RDRAND hidden; RDSEED hidden; no APICv",
                   machine->xen ? "RDTSC exits" : "the TSC counts instructions");
    return 0;
}

static int meta(void *ctx, source_meta set, void *set_ctx, struct xrw_error *err)
{
    char text[256];
    int rc = set(set_ctx, "hypervisor", "xenrewind's own engine", err);

    (void)ctx;
    if (!rc && !host_cpu(text, sizeof text))
        rc = set(set_ctx, "host_cpu", text, err);
    return rc;
}

static int base(void *ctx, source_page page, void *page_ctx, struct xrw_error *err)
{
    struct machine_source *s = ctx;
    xrw_gfn end = xrw_platform_memory_bytes(s->platform) / XRW_PAGE_BYTES;
    int rc = 0;

    for (xrw_gfn gfn = 0; gfn < end && !rc; gfn++)
        rc = page(page_ctx, gfn, xrw_platform_page(s->platform, gfn), false, err);
    xrw_machine_clear_dirty(xrw_platform_machine(s->platform));
    return rc;
}

static int go(void *ctx, struct xrw_error *err)
{
    (void)ctx, (void)err;
    return 0;
}

static bool holds_always(void *ctx)
{
    (void)ctx;
    return true;
}

static void take_fxsave(struct machine_source *s, struct source_exit *out)
{
    struct xrw_machine_state state;

    xrw_machine_store(xrw_platform_machine(s->platform), &state);
    memcpy(out->fxsave, state.xsave, sizeof out->fxsave);
    out->has_fxsave = true;
}

static uint64_t now_ns(void *ctx)
{
    struct timespec t;

    (void)ctx;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int next(void *ctx, unsigned timeout_ms, uint64_t hold_in, struct source_exit *out,
                struct xrw_error *err)
{
    struct machine_source *s = ctx;
    int rc = xrw_platform_run(s->platform, s->options->interrupted, &out->exit, err);

    (void)timeout_ms, (void)hold_in; /* a stretch of the guest takes less */
    switch (rc) {
    case XRW_PLATFORM_EXIT:
        break;
    case XRW_PLATFORM_IDLE:
        return SOURCE_IDLE;
    case XRW_PLATFORM_ENDED:
        return SOURCE_ENDED;
    case XRW_PLATFORM_INTERRUPTED:
        return SOURCE_TIMEOUT;
    default:
        return rc;
    }
    rc = xrw_platform_handle(s->platform, &out->exit, err);
    if (rc)
        return rc;
    take_fxsave(s, out);
    out->time_ns = now_ns(s);
    out->held = true;
    out->final = false;
    return SOURCE_EXIT;
}

static int memory(void *ctx, source_page page, void *page_ctx, struct xrw_error *err)
{
    struct machine_source *s = ctx;
    struct xrw_machine *machine = xrw_platform_machine(s->platform);
    int rc = 0;

    for (xrw_gfn gfn = 0; !rc && xrw_machine_next_dirty(machine, &gfn) == 1; gfn++) {
        const uint8_t *content = xrw_platform_page(s->platform, gfn);

        if (content) /* else a page that stood in for a device */
            rc = page(page_ctx, gfn, content, false, err);
    }
    xrw_machine_clear_dirty(machine);
    return rc;
}

static int read_physical(void *ctx, xrw_gpa gpa, void *buf, size_t bytes)
{
    struct machine_source *s = ctx;

    if (gpa >= xrw_platform_memory_bytes(s->platform))
        return -ENODATA;
    return xrw_machine_read(xrw_platform_machine(s->platform), gpa, buf, bytes);
}

static int resume(void *ctx, struct xrw_error *err)
{
    (void)ctx, (void)err;
    return 0;
}

static int context(void *ctx, const void **data, size_t *bytes, struct xrw_error *err)
{
    struct machine_source *s = ctx;
    struct context *c = &s->context;
    struct xrw_machine_state state;

    (void)err;
    xrw_machine_store(xrw_platform_machine(s->platform), &state);
    *c = (struct context){
        .mtrr = {CODE_MTRR, 0, sizeof c->pat},
        .pat = state.pat,
        .xsave_descriptor = {CODE_XSAVE, 0,
                             (uint32_t)(offsetof(struct context, end) -
                                        offsetof(struct context, feature_mask))},
        .feature_mask = state.xcr0,
        .xcr0 = state.xcr0,
        .xcr0_accumulated = state.xcr0,
    };
    memcpy(c->xsave, state.xsave, sizeof c->xsave);
    *data = c;
    *bytes = sizeof *c;
    return 0;
}

static const char *end_text(void *ctx)
{
    struct machine_source *s = ctx;

    return xrw_platform_end(s->platform);
}

/* The guest has no parent to share pages with. */
static uint64_t private_pages(void *ctx)
{
    struct machine_source *s = ctx;

    return s->platform ? xrw_platform_memory_bytes(s->platform) / XRW_PAGE_BYTES : 0;
}

static uint32_t domain(void *ctx)
{
    (void)ctx;
    return 0;
}

static int stop(void *ctx, struct xrw_error *err)
{
    struct machine_source *s = ctx;
    bool failed = s->console && fflush(s->console);

    if (s->console && s->console != stdout)
        failed = fclose(s->console) || failed;
    s->console = NULL;
    xrw_platform_destroy(s->platform);
    s->platform = NULL;
    free(s->cpuid);
    s->cpuid = NULL;
    s->cpuid_count = 0;
    return failed ? xrw_error_set(err, -EIO, "the guest's console could not be written") : 0;
}

static const struct source_ops machine_ops = {
    .size = sizeof machine_ops,
    .start = start,
    .meta = meta,
    .base = base,
    .go = go,
    .holds_always = holds_always,
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

int machine_source_create(struct source *source, const struct xrw_record_options *options,
                          struct xrw_error *err)
{
    struct machine_source *s = calloc(1, sizeof *s);

    if (!s)
        return xrw_error_set(err, -ENOMEM, "out of memory");
    s->options = options;
    *source = (struct source){&machine_ops, s};
    return 0;
}

void machine_source_destroy(struct source *source)
{
    free(source->ctx);
}
