/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The area that XSAVE writes, and the registers it is made of. */
#ifndef XRW_MACHINE_XSAVE_H
#define XRW_MACHINE_XSAVE_H

#include "cpu.h"

#define XSAVE_HEADER 512u
#define XSAVE_EXTENDED 576u

/* Components that are not in their initial state. */
uint64_t xsave_in_use(const struct xrw_machine *m);

/* The legacy part, 512 bytes.  wide: FXSAVE64's form of the FPU's pointers. */
void fxsave_store(const struct xrw_machine *m, uint8_t *area, bool wide, bool x87, bool sse);
/* Returns false if MXCSR has bits that it cannot have. */
bool fxsave_mxcsr_possible(const struct xrw_machine *m, const uint8_t *area);
void fxsave_load(struct xrw_machine *m, const uint8_t *area, bool wide, bool x87, bool sse);

/* One component above the legacy ones to or from its place; initial values if area is NULL. */
void component_store(const struct xrw_machine *m, unsigned component, uint8_t *area);
void component_load(struct xrw_machine *m, unsigned component, const uint8_t *area);
/* Its size and its offset in the standard form; 0 if there is none. */
unsigned component_bytes(unsigned component);
unsigned component_offset(unsigned component);

#endif
