/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which instructions exit: what Xen asks for. */
#include "xrw/machine.h"

#define CR0_TS (UINT64_C(1) << 3)
#define CR4_PSE (UINT64_C(1) << 4)
#define CR4_PAE (UINT64_C(1) << 5)
#define CR4_MCE (UINT64_C(1) << 6)
#define CR4_VMXE (UINT64_C(1) << 13)
#define CR4_SMEP (UINT64_C(1) << 20)
#define CR4_SMAP (UINT64_C(1) << 21)
#define CR4_PKE (UINT64_C(1) << 22)

#define VECTOR_DB 1
#define VECTOR_AC 17
#define VECTOR_MC 18

#define PLE_GAP 128
#define PLE_WINDOW 4096

#define ALL8 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff
#define ALL16 ALL8, ALL8
#define ALL64 ALL16, ALL16, ALL16, ALL16
#define ALL256 ALL64, ALL64, ALL64, ALL64
#define ALL1024 ALL256, ALL256, ALL256, ALL256
#define ALL4096 ALL1024, ALL1024, ALL1024, ALL1024
#define ALL8192 ALL4096, ALL4096

/* Ports 0x80 and 0xed, used for delays, do not exit. */
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
#endif
static const uint8_t io_bitmap[8192] = {
    ALL8192,
    [0x80 / 8] = 0xfe,
    [0xed / 8] = 0xff & ~(1 << (0xed % 8)),
};

/* The VMCS's order: reads of MSRs 0 to 0x1fff and from 0xc0000000 on, then writes likewise. */
#define READ_LOW 0
#define READ_HIGH 1024
#define WRITE_LOW 2048
#define WRITE_HIGH 3072

/* FS, GS and kernel GS base, SYSENTER and PAT are the guest's own. */
static const uint8_t msr_bitmap[4096] = {
    ALL4096,
    [READ_LOW + 0x174 / 8] = 0x8f,
    [WRITE_LOW + 0x174 / 8] = 0x8f,
    [READ_LOW + 0x277 / 8] = 0x7f,
    [WRITE_LOW + 0x277 / 8] = 0x7f,
    [READ_HIGH + 0x100 / 8] = 0xf8,
    [WRITE_HIGH + 0x100 / 8] = 0xf8,
    [READ_HIGH + 0x80 / 8] = 0xfe, /* EFER is read without an exit */
};
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

void xrw_machine_controls_xen(struct xrw_machine_controls *controls, uint64_t cr4_valid,
                              bool emulate_tsc)
{
    uint64_t cr4_mask = CR4_VMXE | CR4_PAE | CR4_MCE | CR4_PKE | ~cr4_valid;

    *controls = (struct xrw_machine_controls){
        .exits = XRW_EXITS_HLT | XRW_EXITS_RDPMC | XRW_EXITS_MWAIT | XRW_EXITS_MONITOR |
                 XRW_EXITS_WBINVD | XRW_EXITS_MOV_DR | XRW_EXITS_PAUSE_LOOP | XRW_EXITS_CPUID |
                 XRW_EXITS_VMX | XRW_EXITS_XSETBV | XRW_EXITS_INVD | XRW_EXITS_TRIPLE_FAULT |
                 XRW_EXITS_TASK_SWITCH | (emulate_tsc ? XRW_EXITS_RDTSC : 0),
        .exception_bitmap = 1u << VECTOR_DB | 1u << VECTOR_AC | 1u << VECTOR_MC,
        .cr0_mask = ~CR0_TS,
        .cr4_mask = cr4_mask,
        .cr4_mask_unpaged = cr4_mask | CR4_PSE | CR4_SMEP | CR4_SMAP,
        .io_bitmap = io_bitmap,
        .msr_bitmap = msr_bitmap,
        .apic = XRW_APIC_ACCESS,
        .apic_gfn = 0xfee00,
        .ple_gap = PLE_GAP,
        .ple_window = PLE_WINDOW,
    };
}
