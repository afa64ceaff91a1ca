/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Transfers between segments.  Source: Intel SDM, the pseudocode of CALL, JMP, RET and IRET. */
#include "push.h"
#include "segment.h"

#define SOURCE_CALL 0
#define SOURCE_IRET 1
#define SOURCE_JMP 2

/* The far pointer: immediate (imm: offset, detail set and disp: selector), or in memory. */
static uint64_t far_pointer(struct xrw_machine *m, const struct insn *insn, uint16_t *selector)
{
    uint64_t linear, offset;

    if (!(insn->traits & INSN_MEMORY)) {
        *selector = (uint16_t)insn->disp;
        return insn->imm;
    }
    linear = operand_linear(m, insn);
    offset = memory_read(m, insn->segment, linear, insn->size);
    *selector = (uint16_t)memory_read(m, insn->segment, linear + insn->size, 2);
    return offset;
}

static void check_code_limit(struct xrw_machine *m, uint64_t raw, uint64_t offset)
{
    uint16_t attr = descriptor_attr(raw);

    if (m->efer & EFER_LMA && attr & ATTR_L) {
        if (!cpu_canonical(m, offset))
            raise_error(m, VECTOR_GP, 0);
    } else if (offset > descriptor_segment(raw, 0).limit) {
        raise_error(m, VECTOR_GP, 0);
    }
}

static void transfer_real(struct xrw_machine *m, uint16_t selector, uint64_t offset)
{
    if (offset > m->seg[SEG_CS].limit)
        raise_error(m, VECTOR_GP, 0);
    m->seg[SEG_CS].selector = selector;
    m->seg[SEG_CS].base = (uint64_t)selector << 4;
    m->rip = offset;
    cpu_update(m);
}

/* A code segment that JMP and CALL may go to at the same privilege. */
static void check_direct(struct xrw_machine *m, uint16_t selector, uint16_t attr)
{
    uint32_t error = selector & 0xfffcu;

    if (attr & ATTR_CONFORMING ? ATTR_DPL(attr) > m->cpl
                               : SELECTOR_RPL(selector) > m->cpl || ATTR_DPL(attr) != m->cpl)
        raise_error(m, VECTOR_GP, error);
    code_check_mode(m, selector, attr);
    if (!(attr & ATTR_P))
        raise_error(m, VECTOR_NP, error);
}

struct call_gate {
    uint16_t selector;
    uint64_t offset, raw; /* raw: of the code segment */
    unsigned size, parameters, cpl;
};

static struct call_gate read_call_gate(struct xrw_machine *m, uint16_t selector, uint64_t gate,
                                       bool jump)
{
    uint16_t attr = descriptor_attr(gate), code;
    uint32_t error = selector & 0xfffcu;
    struct call_gate g = {
        .selector = (uint16_t)(gate >> 16),
        .offset = (gate & 0xffff) | (gate >> 32 & 0xffff0000),
        .parameters = (unsigned)(gate >> 32) & 31,
        .size = m->efer & EFER_LMA ? 8
                : attr & 8         ? 4
                                   : 2,
    };

    if (ATTR_DPL(attr) < m->cpl || ATTR_DPL(attr) < SELECTOR_RPL(selector))
        raise_error(m, VECTOR_GP, error);
    if (!(attr & ATTR_P))
        raise_error(m, VECTOR_NP, error);
    if (g.size == 8) {
        g.offset |= descriptor_upper(m, selector) << 32;
        g.parameters = 0;
    } else if (g.size == 2) {
        g.offset &= 0xffff;
    }
    g.raw = descriptor_require(m, g.selector, VECTOR_GP);
    code = descriptor_attr(g.raw);
    error = g.selector & 0xfffcu;
    if ((code & (ATTR_S | ATTR_CODE)) != (ATTR_S | ATTR_CODE) || ATTR_DPL(code) > m->cpl ||
        (g.size == 8 && (code & (ATTR_L | ATTR_DB)) != ATTR_L) ||
        (jump && !(code & ATTR_CONFORMING) && ATTR_DPL(code) != m->cpl))
        raise_error(m, VECTOR_GP, error);
    if (!(code & ATTR_P))
        raise_error(m, VECTOR_NP, error);
    g.cpl = jump || code & ATTR_CONFORMING ? m->cpl : ATTR_DPL(code);
    check_code_limit(m, g.raw, g.offset);
    return g;
}

static void call_through_gate(struct xrw_machine *m, const struct insn *insn, uint16_t selector,
                              uint64_t gate)
{
    struct call_gate g = read_call_gate(m, selector, gate, false);
    struct stack stack = stack_current(m), old = stack;
    uint64_t parameter[32];

    if (g.cpl != m->cpl) {
        for (unsigned i = 0; i < g.parameters; i++)
            parameter[i] = stack_pop(m, &old, g.size);
        stack = tss_stack(m, g.cpl);
        stack_push(m, &stack, m->seg[SEG_SS].selector, g.size);
        stack_push(m, &stack, m->n.gpr[RSP], g.size);
        for (unsigned i = g.parameters; i-- > 0;)
            stack_push(m, &stack, parameter[i], g.size);
    }
    stack_push(m, &stack, m->seg[SEG_CS].selector, g.size);
    stack_push(m, &stack, insn->rip + insn->length, g.size);
    if (g.cpl != m->cpl) {
        m->seg[SEG_SS] =
            g.size == 8
                ? (struct segment_register){.selector = (uint16_t)g.cpl,
                                            .attr = (uint16_t)(g.cpl << 5 | ATTR_DB | ATTR_G),
                                            .limit = 0xffffffff}
                : stack.ss;
    }
    stack_keep(m, &stack);
    code_load(m, g.selector, g.raw, g.cpl);
    m->rip = g.offset;
}

/* JMP and CALL to something that is no code segment. */
static void transfer_system(struct xrw_machine *m, const struct insn *insn, uint16_t selector,
                            uint64_t raw, bool call)
{
    uint16_t attr = descriptor_attr(raw);
    unsigned type = attr & ATTR_TYPE;
    bool wide = m->efer & EFER_LMA;

    if (type == SYS_CALL || (type == SYS_CALL16 && !wide)) {
        if (call) {
            call_through_gate(m, insn, selector, raw);
        } else {
            struct call_gate g = read_call_gate(m, selector, raw, true);
            code_load(m, g.selector, g.raw, m->cpl);
            m->rip = g.offset;
        }
        return;
    }
    if (!wide && (type == SYS_TSS || type == SYS_TSS16 || type == SYS_TASK)) {
        if (ATTR_DPL(attr) < m->cpl || ATTR_DPL(attr) < SELECTOR_RPL(selector))
            raise_error(m, VECTOR_GP, selector & 0xfffcu);
        if (!(attr & ATTR_P))
            raise_error(m, VECTOR_NP, selector & 0xfffcu);
        task_switch(m, type == SYS_TASK ? (uint16_t)(raw >> 16) : selector,
                    call ? SOURCE_CALL : SOURCE_JMP);
    }
    raise_error(m, VECTOR_GP, selector & 0xfffcu);
}

static void transfer(struct xrw_machine *m, const struct insn *insn, bool call)
{
    struct stack stack;
    uint16_t selector, attr;
    uint64_t offset, raw = 0;

    m->insn = insn;
    offset = far_pointer(m, insn, &selector);
    stack = stack_current(m);
    if (m->mode & MODE_PROTECTED) {
        raw = descriptor_require(m, selector, VECTOR_GP);
        attr = descriptor_attr(raw);
        if ((attr & (ATTR_S | ATTR_CODE)) != (ATTR_S | ATTR_CODE)) {
            if (attr & ATTR_S)
                raise_error(m, VECTOR_GP, selector & 0xfffcu);
            transfer_system(m, insn, selector, raw, call);
            return;
        }
        check_direct(m, selector, attr);
        check_code_limit(m, raw, offset);
    } else if (offset > m->seg[SEG_CS].limit) {
        raise_error(m, VECTOR_GP, 0);
    }
    if (call) {
        stack_push(m, &stack, m->seg[SEG_CS].selector, insn->size);
        stack_push(m, &stack, insn->rip + insn->length, insn->size);
        stack_keep(m, &stack);
    }
    if (m->mode & MODE_PROTECTED) {
        code_load(m, selector, raw, m->cpl);
        m->rip = offset;
    } else {
        transfer_real(m, selector, offset);
    }
}

void op_jmp_far(struct xrw_machine *m, const struct insn *insn)
{
    transfer(m, insn, false);
}

void op_call_far(struct xrw_machine *m, const struct insn *insn)
{
    transfer(m, insn, true);
}

/* ---- Returning ---- */

/* Data segments that the outer level may not use become null. */
static void drop_segments(struct xrw_machine *m)
{
    static const uint8_t data[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};

    for (unsigned i = 0; i < 4; i++) {
        struct segment_register *s = &m->seg[data[i]];
        bool conforming =
            (s->attr & (ATTR_CODE | ATTR_CONFORMING)) == (ATTR_CODE | ATTR_CONFORMING);
        if (s->attr & ATTR_P && !conforming && ATTR_DPL(s->attr) < m->cpl) {
            s->selector = 0;
            s->attr = 0;
            if (!m->cpu.amd)
                s->base = 0;
        }
    }
}

struct target {
    uint16_t cs, ss;
    uint64_t rip, rsp, raw;
    bool outer;
};

/* The code segment to return to: checks of RETF and IRET. */
static void check_return(struct xrw_machine *m, struct target *t)
{
    uint16_t attr;
    uint32_t error = t->cs & 0xfffcu;

    t->raw = descriptor_require(m, t->cs, VECTOR_GP);
    attr = descriptor_attr(t->raw);
    if ((attr & (ATTR_S | ATTR_CODE)) != (ATTR_S | ATTR_CODE) || SELECTOR_RPL(t->cs) < m->cpl)
        raise_error(m, VECTOR_GP, error);
    if (attr & ATTR_CONFORMING ? ATTR_DPL(attr) > SELECTOR_RPL(t->cs)
                               : ATTR_DPL(attr) != SELECTOR_RPL(t->cs))
        raise_error(m, VECTOR_GP, error);
    code_check_mode(m, t->cs, attr);
    if (!(attr & ATTR_P))
        raise_error(m, VECTOR_NP, error);
    t->outer = SELECTOR_RPL(t->cs) > m->cpl;
}

/* The stack to return to. */
static struct segment_register return_stack(struct xrw_machine *m, const struct target *t)
{
    unsigned cpl = SELECTOR_RPL(t->cs);
    bool to64 = m->efer & EFER_LMA && descriptor_attr(t->raw) & ATTR_L;

    if (SELECTOR_NULL(t->ss)) {
        if (!to64 || cpl == 3 || SELECTOR_RPL(t->ss) != cpl)
            raise_error(m, VECTOR_GP, 0);
        return (struct segment_register){.selector = t->ss,
                                         .attr = (uint16_t)(cpl << 5 | ATTR_DB | ATTR_G),
                                         .limit = 0xffffffff};
    }
    return stack_segment(m, t->ss, cpl, VECTOR_GP);
}

static void return_to(struct xrw_machine *m, const struct target *t, bool loads_stack,
                      const struct segment_register *ss)
{
    bool was_outer = t->outer;

    code_load(m, t->cs, t->raw, SELECTOR_RPL(t->cs));
    m->rip = t->rip;
    if (loads_stack) {
        m->seg[SEG_SS] = *ss;
        cpu_update(m);
        set_rsp(m, t->rsp);
    }
    if (was_outer)
        drop_segments(m);
    cpu_update(m);
}

void op_ret_far(struct xrw_machine *m, const struct insn *insn)
{
    struct stack stack = stack_current(m);
    struct segment_register ss = {0};
    struct target t = {0};

    m->insn = insn;
    t.rip = stack_pop(m, &stack, insn->size);
    t.cs = (uint16_t)stack_pop(m, &stack, insn->size);
    if (!(m->mode & MODE_PROTECTED)) {
        stack.pointer += insn->imm;
        if (t.rip > m->seg[SEG_CS].limit)
            raise_error(m, VECTOR_GP, 0);
        stack_keep(m, &stack);
        transfer_real(m, t.cs, t.rip);
        return;
    }
    check_return(m, &t);
    check_code_limit(m, t.raw, t.rip);
    stack.pointer += insn->imm;
    if (t.outer) {
        t.rsp = stack_pop(m, &stack, insn->size);
        t.ss = (uint16_t)stack_pop(m, &stack, insn->size);
        t.rsp += insn->imm;
        ss = return_stack(m, &t);
    } else {
        stack_keep(m, &stack);
    }
    return_to(m, &t, t.outer, &ss);
}

/* ---- IRET ---- */

static uint64_t iret_writable(const struct xrw_machine *m, unsigned size)
{
    uint64_t bits =
        RFLAGS_STATUS | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT | RFLAGS_RF | RFLAGS_AC | RFLAGS_ID;

    if (m->cpl <= iopl(m))
        bits |= RFLAGS_IF;
    if (m->cpl == 0)
        bits |= RFLAGS_IOPL | RFLAGS_VIF | RFLAGS_VIP;
    return size == 2 ? bits & 0xffff : bits;
}

static void iret_real(struct xrw_machine *m, const struct insn *insn)
{
    struct stack stack = stack_current(m);
    uint64_t rip, rflags, bits = RFLAGS_ALL & ~(RFLAGS_VM | RFLAGS_VIF | RFLAGS_VIP);
    uint16_t cs;

    if (m->mode & MODE_V86) {
        if (iopl(m) < 3)
            raise_error(m, VECTOR_GP, 0);
        bits &= ~RFLAGS_IOPL;
    }
    if (insn->size == 2)
        bits &= 0xffff;
    rip = stack_pop(m, &stack, insn->size);
    cs = (uint16_t)stack_pop(m, &stack, insn->size);
    rflags = stack_pop(m, &stack, insn->size);
    if (rip > m->seg[SEG_CS].limit)
        raise_error(m, VECTOR_GP, 0);
    stack_keep(m, &stack);
    transfer_real(m, cs, rip);
    cpu_set_rflags(m, (cpu_rflags(m) & ~bits) | (rflags & bits));
}

/* From CPL 0 to virtual-8086 mode. */
static void iret_v86(struct xrw_machine *m, struct stack *stack, uint64_t rip, uint16_t cs,
                     uint64_t rflags)
{
    static const uint8_t order[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    uint64_t rsp = stack_pop(m, stack, 4);
    uint16_t selector[SEG_COUNT];

    selector[SEG_SS] = (uint16_t)stack_pop(m, stack, 4);
    for (unsigned i = 0; i < 4; i++)
        selector[order[i]] = (uint16_t)stack_pop(m, stack, 4);
    selector[SEG_CS] = cs;
    for (unsigned i = 0; i < SEG_COUNT; i++)
        m->seg[i] =
            (struct segment_register){selector[i], 0xf3, 0xffff, (uint64_t)selector[i] << 4};
    m->cpl = 3;
    m->rip = rip & 0xffff;
    m->n.gpr[RSP] = rsp;
    cpu_set_rflags(m, rflags);
}

static void iret_protected(struct xrw_machine *m, const struct insn *insn)
{
    struct stack stack = stack_current(m);
    struct segment_register ss = {0};
    struct target t = {0};
    bool loads_stack, from64 = is_long(m);
    uint64_t rflags, bits = iret_writable(m, insn->size);

    if (m->rflags & RFLAGS_NT) {
        if (m->efer & EFER_LMA)
            raise_error(m, VECTOR_GP, 0);
        task_switch(m, (uint16_t)system_read(m, m->tr.base, 2), SOURCE_IRET);
    }
    t.rip = stack_pop(m, &stack, insn->size);
    t.cs = (uint16_t)stack_pop(m, &stack, insn->size);
    rflags = stack_pop(m, &stack, insn->size);
    if (rflags & RFLAGS_VM && m->cpl == 0 && !(m->efer & EFER_LMA) && insn->size == 4) {
        iret_v86(m, &stack, t.rip, t.cs, rflags);
        return;
    }
    check_return(m, &t);
    loads_stack = t.outer || from64;
    if (loads_stack) {
        t.rsp = stack_pop(m, &stack, insn->size);
        t.ss = (uint16_t)stack_pop(m, &stack, insn->size);
        ss = return_stack(m, &t);
    }
    check_code_limit(m, t.raw, t.rip);
    if (!loads_stack)
        stack_keep(m, &stack);
    return_to(m, &t, loads_stack, &ss);
    cpu_set_rflags(m, (cpu_rflags(m) & ~bits) | (rflags & bits));
}

void op_iret(struct xrw_machine *m, const struct insn *insn)
{
    m->insn = insn;
    if (m->mode & MODE_PROTECTED)
        iret_protected(m, insn);
    else
        iret_real(m, insn);
    m->shadow &= ~XRW_BLOCKED_BY_NMI;
    cpu_update(m);
}
