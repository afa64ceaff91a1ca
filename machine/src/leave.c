/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Leaving the interpreter in the midst of an instruction: exceptions, exits, and stops. */
#include "cpu.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define INFO_VALID BIT(31)
#define INFO_ERROR BIT(11)

/* Whether an exit saves RFLAGS.RF as 0, 1, or as it is.
 * Source: Intel SDM, "Saving RIP, RSP, RFLAGS, and SSP". */
enum { RF_ZERO, RF_ONE, RF_KEEP };

static NORETURN void leave(struct xrw_machine *m, enum leave why)
{
    m->bounced = 0;
    m->apic_written = false;
    m->lanes_host = NULL;
    longjmp(*m->leave, why);
}

static uint64_t event_info(const struct event *event)
{
    return INFO_VALID | event->vector | (uint64_t)event->type << 8 |
           (event->has_error ? INFO_ERROR : 0);
}

static bool is_soft(const struct event *event)
{
    return event->type >= EVENT_SOFT_INT && event->type <= EVENT_SOFT_EXC;
}

static bool is_fault(const struct event *event)
{
    return event->type == EVENT_HARDWARE && event->vector != VECTOR_DB && !event->injected;
}

static int saved_rf(const struct xrw_machine *m, unsigned reason)
{
    switch (reason) {
    case XRW_VMX_EPT_VIOLATION:
    case XRW_VMX_EPT_MISCONFIG:
    case XRW_VMX_APIC_ACCESS:
        if (m->delivering.valid)
            return is_fault(&m->delivering) ? RF_ONE : RF_KEEP;
        return is_bochs(m) ? RF_ZERO : RF_ONE;
    case XRW_VMX_EXCEPTION_NMI:
    case XRW_VMX_TRIPLE_FAULT:
    case XRW_VMX_INTERRUPT_WINDOW:
    case XRW_VMX_NMI_WINDOW:
    case XRW_VMX_APIC_WRITE:
    case XRW_VMX_TPR_BELOW_THRESHOLD:
    case XRW_VMX_TASK_SWITCH:
        return RF_KEEP;
    default:
        return RF_ZERO;
    }
}

/* What all exits say. */
void fill_exit(struct xrw_machine *m, unsigned reason, uint64_t qualification)
{
    struct xrw_exit *exit = &m->result->exit;
    int rf = saved_rf(m, reason);

    xrw_exit_set(exit, XRW_EXIT_reason, reason);
    xrw_exit_set(exit, XRW_EXIT_qualification, qualification);
    /* An NMI whose delivery began blocks others; redelivery needs that undone. */
    xrw_exit_set(
        exit, XRW_EXIT_interruptibility,
        m->shadow |
            (m->delivering.valid && m->delivering.type == EVENT_NMI ? XRW_BLOCKED_BY_NMI : 0));
    xrw_exit_set(exit, XRW_EXIT_idt_info, m->delivering.valid ? event_info(&m->delivering) : 0);
    if (m->delivering.valid && m->delivering.has_error)
        xrw_exit_set(exit, XRW_EXIT_idt_error, m->delivering.error);
    if (m->delivering.valid && is_soft(&m->delivering))
        xrw_exit_set(exit, XRW_EXIT_insn_len, m->delivering.insn_len);
    if (!exit->field_known[XRW_EXIT_intr_info])
        xrw_exit_set(exit, XRW_EXIT_intr_info, 0);
    if (rf != RF_KEEP)
        m->rflags = (m->rflags & ~RFLAGS_RF) | (rf == RF_ONE ? RFLAGS_RF : 0);
    m->delivering.valid = false;
    m->ple_last = 0; /* the first PAUSE after the next entry begins a loop */
    m->result->stop = XRW_STOP_EXIT;
}

void leave_exit(struct xrw_machine *m, unsigned reason, uint64_t qualification)
{
    fill_exit(m, reason, qualification);
    leave(m, LEAVE_STOP);
}

void leave_exit_insn(struct xrw_machine *m, unsigned reason, uint64_t qualification)
{
    xrw_exit_set(&m->result->exit, XRW_EXIT_insn_len, m->insn->length);
    leave_exit(m, reason, qualification);
}

void exit_after(struct xrw_machine *m, unsigned reason, uint64_t qualification)
{
    m->after_reason = reason;
    m->after_qualification = qualification;
    m->after_valid = true;
    code_interrupt(m);
}

void leave_stop(struct xrw_machine *m, enum xrw_machine_stop stop)
{
    m->result->stop = stop;
    m->delivering.valid = false;
    leave(m, LEAVE_STOP);
}

void leave_retry(struct xrw_machine *m)
{
    leave(m, LEAVE_EVENT);
}

void leave_error(struct xrw_machine *m, int error)
{
    m->result->error = error;
    xrw_error_set(&m->result->text, error, "%s", strerror(-error));
    leave_stop(m, XRW_STOP_ERROR);
}

void leave_unhandled(struct xrw_machine *m, const char *format, ...)
{
    char what[256];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    xrw_error_set(&m->result->text, -ENOTSUP, "%s", what);
    leave_stop(m, XRW_STOP_UNHANDLED);
}

/* ---- Exceptions ---- */

static bool is_contributory(unsigned vector)
{
    return vector == VECTOR_DE || (vector >= VECTOR_TS && vector <= VECTOR_GP);
}

/* Whether the exception bitmap asks for an exit. */
static bool exits(const struct xrw_machine *m, const struct event *event)
{
    const struct xrw_machine_controls *c = &m->controls;
    bool bit = c->exception_bitmap >> (event->vector & 31) & 1;

    if (event->vector >= 32 || event->injected)
        return false;
    if (event->vector == VECTOR_PF)
        return bit == ((event->error & c->pf_error_mask) == c->pf_error_match);
    return bit;
}

static void exit_if_asked(struct xrw_machine *m, const struct event *event)
{
    struct xrw_exit *exit = &m->result->exit;

    if (!exits(m, event))
        return;
    xrw_exit_set(exit, XRW_EXIT_intr_info, event_info(event));
    if (event->has_error)
        xrw_exit_set(exit, XRW_EXIT_intr_error, event->error);
    if (is_soft(event))
        xrw_exit_set(exit, XRW_EXIT_insn_len, event->insn_len);
    if (is_fault(event) && !is_bochs(m))
        m->rflags |= RFLAGS_RF;
    if (event->vector == VECTOR_DB)
        m->pending_debug = 0;
    leave_exit(m, XRW_VMX_EXCEPTION_NMI,
               event->vector == VECTOR_PF || event->vector == VECTOR_DB ? event->address : 0);
}

static NORETURN void triple_fault(struct xrw_machine *m)
{
    m->delivering.valid = false;
    if (m->controls.exits & XRW_EXITS_TRIPLE_FAULT)
        leave_exit(m, XRW_VMX_TRIPLE_FAULT, 0);
    leave_stop(m, XRW_STOP_SHUTDOWN);
}

/* An exception while another is being delivered: both in turn, a double fault, or the end.
 * Source: Intel SDM, "Interrupt 8: Double Fault Exception". */
static struct event combine(struct xrw_machine *m, const struct event *second)
{
    const struct event *first = &m->delivering;
    bool serious = is_contributory(second->vector) || second->vector == VECTOR_PF;

    if (first->type != EVENT_HARDWARE || !serious)
        return *second;
    if (first->vector == VECTOR_DF)
        triple_fault(m);
    if (first->vector == VECTOR_PF ||
        (is_contributory(first->vector) && is_contributory(second->vector)))
        return (struct event){
            .valid = true, .type = EVENT_HARDWARE, .vector = VECTOR_DF, .has_error = true};
    return *second;
}

void raise_event(struct xrw_machine *m, const struct event *event)
{
    struct event e = *event;

    e.valid = true;
    if (m->delivering.valid && !is_soft(&m->delivering) && e.has_error && e.vector >= VECTOR_TS &&
        e.vector <= VECTOR_GP)
        e.error |= 1; /* external to the program */
    exit_if_asked(m, &e);
    if (m->delivering.valid) {
        e = combine(m, &e);
        if (e.vector == VECTOR_DF)
            exit_if_asked(m, &e);
    }
    m->delivering.valid = false;
    m->event = e;
    m->attention |= ATTENTION_EVENT;
    leave(m, LEAVE_EVENT);
}

void raise_error(struct xrw_machine *m, unsigned vector, uint32_t error)
{
    raise_event(m, &(struct event){.type = EVENT_HARDWARE,
                                   .vector = (uint8_t)vector,
                                   .has_error = (m->cr0 & CR0_PE) != 0,
                                   .error = error});
}

void raise_plain(struct xrw_machine *m, unsigned vector)
{
    raise_event(m, &(struct event){.type = EVENT_HARDWARE, .vector = (uint8_t)vector});
}

void raise_page_fault(struct xrw_machine *m, uint64_t linear, uint32_t error)
{
    raise_event(m, &(struct event){.type = EVENT_HARDWARE,
                                   .vector = VECTOR_PF,
                                   .has_error = true,
                                   .error = error,
                                   .address = linear});
}

void task_switch(struct xrw_machine *m, uint16_t selector, unsigned source)
{
    if (!(m->controls.exits & XRW_EXITS_TASK_SWITCH))
        leave_unhandled(m, "a hardware task switch");
    if (m->executing)
        xrw_exit_set(&m->result->exit, XRW_EXIT_insn_len, m->insn->length);
    leave_exit(m, XRW_VMX_TASK_SWITCH, selector | (uint64_t)source << 30);
}
