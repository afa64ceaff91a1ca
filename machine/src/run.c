/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The loop between instructions. */
#include "ops.h"
#include "translate.h"

#include <errno.h>

/* In place of the predicate before a run's first instruction: it is not asked then. */
static bool not_yet(void *ctx, const struct xrw_machine *machine)
{
    struct xrw_machine *m = ctx;

    (void)machine;
    m->predicate = m->until->predicate;
    m->predicate_ctx = m->until->predicate_ctx;
    return false;
}

static inline void ask_predicate(struct xrw_machine *m)
{
    if (UNLIKELY(m->predicate(m->predicate_ctx, m)))
        leave_stop(m, XRW_STOP_PREDICATE);
}

/* Before each instruction of a block in MODE_HOOKED. */
void op_hook(struct xrw_machine *m, const struct insn *insn)
{
    m->insn = insn;
    m->rip = insn->rip;
    ask_predicate(m);
    NEXT(m, insn);
}

static void op_single_end(struct xrw_machine *m, const struct insn *insn)
{
    m->rip = insn->rip;
}

/* ---- Running ---- */

static void run_block(struct xrw_machine *m, struct block *block)
{
    m->block = block;
    m->left -= block->count;
    m->charged = block->count;
    m->insn = block->insn;
    m->executing = true;
    block->insn[0].op(m, block->insn);
    m->executing = false;
}

/* One instruction, by itself. */
static void run_single(struct xrw_machine *m, struct block *block)
{
    struct insn *pair = m->single;
    uint32_t blocked = m->shadow & (XRW_BLOCKED_BY_STI | XRW_BLOCKED_BY_MOV_SS);
    uint64_t trap = m->rflags & RFLAGS_TF;

    pair[0] = block->insn[block->mode & MODE_HOOKED ? 1 : 0];
    pair[1] = (struct insn){.op = op_single_end, .rip = pair[0].rip + pair[0].length};
    if (!is_long(m))
        pair[1].rip &= 0xffffffffu;
    m->block = block;
    m->left--;
    m->charged = 1;
    m->insn = pair;
    m->shadow_new = false;
    m->rflags &= ~RFLAGS_RF;
    m->executing = true;
    if (m->each)
        ask_predicate(m);
    pair[0].op(m, pair);
    m->executing = false;
    if (m->shadow_new)
        blocked = 0;
    m->shadow &= ~blocked;
    if (trap)
        m->pending_debug |= DR6_BS;
    cpu_update(m);
}

/* ---- What comes between ---- */

/* Events or parts of one REP instruction, with no instruction finished, that are given up. */
#define STALLS_MAX 4096u

void run_stalled(struct xrw_machine *m, unsigned weight)
{
    uint64_t count = cpu_count(m);

    if (count != m->stall_count)
        m->stalls = 0;
    m->stall_count = count;
    m->stalls += weight;
    if (m->until->interrupted && *m->until->interrupted)
        leave_stop(m, XRW_STOP_INTERRUPTED);
    if (m->stalls > STALLS_MAX)
        leave_stop(m, XRW_STOP_STUCK);
}

static void deliver_event(struct xrw_machine *m)
{
    struct event event = m->event;
    bool soft = event.type >= EVENT_SOFT_INT && event.type <= EVENT_SOFT_EXC;

    run_stalled(m, 1);
    m->event.valid = false;
    m->attention &= ~ATTENTION_EVENT;
    deliver(m, &event);
    if (soft && !event.injected)
        m->left--; /* the instruction is done */
}

static void raise_debug(struct xrw_machine *m, uint64_t cause)
{
    raise_event(m, &(struct event){.type = EVENT_HARDWARE, .vector = VECTOR_DB, .address = cause});
}

static void check_windows(struct xrw_machine *m)
{
    uint32_t exits = m->controls.exits;

    if (exits & XRW_EXITS_NMI_WINDOW &&
        !(m->shadow & (XRW_BLOCKED_BY_NMI | XRW_BLOCKED_BY_MOV_SS | XRW_BLOCKED_BY_STI)))
        leave_exit(m, XRW_VMX_NMI_WINDOW, 0);
    if (exits & XRW_EXITS_INTERRUPT_WINDOW && xrw_machine_interruptible(m))
        leave_exit(m, XRW_VMX_INTERRUPT_WINDOW, 0);
}

/* Instruction breakpoints at RIP. */
static uint64_t breakpoints(const struct xrw_machine *m)
{
    uint64_t linear = is_long(m) ? m->rip : (m->seg[SEG_CS].base + m->rip) & 0xffffffffu;
    uint64_t hit = 0;

    if (m->rflags & RFLAGS_RF)
        return 0;
    for (unsigned i = 0; i < 4; i++)
        if (m->dr7 >> (2 * i) & 3 && !(m->dr7 >> (16 + 4 * i) & 15) && m->dr[i] == linear)
            hit |= BIT(i);
    return hit;
}

static bool is_address(const struct xrw_machine *m, uint64_t rip)
{
    for (size_t i = 0; i < m->until->address_count; i++)
        if (m->until->addresses[i] == rip)
            return true;
    return false;
}

static bool at_start(const struct xrw_machine *m)
{
    return cpu_count(m) == m->start_count && m->rip == m->start_rip;
}

/* Stops that the caller asked for. */
static void check_stops(struct xrw_machine *m)
{
    if (at_start(m))
        return;
    if (is_address(m, m->rip))
        leave_stop(m, XRW_STOP_ADDRESS);
}

/* Everything that is not just the next instruction.  Returns true if it changed where we are. */
static bool attend(struct xrw_machine *m)
{
    if (m->attention & ATTENTION_EVENT) {
        deliver_event(m);
        return true;
    }
    if (m->attention & ATTENTION_STOP) {
        m->attention &= ~ATTENTION_STOP;
        if (m->after_valid) {
            m->after_valid = false;
            leave_exit(m, m->after_reason, m->after_qualification);
        }
        if (m->watch_hit_valid) {
            m->watch_hit_valid = false;
            m->result->write_gpa = m->watch_hit;
            leave_stop(m, XRW_STOP_WRITE);
        }
    }
    if (m->pending_debug && !(m->shadow & XRW_BLOCKED_BY_MOV_SS))
        raise_debug(m, m->pending_debug);
    if (m->attention & ATTENTION_WINDOW)
        check_windows(m);
    if (m->halted)
        leave_stop(m, XRW_STOP_HALTED);
    if (m->attention & ATTENTION_BREAK) {
        uint64_t hit = breakpoints(m);
        if (hit)
            raise_debug(m, hit);
    }
    return false;
}

/* A new slice of instructions, or the end. */
static void next_slice(struct xrw_machine *m)
{
    uint64_t count = cpu_count(m);

    m->count = count;
    m->slice = 0;
    m->left = 0;
    if (count >= m->last && !(m->attention & ATTENTION_STOP))
        leave_stop(m, XRW_STOP_COUNT);
    if (m->until->interrupted && *m->until->interrupted)
        leave_stop(m, XRW_STOP_INTERRUPTED);
    if (m->log)
        undo_mark(m);
    m->slice = m->last - count < slice_limit(m) ? m->last - count : slice_limit(m);
    m->left = (int64_t)m->slice;
    m->translates = m->translate && !m->no_translator && !m->checks && !m->each &&
                    m->cpu.profile == XRW_PROFILE_HOST;
    m->may_chain = !m->checks && !m->translates;
}

/* Whether one of the addresses lies within the block, behind its start. */
static bool stops_within(const struct xrw_machine *m, const struct block *block)
{
    for (size_t i = 0; i < m->until->address_count; i++)
        if (m->until->addresses[i] - block->rip - 1 < block->bytes - 1u)
            return true;
    return false;
}

static bool same_page(const struct block *a, const struct block *b)
{
    return (a->linear ^ b->linear) < XRW_PAGE_BYTES && a->mode == b->mode && !a->frame[1] &&
           !b->frame[1];
}

static void link_blocks(struct xrw_machine *m, struct block *next)
{
    if (m->want_link && m->block && m->block->valid && next->rip == m->want_rip &&
        same_page(m->block, next))
        *m->want_link = next;
    m->want_link = NULL;
}

/* The translator's mode; negative: what runs now is not for it. */
static int translate_mode(const struct xrw_machine *m)
{
    unsigned mode = (unsigned)(m->tlb - m->tlbs);
    bool off = m->mode & (MODE_TS | MODE_EM);

    if (!is_long(m) || mode >= TRANSLATE_SPACES)
        return -1;
    if (!off && m->mode & MODE_OSFXSR)
        mode |= TRANSLATE_SSE;
    if (!(m->mode & MODE_TS) && m->mode & MODE_AVX)
        mode |= TRANSLATE_AVX;
    if (!(m->mode & MODE_TS) && m->mode & MODE_AVX512)
        mode |= TRANSLATE_AVX512;
    return (int)mode;
}

/* One instruction for translated code, which runs only where nothing is to be looked at. */
bool code_step(void *machine, void **cached)
{
    struct xrw_machine *m = machine;
    struct block *block = *cached;
    const struct tlb *tlb = m->tlb;
    uint32_t mode = m->mode;

    if (!block || !block->valid || block->rip != m->rip || block->mode != (mode | MODE_SINGLE)) {
        block = code_find_single(m);
        *cached = block->frame[1] ? NULL : block; /* its second page is looked at each time */
    }
    m->undefined = translate_undefined(m->translate);
    if (block->insn[0].traits & INSN_ENDS) {
        run_single(m, block);
        return !m->attention && m->mode == mode && m->tlb == tlb;
    }
    run_block(m, block);
    return !m->attention;
}

/* Translated code, up to what the loop has to look at. */
static enum translate_end run_translated(struct xrw_machine *m)
{
    int mode = translate_mode(m);
    enum translate_end end;

    if (mode < 0)
        return TRANSLATE_STEP;
    end = translate_run(m->translate, (unsigned)mode);
    if (end == TRANSLATE_SHORT)
        m->translates = false;
    if (end != TRANSLATE_LOOK)
        m->undefined = translate_undefined(m->translate);
    return end;
}

static void loop(struct xrw_machine *m)
{
    for (;;) {
        struct block *block;

        if (UNLIKELY(m->attention & (ATTENTION_STOP | ATTENTION_EVENT)) && attend(m))
            continue;
        if (UNLIKELY(m->left <= 0))
            next_slice(m);
        if (UNLIKELY(m->attention) && attend(m))
            continue;
        if (UNLIKELY(m->checks))
            check_stops(m);
        if (m->translates && !m->attention && (run_translated(m) == TRANSLATE_LOOK || m->left <= 0))
            continue;
        block = code_find(m);
        link_blocks(m, block);
        if (LIKELY(!m->attention && block->count <= m->left) &&
            LIKELY(!m->checks || !stops_within(m, block)))
            run_block(m, block);
        else
            run_single(m, block);
    }
}

/* ---- The caller's side ---- */

/* Where an instruction that did not finish leaves the machine. */
static void unfinished(struct xrw_machine *m)
{
    if (!m->executing)
        return;
    m->executing = false;
    m->rip = m->insn->rip;
    m->left += m->charged - m->insn->position;
    m->shadow_new = false;
}

static void begin(struct xrw_machine *m, const struct xrw_machine_until *until,
                  struct xrw_machine_result *result)
{
    *result = (struct xrw_machine_result){0};
    m->until = until;
    m->result = result;
    m->count = m->start_count = cpu_count(m);
    m->slice = 0;
    m->left = 0;
    m->stall_count = m->count;
    m->stalls = 0;
    m->start_rip = m->rip;
    m->last =
        until->instructions > UINT64_MAX - m->count ? UINT64_MAX : m->count + until->instructions;
    m->checks = until->address_count;
    m->each = until->predicate != NULL;
    m->predicate = not_yet;
    m->predicate_ctx = m;
    m->may_chain = m->translates = false;
    m->want_link = NULL;
    m->block = NULL;
    m->watch_hit_valid = m->after_valid = false;
    m->undefined_stored = false;
    m->executing = false;
    m->delivering.valid = false;
    if (until->write_count)
        mmu_flush(m);
    cpu_update(m);
    undo_mark(m);
}

static void end(struct xrw_machine *m)
{
    struct xrw_machine_result *result = m->result;

    m->count = cpu_count(m);
    m->slice = 0;
    m->left = 0;
    m->attention &= ~ATTENTION_STOP;
    if (m->until->write_count)
        mmu_flush(m);
    m->each = false;
    cpu_update(m);
    result->instructions = m->count - m->start_count;
    if (result->stop == XRW_STOP_EXIT)
        xrw_machine_registers(m, &result->exit.before);
    m->until = NULL;
    m->result = NULL;
    m->leave = NULL;
}

int xrw_machine_run(struct xrw_machine *m, const struct xrw_machine_until *until,
                    struct xrw_machine_result *result)
{
    jmp_buf leave;
    int rc;

    if (!until || (until->address_count && !until->addresses) ||
        (until->write_count && !until->writes))
        return -EINVAL;
    rc = native_enter(m->native);
    if (rc)
        return rc;
    begin(m, until, result);
    m->leave = &leave;
    if (setjmp(leave) != LEAVE_STOP) {
        unfinished(m);
        loop(m);
    }
    unfinished(m);
    end(m);
    native_leave(m->native);
    return 0;
}
