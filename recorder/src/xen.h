/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the Xen source share.  Only this header and xen_compat.h include Xen's. */
#ifndef XRW_RECORDER_XEN_H
#define XRW_RECORDER_XEN_H

#include "doctor.h"
#include "fork_handle.h"
#include "memory.h"
#include "ring.h"
#include "source.h"
#include "xen_compat.h"
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
    void *buffer; /* hypercall-safe */
};

int xen_calls_open(struct xen_calls *xen, struct xrw_error *err);
void xen_calls_close(struct xen_calls *xen);

/* Information on exactly this domain; -ESRCH if there is none. */
int xen_domain_info(struct xen_calls *xen, uint32_t domain, xc_domaininfo_t *info);

/* What the second-level page table says of n pages (at most RAM_BATCH), without changing it. */
int xen_page_types(struct xen_calls *xen, uint32_t domain, xrw_gfn first, size_t n,
                   enum page_type *types);

/* Enable the VM-exit event in a mode of vmexit_abi.h, or disable it. */
int xen_vmexit_event(struct xen_calls *xen, uint32_t domain, bool enable, unsigned mode);

/* What a domain is told by CPUID for a leaf, sub-leaf 0; -ENOENT if it does not have it. */
int xen_cpuid_leaf(struct xen_calls *xen, uint32_t domain, uint32_t leaf, xen_cpuid_leaf_t *out);

/* Map n pages read-only; entries of errs that are not 0 were not mapped. */
const uint8_t *xen_map(struct xen_calls *xen, uint32_t domain, const xen_pfn_t *gfns, size_t n,
                       int *errs);
void xen_unmap(struct xen_calls *xen, const uint8_t *pages, size_t n);

/* ---- the fork (xen_fork.c) -------------------------------------------- */

/* Check that a domain can be recorded, and forked if it is the parent. */
int xen_check_domain(struct xen_calls *xen, uint32_t domain, bool parent, xc_domaininfo_t *info,
                     struct xrw_error *err);

/* Make a fork of it, paused. */
int xen_fork(struct xen_calls *xen, const xc_domaininfo_t *parent, bool block_interrupts,
             uint32_t *fork, struct xrw_error *err);

/* Name the process that it belongs to from now on, or nobody (recorder 0): then it is not left
 * over.
 */
void xen_own_fork(struct xen_calls *xen, uint32_t fork, const struct fork_owner *owner);

/* The forks that recorders made and that are there, at most max; returns their number. */
size_t xen_list_forks(struct xen_calls *xen, struct xrw_fork *forks, size_t max);

/* ---- events (xen_monitor.c) ------------------------------------------- */

struct xen_monitor {
    struct ring ring;
    void *page;
    xenevtchn_handle *evtchn;
    int port; /* negative: not bound */
    uint32_t domain;
    bool enabled; /* the VM-exit event is */
};

/* Have the exits of a paused domain sent, holding it at each. */
int xen_monitor_open(struct xen_monitor *monitor, struct xen_calls *xen, uint32_t domain,
                     struct xrw_error *err);
/* 1 with monitor->ring.request, 0 on time-out, negative errno. */
int xen_monitor_next(struct xen_monitor *monitor, unsigned timeout_ms, struct xrw_error *err);
/* Answer the request that is pending, if one is. */
int xen_monitor_respond(struct xen_monitor *monitor, struct xrw_error *err);
/* The domain is to be paused.  Answers all that is there, and takes everything down. */
void xen_monitor_close(struct xen_monitor *monitor, struct xen_calls *xen);

/* ---- decoding (xen_event.c, xen_context.c) ---------------------------- */

/*
 * Fill exit from a request of either layout, by its version; *held tells whether the vCPU stands
 * still with the exit handled.  1; 0 if it is an event of another kind; -EUCLEAN.
 */
int xen_event_decode(const uint8_t *request, size_t bytes, struct xrw_exit *exit, bool *held,
                     struct xrw_error *err);

/* Read the vCPU's registers into exit->after, and into exit->before those that the event lacks
 * and that handling this exit cannot have changed. */
int xen_context_read(struct xen_calls *xen, uint32_t domain, struct xrw_exit *exit, uint8_t *fxsave,
                     struct xrw_error *err);

/* ---- memory (xen_memory.c) -------------------------------------------- */

struct xen_memory {
    struct xen_calls *xen;
    uint32_t fork, parent;
    bool parent_is_fork; /* the parent's second-level page table has only what it touched */
};

/* xen_memory is the context of these. */
extern const struct memory_ops xen_memory_ops;

int xen_memory_init(struct xen_memory *memory, struct xen_calls *xen, uint32_t fork,
                    uint32_t parent);

/* ---- facts about host and guest (xen_facts.c) -------------------------- */

/* What re-execution asks of the guest. */
void xen_fitness(struct xen_calls *xen, uint32_t domain, struct fitness fitness[FITNESS_COUNT]);

/* The same in words, for the recording. */
void xen_describe_fitness(struct xen_calls *xen, uint32_t domain, struct xrw_run *run);

int xen_describe_host(struct xen_calls *xen, source_meta set, void *set_ctx, struct xrw_error *err);

/* ---- all together (xen_source.c) -------------------------------------- */

int xen_source_create(struct source *source, const struct xrw_record_options *options,
                      struct xrw_error *err);
void xen_source_destroy(struct source *source);

#endif
