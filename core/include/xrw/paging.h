/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walking the guest's page tables. */
#ifndef XRW_PAGING_H
#define XRW_PAGING_H

#include "xrw/registers.h"
#include "xrw/types.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Read guest-physical memory.  Returns 0 with all bytes stored, -ENODATA if any of them is not
 * known, another negative errno on failure.  The range never crosses a page.
 */
typedef int (*xrw_read_physical)(void *ctx, xrw_gpa gpa, void *buf, size_t bytes);

/*
 * Translate a linear address by CR0, CR3, CR4 and EFER of regs: no paging, 32-bit, PAE, 4- and
 * 5-level, large pages.  Permission and reserved bits are not checked: a debugger may look
 * anywhere.  PAE's top entries come from memory, not from the CPU's copy of them.
 * Returns 0 with *gpa; -EFAULT if the address is not canonical or not mapped; -ENODATA if a page
 * table or a register needed is not known; else what read returned. Source: Intel SDM, "Paging".
 */
int xrw_paging_translate(const struct xrw_registers *regs, xrw_gva gva, xrw_read_physical read,
                         void *ctx, xrw_gpa *gpa);

/* What one entry of the page tables makes of a range of linear addresses. */
struct xrw_mapping {
    xrw_gva first, last; /* inclusive; all alike */
    bool present;        /* else nothing is mapped there, and the rest is false or 0 */
    bool writable, executable, user;
    xrw_gpa gpa; /* of first */
};

/*
 * The mapping that holds an address, or the hole that does: as wide as the entry.  Modes and errors
 * as xrw_paging_translate(), but what is not mapped is an answer.
 */
int xrw_paging_map(const struct xrw_registers *regs, xrw_gva gva, xrw_read_physical read, void *ctx,
                   struct xrw_mapping *mapping);

#ifdef __cplusplus
}
#endif
#endif
