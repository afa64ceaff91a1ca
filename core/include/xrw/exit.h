/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One recorded VM exit: why, its details, and the vCPU before and after its handling. */
#ifndef XRW_EXIT_H
#define XRW_EXIT_H

#include "xrw/registers.h"
#include "xrw/types.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Fields of an exit beside its registers: name (column of `exit`, gdb register $exit_NAME), bits,
 * what it is.  Values are the raw VMCS or VMCB fields, except the reason on SVM (see xrw/reason.h);
 * one that the exit reason leaves undefined, or that the source did not deliver, is not known.
 * Where SVM tells the same in another way it stands there too: EXITINTINFO in idt_info and
 * idt_error, EVENTINJ in entry_intr_info and entry_error, nRIP - RIP in insn_len, EXITINFO2 in gpa
 * (nested page fault), gla (#PF), and, for a task switch, in qualification (see xrw/svm.h).
 * Source: Intel SDM, "VM-Exit Information Fields"; AMD APM volume 2, "VMCB Layout, Control Area";
 * xen-patch/vmexit_abi.h.
 */
#define XRW_EXIT_FIELD_TABLE(X)                                                                    \
    X(time_ns, 64, "host time since the run began, in nanoseconds, when the exit was taken in")    \
    X(tsc, 64, "host TSC right after the exit")                                                    \
    X(reason, 32, "exit reason; the basic reason is in bits 15:0, on SVM 0x1000 + EXITCODE")       \
    X(qualification, 64, "exit qualification; on SVM EXITINFO1")                                   \
    X(gpa, 64, "guest-physical address (EPT violation and misconfiguration; nested page fault)")   \
    X(gla, 64, "guest-linear address")                                                             \
    X(intr_info, 32, "VM-exit interruption information")                                           \
    X(intr_error, 32, "VM-exit interruption error code")                                           \
    X(idt_info, 32, "IDT-vectoring information: what was being delivered")                         \
    X(idt_error, 32, "IDT-vectoring error code")                                                   \
    X(insn_len, 32, "VM-exit instruction length in bytes")                                         \
    X(insn_info, 32, "VM-exit instruction information")                                            \
    X(interruptibility, 32, "guest interruptibility state; on SVM interrupt state")                \
    X(entry_intr_info, 32, "what the VM entry that began this gap injected")                       \
    X(entry_error, 32, "error code of that injection")                                             \
    X(entry_tsc, 64, "host TSC right before that VM entry")                                        \
    X(entry_tsc_offset, 64, "TSC offset at that VM entry")                                         \
    X(entries, 64, "VM entries of this vCPU so far")

enum xrw_exit_field {
#define XRW_EXIT_FIELD_ENUM(name, bits, what) XRW_EXIT_##name,
    XRW_EXIT_FIELD_TABLE(XRW_EXIT_FIELD_ENUM)
#undef XRW_EXIT_FIELD_ENUM
        XRW_EXIT_FIELD_COUNT
};

struct xrw_exit_field_info {
    const char *name;
    unsigned bits;
    const char *what;
};

/* One entry a field, indexed by enum xrw_exit_field. */
extern const struct xrw_exit_field_info xrw_exit_field_table[XRW_EXIT_FIELD_COUNT];

struct xrw_exit {
    xrw_exit_id id; /* 1, 2, 3 ... through the recording */
    uint64_t run;   /* run it belongs to: 1, 2, 3 ... */
    uint32_t vcpu;  /* 0, 1, 2 ... */
    bool has_after; /* the resume state is known */
    /* 0, or a number that its source gives to the system registers before: exits with the same
     * number have the same ones, known and not.  Who changes one of them sets this to 0. */
    uint64_t system_id;
    uint64_t field[XRW_EXIT_FIELD_COUNT];
    bool field_known[XRW_EXIT_FIELD_COUNT];
    struct xrw_registers before; /* at the exit, before the hypervisor handled it */
    struct xrw_registers after;  /* as the guest goes on; only if has_after */
};

/* Set a field's value (cut to its size) and mark it known. */
void xrw_exit_set(struct xrw_exit *exit, enum xrw_exit_field field, uint64_t value);

/* Field of that name; -ENOENT if there is none. */
int xrw_exit_field_by_name(const char *name);

/* Basic exit reason: bits 15:0 of the reason field. */
unsigned xrw_exit_basic_reason(const struct xrw_exit *exit);

#ifdef __cplusplus
}
#endif
#endif
