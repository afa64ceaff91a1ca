/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests of the event made by hand, byte by byte, from the documented layout. */
#ifndef RECORDER_TEST_EVENT_REQUESTS_H
#define RECORDER_TEST_EVENT_REQUESTS_H

#include "vmexit_abi.h"
#include "xrw/exit.h"

#include <stddef.h>
#include <stdint.h>

#define REASON_VMEXIT 15u
#define PAUSED 1u
#define VALID (UINT32_C(1) << 31)
#define HAS_ERROR (UINT32_C(1) << 11)
#define TYPE(n) ((uint32_t)(n) << 8)
#define VENDOR_OFFSET (XRW_REQUEST_UNION_OFFSET + offsetof(struct xrw_vmexit, vendor))
/* In struct vm_event_regs_x86. */
#define DR6_OFFSET 136
#define DR7_OFFSET 144
#define RIP_OFFSET 152

struct request {
    _Alignas(8) uint8_t bytes[XRW_REQUEST_SIZE_PATCHED];
};

void put(struct request *r, size_t offset, size_t bytes, uint64_t value);
void put_head(struct request *r, uint32_t version, uint32_t flags, uint32_t reason, uint32_t vcpu);

#define SET_VMX(r, member, value)                                                                  \
    put(r, XRW_REQUEST_UNION_OFFSET + offsetof(struct xrw_vmexit_vmx, member),                     \
        sizeof(((struct xrw_vmexit_vmx *)0)->member), value)

#define SET_SVM(r, member, value)                                                                  \
    put(r, XRW_REQUEST_UNION_OFFSET + offsetof(struct xrw_vmexit_svm, member),                     \
        sizeof(((struct xrw_vmexit_svm *)0)->member), value)

/* A patched request; each field of the exit has another value. */
struct request patched(uint64_t reason, uint64_t qualification);

/* The same of SVM. */
struct request patched_svm(uint64_t exitcode, uint64_t exitinfo1, uint64_t exitinfo2);

/* What a request says, which must be the event of an exit, with its vCPU held. */
struct xrw_exit decode(const struct request *r);

/* Fields of an exit as a set; those of every exit. */
#define BIT(field) (UINT32_C(1) << XRW_EXIT_##field)
#define ALWAYS                                                                                     \
    (BIT(tsc) | BIT(reason) | BIT(interruptibility) | BIT(entry_intr_info) | BIT(entry_tsc) |      \
     BIT(entry_tsc_offset) | BIT(entries))

/* Which of them are known. */
uint32_t known_fields(const struct xrw_exit *exit);

#endif
