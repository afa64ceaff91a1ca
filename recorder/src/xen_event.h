/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Within the decoding of events: what the layouts of both vendors share. */
#ifndef XRW_RECORDER_XEN_EVENT_H
#define XRW_RECORDER_XEN_EVENT_H

#include "vmexit_abi.h"
#include "xrw/exit.h"

/* An event that was being delivered, or is to be, in the encoding that VMX and SVM share; nothing
 * if it is not valid. */
void xen_event_set_interruption(struct xrw_exit *exit, enum xrw_exit_field info_field,
                                uint32_t info, enum xrw_exit_field error_field, uint32_t error);

/* What the VM entry before the exit injected: nothing is known, too. */
void xen_event_set_entry(struct xrw_exit *exit, uint32_t info, uint32_t error);

/* Fields of an exit of SVM that happened at rip. */
void xen_event_set_svm(struct xrw_exit *exit, const struct xrw_vmexit_svm *svm, uint64_t rip);

#endif
