/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is due at an entry: time of the devices, an event to inject, windows to wait for. */
#include "platform.h"

#define CR8_SHIFT 4
#define TIMER_IRQ 0u

static void advance_devices(struct xrw_platform *p)
{
    uint64_t now = xrw_platform_time_ns(p);

    if (p->xen) {
        lapic_advance(&p->lapic, now);
        return;
    }
    if (pit_take_edge(&p->pit, now)) {
        pic_line(&p->pic, TIMER_IRQ, true);
        pic_line(&p->pic, TIMER_IRQ, false);
    }
    pic_line(&p->pic, SERIAL_IRQ, serial_irq(&p->serial));
}

uint64_t platform_next_event_ns(const struct xrw_platform *p)
{
    return p->xen ? lapic_next_ns(&p->lapic) : pit_next_ns(&p->pit);
}

static bool interrupt_pending(const struct xrw_platform *p)
{
    return p->xen ? lapic_pending(&p->lapic) >= 0 : pic_pending(&p->pic);
}

static unsigned acknowledge(struct xrw_platform *p)
{
    int vector;

    if (!p->xen)
        return pic_acknowledge(&p->pic);
    vector = lapic_pending(&p->lapic);
    lapic_acknowledge(&p->lapic, vector);
    return (unsigned)vector;
}

static bool nmi_possible(struct xrw_platform *p)
{
    struct xrw_machine_state state;

    xrw_machine_store(p->machine, &state);
    return !(state.interruptibility & (XRW_BLOCKED_BY_NMI | XRW_BLOCKED_BY_MOV_SS));
}

/* Choose what the entry injects, and which windows are to be waited for. */
static uint32_t choose_injection(struct xrw_platform *p)
{
    uint32_t windows = 0;

    p->current = p->next;
    p->next.info = 0;
    if (p->current.info & EVENT_VALID) {
        if (p->nmi_pending)
            windows |= XRW_EXITS_NMI_WINDOW;
        return interrupt_pending(p) ? windows | XRW_EXITS_INTERRUPT_WINDOW : windows;
    }
    p->current.info = 0;
    if (p->nmi_pending && nmi_possible(p)) {
        p->nmi_pending = false;
        p->current.info = EVENT_VALID | EVENT_NMI | VECTOR_NMI;
    } else if (p->nmi_pending)
        windows |= XRW_EXITS_NMI_WINDOW;
    if (!interrupt_pending(p))
        return windows;
    if (p->current.info || !xrw_machine_interruptible(p->machine))
        return windows | XRW_EXITS_INTERRUPT_WINDOW;
    p->current.info = EVENT_VALID | EVENT_EXTERNAL | acknowledge(p);
    return windows;
}

/* The task priority below which an interrupt that waits could be delivered. */
static uint8_t tpr_threshold(const struct xrw_platform *p)
{
    int request = p->xen ? lapic_highest_request(&p->lapic) : -1;
    int tpr = p->apic_page[LAPIC_TPR];

    if (request < 0)
        return 0;
    return (uint8_t)((request > tpr ? tpr : request) >> CR8_SHIFT);
}

int platform_enter(struct xrw_platform *p)
{
    const uint32_t changing = XRW_EXITS_INTERRUPT_WINDOW | XRW_EXITS_NMI_WINDOW | XRW_EXITS_MOV_DR;
    uint32_t windows, exits;
    uint8_t threshold;
    int rc = 0;

    advance_devices(p);
    windows = choose_injection(p);
    exits = (p->controls.exits & ~changing) | windows | (p->dr_granted ? 0 : XRW_EXITS_MOV_DR);
    threshold = tpr_threshold(p);
    if (exits != p->controls.exits || threshold != p->controls.tpr_threshold) {
        p->controls.exits = exits;
        p->controls.tpr_threshold = threshold;
        rc = xrw_machine_set_controls(p->machine, &p->controls);
    }
    if (!rc && p->current.info)
        rc = xrw_machine_inject(p->machine, p->current.info, p->current.error, p->current.insn_len);
    p->entries++;
    p->entry_ns = xrw_platform_time_ns(p);
    return rc;
}

bool platform_wake(struct xrw_platform *p)
{
    while (p->halted) {
        uint64_t next;

        advance_devices(p);
        if (p->nmi_pending || (interrupt_pending(p) && reg(p, XRW_REG_rflags) & RFLAGS_IF)) {
            p->halted = false;
            break;
        }
        next = platform_next_event_ns(p);
        if (next == UINT64_MAX || !(reg(p, XRW_REG_rflags) & RFLAGS_IF))
            return false;
        if (next > xrw_platform_time_ns(p))
            p->skipped_ns += next - xrw_platform_time_ns(p);
    }
    return true;
}
