/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Constants that the assembly and the C files share. */
#ifndef XENREWIND_TOUR_LAYOUT_H
#define XENREWIND_TOUR_LAYOUT_H

#define HIGH 0xffffffff80000000 /* linear address of physical address 0; see tour.lds */

/* Selectors */
#define KERNEL_CS32 0x08
#define KERNEL_DS 0x10
#define KERNEL_CS 0x18
#define USER_DS 0x23
#define USER_CS 0x2b
#define TASK_A 0x30
#define TASK_B 0x38
#define TASK_STATE 0x40 /* 16 bytes */
#define GDT_BYTES 0x50

/* Page table entries.  Accessed and dirty are set from the start: the guest's tables never change
 * by being used, so memory differs between two exits only by what the guest or Xen wrote on
 * purpose. */
#define PAGE_TABLE 0x63 /* present, writable, accessed, dirty */
#define PAGE_USER 0x67
#define PAGE_LARGE 0xe3
#define PAGE_MMIO 0xfb /* large, cache disabled */

#define LAPIC_BASE 0xfee00000
#define NO_DEVICE_BASE 0xfed00000 /* a guest-physical address that nothing answers at */

#define VECTORS 0x81
#define VECTOR_HLT 0x50
#define VECTOR_WINDOW 0x51
#define VECTOR_TPR 0x52
#define VECTOR_TICK 0x53
#define VECTOR_LEAVE_USER 0x80

#endif
