/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Source: Intel SDM, "Protected-Mode Memory Management", "Protection". */
#include "segment.h"

uint16_t descriptor_attr(uint64_t raw)
{
    return (uint16_t)((raw >> 40 & 0xff) | (raw >> 44 & 0xf00));
}

struct segment_register descriptor_segment(uint64_t raw, uint16_t selector)
{
    struct segment_register s = {
        .selector = selector,
        .attr = descriptor_attr(raw),
        .limit = (uint32_t)((raw & 0xffff) | (raw >> 32 & 0xf0000)),
        .base = (raw >> 16 & 0xffffff) | (raw >> 32 & 0xff000000),
    };

    if (s.attr & ATTR_G)
        s.limit = s.limit << 12 | 0xfff;
    return s;
}

/* Linear address of a descriptor, or false. */
static bool descriptor_place(const struct xrw_machine *m, uint16_t selector, unsigned bytes,
                             uint64_t *linear)
{
    uint32_t offset = selector & 0xfff8u;

    if (selector & 4) {
        if (!(m->ldtr.attr & ATTR_P) || offset + bytes - 1 > m->ldtr.limit)
            return false;
        *linear = m->ldtr.base + offset;
        return true;
    }
    if (offset + bytes - 1 > m->gdtr.limit)
        return false;
    *linear = m->gdtr.base + offset;
    return true;
}

bool descriptor_read(struct xrw_machine *m, uint16_t selector, uint64_t *raw)
{
    uint64_t linear;

    if (!descriptor_place(m, selector, 8, &linear))
        return false;
    *raw = system_read(m, linear, 8);
    return true;
}

uint64_t descriptor_require(struct xrw_machine *m, uint16_t selector, unsigned vector)
{
    uint64_t raw;

    if (SELECTOR_NULL(selector))
        raise_error(m, vector, 0);
    if (!descriptor_read(m, selector, &raw))
        raise_error(m, vector, selector & 0xfffcu);
    return raw;
}

uint64_t descriptor_upper(struct xrw_machine *m, uint16_t selector)
{
    uint64_t linear;

    if (!descriptor_place(m, selector, 16, &linear))
        raise_error(m, VECTOR_GP, selector & 0xfffcu);
    return system_read(m, linear + 8, 8);
}

void descriptor_set_type(struct xrw_machine *m, uint16_t selector, uint64_t raw, unsigned type)
{
    uint64_t linear;

    if (descriptor_place(m, selector, 8, &linear))
        system_write(m, linear + 5, (raw >> 40 & 0xf0) | type, 1);
}

void descriptor_set_accessed(struct xrw_machine *m, uint16_t selector, uint64_t raw)
{
    if (!(raw >> 40 & ATTR_ACCESSED))
        descriptor_set_type(m, selector, raw, (unsigned)(raw >> 40 & 0xf) | ATTR_ACCESSED);
}

/* ---- Loading ---- */

static void load_null(struct xrw_machine *m, enum segment segment, uint16_t selector)
{
    struct segment_register *s = &m->seg[segment];

    if (segment == SEG_SS) {
        if (!is_long(m) || m->cpl == 3 || SELECTOR_RPL(selector) != m->cpl)
            raise_error(m, VECTOR_GP, 0);
        s->selector = selector;
        s->attr = (uint16_t)((m->cpl << ATTR_DPL_SHIFT) | ATTR_DB | ATTR_G);
        s->limit = 0xffffffff;
        s->base = 0;
        return;
    }
    s->selector = selector;
    s->attr = 0;
    if (!m->cpu.amd)
        s->base = 0;
}

static void load_real(struct xrw_machine *m, enum segment segment, uint16_t selector)
{
    struct segment_register *s = &m->seg[segment];

    s->selector = selector;
    s->base = (uint64_t)selector << 4;
    if (m->mode & MODE_V86) {
        s->limit = 0xffff;
        s->attr = 0xf3;
    }
}

struct segment_register stack_segment(struct xrw_machine *m, uint16_t selector, unsigned cpl,
                                      unsigned vector)
{
    uint64_t raw = descriptor_require(m, selector, vector);
    struct segment_register s = descriptor_segment(raw, selector);
    uint32_t error = selector & 0xfffcu;

    if (SELECTOR_RPL(selector) != cpl || ATTR_DPL(s.attr) != cpl ||
        (s.attr & (ATTR_S | ATTR_CODE | ATTR_WRITABLE)) != (ATTR_S | ATTR_WRITABLE))
        raise_error(m, vector, error);
    if (!(s.attr & ATTR_P))
        raise_error(m, VECTOR_SS, error);
    descriptor_set_accessed(m, selector, raw);
    s.attr |= ATTR_ACCESSED;
    return s;
}

void segment_load(struct xrw_machine *m, enum segment segment, uint16_t selector)
{
    struct segment_register s;
    uint32_t error = selector & 0xfffcu;
    uint64_t raw;

    if (!(m->mode & MODE_PROTECTED)) {
        load_real(m, segment, selector);
        return;
    }
    if (SELECTOR_NULL(selector)) {
        load_null(m, segment, selector);
        cpu_update(m);
        return;
    }
    if (segment == SEG_SS) {
        m->seg[SEG_SS] = stack_segment(m, selector, m->cpl, VECTOR_GP);
        cpu_update(m);
        return;
    }
    raw = descriptor_require(m, selector, VECTOR_GP);
    s = descriptor_segment(raw, selector);
    if (!(s.attr & ATTR_S) || (s.attr & (ATTR_CODE | ATTR_READABLE)) == ATTR_CODE)
        raise_error(m, VECTOR_GP, error);
    if ((s.attr & (ATTR_CODE | ATTR_CONFORMING)) != (ATTR_CODE | ATTR_CONFORMING) &&
        (SELECTOR_RPL(selector) > ATTR_DPL(s.attr) || m->cpl > ATTR_DPL(s.attr)))
        raise_error(m, VECTOR_GP, error);
    if (!(s.attr & ATTR_P))
        raise_error(m, VECTOR_NP, error);
    descriptor_set_accessed(m, selector, raw);
    s.attr |= ATTR_ACCESSED;
    m->seg[segment] = s;
}

void code_check_mode(struct xrw_machine *m, uint16_t selector, uint16_t attr)
{
    if (m->efer & EFER_LMA && (attr & (ATTR_L | ATTR_DB)) == (ATTR_L | ATTR_DB))
        raise_error(m, VECTOR_GP, selector & 0xfffcu);
}

void code_load(struct xrw_machine *m, uint16_t selector, uint64_t raw, unsigned cpl)
{
    descriptor_set_accessed(m, selector, raw);
    m->seg[SEG_CS] = descriptor_segment(raw, (uint16_t)((selector & ~3u) | cpl));
    m->seg[SEG_CS].attr |= ATTR_ACCESSED;
    m->cpl = (uint8_t)cpl;
    cpu_update(m);
}

/* ---- The stack ---- */

struct stack stack_current(const struct xrw_machine *m)
{
    return (struct stack){.ss = m->seg[SEG_SS],
                          .pointer = m->n.gpr[RSP],
                          .mask = m->stack_mask,
                          .cpl = m->cpl,
                          .wide = is_long(m)};
}

static uint64_t stack_linear(struct xrw_machine *m, const struct stack *stack, uint64_t pointer,
                             unsigned bytes)
{
    uint64_t offset = pointer & stack->mask, last = offset + bytes - 1;
    const struct segment_register *s = &stack->ss;

    if (stack->wide)
        return pointer;
    if (s->attr & ATTR_DOWN ? offset <= s->limit || last > stack->mask : last > s->limit)
        raise_error(m, VECTOR_SS, 0);
    return (s->base + offset) & 0xffffffffu;
}

void stack_push(struct xrw_machine *m, struct stack *stack, uint64_t value, unsigned bytes)
{
    uint64_t pointer = stack->pointer - bytes;
    uint64_t linear = stack_linear(m, stack, pointer, bytes);

    if (m->cpl == 3 && stack->cpl == 3) {
        uint8_t *host = access_write(m, SEG_SS, linear, bytes, ACCESS_WRITE);
        for (unsigned i = 0; i < bytes; i++)
            host[i] = (uint8_t)(value >> 8 * i);
        access_done(m);
    } else {
        if (stack->wide && !cpu_canonical(m, linear))
            raise_error(m, VECTOR_SS, 0);
        system_write(m, linear, value, bytes);
    }
    stack->pointer = pointer;
}

uint64_t stack_pop(struct xrw_machine *m, struct stack *stack, unsigned bytes)
{
    uint64_t linear = stack_linear(m, stack, stack->pointer, bytes), value = 0;
    const uint8_t *host = access_read(m, SEG_SS, linear, bytes);

    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)host[i] << 8 * i;
    stack->pointer += bytes;
    return value;
}

void stack_keep(struct xrw_machine *m, const struct stack *stack)
{
    uint64_t *rsp = &m->n.gpr[RSP];

    *rsp = (*rsp & ~stack->mask) | (stack->pointer & stack->mask);
    if (stack->mask == 0xffffffffu)
        *rsp &= 0xffffffffu;
}

static uint64_t tss_read(struct xrw_machine *m, unsigned offset, unsigned bytes)
{
    if (!(m->tr.attr & ATTR_P) || offset + bytes - 1 > m->tr.limit)
        raise_error(m, VECTOR_TS, m->tr.selector & 0xfffcu);
    return system_read(m, m->tr.base + offset, bytes);
}

struct stack tss_stack(struct xrw_machine *m, unsigned cpl)
{
    bool wide_tss = m->tr.attr & 8;
    unsigned offset = wide_tss ? 4 + 8 * cpl : 2 + 4 * cpl;
    struct stack stack = {.cpl = cpl};
    uint16_t selector;

    if (m->efer & EFER_LMA) {
        stack.wide = true;
        stack.mask = UINT64_MAX;
        stack.pointer = tss_read(m, 4 + 8 * cpl, 8);
        return stack;
    }
    stack.pointer = tss_read(m, offset, wide_tss ? 4 : 2);
    selector = (uint16_t)tss_read(m, offset + (wide_tss ? 4 : 2), 2);
    stack.ss = stack_segment(m, selector, cpl, VECTOR_TS);
    stack.mask = stack.ss.attr & ATTR_DB ? 0xffffffffu : 0xffffu;
    return stack;
}
