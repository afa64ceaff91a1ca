/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xrw/path.h"

#include "xrw/kind.h"
#include "xrw/reason.h"
#include "xrw/vmx.h"

static bool rip_moved(const struct xrw_exit *exit)
{
    return exit->has_after && exit->before.known[XRW_REG_rip] && exit->after.known[XRW_REG_rip] &&
           exit->before.value[XRW_REG_rip] != exit->after.value[XRW_REG_rip];
}

bool xrw_path_counts(const struct xrw_exit *exit)
{
    if (!exit->field_known[XRW_EXIT_reason] || xrw_exit_is_host(exit))
        return false;
    return xrw_exit_kind(exit) != XRW_KIND_PAGE ||
           xrw_exit_basic_reason(exit) == XRW_VMX_EPT_MISCONFIG || rip_moved(exit);
}

struct xrw_path_step xrw_path_step(const struct xrw_exit *exit)
{
    struct xrw_path_step step = {.vcpu = exit->vcpu, .reason = xrw_exit_basic_reason(exit)};

    if (exit->before.known[XRW_REG_rip])
        step.rip = exit->before.value[XRW_REG_rip];
    if (step.reason == XRW_VMX_EXCEPTION_NMI && exit->field_known[XRW_EXIT_intr_info])
        step.vector = exit->field[XRW_EXIT_intr_info] & 0xff;
    return step;
}

bool xrw_path_same_step(const struct xrw_path_step *a, const struct xrw_path_step *b)
{
    return a->vcpu == b->vcpu && a->reason == b->reason && a->rip == b->rip &&
           a->vector == b->vector;
}

/* The finaliser of SplitMix64: every bit of x reaches every bit of the result. */
static uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

void xrw_path_add(struct xrw_path *path, const struct xrw_exit *exit)
{
    struct xrw_path_step step;

    if (!xrw_path_counts(exit))
        return;
    step = xrw_path_step(exit);
    path->exits++;
    /* The count keeps a step that hashes to nothing from being none. */
    path->hash = mix(path->hash + path->exits);
    path->hash = mix(path->hash ^ step.rip);
    path->hash = mix(path->hash ^ (step.vcpu << 32 | step.vector << 16 | step.reason));
}
