/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Disassembly of single guest instructions. */
#ifndef XRW_INSN_H
#define XRW_INSN_H

#include "xrw/registers.h"
#include "xrw/types.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define XRW_INSN_MAX_BYTES 15u

struct xrw_insn {
    unsigned length; /* in bytes */
    char text[96];   /* e.g. "mov rax, qword ptr [rdi + 8]" */
};

/* Width of the code segment: 64, 32 or 16, by EFER.LMA, CS.L and CS.D; 64 if not known. */
unsigned xrw_insn_mode(const struct xrw_registers *regs);

struct xrw_disassembler;

/* Create or destroy a disassembler (capstone, Intel syntax).  Returns 0 or -ENOMEM. */
int xrw_disassembler_create(struct xrw_disassembler **out);
void xrw_disassembler_destroy(struct xrw_disassembler *disassembler);

/*
 * Decode the instruction at the start of code, which would stand at address rip.
 * mode: 64, 32 or 16.  Returns 0, or -EILSEQ if the bytes are no whole instruction.
 */
int xrw_disassemble(struct xrw_disassembler *disassembler, unsigned mode, const uint8_t *code,
                    size_t bytes, xrw_gva rip, struct xrw_insn *insn);

#ifdef __cplusplus
}
#endif
#endif
