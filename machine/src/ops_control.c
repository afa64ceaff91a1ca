/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Control and debug registers, translations, caches, XCR0, PKRU. */
#include "mmu.h"
#include "ops.h"
#include "state.h"
#include "xsave.h"

#define CR_ACCESS(cr, type, reg) ((uint64_t)(cr) | (uint64_t)(type) << 4 | (uint64_t)(reg) << 8)
enum { TO_CR, FROM_CR, CLTS, LMSW };

static unsigned gpr_number(uint16_t offset)
{
    return (offset - GPR_OFFSET(0)) / 8u;
}

static uint64_t cr_mask(const struct xrw_machine *m, unsigned cr)
{
    if (cr == 0)
        return m->controls.cr0_mask;
    return m->cr0 & CR0_PG ? m->controls.cr4_mask : m->controls.cr4_mask_unpaged;
}

/* ---- CR0 ---- */

static void load_pdptes(struct xrw_machine *m, uint64_t cr3)
{
    uint64_t reserved = ~(uint64_t)0xfff & ~(BIT(m->cpu.physical_bits) - 1);
    uint64_t pdpte[4];

    for (unsigned i = 0; i < 4; i++) {
        uint64_t gpa = (cr3 & 0xffffffe0u) + 8 * i;
        const struct page *page = ept_page(m, gpa, 0, ACCESS_READ, false);
        memcpy(&pdpte[i], page->frame->data + gpa % XRW_PAGE_BYTES, 8);
        if (pdpte[i] & 1 && pdpte[i] & (reserved | 0x1e6))
            raise_error(m, VECTOR_GP, 0);
    }
    memcpy(m->pdpte, pdpte, sizeof pdpte);
}

static bool uses_pdptes(const struct xrw_machine *m)
{
    return m->cr0 & CR0_PG && m->cr4 & CR4_PAE && !(m->efer & EFER_LMA);
}

static void cr0_write(struct xrw_machine *m, uint64_t value)
{
    uint64_t old = m->cr0, efer = m->efer;

    value |= CR0_ET;
    if (value >> 32 || (value & CR0_PG && !(value & CR0_PE)) ||
        (value & CR0_NW && !(value & CR0_CD)) || (!(value & CR0_PG) && m->cr4 & CR4_PCIDE))
        raise_error(m, VECTOR_GP, 0);
    value &= CR0_ALL;
    if (value & ~old & CR0_PG) {
        if (efer & EFER_LME) {
            if (!(m->cr4 & CR4_PAE) || m->seg[SEG_CS].attr & ATTR_L)
                raise_error(m, VECTOR_GP, 0);
            efer |= EFER_LMA;
        } else if (m->cr4 & CR4_PAE) {
            load_pdptes(m, m->cr3);
        }
    } else if (old & ~value & CR0_PG && efer & EFER_LMA) {
        if (is_long(m))
            raise_error(m, VECTOR_GP, 0);
        efer &= ~EFER_LMA;
    }
    m->cr0 = value;
    m->efer = efer;
    if ((old ^ value) & (CR0_PG | CR0_WP | CR0_PE))
        mmu_flush(m);
    cpu_update(m);
}

/* ---- CR3, CR4, CR8 ---- */

static void cr3_write(struct xrw_machine *m, uint64_t value)
{
    uint64_t keep = m->cr4 & CR4_PCIDE ? value & CR3_NO_FLUSH : 0;

    value &= ~keep;
    if (m->efer & EFER_LMA && value >> m->cpu.physical_bits)
        raise_error(m, VECTOR_GP, 0);
    if (uses_pdptes(m))
        load_pdptes(m, value);
    m->cr3 = value;
    mmu_flush(m);
}

static void cr4_write(struct xrw_machine *m, uint64_t value)
{
    uint64_t changed = m->cr4 ^ value;

    if (value & ~m->cpu.cr4_valid)
        raise_error(m, VECTOR_GP, 0);
    if (m->efer & EFER_LMA && (!(value & CR4_PAE) || changed & CR4_LA57))
        raise_error(m, VECTOR_GP, 0);
    if (changed & value & CR4_PCIDE && (!(m->efer & EFER_LMA) || m->cr3 & CR3_PCID))
        raise_error(m, VECTOR_GP, 0);
    if (m->cr0 & CR0_PG && !(m->efer & EFER_LMA) && value & CR4_PAE &&
        changed & (CR4_PAE | CR4_PSE | CR4_PGE | CR4_SMEP))
        load_pdptes(m, m->cr3);
    m->cr4 = value;
    mmu_flush(m);
    cpu_update(m);
}

static void cr_exit(struct xrw_machine *m, const struct insn *insn, unsigned type, uint16_t reg)
{
    leave_exit_insn(m, XRW_VMX_CR_ACCESS, CR_ACCESS(insn->detail, type, gpr_number(reg)));
}

void op_mov_to_cr(struct xrw_machine *m, const struct insn *insn)
{
    unsigned cr = insn->detail;
    uint64_t value = reg_read(m, insn->src, is_long(m) ? 8 : 4);
    uint64_t old = cr == 0 ? m->cr0 : m->cr4;

    m->insn = insn;
    require_kernel(m);
    if ((cr == 0 || cr == 4) && (value ^ old) & cr_mask(m, cr))
        cr_exit(m, insn, TO_CR, insn->src);
    if ((cr == 3 && m->controls.exits & XRW_EXITS_CR3_LOAD) ||
        (cr == 8 && m->controls.exits & XRW_EXITS_CR8_LOAD))
        cr_exit(m, insn, TO_CR, insn->src);
    switch (cr) {
    case 0:
        cr0_write(m, value);
        break;
    case 2:
        m->cr2 = value;
        break;
    case 3:
        cr3_write(m, value);
        break;
    case 4:
        cr4_write(m, value);
        break;
    case 8:
        if (value >> 4)
            raise_error(m, VECTOR_GP, 0);
        apic_write_cr8(m, value);
        break;
    default:
        raise_plain(m, VECTOR_UD);
    }
    done(m, insn);
}

void op_mov_from_cr(struct xrw_machine *m, const struct insn *insn)
{
    unsigned cr = insn->detail;
    uint64_t value;

    m->insn = insn;
    require_kernel(m);
    if ((cr == 3 && m->controls.exits & XRW_EXITS_CR3_STORE) ||
        (cr == 8 && m->controls.exits & XRW_EXITS_CR8_STORE))
        cr_exit(m, insn, FROM_CR, insn->dst);
    switch (cr) {
    case 0:
        value = m->cr0;
        break;
    case 2:
        value = m->cr2;
        break;
    case 3:
        value = m->cr3;
        break;
    case 4:
        value = m->cr4;
        break;
    case 8:
        value = apic_read_cr8(m);
        break;
    default:
        raise_plain(m, VECTOR_UD);
    }
    reg_write(m, insn->dst, is_long(m) ? 8 : 4, value);
    NEXT(m, insn);
}

void op_clts(struct xrw_machine *m, const struct insn *insn)
{
    m->insn = insn;
    require_kernel(m);
    if (m->cr0 & CR0_TS && m->controls.cr0_mask & CR0_TS)
        leave_exit_insn(m, XRW_VMX_CR_ACCESS, CR_ACCESS(0, CLTS, 0));
    m->cr0 &= ~CR0_TS;
    cpu_update(m);
    done(m, insn);
}

void op_lmsw(struct xrw_machine *m, const struct insn *insn)
{
    uint64_t value, bits = CR0_PE | CR0_MP | CR0_EM | CR0_TS;

    m->insn = insn;
    require_kernel(m);
    value = source_read(m, insn, 2);
    if ((m->cr0 ^ value) & bits & m->controls.cr0_mask &
        ~(m->cr0 & CR0_PE)) { /* PE is never cleared */
        if (insn->traits & INSN_MEMORY)
            xrw_exit_set(&m->result->exit, XRW_EXIT_gla, operand_linear(m, insn));
        leave_exit_insn(m, XRW_VMX_CR_ACCESS,
                        CR_ACCESS(0, LMSW, 0) | value << 16 |
                            (insn->traits & INSN_MEMORY ? BIT(6) : 0));
    }
    cr0_write(m, (m->cr0 & ~(bits & ~CR0_PE)) | (value & bits));
    done(m, insn);
}

void op_smsw(struct xrw_machine *m, const struct insn *insn)
{
    m->insn = insn;
    if (m->cr4 & CR4_UMIP && m->cpl)
        raise_error(m, VECTOR_GP, 0);
    if (insn->traits & INSN_MEMORY)
        memory_write(m, insn->segment, operand_linear(m, insn), m->cr0 & 0xffff, 2);
    else
        reg_write(m, insn->dst, insn->size, m->cr0);
    NEXT(m, insn);
}

/* ---- Debug registers ---- */

static unsigned dr_checked(struct xrw_machine *m, const struct insn *insn, bool to, uint16_t reg)
{
    unsigned dr = insn->detail;

    m->insn = insn;
    if ((dr == 4 || dr == 5) && m->cr4 & CR4_DE)
        raise_plain(m, VECTOR_UD);
    require_kernel(m);
    if (m->controls.exits & XRW_EXITS_MOV_DR)
        leave_exit_insn(m, XRW_VMX_DR_ACCESS,
                        dr | (to ? 0 : BIT(4)) | (uint64_t)gpr_number(reg) << 8);
    if (m->dr7 & DR7_GD)
        raise_event(
            m, &(struct event){.type = EVENT_HARDWARE, .vector = VECTOR_DB, .address = DR6_BD});
    return dr >= 4 && dr < 6 ? dr + 2 : dr;
}

void op_mov_from_dr(struct xrw_machine *m, const struct insn *insn)
{
    unsigned dr = dr_checked(m, insn, false, insn->dst);

    reg_write(m, insn->dst, is_long(m) ? 8 : 4, dr < 4 ? m->dr[dr] : dr == 6 ? m->dr6 : m->dr7);
    NEXT(m, insn);
}

void op_mov_to_dr(struct xrw_machine *m, const struct insn *insn)
{
    unsigned dr = dr_checked(m, insn, true, insn->src);
    uint64_t value = reg_read(m, insn->src, is_long(m) ? 8 : 4);

    if (dr >= 6 && value >> 32)
        raise_error(m, VECTOR_GP, 0);
    if (dr < 4)
        m->dr[dr] = value;
    else if (dr == 6)
        m->dr6 = (value & 0xe00f) | DR6_FIXED;
    else
        m->dr7 = (value & 0xffff2bff) | DR7_FIXED;
    mmu_flush(m);
    cpu_update(m);
    done(m, insn);
}

/* ---- Translations and caches ---- */

void op_invlpg(struct xrw_machine *m, const struct insn *insn)
{
    uint64_t linear = operand_offset(m, insn);

    m->insn = insn;
    require_kernel(m);
    if (insn->segment >= SEG_FS || !is_long(m))
        linear += m->seg[insn->segment].base;
    if (m->controls.exits & XRW_EXITS_INVLPG)
        leave_exit_insn(m, XRW_VMX_INVLPG, linear);
    mmu_flush_page(m, linear);
    done(m, insn);
}

void op_invpcid(struct xrw_machine *m, const struct insn *insn)
{
    uint64_t linear, type = reg_read(m, insn->dst, is_long(m) ? 8 : 4), pcid, address;

    m->insn = insn;
    require_kernel(m);
    if (m->controls.exits & XRW_EXITS_INVLPG)
        leave_exit_insn(m, XRW_VMX_INVPCID, (uint64_t)insn->disp);
    linear = operand_linear(m, insn);
    pcid = memory_read(m, insn->segment, linear, 8);
    address = memory_read(m, insn->segment, linear + 8, 8);
    if (type > 3 || pcid >> 12 || (type < 2 && pcid && !(m->cr4 & CR4_PCIDE)) ||
        (type == 0 && !cpu_canonical(m, address)))
        raise_error(m, VECTOR_GP, 0);
    mmu_flush(m);
    done(m, insn);
}

void op_invd(struct xrw_machine *m, const struct insn *insn)
{
    m->insn = insn;
    require_kernel(m);
    if (m->controls.exits & XRW_EXITS_INVD)
        leave_exit_insn(m, XRW_VMX_INVD, 0);
    NEXT(m, insn);
}

void op_wbinvd(struct xrw_machine *m, const struct insn *insn)
{
    m->insn = insn;
    require_kernel(m);
    if (m->controls.exits & XRW_EXITS_WBINVD)
        leave_exit_insn(m, XRW_VMX_WBINVD, 0);
    NEXT(m, insn);
}

/* ---- XCR0 and PKRU ---- */

static void put_edx_eax(struct xrw_machine *m, uint64_t value)
{
    m->n.gpr[RAX] = (uint32_t)value;
    m->n.gpr[RDX] = value >> 32;
}

void op_xgetbv(struct xrw_machine *m, const struct insn *insn)
{
    uint32_t index = (uint32_t)m->n.gpr[RCX];

    m->insn = insn;
    if (!(m->cr4 & CR4_OSXSAVE))
        raise_plain(m, VECTOR_UD);
    if (index > 1)
        raise_error(m, VECTOR_GP, 0);
    put_edx_eax(m, index ? m->xcr0 & xsave_in_use(m) : m->xcr0);
    NEXT(m, insn);
}

bool xcr0_possible(const struct xrw_machine *m, uint64_t value)
{
    uint64_t avx512 = value & XCR0_AVX512, bnd = value & (XCR0_BNDREGS | XCR0_BNDCSR);

    if (!(value & XCR0_X87) || value & ~m->cpu.xcr0_valid)
        return false;
    if (value & XCR0_AVX && !(value & XCR0_SSE))
        return false;
    if (avx512 && (avx512 != XCR0_AVX512 || !(value & XCR0_AVX)))
        return false;
    return !bnd || bnd == (XCR0_BNDREGS | XCR0_BNDCSR);
}

void op_xsetbv(struct xrw_machine *m, const struct insn *insn)
{
    uint64_t value = m->n.gpr[RDX] << 32 | (uint32_t)m->n.gpr[RAX];

    m->insn = insn;
    if (!(m->cr4 & CR4_OSXSAVE))
        raise_plain(m, VECTOR_UD);
    if (m->controls.exits & XRW_EXITS_XSETBV)
        leave_exit_insn(m, XRW_VMX_XSETBV, 0);
    require_kernel(m);
    if ((uint32_t)m->n.gpr[RCX] || !xcr0_possible(m, value))
        raise_error(m, VECTOR_GP, 0);
    m->xcr0 = value;
    cpu_update(m);
    done(m, insn);
}

static void require_pkru(struct xrw_machine *m, const struct insn *insn, uint64_t also)
{
    m->insn = insn;
    if (!(m->cr4 & CR4_PKE))
        raise_plain(m, VECTOR_UD);
    if ((uint32_t)(m->n.gpr[RCX] | also))
        raise_error(m, VECTOR_GP, 0);
}

void op_rdpkru(struct xrw_machine *m, const struct insn *insn)
{
    require_pkru(m, insn, 0);
    put_edx_eax(m, m->pkru);
    NEXT(m, insn);
}

void op_wrpkru(struct xrw_machine *m, const struct insn *insn)
{
    require_pkru(m, insn, m->n.gpr[RDX]);
    m->pkru = (uint32_t)m->n.gpr[RAX];
    mmu_flush(m);
    done(m, insn);
}
