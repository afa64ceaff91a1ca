/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Vector state that thunks do not work on: MXCSR, and all vector registers at once. */
#include "ops.h"
#include "xsave.h"

#define VEX 1u /* in insn->detail */

static void require_vector(struct xrw_machine *m, const struct insn *insn, bool vex)
{
    m->insn = insn;
    if (vex ? !(m->mode & MODE_AVX) : m->mode & MODE_EM || !(m->mode & MODE_OSFXSR))
        raise_plain(m, VECTOR_UD);
    if (m->mode & MODE_TS)
        raise_plain(m, VECTOR_NM);
}

void op_ldmxcsr(struct xrw_machine *m, const struct insn *insn)
{
    uint32_t value;

    require_vector(m, insn, insn->detail == VEX);
    memcpy(&value, access_read(m, insn->segment, operand_linear(m, insn), sizeof value),
           sizeof value);
    if (value & ~m->cpu.mxcsr_mask)
        raise_error(m, VECTOR_GP, 0);
    m->n.mxcsr = value;
    NEXT(m, insn);
}

void op_stmxcsr(struct xrw_machine *m, const struct insn *insn)
{
    require_vector(m, insn, insn->detail == VEX);
    memcpy(access_write(m, insn->segment, operand_linear(m, insn), sizeof m->n.mxcsr, ACCESS_WRITE),
           &m->n.mxcsr, sizeof m->n.mxcsr);
    access_done(m);
    NEXT(m, insn);
}

/* VZEROUPPER keeps the lowest 16 bytes, VZEROALL none; outside 64-bit mode there are 8 registers.
 */
void op_vzero(struct xrw_machine *m, const struct insn *insn)
{
    unsigned registers = is_long(m) ? 16 : 8;

    require_vector(m, insn, true);
    for (unsigned i = 0; i < registers; i++)
        memset(m->n.zmm[i] + insn->detail, 0, sizeof m->n.zmm[i] - insn->detail);
    NEXT(m, insn);
}
