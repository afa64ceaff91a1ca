/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the Xen source share.  Only this header and xen_compat.h include Xen's. */
#ifndef XRW_RECORDER_XEN_H
#define XRW_RECORDER_XEN_H

#include "doctor.h"
#include "fork_handle.h"
#include "memory.h"
#include "ring.h"
#include "source.h"
#include "vmexit_abi.h"
#include "xen_compat.h"
#include "xrw/recorder.h"

#include <pthread.h>
#include <stdatomic.h>

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

/* Pause it once more, until its vCPUs are off their processors; take one pause back. */
int xen_pause(struct xen_calls *xen, uint32_t domain);
int xen_unpause(struct xen_calls *xen, uint32_t domain);

/*
 * A record of a vCPU's saved state (a code of public/arch-x86/hvm/save.h, of at most `bytes'),
 * once the vCPU is off its processor; *record is valid until the next call of any function here.
 */
int xen_vcpu_record(struct xen_calls *xen, uint32_t domain, uint32_t vcpu, uint16_t code,
                    size_t bytes, const void **record);

/* What the second-level page table says of n pages (at most RAM_BATCH), without changing it. */
int xen_page_types(struct xen_calls *xen, uint32_t domain, xrw_gfn first, size_t n,
                   enum page_type *types);

/* Enable the VM-exit event in a mode of vmexit_abi.h, or disable it. */
int xen_vmexit_event(struct xen_calls *xen, uint32_t domain, bool enable, unsigned mode);

/* Take back that a domain has ended; its registers stay. */
int xen_resume_domain(struct xen_calls *xen, uint32_t domain);

/* What a domain is told by CPUID for a leaf, sub-leaf 0; -ENOENT if it does not have it. */
int xen_cpuid_leaf(struct xen_calls *xen, uint32_t domain, uint32_t leaf, xen_cpuid_leaf_t *out);

/* ---- the fork (xen_fork.c) -------------------------------------------- */

/* Check that a domain is of a kind that can be recorded and forked. */
int xen_check_domain(struct xen_calls *xen, uint32_t domain, xc_domaininfo_t *info,
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

/* ---- the domain that is recorded (xen_target.c) ----------------------- */

struct xen_target {
    struct xen_calls *xen;
    const struct xrw_record_options *options;
    uint32_t domain; /* 0: none */
    uint32_t parent; /* the domain itself if it is not known */
    uint32_t vcpus;
    bool made_fork;
    bool is_fork;    /* as far as is known */
    bool was_paused; /* a domain that was there, when we came */
    bool paused;     /* by us, or so when we came */
    bool claimed;    /* a fork that was left over, by owner_before */
    struct fork_owner owner_before;
    char end[64]; /* how it ended, in words */
};

/* Make the fork, or take the domain that options name; it is paused then.  To be closed also if
 * this fails. */
int xen_target_open(struct xen_target *target, struct xen_calls *xen,
                    const struct xrw_record_options *options, struct xrw_error *err);

/* Pause it, if it is not; -errno.  Let it run. */
int xen_target_pause(struct xen_target *target);
/* Another fork of the same parent, paused, in place of one that was made by us. */
int xen_target_renew(struct xen_target *target, struct xrw_error *err);
int xen_target_go(struct xen_target *target, struct xrw_error *err);

/* No exit came: SOURCE_TIMEOUT, SOURCE_IDLE, SOURCE_ENDED; -ESRCH if it is gone. */
int xen_target_look(struct xen_target *target, struct xrw_error *err);

/* Something failed: because the domain is being destroyed?  That fails in many ways, and shows only
 * when Xen is done with it. */
bool xen_target_is_going(struct xen_target *target);

/* Remove the fork, or leave the domain as it was. */
int xen_target_close(struct xen_target *target, struct xrw_error *err);

/* ---- waiting for events (xen_wait.c) ---------------------------------- */

struct xen_wait {
    xenevtchn_handle *evtchn; /* the caller's */
    unsigned steady;          /* events since the last time-out */
    bool tried, ticks;        /* to start the thread; it is there */
    int to, from;             /* ports of a channel to ourselves; 0, negative: none */
    _Atomic uint64_t reads;   /* begun and ended */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t end;
    bool ended; /* under the lock */
};

void xen_wait_open(struct xen_wait *wait, xenevtchn_handle *evtchn);
/* 1: an event came; 0: none within that time; a negative errno.  A signal ends it early, with 0, but
 * after a row of events it and the time-out may take two tenths of a second more. */
int xen_wait_event(struct xen_wait *wait, unsigned timeout_ms);
void xen_wait_close(struct xen_wait *wait);

/* ---- events (xen_monitor.c) ------------------------------------------- */

struct xen_monitor {
    struct ring ring;
    void *page;
    xenevtchn_handle *evtchn;
    struct xen_wait wait;
    int port; /* negative: not bound */
    uint32_t domain;
    bool enabled; /* the VM-exit event is */
};

/* Have the exits of a paused domain sent, in a mode of vmexit_abi.h. */
int xen_monitor_open(struct xen_monitor *monitor, struct xen_calls *xen, uint32_t domain,
                     unsigned event_mode, struct xrw_error *err);
/* Take what is on the ring, waiting for it if nothing is: the number of requests, 0 on time-out. */
int xen_monitor_take(struct xen_monitor *monitor, unsigned timeout_ms, struct xrw_error *err);
/* Answer the oldest n requests that wait. */
int xen_monitor_answer(struct xen_monitor *monitor, uint32_t n, struct xrw_error *err);
/* The domain is to be paused.  Answers all that is there, and takes everything down. */
void xen_monitor_close(struct xen_monitor *monitor, struct xen_calls *xen);

/* ---- decoding (xen_event.c, xen_context.c) ---------------------------- */

/* What the last event had: system registers are mostly as they were.  Begins as zeros. */
struct xen_decoder {
    uint64_t system_id; /* of these system registers; 0: there was no event yet */
    struct xrw_event_regs last;
    struct xrw_registers registers; /* of that event; the hot ones are of any */
};

/*
 * Fill exit from a request of either layout, by its version; *held tells whether the vCPU stands
 * still with the exit handled.  1; 0 if it is an event of another kind; -EUCLEAN.  request: aligned
 * to 8 bytes.  exit: zeros, or filled by this decoder before; hot registers may have been changed
 * since, system registers as xrw/exit.h says of system_id.
 */
int xen_event_decode(struct xen_decoder *decoder, const uint8_t *request, size_t bytes,
                     struct xrw_exit *exit, bool *held, struct xrw_error *err);

/* Read the vCPU's registers into the exit's `after', and into its `before' those that the event
 * lacks and that handling this exit cannot have changed. */
int xen_context_read(struct xen_calls *xen, uint32_t domain, struct source_exit *out,
                     struct xrw_error *err);

/* The same of an exit that is not going to be handled: all of it is the state before. */
int xen_context_read_before(struct xen_calls *xen, uint32_t domain, struct source_exit *out,
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

/* Have n pages of a fork (at most RAM_BATCH) brought in from its parent, to be read or to be
 * written; *all: it has them all. */
int xen_bring_in(struct xen_calls *xen, uint32_t fork, xrw_gfn first, size_t n, bool write,
                 bool *all);

/* All of its RAM, to be written. */
int xen_memory_bring_in_all(struct xen_memory *domains, struct memory *memory,
                            struct xrw_error *err);

/* ---- facts about host and guest (xen_facts.c) -------------------------- */

/* What re-execution asks of the guest. */
void xen_fitness(struct xen_calls *xen, uint32_t domain, bool pause_mode,
                 struct fitness fitness[FITNESS_COUNT]);

/* The same in words, for the recording.  exact: the state after each exit, of all of the guest. */
void xen_describe_fitness(struct xen_calls *xen, uint32_t domain, bool exact, struct xrw_run *run);

int xen_describe_host(struct xen_calls *xen, source_meta set, void *set_ctx, struct xrw_error *err);

/* ---- capture modes (xen_mode.c) ---------------------------------------- */

struct xen_choice {
    enum xrw_record_mode mode;
    bool has_details; /* exits say more than stock Xen's */
    char why[256];    /* worth telling; may be empty */
};

/* Check that the exits of a domain can be recorded in the mode that is wanted, or choose one. */
int xen_choose_mode(struct xen_calls *xen, const struct xen_target *target,
                    enum xrw_record_mode wanted, struct xen_choice *choice, struct xrw_error *err);

/* ---- all together (xen_source.c) -------------------------------------- */

int xen_source_create(struct source *source, const struct xrw_record_options *options,
                      struct xrw_error *err);
void xen_source_destroy(struct source *source);

#endif
