/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every exit passes here while its guest waits: tables are unrolled, and nothing branches on single
 * values. */
#include "split.h"

#include "xrw/svm.h"
#include "xrw/vmx.h"

#include <stddef.h>
#include <string.h>

#define REGISTER(name) XRW_REG_##name,
const uint8_t xrw_set_registers[XRW_SETS][XRW_SET_MAX] = {
    [XRW_SET_KEPT] = {XRW_KEPT_TABLE(REGISTER)},
    [XRW_SET_WORK] = {XRW_WORK_TABLE(REGISTER)},
};

const unsigned xrw_set_sizes[XRW_SETS] = {
    [XRW_SET_KEPT] = XRW_KEPT_COUNT,
    [XRW_SET_WORK] = XRW_WORK_COUNT,
};

/* Zero where it is not known. */
static uint64_t if_known(uint64_t value, bool known)
{
    return value & -(uint64_t)known;
}

static bool all_known(const struct xrw_registers *regs)
{
#define TRUE(name, bits, group) true,
    static const bool all[XRW_REGISTER_COUNT] = {XRW_REGISTER_TABLE(TRUE)};

    return !memcmp(regs->known, all, XRW_HOT_COUNT);
}

static void take_known_sets(const struct xrw_registers *regs,
                            struct xrw_register_set sets[XRW_SETS])
{
    struct xrw_register_set *kept = &sets[XRW_SET_KEPT], *work = &sets[XRW_SET_WORK];

#define COPY_KEPT(name) kept->value[XRW_KEPT_##name] = regs->value[XRW_REG_##name];
    XRW_KEPT_TABLE(COPY_KEPT)
#define COPY_WORK(name) work->value[XRW_WORK_##name] = regs->value[XRW_REG_##name];
    XRW_WORK_TABLE(COPY_WORK)
    kept->known = (UINT64_C(1) << XRW_KEPT_COUNT) - 1;
    work->known = (UINT64_C(1) << XRW_WORK_COUNT) - 1;
    /* The smaller one is stored as large as the other. */
    _Static_assert(XRW_KEPT_COUNT == XRW_SET_MAX, "it is `kept' that fills its set");
    for (unsigned i = XRW_WORK_COUNT; i < XRW_SET_MAX; i++)
        work->value[i] = 0;
}

static void take_set(const struct xrw_registers *regs, enum xrw_set which,
                     struct xrw_register_set *set)
{
    for (unsigned i = 0; i < xrw_set_sizes[which]; i++) {
        unsigned reg = xrw_set_registers[which][i];

        set->value[i] = if_known(regs->value[reg], regs->known[reg]);
        set->known |= (uint64_t)regs->known[reg] << i;
    }
}

static void take_sets(const struct xrw_registers *regs, struct xrw_register_set sets[XRW_SETS])
{
    if (all_known(regs)) {
        take_known_sets(regs, sets);
        return;
    }
    memset(sets, 0, XRW_SETS * sizeof *sets);
    take_set(regs, XRW_SET_KEPT, &sets[XRW_SET_KEPT]);
    take_set(regs, XRW_SET_WORK, &sets[XRW_SET_WORK]);
}

static void take_site(const struct xrw_exit *exit, struct xrw_site *site)
{
    site->insn = 0;
    site->known = 0;
    site->rip_known = exit->before.known[XRW_REG_rip];
    site->rip = if_known(exit->before.value[XRW_REG_rip], site->rip_known);
#define SITE(name)                                                                                 \
    site->field[XRW_SITE_##name] =                                                                 \
        if_known(exit->field[XRW_EXIT_##name], exit->field_known[XRW_EXIT_##name]);                \
    site->known |= (uint32_t)exit->field_known[XRW_EXIT_##name] << XRW_SITE_##name;
    XRW_SITE_FIELD_TABLE(SITE)
}

/* The id of the system registers is the caller's to set. */
static void take_based(const struct xrw_exit *exit, struct xrw_split_exit *out)
{
    out->known = 1u << XRW_BASED_sysregs;
    out->based[XRW_BASED_sysregs] = 0;
#define FIELD(name)                                                                                \
    out->based[XRW_BASED_##name] = (int64_t)exit->field[XRW_EXIT_##name];                          \
    out->known |= (uint32_t)exit->field_known[XRW_EXIT_##name] << XRW_BASED_##name;
    FIELD(time_ns)
    FIELD(tsc)
    FIELD(entry_tsc_offset)
    FIELD(entries)
    FIELD(gpa)
    FIELD(gla)
#define REG(name)                                                                                  \
    out->based[XRW_BASED_##name] = (int64_t)exit->before.value[XRW_REG_##name];                    \
    out->known |= (uint32_t)exit->before.known[XRW_REG_##name] << XRW_BASED_##name;
    REG(r9)
    REG(r10)
}

/* An address in the qualification would make a site of every exit. */
static void take_qualification(struct xrw_split_exit *out, struct xrw_site *site)
{
    unsigned reason = (unsigned)(site->field[XRW_SITE_reason] & 0xffff);

    out->qualification = 0;
    out->has_qualification =
        site->known >> XRW_SITE_qualification & 1 &&
        (reason == XRW_VMX_EXCEPTION_NMI || reason == XRW_VMX_INVLPG || reason == XRW_SVM_INVLPG);
    if (!out->has_qualification)
        return;
    out->qualification = site->field[XRW_SITE_qualification];
    site->known &= ~(1u << XRW_SITE_qualification);
    site->field[XRW_SITE_qualification] = 0;
}

/* Usually one more at every exit: what is kept is what goes beyond the exit's number. */
static void take_entries(struct xrw_split_exit *out)
{
    const uint32_t bit = 1u << XRW_BASED_entries;
    int64_t beyond;

    out->entries = 0;
    out->has_entries = out->known & bit && __builtin_sub_overflow(out->based[XRW_BASED_entries],
                                                                  (int64_t)out->id, &beyond);
    if (out->has_entries) {
        out->entries = (uint64_t)out->based[XRW_BASED_entries];
        out->known &= ~bit;
    } else if (out->known & bit) {
        out->based[XRW_BASED_entries] = beyond;
    }
}

/* The time of the entry is near that of the exit. */
static void take_entry_tsc(const struct xrw_exit *exit, struct xrw_split_exit *out)
{
    bool known = exit->field_known[XRW_EXIT_entry_tsc];

    out->gap = 0;
    out->entry_tsc = exit->field[XRW_EXIT_entry_tsc];
    out->has_gap =
        known && out->known >> XRW_BASED_tsc & 1 &&
        !__builtin_sub_overflow(out->based[XRW_BASED_tsc], (int64_t)out->entry_tsc, &out->gap);
    out->has_entry_tsc = known && !out->has_gap;
}

/* Returns where the next value would go. */
static uint64_t *take_after(const struct xrw_exit *exit, struct xrw_split_exit *out)
{
    const struct xrw_registers *before = &exit->before, *after = &exit->after;
    uint64_t *next = out->after_value;

    out->after = out->unknown = 0;
    if (!exit->has_after)
        return next;
    for (unsigned i = 0; i < XRW_HOT_COUNT; i++) {
        bool differs =
            after->known[i] & (!before->known[i] | (after->value[i] != before->value[i]));

        *next = after->value[i];
        next += differs;
        out->after |= (uint32_t)differs << i;
        out->unknown |= (uint32_t)!after->known[i] << i;
    }
    return next;
}

size_t xrw_exit_split(const struct xrw_exit *exit, struct xrw_split_exit *out,
                      struct xrw_site *site, struct xrw_register_set sets[XRW_SETS])
{
    out->id = exit->id;
    out->vcpu = exit->vcpu;
    out->resume = exit->has_after;
    out->site = out->space = out->set[XRW_SET_KEPT] = out->set[XRW_SET_WORK] = 0;
    out->after_sysregs = 0;
    take_sets(&exit->before, sets);
    take_site(exit, site);
    take_based(exit, out);
    take_qualification(out, site);
    take_entries(out);
    take_entry_tsc(exit, out);
    out->rip = site->rip;
    out->rip_known = site->rip_known;
    return (size_t)((char *)take_after(exit, out) - (char *)out);
}
