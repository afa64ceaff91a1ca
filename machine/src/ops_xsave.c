/* SPDX-License-Identifier: GPL-2.0-or-later */
/* FXSAVE, FXRSTOR, XSAVE and its kin, XRSTOR and XRSTORS. */
#include "ops.h"
#include "xsave.h"

#define XCOMP_COMPACT BIT(63)
#define AREA_BYTES 4096u

/* Kinds of XSAVE, in insn->detail. */
enum { XSAVE, XSAVEOPT, XSAVEC, XSAVES };

/* Copy to and from guest memory that may cross pages; all pages are looked at first. */
static void copy_out(struct xrw_machine *m, const struct insn *insn, uint64_t linear,
                     const uint8_t *from, unsigned bytes)
{
    while (bytes) {
        unsigned room = XRW_PAGE_BYTES - (unsigned)(linear % XRW_PAGE_BYTES);
        unsigned n = bytes < room ? bytes : room;

        memcpy(access_write(m, insn->segment, linear, n, ACCESS_WRITE), from, n);
        access_done(m);
        linear += n;
        from += n;
        bytes -= n;
    }
}

static void copy_in(struct xrw_machine *m, const struct insn *insn, uint64_t linear, uint8_t *to,
                    unsigned bytes)
{
    while (bytes) {
        unsigned room = XRW_PAGE_BYTES - (unsigned)(linear % XRW_PAGE_BYTES);
        unsigned n = bytes < room ? bytes : room;

        memcpy(to, access_read(m, insn->segment, linear, n), n);
        linear += n;
        to += n;
        bytes -= n;
    }
}

static void probe_out(struct xrw_machine *m, const struct insn *insn, uint64_t linear,
                      unsigned bytes)
{
    for (uint64_t at = linear; at < linear + bytes; at = (at | (XRW_PAGE_BYTES - 1)) + 1)
        access_probe_write(m, insn->segment, at, 1);
}

static uint64_t area_of(struct xrw_machine *m, const struct insn *insn, unsigned align)
{
    uint64_t linear = insn->traits & INSN_LEGACY
                          ? legacy_linear(m, insn->segment, operand_offset(m, insn), 512,
                                          insn->traits & INSN_WRITES)
                          : operand_linear(m, insn);

    if (linear % align)
        raise_error(m, VECTOR_GP, 0);
    return linear;
}

/* ---- FXSAVE ---- */

static void require_fxsave(struct xrw_machine *m, const struct insn *insn)
{
    m->insn = insn;
    if (m->cr0 & (CR0_EM | CR0_TS))
        raise_plain(m, VECTOR_NM);
}

OPERATION_APART(fxsave)
{
    uint8_t area[512];
    uint64_t linear;

    require_fxsave(m, insn);
    linear = area_of(m, insn, 16);
    probe_out(m, insn, linear, 512);
    copy_in(m, insn, linear, area, 512); /* reserved bytes are kept */
    fxsave_store(m, area, insn->size == 8, true, m->cr4 & CR4_OSFXSR);
    copy_out(m, insn, linear, area, 464);
}

static void load_mxcsr(struct xrw_machine *m, const uint8_t *area)
{
    if (!fxsave_mxcsr_possible(m, area))
        raise_error(m, VECTOR_GP, 0);
    memcpy(&m->n.mxcsr, area + 24, 4);
}

OPERATION_APART(fxrstor)
{
    uint8_t area[512];

    require_fxsave(m, insn);
    copy_in(m, insn, area_of(m, insn, 16), area, 512);
    if (m->cr4 & CR4_OSFXSR)
        load_mxcsr(m, area);
    fxsave_load(m, area, insn->size == 8, true, m->cr4 & CR4_OSFXSR);
}

/* ---- XSAVE ---- */

static uint64_t require_xsave(struct xrw_machine *m, const struct insn *insn, bool supervisor)
{
    m->insn = insn;
    if (!(m->cr4 & CR4_OSXSAVE))
        raise_plain(m, VECTOR_UD);
    if (m->cr0 & CR0_TS)
        raise_plain(m, VECTOR_NM);
    if (supervisor && m->cpl)
        raise_error(m, VECTOR_GP, 0);
    return (m->n.gpr[RDX] << 32 | (uint32_t)m->n.gpr[RAX]) & (m->xcr0 | (supervisor ? m->xss : 0));
}

/* Offset of each component in the compact form; returns the area's size. */
static unsigned compact_offsets(uint64_t components, unsigned offset[64])
{
    unsigned at = XSAVE_EXTENDED;

    for (unsigned c = 2; c < 63; c++) {
        offset[c] = at;
        if (components >> c & 1)
            at += component_bytes(c);
    }
    return at;
}

static void standard_offsets(unsigned offset[64])
{
    for (unsigned c = 2; c < 63; c++)
        offset[c] = component_offset(c);
}

static uint64_t get64(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, 8);
    return value;
}

static void store_components(struct xrw_machine *m, const struct insn *insn, uint64_t linear,
                             uint64_t mask, const unsigned offset[64])
{
    uint8_t part[1024];

    for (unsigned c = 2; c < 63; c++) {
        unsigned bytes = component_bytes(c);
        if (!(mask >> c & 1) || !bytes)
            continue;
        memset(part, 0, sizeof part);
        component_store(m, c, part);
        copy_out(m, insn, linear + offset[c], part, bytes);
    }
}

/* The highest byte that an area with these components has. */
static unsigned area_bytes(uint64_t mask, const unsigned offset[64])
{
    unsigned end = XSAVE_EXTENDED;

    for (unsigned c = 2; c < 63; c++)
        if (mask >> c & 1 && component_bytes(c) && offset[c] + component_bytes(c) > end)
            end = offset[c] + component_bytes(c);
    return end;
}

OPERATION_APART(xsave)
{
    unsigned kind = insn->detail, offset[64];
    bool compact = kind == XSAVEC || kind == XSAVES, wide = insn->size == 8;
    uint64_t mask = require_xsave(m, insn, kind == XSAVES), linear = area_of(m, insn, 64),
             header[2];
    uint64_t in_use = xsave_in_use(m), save = kind == XSAVE ? mask : mask & in_use;
    uint8_t area[512] = {0};

    if (mask >> 10 || mask & BIT(8))
        leave_unhandled(m, "XSAVE of components 0x%llx", (unsigned long long)mask);
    if (compact)
        compact_offsets(mask, offset);
    else
        standard_offsets(offset);
    probe_out(m, insn, linear, area_bytes(mask, offset));
    copy_in(m, insn, linear, area, 512);
    header[0] = memory_read(m, insn->segment, linear + XSAVE_HEADER, 8);
    fxsave_store(m, area, wide, save & XCR0_X87, save & XCR0_SSE);
    if (save & XCR0_X87)
        copy_out(m, insn, linear, area, 24);
    if (compact ? mask & XCR0_SSE && (save & XCR0_SSE || m->n.mxcsr != 0x1f80)
                : mask & (XCR0_SSE | XCR0_AVX))
        copy_out(m, insn, linear + 24, area + 24, 8);
    if (save & XCR0_X87)
        copy_out(m, insn, linear + 32, area + 32, 128);
    if (save & XCR0_SSE)
        copy_out(m, insn, linear + 160, area + 160, is_long(m) ? 256 : 128);
    store_components(m, insn, linear, save, offset);
    in_use |= m->n.mxcsr != 0x1f80 && compact ? XCR0_SSE : 0;
    header[0] = compact ? mask & in_use : (header[0] & ~mask) | (mask & in_use);
    header[1] = mask | XCOMP_COMPACT;
    copy_out(m, insn, linear + XSAVE_HEADER, (const uint8_t *)header, compact ? 16 : 8);
}

/* ---- XRSTOR ---- */

static void check_header(struct xrw_machine *m, const uint8_t *area, bool supervisor)
{
    const uint8_t *header = area + XSAVE_HEADER;
    uint64_t bv = get64(header), comp = get64(header + 8), allowed = m->xcr0;

    if (supervisor)
        allowed |= m->xss;
    if (comp & XCOMP_COMPACT) {
        if (bv & ~comp || comp & ~(allowed | XCOMP_COMPACT))
            raise_error(m, VECTOR_GP, 0);
    } else if (supervisor || comp || bv & ~m->xcr0) {
        raise_error(m, VECTOR_GP, 0);
    }
    for (unsigned i = 16; i < (comp & XCOMP_COMPACT ? 64 : 24); i++)
        if (header[i])
            raise_error(m, VECTOR_GP, 0);
}

static void load_components(struct xrw_machine *m, const uint8_t *area, uint64_t mask, uint64_t bv,
                            const unsigned offset[64])
{
    for (unsigned c = 2; c < 63; c++)
        if (mask >> c & 1)
            component_load(m, c, bv >> c & 1 ? area + offset[c] : NULL);
}

/* detail 1: XRSTORS. */
OPERATION_APART(xrstor)
{
    bool supervisor = insn->detail, compact, wide = insn->size == 8;
    uint64_t mask = require_xsave(m, insn, supervisor), linear = area_of(m, insn, 64), bv;
    unsigned offset[64];
    uint8_t area[AREA_BYTES];

    copy_in(m, insn, linear, area, XSAVE_EXTENDED);
    check_header(m, area, supervisor);
    bv = get64(area + XSAVE_HEADER);
    compact = get64(area + XSAVE_HEADER + 8) & XCOMP_COMPACT;
    if (compact)
        compact_offsets(get64(area + XSAVE_HEADER + 8) & ~XCOMP_COMPACT, offset);
    else
        standard_offsets(offset);
    for (unsigned c = 2; c < 63; c++)
        if (mask & bv & BIT(c) && component_bytes(c))
            copy_in(m, insn, linear + offset[c], area + offset[c], component_bytes(c));
    if (compact ? mask & bv & XCR0_SSE : mask & (XCR0_SSE | XCR0_AVX))
        load_mxcsr(m, area);
    else if (compact && mask & XCR0_SSE)
        m->n.mxcsr = 0x1f80;
    fxsave_load(m, area, wide, mask & bv & XCR0_X87, mask & bv & XCR0_SSE);
    for (unsigned c = 0; c < 2; c++)
        if (mask & ~bv & BIT(c))
            component_load(m, c, NULL);
    load_components(m, area, mask, bv, offset);
    if (mask & XCR0_PKRU)
        mmu_flush(m);
}
