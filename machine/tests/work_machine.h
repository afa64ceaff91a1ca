/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A machine whose user program is guest/work.c, in 64-bit mode with paging. */
#ifndef WORK_MACHINE_H
#define WORK_MACHINE_H

#include "guest/work.h"
#include "xrw/machine.h"

/* 8 MiB in pages of 4 KiB, mapped one to one; what is from WORK_USER on is the user's. */
#define WORK_BYTES (UINT64_C(8) << 20)
#define WORK_KERNEL 0x10000u /* of the handler of WORK_TIMER: the caller's code goes here */
#define WORK_USER 0x400000u
#define WORK_DATA 0x500000u
#define WORK_TIMER 0x40

/* Ready to run rounds of work; ends at an exit (a triple fault, of its INT3).  image is what
 * WORK_BINARY holds.  NULL: it cannot be made. */
struct xrw_machine *work_machine_create(const void *image, size_t bytes, uint32_t rounds,
                                        uint32_t seed);

#endif
