/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One entry point a vector, and the program that runs in user mode. */
#include "layout.h"

    .text
/* On the stack, as an exception with an error code leaves it: error code, RIP, CS, RFLAGS, RSP, SS. */
    .balign 16
    .globl trap_stubs
trap_stubs:
    .set vector, 0
    .rept VECTORS
    .balign 16
    .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17)
    pushq $0
    .endif
    pushq $vector
    jmp trap_common
    .set vector, vector + 1
    .endr

    .type trap_common, @function
trap_common:
    .cfi_startproc simple
    .cfi_signal_frame
    .cfi_def_cfa %rsp, 16
    .cfi_offset %rip, 0
    .cfi_offset %rsp, 24
    .irp register, rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
    pushq %\register
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset \register, 0
    .endr
    cld
    movq %rsp, %rdi
    call on_trap
    .irp register, r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax
    popq %\register
    .cfi_adjust_cfa_offset -8
    .endr
    addq $16, %rsp
    iretq
    .cfi_endproc
    .size trap_common, . - trap_common

/*
 * void run_user(uint64_t rip, uint64_t rsp): goes to user mode; comes back when that does
 * int $VECTOR_LEAVE_USER, through leave_user.
 */
    .globl run_user, leave_user
    .type run_user, @function
run_user:
    .irp register, rbx, rbp, r12, r13, r14, r15
    pushq %\register
    .endr
    movq %rsp, saved_stack
    pushq $USER_DS
    pushq %rsi
    pushq $2
    pushq $USER_CS
    pushq %rdi
    iretq
leave_user:
    movq saved_stack, %rsp
    .irp register, r15, r14, r13, r12, rbp, rbx
    popq %\register
    .endr
    ret
    .size run_user, . - run_user
    .local saved_stack
    .comm saved_stack, 8, 8

/* The user program: an exit in user mode, then a misaligned read with EFLAGS.AC set. */
    .section .user, "ax"
    .globl user_program, user_after_fault
    .type user_program, @function
user_program:
    movl $1, %eax
    xorl %ecx, %ecx
    cpuid
    pushfq
    orq $0x40000, (%rsp)
    popfq
user_misaligned_read:
    movq -15(%rsp), %rax
user_after_fault:
    int $VECTOR_LEAVE_USER
    .size user_program, . - user_program

/* A page of code that nothing runs before visit_ept_fetch does. */
    .section .fetch, "ax"
    .globl fetched_function
    .type fetched_function, @function
    .balign 4096
fetched_function:
    movl $0xfe7c4ed, %eax
    ret
    .size fetched_function, . - fetched_function
    .section .note.GNU-stack, "", @progbits
