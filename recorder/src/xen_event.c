/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen.h"

#include "vmexit_abi.h"
#include "xrw/vmx.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include <xen/vm_event.h>

/*
 * Basic reasons for which a field means something; elsewhere it is not known.
 * Source: Intel SDM, "Information for VM Exits".
 */
static const uint8_t has_qualification[] = {0,  4,  9,  14, 19, 21, 22, 23, 25, 27, 28, 29, 30, 36,
                                            44, 45, 46, 47, 48, 50, 53, 56, 58, 62, 63, 64, 75};
static const uint8_t has_instruction_length[] = {
    10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32,
    36, 39, 40, 46, 47, 50, 51, 53, 54, 55, 57, 58, 59, 60, 61, 63, 64, 65, 67, 68, 69, 70};
static const uint8_t has_instruction_info[] = {19, 21, 22, 23, 25, 27, 46, 47, 50,
                                               53, 57, 58, 61, 63, 64, 67, 68};

static bool listed(const uint8_t *list, size_t count, unsigned reason)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == reason)
            return true;
    return false;
}
#define LISTED(list, reason) listed(list, sizeof(list), reason)

#define INFO_VALID (UINT32_C(1) << 31)
#define INFO_HAS_ERROR (UINT32_C(1) << 11)
#define IO_STRING (1u << 4)
#define EPT_HAS_LINEAR (1u << 7)

static void set_interruption(struct xrw_exit *exit, enum xrw_exit_field info_field, uint32_t info,
                             enum xrw_exit_field error_field, uint32_t error)
{
    if (!(info & INFO_VALID))
        return;
    xrw_exit_set(exit, info_field, info);
    if (info & INFO_HAS_ERROR)
        xrw_exit_set(exit, error_field, error);
}

static void set_fields(struct xrw_exit *exit, const struct xrw_vmexit_vmx *vmx)
{
    unsigned reason = vmx->reason & 0xffff;
    bool string_io = reason == XRW_VMX_IO_INSTRUCTION && vmx->qualification & IO_STRING;

    xrw_exit_set(exit, XRW_EXIT_reason, vmx->reason);
    if (LISTED(has_qualification, reason))
        xrw_exit_set(exit, XRW_EXIT_qualification, vmx->qualification);
    if (reason == XRW_VMX_EPT_VIOLATION || reason == XRW_VMX_EPT_MISCONFIG)
        xrw_exit_set(exit, XRW_EXIT_gpa, vmx->guest_physical);
    if ((reason == XRW_VMX_EPT_VIOLATION && vmx->qualification & EPT_HAS_LINEAR) || string_io)
        xrw_exit_set(exit, XRW_EXIT_gla, vmx->guest_linear);
    if (reason == XRW_VMX_EXCEPTION_NMI || reason == XRW_VMX_EXTERNAL_INTERRUPT)
        set_interruption(exit, XRW_EXIT_intr_info, vmx->intr_info, XRW_EXIT_intr_error,
                         vmx->intr_error);
    set_interruption(exit, XRW_EXIT_idt_info, vmx->idt_vectoring_info, XRW_EXIT_idt_error,
                     vmx->idt_vectoring_error);
    if (LISTED(has_instruction_length, reason))
        xrw_exit_set(exit, XRW_EXIT_insn_len, vmx->instruction_length);
    if (LISTED(has_instruction_info, reason) || string_io)
        xrw_exit_set(exit, XRW_EXIT_insn_info, vmx->instruction_info);
    xrw_exit_set(exit, XRW_EXIT_interruptibility, vmx->interruptibility);
    xrw_exit_set(exit, XRW_EXIT_tsc, vmx->tsc);
    xrw_exit_set(exit, XRW_EXIT_entry_tsc, vmx->entry_tsc);
    xrw_exit_set(exit, XRW_EXIT_entry_tsc_offset, vmx->entry_offset);
    xrw_exit_set(exit, XRW_EXIT_entries, vmx->entries);
    xrw_exit_set(exit, XRW_EXIT_entry_intr_info, vmx->entry_intr_info);
    if (vmx->entry_intr_info & INFO_VALID && vmx->entry_intr_info & INFO_HAS_ERROR)
        xrw_exit_set(exit, XRW_EXIT_entry_error, vmx->entry_error);
}

/* Where the registers that are plain 64-bit words stand in the event. */
#define WORD(reg, member)                                                                          \
    {                                                                                              \
        XRW_REG_##reg, offsetof(struct vm_event_regs_x86, member)                                  \
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

#define ATTR_GRANULARITY (1u << 11)

/* Selector, limit and attributes; the limit comes scaled down when the granularity bit is set. */
static void set_segment(struct xrw_registers *regs, enum xrw_register selector_reg,
                        uint16_t selector, struct vm_event_x86_selector_reg segment)
{
    uint32_t attr = segment.ar, limit = segment.limit;

    if (attr & ATTR_GRANULARITY)
        limit = limit << XRW_PAGE_SHIFT | 0xfff;
    xrw_registers_set(regs, selector_reg, selector);
    xrw_registers_set(regs, selector_reg + 2, limit);
    xrw_registers_set(regs, selector_reg + 3, attr);
}

/*
 * Not taken from the event, which has them wrong: DR6 (always 0), DR7 (stale while the guest owns
 * its debug registers), the bases of CS, SS, DS and ES (cut to 32 bits).
 */
static void set_registers(struct xrw_registers *regs, const struct vm_event_regs_x86 *event)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        uint64_t value;

        memcpy(&value, (const uint8_t *)event + words[i].offset, sizeof value);
        xrw_registers_set(regs, words[i].reg, value);
    }
    xrw_registers_set(regs, XRW_REG_gdtr_limit, event->gdtr_limit);
    set_segment(regs, XRW_REG_cs, event->cs_sel, event->cs);
    set_segment(regs, XRW_REG_ss, event->ss_sel, event->ss);
    set_segment(regs, XRW_REG_ds, event->ds_sel, event->ds);
    set_segment(regs, XRW_REG_es, event->es_sel, event->es);
    set_segment(regs, XRW_REG_fs, event->fs_sel, event->fs);
    set_segment(regs, XRW_REG_gs, event->gs_sel, event->gs);
}

struct request_head {
    uint32_t version, flags, reason, vcpu;
};

int xen_event_decode(const uint8_t *request, size_t bytes, struct xrw_exit *exit, bool *held,
                     struct xrw_error *err)
{
    struct request_head head;
    struct xrw_vmexit_vmx vmx;
    struct vm_event_regs_x86 regs;

    if (bytes < XRW_REQUEST_SIZE_PATCHED)
        return xrw_error_set(err, -EUCLEAN, "an event of %zu bytes is too short", bytes);
    memcpy(&head, request, sizeof head);
    if (head.version != XRW_VM_EVENT_VERSION_PATCHED)
        return xrw_error_set(err, -EUCLEAN,
                             "Xen sends events of version %" PRIu32 ", this program knows %u\n"
                             "use the xenrewind that came with the patches of this Xen",
                             head.version, XRW_VM_EVENT_VERSION_PATCHED);
    if (head.reason != VM_EVENT_REASON_VMEXIT)
        return xrw_error_set(err, -EUCLEAN, "an event of another kind arrived (%" PRIu32 ")",
                             head.reason);
    memcpy(&vmx, request + XRW_REQUEST_UNION_OFFSET, sizeof vmx);
    memcpy(&regs, request + XRW_REQUEST_REGS_OFFSET_PATCHED, sizeof regs);
    *exit = (struct xrw_exit){.vcpu = head.vcpu};
    set_fields(exit, &vmx);
    set_registers(&exit->before, &regs);
    *held = vmx.held && head.flags & VM_EVENT_FLAG_VCPU_PAUSED;
    return 0;
}
