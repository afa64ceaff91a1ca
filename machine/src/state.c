/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "state.h"
#include "xsave.h"

#include <stddef.h>
#include <string.h>

#define AT(field) offsetof(struct xrw_machine, field)

static const size_t places[XRW_REGISTER_COUNT] = {
    [XRW_REG_rip] = AT(rip),
    [XRW_REG_cr0] = AT(cr0),
    [XRW_REG_cr2] = AT(cr2),
    [XRW_REG_cr3] = AT(cr3),
    [XRW_REG_cr4] = AT(cr4),
    [XRW_REG_efer] = AT(efer),
    [XRW_REG_dr0] = AT(dr[0]),
    [XRW_REG_dr1] = AT(dr[1]),
    [XRW_REG_dr2] = AT(dr[2]),
    [XRW_REG_dr3] = AT(dr[3]),
    [XRW_REG_dr6] = AT(dr6),
    [XRW_REG_dr7] = AT(dr7),
    [XRW_REG_star] = AT(star),
    [XRW_REG_lstar] = AT(lstar),
    [XRW_REG_cstar] = AT(cstar),
    [XRW_REG_sfmask] = AT(sfmask),
    [XRW_REG_kernel_gs_base] = AT(kernel_gs_base),
    [XRW_REG_tsc_aux] = AT(tsc_aux),
    [XRW_REG_sysenter_cs] = AT(sysenter_cs),
    [XRW_REG_sysenter_esp] = AT(sysenter_esp),
    [XRW_REG_sysenter_eip] = AT(sysenter_eip),
    [XRW_REG_gdtr_base] = AT(gdtr.base),
    [XRW_REG_idtr_base] = AT(idtr.base),
};

uint64_t *state_register(struct xrw_machine *m, enum xrw_register reg)
{
    return (uint64_t *)(void *)((char *)m + places[reg]);
}

/* core's table keeps each segment's selector, base, limit and attributes together. */
#define FIELDS 4

struct segment_register *state_segment(struct xrw_machine *m, enum xrw_register reg)
{
    static const struct {
        enum xrw_register first;
        size_t place;
    } segments[] = {
        {XRW_REG_cs, AT(seg[SEG_CS])}, {XRW_REG_ss, AT(seg[SEG_SS])}, {XRW_REG_ds, AT(seg[SEG_DS])},
        {XRW_REG_es, AT(seg[SEG_ES])}, {XRW_REG_fs, AT(seg[SEG_FS])}, {XRW_REG_gs, AT(seg[SEG_GS])},
        {XRW_REG_ldtr, AT(ldtr)},      {XRW_REG_tr, AT(tr)},
    };

    for (unsigned i = 0; i < sizeof segments / sizeof *segments; i++)
        if (reg >= segments[i].first && reg < segments[i].first + FIELDS)
            return (struct segment_register *)(void *)((char *)m + segments[i].place);
    return NULL;
}

void state_read_all(const struct xrw_machine *m, uint64_t value[XRW_REGISTER_COUNT])
{
    const struct segment_register *segments[] = {&m->seg[SEG_CS], &m->seg[SEG_SS], &m->seg[SEG_DS],
                                                 &m->seg[SEG_ES], &m->seg[SEG_FS], &m->seg[SEG_GS],
                                                 &m->ldtr,        &m->tr};

    memcpy(value, m->n.gpr, sizeof m->n.gpr);
    for (unsigned r = XRW_REG_rip; r < XRW_REG_cs; r++)
        if (places[r])
            memcpy(&value[r], (const char *)m + places[r], sizeof *value);
    value[XRW_REG_rflags] = cpu_rflags(m);
    value[XRW_REG_gdtr_limit] = m->gdtr.limit;
    value[XRW_REG_idtr_limit] = m->idtr.limit;
    for (unsigned i = 0; i < sizeof segments / sizeof *segments; i++) {
        const struct segment_register *s = segments[i];
        const uint64_t fields[FIELDS] = {s->selector, s->base, s->limit, s->attr};

        memcpy(&value[XRW_REG_cs + i * FIELDS], fields, sizeof fields);
    }
}

static unsigned field_of(enum xrw_register reg)
{
    return (unsigned)(reg - XRW_REG_cs) % FIELDS;
}

uint64_t state_segment_field(const struct segment_register *s, enum xrw_register reg)
{
    switch (field_of(reg)) {
    case 0:
        return s->selector;
    case 1:
        return s->base;
    case 2:
        return s->limit;
    default:
        return s->attr;
    }
}

void state_set_segment_field(struct segment_register *s, enum xrw_register reg, uint64_t value)
{
    switch (field_of(reg)) {
    case 0:
        s->selector = (uint16_t)value;
        break;
    case 1:
        s->base = value;
        break;
    case 2:
        s->limit = (uint32_t)value;
        break;
    default:
        s->attr = (uint16_t)value;
    }
}

/* ---- Vector state ---- */

void native_state_init_vectors(struct native_state *state)
{
    uint64_t gpr[16];
    uint16_t flags = state->flags;

    memcpy(gpr, state->gpr, sizeof gpr);
    native_state_init(state);
    memcpy(state->gpr, gpr, sizeof gpr);
    state->flags = flags;
}

uint64_t native_xcr0(void)
{
    uint64_t xcr0 = XCR0_X87 | XCR0_SSE;

#if defined(__GNUC__) && defined(__x86_64__)
    if (__builtin_cpu_supports("avx"))
        xcr0 |= XCR0_AVX;
    if (__builtin_cpu_supports("avx512f"))
        xcr0 |= XCR0_AVX512;
    xcr0 |= XCR0_PKRU;
#endif
    return xcr0;
}
