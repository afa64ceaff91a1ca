/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xrw/paging.h"

#include <errno.h>
#include <stdbool.h>

#define CR0_PG (UINT64_C(1) << 31)
#define CR4_PSE (UINT64_C(1) << 4)
#define CR4_PAE (UINT64_C(1) << 5)
#define CR4_LA57 (UINT64_C(1) << 12)
#define EFER_LMA (UINT64_C(1) << 10)

#define EFER_NXE (UINT64_C(1) << 11)

#define PTE_PRESENT 1u
#define PTE_WRITABLE (1u << 1)
#define PTE_USER (1u << 2)
#define PTE_LARGE (1u << 7)
#define PTE_NO_EXECUTE (UINT64_C(1) << 63)
#define PTE_ADDRESS UINT64_C(0x000ffffffffff000)

/* A paging mode: how an address is cut into table indexes. */
struct paging_mode {
    unsigned levels;
    unsigned index_bits;
    unsigned entry_bytes;
    unsigned linear_bits; /* of a canonical address; 32 without long mode */
    unsigned large_level; /* highest level at which an entry may map a page; 1: none */
};

static int paging_mode(const struct xrw_registers *regs, struct paging_mode *mode)
{
    uint64_t cr4 = regs->value[XRW_REG_cr4];

    if (!regs->known[XRW_REG_cr4] || !regs->known[XRW_REG_cr3])
        return -ENODATA;
    if (!(cr4 & CR4_PAE)) { /* nor is it long mode, then */
        *mode = (struct paging_mode){2, 10, 4, 32, cr4 & CR4_PSE ? 2 : 1};
        return 0;
    }
    if (!regs->known[XRW_REG_efer])
        return -ENODATA;
    if (!(regs->value[XRW_REG_efer] & EFER_LMA))
        *mode = (struct paging_mode){3, 9, 8, 32, 2};
    else if (cr4 & CR4_LA57)
        *mode = (struct paging_mode){5, 9, 8, 57, 3};
    else
        *mode = (struct paging_mode){4, 9, 8, 48, 3};
    return 0;
}

static bool is_canonical(const struct paging_mode *mode, xrw_gva gva)
{
    if (mode->linear_bits == 32)
        return gva >> 32 == 0;

    uint64_t top = gva >> (mode->linear_bits - 1);
    return top == 0 || top == UINT64_MAX >> (mode->linear_bits - 1);
}

/* Address of the page that a large entry maps; 4 MiB entries keep bits 39:32 in 20:13 (PSE-36). */
static xrw_gpa large_page(const struct paging_mode *mode, uint64_t entry, unsigned shift)
{
    if (mode->entry_bytes == 4)
        return (entry & 0xffc00000u) | ((entry & 0x1fe000u) << 19);
    return entry & PTE_ADDRESS & ~((UINT64_C(1) << shift) - 1);
}

static uint64_t root(const struct paging_mode *mode, uint64_t cr3)
{
    if (mode->linear_bits != 32)
        return cr3 & PTE_ADDRESS;
    return mode->entry_bytes == 8 ? cr3 & 0xffffffe0u : cr3 & 0xfffff000u;
}

/* Without paging all of the first 4 GiB is what it is. */
static struct xrw_mapping unpaged(xrw_gva gva)
{
    if (gva >> 32)
        return (struct xrw_mapping){.first = UINT64_C(1) << 32, .last = UINT64_MAX};
    return (struct xrw_mapping){
        .last = UINT32_MAX, .present = true, .writable = true, .executable = true, .user = true};
}

/* The addresses that are not canonical, or above 32 bits. */
static struct xrw_mapping hole(const struct paging_mode *mode)
{
    uint64_t half = UINT64_C(1) << (mode->linear_bits - 1);

    if (mode->linear_bits == 32)
        return (struct xrw_mapping){.first = 2 * half, .last = UINT64_MAX};
    return (struct xrw_mapping){.first = half, .last = UINT64_MAX - half};
}

static int walk(const struct paging_mode *mode, const struct xrw_registers *regs, xrw_gva gva,
                xrw_read_physical read, void *ctx, struct xrw_mapping *mapping)
{
    bool no_execute = regs->known[XRW_REG_efer] && regs->value[XRW_REG_efer] & EFER_NXE;
    struct xrw_mapping found = {.writable = true, .executable = true, .user = true};
    uint64_t table = root(mode, regs->value[XRW_REG_cr3]);

    for (unsigned level = mode->levels;; level--) {
        unsigned shift = XRW_PAGE_SHIFT + (level - 1) * mode->index_bits;
        uint64_t index = (gva >> shift) & ((UINT64_C(1) << mode->index_bits) - 1);
        uint64_t entry = 0; /* little endian: a 4-byte entry fills the low half */
        int rc = read(ctx, table + index * mode->entry_bytes, &entry, mode->entry_bytes);

        if (rc)
            return rc;
        found.first = gva >> shift << shift;
        found.last = found.first + ((UINT64_C(1) << shift) - 1);
        if (!(entry & PTE_PRESENT)) {
            *mapping = (struct xrw_mapping){.first = found.first, .last = found.last};
            return 0;
        }
        found.writable = found.writable && entry & PTE_WRITABLE;
        found.user = found.user && entry & PTE_USER;
        found.executable = found.executable && !(no_execute && entry & PTE_NO_EXECUTE);
        if (level == 1 || (level <= mode->large_level && entry & PTE_LARGE)) {
            found.present = true;
            found.gpa = level == 1 ? entry & PTE_ADDRESS : large_page(mode, entry, shift);
            *mapping = found;
            return 0;
        }
        table = entry & PTE_ADDRESS;
    }
}

int xrw_paging_map(const struct xrw_registers *regs, xrw_gva gva, xrw_read_physical read, void *ctx,
                   struct xrw_mapping *mapping)
{
    struct paging_mode mode;
    int rc;

    if (!regs->known[XRW_REG_cr0])
        return -ENODATA;
    if (!(regs->value[XRW_REG_cr0] & CR0_PG)) {
        *mapping = unpaged(gva);
        return 0;
    }
    if ((rc = paging_mode(regs, &mode)) != 0)
        return rc;
    if (!is_canonical(&mode, gva)) {
        *mapping = hole(&mode);
        return 0;
    }
    return walk(&mode, regs, gva, read, ctx, mapping);
}

int xrw_paging_translate(const struct xrw_registers *regs, xrw_gva gva, xrw_read_physical read,
                         void *ctx, xrw_gpa *gpa)
{
    struct xrw_mapping mapping;
    int rc = xrw_paging_map(regs, gva, read, ctx, &mapping);

    if (rc)
        return rc;
    if (!mapping.present)
        return -EFAULT;
    *gpa = mapping.gpa + (gva - mapping.first);
    return 0;
}
