/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Xen source: a fork in pause mode, held at each exit until it has been looked at. */
#include "vmexit_abi.h"
#include "xen.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LAST_LOOK_MS 20u
#define GOING_LOOKS 50u

struct xen_source {
    const struct xrw_record_options *options;
    struct xen_calls xen;
    struct xen_monitor monitor;
    struct xen_memory domains;
    struct memory *memory;
    uint32_t parent, fork;
    bool made_fork;
    bool was_paused; /* an existing fork, when we came */
    bool paused;     /* by us, or so when we came */
    bool claimed;    /* an existing fork that was left over, by owner_before */
    struct fork_owner owner_before;
    uint8_t *context;
    char end[64];
};

/* ---- start ----------------------------------------------------------- */

static void notice(const struct xen_source *s, const char *text)
{
    if (s->options->notice)
        s->options->notice(s->options->ctx, text);
}

static void tell_left_overs(struct xen_source *s)
{
    struct xrw_fork forks[XRW_DOCTOR_FORKS];
    size_t n = xen_list_forks(&s->xen, forks, XRW_DOCTOR_FORKS), used = 0;
    char ids[128] = "", text[320];

    for (size_t i = 0; i < n && used < sizeof ids; i++)
        if (forks[i].left_over)
            used += (size_t)snprintf(ids + used, sizeof ids - used, "%s%" PRIu32, used ? ", " : "",
                                     forks[i].domain);
    if (!used)
        return;
    (void)snprintf(text, sizeof text,
                   "forks left over by recorders that were killed: domain %s\n"
                   "`xenrewind doctor --clean` removes them; their parents stay paused until then",
                   ids);
    notice(s, text);
}

static int domain_error(const char *doing, uint32_t domain, int code, struct xrw_error *err)
{
    return xrw_error_set(err, code, "cannot %s domain %" PRIu32 ": %s", doing, domain,
                         strerror(-code));
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

/*
 * A fork that was left over is not while we record it: it must not be removed under our hands.  The
 * event ring of its recorder, which is in our way, goes; the fork is paused, as that lets its vCPU
 * go on.
 */
static void claim_fork(struct xen_source *s, const xc_domaininfo_t *info)
{
    struct fork_owner owner;

    s->claimed =
        fork_handle_read(info->handle, &s->owner_before) && fork_is_left_over(&s->owner_before);
    if (!s->claimed)
        return;
    owner = fork_owner_self(s->owner_before.parent);
    xen_own_fork(&s->xen, s->fork, &owner);
    (void)xen_vmexit_event(&s->xen, s->fork, false, XRW_VMEXIT_MODE_ASYNC);
    (void)xc_monitor_disable(s->xen.xch, s->fork);
}

static int make_fork(struct xen_source *s, struct xrw_error *err)
{
    xc_domaininfo_t info;
    int rc = xen_check_domain(&s->xen, s->options->parent, true, &info, err);

    if (rc)
        return rc;
    s->parent = s->options->parent;
    rc = xen_fork(&s->xen, &info, !s->options->allow_interrupts, &s->fork, err);
    s->made_fork = s->paused = !rc;
    return rc;
}

static int take_fork(struct xen_source *s, struct xrw_error *err)
{
    xc_domaininfo_t info;
    int rc = 0;

    /* Without its parent the fork has to be asked for all of its pages itself. */
    s->parent = s->options->parent ? s->options->parent : s->options->fork;
    if (s->options->parent)
        rc = xen_check_domain(&s->xen, s->options->parent, true, &info, err);
    if (!rc)
        rc = xen_check_domain(&s->xen, s->options->fork, false, &info, err);
    if (rc)
        return rc;
    s->fork = s->options->fork;
    s->paused = s->was_paused = info.flags & XEN_DOMINF_paused;
    rc = pause_fork(s);
    if (rc)
        return domain_error("pause", s->fork, rc, err);
    claim_fork(s, &info);
    return 0;
}

static int open_memory(struct xen_source *s, struct xrw_error *err)
{
    int rc = xen_memory_init(&s->domains, &s->xen, s->fork, s->parent);

    if (!rc)
        rc = memory_create(&s->memory, &xen_memory_ops, &s->domains);
    if (rc)
        return domain_error("look at the memory of", s->parent, rc, err);
    if (s->domains.parent_is_fork && s->parent == s->fork)
        notice(s, "all pages of the fork are brought in from its parent now, to be read\n"
                  "its first reads of them will cause no exits; --parent ID avoids that");
    return 0;
}

static int start(void *ctx, struct xrw_run *run, struct xrw_error *err)
{
    struct xen_source *s = ctx;
    int rc;

    tell_left_overs(s);
    rc = s->options->fork ? take_fork(s, err) : make_fork(s, err);
    if (!rc)
        rc = xen_monitor_open(&s->monitor, &s->xen, s->fork, err);
    if (!rc)
        rc = open_memory(s, err);
    if (rc)
        return rc;
    (void)snprintf(run->source, sizeof run->source, "xen");
    (void)snprintf(run->mode, sizeof run->mode, "pause");
    run->vcpus = 1;
    run->interrupts = s->options->allow_interrupts || !s->made_fork;
    run->domain = s->fork;
    run->parent = s->options->parent;
    xen_describe_fitness(&s->xen, s->fork, run);
    return 0;
}

static int meta(void *ctx, source_meta set, void *set_ctx, struct xrw_error *err)
{
    struct xen_source *s = ctx;

    return xen_describe_host(&s->xen, set, set_ctx, err);
}

static int base(void *ctx, source_page page, void *page_ctx, struct xrw_error *err)
{
    struct xen_source *s = ctx;

    return memory_base(s->memory, page, page_ctx, err);
}

static int go(void *ctx, struct xrw_error *err)
{
    struct xen_source *s = ctx;
    xc_domaininfo_t info;

    if (xc_domain_unpause(s->xen.xch, s->fork))
        return domain_error("start", s->fork, -errno, err);
    s->paused = false;
    if (!xen_domain_info(&s->xen, s->fork, &info) && info.flags & XEN_DOMINF_paused)
        return xrw_error_set(err, -EBUSY,
                             "domain %" PRIu32 " has been paused more than once\n"
                             "let the others go first (`xl unpause %" PRIu32 "`)",
                             s->fork, s->fork);
    return 0;
}

/* ---- exits ----------------------------------------------------------- */

static int describe_end(struct xen_source *s, uint32_t flags)
{
    static const char *const codes[] = {
        "powered off", "rebooted", "suspended", "crashed", "stopped by its watchdog",
        "reset itself"};
    unsigned code = flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask;

    (void)snprintf(s->end, sizeof s->end, "the guest %s",
                   code < sizeof codes / sizeof *codes ? codes[code] : "shut down");
    return SOURCE_ENDED;
}

/* No exit came: what does the guest do? */
static int look_at_domain(struct xen_source *s, struct xrw_error *err)
{
    xc_domaininfo_t info;
    int rc = xen_domain_info(&s->xen, s->fork, &info);

    if (rc == -ESRCH || (!rc && info.flags & XEN_DOMINF_dying))
        return xrw_error_set(err, -ESRCH, "domain %" PRIu32 " was destroyed by someone else",
                             s->fork);
    if (rc)
        return domain_error("ask Xen about", s->fork, rc, err);
    if (info.flags & XEN_DOMINF_shutdown)
        return describe_end(s, info.flags);
    return info.flags & XEN_DOMINF_blocked ? SOURCE_IDLE : SOURCE_TIMEOUT;
}

/* Something failed: because the domain is being destroyed?  That fails in many ways, and shows only
 * when Xen is done with it. */
static bool is_going(struct xen_source *s)
{
    const struct timespec pause = {.tv_nsec = LAST_LOOK_MS * 1000000};

    for (unsigned i = 0; i < GOING_LOOKS; i++) {
        if (look_at_domain(s, NULL) == -ESRCH)
            return true;
        (void)nanosleep(&pause, NULL);
    }
    return false;
}

/* The next VM exit on the ring, in *exit: SOURCE_EXIT, SOURCE_TIMEOUT or an error. */
static int next_event(struct xen_source *s, unsigned timeout_ms, struct xrw_exit *exit, bool *held,
                      struct xrw_error *err)
{
    int rc;

    while ((rc = xen_monitor_next(&s->monitor, timeout_ms, err)) == 1) {
        rc = xen_event_decode(s->monitor.ring.request, s->monitor.ring.request_bytes, exit, held,
                              err);
        if (rc)
            break;
        /* Of another kind, which someone has enabled: not ours to record. */
        rc = xen_monitor_respond(&s->monitor, err);
        if (rc)
            break;
    }
    if (rc == 1 && exit->vcpu != 0)
        rc = xrw_error_set(err, -EUCLEAN, "an event of vCPU %" PRIu32 ", of a guest that has one",
                           exit->vcpu);
    return rc;
}

static int next(void *ctx, unsigned timeout_ms, struct xrw_exit *exit, uint8_t *fxsave,
                struct xrw_error *err)
{
    struct xen_source *s = ctx;
    bool held = false;
    int end, rc = next_event(s, timeout_ms, exit, &held, err);

    if (rc == SOURCE_TIMEOUT) {
        end = look_at_domain(s, err);
        /* Its last exit is sent only after it has ended. */
        rc = end == SOURCE_ENDED || end == SOURCE_IDLE
                 ? next_event(s, LAST_LOOK_MS, exit, &held, err)
                 : SOURCE_TIMEOUT;
        if (rc == SOURCE_TIMEOUT)
            return end;
    }
    if (rc < 0)
        return rc;
    /* This call waits until the vCPU is off its processor: the exit has been handled then. */
    rc = held ? xen_context_read(&s->xen, s->fork, exit, fxsave, err) : 0;
    if (!rc && held)
        rc = memory_exit(s->memory, exit, err);
    if (!rc)
        return SOURCE_EXIT;
    return is_going(s) ? look_at_domain(s, err) : rc;
}

static int memory(void *ctx, source_page page, void *page_ctx, struct xrw_error *err)
{
    struct xen_source *s = ctx;

    return memory_changes(s->memory, page, page_ctx, err);
}

static int read_physical(void *ctx, xrw_gpa gpa, void *buf, size_t bytes)
{
    struct xen_source *s = ctx;

    return memory_read(s->memory, gpa, buf, bytes);
}

static int read_table(void *ctx, xrw_gpa gpa, void *buf, size_t bytes)
{
    struct xen_source *s = ctx;

    return memory_read_table(s->memory, gpa, buf, bytes);
}

static int resume(void *ctx, struct xrw_error *err)
{
    struct xen_source *s = ctx;

    return xen_monitor_respond(&s->monitor, err);
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
        return domain_error("read the context of", s->fork, errno ? -errno : -EIO, err);
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

    return s->memory ? memory_private_pages(s->memory) : 0;
}

static uint32_t domain(void *ctx)
{
    const struct xen_source *s = ctx;

    return s->fork;
}

static uint64_t now_ns(void *ctx)
{
    struct timespec t;

    (void)ctx;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- stop ------------------------------------------------------------ */

static int destroy_fork(struct xen_source *s, struct xrw_error *err)
{
    if (!xc_domain_destroy(s->xen.xch, s->fork) || errno == ESRCH)
        return 0;
    return xrw_error_set(
        err, -errno,
        "the fork, domain %" PRIu32 ", could not be removed: %s\n"
        "`xenrewind doctor --clean` removes it; its parent stays paused until then",
        s->fork, strerror(errno));
}

static int stop(void *ctx, struct xrw_error *err)
{
    struct xen_source *s = ctx;
    int rc = 0;

    /* Pages of the fork that are mapped would outlive it. */
    memory_destroy(s->memory);
    s->memory = NULL;
    if (!s->fork)
        return 0;
    (void)pause_fork(s);
    xen_monitor_close(&s->monitor, &s->xen);
    if (s->made_fork && s->options->keep)
        xen_own_fork(&s->xen, s->fork, &(struct fork_owner){.parent = s->parent});
    else if (s->made_fork)
        rc = destroy_fork(s, err);
    else if (s->paused && !s->was_paused)
        (void)xc_domain_unpause(s->xen.xch, s->fork);
    if (s->claimed)
        xen_own_fork(&s->xen, s->fork, &s->owner_before);
    s->made_fork = s->claimed = false;
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
    .read_table = read_table,
    .resume = resume,
    .context = context,
    .end_text = end_text,
    .private_pages = private_pages,
    .domain = domain,
    .now_ns = now_ns,
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
    s->monitor.port = -1;
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
