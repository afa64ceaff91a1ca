/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The describers of single exit reasons; each adds nothing if what it needs is not known. */
#ifndef XRW_CORE_VMX_DESCRIBE_H
#define XRW_CORE_VMX_DESCRIBE_H

#include "describe.h"
#include "xrw/vmx.h"

/* vmx_describe_insn.c: instructions whose operands the qualification encodes */
xrw_describer xrw_vmx_describe_io, xrw_vmx_describe_msr_imm, xrw_vmx_describe_cr,
    xrw_vmx_describe_dr, xrw_vmx_describe_invlpg, xrw_vmx_describe_mwait;

/* vmx_describe_info.c: instructions whose operands the instruction-information field encodes */
xrw_describer xrw_vmx_describe_descriptor_table, xrw_vmx_describe_memory_operand,
    xrw_vmx_describe_register_operand;

/* vmx_describe_event.c: what is no instruction */
xrw_describer xrw_vmx_describe_interruption, xrw_vmx_describe_ept, xrw_vmx_describe_ept_misconfig,
    xrw_vmx_describe_apic_access, xrw_vmx_describe_apic_write, xrw_vmx_describe_task_switch,
    xrw_vmx_describe_vector, xrw_vmx_describe_entry_failure, xrw_vmx_describe_notify;

#endif
