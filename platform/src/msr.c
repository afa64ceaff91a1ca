/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Model-specific registers.  Source: Intel SDM, volume 4. */
#include "platform.h"

#include <errno.h>
#include <stddef.h>

enum msr {
    TSC = 0x10,
    PLATFORM_ID = 0x17,
    APIC_BASE = 0x1b,
    FEATURE_CONTROL = 0x3a,
    TSC_ADJUST = 0x3b,
    MICROCODE = 0x8b,
    MTRR_CAP = 0xfe,
    ARCH_CAPABILITIES = 0x10a,
    SYSENTER_CS = 0x174,
    SYSENTER_ESP = 0x175,
    SYSENTER_EIP = 0x176,
    MCG_CAP = 0x179,
    MCG_STATUS = 0x17a,
    MISC_ENABLE = 0x1a0,
    DEBUG_CONTROL = 0x1d9,
    MTRR_PHYSICAL_FIRST = 0x200,
    MTRR_PHYSICAL_LAST = 0x20f,
    MTRR_FIXED_FIRST = 0x250,
    MTRR_FIXED_LAST = 0x26f,
    MTRR_DEF_TYPE = 0x2ff,
    EFER = 0xc0000080,
    STAR = 0xc0000081,
    LSTAR = 0xc0000082,
    CSTAR = 0xc0000083,
    SFMASK = 0xc0000084,
    FS_BASE = 0xc0000100,
    GS_BASE = 0xc0000101,
    KERNEL_GS_BASE = 0xc0000102,
    TSC_AUX = 0xc0000103,
};

#define APIC_BASE_VALUE UINT64_C(0xfee00900) /* the boot processor's, enabled */

/* Those that are registers of the machine. */
static const struct {
    uint32_t msr;
    enum xrw_register reg;
    bool canonical; /* an address */
} registers[] = {
    {SYSENTER_CS, XRW_REG_sysenter_cs, false},
    {SYSENTER_ESP, XRW_REG_sysenter_esp, true},
    {SYSENTER_EIP, XRW_REG_sysenter_eip, true},
    {STAR, XRW_REG_star, false},
    {LSTAR, XRW_REG_lstar, true},
    {CSTAR, XRW_REG_cstar, true},
    {SFMASK, XRW_REG_sfmask, false},
    {FS_BASE, XRW_REG_fs_base, true},
    {GS_BASE, XRW_REG_gs_base, true},
    {KERNEL_GS_BASE, XRW_REG_kernel_gs_base, true},
    {TSC_AUX, XRW_REG_tsc_aux, false},
};

/* Those that read as a constant; a write is ignored where ignore_write, else a #GP. */
static const struct {
    uint32_t msr;
    uint64_t value;
    bool ignore_write;
} constants[] = {
    {PLATFORM_ID, 0, false},       {APIC_BASE, APIC_BASE_VALUE, true},
    {FEATURE_CONTROL, 1, false},   {TSC_ADJUST, 0, true},
    {MICROCODE, 0, true},          {MTRR_CAP, 0x508, false},
    {MCG_CAP, 0x1000c02, false},   {MCG_STATUS, 0, true},
    {MISC_ENABLE, 0x800001, true}, {DEBUG_CONTROL, 0, true},
};

static bool is_canonical(uint64_t address)
{
    return (uint64_t)((int64_t)(address << 16) >> 16) == address;
}

static bool is_mtrr(uint32_t msr)
{
    return (msr >= MTRR_PHYSICAL_FIRST && msr <= MTRR_PHYSICAL_LAST) ||
           (msr >= MTRR_FIXED_FIRST && msr <= MTRR_FIXED_LAST);
}

int platform_rdmsr(struct xrw_platform *p, uint32_t msr, uint64_t *value)
{
    for (size_t i = 0; i < sizeof registers / sizeof *registers; i++)
        if (registers[i].msr == msr) {
            *value = reg(p, registers[i].reg);
            return 0;
        }
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
        if (constants[i].msr == msr) {
            /* A PC of ours has no machine check banks. */
            *value = msr == MCG_CAP && !p->xen ? 0 : constants[i].value;
            return 0;
        }
    if (msr == TSC)
        *value = xrw_platform_time_ns(p);
    else if (msr == EFER)
        *value = reg(p, XRW_REG_efer);
    else if (msr == MTRR_DEF_TYPE)
        *value = p->mtrr_def_type;
    else if (is_mtrr(msr))
        *value = 0;
    else
        return -ENOENT;
    return 0;
}

static int set_register_msr(struct xrw_platform *p, size_t i, uint64_t value)
{
    if (registers[i].canonical && !is_canonical(value))
        return -EINVAL;
    return xrw_machine_set_register(p->machine, registers[i].reg, value);
}

int platform_wrmsr(struct xrw_platform *p, uint32_t msr, uint64_t value)
{
    for (size_t i = 0; i < sizeof registers / sizeof *registers; i++)
        if (registers[i].msr == msr)
            return set_register_msr(p, i, value);
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
        if (constants[i].msr == msr)
            return constants[i].ignore_write ? 0 : -EPERM;
    if (msr == EFER)
        return set_efer(p, value);
    if (msr == MTRR_DEF_TYPE)
        p->mtrr_def_type = value & 0xcff;
    else if (!is_mtrr(msr) && msr != TSC)
        return -ENOENT;
    return 0;
}

int handle_rdmsr(struct xrw_platform *p, const struct xrw_exit *exit, struct xrw_error *err)
{
    uint64_t value;

    (void)err;
    if (platform_rdmsr(p, (uint32_t)reg(p, XRW_REG_rcx), &value)) {
        raise_exception(p, VECTOR_GP, true, 0);
        return 0;
    }
    set_reg(p, XRW_REG_rax, value & 0xffffffff);
    set_reg(p, XRW_REG_rdx, value >> 32);
    skip_instruction(p, exit);
    return 0;
}

int handle_wrmsr(struct xrw_platform *p, const struct xrw_exit *exit, struct xrw_error *err)
{
    uint64_t value = (reg(p, XRW_REG_rdx) & 0xffffffff) << 32 | (reg(p, XRW_REG_rax) & 0xffffffff);
    uint32_t msr = (uint32_t)reg(p, XRW_REG_rcx);

    (void)err;
    if (p->xen && msr == XEN_HYPERCALL_MSR ? write_hypercall_page(p, value)
                                           : platform_wrmsr(p, msr, value))
        raise_exception(p, VECTOR_GP, true, 0);
    else
        skip_instruction(p, exit);
    return 0;
}
