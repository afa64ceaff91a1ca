/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Instructions of the 8086 that long mode has no more, so that the host cannot run them; and XLAT.
 */
#include "ops.h"

static uint64_t result_flags(uint8_t value)
{
    unsigned parity = (value ^ value >> 4) & 15u;

    return (0x9669u >> parity & 1 ? RFLAGS_PF : 0) | (value ? 0 : RFLAGS_ZF) |
           (value & 0x80 ? RFLAGS_SF : 0);
}

static uint8_t al(const struct xrw_machine *m)
{
    return (uint8_t)m->n.gpr[RAX];
}

static void set_ax(struct xrw_machine *m, unsigned ax)
{
    m->n.gpr[RAX] = (m->n.gpr[RAX] & ~UINT64_C(0xffff)) | (ax & 0xffff);
}

static void ascii_adjust(struct xrw_machine *m, const struct insn *insn, unsigned add)
{
    uint64_t old = native_rflags(&m->n);
    unsigned ax = (unsigned)m->n.gpr[RAX] & 0xffff;
    bool adjust = (ax & 15) > 9 || old & RFLAGS_AF;

    if (adjust)
        ax += add;
    set_ax(m, ax & 0xff0f);
    native_set_rflags(&m->n, adjust ? RFLAGS_AF | RFLAGS_CF : 0);
    m->undefined = RFLAGS_OF | RFLAGS_SF | RFLAGS_ZF | RFLAGS_PF;
    NEXT(m, insn);
}

void op_aaa(struct xrw_machine *m, const struct insn *insn)
{
    ascii_adjust(m, insn, 0x106);
}

void op_aas(struct xrw_machine *m, const struct insn *insn)
{
    ascii_adjust(m, insn, 0u - 0x106u);
}

void op_aam(struct xrw_machine *m, const struct insn *insn)
{
    unsigned base = (unsigned)insn->imm & 0xff;

    m->insn = insn;
    if (!base)
        raise_plain(m, VECTOR_DE);
    set_ax(m, (al(m) / base) << 8 | al(m) % base);
    set_status(m, result_flags(al(m)));
    m->undefined = RFLAGS_OF | RFLAGS_AF | RFLAGS_CF;
    NEXT(m, insn);
}

void op_aad(struct xrw_machine *m, const struct insn *insn)
{
    unsigned base = (unsigned)insn->imm & 0xff, ah = (unsigned)m->n.gpr[RAX] >> 8 & 0xff;

    set_ax(m, (al(m) + ah * base) & 0xff);
    set_status(m, result_flags(al(m)));
    m->undefined = RFLAGS_OF | RFLAGS_AF | RFLAGS_CF;
    NEXT(m, insn);
}

static void decimal_adjust(struct xrw_machine *m, const struct insn *insn, bool subtract)
{
    uint64_t old = native_rflags(&m->n), flags = 0;
    unsigned value = al(m), before = value;

    if ((before & 15) > 9 || old & RFLAGS_AF) {
        value = subtract ? value - 6 : value + 6;
        flags |= RFLAGS_AF | (value > 0xff ? RFLAGS_CF : 0) | (old & RFLAGS_CF);
    }
    if (before > 0x99 || old & RFLAGS_CF) {
        value = subtract ? value - 0x60 : value + 0x60;
        flags |= RFLAGS_CF;
    } else if (!subtract) {
        flags &= ~RFLAGS_CF;
    }
    m->n.gpr[RAX] = (m->n.gpr[RAX] & ~UINT64_C(0xff)) | (value & 0xff);
    set_status(m, flags | result_flags((uint8_t)value));
    m->undefined = RFLAGS_OF;
    NEXT(m, insn);
}

void op_daa(struct xrw_machine *m, const struct insn *insn)
{
    decimal_adjust(m, insn, false);
}

void op_das(struct xrw_machine *m, const struct insn *insn)
{
    decimal_adjust(m, insn, true);
}

void op_salc(struct xrw_machine *m, const struct insn *insn)
{
    reg_write(m, GPR_OFFSET(RAX), 1, native_rflags(&m->n) & RFLAGS_CF ? 0xff : 0);
    NEXT(m, insn);
}

void op_bound(struct xrw_machine *m, const struct insn *insn)
{
    unsigned bits = 8u * insn->size;
    uint64_t linear;
    int64_t low, high, index;

    m->insn = insn;
    linear = operand_linear(m, insn);
    low = (int64_t)(memory_read(m, insn->segment, linear, insn->size) << (64 - bits));
    high = (int64_t)(memory_read(m, insn->segment, linear + insn->size, insn->size) << (64 - bits));
    index = (int64_t)(reg_read(m, insn->dst, insn->size) << (64 - bits));
    if (index < low || index > high)
        raise_plain(m, VECTOR_BR);
    NEXT(m, insn);
}

void op_xlat(struct xrw_machine *m, const struct insn *insn)
{
    uint64_t offset = (m->n.gpr[RBX] + al(m)) & address_mask(insn), linear;

    m->insn = insn;
    linear = insn->traits & INSN_LEGACY
                 ? legacy_linear(m, insn->segment, offset, 1, false)
                 : offset + (insn->segment >= SEG_FS ? m->seg[insn->segment].base : 0);
    reg_write(m, GPR_OFFSET(RAX), 1, memory_read(m, insn->segment, linear, 1));
    NEXT(m, insn);
}
