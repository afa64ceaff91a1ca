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

void xen_event_set_interruption(struct xrw_exit *exit, enum xrw_exit_field info_field,
                                uint32_t info, enum xrw_exit_field error_field, uint32_t error)
{
    if (!(info & INFO_VALID))
        return;
    xrw_exit_set(exit, info_field, info);
    if (info & INFO_HAS_ERROR)
        xrw_exit_set(exit, error_field, error);
}

void xen_event_set_entry(struct xrw_exit *exit, uint32_t info, uint32_t error)
{
    xrw_exit_set(exit, XRW_EXIT_entry_intr_info, info);
    if (info & INFO_VALID && info & INFO_HAS_ERROR)
        xrw_exit_set(exit, XRW_EXIT_entry_error, error);
}

static void set_reason(struct xrw_exit *exit, uint64_t reason, uint64_t qualification,
                       unsigned fields)
{
    xrw_exit_set(exit, XRW_EXIT_reason, reason);
    if (fields & XRW_VMX_HAS_QUALIFICATION)
        xrw_exit_set(exit, XRW_EXIT_qualification, qualification);
}

static void set_vmx(struct xrw_exit *exit, const struct xrw_vmexit_vmx *vmx)
{
    unsigned reason = vmx->reason & 0xffff;
    unsigned fields =
        xrw_vmx_defined_fields(reason, vmx->qualification, vmx->intr_info, vmx->idt_vectoring_info);

    set_reason(exit, vmx->reason, vmx->qualification, fields);
    if (reason == XRW_VMX_EPT_VIOLATION || reason == XRW_VMX_EPT_MISCONFIG)
        xrw_exit_set(exit, XRW_EXIT_gpa, vmx->guest_physical);
    if (fields & XRW_VMX_HAS_LINEAR)
        xrw_exit_set(exit, XRW_EXIT_gla, vmx->guest_linear);
    if (reason == XRW_VMX_EXCEPTION_NMI || reason == XRW_VMX_EXTERNAL_INTERRUPT)
        xen_event_set_interruption(exit, XRW_EXIT_intr_info, vmx->intr_info, XRW_EXIT_intr_error,
                                   vmx->intr_error);
    xen_event_set_interruption(exit, XRW_EXIT_idt_info, vmx->idt_vectoring_info, XRW_EXIT_idt_error,
                               vmx->idt_vectoring_error);
    if (fields & XRW_VMX_HAS_LENGTH)
        xrw_exit_set(exit, XRW_EXIT_insn_len, vmx->instruction_length);
    if (fields & XRW_VMX_HAS_INFO)
        xrw_exit_set(exit, XRW_EXIT_insn_info, vmx->instruction_info);
    xrw_exit_set(exit, XRW_EXIT_interruptibility, vmx->interruptibility);
    xrw_exit_set(exit, XRW_EXIT_tsc, vmx->tsc);
    xrw_exit_set(exit, XRW_EXIT_entry_tsc, vmx->entry_tsc);
    xrw_exit_set(exit, XRW_EXIT_entry_tsc_offset, vmx->entry_offset);
    xrw_exit_set(exit, XRW_EXIT_entries, vmx->entries);
    xen_event_set_entry(exit, vmx->entry_intr_info, vmx->entry_error);
}

/* Where the registers that are plain 64-bit words stand in the event. */
#define WORD(reg, member)                                                                          \
    {                                                                                              \
        XRW_REG_##reg, offsetof(struct xrw_event_regs, member)                                     \
    }
static const struct {
    enum xrw_register reg;
    size_t offset;
} words[] = {
    WORD(rax, rax),
    WORD(rcx, rcx),
    WORD(rdx, rdx),
    WORD(rbx, rbx),
    WORD(rsp, rsp),
    WORD(rbp, rbp),
    WORD(rsi, rsi),
    WORD(rdi, rdi),
    WORD(r8, r8),
    WORD(r9, r9),
    WORD(r10, r10),
    WORD(r11, r11),
    WORD(r12, r12),
    WORD(r13, r13),
    WORD(r14, r14),
    WORD(r15, r15),
    WORD(rip, rip),
    WORD(rflags, rflags),
    WORD(cr0, cr0),
    WORD(cr2, cr2),
    WORD(cr3, cr3),
    WORD(cr4, cr4),
    WORD(efer, msr_efer),
    WORD(star, msr_star),
    WORD(lstar, msr_lstar),
    WORD(sysenter_cs, sysenter_cs),
    WORD(sysenter_esp, sysenter_esp),
    WORD(sysenter_eip, sysenter_eip),
    WORD(kernel_gs_base, shadow_gs),
    WORD(gdtr_base, gdtr_base),
    WORD(fs_base, fs_base),
    WORD(gs_base, gs_base),
};

/* In its size already; once for each register of each event, so it is to be quick. */
static inline void put(struct xrw_registers *regs, unsigned reg, uint64_t value)
{
    regs->value[reg] = value;
    regs->known[reg] = true;
}

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
    put(regs, selector_reg, selector);
    if (attr & (ATTR_GRANULARITY | ATTR_PRESENT))
        put(regs, selector_reg + 2, limit);
    put(regs, selector_reg + 3, attr);
}

/*
 * Not taken from the event, as VMX has them wrong there: DR6 (always 0), and DR7 (stale while the
 * guest owns its debug registers).  The bases of CS, SS, DS and ES are cut to 32 bits, and have no
 * more: the processor clears the others. Source: Intel SDM, "Saving Segment Registers and
 * Descriptor-Table Registers".
 */
static void set_registers(struct xrw_registers *regs, const struct xrw_event_regs *event)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        uint64_t value;

        memcpy(&value, (const uint8_t *)event + words[i].offset, sizeof value);
        put(regs, words[i].reg, value);
    }
    put(regs, XRW_REG_gdtr_limit, event->gdtr_limit);
    set_segment(regs, XRW_REG_cs, event->cs_sel, event->cs);
    set_segment(regs, XRW_REG_ss, event->ss_sel, event->ss);
    set_segment(regs, XRW_REG_ds, event->ds_sel, event->ds);
    set_segment(regs, XRW_REG_es, event->es_sel, event->es);
    set_segment(regs, XRW_REG_fs, event->fs_sel, event->fs);
    set_segment(regs, XRW_REG_gs, event->gs_sel, event->gs);
    put(regs, XRW_REG_cs_base, event->cs_base);
    put(regs, XRW_REG_ss_base, event->ss_base);
    put(regs, XRW_REG_ds_base, event->ds_base);
    put(regs, XRW_REG_es_base, event->es_base);
}

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
    return event->arch.svm.held;
}

static int check_vendor(const struct xrw_vmexit *event, struct xrw_error *err)
{
    if (event->vendor == XRW_VMEXIT_VENDOR_VMX || event->vendor == XRW_VMEXIT_VENDOR_SVM)
        return 0;
    return xrw_error_set(err, -EUCLEAN, "an event of a processor of unknown kind %" PRIu32,
                         event->vendor);
}

int xen_event_decode(const uint8_t *request, size_t bytes, struct xrw_exit *exit, bool *held,
                     struct xrw_error *err)
{
    struct request_head head;
    struct xrw_vmexit event;
    struct xrw_event_regs regs;
    const struct layout *layout;
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
    memcpy(&event, request + XRW_REQUEST_UNION_OFFSET, sizeof event);
    if (!stock && check_vendor(&event, err))
        return -EUCLEAN;
    *exit = (struct xrw_exit){.vcpu = head.vcpu};
    memcpy(&regs, request + layout->regs_offset, sizeof regs);
    set_registers(&exit->before, &regs);
    if (stock)
        decode_stock(request, exit);
    else
        holds = decode_patched(&event, &regs, exit);
    *held = holds && head.flags & VM_EVENT_FLAG_VCPU_PAUSED;
    return 1;
}
