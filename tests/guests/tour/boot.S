/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the PVH entry point, in 32-bit mode without paging, to tour_main in 64-bit mode. */
#include "layout.h"

    .section .note.Xen, "a", @note
    .long 4, 4, 18                  /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long boot32

    .section .boot, "awx"
    .code32
    .globl boot32
    .type boot32, @function
boot32:
    cld
    movl %ebx, start_info
    movl $boot_stack_end, %esp
    lgdt gdt_pointer
    ljmp $KERNEL_CS32, $1f
1:  movl $KERNEL_DS, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    call visit_tasks
    jmp enter_long_mode
    .size boot32, . - boot32

/* A task switch by CALL and one by IRET: Xen does both, they exist in 32-bit mode only. */
    .globl visit_tasks
    .type visit_tasks, @function
visit_tasks:
    movl $task_a, %eax
    movw %ax, gdt + TASK_A + 2
    shrl $16, %eax
    movb %al, gdt + TASK_A + 4
    movl $task_b, %eax
    movw %ax, gdt + TASK_B + 2
    shrl $16, %eax
    movb %al, gdt + TASK_B + 4
    movl $TASK_A, %eax
    ltr %ax
    lcall $TASK_B, $0
    ret
    .size visit_tasks, . - visit_tasks

    .globl task_b_entry
    .type task_b_entry, @function
task_b_entry:
    incl task_switches
    iret
    .size task_b_entry, . - task_b_entry

    .globl enter_long_mode
    .type enter_long_mode, @function
enter_long_mode:
    movl %cr4, %eax
    orl $0x20, %eax                 /* PAE */
    movl %eax, %cr4
    movl $pml4, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx          /* EFER */
    rdmsr
    orl $0x100, %eax                /* LME */
    wrmsr
    movl %cr0, %eax
    andl $~0x8, %eax                /* TS: set by the task switches */
    orl $0x80010022, %eax           /* PG, WP, NE, MP */
    movl %eax, %cr0
    ljmp $KERNEL_CS, $1f
    .code64
1:  movabsq $boot64, %rax
    jmp *%rax
    .size enter_long_mode, . - enter_long_mode

    .section .text
    .globl boot64
    .type boot64, @function
boot64:
    .cfi_startproc
    .cfi_undefined %rip
    movq $kernel_stack_end, %rsp
    xorl %ebp, %ebp
    movl start_info, %edi
    call tour_main
1:  hlt
    jmp 1b
    .cfi_endproc
    .size boot64, . - boot64

    .section .boot
    .balign 8
    .globl start_info, task_switches
start_info:     .long 0
task_switches:  .long 0
gdt_pointer:
    .word GDT_BYTES - 1
    .long gdt

/* Type bytes have their accessed bit set, for the reason that page table entries have. */
    .balign 16
    .globl gdt
gdt:
    .quad 0
    .quad 0x00cf9b000000ffff        /* KERNEL_CS32 */
    .quad 0x00cf93000000ffff        /* KERNEL_DS */
    .quad 0x00af9b000000ffff        /* KERNEL_CS */
    .quad 0x00cff3000000ffff        /* USER_DS */
    .quad 0x00affb000000ffff        /* USER_CS */
    .quad 0x0000890000000067        /* TASK_A: base set at run time */
    .quad 0x0000890000000067        /* TASK_B: the same */
    .quad 0x0000890000000067, 0     /* TASK_STATE: the same */

    .globl task_a, task_b
task_a:
    .fill 7, 4, 0
    .long pml4                      /* CR3: what a task switch back loads */
    .fill 18, 4, 0
task_b:
    .fill 7, 4, 0
    .long pml4
    .long task_b_entry, 2           /* EIP, EFLAGS */
    .fill 4, 4, 0                   /* EAX ECX EDX EBX */
    .long task_b_stack_end, 0, 0, 0 /* ESP EBP ESI EDI */
    .long KERNEL_DS, KERNEL_CS32, KERNEL_DS, KERNEL_DS, KERNEL_DS, KERNEL_DS
    .long 0, 0x680000               /* LDT, I/O bitmap */

    .balign 16
    .fill 128, 4, 0
boot_stack_end:
    .fill 64, 4, 0
task_b_stack_end:

/*
 * 0 to 2 MiB both at 0 and at HIGH; the user page at 4 MiB; LAPIC and an address without device at
 * their own; lazy_table, for a page that the guest maps when it faults, at HIGH + 4 MiB.
 */
    .section .boot.tables, "aw"
    .balign 4096
    .globl pml4, lazy_table
pml4:
    .quad pdpt_low + PAGE_USER
    .fill 510, 8, 0
    .quad pdpt_high + PAGE_TABLE
pdpt_low:
    .quad pd_low + PAGE_USER
    .fill 2, 8, 0
    .quad pd_mmio + PAGE_TABLE
    .fill 508, 8, 0
pdpt_high:
    .fill 510, 8, 0
    .quad pd_high + PAGE_TABLE
    .quad 0
pd_low:
    .quad pt_low + PAGE_TABLE
    .quad 0
    .quad pt_user + PAGE_USER
    .fill 509, 8, 0
pd_high:
    .quad pt_low + PAGE_TABLE
    .quad 0
    .quad lazy_table + PAGE_TABLE
    .fill 509, 8, 0
pd_mmio:
    .fill 502, 8, 0
    .quad 0xfec00000 + PAGE_MMIO
    .quad 0xfee00000 + PAGE_MMIO
    .fill 8, 8, 0
pt_low:
    .set frame, 0
    .rept 512
    .quad frame + PAGE_TABLE
    .set frame, frame + 0x1000
    .endr
pt_user:
    .quad user_page + PAGE_USER
    .quad user_stack_page + PAGE_USER
    .fill 510, 8, 0
lazy_table:
    .fill 512, 8, 0
user_stack_page:
    .fill 512, 8, 0

    .section .bss
    .balign 16
    .fill 16384, 1, 0
    .globl kernel_stack_end
kernel_stack_end:
    .section .note.GNU-stack, "", @progbits
