/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of the numbers that exits carry.  Every function returns a static text, or NULL if the
 * number has no name here. */
#ifndef XRW_NAMES_H
#define XRW_NAMES_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A model-specific register, e.g. "IA32_EFER".
 * Source: Intel SDM, "Model-Specific Registers"; Xen, public/arch-x86/cpuid.h (hypercall page). */
const char *xrw_msr_name(uint32_t msr);

/* A Xen hypercall, e.g. "sched_op".  Source: Xen, public/xen.h, __HYPERVISOR_*. */
const char *xrw_hypercall_name(uint64_t number);

/* An exception or the NMI, e.g. "#PF".  Source: Intel SDM, "Exceptions and Interrupts"; AMD APM,
 * "Exceptions and Interrupts" (28 to 30). */
const char *xrw_exception_name(unsigned vector);

/* A register of the local APIC by its offset in bytes from the APIC's page, e.g. "ICR low".
 * Source: Intel SDM, "Local APIC Register Address Map". */
const char *xrw_lapic_register_name(unsigned offset);

#ifdef __cplusplus
}
#endif
#endif
