/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is known of the host and the guest beside its exits. */
#include "host_cpu.h"
#include "xen.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TSC_ALWAYS_EMULATED 1u

/* ---- the guest ------------------------------------------------------- */

static enum fitness_answer rdtsc_exits(struct xen_calls *xen, uint32_t domain)
{
    uint32_t mode, khz, incarnation;
    uint64_t elapsed;

    if (xc_domain_get_tsc_info(xen->xch, domain, &mode, &elapsed, &khz, &incarnation))
        return FITNESS_UNKNOWN;
    return mode == TSC_ALWAYS_EMULATED ? FITNESS_YES
                                       : FITNESS_NO; /* other modes emulate it at times */
}

static enum fitness_answer cpuid_hides(struct xen_calls *xen, uint32_t domain, uint32_t leaf,
                                       bool in_ebx, unsigned bit)
{
    xen_cpuid_leaf_t found;
    int rc = xen_cpuid_leaf(xen, domain, leaf, &found);

    if (rc)
        return rc == -ENOENT ? FITNESS_YES : FITNESS_UNKNOWN;
    return (in_ebx ? found.b : found.c) >> bit & 1 ? FITNESS_NO : FITNESS_YES;
}

/* Xen does not tell but on its console; its command line says so if it was switched off. */
static enum fitness_answer apicv_is_off(struct xen_calls *xen)
{
    static const char *const off[] = {"apicv=0",     "apicv=no",      "apicv=off",
                                      "apicv=false", "apicv=disable", "no-apicv"};
    xen_commandline_t line = "";
    char *word, *rest;

    if (xc_version(xen->xch, XENVER_commandline, &line) < 0)
        return FITNESS_UNKNOWN;
    line[sizeof line - 1] = '\0';
    for (word = strtok_r(line, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        for (size_t i = 0; i < sizeof off / sizeof *off; i++)
            if (!strcmp(word, off[i]))
                return FITNESS_YES;
    return FITNESS_UNKNOWN;
}

/* Our patches see to it in pause mode; else what Xen was told. */
static enum fitness_answer fpu_is_eager(struct xen_calls *xen, bool pause_mode)
{
    xen_commandline_t line = "";
    const char *word;

    if (pause_mode)
        return FITNESS_YES;
    if (xc_version(xen->xch, XENVER_commandline, &line) < 0)
        return FITNESS_UNKNOWN;
    line[sizeof line - 1] = '\0';
    word = strstr(line, "eager-fpu");
    return word && (word == line || word[-1] == '=' || word[-1] == ',') ? FITNESS_YES
                                                                        : FITNESS_UNKNOWN;
}

void xen_fitness(struct xen_calls *xen, uint32_t domain, bool pause_mode,
                 struct fitness fitness[FITNESS_COUNT])
{
    static const char no_apicv[] = "start Xen with apicv=0";
    static const char eager_fpu[] = "start Xen with spec-ctrl=eager-fpu";
    const struct {
        enum fitness_answer answer;
        struct {
            const char *what, *advice;
        } texts[3];
    } checks[] = {
        {rdtsc_exits(xen, domain),
         {[FITNESS_YES] = {"RDTSC exits", ""},
          [FITNESS_NO] = {"RDTSC does not exit", "give the guest tsc_mode=\"always_emulate\""},
          [FITNESS_UNKNOWN] = {"RDTSC not known", ""}}},
        {cpuid_hides(xen, domain, 1, false, 30),
         {[FITNESS_YES] = {"RDRAND hidden", ""},
          [FITNESS_NO] = {"RDRAND visible", "start Xen with cpuid=no-rdrand"},
          [FITNESS_UNKNOWN] = {"RDRAND not known", ""}}},
        {cpuid_hides(xen, domain, 7, true, 18),
         {[FITNESS_YES] = {"RDSEED hidden", ""},
          [FITNESS_NO] = {"RDSEED visible", "start Xen with cpuid=no-rdseed"},
          [FITNESS_UNKNOWN] = {"RDSEED not known", ""}}},
        {apicv_is_off(xen),
         {[FITNESS_YES] = {"APICv off", ""},
          [FITNESS_NO] = {"APICv on", no_apicv},
          [FITNESS_UNKNOWN] = {"APICv not known", no_apicv}}},
        {fpu_is_eager(xen, pause_mode),
         {[FITNESS_YES] = {"FPU loaded eagerly", ""},
          [FITNESS_NO] = {"FPU loaded lazily", eager_fpu},
          [FITNESS_UNKNOWN] = {"FPU not known to be loaded eagerly", eager_fpu}}},
    };

    _Static_assert(sizeof checks / sizeof *checks == FITNESS_COUNT, "one text a check");
    for (size_t i = 0; i < FITNESS_COUNT; i++)
        fitness[i] = (struct fitness){.answer = checks[i].answer,
                                      .what = checks[i].texts[checks[i].answer].what,
                                      .advice = checks[i].texts[checks[i].answer].advice};
}

void xen_describe_fitness(struct xen_calls *xen, uint32_t domain, bool exact, struct xrw_run *run)
{
    struct fitness fitness[FITNESS_COUNT];
    size_t used = 0;

    xen_fitness(xen, domain, exact, fitness);
    run->reexecutable = exact; /* a gap begins with the state after an exit */
    run->fitness[0] = '\0';
    for (size_t i = 0; i < FITNESS_COUNT && used < sizeof run->fitness; i++) {
        const struct fitness *f = &fitness[i];

        run->reexecutable = run->reexecutable && f->answer == FITNESS_YES;
        used += (size_t)snprintf(run->fitness + used, sizeof run->fitness - used, "%s%s%s%s%s",
                                 i ? "; " : "", f->what, *f->advice ? " (" : "", f->advice,
                                 *f->advice ? ")" : "");
    }
    if (!exact && used < sizeof run->fitness)
        (void)snprintf(run->fitness + used, sizeof run->fitness - used,
                       "; the state between exits is not known (one vCPU and pause mode)");
}

/* ---- the host -------------------------------------------------------- */

int xen_describe_host(struct xen_calls *xen, source_meta set, void *set_ctx, struct xrw_error *err)
{
    int version = xc_version(xen->xch, XENVER_version, NULL);
    xen_extraversion_t extra = "";
    char text[256];
    int rc = 0;

    (void)xc_version(xen->xch, XENVER_extraversion, &extra);
    if (version > 0) {
        (void)snprintf(text, sizeof text, "Xen %d.%d%.16s", version >> 16, version & 0xffff, extra);
        rc = set(set_ctx, "hypervisor", text, err);
    }
    if (!rc && host_cpu(text, sizeof text) == 0)
        rc = set(set_ctx, "host_cpu", text, err);
    return rc;
}
