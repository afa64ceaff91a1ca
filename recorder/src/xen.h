/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the Xen source share.  The only header of ours that includes Xen's. */
#ifndef XRW_RECORDER_XEN_H
#define XRW_RECORDER_XEN_H

#include "source.h"
#include "xrw/recorder.h"

#include <xencall.h>
#include <xenctrl.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>

/* ---- handles to Xen and raw hypercalls (xen_calls.c) ------------------ */

struct xen_calls {
    xc_interface *xch;
    xentoollog_logger *logger;
    xenforeignmemory_handle *fmem;
    xencall_handle *call;
    void *buffer; /* one hypercall-safe page */
};

int xen_calls_open(struct xen_calls *xen, struct xrw_error *err);
void xen_calls_close(struct xen_calls *xen);

/* Information on exactly this domain; -ESRCH if there is none. */
int xen_domain_info(struct xen_calls *xen, uint32_t domain, xc_domaininfo_t *info);

/* What the second-level page table says of a page, without changing it. */
enum xen_page_type { XEN_PAGE_HOLE, XEN_PAGE_SHARED, XEN_PAGE_PRIVATE };
int xen_page_type(struct xen_calls *xen, uint32_t domain, xrw_gfn gfn, enum xen_page_type *type);

/* Enable the VM-exit event in a mode of vmexit_abi.h, or disable it. */
int xen_vmexit_event(struct xen_calls *xen, uint32_t domain, bool enable, unsigned mode);

/* Map n pages read-only; entries of errs that are not 0 were not mapped. */
const uint8_t *xen_map(struct xen_calls *xen, uint32_t domain, const xen_pfn_t *gfns, size_t n,
                       int *errs);
void xen_unmap(struct xen_calls *xen, const uint8_t *pages, size_t n);

/* ---- the fork (xen_fork.c) -------------------------------------------- */

/* Check that a domain can be recorded, and forked if it is the parent. */
int xen_check_domain(struct xen_calls *xen, uint32_t domain, bool parent, xc_domaininfo_t *info,
                     struct xrw_error *err);

int xen_fork(struct xen_calls *xen, const xc_domaininfo_t *parent, bool block_interrupts,
             uint32_t *fork, struct xrw_error *err);

/* Write "7, 9" for the forks of ours that are there; returns their number. */
size_t xen_left_over_forks(struct xen_calls *xen, char *text, size_t bytes);

/* ---- the event ring (xen_ring.c) -------------------------------------- */

#define XEN_REQUEST_MAX_BYTES 512u

struct xen_ring {
    void *page;
    xenevtchn_handle *evtchn;
    int port; /* negative: not bound */
    uint32_t domain;
    uint32_t request_consumer, response_producer;
    uint8_t request[XEN_REQUEST_MAX_BYTES]; /* copy of the one being looked at */
    size_t request_bytes;
    bool pending; /* request is to be answered */
};

int xen_ring_open(struct xen_ring *ring, struct xen_calls *xen, uint32_t domain,
                  size_t request_bytes, struct xrw_error *err);
/* 1 with ring->request, 0 on time-out, negative errno (-EUCLEAN: the ring makes no sense). */
int xen_ring_next(struct xen_ring *ring, unsigned timeout_ms, struct xrw_error *err);
/* Answer the request that is pending; does nothing if none is. */
int xen_ring_respond(struct xen_ring *ring);
void xen_ring_close(struct xen_ring *ring, struct xen_calls *xen);

/* ---- decoding (xen_event.c, xen_context.c) ---------------------------- */

/* Fill exit from a patched request; *held tells whether the vCPU stands still. */
int xen_event_decode(const uint8_t *request, size_t bytes, struct xrw_exit *exit, bool *held,
                     struct xrw_error *err);

/* Read the vCPU's registers into exit->after, and into exit->before those that the event lacks
 * and that handling this exit cannot have changed. */
int xen_context_read(struct xen_calls *xen, uint32_t domain, struct xrw_exit *exit, uint8_t *fxsave,
                     struct xrw_error *err);

/* ---- memory (xen_memory.c) -------------------------------------------- */

struct xen_memory;

int xen_memory_create(struct xen_memory **out, struct xen_calls *xen, uint32_t fork,
                      uint32_t parent);
void xen_memory_destroy(struct xen_memory *memory);
int xen_memory_base(struct xen_memory *memory, source_page page, void *ctx, struct xrw_error *err);
/* Take notice of an exit: which page it may have made private. */
int xen_memory_exit(struct xen_memory *memory, const struct xrw_exit *exit, struct xrw_error *err);
int xen_memory_changes(struct xen_memory *memory, source_page page, void *ctx,
                       struct xrw_error *err);
int xen_memory_read(struct xen_memory *memory, xrw_gpa gpa, void *buf, size_t bytes);
uint64_t xen_memory_private_pages(const struct xen_memory *memory);

/* ---- all together (xen_source.c) -------------------------------------- */

int xen_source_create(struct source *source, const struct xrw_record_options *options,
                      struct xrw_error *err);
void xen_source_destroy(struct source *source);

#endif
