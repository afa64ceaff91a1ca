/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "event_requests.h"

#include "support.h"
#include "xen.h"

void put(struct request *r, size_t offset, size_t bytes, uint64_t value)
{
    memcpy(r->bytes + offset, &value, bytes);
}

void put_head(struct request *r, uint32_t version, uint32_t flags, uint32_t reason, uint32_t vcpu)
{
    put(r, 0, 4, version);
    put(r, 4, 4, flags);
    put(r, 8, 4, reason);
    put(r, 12, 4, vcpu);
}

struct request patched(uint64_t reason, uint64_t qualification)
{
    struct request r = {{0}};
    struct xrw_vmexit_vmx vmx = {
        .reason = reason,
        .qualification = qualification,
        .guest_physical = 0x1111222233334444,
        .guest_linear = 0x5555666677778888,
        .instruction_length = 0x0d,
        .instruction_info = 0x0e0e0e0e,
        .interruptibility = 0x0f,
        .held = 1,
        .tsc = 0x1010101010101010,
        .entry_tsc = 0x2020202020202020,
        .entry_offset = 0x3030303030303030,
        .entries = 0x4040404040404040,
    };

    put_head(&r, XRW_VM_EVENT_VERSION_PATCHED, PAUSED, REASON_VMEXIT, 0);
    memcpy(r.bytes + XRW_REQUEST_UNION_OFFSET, &vmx, sizeof vmx);
    put(&r, VENDOR_OFFSET, 4, XRW_VMEXIT_VENDOR_VMX);
    return r;
}

struct request patched_svm(uint64_t exitcode, uint64_t exitinfo1, uint64_t exitinfo2)
{
    struct request r = {{0}};
    struct xrw_vmexit_svm svm = {
        .exitcode = exitcode,
        .exitinfo1 = exitinfo1,
        .exitinfo2 = exitinfo2,
        .nrip = 0x1003,
        .interrupt_state = 1,
        .held = 1,
        .tsc = 0x1010101010101010,
        .entry_tsc = 0x2020202020202020,
        .entry_offset = 0x3030303030303030,
        .entries = 0x4040404040404040,
    };

    put_head(&r, XRW_VM_EVENT_VERSION_PATCHED, PAUSED, REASON_VMEXIT, 0);
    memcpy(r.bytes + XRW_REQUEST_UNION_OFFSET, &svm, sizeof svm);
    put(&r, VENDOR_OFFSET, 4, XRW_VMEXIT_VENDOR_SVM);
    put(&r, XRW_REQUEST_REGS_OFFSET_PATCHED + RIP_OFFSET, 8, 0x1000);
    return r;
}

struct xrw_exit decode(const struct request *r)
{
    static struct xen_decoder decoder; /* no event depends on what came before */
    struct xrw_exit exit = {0};
    struct xrw_error err = {""};
    bool held = false;

    if (xen_event_decode(&decoder, r->bytes, sizeof r->bytes, &exit, &held, &err) != 1)
        fail_msg("%s", err.text);
    assert_true(held);
    return exit;
}

uint32_t known_fields(const struct xrw_exit *exit)
{
    uint32_t known = 0;

    for (int i = 0; i < XRW_EXIT_FIELD_COUNT; i++)
        known |= (uint32_t)exit->field_known[i] << i;
    return known;
}
