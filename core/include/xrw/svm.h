/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What SVM exits are called and mean. */
#ifndef XRW_SVM_H
#define XRW_SVM_H

#include "xrw/exit.h"
#include "xrw/reason.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Basic exit reasons of SVM that code of ours names: the exit code and XRW_SVM_REASON.
 * Source: AMD APM volume 2, "SVM Intercept Exit Codes".
 */
enum xrw_svm_reason {
    XRW_SVM_CR_READ = XRW_SVM_REASON + 0x000,   /* and the 15 after it */
    XRW_SVM_CR_WRITE = XRW_SVM_REASON + 0x010,  /* likewise */
    XRW_SVM_DR_READ = XRW_SVM_REASON + 0x020,   /* likewise */
    XRW_SVM_DR_WRITE = XRW_SVM_REASON + 0x030,  /* likewise */
    XRW_SVM_EXCEPTION = XRW_SVM_REASON + 0x040, /* and the 31 after it, one a vector */
    XRW_SVM_EXCEPTION_DB = XRW_SVM_EXCEPTION + 1,
    XRW_SVM_EXCEPTION_PF = XRW_SVM_EXCEPTION + 14,
    XRW_SVM_EXCEPTION_MC = XRW_SVM_EXCEPTION + 18,
    XRW_SVM_INTR = XRW_SVM_REASON + 0x060,
    XRW_SVM_NMI = XRW_SVM_REASON + 0x061,
    XRW_SVM_SMI = XRW_SVM_REASON + 0x062,
    XRW_SVM_INIT = XRW_SVM_REASON + 0x063,
    XRW_SVM_VINTR = XRW_SVM_REASON + 0x064,
    XRW_SVM_CR0_SEL_WRITE = XRW_SVM_REASON + 0x065,
    XRW_SVM_IDTR_READ = XRW_SVM_REASON + 0x066, /* and the 7 after it: IDTR, GDTR, LDTR, TR */
    XRW_SVM_TR_WRITE = XRW_SVM_REASON + 0x06d,
    XRW_SVM_RDTSC = XRW_SVM_REASON + 0x06e,
    XRW_SVM_RDPMC = XRW_SVM_REASON + 0x06f,
    XRW_SVM_CPUID = XRW_SVM_REASON + 0x072,
    XRW_SVM_RSM = XRW_SVM_REASON + 0x073,
    XRW_SVM_IRET = XRW_SVM_REASON + 0x074,
    XRW_SVM_SWINT = XRW_SVM_REASON + 0x075,
    XRW_SVM_INVD = XRW_SVM_REASON + 0x076,
    XRW_SVM_PAUSE = XRW_SVM_REASON + 0x077,
    XRW_SVM_HLT = XRW_SVM_REASON + 0x078,
    XRW_SVM_INVLPG = XRW_SVM_REASON + 0x079,
    XRW_SVM_INVLPGA = XRW_SVM_REASON + 0x07a,
    XRW_SVM_IOIO = XRW_SVM_REASON + 0x07b,
    XRW_SVM_MSR = XRW_SVM_REASON + 0x07c,
    XRW_SVM_TASK_SWITCH = XRW_SVM_REASON + 0x07d,
    XRW_SVM_SHUTDOWN = XRW_SVM_REASON + 0x07f,
    XRW_SVM_VMRUN = XRW_SVM_REASON + 0x080,
    XRW_SVM_VMMCALL = XRW_SVM_REASON + 0x081,
    XRW_SVM_VMLOAD = XRW_SVM_REASON + 0x082,
    XRW_SVM_VMSAVE = XRW_SVM_REASON + 0x083,
    XRW_SVM_STGI = XRW_SVM_REASON + 0x084,
    XRW_SVM_CLGI = XRW_SVM_REASON + 0x085,
    XRW_SVM_SKINIT = XRW_SVM_REASON + 0x086,
    XRW_SVM_RDTSCP = XRW_SVM_REASON + 0x087,
    XRW_SVM_ICEBP = XRW_SVM_REASON + 0x088,
    XRW_SVM_WBINVD = XRW_SVM_REASON + 0x089,
    XRW_SVM_MONITOR = XRW_SVM_REASON + 0x08a,
    XRW_SVM_MWAIT = XRW_SVM_REASON + 0x08b,
    XRW_SVM_MWAIT_CONDITIONAL = XRW_SVM_REASON + 0x08c,
    XRW_SVM_XSETBV = XRW_SVM_REASON + 0x08d,
    XRW_SVM_RDPRU = XRW_SVM_REASON + 0x08e,
    XRW_SVM_INVPCID = XRW_SVM_REASON + 0x0a4,
    XRW_SVM_NPF = XRW_SVM_REASON + 0x400,
    XRW_SVM_INVALID = XRW_SVM_REASON + 0xfff, /* -1 */
};

/* Basic exit reason of an exit code: its low 12 bits, which tell all codes there are apart. */
#define XRW_SVM_REASON_OF(exitcode) (XRW_SVM_REASON + (unsigned)((exitcode)&0xfff))

/* EXITINFO1 (the field `qualification`), by exit.  Source: AMD APM volume 2, "IOIO Intercept",
 * "MOV CR", "Nested Paging". */
#define XRW_SVM_IOIO_IN (UINT64_C(1) << 0)
#define XRW_SVM_IOIO_STRING (UINT64_C(1) << 2)
#define XRW_SVM_IOIO_REP (UINT64_C(1) << 3)
#define XRW_SVM_IOIO_BYTES(info) ((unsigned)((info) >> 4) & 7)
#define XRW_SVM_IOIO_PORT(info) ((unsigned)((info) >> 16) & 0xffff)
#define XRW_SVM_CR_IS_MOV (UINT64_C(1) << 63) /* else LMSW, SMSW or CLTS, or it is not said */
#define XRW_SVM_CR_GPR(info) ((unsigned)(info)&15)
#define XRW_SVM_MSR_WRITE (UINT64_C(1) << 0)
#define XRW_SVM_NPF_PRESENT (UINT64_C(1) << 0)
#define XRW_SVM_NPF_WRITE (UINT64_C(1) << 1)
#define XRW_SVM_NPF_FETCH (UINT64_C(1) << 4)
#define XRW_SVM_NPF_WALK (UINT64_C(1) << 33) /* while a guest page table was read or updated */

/* Of a task switch `qualification` holds bits 63:32 of EXITINFO2 as well: those of EXITINFO1 have
 * no meaning there. */
#define XRW_SVM_TASK_IRET (UINT64_C(1) << 36)
#define XRW_SVM_TASK_JMP (UINT64_C(1) << 38)

/* Table of the reasons, by increasing number, and its length. */
extern const struct xrw_reason_info xrw_svm_reason_table[];
extern const size_t xrw_svm_reason_count;

/* As xrw_exit_describe(), xrw_exit_is_host() and xrw_exit_may_write_memory(), for exits of SVM.
 * Source: for the last one Xen 4.17, xen/arch/x86/hvm/svm/svm.c, svm_vmexit_handler(). */
size_t xrw_svm_describe(const struct xrw_exit *exit, char *text, size_t bytes);
bool xrw_svm_is_host_exit(const struct xrw_exit *exit);
bool xrw_svm_may_write_memory(const struct xrw_exit *exit);

#ifdef __cplusplus
}
#endif
#endif
