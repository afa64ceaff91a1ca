/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Translating linear addresses. */
#ifndef XRW_MACHINE_MMU_H
#define XRW_MACHINE_MMU_H

#include "cpu.h"

#define WALK_LEVELS 5u

/* What the guest's paging structures say of a page. */
struct walk {
    uint64_t gpa;   /* of the address looked up */
    uint32_t fault; /* error code of the #PF, if not 0 or present only */
    bool faults;
    bool user, writable, executable, dirty;
    unsigned key;
    unsigned depth; /* entries read */
    uint64_t entry_gpa[WALK_LEVELS];
    uint64_t entry[WALK_LEVELS];
    unsigned entry_bytes;
};

/*
 * Read the paging structures for linear; access: enum access, tells what an EPT violation on the
 * way is called.  With ACCESS_PROBE nothing is raised: returns 0, -EFAULT, or what the page
 * callback answered.
 */
int walk_guest(struct xrw_machine *m, uint64_t linear, unsigned access, struct walk *walk);

/* Exit for an access to gpa that the second level does not allow.  final: not to a paging
 * structure.  page may be NULL. */
void leave_ept(struct xrw_machine *m, uint64_t gpa, uint64_t linear, unsigned access, bool final,
               const struct page *page) NORETURN;

/* A guest's access to guest-physical memory: the page, or leave. */
struct page *ept_page(struct xrw_machine *m, uint64_t gpa, uint64_t linear, unsigned access,
                      bool final);

#endif
