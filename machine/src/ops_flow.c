/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Jumps, calls, returns within a segment; software interrupts. */
#include "ops.h"
#include "push.h"

/* Status flags in the form that native_state has them. */
#define F_OF 0x0001u
#define F_CF 0x0100u
#define F_PF 0x0400u
#define F_ZF 0x4000u
#define F_SF 0x8000u
#define F_LESS(f) (((f) >> 15 ^ (f)) & 1u)

#define JCC(name, condition)                                                                       \
    void op_##name(struct xrw_machine *m, const struct insn *insn)                                 \
    {                                                                                              \
        unsigned f = m->n.flags;                                                                   \
        if (condition)                                                                             \
            go(m, insn->target, 0);                                                                \
        else                                                                                       \
            go(m, insn->rip + insn->length, 1);                                                    \
    }

JCC(jo, f &F_OF)
JCC(jno, !(f & F_OF))
JCC(jb, f &F_CF)
JCC(jnb, !(f & F_CF))
JCC(jz, f &F_ZF)
JCC(jnz, !(f & F_ZF))
JCC(jbe, f &(F_CF | F_ZF))
JCC(jnbe, !(f & (F_CF | F_ZF)))
JCC(js, f &F_SF)
JCC(jns, !(f & F_SF))
JCC(jp, f &F_PF)
JCC(jnp, !(f & F_PF))
JCC(jl, F_LESS(f))
JCC(jnl, !F_LESS(f))
JCC(jle, f &F_ZF || F_LESS(f))
JCC(jnle, !(f & F_ZF || F_LESS(f)))

/* An address that was computed: it must be one that code can have. */
static inline uint64_t check_target(struct xrw_machine *m, const struct insn *insn, uint64_t target)
{
    if (LIKELY(is_long(m))) {
        if (UNLIKELY(!cpu_canonical(m, target)))
            raise_error(m, VECTOR_GP, 0);
        return target;
    }
    target &= insn->size == 2 ? 0xffffu : 0xffffffffu;
    if (target > m->seg[SEG_CS].limit)
        raise_error(m, VECTOR_GP, 0);
    return target;
}

void op_jmp(struct xrw_machine *m, const struct insn *insn)
{
    go(m, insn->target, 0);
}

void op_jmp_near(struct xrw_machine *m, const struct insn *insn)
{
    m->insn = insn;
    m->rip = check_target(m, insn, source_read(m, insn, insn->size));
}

void op_call(struct xrw_machine *m, const struct insn *insn)
{
    m->insn = insn;
    push(m, insn->rip + insn->length, insn->size);
    go(m, insn->target, 0);
}

void op_call_near(struct xrw_machine *m, const struct insn *insn)
{
    uint64_t target;

    m->insn = insn;
    target = check_target(m, insn, source_read(m, insn, insn->size));
    push(m, insn->rip + insn->length, insn->size);
    m->rip = target;
}

void op_ret(struct xrw_machine *m, const struct insn *insn)
{
    uint64_t target;

    m->insn = insn;
    target = check_target(m, insn, peek(m, 0, insn->size));
    add_rsp(m, insn->size + insn->imm);
    m->rip = target;
}

/* LOOPNE, LOOPE, LOOP by detail 0, 1, 2. */
void op_loop(struct xrw_machine *m, const struct insn *insn)
{
    uint64_t mask = address_mask(insn), rcx = (m->n.gpr[RCX] - 1) & mask;
    bool zero = m->n.flags & F_ZF;

    reg_write(m, GPR_OFFSET(RCX), insn->address, rcx);
    if (rcx && (insn->detail == 2 || zero == (insn->detail == 1)))
        go(m, insn->target, 0);
    else
        go(m, insn->rip + insn->length, 1);
}

void op_jcxz(struct xrw_machine *m, const struct insn *insn)
{
    if (!(m->n.gpr[RCX] & address_mask(insn)))
        go(m, insn->target, 0);
    else
        go(m, insn->rip + insn->length, 1);
}

/* ---- Software interrupts ---- */

static void soft(struct xrw_machine *m, const struct insn *insn, enum event_type type,
                 uint64_t vector)
{
    m->insn = insn;
    raise_event(m, &(struct event){
                       .type = (uint8_t)type, .vector = (uint8_t)vector, .insn_len = insn->length});
}

void op_int(struct xrw_machine *m, const struct insn *insn)
{
    m->insn = insn;
    if (m->mode & MODE_V86 && iopl(m) < 3)
        raise_error(m, VECTOR_GP, 0);
    soft(m, insn, EVENT_SOFT_INT, insn->imm);
}

void op_int3(struct xrw_machine *m, const struct insn *insn)
{
    soft(m, insn, EVENT_SOFT_EXC, VECTOR_BP);
}

void op_into(struct xrw_machine *m, const struct insn *insn)
{
    if (m->n.flags & F_OF)
        soft(m, insn, EVENT_SOFT_EXC, VECTOR_OF);
    NEXT(m, insn);
}

void op_int1(struct xrw_machine *m, const struct insn *insn)
{
    soft(m, insn, EVENT_ICEBP, VECTOR_DB);
}
