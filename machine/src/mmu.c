/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The software TLB: what may be accessed without looking twice. */
#include "mmu.h"
#include "translate.h"

#include <errno.h>
#include <string.h>

#define PTE_A BIT(5)
#define PTE_D BIT(6)

#define EPT_QUAL_GLA_VALID BIT(7)
#define EPT_QUAL_FINAL BIT(8)

/* A page that is never looked up at this entry. */
static uint64_t no_page(unsigned index)
{
    return (uint64_t)(index ^ 1) << XRW_PAGE_SHIFT;
}

static void forget(struct tlb_entry *entry, unsigned index)
{
    entry->read = entry->write = entry->execute = no_page(index);
    entry->negative_read = entry->negative_write = TRANSLATE_NO_PAGE;
}

void mmu_flush(struct xrw_machine *m)
{
    for (unsigned kind = 0; kind < TLB_FILLED; kind++) {
        struct tlb *tlb = &m->tlbs[kind];
        for (unsigned i = 0; i < tlb->filled_count; i++) {
            forget(&tlb->entry[tlb->filled[i]], tlb->filled[i]);
            tlb->is_filled[tlb->filled[i]] = false;
        }
        tlb->filled_count = 0;
    }
    if (m->translate)
        translate_flush(m->translate);
}

void mmu_init(struct xrw_machine *m)
{
    for (unsigned kind = 0; kind < TLB_KINDS; kind++)
        for (unsigned i = 0; i < TLB_ENTRIES; i++)
            forget(&m->tlbs[kind].entry[i], i);
}

void mmu_no_write(struct xrw_machine *m, const struct frame *frame)
{
    for (unsigned kind = 0; kind < TLB_FILLED; kind++)
        for (unsigned i = 0; i < TLB_ENTRIES; i++)
            if (m->tlbs[kind].entry[i].frame == frame) {
                m->tlbs[kind].entry[i].write = no_page(i);
                m->tlbs[kind].entry[i].negative_write = TRANSLATE_NO_PAGE;
            }
}

void mmu_revoke_write(struct xrw_machine *m, struct tlb_entry *entry)
{
    size_t offset = (size_t)((char *)entry - (char *)m->tlbs) % sizeof m->tlbs[0];

    entry->write = no_page((unsigned)(offset / sizeof *entry));
    entry->negative_write = TRANSLATE_NO_PAGE;
}

void mmu_flush_page(struct xrw_machine *m, uint64_t linear)
{
    unsigned index = (unsigned)(linear >> XRW_PAGE_SHIFT) & (TLB_ENTRIES - 1);

    for (unsigned kind = 0; kind < TLB_FILLED; kind++)
        forget(&m->tlbs[kind].entry[index], index);
    if (m->translate)
        translate_flush_page(m->translate, linear);
}

/* Where translations for such an access are kept. */
struct tlb *mmu_tlb(struct xrw_machine *m, unsigned access)
{
    if (access & ACCESS_IMPLICIT)
        return &m->tlbs[TLB_KERNEL];
    if (m->cpl == 3)
        return &m->tlbs[TLB_USER];
    return &m->tlbs[m->cr4 & CR4_SMAP && m->rflags & RFLAGS_AC ? TLB_KERNEL_AC : TLB_KERNEL];
}

void leave_ept(struct xrw_machine *m, uint64_t gpa, uint64_t linear, unsigned access, bool final,
               const struct page *page)
{
    uint64_t qualification = (access & XRW_EPT_ALL) | EPT_QUAL_GLA_VALID;

    if (is_bochs(m) && access & ACCESS_WRITE)
        qualification &= ~(uint64_t)XRW_EPT_READ;
    if (page)
        qualification |= (uint64_t)page->ept << 3;
    if (final)
        qualification |= EPT_QUAL_FINAL;
    xrw_exit_set(&m->result->exit, XRW_EXIT_gpa, gpa);
    xrw_exit_set(&m->result->exit, XRW_EXIT_gla, linear);
    leave_exit(m, XRW_VMX_EPT_VIOLATION, qualification);
}

struct page *ept_page(struct xrw_machine *m, uint64_t gpa, uint64_t linear, unsigned access,
                      bool final)
{
    struct page *page;
    int rc = physical_page(m, gpa >> XRW_PAGE_SHIFT, &page);

    if (!rc && page && (page->ept & access & XRW_EPT_ALL) == (access & XRW_EPT_ALL)) {
        if (access & ACCESS_WRITE)
            rc = physical_page_writable(m, gpa >> XRW_PAGE_SHIFT, &page);
    } else if (!rc) {
        leave_ept(m, gpa, linear, access, final, page);
    }
    if (rc) {
        m->result->gfn = gpa >> XRW_PAGE_SHIFT;
        m->result->error = rc;
        leave_stop(m, XRW_STOP_NO_PAGE);
    }
    return page;
}

/* Whether the paging structures allow the access: 0, or the error code of its #PF. */
static uint32_t denied(const struct xrw_machine *m, const struct walk *w, unsigned access)
{
    bool user = m->cpl == 3 && !(access & ACCESS_IMPLICIT);
    bool write = access & ACCESS_WRITE, fetch = access & ACCESS_EXECUTE;
    uint32_t code = PF_PRESENT;

    if (!(m->cr0 & CR0_PG))
        return 0;
    if (user && !w->user)
        return code;
    if (write && !w->writable && (user || m->cr0 & CR0_WP))
        return code;
    if (fetch && (!w->executable || (!user && w->user && m->cr4 & CR4_SMEP)))
        return code;
    if (!fetch && !user && w->user && m->cr4 & CR4_SMAP &&
        (access & ACCESS_IMPLICIT || !(m->rflags & RFLAGS_AC)))
        return code;
    if (!fetch && w->user && m->cr4 & CR4_PKE && m->efer & EFER_LMA) {
        uint32_t rights = m->pkru >> (2 * w->key) & 3;
        if (rights & 1 || (rights & 2 && write && (user || m->cr0 & CR0_WP)))
            return code | PF_KEY;
    }
    return 0;
}

static void page_fault(struct xrw_machine *m, uint64_t linear, uint32_t code, unsigned access)
{
    if (access & ACCESS_WRITE)
        code |= PF_WRITE;
    if (m->cpl == 3 && !(access & ACCESS_IMPLICIT))
        code |= PF_USER;
    if (access & ACCESS_EXECUTE && (m->cr4 & CR4_SMEP || (m->efer & EFER_NXE && m->cr4 & CR4_PAE)))
        code |= PF_FETCH;
    raise_page_fault(m, linear, code);
}

/* The page of a paging structure, to set bits in it; Bochs does not ask the second level. */
static struct page *entry_page(struct xrw_machine *m, uint64_t gpa, uint64_t linear)
{
    struct page *page;

    if (is_bochs(m) && physical_page_writable(m, gpa >> XRW_PAGE_SHIFT, &page) == 0 && page)
        return page;
    return ept_page(m, gpa, linear, ACCESS_READ | ACCESS_WRITE, false);
}

/* Set accessed bits from the top down, and the dirty bit of the leaf. */
static void mark_used(struct xrw_machine *m, struct walk *w, uint64_t linear, bool write)
{
    for (unsigned i = 0; i < w->depth; i++) {
        uint64_t bits = PTE_A | (write && i + 1 == w->depth ? PTE_D : 0);
        unsigned offset = (unsigned)(w->entry_gpa[i] & (XRW_PAGE_BYTES - 1));
        struct page *page;

        if ((w->entry[i] & bits) == bits)
            continue;
        page = entry_page(m, w->entry_gpa[i], linear);
        undo_note(m, w->entry_gpa[i] >> XRW_PAGE_SHIFT, page->frame);
        watch_note(m, w->entry_gpa[i], w->entry_bytes);
        w->entry[i] |= bits;
        memcpy(page->frame->data + offset, &w->entry[i], w->entry_bytes);
        code_touch(m, page->frame, offset, w->entry_bytes);
    }
    w->dirty |= write;
}

/* Keep what is allowed from here on without another look. */
static void keep(struct xrw_machine *m, struct tlb_entry *e, uint64_t linear, const struct walk *w,
                 const struct page *page, unsigned access)
{
    uint64_t start = linear & ~(uint64_t)(XRW_PAGE_BYTES - 1);
    xrw_gfn gfn = w->gpa >> XRW_PAGE_SHIFT;

    if (e->frame != page->frame || e->gfn != gfn ||
        (e->read != start && e->write != start && e->execute != start))
        forget(e, (unsigned)(linear >> XRW_PAGE_SHIFT) & (TLB_ENTRIES - 1));
    e->host = (uint64_t)(uintptr_t)page->frame->data - start;
    e->frame = page->frame;
    e->gfn = gfn;
    if (page->ept & XRW_EPT_READ && !denied(m, w, ACCESS_READ | (access & ACCESS_IMPLICIT)))
        e->read = start;
    if (access & ACCESS_WRITE)
        undo_note(m, gfn, page->frame);
    if (access & ACCESS_WRITE && !page->frame->code_lines && !watched(m, gfn) &&
        undo_writable(m, e))
        e->write = start;
    e->negative_read = e->read == start ? 0 - start : TRANSLATE_NO_PAGE;
    e->negative_write = e->write == start ? 0 - start : TRANSLATE_NO_PAGE;
    if (access & ACCESS_EXECUTE)
        e->execute = start;
}

static void note_filled(struct tlb *tlb, unsigned index)
{
    if (!tlb->is_filled[index])
        tlb->filled[tlb->filled_count++] = (uint16_t)index;
    tlb->is_filled[index] = true;
}

struct tlb_entry *mmu_fill(struct xrw_machine *m, unsigned segment, uint64_t linear,
                           unsigned access)
{
    struct tlb *tlb = mmu_tlb(m, access);
    struct walk w;
    struct page *page;
    uint32_t code;

    if (!cpu_canonical(m, linear))
        raise_error(m, segment == SEG_SS ? VECTOR_SS : VECTOR_GP, 0);
    walk_guest(m, linear, access, &w);
    if (w.faults)
        page_fault(m, linear, w.fault, access);
    code = denied(m, &w, access);
    if (code)
        page_fault(m, linear, code, access);
    mark_used(m, &w, linear, access & ACCESS_WRITE);
    if (is_apic(m, w.gpa)) {
        m->apic_offset = (uint32_t)(w.gpa & (XRW_PAGE_BYTES - 1));
        return NULL;
    }
    page = ept_page(m, w.gpa, linear, access, true);
    note_filled(tlb, linear >> XRW_PAGE_SHIFT & (TLB_ENTRIES - 1));

    struct tlb_entry *e = &tlb->entry[linear >> XRW_PAGE_SHIFT & (TLB_ENTRIES - 1)];
    keep(m, e, linear, &w, page, access);
    return e;
}
