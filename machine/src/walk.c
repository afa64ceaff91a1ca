/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's paging structures.  Source: Intel SDM, "Paging". */
#include "mmu.h"

#include <errno.h>
#include <string.h>

#define PTE_P BIT(0)
#define PTE_W BIT(1)
#define PTE_U BIT(2)
#define PTE_LARGE BIT(7)
#define PTE_D BIT(6)
#define PTE_NX BIT(63)
#define PTE_KEY(entry) ((unsigned)((entry) >> 59) & 15u)
#define PTE_ADDRESS UINT64_C(0x000ffffffffff000)

/* How an address is cut into table indexes. */
struct paging {
    unsigned levels;
    unsigned index_bits;
    unsigned entry_bytes;
    uint64_t root;
    bool wide; /* entries of 8 bytes in long mode: 1 GiB pages, keys */
};

static struct paging paging_mode(const struct xrw_machine *m, uint64_t linear)
{
    if (m->efer & EFER_LMA)
        return (struct paging){m->cr4 & CR4_LA57 ? 5 : 4, 9, 8, m->cr3 & PTE_ADDRESS, true};
    if (m->cr4 & CR4_PAE) /* the top level is in registers */
        return (struct paging){2, 9, 8, m->pdpte[linear >> 30 & 3] & PTE_ADDRESS, false};
    return (struct paging){2, 10, 4, m->cr3 & 0xfffff000u, false};
}

/* Bits of an entry that must be 0. */
static uint64_t reserved_bits(const struct xrw_machine *m, const struct paging *p, unsigned level,
                              uint64_t entry)
{
    bool large = level > 1 && entry & PTE_LARGE;
    uint64_t reserved;

    if (p->entry_bytes == 4) {
        if (level == 1 || !(m->cr4 & CR4_PSE) || !large)
            return 0;
        return BIT(21); /* bits 20:13 are 39:32 of the address */
    }
    reserved = PTE_ADDRESS & ~(BIT(m->cpu.physical_bits) - 1);
    if (!(m->efer & EFER_NXE))
        reserved |= PTE_NX;
    if (!p->wide)
        reserved |= UINT64_C(0x7ff0000000000000);
    if (large && level == 2)
        reserved |= 0x1fe000;
    else if (large && level == 3)
        reserved |= m->cpu.pages_1g ? 0x3fffe000 : PTE_LARGE;
    else if (large)
        reserved |= PTE_LARGE;
    return reserved;
}

static int read_entry(struct xrw_machine *m, uint64_t gpa, unsigned bytes, uint64_t linear,
                      unsigned access, uint64_t *entry)
{
    struct page *page;

    if (access & ACCESS_PROBE) {
        int rc = physical_page(m, gpa >> XRW_PAGE_SHIFT, &page);
        if (rc || !page)
            return rc ? rc : -EFAULT;
    } else {
        page = ept_page(m, gpa, linear, ACCESS_READ, false);
    }
    *entry = 0;
    memcpy(entry, page->frame->data + (gpa & (XRW_PAGE_BYTES - 1)), bytes);
    return 0;
}

static uint64_t leaf_address(const struct paging *p, uint64_t entry, unsigned level,
                             uint64_t linear)
{
    uint64_t offset = BIT(XRW_PAGE_SHIFT + (level - 1) * p->index_bits) - 1;

    if (level == 1)
        return (entry & PTE_ADDRESS) | (linear & offset);
    if (p->entry_bytes == 4)
        return (entry & 0xffc00000u) | (entry & 0x1fe000u) << 19 | (linear & offset);
    return (entry & PTE_ADDRESS & ~offset) | (linear & offset);
}

static bool is_leaf(const struct xrw_machine *m, const struct paging *p, uint64_t entry,
                    unsigned level)
{
    if (level == 1)
        return true;
    if (!(entry & PTE_LARGE))
        return false;
    return p->entry_bytes == 8 || m->cr4 & CR4_PSE;
}

/* No paging: everything is there. */
static void walk_flat(uint64_t linear, struct walk *walk)
{
    *walk = (struct walk){.gpa = linear & 0xffffffffu,
                          .user = false,
                          .writable = true,
                          .executable = true,
                          .dirty = true};
}

int walk_guest(struct xrw_machine *m, uint64_t linear, unsigned access, struct walk *walk)
{
    struct paging p;
    uint64_t table;

    if (!(m->cr0 & CR0_PG)) {
        walk_flat(linear, walk);
        return 0;
    }
    p = paging_mode(m, linear);
    table = p.root;
    *walk = (struct walk){
        .user = true, .writable = true, .executable = true, .entry_bytes = p.entry_bytes};
    if (!(m->efer & EFER_LMA) && m->cr4 & CR4_PAE && !(m->pdpte[linear >> 30 & 3] & PTE_P)) {
        walk->faults = true;
        return 0;
    }
    for (unsigned level = p.levels;; level--) {
        unsigned shift = XRW_PAGE_SHIFT + (level - 1) * p.index_bits;
        uint64_t gpa = table + (linear >> shift & (BIT(p.index_bits) - 1)) * p.entry_bytes;
        uint64_t entry;
        int rc = read_entry(m, gpa, p.entry_bytes, linear, access, &entry);

        if (rc)
            return rc;
        walk->entry_gpa[walk->depth] = gpa;
        walk->entry[walk->depth++] = entry;
        if (!(entry & PTE_P) || entry & reserved_bits(m, &p, level, entry)) {
            walk->faults = true;
            walk->fault = entry & PTE_P ? PF_PRESENT | PF_RESERVED : 0;
            return 0;
        }
        walk->user &= (entry & PTE_U) != 0;
        walk->writable &= (entry & PTE_W) != 0;
        walk->executable &= !(p.entry_bytes == 8 && entry & PTE_NX);
        if (is_leaf(m, &p, entry, level)) {
            walk->gpa = leaf_address(&p, entry, level, linear);
            walk->dirty = (entry & PTE_D) != 0;
            walk->key = p.wide ? PTE_KEY(entry) : 0;
            return 0;
        }
        table = entry & PTE_ADDRESS;
    }
}

/* ---- For the caller ---- */

int xrw_machine_translate(struct xrw_machine *m, xrw_gva gva, xrw_gpa *gpa)
{
    struct walk walk;
    int rc;

    if (!cpu_canonical(m, gva))
        return -EFAULT;
    rc = walk_guest(m, gva, ACCESS_READ | ACCESS_PROBE, &walk);
    if (rc || walk.faults)
        return rc ? rc : -EFAULT;
    *gpa = walk.gpa;
    return 0;
}

int xrw_machine_read_linear(struct xrw_machine *m, xrw_gva gva, void *buf, size_t bytes)
{
    for (uint8_t *out = buf; bytes;) {
        size_t room = XRW_PAGE_BYTES - (gva & (XRW_PAGE_BYTES - 1));
        size_t n = bytes < room ? bytes : room;
        xrw_gpa gpa;
        int rc = xrw_machine_translate(m, gva, &gpa);

        if (rc || (rc = xrw_machine_read(m, gpa, out, n)) != 0)
            return rc;
        out += n;
        gva += n;
        bytes -= n;
    }
    return 0;
}
