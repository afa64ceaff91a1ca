/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Segment descriptors, and the stack. */
#ifndef XRW_MACHINE_SEGMENT_H
#define XRW_MACHINE_SEGMENT_H

#include "cpu.h"

#define SELECTOR_RPL(selector) ((selector)&3u)
#define SELECTOR_NULL(selector) (!((selector) & ~3u))

/* Types of system descriptors. */
enum {
    SYS_TSS16 = 1,
    SYS_LDT = 2,
    SYS_TSS16_BUSY = 3,
    SYS_CALL16 = 4,
    SYS_TASK = 5,
    SYS_INT16 = 6,
    SYS_TRAP16 = 7,
    SYS_TSS = 9,
    SYS_TSS_BUSY = 11,
    SYS_CALL = 12,
    SYS_INT = 14,
    SYS_TRAP = 15,
};

/* A descriptor's 8 bytes (the lower 8 of 16). */
uint16_t descriptor_attr(uint64_t raw);
struct segment_register descriptor_segment(uint64_t raw, uint16_t selector);

/* Read a descriptor; false if it lies beyond its table. */
bool descriptor_read(struct xrw_machine *m, uint16_t selector, uint64_t *raw);
/* Likewise, raising vector(selector) if it does, or if the selector is null. */
uint64_t descriptor_require(struct xrw_machine *m, uint16_t selector, unsigned vector);
/* The upper half of a 16-byte system descriptor. */
uint64_t descriptor_upper(struct xrw_machine *m, uint16_t selector);
void descriptor_set_accessed(struct xrw_machine *m, uint16_t selector, uint64_t raw);
void descriptor_set_type(struct xrw_machine *m, uint16_t selector, uint64_t raw, unsigned type);

/* Load ES, SS, DS, FS or GS as MOV does. */
void segment_load(struct xrw_machine *m, enum segment segment, uint16_t selector);
/* SS for a privilege level, with faults by that vector; checks only, and returns it. */
struct segment_register stack_segment(struct xrw_machine *m, uint16_t selector, unsigned cpl,
                                      unsigned vector);
/* Check that a code descriptor fits long mode's bits, raise #GP(selector) else. */
void code_check_mode(struct xrw_machine *m, uint16_t selector, uint16_t attr);
/* CS and CPL, from a descriptor that was checked. */
void code_load(struct xrw_machine *m, uint16_t selector, uint64_t raw, unsigned cpl);

/* ---- The stack ---- */

/* A stack that may not be the current one yet, for pushes that must be done before the state
 * changes. */
struct stack {
    struct segment_register ss;
    uint64_t pointer, mask;
    unsigned cpl;
    bool wide; /* 64-bit mode: no segment */
};

struct stack stack_current(const struct xrw_machine *m);
void stack_push(struct xrw_machine *m, struct stack *stack, uint64_t value, unsigned bytes);
uint64_t stack_pop(struct xrw_machine *m, struct stack *stack, unsigned bytes);
/* Make its pointer RSP. */
void stack_keep(struct xrw_machine *m, const struct stack *stack);

/* The TSS's stack for a privilege level below 3. */
struct stack tss_stack(struct xrw_machine *m, unsigned cpl);

#endif
