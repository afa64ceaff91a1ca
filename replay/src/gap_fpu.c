/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gap_fpu.h"

#include <errno.h>
#include <string.h>

#define FXSAVE_MXCSR 24u
#define MXCSR_INITIAL 0x1f80u
#define FCW_INITIAL 0x37fu
#define FCW_OTHER 0x27fu
#define FXSAVE_XMM 160u
#define FXSAVE_XMM_END 416u
#define XSTATE_BV 512u
#define AVX_OFFSET 576u
#define AVX_BYTES 256u
#define XSTATE_LEGACY UINT64_C(3) /* x87 and SSE, which FXSAVE has too */
#define XSTATE_AVX UINT64_C(4)
#define OTHER_BYTE 0x5a

static void set_components(struct gap_engine *e, uint64_t components)
{
    memcpy(e->state.xsave + XSTATE_BV, &components, sizeof components);
}

static uint64_t get_components(const struct gap_engine *e)
{
    uint64_t components;

    memcpy(&components, e->state.xsave + XSTATE_BV, sizeof components);
    return components;
}

void gap_fpu_forget(struct gap_engine *e)
{
    const uint32_t mxcsr = MXCSR_INITIAL;
    const uint16_t fcw = FCW_INITIAL;

    memset(e->state.xsave, 0, sizeof e->state.xsave);
    memcpy(e->state.xsave, &fcw, sizeof fcw);
    memcpy(e->state.xsave + FXSAVE_MXCSR, &mxcsr, sizeof mxcsr);
    set_components(e, XSTATE_LEGACY);
    e->fpu_assumed = UINT64_MAX;
}

void gap_fpu_take(struct gap_engine *e, const uint8_t *area, size_t bytes)
{
    memcpy(e->state.xsave, area, bytes < sizeof e->state.xsave ? bytes : sizeof e->state.xsave);
    e->fpu_assumed = 0;
}

int gap_fpu_load(struct gap_engine *e, struct xrw_error *err)
{
    int rc = xrw_store_fxsave(e->store, e->from.id, e->state.xsave, err);

    if (rc)
        return rc == -ENODATA ? 0 : rc;
    set_components(e, get_components(e) | XSTATE_LEGACY);
    e->fpu_assumed &= ~XSTATE_LEGACY;
    return 0;
}

void gap_fpu_carry(struct gap_engine *e)
{
    xrw_machine_store(e->machine, &e->state);
}

bool gap_fpu_assume_recorded(struct gap_engine *e)
{
    return e->fpu_assumed & XSTATE_LEGACY &&
           !xrw_store_fxsave(e->store, e->to.id, e->state.xsave, NULL);
}

bool gap_fpu_assume_other(struct gap_engine *e)
{
    const uint16_t fcw = FCW_OTHER;
    uint64_t other = e->fpu_assumed & (XSTATE_LEGACY | XSTATE_AVX);

    if (other & XSTATE_LEGACY) {
        memcpy(e->state.xsave, &fcw, sizeof fcw);
        memset(e->state.xsave + FXSAVE_XMM, OTHER_BYTE, FXSAVE_XMM_END - FXSAVE_XMM);
    }
    if (other & XSTATE_AVX)
        memset(e->state.xsave + AVX_OFFSET, OTHER_BYTE, AVX_BYTES);
    set_components(e, get_components(e) | other);
    return other;
}
