/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RDI: a struct work, RSP: a stack.  Ends at work_end. */
    .section .text.start, "ax"
    .globl _start, work_end
_start:
    call work_all
work_end:
    int3
    .section .note.GNU-stack, "", @progbits
