/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen.h"

#include "xen_event.h"
#include "xrw/vmx.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include <xen/vm_event.h>

#define INFO_VALID (UINT32_C(1) << 31)
#define INFO_HAS_ERROR (UINT32_C(1) << 11)

/* As xrw_exit_set() of what is as wide in the event. */
static void set(struct xrw_exit *exit, enum xrw_exit_field field, uint64_t value)
{
    exit->field[field] = value;
    exit->field_known[field] = true;
}

void xen_event_set_interruption(struct xrw_exit *exit, enum xrw_exit_field info_field,
                                uint32_t info, enum xrw_exit_field error_field, uint32_t error)
{
    if (!(info & INFO_VALID))
        return;
    set(exit, info_field, info);
    if (info & INFO_HAS_ERROR)
        set(exit, error_field, error);
}

void xen_event_set_entry(struct xrw_exit *exit, uint32_t info, uint32_t error)
{
    set(exit, XRW_EXIT_entry_intr_info, info);
    if (info & INFO_VALID && info & INFO_HAS_ERROR)
        set(exit, XRW_EXIT_entry_error, error);
}

static void set_reason(struct xrw_exit *exit, uint64_t reason, uint64_t qualification,
                       unsigned fields)
{
    xrw_exit_set(exit, XRW_EXIT_reason, reason);
    if (fields & XRW_VMX_HAS_QUALIFICATION)
        set(exit, XRW_EXIT_qualification, qualification);
}

static void set_vmx(struct xrw_exit *exit, const struct xrw_vmexit_vmx *vmx)
{
    unsigned reason = vmx->reason & 0xffff;
    unsigned fields =
        xrw_vmx_defined_fields(reason, vmx->qualification, vmx->intr_info, vmx->idt_vectoring_info);

    set_reason(exit, vmx->reason, vmx->qualification, fields);
    if (reason == XRW_VMX_EPT_VIOLATION || reason == XRW_VMX_EPT_MISCONFIG)
        set(exit, XRW_EXIT_gpa, vmx->guest_physical);
    if (fields & XRW_VMX_HAS_LINEAR)
        set(exit, XRW_EXIT_gla, vmx->guest_linear);
    if (reason == XRW_VMX_EXCEPTION_NMI || reason == XRW_VMX_EXTERNAL_INTERRUPT)
        xen_event_set_interruption(exit, XRW_EXIT_intr_info, vmx->intr_info, XRW_EXIT_intr_error,
                                   vmx->intr_error);
    xen_event_set_interruption(exit, XRW_EXIT_idt_info, vmx->idt_vectoring_info, XRW_EXIT_idt_error,
                               vmx->idt_vectoring_error);
    if (fields & XRW_VMX_HAS_LENGTH)
        set(exit, XRW_EXIT_insn_len, vmx->instruction_length);
    if (fields & XRW_VMX_HAS_INFO)
        set(exit, XRW_EXIT_insn_info, vmx->instruction_info);
    set(exit, XRW_EXIT_interruptibility, vmx->interruptibility);
    set(exit, XRW_EXIT_tsc, vmx->tsc);
    set(exit, XRW_EXIT_entry_tsc, vmx->entry_tsc);
    set(exit, XRW_EXIT_entry_tsc_offset, vmx->entry_offset);
    set(exit, XRW_EXIT_entries, vmx->entries);
    xen_event_set_entry(exit, vmx->entry_intr_info, vmx->entry_error);
}

/* The registers that are plain 64-bit words, and the event's member for each. */
#define HOT_TABLE(X)                                                                               \
    X(rax, rax)                                                                                    \
    X(rcx, rcx)                                                                                    \
    X(rdx, rdx)                                                                                    \
    X(rbx, rbx)                                                                                    \
    X(rsp, rsp)                                                                                    \
    X(rbp, rbp)                                                                                    \
    X(rsi, rsi)                                                                                    \
    X(rdi, rdi)                                                                                    \
    X(r8, r8)                                                                                      \
    X(r9, r9)                                                                                      \
    X(r10, r10)                                                                                    \
    X(r11, r11)                                                                                    \
    X(r12, r12)                                                                                    \
    X(r13, r13)                                                                                    \
    X(r14, r14)                                                                                    \
    X(r15, r15)                                                                                    \
    X(rip, rip)                                                                                    \
    X(rflags, rflags)                                                                              \
    X(cr2, cr2)                                                                                    \
    X(cr3, cr3)
#define SYSTEM_TABLE(X)                                                                            \
    X(cr0, cr0)                                                                                    \
    X(cr4, cr4)                                                                                    \
    X(efer, msr_efer)                                                                              \
    X(star, msr_star)                                                                              \
    X(lstar, msr_lstar)                                                                            \
    X(sysenter_cs, sysenter_cs)                                                                    \
    X(sysenter_esp, sysenter_esp)                                                                  \
    X(sysenter_eip, sysenter_eip)                                                                  \
    X(kernel_gs_base, shadow_gs)                                                                   \
    X(gdtr_base, gdtr_base)                                                                        \
    X(fs_base, fs_base)                                                                            \
    X(gs_base, gs_base)

/* Those that the event does not have, or that VMX has wrong there. */
#define MISSING_TABLE(X)                                                                           \
    X(dr0)                                                                                         \
    X(dr1)                                                                                         \
    X(dr2)                                                                                         \
    X(dr3)                                                                                         \
    X(dr6) X(dr7) X(cstar) X(sfmask) X(tsc_aux) X(idtr_base) X(idtr_limit) X(ldtr) X(ldtr_base)    \
        X(ldtr_limit) X(ldtr_attr) X(tr) X(tr_base) X(tr_limit) X(tr_attr)

/* What the event has whatever else: all but limits of segments. */
#define KNOWN(reg, member) [XRW_REG_##reg] = true,
#define KNOWN_SEGMENT(segment)                                                                     \
    [XRW_REG_##segment] = true, [XRW_REG_##segment##_attr] = true,                                 \
    [XRW_REG_##segment##_base] = true,
static const bool event_known[XRW_REGISTER_COUNT] = {
    HOT_TABLE(KNOWN) SYSTEM_TABLE(KNOWN)[XRW_REG_gdtr_limit] = true,
    KNOWN_SEGMENT(cs) KNOWN_SEGMENT(ss) KNOWN_SEGMENT(ds) KNOWN_SEGMENT(es)[XRW_REG_fs] = true,
    [XRW_REG_fs_attr] = true, [XRW_REG_gs] = true, [XRW_REG_gs_attr] = true};

#define ATTR_GRANULARITY (1u << 11)
#define ATTR_PRESENT (1u << 7)

/*
 * Selector, limit and attributes.  The limit comes scaled down when the granularity bit is set, and
 * else cut to 20 bits, which matters for an unusable segment: it may hold any.
 */
static void set_segment(struct xrw_registers *regs, enum xrw_register selector_reg,
                        uint16_t selector, struct xrw_event_segment segment)
{
    uint32_t attr = segment.ar, limit = segment.limit;

    if (attr & ATTR_GRANULARITY)
        limit = limit << XRW_PAGE_SHIFT | 0xfff;
    regs->value[selector_reg] = selector;
    regs->value[selector_reg + 3] = attr;
    regs->known[selector_reg + 2] = (attr & (ATTR_GRANULARITY | ATTR_PRESENT)) != 0;
    regs->value[selector_reg + 2] = regs->known[selector_reg + 2] ? limit : 0;
}

/*
 * Not taken from the event, as VMX has them wrong there: DR6 (always 0), and DR7 (stale while the
 * guest owns its debug registers).  The bases of CS, SS, DS and ES are cut to 32 bits, and have no
 * more: the processor clears the others. Source: Intel SDM, "Saving Segment Registers and
 * Descriptor-Table Registers".
 */
static void set_system(struct xrw_registers *regs, const struct xrw_event_regs *event)
{
    memcpy(regs->known, event_known, sizeof event_known);
#define SET(reg, member) regs->value[XRW_REG_##reg] = event->member;
    SYSTEM_TABLE(SET)
    SET(gdtr_limit, gdtr_limit)
    SET(cs_base, cs_base)
    SET(ss_base, ss_base)
    SET(ds_base, ds_base)
    SET(es_base, es_base)
#define CLEAR(reg) regs->value[XRW_REG_##reg] = 0;
    MISSING_TABLE(CLEAR)
    set_segment(regs, XRW_REG_cs, event->cs_sel, event->cs);
    set_segment(regs, XRW_REG_ss, event->ss_sel, event->ss);
    set_segment(regs, XRW_REG_ds, event->ds_sel, event->ds);
    set_segment(regs, XRW_REG_es, event->es_sel, event->es);
    set_segment(regs, XRW_REG_fs, event->fs_sel, event->fs);
    set_segment(regs, XRW_REG_gs, event->gs_sel, event->gs);
}

/* Whether all that set_system() looks at is as in the event before. */
static bool same_system(const struct xrw_event_regs *a, const struct xrw_event_regs *b)
{
    const size_t from = offsetof(struct xrw_event_regs, cr4);

    return a->cr0 == b->cr0 &&
           !memcmp((const uint8_t *)a + from, (const uint8_t *)b + from, sizeof *a - from);
}

/* An exit that has these system registers still gets the others alone. */
static void set_registers(struct xen_decoder *decoder, struct xrw_exit *exit,
                          const struct xrw_event_regs *event)
{
    struct xrw_registers *regs = &exit->before;

    if (!decoder->system_id || !same_system(&decoder->last, event)) {
        set_system(&decoder->registers, event);
        decoder->last = *event;
        decoder->system_id++;
    }
    if (exit->system_id != decoder->system_id)
        *regs = decoder->registers;
    exit->system_id = decoder->system_id;
    HOT_TABLE(SET)
}

#define ONE(...) +1
#define SEGMENTS 6
_Static_assert(0 HOT_TABLE(ONE) == XRW_HOT_COUNT &&
                   0 HOT_TABLE(ONE) SYSTEM_TABLE(ONE) MISSING_TABLE(ONE) + 1 + 4 + 3 * SEGMENTS ==
                       XRW_REGISTER_COUNT,
               "every register is set or cleared");

struct request_head {
    uint32_t version, flags, reason, vcpu;
};

/* The two layouts of a request. */
static const struct layout {
    uint32_t version;
    size_t bytes, regs_offset;
} layouts[] = {
    {XRW_VM_EVENT_VERSION_STOCK, XRW_REQUEST_SIZE_STOCK, XRW_REQUEST_REGS_OFFSET_STOCK},
    {XRW_VM_EVENT_VERSION_PATCHED, XRW_REQUEST_SIZE_PATCHED, XRW_REQUEST_REGS_OFFSET_PATCHED},
};

static const struct layout *find_layout(uint32_t version, size_t bytes)
{
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        if (layouts[i].version == version && bytes >= layouts[i].bytes)
            return &layouts[i];
    return NULL;
}

static void decode_stock(const uint8_t *request, struct xrw_exit *exit)
{
    struct xrw_vmexit_stock stock;
    unsigned reason;

    memcpy(&stock, request + XRW_REQUEST_UNION_OFFSET, sizeof stock);
    reason = stock.reason & 0xffff;
    set_reason(exit, stock.reason, stock.qualification,
               xrw_vmx_defined_fields(reason, stock.qualification, 0, 0));
}

/* Whether the vCPU is held at this exit. */
static bool decode_patched(const struct xrw_vmexit *event, const struct xrw_event_regs *regs,
                           struct xrw_exit *exit)
{
    if (event->vendor == XRW_VMEXIT_VENDOR_VMX) {
        set_vmx(exit, &event->arch.vmx);
        return event->arch.vmx.held;
    }
    xen_event_set_svm(exit, &event->arch.svm, regs->rip);
    xrw_registers_set(&exit->before, XRW_REG_dr6, regs->dr6);
    xrw_registers_set(&exit->before, XRW_REG_dr7, regs->dr7);
    exit->system_id = 0;
    return event->arch.svm.held;
}

static int check_vendor(const struct xrw_vmexit *event, struct xrw_error *err)
{
    if (event->vendor == XRW_VMEXIT_VENDOR_VMX || event->vendor == XRW_VMEXIT_VENDOR_SVM)
        return 0;
    return xrw_error_set(err, -EUCLEAN, "an event of a processor of unknown kind %" PRIu32,
                         event->vendor);
}

int xen_event_decode(struct xen_decoder *decoder, const uint8_t *request, size_t bytes,
                     struct xrw_exit *exit, bool *held, struct xrw_error *err)
{
    const struct xrw_vmexit *event = (const void *)(request + XRW_REQUEST_UNION_OFFSET);
    const struct xrw_event_regs *regs;
    const struct layout *layout;
    struct request_head head;
    bool stock, holds = false;

    if (bytes < sizeof head)
        return xrw_error_set(err, -EUCLEAN, "an event of %zu bytes is too short", bytes);
    memcpy(&head, request, sizeof head);
    layout = find_layout(head.version, bytes);
    if (!layout)
        return xrw_error_set(err, -EUCLEAN,
                             "Xen sends events of version %" PRIu32 ", this program knows %u and "
                             "%u\nuse the xenrewind that came with the patches of this Xen",
                             head.version, XRW_VM_EVENT_VERSION_STOCK,
                             XRW_VM_EVENT_VERSION_PATCHED);
    if (head.reason != VM_EVENT_REASON_VMEXIT)
        return 0;
    stock = head.version == XRW_VM_EVENT_VERSION_STOCK;
    if (!stock && check_vendor(event, err))
        return -EUCLEAN;
    regs = (const void *)(request + layout->regs_offset);
    set_registers(decoder, exit, regs);
    exit->id = exit->run = 0;
    exit->vcpu = head.vcpu;
    exit->has_after = false;
    memset(exit->field, 0, sizeof exit->field);
    memset(exit->field_known, 0, sizeof exit->field_known);
    memset(exit->after.known, 0, sizeof exit->after.known);
    if (stock)
        decode_stock(request, exit);
    else
        holds = decode_patched(event, regs, exit);
    *held = holds && head.flags & VM_EVENT_FLAG_VCPU_PAUSED;
    return 1;
}
