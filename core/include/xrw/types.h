/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest addresses and pages. */
#ifndef XRW_TYPES_H
#define XRW_TYPES_H

#include <stdint.h>

#define XRW_PAGE_SHIFT 12
#define XRW_PAGE_BYTES 4096u

typedef uint64_t xrw_gva; /* guest linear (virtual) address */
typedef uint64_t xrw_gpa; /* guest-physical address */
typedef uint64_t xrw_gfn; /* guest frame number: guest-physical address >> XRW_PAGE_SHIFT */

/* Number of a VM exit: 1, 2, 3 ... through the whole recording, in capture order.  0 is "before
 * the first exit" where a function says so. */
typedef uint64_t xrw_exit_id;

#endif
