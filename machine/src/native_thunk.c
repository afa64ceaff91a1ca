/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A thunk around one rewritten instruction: int thunk(struct native_state *rdi, void *rsi). */
#include "native_emit.h"
#include "native_internal.h"

#define GPR_DISP(id) ((int32_t)(8 * (id)))
#define K_DISP(id) ((int32_t)(offsetof(struct native_state, k) + 8 * (id)))
#define VECTOR_DISP(id) ((int32_t)(offsetof(struct native_state, zmm) + 64u * (id)))
#define FX_DISP ((int32_t)offsetof(struct native_state, fx))
#define MXCSR_DISP ((int32_t)offsetof(struct native_state, mxcsr))
#define HOST_MXCSR_DISP ((int32_t)offsetof(struct native_state, host_mxcsr))

/* Registers that a called function must leave as they were: rbx, rbp, r12 to r15. */
#define CALLEE_SAVED 0xf028u

static uint8_t take(const uint8_t *order, unsigned count, uint16_t *taken)
{
    for (unsigned i = 0; i < count; i++) {
        if (*taken >> order[i] & 1)
            continue;
        *taken |= (uint16_t)(1u << order[i]);
        return order[i];
    }
    return RSP; /* not reached: no instruction names so many registers */
}

/*
 * Three registers that the instruction does not use.  memory and stack never need a REX prefix,
 * which would turn AH into SPL; memory is none whose ModRM means something else.
 */
void native_choose_roles(const struct native_use *use, struct native_roles *roles)
{
    static const uint8_t for_memory[] = {RSI, RDX, RCX, RBX, RAX, RDI};
    static const uint8_t for_stack[] = {RDX, RCX, RAX, RSI, RBX, RDI, RBP};
    static const uint8_t for_state[] = {RDI, 8, 9, 10, 11, 13, 14, 15};
    uint16_t taken = (uint16_t)(use->gprs & ~(1u << RSP));
    if (use->flags_load || use->flags_store)
        taken |= 1u << RAX;
    roles->memory = RSP;
    roles->stack = RSP;
    if (use->memory)
        roles->memory = take(for_memory, sizeof(for_memory), &taken);
    if (use->gprs >> RSP & 1)
        roles->stack = take(for_stack, sizeof(for_stack), &taken);
    roles->state = take(for_state, sizeof(for_state), &taken);
}

static uint16_t saved_registers(const struct native_use *use, const struct native_roles *roles)
{
    unsigned used = use->gprs | 1u << roles->memory | 1u << roles->stack | 1u << roles->state;
    return (uint16_t)(used & CALLEE_SAVED);
}

static void emit_gprs(struct emit *e, uint16_t which, bool store, const struct native_roles *roles)
{
    for (unsigned id = 0; id < 16; id++) {
        unsigned host = id == RSP ? roles->stack : id;
        if (!(which >> id & 1))
            continue;
        if (store)
            emit_store(e, host, roles->state, GPR_DISP(id));
        else
            emit_load(e, host, roles->state, GPR_DISP(id));
    }
}

static void emit_vectors(struct emit *e, const struct native_use *use, bool store, unsigned state)
{
    for (unsigned i = 0; i < use->vector_count; i++) {
        const struct native_vector *vector = &use->vectors[i];
        unsigned bytes = store ? vector->store : vector->load;
        if (bytes)
            emit_vector(e, bytes, store, vector->index, state, VECTOR_DISP(vector->index));
    }
    for (unsigned id = 0; id < 8; id++)
        if ((store ? use->k_store : use->k_load) >> id & 1)
            emit_mask(e, store, id, state, K_DISP(id));
}

static void emit_entry(struct emit *e, const struct native_use *use,
                       const struct native_roles *roles)
{
    uint16_t saved = saved_registers(use, roles);
    for (unsigned id = 0; id < 16; id++)
        if (saved >> id & 1)
            emit_push(e, id);
    if (roles->state != RDI)
        emit_move(e, roles->state, RDI);
    if (use->memory && roles->memory != RSI)
        emit_move(e, roles->memory, RSI);
    if (use->x87)
        emit_0f(e, 1, 0xae, 1, roles->state, FX_DISP); /* fxrstor64 */
    if (use->x87 || use->mxcsr)
        emit_ldmxcsr(e, roles->state, MXCSR_DISP);
    emit_vectors(e, use, false, roles->state);
    if (use->flags_load)
        emit_flags_load(e, roles->state);
    emit_gprs(e, use->gpr_load, false, roles);
}

/* What every way out has in common: the host's floating point as it was, registers, return. */
static void emit_exit(struct emit *e, const struct native_use *use,
                      const struct native_roles *roles)
{
    uint16_t saved = saved_registers(use, roles);
    if (use->x87) {
        /* After a fault too: CVTPS2PI has switched to MMX by the time it is refused. */
        emit_0f(e, 1, 0xae, 0, roles->state, FX_DISP); /* fxsave64 */
        emit_bytes(e, "\xdb\xe3", 2);                  /* fninit: the host's control word, no MMX */
    }
    if (use->x87 || use->mxcsr) {
        emit_stmxcsr(e, roles->state, MXCSR_DISP);
        emit_ldmxcsr(e, roles->state, HOST_MXCSR_DISP);
    }
    if (use->wide)
        emit_bytes(e, "\xc5\xf8\x77", 3); /* vzeroupper */
    for (unsigned id = 16; id-- > 0;)
        if (saved >> id & 1)
            emit_pop(e, id);
    emit1(e, 0xc3);
}

void native_generate(uint8_t *code, const struct native_use *use, const struct native_roles *roles,
                     const struct native_form *form, struct native_layout *layout)
{
    struct emit e = {code};
    emit_entry(&e, use, roles);
    layout->insn = (uint32_t)(e.at - code);
    emit_bytes(&e, form->bytes, form->length);
    emit_gprs(&e, use->gpr_store, true, roles);
    emit_vectors(&e, use, true, roles->state);
    if (use->flags_store)
        emit_flags_store(&e, roles->state);
    emit_bytes(&e, "\x31\xc0", 2); /* xor eax, eax */
    emit_exit(&e, use, roles);
    layout->fault = (uint32_t)(e.at - code); /* EAX is the fault handler's */
    emit_exit(&e, use, roles);
    layout->end = (uint32_t)(e.at - code);
}
