/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Running a gap to its end, which depends on what exit n + 1 is, and judging it. */
#include "gap.h"

#include "gap_begin.h"
#include "gap_compare.h"
#include "gap_fpu.h"

#include "xrw/vmx.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define INSTRUCTIONS_MIN (UINT64_C(50) << 20) /* before a gap is taken for one without end */
#define INSTRUCTIONS_MAX (UINT64_C(8) << 30)
#define PASSES_MAX 100000u /* instructions whose translations the processor may have had cached */
#define EPT_QUALIFICATION_FINAL (UINT64_C(1) << 8) /* not an access to a paging structure */
#define TYPE_NMI 2u

/* ---- to the end ------------------------------------------------------------------------ */

static uint64_t most_instructions(const struct gap_engine *e)
{
    uint64_t ticks = e->to.field[XRW_EXIT_tsc] - e->to.field[XRW_EXIT_entry_tsc];

    if (!e->to.field_known[XRW_EXIT_tsc] || !e->to.field_known[XRW_EXIT_entry_tsc] ||
        ticks > INSTRUCTIONS_MAX / 4)
        return INSTRUCTIONS_MAX;
    return 4 * ticks > INSTRUCTIONS_MIN ? 4 * ticks : INSTRUCTIONS_MIN;
}

static int run(struct gap_engine *e, const struct xrw_machine_until *until,
               struct xrw_machine_result *result)
{
    return xrw_machine_run(e->machine, until, result);
}

/* An exit at the debug registers hands them out: the instruction that comes again does not exit. */
static int pass_granted(struct gap_engine *e, struct xrw_machine_result *result)
{
    const struct xrw_machine_until one = {.instructions = 1};
    int rc;

    if (xrw_exit_basic_reason(&e->from) != XRW_VMX_DR_ACCESS ||
        xrw_exit_basic_reason(&e->to) != XRW_VMX_DR_ACCESS ||
        e->from.before.value[XRW_REG_rip] == e->to.before.value[XRW_REG_rip])
        return 0;
    rc = gap_set_controls(e, 0);
    if (!rc)
        rc = run(e, &one, result);
    return rc ? rc : gap_set_controls(e, XRW_EXITS_MOV_DR);
}

/* An EPT violation at a paging structure that the recorded exit is about, but before that: the
 * processor did not have to read the structure here, having the translation in its TLB. */
static bool was_cached(const struct gap_engine *e, const struct xrw_machine_result *result)
{
    const struct xrw_exit *exit = &result->exit;

    return e->limited && result->stop == XRW_STOP_EXIT &&
           xrw_exit_basic_reason(exit) == XRW_VMX_EPT_VIOLATION &&
           !(exit->field[XRW_EXIT_qualification] & EPT_QUALIFICATION_FINAL) &&
           exit->field[XRW_EXIT_gpa] / XRW_PAGE_BYTES == e->limited_gfn &&
           !gap_general_equal(&exit->before, &e->to.before);
}

/* Do one instruction with the page that the recorded exit is about. */
static int pass_limit(struct gap_engine *e, struct xrw_machine_result *result)
{
    const struct xrw_machine_until one = {.instructions = 1};
    uint8_t content[XRW_PAGE_BYTES];
    const uint8_t *now = xrw_machine_page_content(e->machine, e->limited_gfn);
    int rc = now ? xrw_machine_set_page(e->machine, e->limited_gfn, NULL, XRW_EPT_ALL) : 0;

    e->limited = false; /* a page that was not used yet is asked for */
    if (!rc)
        rc = run(e, &one, result);
    e->limited = true;
    now = xrw_machine_page_content(e->machine, e->limited_gfn);
    if (rc || !now)
        return rc;
    memcpy(content, now, sizeof content);
    return xrw_machine_set_page(e->machine, e->limited_gfn, content, e->limited_ept);
}

static int run_to_exit(struct gap_engine *e, const volatile int *interrupted,
                       struct xrw_machine_result *result)
{
    struct xrw_machine_until until = {.instructions = most_instructions(e),
                                      .interrupted = interrupted};
    int rc = pass_granted(e, result);

    if (!rc)
        rc = run(e, &until, result);
    for (unsigned i = 0; !rc && i < PASSES_MAX && was_cached(e, result); i++) {
        rc = pass_limit(e, result);
        if (!rc && result->stop == XRW_STOP_COUNT)
            rc = run(e, &until, result);
    }
    return rc;
}

/* Whether it falls at no instruction that causes it. */
static bool falls_anywhere(const struct xrw_exit *to)
{
    switch (xrw_exit_basic_reason(to)) {
    case XRW_VMX_EXCEPTION_NMI:
        return (to->field[XRW_EXIT_intr_info] >> 8 & 7) == TYPE_NMI;
    case XRW_VMX_EXTERNAL_INTERRUPT:
    case XRW_VMX_INIT:
    case XRW_VMX_IO_SMI:
    case XRW_VMX_OTHER_SMI:
    case XRW_VMX_PAUSE:
    case XRW_VMX_PREEMPTION_TIMER:
        return true;
    default:
        return false;
    }
}

/* REP MOVS, STOS or LODS: their elements are done one after the other, with nothing but RCX, RSI
 * and RDI to tell how far. */
static bool is_rep_string(const uint8_t *code, size_t bytes)
{
    size_t at = 0;
    bool rep = false;

    for (; at < bytes; at++) {
        if (code[at] == 0xf3)
            rep = true;
        else if (code[at] != 0x66 && code[at] != 0x67 && (code[at] & 0xf0) != 0x40)
            break;
    }
    return rep && at < bytes &&
           (code[at] == 0xa4 || code[at] == 0xa5 || (code[at] >= 0xaa && code[at] <= 0xad));
}

/* Whether nothing but what string instructions count with differs from the recorded exit. */
static bool may_be_within(const struct gap_engine *e)
{
    struct xrw_registers here;

    xrw_machine_registers(e->machine, &here);
    here.value[XRW_REG_rcx] = e->to.before.value[XRW_REG_rcx];
    here.value[XRW_REG_rsi] = e->to.before.value[XRW_REG_rsi];
    here.value[XRW_REG_rdi] = e->to.before.value[XRW_REG_rdi];
    return gap_general_equal(&here, &e->to.before);
}

/* The exit fell between two elements of the string instruction that the machine stands at: do so
 * many of them. */
static int run_elements(struct gap_engine *e)
{
    const struct xrw_machine_until one = {.instructions = 1};
    uint64_t left = e->to.before.value[XRW_REG_rcx];
    uint64_t now = xrw_machine_register(e->machine, XRW_REG_rcx);
    uint64_t rip = xrw_machine_register(e->machine, XRW_REG_rip);
    struct xrw_machine_result result;
    uint8_t code[8];
    int rc;

    if (left >= now || !may_be_within(e) ||
        xrw_machine_read_linear(e->machine, rip, code, sizeof code) ||
        !is_rep_string(code, sizeof code))
        return 0;
    rc = xrw_machine_set_register(e->machine, XRW_REG_rcx, now - left);
    if (!rc)
        rc = run(e, &one, &result);
    if (!rc)
        rc = xrw_machine_set_register(e->machine, XRW_REG_rcx, left);
    return rc ? rc : xrw_machine_set_register(e->machine, XRW_REG_rip, rip);
}

/*
 * Find the place by the state that was recorded there: the first one at which registers and memory
 * are equal.  Loops come by places with equal registers more than once.  1 if it was found.
 */
static int search_place(struct gap_engine *e, const volatile int *interrupted, struct xrw_gap *gap,
                        struct xrw_machine_result *result, struct xrw_error *err)
{
    const xrw_gva rip = e->to.before.value[XRW_REG_rip];
    struct xrw_machine_until until = {.addresses = &rip,
                                      .address_count = 1,
                                      .instructions = most_instructions(e),
                                      .interrupted = interrupted};
    bool here = xrw_machine_register(e->machine, XRW_REG_rip) == rip &&
                !(e->to.field[XRW_EXIT_entry_intr_info] >> 31 & 1);
    int rc = 0;

    for (;;) {
        if (here) {
            gap_compare_registers(e, NULL, gap);
            if (!gap_registers_equal(gap)) {
                rc = run_elements(e);
                if (rc)
                    return rc;
                gap_compare_registers(e, NULL, gap);
            }
            gap->candidates += gap_registers_equal(gap);
            if (gap_registers_equal(gap)) {
                rc = gap_compare_memory(e, gap, err);
                if (rc)
                    return rc;
                if (gap->verdict != XRW_GAP_ARRIVED)
                    return 1;
            }
        }
        rc = run(e, &until, result);
        if (rc || result->stop != XRW_STOP_ADDRESS)
            return rc;
        until.instructions -= result->instructions;
        here = true;
    }
}

/* ---- one gap ----------------------------------------------------------------------------- */

static void not_executed(struct xrw_gap *gap, enum xrw_gap_cause cause, const char *why)
{
    gap->verdict = XRW_GAP_UNKNOWN;
    gap->cause = cause;
    (void)snprintf(gap->detail, sizeof gap->detail, "%.*s", (int)sizeof gap->detail - 1, why);
}

/* It stopped elsewhere than at the exit. */
static void judge_stop(const struct gap_engine *e, const struct xrw_machine_result *result,
                       struct xrw_gap *gap)
{
    char text[160];

    switch (result->stop) {
    case XRW_STOP_UNHANDLED:
        not_executed(gap, XRW_CAUSE_NOT_HANDLED, result->text.text);
        return;
    case XRW_STOP_NO_PAGE:
        (void)snprintf(text, sizeof text, "guest frame 0x%" PRIx64 " was not recorded",
                       result->gfn);
        not_executed(gap, XRW_CAUSE_STATE, text);
        return;
    case XRW_STOP_EXIT:
        (void)snprintf(gap->detail, sizeof gap->detail,
                       "exits for reason %u at 0x%" PRIx64 ", recorded: reason %u at 0x%" PRIx64,
                       xrw_exit_basic_reason(&result->exit), result->exit.before.value[XRW_REG_rip],
                       xrw_exit_basic_reason(&e->to), e->to.before.value[XRW_REG_rip]);
        break;
    default:
        (void)snprintf(gap->detail, sizeof gap->detail, "runs on past the recorded exit");
        break;
    }
    gap->verdict = XRW_GAP_DIVERGED;
    gap->cause = XRW_CAUSE_NOT_KNOWN;
}

static int finish_at_exit(struct gap_engine *e, const struct xrw_machine_result *result,
                          struct xrw_gap *gap, struct xrw_error *err)
{
    if (result->stop != XRW_STOP_EXIT ||
        xrw_exit_basic_reason(&result->exit) != xrw_exit_basic_reason(&e->to)) {
        judge_stop(e, result, gap);
        return 0;
    }
    gap_compare_registers(e, &result->exit.before, gap);
    return gap->verdict == XRW_GAP_DIVERGED ? 0 : gap_compare_memory(e, gap, err);
}

static int execute(struct gap_engine *e, const volatile int *interrupted, struct xrw_gap *gap,
                   struct xrw_error *err)
{
    struct xrw_machine_result result = {.stop = XRW_STOP_COUNT};
    bool anywhere = falls_anywhere(&e->to);
    int rc = anywhere ? search_place(e, interrupted, gap, &result, err)
                      : run_to_exit(e, interrupted, &result);

    gap->instructions = xrw_machine_count(e->machine) - e->count_at_start;
    if (rc < 0)
        return rc;
    if (result.stop == XRW_STOP_INTERRUPTED)
        return -EINTR;
    if (!anywhere)
        return finish_at_exit(e, &result, gap, err);
    if (rc == 0 && !gap->candidates)
        judge_stop(e, &result, gap);
    return 0;
}

static bool all_equal(const struct xrw_gap *gap)
{
    return gap->verdict == XRW_GAP_EXACT || gap->verdict == XRW_GAP_FLAGS;
}

/* What the hypervisor wrote between the record of exit n and the entry was there from the
 * beginning: once more with it. */
static int execute_with_foreign(struct gap_engine *e, const volatile int *interrupted,
                                struct xrw_gap *gap, struct xrw_error *err)
{
    struct xrw_gap second = {.exit = gap->exit};
    int rc = gap_collect_foreign(e, err);

    if (rc <= 0)
        return rc;
    rc = gap_begin(e, err);
    if (!rc)
        rc = gap_apply_foreign(e);
    if (!rc)
        rc = execute(e, interrupted, &second, err);
    if (rc)
        return rc;
    if (all_equal(&second)) {
        second.foreign_pages = gap->foreign_pages;
        second.cause = second.cause ? second.cause : XRW_CAUSE_HYPERVISOR;
        *gap = second;
    }
    return 0;
}

/* FPU and vector state that is assumed: if the gap is exact when it begins with what was recorded
 * at its end, then nothing that was recorded is against it.  Otherwise, if the difference is
 * another one with another state, it comes from there. */
static int try_other_fpu(struct gap_engine *e, const volatile int *interrupted, struct xrw_gap *gap,
                         struct xrw_error *err)
{
    bool (*const assume[])(struct gap_engine *) = {gap_fpu_assume_recorded, gap_fpu_assume_other};
    int rc = 0;

    for (size_t i = 0; !rc && i < sizeof assume / sizeof *assume && !all_equal(gap); i++) {
        struct xrw_gap other = {.exit = gap->exit};

        if (!assume[i](e))
            continue;
        rc = gap_begin(e, err);
        if (!rc)
            rc = execute(e, interrupted, &other, err);
        if (rc || (other.verdict == gap->verdict && !strcmp(other.detail, gap->detail)))
            continue;
        if (falls_anywhere(&e->to) && !all_equal(&other))
            continue; /* what differs there is that of whichever place was looked at last */
        if (assume[i] == gap_fpu_assume_recorded && all_equal(&other))
            *gap = other;
        gap->cause = XRW_CAUSE_STATE;
    }
    return rc;
}

static int explain(struct gap_engine *e, const volatile int *interrupted, struct xrw_gap *gap,
                   struct xrw_error *err)
{
    if (gap->cause != XRW_CAUSE_NOT_KNOWN)
        return 0;
    if (e->time_used)
        gap->cause = XRW_CAUSE_TIME;
    else if (e->unknown_msr)
        gap->cause = XRW_CAUSE_STATE;
    else
        return try_other_fpu(e, interrupted, gap, err);
    return 0;
}

/* What the record lacks goes on with the guest, unless it may be wrong. */
static void carry(struct gap_engine *e, const struct xrw_gap *gap)
{
    bool arrived = gap->verdict >= XRW_GAP_EXACT && gap->verdict <= XRW_GAP_ARRIVED;

    if (arrived && gap->cause != XRW_CAUSE_NOT_KNOWN && gap->cause != XRW_CAUSE_STATE)
        gap_fpu_carry(e);
    else
        gap_fpu_forget(e);
}

int gap_verify(struct gap_engine *e, xrw_exit_id n, const volatile int *interrupted,
               struct xrw_gap *gap, struct xrw_error *err)
{
    struct xrw_error local = {""};
    int rc = gap_read_ends(e, n, err);

    *gap = (struct xrw_gap){.exit = n};
    if (rc)
        return rc;
    if (!e->from.has_after) {
        not_executed(gap, XRW_CAUSE_STATE, "the registers after the exit were not recorded");
        return 0;
    }
    rc = gap_begin(e, &local);
    if (rc == -ENODATA || rc == -EINVAL || rc == -ENOTSUP) {
        not_executed(gap, XRW_CAUSE_STATE, local.text);
        return 0;
    }
    if (!rc)
        rc = execute(e, interrupted, gap, &local);
    if (!rc && (gap->verdict == XRW_GAP_ARRIVED || gap->verdict == XRW_GAP_DIVERGED))
        rc = execute_with_foreign(e, interrupted, gap, &local);
    if (!rc)
        rc = explain(e, interrupted, gap, &local);
    carry(e, gap);
    return rc ? xrw_error_set(err, rc, "gap %" PRIu64 ": %s", n, local.text) : 0;
}
