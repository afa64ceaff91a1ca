/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exit reasons of either vendor: names, and what they say of an exit. */
#ifndef XRW_REASON_H
#define XRW_REASON_H

#include "xrw/exit.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The basic exit reason of an exit of SVM is its exit code with this added, so that one number
 * tells what happened on either vendor.  VMX has no reasons that high.
 */
#define XRW_SVM_REASON 0x1000u

struct xrw_reason_info {
    unsigned reason;
    const char *name; /* as in Xen's EXIT_REASON_* or VMEXIT_*, shortened where Xen's is long */
    const char *what; /* one line */
};

/* Entry i of all reasons, 0 to xrw_reason_count() - 1: those of VMX, then those of SVM. */
const struct xrw_reason_info *xrw_reason_at(size_t i);
size_t xrw_reason_count(void);

/* What is known of a basic exit reason; NULL if nothing is. */
const struct xrw_reason_info *xrw_reason_find(unsigned basic_reason);

/* Name of a basic exit reason, e.g. "CPUID"; NULL if it has none. */
const char *xrw_reason_name(unsigned basic_reason);

/* "VMX" or "SVM". */
const char *xrw_reason_vendor(unsigned basic_reason);

/* Basic reason of that name (any case), that of VMX where both vendors have it; or of a decimal
 * number; -ENOENT. */
int xrw_reason_by_name(const char *name);

/* The reason of the same name on the other vendor, e.g. CPUID's; the reason itself if there is
 * none. */
unsigned xrw_reason_twin(unsigned basic_reason);

/*
 * Write what the exit asks for in words, operands decoded, e.g. "OUT port 0xe9 size 1 value 0x41",
 * "WRMSR 0xc0000080 (IA32_EFER) = 0x501", "EPT write gpa 0x1234000 gla 0xffff... not present".
 * With the resume state the answer too ("CPUID leaf 0x1 subleaf 0x0 -> eax ..."), or "-> not
 * completed" where the hypervisor left RIP at the instruction, because a fault or another try
 * follows.  A value that is not known is "?".  ASCII, one line, always NUL-terminated if bytes is
 * not 0; empty for a reason that has no operands, or if the reason is not known.
 * Returns the length it would have had, as snprintf does.
 */
size_t xrw_exit_describe(const struct xrw_exit *exit, char *text, size_t bytes);

/*
 * Whether this exit is the host's business, not the guest's: external interrupt, NMI or machine
 * check for the host, SMI, INIT, preemption timer, interrupt or NMI window.  Such exits fall at no
 * fixed place.  False if what would tell is not known.  Looks at the reason and intr_info only.
 */
bool xrw_exit_is_host(const struct xrw_exit *exit);

/*
 * Whether handling this exit may have written guest memory, so that memory read after it need not
 * be what the guest had at the exit: string input, hypercalls with outputs, emulated memory
 * accesses, task switches.  Conservative: true when in doubt.  Two things do not count, since they
 * can happen at any exit: accessed and dirty bits that the hypervisor sets as it follows the
 * guest's page tables, and words that it keeps up to date in pages which the guest registered for
 * that (time, runstate, pending events).
 */
bool xrw_exit_may_write_memory(const struct xrw_exit *exit);

#ifdef __cplusplus
}
#endif
#endif
