/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The describers of single exit reasons; each adds nothing if what it needs is not known.  Here:
 * what both vendors share. */
#ifndef XRW_CORE_DESCRIBE_H
#define XRW_CORE_DESCRIBE_H

#include "text.h"

typedef void xrw_describer(struct xrw_text *text, const struct xrw_exit *exit);

/*
 * How an exit is described, and whether the answer shows in RIP: the hypervisor steps over the
 * instruction once it is done, so that a RIP that stays means a fault, or a later try.
 */
struct xrw_describer_entry {
    unsigned reason;
    bool steps_over;
    xrw_describer *describe;
};

/* By the entry of the exit's reason; nothing if it has none. */
void xrw_describe_listed(const struct xrw_describer_entry *entries, size_t count,
                         struct xrw_text *text, const struct xrw_exit *exit);

/* Whether the hypervisor left RIP at the exiting instruction: a fault follows, or another try.
 * False if that is not known. */
bool xrw_rip_stayed(const struct xrw_exit *exit);

/* Whether there is an answer to print: the instruction was carried out. */
bool xrw_answered(const struct xrw_exit *exit);

/* describe.c: instructions whose operands are in registers */
xrw_describer xrw_describe_cpuid, xrw_describe_rdmsr, xrw_describe_wrmsr, xrw_describe_vmcall,
    xrw_describe_xsetbv, xrw_describe_tsc, xrw_describe_rdpmc, xrw_describe_hlt,
    xrw_describe_monitor;

struct xrw_io {
    unsigned port, size; /* size in bytes */
    bool in, string, rep;
};
void xrw_describe_io(struct xrw_text *text, const struct xrw_exit *exit, const struct xrw_io *io);

/* An MSR's number and name. */
void xrw_describe_msr_number(struct xrw_text *text, bool known, uint64_t msr);

/* describe_event.c: an event in the encoding that both vendors use, as "exception vector 14 (#PF)
 * error 0x2", from two fields; and what was being delivered when the exit happened. */
void xrw_describe_event(struct xrw_text *text, const struct xrw_exit *exit,
                        enum xrw_exit_field info_field, enum xrw_exit_field error_field);
void xrw_describe_delivery(struct xrw_text *text, const struct xrw_exit *exit);

/* Whether such an event is valid; whether it is an exception. */
bool xrw_event_is_valid(const struct xrw_exit *exit, enum xrw_exit_field info_field);
bool xrw_event_is_exception(uint64_t info);

#endif
