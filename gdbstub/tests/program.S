/* SPDX-License-Identifier: MIT */
/*
 * The program of the example machine (examples/machine.c) once more, with symbols and line numbers for gdb.  `compare-sections`
 * in the session proves that the bytes are the same.  Its "instructions" are data to the assembler,
 * which makes no line numbers for data: the table is written here (DWARF 2, one row an address).
 */
    .section .debug_abbrev, "", @progbits
    .byte 1, 0x11, 0, 0x10, 6, 0x11, 1, 0x12, 1, 3, 8, 0, 0, 0 /* unit: lines, low and high pc, name */
    .section .debug_info, "", @progbits
    .long 2f - 1f
1:  .short 2
    .long .debug_abbrev
    .byte 8, 1
    .long .debug_line
    .quad main, end
    .asciz "program.S"
2:
    .section .debug_line, "", @progbits
    .long line_end - 1f
1:  .short 2
    .long 3f - 2f
2:  .byte 1, 1, 1, 1, 10, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0
    .asciz "program.S"
    .byte 0, 0, 0, 0
3:
    .set line, 1

    .macro at number, bytes:vararg
    .pushsection .debug_line
    .byte 0, 9, 2
    .quad 9f
    .byte 3
    .sleb128 \number - line
    .byte 1
    .popsection
9:  .byte \bytes
    .set line, \number
    .endm

    .macro function name
    .globl \name
    .type \name, @function
\name:
    .endm

    .text
    function main
    at 48, 1, 0, 0                          /* rax = 0 */
    at 49, 1, 2, 3                          /* rcx = 3 */
    at 50, 2, 0, 5                          /* loop: rax += 5 */
    at 51, 3, 0, 0x10                       /* [2010] = al */
    at 52, 2, 2, 0xff                       /* rcx -= 1 */
    at 53, 4, 2, 0xf4                       /* if rcx != 0 goto loop */
    at 54, 3, 2, 0x11                       /* [2011] = cl */
    at 55, 1, 1, 100                        /* rbx = 100 */
    at 56, 2, 3, 1, 2, 1, 0xff, 4, 1, 0xf7  /* rdx += rbx, a loop on one line */
    at 57, 5, 0, 0x0c                       /* work() */
    at 58, 2, 3, 1                          /* rdx += 1 */
    at 59, 5, 0, 0x06                       /* work() */
    at 60, 3, 3, 0x13                       /* [2013] = dl */
    at 61, 0, 0, 0                          /* the end of history */
    function work
    at 63, 2, 0, 1                          /* rax += 1 */
    at 64, 5, 0, 0x06                       /* leaf() */
    at 65, 3, 0, 0x12                       /* [2012] = al */
    at 66, 6, 0, 0                          /* return */
    function leaf
    at 68, 2, 0, 2                          /* rax += 2 */
    at 69, 6, 0, 0                          /* return */
end:
    .pushsection .debug_line
    .byte 0, 9, 2
    .quad end
    .byte 0, 1, 1
line_end:
    .popsection
    .section .note.GNU-stack, "", @progbits
