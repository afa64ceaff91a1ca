/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Segment registers, descriptor tables, and what looks at descriptors. */
#include "push.h"
#include "segment.h"

static void shadow_after_ss(struct xrw_machine *m, unsigned segment)
{
    if (segment != SEG_SS)
        return;
    m->shadow |= XRW_BLOCKED_BY_MOV_SS;
    m->attention |= ATTENTION_SHADOW;
    m->shadow_new = true;
}

void op_mov_from_segment(struct xrw_machine *m, const struct insn *insn)
{
    uint16_t selector = m->seg[insn->detail].selector;

    m->insn = insn;
    if (insn->traits & INSN_MEMORY)
        memory_write(m, insn->segment, operand_linear(m, insn), selector, 2);
    else
        reg_write(m, insn->dst, insn->size, selector);
    NEXT(m, insn);
}

void op_mov_to_segment(struct xrw_machine *m, const struct insn *insn)
{
    m->insn = insn;
    segment_load(m, insn->detail, (uint16_t)source_read(m, insn, 2));
    shadow_after_ss(m, insn->detail);
    done(m, insn);
}

void op_pop_segment(struct xrw_machine *m, const struct insn *insn)
{
    m->insn = insn;
    segment_load(m, insn->detail, (uint16_t)peek(m, 0, insn->size));
    add_rsp(m, insn->size);
    shadow_after_ss(m, insn->detail);
    done(m, insn);
}

/* LDS, LES, LSS, LFS, LGS. */
void op_load_pointer(struct xrw_machine *m, const struct insn *insn)
{
    uint64_t linear, offset;

    m->insn = insn;
    linear = operand_linear(m, insn);
    offset = memory_read(m, insn->segment, linear, insn->size);
    segment_load(m, insn->detail, (uint16_t)memory_read(m, insn->segment, linear + insn->size, 2));
    reg_write(m, insn->dst, insn->size, offset);
    done(m, insn);
}

/* ---- Tables ---- */

static void table_exit(struct xrw_machine *m, const struct insn *insn, unsigned reason)
{
    if (m->controls.exits & XRW_EXITS_DESCRIPTOR_TABLES)
        leave_exit_insn(m, reason, (uint64_t)insn->disp);
}

static void umip(struct xrw_machine *m)
{
    if (m->cr4 & CR4_UMIP && m->cpl)
        raise_error(m, VECTOR_GP, 0);
}

static void load_table(struct xrw_machine *m, const struct insn *insn, struct table_register *table)
{
    unsigned bytes = is_long(m) ? 8 : 4;
    uint64_t linear, base;
    uint16_t limit;

    m->insn = insn;
    require_kernel(m);
    table_exit(m, insn, XRW_VMX_GDTR_IDTR_ACCESS);
    linear = operand_linear(m, insn);
    limit = (uint16_t)memory_read(m, insn->segment, linear, 2);
    base = memory_read(m, insn->segment, linear + 2, bytes);
    if (bytes == 8 && !cpu_canonical(m, base))
        raise_error(m, VECTOR_GP, 0);
    if (bytes == 4 && insn->size == 2)
        base &= 0xffffff;
    *table = (struct table_register){base, limit};
    NEXT(m, insn);
}

static void store_table(struct xrw_machine *m, const struct insn *insn,
                        const struct table_register *table)
{
    uint64_t linear;

    m->insn = insn;
    umip(m);
    table_exit(m, insn, XRW_VMX_GDTR_IDTR_ACCESS);
    linear = operand_linear(m, insn);
    memory_write(m, insn->segment, linear, table->limit, 2);
    memory_write(m, insn->segment, linear + 2, table->base, is_long(m) ? 8 : 4);
    NEXT(m, insn);
}

void op_lgdt(struct xrw_machine *m, const struct insn *insn)
{
    load_table(m, insn, &m->gdtr);
}

void op_lidt(struct xrw_machine *m, const struct insn *insn)
{
    load_table(m, insn, &m->idtr);
}

void op_sgdt(struct xrw_machine *m, const struct insn *insn)
{
    store_table(m, insn, &m->gdtr);
}

void op_sidt(struct xrw_machine *m, const struct insn *insn)
{
    store_table(m, insn, &m->idtr);
}

/* LLDT and LTR: a descriptor of that type, in the GDT. */
static struct segment_register system_segment(struct xrw_machine *m, uint16_t selector,
                                              unsigned type, uint64_t *raw)
{
    struct segment_register s;
    uint32_t error = selector & 0xfffcu;
    unsigned have;

    if (selector & 4)
        raise_error(m, VECTOR_GP, error);
    *raw = descriptor_require(m, selector, VECTOR_GP);
    s = descriptor_segment(*raw, selector);
    have = s.attr & (ATTR_S | ATTR_TYPE);
    if (have != type && !(type == SYS_TSS && have == SYS_TSS16 && !(m->efer & EFER_LMA)))
        raise_error(m, VECTOR_GP, error);
    if (!(s.attr & ATTR_P))
        raise_error(m, VECTOR_NP, error);
    if (m->efer & EFER_LMA) {
        uint64_t upper = descriptor_upper(m, selector);
        if (upper >> 40 & 0x1f)
            raise_error(m, VECTOR_GP, error);
        s.base |= upper << 32;
        if (!cpu_canonical(m, s.base))
            raise_error(m, VECTOR_GP, error);
    }
    return s;
}

static void begin_system_segment(struct xrw_machine *m, const struct insn *insn)
{
    m->insn = insn;
    if (!(m->mode & MODE_PROTECTED))
        raise_plain(m, VECTOR_UD);
    if (m->cpl)
        raise_error(m, VECTOR_GP, 0);
    table_exit(m, insn, XRW_VMX_LDTR_TR_ACCESS);
}

void op_lldt(struct xrw_machine *m, const struct insn *insn)
{
    uint16_t selector;
    uint64_t raw;

    begin_system_segment(m, insn);
    selector = (uint16_t)source_read(m, insn, 2);
    if (SELECTOR_NULL(selector)) {
        m->ldtr.selector = selector;
        m->ldtr.attr = 0;
    } else {
        m->ldtr = system_segment(m, selector, SYS_LDT, &raw);
    }
    NEXT(m, insn);
}

void op_ltr(struct xrw_machine *m, const struct insn *insn)
{
    struct segment_register s;
    uint16_t selector;
    uint64_t raw;

    begin_system_segment(m, insn);
    selector = (uint16_t)source_read(m, insn, 2);
    s = system_segment(m, selector, SYS_TSS, &raw);
    s.attr |= 2; /* busy */
    descriptor_set_type(m, selector, raw, s.attr & ATTR_TYPE);
    m->tr = s;
    NEXT(m, insn);
}

static void store_selector(struct xrw_machine *m, const struct insn *insn, uint16_t selector)
{
    m->insn = insn;
    if (!(m->mode & MODE_PROTECTED))
        raise_plain(m, VECTOR_UD);
    umip(m);
    table_exit(m, insn, XRW_VMX_LDTR_TR_ACCESS);
    if (insn->traits & INSN_MEMORY)
        memory_write(m, insn->segment, operand_linear(m, insn), selector, 2);
    else
        reg_write(m, insn->dst, insn->size, selector);
    NEXT(m, insn);
}

void op_sldt(struct xrw_machine *m, const struct insn *insn)
{
    store_selector(m, insn, m->ldtr.selector);
}

void op_str(struct xrw_machine *m, const struct insn *insn)
{
    store_selector(m, insn, m->tr.selector);
}

/* ---- Looking at descriptors ---- */

static void set_zf(struct xrw_machine *m, bool on)
{
    uint64_t rflags = native_rflags(&m->n) & ~RFLAGS_ZF;

    native_set_rflags(&m->n, rflags | (on ? RFLAGS_ZF : 0));
    m->undefined &= ~(uint32_t)RFLAGS_ZF;
}

/* Whether the descriptor can be seen from here. */
static bool visible(struct xrw_machine *m, uint16_t selector, uint64_t *raw)
{
    uint16_t attr;

    if (SELECTOR_NULL(selector) || !descriptor_read(m, selector, raw))
        return false;
    attr = descriptor_attr(*raw);
    if ((attr & (ATTR_S | ATTR_CODE | ATTR_CONFORMING)) == (ATTR_S | ATTR_CODE | ATTR_CONFORMING))
        return true;
    return ATTR_DPL(attr) >= m->cpl && ATTR_DPL(attr) >= SELECTOR_RPL(selector);
}

static uint16_t begin_look(struct xrw_machine *m, const struct insn *insn)
{
    m->insn = insn;
    if (!(m->mode & MODE_PROTECTED))
        raise_plain(m, VECTOR_UD);
    return (uint16_t)source_read(m, insn, 2);
}

OPERATION_APART(verr)
{
    uint16_t selector = begin_look(m, insn);
    uint64_t raw;
    bool ok = visible(m, selector, &raw);
    uint16_t attr = ok ? descriptor_attr(raw) : 0;

    set_zf(m, ok && attr & ATTR_S && (attr & (ATTR_CODE | ATTR_READABLE)) != ATTR_CODE);
}

OPERATION_APART(verw)
{
    uint16_t selector = begin_look(m, insn);
    uint64_t raw;
    bool ok = visible(m, selector, &raw);
    uint16_t attr = ok ? descriptor_attr(raw) : 0;

    set_zf(m, ok && (attr & (ATTR_S | ATTR_CODE | ATTR_WRITABLE)) == (ATTR_S | ATTR_WRITABLE));
}

/* System types that LAR and LSL know, bit n for type n: in long mode and not. */
#define LAR_TYPES(wide) ((wide) ? 0x1a04u : 0x1a3eu)
#define LSL_TYPES(wide) ((wide) ? 0x0a04u : 0x0a0eu)

static bool known_type(const struct xrw_machine *m, uint16_t attr, bool lar)
{
    bool wide = m->efer & EFER_LMA;

    return attr & ATTR_S || (lar ? LAR_TYPES(wide) : LSL_TYPES(wide)) >> (attr & ATTR_TYPE) & 1;
}

OPERATION_APART(lar)
{
    uint16_t selector = begin_look(m, insn);
    uint64_t raw;
    bool ok = visible(m, selector, &raw) && known_type(m, descriptor_attr(raw), true);

    if (ok)
        reg_write(m, insn->dst, insn->size, raw >> 32 & 0xffff00);
    set_zf(m, ok);
}

OPERATION_APART(lsl)
{
    uint16_t selector = begin_look(m, insn);
    uint64_t raw;
    bool ok = visible(m, selector, &raw) && known_type(m, descriptor_attr(raw), false);

    if (ok)
        reg_write(m, insn->dst, insn->size, descriptor_segment(raw, selector).limit);
    set_zf(m, ok);
}

void op_arpl(struct xrw_machine *m, const struct insn *insn)
{
    uint64_t linear = 0;
    uint16_t dst, src = (uint16_t)reg_read(m, insn->src, 2);

    m->insn = insn;
    if (!(m->mode & MODE_PROTECTED))
        raise_plain(m, VECTOR_UD);
    if (insn->traits & INSN_MEMORY) {
        linear = operand_linear(m, insn);
        dst =
            load(access_write(m, insn->segment, linear, 2, ACCESS_READ | ACCESS_WRITE), 2) & 0xffff;
        m->bounced = 0;
    } else {
        dst = (uint16_t)reg_read(m, insn->dst, 2);
    }
    set_zf(m, (dst & 3) < (src & 3));
    if ((dst & 3) < (src & 3))
        dest_write(m, insn, (uint16_t)((dst & ~3u) | (src & 3u)), 2);
    NEXT(m, insn);
}
