/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "doctor.h"

#include "xrw/types.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ADVICE_PARENT "start an HVM or PVH guest and give --parent ID"
#define ADVICE_PATCHES "apply the patches of xen-patch/ to Xen, as its README.md says"
#define ADVICE_EVENT "use Xen 4.17 or later, or 4.14 with the patches of xen-patch/"
#define ADVICE_FORKS                                                                               \
    "build Xen with CONFIG_MEM_SHARING=y, as docs/xen.md says; or record guests themselves "       \
    "(--domain)"
#define ADVICE_DOM0 "run this as root in dom0"
#define KIB_MINIMUM 16384u /* for a fork's own structures, and a few pages */

static enum xrw_check_state found(struct xrw_check *check, enum xrw_check_state state,
                                  const char *advice, const char *format, ...) XRW_PRINTF(4, 5);

static enum xrw_check_state found(struct xrw_check *check, enum xrw_check_state state,
                                  const char *advice, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(check->found, sizeof check->found, format, args);
    va_end(args);
    (void)snprintf(check->advice, sizeof check->advice, "%s", advice);
    return state;
}

/* ---- the host -------------------------------------------------------- */

static enum xrw_check_state check_xen(const struct doctor_facts *f, struct xrw_check *check)
{
    if (f->no_xen_code == -EACCES || f->no_xen_code == -EPERM)
        return found(check, XRW_CHECK_MISSING, ADVICE_DOM0, "no permission to talk to Xen");
    if (f->no_xen_code)
        return found(check, XRW_CHECK_MISSING, "record in dom0 of Xen 4.17",
                     "this is not a Xen host: it cannot record, but can replay recordings");
    if (f->major < 4 || (f->major == 4 && f->minor < 14))
        return found(check, XRW_CHECK_MISSING, ADVICE_EVENT, "%s is too old", f->version);
    return found(check, XRW_CHECK_OK, "", "%s", f->version);
}

static enum xrw_check_state check_control(const struct doctor_facts *f, struct xrw_check *check)
{
    if (f->control == -EACCES)
        return found(check, XRW_CHECK_MISSING,
                     "build xenrewind against the libxen-dev of the running Xen",
                     "Xen does not speak the control interface of this program's libxenctrl");
    if (f->control == -EPERM)
        return found(check, XRW_CHECK_MISSING, ADVICE_DOM0, "this domain may not control others");
    if (f->control)
        return found(check, XRW_CHECK_UNKNOWN, ADVICE_DOM0, "Xen does not answer: %s",
                     strerror(-f->control));
    return found(check, XRW_CHECK_OK, "", "this program's libxenctrl fits the running Xen");
}

static enum xrw_check_state check_dom0(const struct doctor_facts *f, struct xrw_check *check)
{
    if (f->control)
        return found(check, XRW_CHECK_UNKNOWN, "", "Xen cannot be asked");
    if (f->dom0_hvm)
        return found(check, XRW_CHECK_NOTE, "boot Xen without dom0=pvh",
                     "PVH: the pages of a fork cannot be mapped there, so its memory not recorded");
    return found(check, XRW_CHECK_OK, "", "PV");
}

/* What Xen can monitor, and what virtualization is called there. */
static const struct processor {
    const char *vendor, *name, *mode, *switch_name;
} processors[] = {
    {"GenuineIntel", "Intel", "VMX", "VT-x"},
    {"AuthenticAMD", "AMD", "SVM", "SVM"},
    {"HygonGenuine", "Hygon", "SVM", "SVM"},
};

/* NULL: another one. */
static const struct processor *processor(const struct doctor_facts *f)
{
    for (size_t i = 0; i < sizeof processors / sizeof *processors; i++)
        if (!strcmp(f->vendor, processors[i].vendor))
            return &processors[i];
    return NULL;
}

static bool is_svm(const struct doctor_facts *f)
{
    const struct processor *p = processor(f);

    return p && !strcmp(p->mode, "SVM");
}

static enum xrw_check_state check_processor(const struct doctor_facts *f, struct xrw_check *check)
{
    const struct processor *p = processor(f);
    char advice[128];

    if (!p)
        return found(check, XRW_CHECK_MISSING,
                     "record on an Intel or AMD host; recordings can be replayed anywhere",
                     "%s: Xen sends VM exits on Intel and AMD only", f->vendor);
    if (f->physical)
        return found(check, XRW_CHECK_UNKNOWN, ADVICE_DOM0, "%s; Xen cannot be asked", p->name);
    (void)snprintf(advice, sizeof advice,
                   "switch virtualization (%s) on in the firmware, or use another machine",
                   p->switch_name);
    if (!f->hvm)
        return found(check, XRW_CHECK_MISSING, advice, "%s, without %s", p->name, p->mode);
    return found(check, XRW_CHECK_OK, "", "%s, %s%s%s", p->name, p->mode, *f->cpu ? "; " : "",
                 f->cpu);
}

static enum xrw_check_state check_hap(const struct doctor_facts *f, struct xrw_check *check)
{
    if (f->physical)
        return found(check, XRW_CHECK_UNKNOWN, ADVICE_DOM0, "Xen cannot be asked");
    if (!f->hap)
        return found(check, XRW_CHECK_MISSING,
                     f->hvm ? "start Xen with hap=1; the processor must have EPT or NPT"
                            : "switch virtualization on first",
                     "Xen does not use second-level page tables");
    return found(check, XRW_CHECK_OK, "", "Xen uses second-level page tables");
}

/* Looking up the domain is the first thing the call does: nothing else has happened then. */
static enum xrw_check_state check_sharing(const struct doctor_facts *f, struct xrw_check *check)
{
    if (f->parent && f->stage > PARENT_FORK)
        return found(check, XRW_CHECK_OK, "", "in this Xen");
    switch (f->sharing) {
    case -ESRCH:
        return found(check, XRW_CHECK_OK, "", "in this Xen");
    case -ENOSYS:
    case -EOPNOTSUPP:
        return found(check, XRW_CHECK_MISSING, ADVICE_FORKS, "not in this Xen");
    default:
        return found(check, XRW_CHECK_UNKNOWN, f->parent ? "" : ADVICE_PARENT,
                     "Xen does not tell: %s", strerror(-f->sharing));
    }
}

static enum xrw_check_state check_capability(const struct doctor_facts *f, struct xrw_check *check,
                                             bool there, const char *advice)
{
    if (!f->asked)
        return found(check, XRW_CHECK_UNKNOWN, ADVICE_PARENT,
                     "Xen tells of a domain only, and there is no HVM or PVH guest to ask about");
    if (f->asked_code)
        return found(check, XRW_CHECK_UNKNOWN, ADVICE_PARENT,
                     "Xen does not tell of domain %" PRIu32 ": %s", f->asked,
                     strerror(-f->asked_code));
    if (!there)
        return found(check, XRW_CHECK_MISSING, advice, "not in this Xen");
    return found(check, XRW_CHECK_OK, "", "in this Xen (asked about domain %" PRIu32 ")", f->asked);
}

static enum xrw_check_state check_event(const struct doctor_facts *f, struct xrw_check *check)
{
    /* Without the patches the capability is set there, and no event ever comes. */
    if (is_svm(f) && f->asked && !f->asked_code && !f->pause)
        return found(check, XRW_CHECK_MISSING, ADVICE_PATCHES, "not in this Xen on AMD");
    return check_capability(f, check, f->event, ADVICE_EVENT);
}

static enum xrw_check_state check_pause(const struct doctor_facts *f, struct xrw_check *check)
{
    if (f->asked && !f->asked_code && !f->pause)
        return found(check, XRW_CHECK_NOTE, ADVICE_PATCHES,
                     "not in this Xen: a guest cannot be held at each exit");
    return check_capability(f, check, f->pause, ADVICE_PATCHES);
}

/* What follows for `record --mode'. */
static enum xrw_check_state check_modes(const struct doctor_facts *f, struct xrw_check *check)
{
    bool event = f->asked && !f->asked_code && f->event && (!is_svm(f) || f->pause);

    if (!f->asked || f->asked_code)
        return found(check, XRW_CHECK_UNKNOWN, ADVICE_PARENT, "Xen cannot be asked");
    if (!event)
        return found(check, XRW_CHECK_MISSING, is_svm(f) ? ADVICE_PATCHES : ADVICE_EVENT, "none");
    return found(check, XRW_CHECK_OK, "", "%s",
                 f->pause ? "pause (exact), async, sync; auto takes pause"
                          : "async (registers at exits; memory at key frames), sync; auto takes "
                            "async");
}

static enum xrw_check_state check_memory(const struct doctor_facts *f, struct xrw_check *check)
{
    uint64_t mib = f->free_kib / 1024;

    if (f->physical)
        return found(check, XRW_CHECK_UNKNOWN, ADVICE_DOM0, "Xen cannot be asked");
    if (f->free_kib < KIB_MINIMUM)
        return found(check, XRW_CHECK_NOTE, "lower dom0_mem or end a domain",
                     "only %" PRIu64 " MiB free, which may be too little for a fork", mib);
    if (f->parent && f->free_kib < f->parent_kib)
        return found(check, XRW_CHECK_NOTE, "record fewer exits, or lower dom0_mem",
                     "%" PRIu64 " MiB free: not for a fork that writes to all of its %" PRIu64
                     " MiB",
                     mib, f->parent_kib / 1024);
    return found(check, XRW_CHECK_OK, "", "%" PRIu64 " MiB free", mib);
}

/* ---- the guest ------------------------------------------------------- */

static enum xrw_check_state check_stage(const struct doctor_facts *f, struct xrw_check *check,
                                        enum parent_stage stage, const char *text)
{
    const char *newline = strchr(f->trouble.text, '\n');

    if (f->stage > stage)
        return found(check, XRW_CHECK_OK, "", "%s", text);
    if (f->stage < stage)
        return found(check, XRW_CHECK_UNKNOWN, "", "not tried, as something before it is missing");
    return found(check, XRW_CHECK_MISSING, newline ? newline + 1 : "", "%.*s",
                 (int)strcspn(f->trouble.text, "\n"), f->trouble.text);
}

static enum xrw_check_state check_guest(const struct doctor_facts *f, struct xrw_check *check)
{
    char text[128];

    (void)snprintf(text, sizeof text,
                   "domain %" PRIu32 ": HVM or PVH, hardware-assisted paging, one vCPU", f->parent);
    return check_stage(f, check, PARENT_CHECK, text);
}

static enum xrw_check_state check_fork(const struct doctor_facts *f, struct xrw_check *check)
{
    char text[128];

    (void)snprintf(text, sizeof text,
                   "domain %" PRIu32 " was forked, and the fork removed after %" PRIu32 " ms",
                   f->parent, f->fork_ms);
    return check_stage(f, check, PARENT_FORK, text);
}

static enum xrw_check_state check_monitor(const struct doctor_facts *f, struct xrw_check *check)
{
    return check_stage(f, check, PARENT_MONITOR,
                       f->pause ? "of the fork: could be enabled in pause mode"
                                : "of the fork: could be enabled");
}

static enum xrw_check_state check_fitness(const struct fitness *fitness, struct xrw_check *check)
{
    static const enum xrw_check_state states[] = {[FITNESS_NO] = XRW_CHECK_MISSING,
                                                  [FITNESS_YES] = XRW_CHECK_OK,
                                                  [FITNESS_UNKNOWN] = XRW_CHECK_UNKNOWN};

    return found(check, states[fitness->answer], fitness->advice, "%s", fitness->what);
}

/* ---- forks of ours --------------------------------------------------- */

static enum xrw_check_state check_forks(const struct doctor_facts *f, struct xrw_check *check)
{
    enum xrw_check_state state;
    unsigned left = 0, failed = 0, removed = 0, recorded = 0;

    for (size_t i = 0; i < f->fork_count; i++) {
        const struct xrw_fork *fork = &f->forks[i];

        removed += fork->removed;
        left += fork->left_over && !fork->removed;
        failed += fork->left_over && !fork->removed && *fork->outcome;
        recorded += fork->recorder && !fork->left_over;
    }
    state = found(check, left ? XRW_CHECK_NOTE : XRW_CHECK_OK,
                  left && !failed ? "`xenrewind doctor --clean` removes them" : "",
                  "%u left over by recorders that were killed%s", left,
                  left ? "; their parents stay paused" : "");
    if (recorded)
        (void)snprintf(check->found + strlen(check->found),
                       sizeof check->found - strlen(check->found), "; %u being recorded", recorded);
    if (removed)
        (void)snprintf(check->found + strlen(check->found),
                       sizeof check->found - strlen(check->found), "; %u removed now", removed);
    /* --clean has to be seen to have failed. */
    check->required = failed > 0;
    return failed ? XRW_CHECK_MISSING : state;
}

void doctor_outcome(struct xrw_fork *fork, int code, const struct doctor_parent *parent)
{
    char *text = fork->outcome;
    int n;

    fork->removed = !code;
    if (code) {
        (void)snprintf(text, sizeof fork->outcome, "could not be removed: %s", strerror(-code));
        return;
    }
    n = snprintf(text, sizeof fork->outcome, "removed");
    if (!fork->parent)
        return;
    n += snprintf(text + n, sizeof fork->outcome - (size_t)n, "; its parent, domain %" PRIu32 ", ",
                  fork->parent);
    text += n;
    if (!parent->exists)
        (void)snprintf(text, sizeof fork->outcome - (size_t)n, "is gone");
    else if (parent->ended)
        (void)snprintf(text, sizeof fork->outcome - (size_t)n, "has ended");
    else if (parent->other_fork)
        (void)snprintf(text, sizeof fork->outcome - (size_t)n,
                       "stays paused while its fork, domain %" PRIu32 ", is there",
                       parent->other_fork);
    else if (parent->paused)
        (void)snprintf(text, sizeof fork->outcome - (size_t)n,
                       "is paused by someone else too (`xl unpause %" PRIu32 "`)", fork->parent);
    else
        (void)snprintf(text, sizeof fork->outcome - (size_t)n, "goes on");
}

/* ---- all together ---------------------------------------------------- */

enum when { ALWAYS, ON_XEN, WITH_PARENT };

/* To add a check, add a line. */
static const struct {
    const char *id, *name;
    enum when when;
    bool required;
    enum xrw_check_state (*check)(const struct doctor_facts *f, struct xrw_check *check);
} checks[] = {
    {"xen", "Xen", ALWAYS, true, check_xen},
    {"control", "control interface", ON_XEN, true, check_control},
    {"dom0", "dom0", ON_XEN, true, check_dom0},
    {"processor", "processor", ON_XEN, true, check_processor},
    {"hap", "hardware paging", ON_XEN, true, check_hap},
    {"forks", "VM forks", ON_XEN, false, check_sharing},
    {"event", "VM-exit event", ON_XEN, true, check_event},
    {"pause", "pause mode", ON_XEN, false, check_pause},
    {"modes", "capture modes", ON_XEN, false, check_modes},
    {"memory", "memory", ON_XEN, false, check_memory},
    {"left-over", "forks of ours", ON_XEN, false, check_forks},
    {"guest", "guest", WITH_PARENT, true, check_guest},
    {"fork", "forking it", WITH_PARENT, true, check_fork},
    {"monitor", "events", WITH_PARENT, true, check_monitor},
};
_Static_assert(sizeof checks / sizeof *checks + FITNESS_COUNT <= XRW_DOCTOR_CHECKS,
               "room for all checks");

static void conclude(struct xrw_doctor_report *report)
{
    bool unknown = false;

    report->verdict = XRW_CHECK_OK;
    for (size_t i = 0; i < report->check_count; i++) {
        const struct xrw_check *check = &report->checks[i];

        if (check->required && check->state == XRW_CHECK_MISSING)
            report->verdict = XRW_CHECK_MISSING;
        unknown = unknown || (check->required && check->state == XRW_CHECK_UNKNOWN);
    }
    if (report->verdict == XRW_CHECK_OK && unknown)
        report->verdict = XRW_CHECK_UNKNOWN;
}

void doctor_report(const struct doctor_facts *facts, struct xrw_doctor_report *report)
{
    enum when when = facts->no_xen_code ? ALWAYS : facts->parent ? WITH_PARENT : ON_XEN;
    struct xrw_check *check = report->checks;

    *report = (struct xrw_doctor_report){.xen = !facts->no_xen_code};
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        if (checks[i].when <= when) {
            *check = (struct xrw_check){
                .id = checks[i].id, .name = checks[i].name, .required = checks[i].required};
            check->state = checks[i].check(facts, check);
            check++;
        }
    for (size_t i = 0; when == WITH_PARENT && facts->stage > PARENT_CHECK && i < FITNESS_COUNT;
         i++) {
        *check = (struct xrw_check){.id = "fitness", .name = "re-execution"};
        check->state = check_fitness(&facts->fitness[i], check);
        check++;
    }
    report->check_count = (size_t)(check - report->checks);
    report->fork_count = facts->no_xen_code ? 0 : facts->fork_count;
    memcpy(report->forks, facts->forks, sizeof report->forks);
    conclude(report);
}
