/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Xen source: a fork in pause mode, held at each exit until it has been looked at. */
#include "xen.h"

#include "vmexit_abi.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct xen_source {
    const struct xrw_record_options *options;
    struct xen_calls xen;
    struct xen_ring ring;
    struct xen_memory *memory;
    uint32_t parent, fork;
    bool made_fork, event_enabled, paused;
    uint8_t *context;
    char end[64];
};

static void notice(const struct xen_source *s, const char *text)
{
    if (s->options->notice)
        s->options->notice(s->options->ctx, text);
}

static void tell_left_overs(struct xen_source *s)
{
    char ids[128], text[256];

    if (!xen_left_over_forks(&s->xen, ids, sizeof ids))
        return;
    (void)snprintf(text, sizeof text,
                   "forks left over by earlier recordings, unless these still run: %s\n"
                   "`xl destroy ID` removes one; its parent stays paused until then",
                   ids);
    notice(s, text);
}

static void describe_fitness(struct xen_source *s, struct xrw_run *run)
{
    uint32_t mode = 0, khz, incarnation;
    uint64_t elapsed;
    int rc = xc_domain_get_tsc_info(s->xen.xch, s->fork, &mode, &elapsed, &khz, &incarnation);
    bool emulated = !rc && mode == 1;

    (void)snprintf(run->fitness, sizeof run->fitness,
                   "RDTSC %s; RDRAND, APICv and eager FPU not checked",
                   rc         ? "not known"
                   : emulated ? "exits (tsc_mode=always_emulate)"
                              : "may not exit: start the guest with tsc_mode=always_emulate");
    run->reexecutable = false; /* not all of it was checked */
}

static int make_fork(struct xen_source *s, struct xrw_error *err)
{
    xc_domaininfo_t info;
    int rc;

    if (s->options->fork) {
        s->fork = s->options->fork;
        return xen_check_domain(&s->xen, s->fork, false, &info, err);
    }
    rc = xen_check_domain(&s->xen, s->options->parent, true, &info, err);
    if (!rc)
        rc = xen_fork(&s->xen, &info, !s->options->allow_interrupts, &s->fork, err);
    s->made_fork = !rc;
    s->paused = !rc;
    return rc;
}

static int pause_fork(struct xen_source *s)
{
    if (s->paused)
        return 0;
    if (xc_domain_pause(s->xen.xch, s->fork))
        return -errno;
    s->paused = true;
    return 0;
}

static int enable_event(struct xen_source *s, struct xrw_error *err)
{
    int rc = xen_ring_open(&s->ring, &s->xen, s->fork, XRW_REQUEST_SIZE_PATCHED, err);

    if (rc)
        return rc;
    rc = xen_vmexit_event(&s->xen, s->fork, true, XRW_VMEXIT_MODE_PAUSE);
    if (rc)
        return xrw_error_set(err, rc, "cannot enable VM-exit events in domain %" PRIu32 ": %s",
                             s->fork, strerror(-rc));
    s->event_enabled = true;
    return 0;
}

static int start(void *ctx, struct xrw_run *run, struct xrw_error *err)
{
    struct xen_source *s = ctx;
    int rc;

    tell_left_overs(s);
    rc = make_fork(s, err);
    if (!rc && (rc = pause_fork(s)) != 0)
        rc = xrw_error_set(err, rc, "cannot pause domain %" PRIu32 ": %s", s->fork, strerror(-rc));
    if (!rc)
        rc = enable_event(s, err);
    /* An existing fork's parent is not known to us: its own pages stand in for them. */
    s->parent = s->made_fork ? s->options->parent : s->fork;
    if (!rc && xen_memory_create(&s->memory, &s->xen, s->fork, s->parent))
        rc = xrw_error_set(err, -ENOMEM, "out of memory");
    if (rc)
        return rc;
    (void)snprintf(run->source, sizeof run->source, "xen");
    (void)snprintf(run->mode, sizeof run->mode, "pause");
    run->vcpus = 1;
    run->interrupts = s->options->allow_interrupts;
    run->domain = s->fork;
    run->parent = s->options->parent;
    describe_fitness(s, run);
    return 0;
}

/* "model name : X" of the processor, as dom0's kernel tells it. */
static int host_cpu(char *text, size_t bytes)
{
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[256];
    int rc = -ENOENT;

    if (!file)
        return -errno;
    while (rc && fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');

        if (strncmp(line, "model name", 10) || !colon || colon[1] != ' ')
            continue;
        line[strcspn(line, "\n")] = '\0';
        (void)snprintf(text, bytes, "%s", colon + 2);
        rc = 0;
    }
    fclose(file);
    return rc;
}

static int meta(void *ctx, source_meta set, void *set_ctx, struct xrw_error *err)
{
    struct xen_source *s = ctx;
    int version = xc_version(s->xen.xch, XENVER_version, NULL);
    xen_extraversion_t extra = "";
    char text[256];
    int rc = 0;

    (void)xc_version(s->xen.xch, XENVER_extraversion, &extra);
    if (version > 0) {
        (void)snprintf(text, sizeof text, "Xen %d.%d%.16s", version >> 16, version & 0xffff, extra);
        rc = set(set_ctx, "hypervisor", text, err);
    }
    if (!rc && host_cpu(text, sizeof text) == 0)
        rc = set(set_ctx, "host_cpu", text, err);
    return rc;
}

static int base(void *ctx, source_page page, void *page_ctx, struct xrw_error *err)
{
    struct xen_source *s = ctx;

    return xen_memory_base(s->memory, page, page_ctx, err);
}

static int go(void *ctx, struct xrw_error *err)
{
    struct xen_source *s = ctx;

    if (xc_domain_unpause(s->xen.xch, s->fork))
        return xrw_error_set(err, -errno, "cannot start domain %" PRIu32 ": %s", s->fork,
                             strerror(errno));
    s->paused = false;
    return 0;
}

/* No exit came: has the guest ended? */
static int look_for_end(struct xen_source *s, struct xrw_error *err)
{
    static const char *const codes[] = {"powered off", "rebooted", "suspended",
                                        "crashed",     "watchdog", "soft reset"};
    xc_domaininfo_t info;
    int rc = xen_domain_info(&s->xen, s->fork, &info);
    unsigned code;

    if (rc == -ESRCH || (!rc && info.flags & XEN_DOMINF_dying))
        return xrw_error_set(err, -ESRCH, "domain %" PRIu32 " was destroyed by someone else",
                             s->fork);
    if (rc)
        return xrw_error_set(err, rc, "cannot ask Xen about domain %" PRIu32 ": %s", s->fork,
                             strerror(-rc));
    if (!(info.flags & XEN_DOMINF_shutdown))
        return SOURCE_TIMEOUT;
    code = (info.flags >> XEN_DOMINF_shutdownshift) & XEN_DOMINF_shutdownmask;
    (void)snprintf(s->end, sizeof s->end, "the guest %s",
                   code < sizeof codes / sizeof *codes ? codes[code] : "shut down");
    return SOURCE_ENDED;
}

static int next(void *ctx, unsigned timeout_ms, struct xrw_exit *exit, uint8_t *fxsave,
                struct xrw_error *err)
{
    struct xen_source *s = ctx;
    bool held = false;
    int rc = xen_ring_next(&s->ring, timeout_ms, err);

    if (rc < 0)
        return rc;
    if (rc == 0)
        return look_for_end(s, err);
    rc = xen_event_decode(s->ring.request, s->ring.request_bytes, exit, &held, err);
    if (!rc && exit->vcpu != 0)
        rc = xrw_error_set(err, -EUCLEAN, "an event of vCPU %" PRIu32 ", of a guest that has one",
                           exit->vcpu);
    /* This call waits until the vCPU is off its processor: the exit has been handled then. */
    if (!rc && held)
        rc = xen_context_read(&s->xen, s->fork, exit, fxsave, err);
    if (!rc)
        rc = xen_memory_exit(s->memory, exit, err);
    return rc ? rc : SOURCE_EXIT;
}

static int memory(void *ctx, source_page page, void *page_ctx, struct xrw_error *err)
{
    struct xen_source *s = ctx;

    return xen_memory_changes(s->memory, page, page_ctx, err);
}

static int read_physical(void *ctx, xrw_gpa gpa, void *buf, size_t bytes)
{
    struct xen_source *s = ctx;

    return xen_memory_read(s->memory, gpa, buf, bytes);
}

static int resume(void *ctx, struct xrw_error *err)
{
    struct xen_source *s = ctx;
    int rc = xen_ring_respond(&s->ring);

    return rc ? xrw_error_set(err, rc, "cannot answer an event: %s", strerror(-rc)) : 0;
}

static int context(void *ctx, const void **data, size_t *bytes, struct xrw_error *err)
{
    struct xen_source *s = ctx;
    int size = xc_domain_hvm_getcontext(s->xen.xch, s->fork, NULL, 0);

    if (size > 0) {
        free(s->context);
        s->context = malloc((size_t)size);
        if (!s->context)
            return xrw_error_set(err, -ENOMEM, "out of memory");
        size = xc_domain_hvm_getcontext(s->xen.xch, s->fork, s->context, (uint32_t)size);
    }
    if (size <= 0)
        return xrw_error_set(err, -errno, "cannot read the context of domain %" PRIu32 ": %s",
                             s->fork, strerror(errno));
    *data = s->context;
    *bytes = (size_t)size;
    return 0;
}

static const char *end_text(void *ctx)
{
    const struct xen_source *s = ctx;

    return s->end;
}

static uint64_t private_pages(void *ctx)
{
    const struct xen_source *s = ctx;

    return xen_memory_private_pages(s->memory);
}

static uint32_t domain(void *ctx)
{
    const struct xen_source *s = ctx;

    return s->fork;
}

static int stop(void *ctx, struct xrw_error *err)
{
    struct xen_source *s = ctx;
    int rc = 0;

    xen_memory_destroy(s->memory);
    s->memory = NULL;
    if (s->fork)
        (void)pause_fork(s);
    if (s->event_enabled)
        (void)xen_vmexit_event(&s->xen, s->fork, false, XRW_VMEXIT_MODE_ASYNC);
    s->event_enabled = false;
    xen_ring_close(&s->ring, &s->xen);
    if (s->made_fork && !s->options->keep) {
        if (xc_domain_destroy(s->xen.xch, s->fork) && errno != ESRCH)
            rc = xrw_error_set(err, -errno,
                               "the fork, domain %" PRIu32 ", could not be removed: %s\n"
                               "`xl destroy %" PRIu32
                               "` removes it; its parent stays paused until then",
                               s->fork, strerror(errno), s->fork);
    } else if (s->fork && !s->made_fork) {
        (void)xc_domain_unpause(s->xen.xch, s->fork);
    }
    s->made_fork = false;
    s->fork = 0;
    return rc;
}

static const struct source_ops xen_ops = {
    .size = sizeof xen_ops,
    .start = start,
    .meta = meta,
    .base = base,
    .go = go,
    .next = next,
    .memory = memory,
    .read_physical = read_physical,
    .resume = resume,
    .context = context,
    .end_text = end_text,
    .private_pages = private_pages,
    .domain = domain,
    .stop = stop,
};

int xen_source_create(struct source *source, const struct xrw_record_options *options,
                      struct xrw_error *err)
{
    struct xen_source *s = calloc(1, sizeof *s);
    int rc;

    if (!s)
        return xrw_error_set(err, -ENOMEM, "out of memory");
    s->options = options;
    s->ring.port = -1;
    rc = xen_calls_open(&s->xen, err);
    if (rc) {
        free(s);
        return rc;
    }
    *source = (struct source){&xen_ops, s};
    return 0;
}

void xen_source_destroy(struct source *source)
{
    struct xen_source *s = source->ctx;

    if (!s)
        return;
    xen_calls_close(&s->xen);
    free(s->context);
    free(s);
    *source = (struct source){0};
}
