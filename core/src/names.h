/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of numbers that exits carry.  NULL where there is none. */
#ifndef XRW_CORE_NAMES_H
#define XRW_CORE_NAMES_H

#include <stdint.h>

const char *xrw_msr_name(uint32_t msr);          /* as the SDM calls it */
const char *xrw_hypercall_name(uint64_t number); /* as Xen's __HYPERVISOR_* */
const char *xrw_exception_name(unsigned vector); /* "#PF" */
const char *xrw_lapic_register_name(unsigned offset);

#endif
