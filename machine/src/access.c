/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Accesses that the TLB does not serve at once: the first to a page, across pages, watched ones,
 * those to code, to the APIC, and the system's own. */
#include "mmu.h"

#include <string.h>

#define PAGE_MASK (XRW_PAGE_BYTES - 1)

bool watched(const struct xrw_machine *m, xrw_gfn gfn)
{
    const struct xrw_machine_until *until = m->until;

    for (size_t i = 0; until && i < until->write_count; i++)
        if (until->writes[i].first >> XRW_PAGE_SHIFT <= gfn &&
            gfn <= until->writes[i].last >> XRW_PAGE_SHIFT)
            return true;
    return false;
}

void watch_note(struct xrw_machine *m, uint64_t gpa, unsigned bytes)
{
    const struct xrw_machine_until *until = m->until;

    if (m->watch_hit_valid || !until)
        return;
    for (size_t i = 0; i < until->write_count; i++) {
        const struct xrw_machine_range *range = &until->writes[i];
        if (range->first > gpa + bytes - 1 || range->last < gpa)
            continue;
        m->watch_hit_valid = true;
        m->watch_hit = range->first > gpa ? range->first : gpa;
        code_interrupt(m);
        return;
    }
}

/* Data breakpoints: an access that touches one traps behind its instruction. */
static void check_breakpoints(struct xrw_machine *m, uint64_t linear, unsigned bytes,
                              unsigned access)
{
    static const uint8_t lengths[4] = {1, 2, 8, 4};

    for (unsigned i = 0; i < 4; i++) {
        unsigned kind = (unsigned)(m->dr7 >> (16 + 4 * i)) & 3;
        unsigned length = lengths[m->dr7 >> (18 + 4 * i) & 3];
        uint64_t start = m->dr[i] & ~(uint64_t)(length - 1);

        if (!(m->dr7 >> (2 * i) & 3) || (kind != 3 && !(kind == 1 && access & ACCESS_WRITE)))
            continue;
        if (linear < start + length && start < linear + bytes) {
            m->pending_debug |= BIT(i);
            m->attention |= ATTENTION_DEBUG;
        }
    }
}

/* Before a write to a page: what must be known of it. */
static void before_write(struct xrw_machine *m, struct tlb_entry *e, uint64_t linear,
                         unsigned bytes)
{
    unsigned offset = (unsigned)(linear & PAGE_MASK);
    uint64_t gpa = (e->gfn << XRW_PAGE_SHIFT) + offset;

    undo_note(m, e->gfn, e->frame);
    watch_note(m, gpa, bytes);
    code_touch(m, e->frame, offset, bytes);
}

/* One page's part of an access: its host address; NULL for the APIC's page. */
static uint8_t *one_page(struct xrw_machine *m, unsigned segment, uint64_t linear, unsigned bytes,
                         unsigned access)
{
    struct tlb_entry *e = mmu_fill(m, segment, linear, access);

    if (!e)
        return NULL;
    if (access & ACCESS_WRITE)
        before_write(m, e, linear, bytes);
    return (uint8_t *)(uintptr_t)(linear + e->host);
}

/* Two pages: both are translated before anything is touched; the instruction works on a copy. */
static uint8_t *two_pages(struct xrw_machine *m, unsigned segment, uint64_t linear, unsigned bytes,
                          unsigned access)
{
    unsigned first = XRW_PAGE_BYTES - (unsigned)(linear & PAGE_MASK);
    uint8_t *part[2], *copy = m->bounce + (linear & PAGE_MASK);

    mmu_fill(m, segment, linear, access);
    mmu_fill(m, segment, linear + first, access);
    part[0] = one_page(m, segment, linear, first, access);
    part[1] = one_page(m, segment, linear + first, bytes - first, access);
    if (!part[0] || !part[1])
        leave_unhandled(m, "an access that crosses into or out of the APIC's page");
    memcpy(copy, part[0], first);
    memcpy(copy + first, part[1], bytes - first);
    if (access & ACCESS_WRITE) {
        m->bounced = bytes;
        m->bounce_linear = linear;
        m->bounce_host[0] = part[0];
        m->bounce_host[1] = part[1];
    }
    return copy;
}

static uint64_t wrap(const struct xrw_machine *m, uint64_t linear)
{
    return m->efer & EFER_LMA && is_long(m) ? linear : linear & 0xffffffffu;
}

NOINLINE uint8_t *access_slow(struct xrw_machine *m, unsigned segment, uint64_t linear,
                              unsigned bytes, unsigned access)
{
    uint8_t *host;

    linear = wrap(m, linear);
    if (UNLIKELY(m->tlb == &m->tlbs[TLB_NEVER])) {
        if (m->cpl == 3 && m->cr0 & CR0_AM && m->rflags & RFLAGS_AC &&
            !(access & ACCESS_IMPLICIT) && bytes <= 8 && linear & (bytes - 1))
            raise_error(m, VECTOR_AC, 0);
        if (m->dr7 & 0xff)
            check_breakpoints(m, linear, bytes, access);
    }
    if ((linear & PAGE_MASK) + bytes > XRW_PAGE_BYTES)
        return two_pages(m, segment, linear, bytes, access);
    host = one_page(m, segment, linear, bytes, access);
    return host ? host : apic_access(m, linear, bytes, access);
}

void access_commit(struct xrw_machine *m)
{
    const uint8_t *copy = m->bounce + (m->bounce_linear & PAGE_MASK);
    unsigned first = XRW_PAGE_BYTES - (unsigned)(m->bounce_linear & PAGE_MASK);
    unsigned bytes = m->bounced;

    m->bounced = 0;
    if (m->apic_written) {
        m->apic_written = false;
        apic_commit(m, copy, bytes);
        return;
    }
    memcpy(m->bounce_host[0], copy, first);
    memcpy(m->bounce_host[1], copy + first, bytes - first);
}

/* The system's own accesses: always as supervisor, never watched by debug registers. */
static uint8_t *system_access(struct xrw_machine *m, uint64_t linear, unsigned bytes,
                              unsigned access)
{
    const struct tlb_entry *e =
        &m->tlbs[TLB_KERNEL].entry[linear >> XRW_PAGE_SHIFT & (TLB_ENTRIES - 1)];
    uint8_t *host;

    access |= ACCESS_IMPLICIT;
    linear = m->efer & EFER_LMA ? linear : linear & 0xffffffffu;
    if (!(access & ACCESS_WRITE) && (linear ^ e->read) <= XRW_PAGE_BYTES - bytes)
        return (uint8_t *)(uintptr_t)(linear + e->host);
    if ((linear & PAGE_MASK) + bytes > XRW_PAGE_BYTES)
        return two_pages(m, SEG_DS, linear, bytes, access);
    host = one_page(m, SEG_DS, linear, bytes, access);
    if (!host)
        leave_unhandled(m, "a system structure in the APIC's page");
    return host;
}

uint64_t system_read(struct xrw_machine *m, uint64_t linear, unsigned bytes)
{
    uint64_t value = 0;

    memcpy(&value, system_access(m, linear, bytes, ACCESS_READ), bytes);
    return value;
}

void system_write(struct xrw_machine *m, uint64_t linear, uint64_t value, unsigned bytes)
{
    memcpy(system_access(m, linear, bytes, ACCESS_WRITE), &value, bytes);
    access_done(m);
}

void access_probe_write(struct xrw_machine *m, unsigned segment, uint64_t linear, unsigned bytes)
{
    const struct tlb_entry *e = &m->tlb->entry[linear >> XRW_PAGE_SHIFT & (TLB_ENTRIES - 1)];

    if (LIKELY((linear ^ e->write) <= XRW_PAGE_BYTES - bytes))
        return;
    linear = wrap(m, linear);
    mmu_fill(m, segment, linear, ACCESS_WRITE);
    if ((linear & PAGE_MASK) + bytes > XRW_PAGE_BYTES)
        mmu_fill(m, segment, wrap(m, linear + bytes - 1) & ~(uint64_t)PAGE_MASK, ACCESS_WRITE);
}

/* ---- Segments outside 64-bit mode ---- */

static bool beyond_limit(const struct segment_register *s, uint64_t offset, unsigned bytes)
{
    uint64_t last = offset + bytes - 1;

    if ((s->attr & (ATTR_CODE | ATTR_DOWN)) == ATTR_DOWN && s->attr & ATTR_S) {
        uint64_t top = s->attr & ATTR_DB ? 0xffffffffu : 0xffffu;
        return offset <= s->limit || last > top;
    }
    return last > s->limit;
}

uint64_t legacy_linear(struct xrw_machine *m, unsigned segment, uint64_t offset, unsigned bytes,
                       bool write)
{
    const struct segment_register *s = &m->seg[segment];
    unsigned vector = segment == SEG_SS ? VECTOR_SS : VECTOR_GP;

    if (is_long(m))
        return offset + (segment >= SEG_FS ? s->base : 0);
    if (m->mode & MODE_PROTECTED) {
        if (!(s->attr & ATTR_P))
            raise_error(m, vector, 0);
        if (write ? s->attr & ATTR_CODE || !(s->attr & ATTR_WRITABLE)
                  : s->attr & ATTR_CODE && !(s->attr & ATTR_READABLE))
            raise_error(m, vector, 0);
    }
    if (beyond_limit(s, offset, bytes))
        raise_error(m, vector, 0);
    return (s->base + offset) & 0xffffffffu;
}
