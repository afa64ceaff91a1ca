/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Instructions that the host's own processor runs, and those that nothing runs. */
#include "ops.h"

static NOINLINE void native_fault(struct xrw_machine *m, const struct insn *insn, int result)
{
    unsigned vector = NATIVE_FAULT_VECTOR(result);

    m->insn = insn;
    if (vector == VECTOR_XM && !(m->cr4 & CR4_OSXMMEXCPT))
        vector = VECTOR_UD;
    if (vector == VECTOR_GP || vector == VECTOR_AC)
        raise_error(m, vector, 0);
    raise_plain(m, vector);
}

static inline void track_flags(struct xrw_machine *m, const struct insn *insn)
{
    m->undefined = (m->undefined & ~(uint32_t)insn->flags_out) | insn->flags_undefined;
}

void op_native(struct xrw_machine *m, const struct insn *insn)
{
    int result = native_run(insn->thunk, &m->n, NULL);

    if (UNLIKELY(result))
        native_fault(m, insn, result);
    track_flags(m, insn);
    NEXT(m, insn);
}

/* detail: the alignment required, minus 1. */
static inline uint64_t aligned_linear(struct xrw_machine *m, const struct insn *insn)
{
    uint64_t linear = operand_linear(m, insn);

    if (UNLIKELY(linear & insn->detail))
        raise_error(m, VECTOR_GP, 0);
    return linear;
}

void op_native_read(struct xrw_machine *m, const struct insn *insn)
{
    int result;

    m->insn = insn;
    result = native_run(insn->thunk, &m->n,
                        access_read(m, insn->segment, aligned_linear(m, insn), insn->bytes));
    if (UNLIKELY(result))
        native_fault(m, insn, result);
    track_flags(m, insn);
    NEXT(m, insn);
}

static inline void native_to_memory(struct xrw_machine *m, const struct insn *insn, unsigned access)
{
    int result;

    m->insn = insn;
    result =
        native_run(insn->thunk, &m->n,
                   access_write(m, insn->segment, aligned_linear(m, insn), insn->bytes, access));
    if (UNLIKELY(result))
        native_fault(m, insn, result);
    access_done(m);
    track_flags(m, insn);
    NEXT(m, insn);
}

void op_native_write(struct xrw_machine *m, const struct insn *insn)
{
    native_to_memory(m, insn, ACCESS_WRITE);
}

void op_native_modify(struct xrw_machine *m, const struct insn *insn)
{
    native_to_memory(m, insn, ACCESS_READ | ACCESS_WRITE);
}

/* ---- Those with something special about them ---- */

static unsigned access_of(const struct native_thunk *thunk)
{
    return (thunk->access & NATIVE_READS ? ACCESS_READ : 0u) |
           (thunk->access & NATIVE_WRITES ? ACCESS_WRITE : 0u);
}

/* An operand with lanes that are masked off: only pages with lanes in use are touched. */
static uint8_t *masked_operand(struct xrw_machine *m, const struct insn *insn, uint64_t linear,
                               uint64_t lanes)
{
    unsigned access = access_of(insn->thunk), first, last;
    uint8_t *host;

    if (!lanes)
        return m->bounce + (linear & (XRW_PAGE_BYTES - 1));
    for (first = 0; !(lanes >> first & 1);)
        first++;
    for (last = 63; !(lanes >> last & 1);)
        last--;
    host = access & ACCESS_WRITE
               ? access_write(m, insn->segment, linear + first, last - first + 1, access)
               : access_read(m, insn->segment, linear + first, last - first + 1);
    if (first == 0 && last + 1 == insn->bytes)
        return host;
    /* The rest of it may lie in a page that is not there: the host works on a copy. */
    memcpy(m->lanes + first, host, last - first + 1);
    m->lanes_host = access & ACCESS_WRITE ? host : NULL;
    m->lanes_first = first;
    m->lanes_bytes = last - first + 1;
    return m->lanes;
}

static void lanes_done(struct xrw_machine *m)
{
    if (m->lanes_host)
        memcpy(m->lanes_host, m->lanes + m->lanes_first, m->lanes_bytes);
    m->lanes_host = NULL;
}

static uint8_t *any_operand(struct xrw_machine *m, const struct insn *insn, int64_t displacement,
                            uint64_t linear)
{
    const struct native_thunk *thunk = insn->thunk;
    uint8_t *host;

    if (thunk->align > 1 && linear & (thunk->align - 1u))
        raise_error(m, VECTOR_GP, 0);
    if (thunk->masked)
        return masked_operand(m, insn, linear,
                              native_lanes(&insn->raw->insn, insn->raw->operand, &m->n));
    host = thunk->access & NATIVE_WRITES
               ? access_write(m, insn->segment, linear, insn->bytes, access_of(thunk))
               : access_read(m, insn->segment, linear, insn->bytes);
    return host - displacement;
}

/* What the recording's CPU makes of undefined flags, where that is known.  Source: measured. */
static void follow_profile(struct xrw_machine *m, const struct insn *insn, uint32_t undefined)
{
    bool in_rax = insn->raw->insn.operand_count_visible == 1;
    unsigned bytes = insn->size;
    uint64_t value = reg_read(m, in_rax ? GPR_OFFSET(RAX) : insn->dst, bytes);
    uint64_t rflags = native_rflags(&m->n) & ~(undefined & RFLAGS_AF);
    uint64_t sign = BIT(8 * bytes - 1);

    if (insn->raw->insn.mnemonic == ZYDIS_MNEMONIC_MUL ||
        insn->raw->insn.mnemonic == ZYDIS_MNEMONIC_IMUL) {
        uint8_t parity = (uint8_t)value;
        parity ^= parity >> 4;
        rflags &= ~(RFLAGS_SF | RFLAGS_ZF | RFLAGS_PF);
        rflags |= (value & sign ? RFLAGS_SF : 0) | (value ? 0 : RFLAGS_ZF) |
                  (0x9669 >> (parity & 15) & 1 ? RFLAGS_PF : 0);
    }
    native_set_rflags(&m->n, rflags);
}

void op_native_any(struct xrw_machine *m, const struct insn *insn)
{
    const struct native_thunk *thunk = insn->thunk;
    const struct insn_raw *raw = insn->raw;
    uint32_t undefined = native_undefined_flags(&raw->insn, raw->operand, &m->n);
    uint64_t linear = 0;
    uint8_t *host = NULL;
    int result;

    m->insn = insn;
    if (thunk->access) {
        int64_t displacement = 0;
        linear = operand_linear(m, insn);
        if (thunk->bit_register >= 0)
            displacement =
                native_bit_displacement(&raw->insn, (unsigned)thunk->bit_register, &m->n);
        linear += (uint64_t)displacement;
        if (insn->traits & INSN_LEGACY && displacement)
            linear = legacy_linear(m, insn->segment,
                                   (operand_offset(m, insn) + (uint64_t)displacement) &
                                       address_mask(insn),
                                   insn->bytes, insn->traits & INSN_WRITES);
        host = any_operand(m, insn, displacement, linear);
    }
    result = native_run(thunk, &m->n, host);
    if (UNLIKELY(result)) {
        m->lanes_host = NULL;
        native_fault(m, insn, result);
    }
    lanes_done(m);
    access_done(m);
    if (thunk->x87)
        native_x87_note(m->native, &m->n, host, insn->rip, linear);
    m->undefined = (m->undefined & ~(uint32_t)insn->flags_out) | undefined;
    if (undefined && m->cpu.profile == XRW_PROFILE_BOCHS)
        follow_profile(m, insn, undefined);
    NEXT(m, insn);
}

/* ---- Those that do nothing, or are not there ---- */

void op_nop(struct xrw_machine *m, const struct insn *insn)
{
    NEXT(m, insn);
}

/* CLFLUSH and its kind: an access that does nothing. */
void op_touch(struct xrw_machine *m, const struct insn *insn)
{
    m->insn = insn;
    access_read(m, insn->segment, operand_linear(m, insn), 1);
    NEXT(m, insn);
}

void op_leave_block(struct xrw_machine *m, const struct insn *insn)
{
    if (LIKELY(insn->position == m->charged && m->block->valid)) {
        go(m, insn->rip, 1);
        return;
    }
    m->rip = insn->rip;
    m->left += m->charged - insn->position;
}

void op_unhandled(struct xrw_machine *m, const struct insn *insn)
{
    m->insn = insn;
    leave_unhandled(m, "%s at 0x%llx is not handled",
                    ZydisMnemonicGetString((ZydisMnemonic)insn->imm),
                    (unsigned long long)insn->rip);
}

void op_undefined(struct xrw_machine *m, const struct insn *insn)
{
    m->insn = insn;
    raise_plain(m, VECTOR_UD);
}

void op_not_available(struct xrw_machine *m, const struct insn *insn)
{
    m->insn = insn;
    raise_plain(m, VECTOR_NM);
}

void op_too_long(struct xrw_machine *m, const struct insn *insn)
{
    m->insn = insn;
    raise_error(m, VECTOR_GP, 0);
}
