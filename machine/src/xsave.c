/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Source: Intel SDM, "Managing State Using the XSAVE Feature Set". */
#include "xsave.h"

#include <string.h>

#define MXCSR_RESET 0x1f80u
#define FX_MXCSR 24
#define FX_XMM 160

enum { X87, SSE, AVX, BNDREGS, BNDCSR, OPMASK, ZMM_HI256, HI16_ZMM, PT, PKRU, COMPONENTS };

static const struct {
    uint16_t bytes, offset;
} components[COMPONENTS] = {
    [AVX] = {256, 576},    [BNDREGS] = {64, 960},     [BNDCSR] = {64, 1024},
    [OPMASK] = {64, 1088}, [ZMM_HI256] = {512, 1152}, [HI16_ZMM] = {1024, 1664},
    [PKRU] = {8, 2688},
};

unsigned component_bytes(unsigned component)
{
    return component < COMPONENTS ? components[component].bytes : 0;
}

unsigned component_offset(unsigned component)
{
    return component < COMPONENTS ? components[component].offset : 0;
}

static bool all_zero(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes[i])
            return false;
    return true;
}

/* The part of the vector registers that a component holds. */
struct part {
    unsigned first, count, offset, bytes;
};

static bool vector_part(unsigned component, struct part *part)
{
    switch (component) {
    case SSE:
        *part = (struct part){0, 16, 0, 16};
        return true;
    case AVX:
        *part = (struct part){0, 16, 16, 16};
        return true;
    case ZMM_HI256:
        *part = (struct part){0, 16, 32, 32};
        return true;
    case HI16_ZMM:
        *part = (struct part){16, 16, 0, 64};
        return true;
    default:
        return false;
    }
}

static bool x87_initial(const struct xrw_machine *m)
{
    static const uint8_t control[] = {0x7f, 0x03};

    return !memcmp(m->n.fx, control, 2) && all_zero(m->n.fx + 2, 22) && all_zero(m->n.fx + 32, 128);
}

uint64_t xsave_in_use(const struct xrw_machine *m)
{
    uint64_t in_use = x87_initial(m) ? 0 : XCR0_X87;

    for (unsigned c = SSE; c <= HI16_ZMM; c++) {
        struct part p;
        for (unsigned i = 0; vector_part(c, &p) && i < p.count; i++)
            if (!all_zero(m->n.zmm[p.first + i] + p.offset, p.bytes))
                in_use |= BIT(c);
    }
    if (!all_zero((const uint8_t *)m->n.k, sizeof m->n.k))
        in_use |= XCR0_OPMASK;
    if (m->pkru)
        in_use |= XCR0_PKRU;
    return in_use;
}

/* ---- The legacy part ---- */

void fxsave_store(const struct xrw_machine *m, uint8_t *area, bool wide, bool x87, bool sse)
{
    if (x87) {
        memcpy(area, m->n.fx, 24);
        memcpy(area + 32, m->n.fx + 32, 128);
        if (!wide && !m->cpu.save_fpu_segments) {
            memset(area + 12, 0, 4);
            memset(area + 20, 0, 4);
        }
    }
    memcpy(area + FX_MXCSR, &m->n.mxcsr, 4);
    memcpy(area + FX_MXCSR + 4, &m->cpu.mxcsr_mask, 4);
    for (unsigned i = 0; sse && i < (wide || is_long(m) ? 16u : 8u); i++)
        memcpy(area + FX_XMM + 16 * i, m->n.zmm[i], 16);
}

bool fxsave_mxcsr_possible(const struct xrw_machine *m, const uint8_t *area)
{
    uint32_t mxcsr;

    memcpy(&mxcsr, area + FX_MXCSR, 4);
    return !(mxcsr & ~m->cpu.mxcsr_mask);
}

void fxsave_load(struct xrw_machine *m, const uint8_t *area, bool wide, bool x87, bool sse)
{
    if (x87) {
        memcpy(m->n.fx, area, 24);
        memcpy(m->n.fx + 32, area + 32, 128);
        if (!wide) {
            memset(m->n.fx + 12, 0, 4);
            memset(m->n.fx + 20, 0, 4);
        }
    }
    for (unsigned i = 0; sse && i < (wide || is_long(m) ? 16u : 8u); i++)
        memcpy(m->n.zmm[i], area + FX_XMM + 16 * i, 16);
}

/* ---- The others ---- */

void component_store(const struct xrw_machine *m, unsigned component, uint8_t *area)
{
    struct part p;

    if (vector_part(component, &p))
        for (unsigned i = 0; i < p.count; i++)
            memcpy(area + i * p.bytes, m->n.zmm[p.first + i] + p.offset, p.bytes);
    else if (component == OPMASK)
        memcpy(area, m->n.k, sizeof m->n.k);
    else if (component == PKRU)
        memcpy(area, &m->pkru, 4);
}

static void load_initial(struct xrw_machine *m, unsigned component)
{
    static const uint8_t zero[1024];

    if (component == X87) {
        memset(m->n.fx, 0, 24);
        memset(m->n.fx + 32, 0, 128);
        m->n.fx[0] = 0x7f;
        m->n.fx[1] = 0x03;
    } else {
        component_load(m, component, zero);
    }
}

void component_load(struct xrw_machine *m, unsigned component, const uint8_t *area)
{
    struct part p;

    if (!area)
        load_initial(m, component);
    else if (vector_part(component, &p))
        for (unsigned i = 0; i < p.count; i++)
            memcpy(m->n.zmm[p.first + i] + p.offset, area + i * p.bytes, p.bytes);
    else if (component == OPMASK)
        memcpy(m->n.k, area, sizeof m->n.k);
    else if (component == PKRU)
        memcpy(&m->pkru, area, 4);
}
