/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Control registers.  Source: Intel SDM, "Control Registers"; Xen 4.17, xen/arch/x86/hvm/hvm.c. */
#include "platform.h"

#include <errno.h>

#define CR0_PE (UINT64_C(1) << 0)
#define CR0_MP (UINT64_C(1) << 1)
#define CR0_EM (UINT64_C(1) << 2)
#define CR0_TS (UINT64_C(1) << 3)
#define CR0_ET (UINT64_C(1) << 4)
#define CR0_NW (UINT64_C(1) << 29)
#define CR0_CD (UINT64_C(1) << 30)
#define CR0_PG (UINT64_C(1) << 31)
#define CR0_DEFINED UINT64_C(0xe005003f)
#define CR4_PAE (UINT64_C(1) << 5)
#define CR4_VMXE (UINT64_C(1) << 13)
#define CR4_PCIDE (UINT64_C(1) << 17)
#define EFER_LME (UINT64_C(1) << 8)
#define EFER_LMA (UINT64_C(1) << 10)
#define CS_LONG (1u << 9)

enum access { MOV_TO = 0, MOV_FROM = 1, CLTS = 2, LMSW = 3 };

static int change_paging(struct xrw_platform *p, uint64_t value)
{
    uint64_t efer = reg(p, XRW_REG_efer);
    bool was_on = reg(p, XRW_REG_cr0) & CR0_PG, on = value & CR0_PG;

    if (on && !was_on && efer & EFER_LME) {
        if (!(reg(p, XRW_REG_cr4) & CR4_PAE) || reg(p, XRW_REG_cs_attr) & CS_LONG)
            return -EINVAL;
        set_reg(p, XRW_REG_efer, efer | EFER_LMA);
    }
    if (on &&
        !was_on) /* Xen looks there for the entries of PAE paging, whether it is used or not */
        (void)touch_page(p, reg(p, XRW_REG_cr3), false);
    if (was_on && !on) {
        if (efer & EFER_LMA && reg(p, XRW_REG_cs_attr) & CS_LONG)
            return -EINVAL;
        if (reg(p, XRW_REG_cr4) & CR4_PCIDE)
            return -EINVAL;
        set_reg(p, XRW_REG_efer, efer & ~EFER_LMA);
    }
    return 0;
}

int set_cr0(struct xrw_platform *p, uint64_t value)
{
    int rc;

    if (value >> 32 || (value & CR0_PG && !(value & CR0_PE)) ||
        (value & CR0_NW && !(value & CR0_CD)))
        return -EINVAL;
    value = (value & CR0_DEFINED) | CR0_ET;
    rc = change_paging(p, value);
    if (rc)
        return rc;
    set_reg(p, XRW_REG_cr0, value);
    xrw_machine_flush(p->machine);
    return 0;
}

static int set_cr4(struct xrw_platform *p, uint64_t value)
{
    uint64_t efer = reg(p, XRW_REG_efer);

    if (value & CR4_VMXE || value & ~p->cpu.cr4_valid)
        return -EINVAL;
    if (efer & EFER_LMA && !(value & CR4_PAE))
        return -EINVAL;
    if (value & CR4_PCIDE && !(efer & EFER_LMA))
        return -EINVAL;
    set_reg(p, XRW_REG_cr4, value);
    xrw_machine_flush(p->machine);
    return 0;
}

int set_efer(struct xrw_platform *p, uint64_t value)
{
    uint64_t old = reg(p, XRW_REG_efer);

    if (value & ~p->cpu.efer_valid)
        return -EINVAL;
    if ((value ^ old) & EFER_LME && reg(p, XRW_REG_cr0) & CR0_PG)
        return -EINVAL;
    set_reg(p, XRW_REG_efer, (value & ~EFER_LMA) | (old & EFER_LMA));
    return 0;
}

static int move_to(struct xrw_platform *p, unsigned cr, uint64_t value)
{
    switch (cr) {
    case 0:
        return set_cr0(p, value);
    case 3:
        set_reg(p, XRW_REG_cr3, value & ~(UINT64_C(1) << 63));
        return 0;
    case 4:
        return set_cr4(p, value);
    default:
        return -ENOTSUP;
    }
}

/* PE can be set by LMSW, not cleared. */
static int load_machine_status_word(struct xrw_platform *p, uint64_t word)
{
    uint64_t cr0 = reg(p, XRW_REG_cr0);

    return set_cr0(p, (cr0 & ~(CR0_MP | CR0_EM | CR0_TS)) |
                          (word & (CR0_PE | CR0_MP | CR0_EM | CR0_TS)));
}

int handle_cr(struct xrw_platform *p, const struct xrw_exit *exit, struct xrw_error *err)
{
    static const enum xrw_register crs[] = {XRW_REG_cr0, XRW_REG_cr0, XRW_REG_cr2, XRW_REG_cr3,
                                            XRW_REG_cr4};
    uint64_t qualification = exit->field[XRW_EXIT_qualification];
    unsigned cr = qualification & 0xf;
    enum xrw_register gpr = (enum xrw_register)(qualification >> 8 & 0xf);
    int rc = -ENOTSUP;

    switch ((enum access)(qualification >> 4 & 3)) {
    case MOV_TO:
        rc = move_to(p, cr, reg(p, gpr));
        break;
    case MOV_FROM:
        if (cr < sizeof crs / sizeof *crs) {
            set_reg(p, gpr, reg(p, crs[cr]));
            rc = 0;
        }
        break;
    case CLTS:
        rc = set_cr0(p, reg(p, XRW_REG_cr0) & ~CR0_TS);
        break;
    case LMSW:
        rc = load_machine_status_word(p, qualification >> 16 & 0xffff);
        break;
    }
    if (rc == -ENOTSUP)
        return xrw_error_set(err, rc, "access to CR%u cannot be handled", cr);
    if (rc == -EINVAL)
        raise_exception(p, VECTOR_GP, true, 0);
    else if (!rc)
        skip_instruction(p, exit);
    return rc == -EINVAL ? 0 : rc;
}

int handle_xsetbv(struct xrw_platform *p, const struct xrw_exit *exit, struct xrw_error *err)
{
    uint64_t value = (reg(p, XRW_REG_rdx) & 0xffffffff) << 32 | (reg(p, XRW_REG_rax) & 0xffffffff);
    bool index = reg(p, XRW_REG_rcx) & 0xffffffff;

    (void)err;
    if (index || reg(p, XRW_REG_ss_attr) >> 5 & 3 || xrw_machine_set_xcr0(p->machine, value))
        raise_exception(p, VECTOR_GP, true, 0);
    else {
        p->xcr0 = value;
        skip_instruction(p, exit);
    }
    return 0;
}
