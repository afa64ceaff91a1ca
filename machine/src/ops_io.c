/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IN, OUT, INS, OUTS.  There are no ports in the machine: what does not exit is not handled, but
 * for ports that the hypervisor gives to the guest for delays. */
#include "ops.h"

#define IO_IN BIT(3)
#define IO_STRING BIT(4)
#define IO_REP BIT(5)
#define IO_IMMEDIATE BIT(6)

/* The TSS's bitmap, if privilege does not suffice. */
static void check_permission(struct xrw_machine *m, unsigned port, unsigned bytes)
{
    uint64_t map, bits;

    if (!(m->cr0 & CR0_PE) || (!(m->mode & MODE_V86) && m->cpl <= iopl(m)))
        return;
    if (!(m->tr.attr & ATTR_P) || !(m->tr.attr & 8) || m->tr.limit < 103)
        raise_error(m, VECTOR_GP, 0);
    map = system_read(m, m->tr.base + 102, 2) + port / 8;
    if (map + 1 > m->tr.limit)
        raise_error(m, VECTOR_GP, 0);
    bits = system_read(m, m->tr.base + map, 2) >> (port % 8);
    if (bits & (BIT(bytes) - 1))
        raise_error(m, VECTOR_GP, 0);
}

static bool port_exits(const struct xrw_machine *m, unsigned port, unsigned bytes)
{
    if (m->controls.io_none)
        return false;
    if (!m->controls.io_bitmap || port + bytes > 0x10000)
        return true;
    for (unsigned p = port; p < port + bytes; p++)
        if (m->controls.io_bitmap[p / 8] >> (p % 8) & 1)
            return true;
    return false;
}

static unsigned port_of(struct xrw_machine *m, const struct insn *insn)
{
    return (unsigned)(insn->detail ? insn->imm : m->n.gpr[RDX]) & 0xffff;
}

static void io(struct xrw_machine *m, const struct insn *insn, uint64_t kind)
{
    unsigned port = port_of(m, insn);

    m->insn = insn;
    check_permission(m, port, insn->size);
    if (port_exits(m, port, insn->size))
        leave_exit_insn(m, XRW_VMX_IO_INSTRUCTION,
                        (insn->size - 1u) | kind | (insn->detail ? IO_IMMEDIATE : 0) |
                            (uint64_t)port << 16);
    if (kind & IO_IN)
        leave_unhandled(m, "IN from port 0x%x without an exit", port);
    if (port != 0x80 && port != 0xed)
        leave_unhandled(m, "OUT to port 0x%x without an exit", port);
}

void op_in(struct xrw_machine *m, const struct insn *insn)
{
    io(m, insn, IO_IN);
    NEXT(m, insn);
}

void op_out(struct xrw_machine *m, const struct insn *insn)
{
    io(m, insn, 0);
    NEXT(m, insn);
}

static unsigned address_code(const struct insn *insn)
{
    return insn->address == 8 ? 2 : insn->address == 4 ? 1 : 0;
}

/* The exit comes before the first element; with a count of 0 there is none. */
static void io_string(struct xrw_machine *m, const struct insn *insn, bool in)
{
    unsigned segment = in ? SEG_ES : insn->segment;
    uint64_t mask = address_mask(insn), offset = m->n.gpr[in ? RDI : RSI] & mask, linear;
    bool rep = insn->traits & (INSN_REP | INSN_REPNE);

    m->insn = insn;
    if (rep && !(m->n.gpr[RCX] & mask)) {
        NEXT(m, insn);
        return;
    }
    check_permission(m, port_of(m, insn), insn->size);
    linear = insn->traits & INSN_LEGACY ? legacy_linear(m, segment, offset, insn->size, in)
                                        : offset + (segment >= SEG_FS ? m->seg[segment].base : 0);
    if (port_exits(m, port_of(m, insn), insn->size)) {
        struct xrw_exit *exit = &m->result->exit;
        xrw_exit_set(exit, XRW_EXIT_gla, linear);
        xrw_exit_set(exit, XRW_EXIT_insn_info, address_code(insn) << 7 | (uint64_t)segment << 15);
    }
    io(m, insn, IO_STRING | (in ? IO_IN : 0) | (rep ? IO_REP : 0));
    leave_unhandled(m, "%s without an exit", in ? "INS" : "OUTS");
}

void op_ins(struct xrw_machine *m, const struct insn *insn)
{
    io_string(m, insn, true);
}

void op_outs(struct xrw_machine *m, const struct insn *insn)
{
    io_string(m, insn, false);
}
