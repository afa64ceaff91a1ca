/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Delivering exceptions and interrupts through the IDT.
 * Source: Intel SDM, "Interrupt and Exception Handling". */
#include "segment.h"

#define IDT_ERROR(vector) ((uint32_t)(vector) << 3 | 2)

struct gate {
    uint16_t selector;
    unsigned type, dpl, ist;
    uint64_t offset;
};

static bool is_soft(const struct event *event)
{
    return event->type == EVENT_SOFT_INT || event->type == EVENT_SOFT_EXC;
}

static struct gate read_gate(struct xrw_machine *m, const struct event *event)
{
    bool wide = m->efer & EFER_LMA;
    unsigned bytes = wide ? 16 : 8, at = event->vector * bytes;
    uint32_t error = IDT_ERROR(event->vector);
    uint64_t low;
    struct gate gate;

    if (at + bytes - 1 > m->idtr.limit)
        raise_error(m, VECTOR_GP, error);
    low = system_read(m, m->idtr.base + at, 8);
    gate = (struct gate){
        .selector = (uint16_t)(low >> 16),
        .type = (unsigned)(low >> 40) & 0x1f,
        .dpl = (unsigned)(low >> 45) & 3,
        .ist = wide ? (unsigned)(low >> 32) & 7 : 0,
        .offset = (low & 0xffff) | (low >> 32 & 0xffff0000),
    };
    if (wide)
        gate.offset |= system_read(m, m->idtr.base + at + 8, 8) << 32;
    if (wide ? gate.type != SYS_INT && gate.type != SYS_TRAP
             : gate.type != SYS_TASK && (gate.type & 0x16) != 6)
        raise_error(m, VECTOR_GP, error);
    if (is_soft(event) && gate.dpl < m->cpl)
        raise_error(m, VECTOR_GP, error);
    if (!(low >> 47 & 1))
        raise_error(m, VECTOR_NP, error);
    if (!wide && !(gate.type & 8))
        gate.offset &= 0xffff;
    return gate;
}

/* The handler's code segment: its descriptor and privilege level. */
static uint64_t read_code(struct xrw_machine *m, const struct gate *gate, unsigned *cpl)
{
    uint64_t raw = descriptor_require(m, gate->selector, VECTOR_GP);
    uint16_t attr = descriptor_attr(raw);
    uint32_t error = gate->selector & 0xfffcu;

    if ((attr & (ATTR_S | ATTR_CODE)) != (ATTR_S | ATTR_CODE) || ATTR_DPL(attr) > m->cpl)
        raise_error(m, VECTOR_GP, error);
    if (m->efer & EFER_LMA && (attr & (ATTR_L | ATTR_DB)) != ATTR_L)
        raise_error(m, VECTOR_GP, error);
    if (!(attr & ATTR_P))
        raise_error(m, VECTOR_NP, error);
    *cpl = attr & ATTR_CONFORMING ? m->cpl : ATTR_DPL(attr);
    if (m->mode & MODE_V86 && *cpl)
        raise_error(m, VECTOR_GP, error);
    return raw;
}

/* RFLAGS as pushed.  Faults, and interrupts within a REP, resume without breakpoint. */
static uint64_t pushed_rflags(const struct xrw_machine *m, const struct event *event)
{
    uint64_t rflags = cpu_rflags(m);

    if (event->type == EVENT_HARDWARE && event->vector != VECTOR_DB && !event->injected)
        rflags |= RFLAGS_RF;
    return rflags;
}

static struct stack handler_stack(struct xrw_machine *m, const struct gate *gate, unsigned cpl)
{
    struct stack stack;

    if (m->efer & EFER_LMA) {
        if (gate->ist) {
            unsigned offset = 36 + 8 * (gate->ist - 1);
            if (!(m->tr.attr & ATTR_P) || offset + 7 > m->tr.limit)
                raise_error(m, VECTOR_TS, m->tr.selector & 0xfffcu);
            stack = (struct stack){.pointer = system_read(m, m->tr.base + offset, 8), .cpl = cpl};
        } else if (cpl != m->cpl) {
            stack = tss_stack(m, cpl);
        } else {
            stack = (struct stack){.pointer = m->n.gpr[RSP], .cpl = cpl};
        }
        stack.wide = true;
        stack.mask = UINT64_MAX;
        stack.pointer &= ~UINT64_C(15);
        return stack;
    }
    return cpl != m->cpl || m->mode & MODE_V86 ? tss_stack(m, cpl) : stack_current(m);
}

static void push_frame(struct xrw_machine *m, struct stack *stack, const struct gate *gate,
                       const struct event *event, bool outer)
{
    bool wide = m->efer & EFER_LMA;
    unsigned size = wide ? 8 : gate->type & 8 ? 4 : 2;
    uint64_t next = is_soft(event) || event->type == EVENT_ICEBP ? event->insn_len : 0;

    if (m->mode & MODE_V86) {
        static const uint8_t order[] = {SEG_GS, SEG_FS, SEG_DS, SEG_ES};
        for (unsigned i = 0; i < 4; i++)
            stack_push(m, stack, m->seg[order[i]].selector, size);
    }
    if (outer || wide) {
        stack_push(m, stack, m->seg[SEG_SS].selector, size);
        stack_push(m, stack, m->n.gpr[RSP], size);
    }
    stack_push(m, stack, pushed_rflags(m, event), size);
    stack_push(m, stack, m->seg[SEG_CS].selector, size);
    stack_push(m, stack, m->rip + next, size);
    if (event->has_error)
        stack_push(m, stack, event->error, size);
    m->undefined_stored |= m->undefined != 0;
}

static void new_stack(struct xrw_machine *m, const struct stack *stack, unsigned cpl, bool outer)
{
    if (m->efer & EFER_LMA) {
        m->n.gpr[RSP] = stack->pointer;
        if (outer)
            m->seg[SEG_SS] = (struct segment_register){
                .selector = (uint16_t)cpl,
                .attr = (uint16_t)((cpl << ATTR_DPL_SHIFT) | ATTR_DB | ATTR_G),
                .limit = 0xffffffff};
        return;
    }
    if (outer) {
        m->seg[SEG_SS] = stack->ss;
        m->n.gpr[RSP] = stack->mask == 0xffff ? (m->n.gpr[RSP] & ~UINT64_C(0xffff)) : 0;
    }
    stack_keep(m, stack);
}

static void deliver_protected(struct xrw_machine *m, const struct event *event)
{
    struct gate gate = read_gate(m, event);
    struct stack stack;
    unsigned cpl;
    uint64_t raw;
    bool v86 = m->mode & MODE_V86, outer;

    if (gate.type == SYS_TASK)
        task_switch(m, gate.selector, 3);
    raw = read_code(m, &gate, &cpl);
    outer = cpl != m->cpl || v86;
    stack = handler_stack(m, &gate, cpl);
    push_frame(m, &stack, &gate, event, outer);
    if (m->efer & EFER_LMA ? !cpu_canonical(m, gate.offset)
                           : gate.offset > descriptor_segment(raw, 0).limit)
        raise_error(m, VECTOR_GP, 0);
    descriptor_set_accessed(m, gate.selector, raw);

    new_stack(m, &stack, cpl, outer);
    if (v86)
        for (unsigned i = 0; i < SEG_COUNT; i++)
            if (i != SEG_CS && i != SEG_SS)
                m->seg[i] = (struct segment_register){0};
    m->rflags &= ~(RFLAGS_TF | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM);
    if (!(gate.type & 1))
        m->rflags &= ~RFLAGS_IF;
    m->rip = gate.offset;
    code_load(m, gate.selector, raw | BIT(40), cpl);
}

static void deliver_real(struct xrw_machine *m, const struct event *event)
{
    unsigned at = event->vector * 4u;
    uint64_t next = is_soft(event) || event->type == EVENT_ICEBP ? event->insn_len : 0;
    struct stack stack = stack_current(m);
    uint64_t pointer;

    if (at + 3 > m->idtr.limit)
        raise_error(m, VECTOR_GP, 0);
    pointer = system_read(m, m->idtr.base + at, 4);
    stack_push(m, &stack, cpu_rflags(m), 2);
    stack_push(m, &stack, m->seg[SEG_CS].selector, 2);
    stack_push(m, &stack, m->rip + next, 2);
    stack_keep(m, &stack);
    m->undefined_stored |= m->undefined != 0;
    m->rflags &= ~(RFLAGS_IF | RFLAGS_TF | RFLAGS_AC | RFLAGS_RF);
    m->rip = pointer & 0xffff;
    m->seg[SEG_CS].selector = (uint16_t)(pointer >> 16);
    m->seg[SEG_CS].base = (pointer >> 16) << 4;
}

/* Registers that change before the delivery proper, and stay if that fails. */
static void before(struct xrw_machine *m, const struct event *event)
{
    if (event->type != EVENT_HARDWARE || event->injected)
        return;
    if (event->vector == VECTOR_PF)
        m->cr2 = event->address;
    if (event->vector == VECTOR_DB) {
        m->dr6 = (m->dr6 & ~UINT64_C(0xf)) | event->address;
        m->dr7 &= ~DR7_GD;
        m->pending_debug = 0;
    }
}

void deliver(struct xrw_machine *m, const struct event *event)
{
    m->delivering = *event;
    m->halted = false;
    before(m, event);
    if (m->cr0 & CR0_PE)
        deliver_protected(m, event);
    else
        deliver_real(m, event);
    m->delivering.valid = false;
    m->shadow &= ~(uint32_t)(XRW_BLOCKED_BY_STI | XRW_BLOCKED_BY_MOV_SS);
    if (event->type == EVENT_NMI)
        m->shadow |= XRW_BLOCKED_BY_NMI;
    cpu_update(m);
}
