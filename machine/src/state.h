/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where core's registers lie in a machine. */
#ifndef XRW_MACHINE_STATE_H
#define XRW_MACHINE_STATE_H

#include "cpu.h"

/* The register of 64 bits; not for GPRs, RFLAGS, segments and table limits. */
uint64_t *state_register(struct xrw_machine *m, enum xrw_register reg);
/* The segment that reg is a part of, or NULL. */
struct segment_register *state_segment(struct xrw_machine *m, enum xrw_register reg);
uint64_t state_segment_field(const struct segment_register *s, enum xrw_register reg);
void state_set_segment_field(struct segment_register *s, enum xrw_register reg, uint64_t value);

/* The values of all registers. */
void state_read_all(const struct xrw_machine *m, uint64_t value[XRW_REGISTER_COUNT]);

/* ---- machine.c, ops_control.c ---- */

bool xcr0_possible(const struct xrw_machine *m, uint64_t value);

/* ---- native ---- */

void native_state_init_vectors(struct native_state *state);
/* The components of XCR0 that this host has and the machine knows. */
uint64_t native_xcr0(void);

/* ---- undo.c, block.c ---- */

void undo_destroy(struct xrw_machine *m);
void undo_forget(struct xrw_machine *m);
void code_flush_if_any(struct xrw_machine *m);

#endif
