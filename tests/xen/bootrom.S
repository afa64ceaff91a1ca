/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The boot loader: an option ROM that the BIOS calls before it would look for a disk to boot.  It
 * copies the first IDE disk to memory from BASE up, as it is, and enters the multiboot kernel in it.
 * image.py sets BASE, SECTORS (a multiple of 256), ENTRY and MBI.  Linked at ROM's address.
 * Source: Multiboot 0.6.96, "Machine state"; ATA-6, READ SECTOR(S).
 */
    .set COMMAND, 0x600 /* scratch memory: the bytes for ports 0x1f2 to 0x1f7, then a counter */
    .set DATA, 0x1f0
    .set STATUS, 0x1f7

    .code16
    .globl _start
_start:
    .byte 0x55, 0xaa, 1 /* signature; length in units of 512 bytes */
    cli
    cld
    movb $0x02, %al /* A20 */
    outb %al, $0x92
    lgdtl %cs:(gdt_pointer - _start)
    movl %cr0, %eax
    incw %ax /* PE, which is off here */
    movl %eax, %cr0
    ljmpl $8, $protected

    .code32
protected:
    movl $16, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %fs
    movl %eax, %gs
    movl %eax, %ss

    xorl %ebx, %ebx /* next sector */
    movl $BASE, %edi
read_256_sectors:
    movl %ebx, %eax
    shll $8, %eax /* count 0 means 256, then the sector number's low 24 bits */
    movl %eax, COMMAND
    movl $0x20e0, COMMAND + 4 /* drive 0, LBA; READ SECTOR(S); 0: 256 sectors to go */
    movl $COMMAND, %esi
    movl $0x1f2, %edx
send:
    outsb
    incl %edx
    cmpb $0xf8, %dl
    jne send
    addl $256, %ebx
read_sector:
    movl $STATUS, %edx
wait_for_data:
    inb %dx, %al
    andb $0x88, %al /* BSY and DRQ */
    cmpb $0x08, %al
    jne wait_for_data
    movl $DATA, %edx
    movl $256, %ecx
    rep insw
    decb COMMAND + 6
    jnz read_sector
    cmpl $SECTORS, %ebx
    jb read_256_sectors

    movl $0x2badb002, %eax
    movl $MBI, %ebx
    movl $ENTRY, %ecx
    jmp *%ecx

    .balign 8
gdt:
    .quad 0
    .quad 0x00cf9b000000ffff /* 8: code, flat */
    .quad 0x00cf93000000ffff /* 16: data, flat */
gdt_pointer:
    .word gdt_pointer - gdt - 1
    .long gdt
