/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the operations share. */
#ifndef XRW_MACHINE_OPS_H
#define XRW_MACHINE_OPS_H

#include "cpu.h"

#include <string.h>

/* Calls in tail position become jumps only with optimisation; without it a block is run as nested
 * calls, and blocks do not chain. */
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__clang__)
#define TAIL_CALLS 1
#else
#define TAIL_CALLS 0
#endif

/* On to the next instruction of the block; the last thing an operation does.  It must be a jump:
 * what is left on the host's stack here stays there for as long as blocks follow each other. */
#define NEXT(m, insn) (insn)[1].op((m), (insn) + 1)

/* For an operation with variables whose addresses are taken: its body is a function apart, so that
 * going on stays a jump. */
#define OPERATION_APART(name)                                                                      \
    static void do_##name(struct xrw_machine *m, const struct insn *insn) NOINLINE;                \
    void op_##name(struct xrw_machine *m, const struct insn *insn)                                 \
    {                                                                                              \
        do_##name(m, insn);                                                                        \
        NEXT(m, insn);                                                                             \
    }                                                                                              \
    static void do_##name(struct xrw_machine *m, const struct insn *insn)

static inline uint64_t *reg64(struct xrw_machine *m, uint16_t offset)
{
    return (uint64_t *)(void *)((char *)m + offset);
}

static inline uint64_t reg_read(struct xrw_machine *m, uint16_t offset, unsigned bytes)
{
    uint64_t value = 0;

    switch (bytes) {
    case 8:
        return *reg64(m, offset);
    case 4:
        memcpy(&value, (char *)m + offset, 4);
        return value;
    case 2:
        memcpy(&value, (char *)m + offset, 2);
        return value;
    default:
        memcpy(&value, (char *)m + offset, 1);
        return value;
    }
}

/* A 32-bit write clears the upper half; smaller ones keep the rest. */
static inline void reg_write(struct xrw_machine *m, uint16_t offset, unsigned bytes, uint64_t value)
{
    switch (bytes) {
    case 8:
        *reg64(m, offset) = value;
        break;
    case 4:
        *reg64(m, offset) = (uint32_t)value;
        break;
    default:
        memcpy((char *)m + offset, &value, bytes);
    }
}

/* Offset of a GPR in the machine. */
#define GPR_OFFSET(n) ((uint16_t)(offsetof(struct native_state, gpr) + 8 * (n)))

static inline uint64_t address_mask(const struct insn *insn)
{
    return insn->address == 8 ? UINT64_MAX : insn->address == 4 ? 0xffffffffu : 0xffffu;
}

/* The operand's offset in its segment. */
static inline uint64_t operand_offset(struct xrw_machine *m, const struct insn *insn)
{
    return (*reg64(m, insn->base) + (*reg64(m, insn->index) << insn->scale) +
            (uint64_t)insn->disp) &
           address_mask(insn);
}

/* The operand's linear address; checks limits outside 64-bit mode. */
static inline uint64_t operand_linear(struct xrw_machine *m, const struct insn *insn)
{
    if (UNLIKELY(insn->traits & INSN_LEGACY))
        return legacy_linear(m, insn->segment, operand_offset(m, insn), insn->bytes,
                             insn->traits & INSN_WRITES);
    return *reg64(m, insn->base) + (*reg64(m, insn->index) << insn->scale) + (uint64_t)insn->disp +
           *reg64(m, insn->segment_base);
}

static inline uint64_t load(const uint8_t *host, unsigned bytes)
{
    uint64_t value = 0;

    switch (bytes) {
    case 8:
        memcpy(&value, host, 8);
        break;
    case 4:
        memcpy(&value, host, 4);
        break;
    case 2:
        memcpy(&value, host, 2);
        break;
    default:
        value = *host;
    }
    return value;
}

static inline void store(uint8_t *host, uint64_t value, unsigned bytes)
{
    switch (bytes) {
    case 8:
        memcpy(host, &value, 8);
        break;
    case 4:
        memcpy(host, &value, 4);
        break;
    case 2:
        memcpy(host, &value, 2);
        break;
    default:
        *host = (uint8_t)value;
    }
}

static inline uint64_t memory_read(struct xrw_machine *m, unsigned segment, uint64_t linear,
                                   unsigned bytes)
{
    return load(access_read(m, segment, linear, bytes), bytes);
}

static inline void memory_write(struct xrw_machine *m, unsigned segment, uint64_t linear,
                                uint64_t value, unsigned bytes)
{
    store(access_write(m, segment, linear, bytes, ACCESS_WRITE), value, bytes);
    access_done(m);
}

/* The operand that may be memory: to read, src if it is a register; to write, dst. */
static inline uint64_t source_read(struct xrw_machine *m, const struct insn *insn, unsigned bytes)
{
    if (insn->traits & INSN_MEMORY)
        return memory_read(m, insn->segment, operand_linear(m, insn), bytes);
    return reg_read(m, insn->src, bytes);
}

static inline void dest_write(struct xrw_machine *m, const struct insn *insn, uint64_t value,
                              unsigned bytes)
{
    if (insn->traits & INSN_MEMORY)
        memory_write(m, insn->segment, operand_linear(m, insn), value, bytes);
    else
        reg_write(m, insn->dst, bytes, value);
}

/* Go on at target; link: the block's slot for where that leads. */
static inline void go(struct xrw_machine *m, uint64_t target, unsigned link)
{
#if TAIL_CALLS
    struct block *next;
#endif

    m->rip = target;
    if (!m->may_chain)
        return;
#if TAIL_CALLS
    next = m->block->link[link];
    if (LIKELY(next && next->valid && next->count <= m->left)) {
        m->left -= next->count;
        m->charged = next->count;
        m->block = next;
        next->insn[0].op(m, next->insn);
        return;
    }
#endif
    m->want_link = &m->block->link[link];
    m->want_rip = target;
}

/* Behind an instruction that may have changed anything: back to the loop. */
static inline void done(struct xrw_machine *m, const struct insn *insn)
{
    m->rip = insn->rip + insn->length;
    if (UNLIKELY(!is_long(m)))
        m->rip &= 0xffffffffu;
}

static inline void set_status(struct xrw_machine *m, uint64_t rflags)
{
    native_set_rflags(&m->n, rflags);
    m->undefined = 0;
}

static inline unsigned iopl(const struct xrw_machine *m)
{
    return (unsigned)(m->rflags >> 12) & 3;
}

/* Raise #GP(0) unless privileged. */
static inline void require_kernel(struct xrw_machine *m)
{
    if (m->cpl || m->mode & MODE_V86)
        raise_error(m, VECTOR_GP, 0);
}

/* ---- All operations, for the decoder's table ---- */

#define OPERATIONS(X)                                                                              \
    /* ops_native.c */                                                                             \
    X(native)                                                                                      \
    X(native_read)                                                                                 \
    X(native_write) X(native_modify) X(native_any) X(unhandled) X(undefined) X(not_available)      \
        X(too_long) X(nop) X(touch) X(leave_block) /* ops_move.c */                                \
        X(mov_rr4) X(mov_rr8) X(mov_ri4) X(mov_ri8) X(load1) X(load2) X(load4) X(load8) X(store1)  \
            X(store2) X(store4) X(store8) X(store_imm) X(lea4) X(lea8) X(lea) X(movzx1)            \
                X(movzx2) /* ops_flow.c */                                                         \
        X(jmp) X(jmp_near) X(call) X(call_near) X(ret) X(loop) X(jcxz) X(int) X(int3) X(into)      \
            X(int1) X(jo) X(jno) X(jb) X(jnb) X(jz) X(jnz) X(jbe) X(jnbe) X(js) X(jns) X(jp)       \
                X(jnp) X(jl) X(jnl) X(jle) X(jnle) /* ops_stack.c */                               \
        X(push_r8) X(pop_r8) X(push) X(pop) X(pushf) X(popf) X(pusha) X(popa) X(enter) X(leave)    \
            X(push_segment) X(pop_segment)        /* ops_string.c */                               \
        X(movs) X(stos) X(lods) X(scas) X(cmps)   /* ops_far.c */                                  \
        X(jmp_far) X(call_far) X(ret_far) X(iret) /* ops_segment.c */                              \
        X(mov_from_segment) X(mov_to_segment) X(load_pointer) X(lgdt) X(lidt) X(sgdt) X(sidt)      \
            X(lldt) X(ltr) X(sldt) X(str) X(verr) X(verw) X(lar) X(lsl)                            \
                X(arpl) /* ops_control.c */                                                        \
        X(mov_from_cr) X(mov_to_cr) X(mov_from_dr) X(mov_to_dr) X(clts) X(lmsw) X(smsw) X(invlpg)  \
            X(invpcid) X(invd) X(wbinvd) X(xgetbv) X(xsetbv) X(rdpkru)                             \
                X(wrpkru) /* ops_system.c */                                                       \
        X(cpuid) X(rdtsc) X(rdtscp) X(rdpmc) X(rdmsr) X(wrmsr) X(rdrand) X(rdpid) X(swapgs)        \
            X(rdfsbase) X(wrfsbase) X(hlt) X(pause) X(monitor) X(mwait) X(vmx) X(vmcall) X(cli)    \
                X(sti) X(clac) X(stac) X(cld) X(std) /* ops_io.c */                                \
        X(in) X(out) X(ins) X(outs)                  /* ops_syscall.c */                           \
        X(syscall) X(sysret) X(sysenter) X(sysexit)  /* ops_xsave.c */                             \
        X(fxsave) X(fxrstor) X(xsave) X(xrstor)      /* ops_vector.c */                            \
        X(ldmxcsr) X(stmxcsr) X(vzero)               /* ops_legacy.c */                            \
        X(aaa) X(aas) X(aam) X(aad) X(daa) X(das) X(salc) X(xlat) X(bound)

#define OPERATION_DECLARE(name) insn_op op_##name;
OPERATIONS(OPERATION_DECLARE)
#undef OPERATION_DECLARE

/* Which of CR, DR or segment register is meant is in insn->detail. */

#endif
