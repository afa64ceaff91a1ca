/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest memory as of an exit, with its truth.
 *
 * Recorded memory is what stood there while the fork was held at the exit, after the hypervisor
 * handled it.  At an exit whose handling may have written memory (xrw_exit_may_write_memory) the
 * bytes that differ from the exit before may be the guest's work or the hypervisor's: those bytes
 * are not known at that exit.  All others are the guest's memory at the exit.  In sync mode exits are
 * not handled, and all bytes are.
 */
#ifndef XRW_MEMORY_H
#define XRW_MEMORY_H

#include "xrw/error.h"
#include "xrw/exit.h"
#include "xrw/paging.h"
#include "xrw/store.h"
#include "xrw/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct xrw_memory;

/* A page of guest memory as of an exit. */
struct xrw_known_page {
    uint8_t bytes[XRW_PAGE_BYTES];
    bool known[XRW_PAGE_BYTES]; /* of each byte; one that is not known has value 0 */
    bool all_known;
    xrw_exit_id since; /* the exit at which this content was first seen; 0: the base image */
};

/* Create or destroy a reader of a run's memory; the store is borrowed.  Returns 0 or -ENOMEM. */
int xrw_memory_create(struct xrw_store *store, const struct xrw_run *run, struct xrw_memory **out);
void xrw_memory_destroy(struct xrw_memory *memory);

/* Show another run from now on. */
void xrw_memory_set_run(struct xrw_memory *memory, const struct xrw_run *run);

/*
 * A guest page as of an exit.  *page is valid until the next call on this reader.
 * Returns 0; -ENODATA if no byte of it is known; what the store reports.
 */
int xrw_memory_page(struct xrw_memory *memory, const struct xrw_exit *exit, xrw_gfn gfn,
                    const struct xrw_known_page **page, struct xrw_error *err);

/*
 * Read guest-physical memory as of an exit: *got bytes from gpa on, up to the first that is not
 * known.  Returns 0 with *got > 0; -ENODATA if the first byte is not known; what the store reports.
 */
int xrw_memory_read_physical(struct xrw_memory *memory, const struct xrw_exit *exit, xrw_gpa gpa,
                             void *buf, size_t bytes, size_t *got, struct xrw_error *err);

/*
 * Translate a linear address through the guest's page tables as of an exit.  Returns 0 with *gpa;
 * -EFAULT if it is not mapped; -ENODATA if a table or a register needed is not known; what the
 * store reports.
 */
int xrw_memory_translate(struct xrw_memory *memory, const struct xrw_exit *exit, xrw_gva gva,
                         xrw_gpa *gpa, struct xrw_error *err);

/* The mapping around a linear address as of an exit: xrw_paging_map().  Returns 0; -ENODATA if a
 * table or a register needed is not known; what the store reports. */
int xrw_memory_map(struct xrw_memory *memory, const struct xrw_exit *exit, xrw_gva gva,
                   struct xrw_mapping *mapping, struct xrw_error *err);

/* As xrw_memory_read_physical(), by linear address; -EFAULT if the first byte is not mapped. */
int xrw_memory_read(struct xrw_memory *memory, const struct xrw_exit *exit, xrw_gva gva, void *buf,
                    size_t bytes, size_t *got, struct xrw_error *err);

/*
 * Be told the number of every guest page that is looked at from now on (NULL: no more), so that a
 * result can be known to stay the same as long as none of these pages changes.
 */
typedef void (*xrw_page_visitor)(void *ctx, xrw_gfn gfn);
void xrw_memory_watch_pages(struct xrw_memory *memory, xrw_page_visitor visitor, void *ctx);

#ifdef __cplusplus
}
#endif
#endif
