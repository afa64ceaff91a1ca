/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kinds of exits that have to be told apart whichever vendor's they are. */
#ifndef XRW_KIND_H
#define XRW_KIND_H

#include "xrw/exit.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

enum xrw_exit_kind {
    XRW_KIND_OTHER, /* also if the reason is not known */
    XRW_KIND_EXCEPTION,
    XRW_KIND_INIT, /* or a start-up IPI */
    XRW_KIND_TASK_SWITCH,
    XRW_KIND_HYPERCALL,
    XRW_KIND_DR_ACCESS,
    XRW_KIND_IO,
    XRW_KIND_MSR_READ,
    XRW_KIND_MSR_WRITE,
    XRW_KIND_APIC_ACCESS,
    XRW_KIND_GDTR_IDTR_ACCESS,
    XRW_KIND_LDTR_TR_ACCESS,
    XRW_KIND_PAGE, /* an access that the second-level page tables do not allow as they stand */
};

enum xrw_exit_kind xrw_exit_kind(const struct xrw_exit *exit);

/* The vector of an exception that exits; -1 if it is another exit, or the vector is not known. */
int xrw_exit_vector(const struct xrw_exit *exit);

/* Of XRW_KIND_PAGE: whether the access was a write; whether it was to a page table of the guest's,
 * as an address was translated.  False if that is not known. */
bool xrw_exit_page_write(const struct xrw_exit *exit);
bool xrw_exit_page_walk(const struct xrw_exit *exit);

#ifdef __cplusplus
}
#endif
#endif
