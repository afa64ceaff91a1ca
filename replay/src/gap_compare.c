/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gap_compare.h"

#include "xrw/reason.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SEGMENT_PARTS 4u /* selector, base, limit, attributes */
#define ATTR_PRESENT (1u << 7)
#define STATUS_FLAGS UINT64_C(0x8d5) /* CF PF AF ZF SF OF */
#define RFLAGS_FIXED UINT64_C(0x2)
#define RFLAGS_POSSIBLE UINT64_C(0x3f7fd7)
#define FXSAVE_TAG 4u
#define FXSAVE_MXCSR 24u
#define FXSAVE_MXCSR_MASK 28u
#define FXSAVE_DATA 32u /* ST0 to ST7, XMM0 to XMM15 */
#define FXSAVE_DATA_END 416u

/* ---- registers --------------------------------------------------------------------- */

static bool is_general(unsigned reg)
{
    return reg <= XRW_REG_rip;
}

static void differs(struct xrw_gap *gap, enum xrw_gap_verdict verdict, const char *what,
                    uint64_t here, uint64_t recorded)
{
    if (verdict <= gap->verdict)
        return;
    gap->verdict = verdict;
    gap->cause = verdict == XRW_GAP_FLAGS ? XRW_CAUSE_UNDEFINED_FLAGS : XRW_CAUSE_NOT_KNOWN;
    (void)snprintf(gap->detail, sizeof gap->detail, "%s 0x%" PRIx64 ", recorded 0x%" PRIx64, what,
                   here, recorded);
}

static void compare_flags(const struct gap_engine *e, uint64_t here, struct xrw_gap *gap)
{
    uint64_t recorded = e->to.before.value[XRW_REG_rflags];
    uint64_t undefined = xrw_machine_undefined_flags(e->machine);

    if ((here ^ recorded) & ~undefined)
        differs(gap, XRW_GAP_ARRIVED, "rflags", here, recorded);
    else if (here != recorded)
        differs(gap, XRW_GAP_FLAGS, "rflags", here, recorded);
}

static void compare_fpu(const struct gap_engine *e, struct xrw_gap *gap)
{
    struct xrw_machine_state state;
    uint8_t recorded[XRW_FXSAVE_BYTES];
    uint32_t mxcsr[2], control[2];

    if (xrw_store_fxsave(e->store, e->to.id, recorded, NULL))
        return; /* not recorded there */
    xrw_machine_store(e->machine, &state);
    memcpy(&control[0], state.xsave, sizeof *control);
    memcpy(&control[1], recorded, sizeof *control);
    if (control[0] != control[1])
        differs(gap, XRW_GAP_ARRIVED, "x87 control and status", control[0], control[1]);
    if (state.xsave[FXSAVE_TAG] != recorded[FXSAVE_TAG])
        differs(gap, XRW_GAP_ARRIVED, "x87 tags", state.xsave[FXSAVE_TAG], recorded[FXSAVE_TAG]);
    memcpy(&mxcsr[0], state.xsave + FXSAVE_MXCSR, sizeof *mxcsr);
    memcpy(&mxcsr[1], recorded + FXSAVE_MXCSR, sizeof *mxcsr);
    if (mxcsr[0] != mxcsr[1])
        differs(gap, XRW_GAP_ARRIVED, "mxcsr", mxcsr[0], mxcsr[1]);
    for (unsigned i = FXSAVE_DATA; i < FXSAVE_DATA_END; i += 16) {
        char name[8];
        uint64_t value[2];

        if (!memcmp(state.xsave + i, recorded + i, i < 160 ? 10 : 16))
            continue;
        (void)snprintf(name, sizeof name, i < 160 ? "st%u" : "xmm%u",
                       i < 160 ? (i - 32) / 16 : (i - 160) / 16);
        memcpy(&value[0], state.xsave + i, sizeof *value);
        memcpy(&value[1], recorded + i, sizeof *value);
        differs(gap, XRW_GAP_ARRIVED, name, value[0], value[1]);
    }
}

/* Limit and attributes of a segment that cannot be used are what a CPU likes; so is the base, but
 * for FS and GS, which have one all the same. */
static bool is_unusable(const struct xrw_registers *a, const struct xrw_registers *b, unsigned r)
{
    unsigned part = (r - XRW_REG_cs) % SEGMENT_PARTS, attr = r - part + SEGMENT_PARTS - 1;

    if (r < XRW_REG_cs || part == 0 || r == XRW_REG_fs_base || r == XRW_REG_gs_base)
        return false;
    return !((a->value[attr] | b->value[attr]) & ATTR_PRESENT);
}

void gap_compare_registers(struct gap_engine *e, const struct xrw_registers *regs,
                           struct xrw_gap *gap)
{
    const struct xrw_registers *recorded = &e->to.before;
    struct xrw_registers own;

    if (!regs) {
        xrw_machine_registers(e->machine, &own);
        regs = &own;
    }
    gap->verdict = XRW_GAP_EXACT;
    gap->cause = XRW_CAUSE_NONE;
    gap->detail[0] = '\0';
    for (unsigned r = 0; r < XRW_REGISTER_COUNT; r++)
        if (r != XRW_REG_rflags && recorded->known[r] && recorded->value[r] != regs->value[r] &&
            !is_unusable(regs, recorded, r))
            differs(gap, is_general(r) ? XRW_GAP_DIVERGED : XRW_GAP_ARRIVED,
                    xrw_register_table[r].name, regs->value[r], recorded->value[r]);
    compare_flags(e, regs->value[XRW_REG_rflags], gap);
    if (gap->verdict < XRW_GAP_DIVERGED)
        compare_fpu(e, gap);
}

bool gap_general_equal(const struct xrw_registers *a, const struct xrw_registers *b)
{
    for (unsigned r = 0; is_general(r); r++)
        if (b->known[r] && a->value[r] != b->value[r])
            return false;
    return true;
}

bool gap_registers_equal(const struct xrw_gap *gap)
{
    return gap->verdict == XRW_GAP_EXACT || gap->verdict == XRW_GAP_FLAGS;
}

/* ---- memory ------------------------------------------------------------------------- */

struct page_difference {
    unsigned guest;        /* bytes that the guest wrote and the record has otherwise */
    unsigned foreign;      /* bytes that changed in the record and not here */
    unsigned flags, model; /* of guest: undefined flags; what CPU models differ in */
    unsigned first;        /* the first of guest that is neither */
};

/* Whether two words that differ are the RFLAGS of two CPUs, in what may be undefined. */
static bool are_flags(uint64_t here, uint64_t recorded)
{
    return here & recorded & RFLAGS_FIXED && !((here | recorded) & ~RFLAGS_POSSIBLE) &&
           !((here ^ recorded) & ~STATUS_FLAGS);
}

/* Whether this is the MXCSR_MASK of an FXSAVE image: its place, and what masks there are. */
static bool is_mxcsr_mask(unsigned at, uint32_t here, uint32_t recorded)
{
    return at % 16 == FXSAVE_MXCSR_MASK % 16 && (here == 0xffff || here == 0x2ffff) &&
           (recorded == 0xffff || recorded == 0x2ffff);
}

static void classify_word(const uint8_t *here, const uint8_t *recorded, unsigned at, unsigned bytes,
                          struct page_difference *difference)
{
    uint64_t a, b;
    uint32_t a32[2], b32[2];

    memcpy(&a, here + at, sizeof a);
    memcpy(&b, recorded + at, sizeof b);
    memcpy(a32, &a, sizeof a32);
    memcpy(b32, &b, sizeof b32);
    if (are_flags(a, b))
        difference->flags += bytes;
    else if (a32[0] == b32[0] && is_mxcsr_mask(at + 4, a32[1], b32[1]))
        difference->model += bytes;
    else if (difference->first == UINT32_MAX)
        difference->first = at;
}

static void compare_bytes(const uint8_t *start, const uint8_t *here, const uint8_t *recorded,
                          struct page_difference *difference)
{
    *difference = (struct page_difference){.first = UINT32_MAX};
    for (unsigned at = 0; at < XRW_PAGE_BYTES; at += 8) {
        unsigned guest = 0;

        if (!memcmp(here + at, recorded + at, 8))
            continue;
        for (unsigned i = at; i < at + 8; i++) {
            if (here[i] == recorded[i])
                continue;
            if (here[i] == start[i])
                difference->foreign++;
            else
                guest++;
        }
        difference->guest += guest;
        if (guest)
            classify_word(here, recorded, at, guest, difference);
    }
}

static int read_page(struct gap_engine *e, xrw_gfn gfn, xrw_exit_id exit, uint8_t *page,
                     struct xrw_error *err)
{
    return xrw_store_page(e->store, e->run.id, gfn, exit, page, NULL, err);
}

static void judge(const struct gap_engine *e, xrw_gfn gfn, const struct page_difference *d,
                  const uint8_t *here, const uint8_t *recorded, struct xrw_gap *gap)
{
    char what[48];
    uint64_t value[2];
    unsigned at = d->first & ~7u;

    gap->foreign_pages += d->foreign != 0;
    /* Handling exit n + 1 came on top of what the guest wrote. */
    if (!d->guest || xrw_exit_may_write_memory(&e->to))
        return;
    if (d->first == UINT32_MAX && d->flags == d->guest) {
        differs(gap, XRW_GAP_FLAGS, "undefined flags in memory at page", gfn, gfn);
        return;
    }
    if (d->first == UINT32_MAX) {
        differs(gap, XRW_GAP_ARRIVED, "MXCSR_MASK in memory at page", gfn, gfn);
        gap->cause = XRW_CAUSE_CPU_MODEL;
        return;
    }
    (void)snprintf(what, sizeof what, "memory at 0x%" PRIx64, gfn * XRW_PAGE_BYTES + at);
    memcpy(&value[0], here + at, sizeof *value);
    memcpy(&value[1], recorded + at, sizeof *value);
    differs(gap, XRW_GAP_ARRIVED, what, value[0], value[1]);
}

static int compare_page(struct gap_engine *e, xrw_gfn gfn, struct xrw_gap *gap,
                        struct xrw_error *err)
{
    uint8_t start[XRW_PAGE_BYTES], recorded[XRW_PAGE_BYTES];
    const uint8_t *here = xrw_machine_page_content(e->machine, gfn);
    struct page_difference difference;
    int rc;

    if (!here) { /* not used by the guest, so whatever changed is not its work */
        gap->foreign_pages++;
        return 0;
    }
    rc = read_page(e, gfn, e->to.id, recorded, err);
    if (rc == -ENODATA)
        return 0; /* not RAM */
    if (rc || !memcmp(here, recorded, sizeof recorded))
        return rc;
    rc = read_page(e, gfn, e->from.id, start, err);
    if (rc)
        return rc;
    compare_bytes(start, here, recorded, &difference);
    judge(e, gfn, &difference, here, recorded, gap);
    return 0;
}

/* Pages that the guest wrote to, and pages that changed in the record. */
static int each_page(struct gap_engine *e,
                     int (*visit)(struct gap_engine *, xrw_gfn, struct xrw_gap *,
                                  struct xrw_error *),
                     struct xrw_gap *gap, struct xrw_error *err)
{
    xrw_gfn gfn = 0;
    int rc = 0;

    for (; !rc && xrw_machine_next_dirty(e->machine, &gfn) == 1; gfn++)
        rc = visit(e, gfn, gap, err);
    for (gfn = 0; !rc; gfn++) {
        xrw_gfn dirty;

        rc = xrw_store_next_changed_page(e->store, e->run.id, e->to.id, &gfn, err);
        if (rc <= 0)
            break;
        dirty = gfn;
        rc = xrw_machine_next_dirty(e->machine, &dirty) == 1 && dirty == gfn
                 ? 0
                 : visit(e, gfn, gap, err);
    }
    return rc;
}

int gap_compare_memory(struct gap_engine *e, struct xrw_gap *gap, struct xrw_error *err)
{
    gap->foreign_pages = 0;
    return each_page(e, compare_page, gap, err);
}

/* ---- what the hypervisor wrote --------------------------------------------------------- */

static int collect_page(struct gap_engine *e, xrw_gfn gfn, struct xrw_gap *gap,
                        struct xrw_error *err)
{
    uint8_t recorded[XRW_PAGE_BYTES];
    const uint8_t *here = xrw_machine_page_content(e->machine, gfn);
    uint8_t *merged = e->foreign[e->foreign_count].content;
    bool any = false;
    int rc;

    (void)gap;
    if (e->foreign_count == GAP_FOREIGN_MAX)
        return 0;
    rc = read_page(e, gfn, e->to.id, recorded, err);
    if (!rc)
        rc = read_page(e, gfn, e->from.id, merged, err);
    if (rc)
        return rc == -ENODATA ? 0 : rc;
    for (unsigned i = 0; i < XRW_PAGE_BYTES; i++)
        if ((!here || here[i] == merged[i]) && recorded[i] != merged[i]) {
            merged[i] = recorded[i];
            any = true;
        }
    if (any)
        e->foreign[e->foreign_count++].gfn = gfn;
    return 0;
}

int gap_collect_foreign(struct gap_engine *e, struct xrw_error *err)
{
    int rc;

    e->foreign_count = 0;
    rc = each_page(e, collect_page, NULL, err);
    return rc ? rc : (int)e->foreign_count;
}

int gap_apply_foreign(struct gap_engine *e)
{
    int rc = 0;

    for (unsigned i = 0; i < e->foreign_count && !rc; i++) {
        bool limited = e->limited && e->foreign[i].gfn == e->limited_gfn;

        rc = xrw_machine_set_page(e->machine, e->foreign[i].gfn, e->foreign[i].content,
                                  limited ? e->limited_ept : XRW_EPT_ALL);
    }
    return rc;
}
