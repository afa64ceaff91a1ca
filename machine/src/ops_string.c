/* SPDX-License-Identifier: GPL-2.0-or-later */
/* MOVS, STOS, LODS, SCAS, CMPS, with REP. */
#include "ops.h"

#define F_ZF 0x4000u
/* After so many elements the loop between instructions gets its turn. */
#define TURN 65536u
#define TURN_WEIGHT 1u

struct string {
    unsigned size;
    uint64_t mask;
    uint64_t step;
    bool rep;
};

static struct string begin(struct xrw_machine *m, const struct insn *insn)
{
    m->insn = insn;
    return (struct string){
        .size = insn->size,
        .mask = address_mask(insn),
        .step = m->rflags & RFLAGS_DF ? -(uint64_t)insn->size : insn->size,
        .rep = insn->traits & (INSN_REP | INSN_REPNE),
    };
}

static uint64_t linear_of(struct xrw_machine *m, const struct insn *insn, unsigned segment,
                          uint64_t offset, bool write)
{
    if (insn->traits & INSN_LEGACY)
        return legacy_linear(m, segment, offset, insn->size, write);
    return offset + (segment >= SEG_FS ? m->seg[segment].base : 0);
}

static void advance(struct xrw_machine *m, const struct string *s, enum gpr reg, uint64_t steps)
{
    uint64_t value = (m->n.gpr[reg] + s->step * steps) & s->mask;

    reg_write(m, GPR_OFFSET(reg), s->mask == 0xffff ? 2 : s->mask == UINT64_MAX ? 8 : 4, value);
}

static void count_down(struct xrw_machine *m, const struct string *s, uint64_t steps)
{
    uint64_t value = (m->n.gpr[RCX] - steps) & s->mask;

    reg_write(m, GPR_OFFSET(RCX), s->mask == 0xffff ? 2 : s->mask == UINT64_MAX ? 8 : 4, value);
}

static void do_movs(struct xrw_machine *m, const struct insn *insn, const struct string *s)
{
    uint64_t from = linear_of(m, insn, insn->segment, m->n.gpr[RSI] & s->mask, false);
    uint64_t to = linear_of(m, insn, SEG_ES, m->n.gpr[RDI] & s->mask, true);
    uint64_t value = memory_read(m, insn->segment, from, s->size);

    memory_write(m, SEG_ES, to, value, s->size);
    advance(m, s, RSI, 1);
    advance(m, s, RDI, 1);
}

static void do_stos(struct xrw_machine *m, const struct insn *insn, const struct string *s)
{
    memory_write(m, SEG_ES, linear_of(m, insn, SEG_ES, m->n.gpr[RDI] & s->mask, true),
                 m->n.gpr[RAX], s->size);
    advance(m, s, RDI, 1);
}

static void do_lods(struct xrw_machine *m, const struct insn *insn, const struct string *s)
{
    uint64_t from = linear_of(m, insn, insn->segment, m->n.gpr[RSI] & s->mask, false);

    reg_write(m, GPR_OFFSET(RAX), s->size, memory_read(m, insn->segment, from, s->size));
    advance(m, s, RSI, 1);
}

/* Flags of a - b. */
static void compare(struct xrw_machine *m, uint64_t a, uint64_t b, unsigned size)
{
    uint64_t sign = BIT(8 * size - 1), mask = sign | (sign - 1), r = (a - b) & mask;
    unsigned parity = (unsigned)(r ^ r >> 4) & 15;
    uint64_t rflags = 0;

    a &= mask;
    b &= mask;
    rflags |= a < b ? RFLAGS_CF : 0;
    rflags |= 0x9669 >> parity & 1 ? RFLAGS_PF : 0;
    rflags |= (a ^ b ^ r) & RFLAGS_AF;
    rflags |= r ? 0 : RFLAGS_ZF;
    rflags |= r & sign ? RFLAGS_SF : 0;
    rflags |= (a ^ b) & (a ^ r) & sign ? RFLAGS_OF : 0;
    set_status(m, rflags);
}

static void do_scas(struct xrw_machine *m, const struct insn *insn, const struct string *s)
{
    uint64_t at = linear_of(m, insn, SEG_ES, m->n.gpr[RDI] & s->mask, false);

    compare(m, m->n.gpr[RAX], memory_read(m, SEG_ES, at, s->size), s->size);
    advance(m, s, RDI, 1);
}

static void do_cmps(struct xrw_machine *m, const struct insn *insn, const struct string *s)
{
    uint64_t a = linear_of(m, insn, insn->segment, m->n.gpr[RSI] & s->mask, false);
    uint64_t b = linear_of(m, insn, SEG_ES, m->n.gpr[RDI] & s->mask, false);
    uint64_t left = memory_read(m, insn->segment, a, s->size);

    compare(m, left, memory_read(m, SEG_ES, b, s->size), s->size);
    advance(m, s, RSI, 1);
    advance(m, s, RDI, 1);
}

/* ---- Many at once, within a page ---- */

/* How many elements lie ahead in the page, at most those wanted. */
static uint64_t ahead(uint64_t linear, unsigned size, uint64_t wanted)
{
    uint64_t room = (XRW_PAGE_BYTES - linear % XRW_PAGE_BYTES) / size;

    return wanted < room ? wanted : room;
}

static bool plain(const struct xrw_machine *m, const struct insn *insn, const struct string *s)
{
    return s->rep && !(insn->traits & INSN_LEGACY) && !(m->rflags & RFLAGS_DF) &&
           m->tlb != &m->tlbs[TLB_NEVER] && !(m->attention & ATTENTION_TRAP);
}

static uint64_t bulk_stos(struct xrw_machine *m, const struct insn *insn, const struct string *s)
{
    uint64_t linear = m->n.gpr[RDI], n;
    uint8_t *host;

    if (!plain(m, insn, s) || (n = ahead(linear, s->size, m->n.gpr[RCX])) < 2)
        return 0;
    host = access_write(m, SEG_ES, linear, (unsigned)(n * s->size), ACCESS_WRITE);
    if (m->bounced)
        return 0;
    for (uint64_t i = 0; i < n; i++)
        store(host + i * s->size, m->n.gpr[RAX], s->size);
    advance(m, s, RDI, n);
    return n;
}

static uint64_t bulk_movs(struct xrw_machine *m, const struct insn *insn, const struct string *s)
{
    uint64_t from = m->n.gpr[RSI], to = m->n.gpr[RDI], n;
    const uint8_t *in;
    uint8_t *out;

    if (!plain(m, insn, s))
        return 0;
    if (insn->segment >= SEG_FS)
        from += m->seg[insn->segment].base;
    n = ahead(to, s->size, ahead(from, s->size, m->n.gpr[RCX]));
    if (n < 2)
        return 0;
    in = access_read(m, insn->segment, from, (unsigned)(n * s->size));
    out = access_write(m, SEG_ES, to, (unsigned)(n * s->size), ACCESS_WRITE);
    in = access_read(m, insn->segment, from,
                     (unsigned)(n * s->size)); /* the write may have moved it */
    if (m->bounced || in == m->bounce || (out > in && out < in + n * s->size)) {
        return 0;
    }
    memmove(out, in, n * s->size);
    advance(m, s, RSI, n);
    advance(m, s, RDI, n);
    return n;
}

/* ---- REP ---- */

typedef void element(struct xrw_machine *m, const struct insn *insn, const struct string *s);
typedef uint64_t bulk(struct xrw_machine *m, const struct insn *insn, const struct string *s);

/* The instruction goes on at the same RIP: not done yet. */
static void turn(struct xrw_machine *m, const struct insn *insn)
{
    m->rip = insn->rip;
    m->left += m->charged - insn->position;
    m->executing = false;
    run_stalled(m, TURN_WEIGHT);
}

/* Returns whether it is done. */
static NOINLINE bool repeat(struct xrw_machine *m, const struct insn *insn, element *one,
                            bulk *many, bool compares)
{
    unsigned limit = m->attention & ATTENTION_TRAP ? 1 : TURN;
    struct string s = begin(m, insn);

    for (unsigned i = 0; m->n.gpr[RCX] & s.mask; i++) {
        uint64_t n;

        if (i == limit || UNLIKELY(m->after_valid || m->attention & ATTENTION_DEBUG)) {
            turn(m, insn);
            return false;
        }
        n = many ? many(m, insn, &s) : 0;
        if (!n) {
            one(m, insn, &s);
            n = 1;
        }
        count_down(m, &s, n);
        if (compares && !(m->n.flags & F_ZF) == !(insn->traits & INSN_REPNE))
            break;
    }
    return true;
}

static NOINLINE void once(struct xrw_machine *m, const struct insn *insn, element *one)
{
    struct string s = begin(m, insn);

    one(m, insn, &s);
}

/* Going on is a jump: nothing of the instruction may be left on the host's stack. */
static inline void run(struct xrw_machine *m, const struct insn *insn, element *one, bulk *many,
                       bool compares)
{
    if (!(insn->traits & (INSN_REP | INSN_REPNE))) {
        once(m, insn, one);
        NEXT(m, insn);
        return;
    }
    if (repeat(m, insn, one, many, compares))
        go(m, insn->rip + insn->length, 1);
}

void op_movs(struct xrw_machine *m, const struct insn *insn)
{
    run(m, insn, do_movs, bulk_movs, false);
}

void op_stos(struct xrw_machine *m, const struct insn *insn)
{
    run(m, insn, do_stos, bulk_stos, false);
}

void op_lods(struct xrw_machine *m, const struct insn *insn)
{
    run(m, insn, do_lods, NULL, false);
}

void op_scas(struct xrw_machine *m, const struct insn *insn)
{
    run(m, insn, do_scas, NULL, true);
}

void op_cmps(struct xrw_machine *m, const struct insn *insn)
{
    run(m, insn, do_cmps, NULL, true);
}
