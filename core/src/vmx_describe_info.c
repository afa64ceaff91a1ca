/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Source: Intel SDM, "Information for VM Exits Due to Instruction Execution" (the tables of the
 * VM-exit instruction-information field). */
#include "vmx_describe.h"
#include "xrw/insn.h"

/* The instruction-information field: what all the layouts that are used here share. */
struct operand {
    unsigned base, index, reg1, reg2; /* numbers of GPRs */
    bool has_base, has_index;
    unsigned scale, segment, address_bits;
    bool is_register;  /* not every layout has this bit */
    unsigned identity; /* which instruction, in the layouts of reasons 46 and 47 */
};

static bool decode(const struct xrw_exit *exit, struct operand *operand)
{
    uint32_t info = (uint32_t)exit->field[XRW_EXIT_insn_info];

    *operand = (struct operand){
        .scale = info & 3,
        .segment = (info >> 15) & 7,
        .index = (info >> 18) & 15,
        .base = (info >> 23) & 15,
        .address_bits = 16u << ((info >> 7) & 3),
        .has_index = !(info >> 22 & 1),
        .has_base = !(info >> 27 & 1),
        .is_register = info >> 10 & 1,
        .reg1 = (info >> 3) & 15,
        .reg2 = info >> 28,
        .identity = (info >> 28) & 3,
    };
    return exit->field_known[XRW_EXIT_insn_info];
}

/* The linear address of a memory operand: the qualification is its displacement. */
static void add_address(struct xrw_text *text, const struct xrw_exit *exit,
                        const struct operand *operand)
{
    static const enum xrw_register segment_bases[8] = {
        XRW_REG_es_base, XRW_REG_cs_base, XRW_REG_ss_base, XRW_REG_ds_base,
        XRW_REG_fs_base, XRW_REG_gs_base, XRW_REG_ds_base, XRW_REG_ds_base,
    };
    const struct xrw_registers *regs = &exit->before;
    enum xrw_register segment = segment_bases[operand->segment];
    bool flat = xrw_insn_mode(regs) == 64 && segment != XRW_REG_fs_base &&
                segment != XRW_REG_gs_base; /* 64-bit code has no other segments */
    bool known = exit->field_known[XRW_EXIT_qualification] && (flat || regs->known[segment]);
    uint64_t offset = exit->field[XRW_EXIT_qualification];

    if (operand->has_base) {
        known = known && regs->known[operand->base];
        offset += regs->value[operand->base];
    }
    if (operand->has_index) {
        known = known && regs->known[operand->index];
        offset += regs->value[operand->index] << operand->scale;
    }
    if (operand->address_bits < 64)
        offset &= (UINT64_C(1) << operand->address_bits) - 1;
    xrw_text_add(text, " address ");
    xrw_text_add_hex(text, known, offset + (flat ? 0 : regs->value[segment]));
}

static void add_register_operand(struct xrw_text *text, unsigned reg)
{
    xrw_text_add(text, " %s", xrw_register_table[reg].name);
}

void xrw_vmx_describe_descriptor_table(struct xrw_text *text, const struct xrw_exit *exit)
{
    static const char *const names[2][4] = {{"SGDT", "SIDT", "LGDT", "LIDT"},
                                            {"SLDT", "STR", "LLDT", "LTR"}};
    bool selector = xrw_exit_basic_reason(exit) == XRW_VMX_LDTR_TR_ACCESS;
    struct operand operand;

    if (!decode(exit, &operand))
        return;
    xrw_text_add(text, "%s", names[selector][operand.identity]);
    if (!selector || !operand.is_register) {
        add_address(text, exit, &operand);
        return;
    }
    add_register_operand(text, operand.reg1);
    if (operand.identity & 2) { /* a load */
        xrw_text_add(text, " = ");
        xrw_text_add_register(text, &exit->before, operand.reg1, 16);
    }
}

/* What the second register holds, for the instructions that have one. */
static const char *second_register(unsigned reason)
{
    switch (reason) {
    case XRW_VMX_VMREAD:
    case XRW_VMX_VMWRITE:
        return " field ";
    case XRW_VMX_INVEPT:
    case XRW_VMX_INVVPID:
    case XRW_VMX_INVPCID:
        return " type ";
    default:
        return NULL;
    }
}

void xrw_vmx_describe_memory_operand(struct xrw_text *text, const struct xrw_exit *exit)
{
    unsigned reason = xrw_exit_basic_reason(exit);
    bool may_be_register = reason == XRW_VMX_VMREAD || reason == XRW_VMX_VMWRITE;
    struct operand operand;

    if (!decode(exit, &operand))
        return;
    xrw_text_add(text, "%s", xrw_reason_name(reason));
    if (second_register(reason)) {
        xrw_text_add(text, "%s", second_register(reason));
        xrw_text_add_register(text, &exit->before, operand.reg2, 64);
    }
    if (may_be_register && operand.is_register)
        add_register_operand(text, operand.reg1);
    else
        add_address(text, exit, &operand);
}

void xrw_vmx_describe_register_operand(struct xrw_text *text, const struct xrw_exit *exit)
{
    struct operand operand;

    if (!decode(exit, &operand))
        return;
    xrw_text_add(text, "%s into", xrw_reason_name(xrw_exit_basic_reason(exit)));
    add_register_operand(text, operand.reg1);
    if (xrw_answered(exit)) {
        xrw_text_add(text, " -> ");
        xrw_text_add_register(text, &exit->after, operand.reg1, 64);
    }
}
