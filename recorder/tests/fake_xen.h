/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hypervisor in the test program: it stands in for libxenctrl, libxencall, libxenevtchn and
 * libxenforeignmemory, of which it defines what the recorder calls.  It has domain 1 and forks of
 * it, whose guests write a word of memory before each exit, and the ring of monitor events with
 * Xen's rules: when vCPUs are held, when they have to wait, and what an answer is.  It checks those
 * that the recorder has to keep, and says in `broken' what was not.
 */
#ifndef RECORDER_TEST_FAKE_XEN_H
#define RECORDER_TEST_FAKE_XEN_H

#include "xrw/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_XEN_VCPUS 3u
#define FAKE_XEN_PAGES 8u
#define FAKE_XEN_PARENT 1u

struct fake_xen_vcpu {
    uint64_t exits; /* so many it has made: RAX at the exit, twice that after it */
    unsigned held;  /* by an event */
    bool blocked;   /* taken off its processor until a slot is free */
    bool handled;   /* its last exit was */
};

#define FAKE_XEN_MAPPINGS 64u

/* A page of the fork that the recorder has mapped. */
struct fake_xen_mapping {
    const uint8_t *at; /* NULL: none */
    unsigned gfn;
};

struct fake_xen {
    /* What it is like. */
    bool patched;
    bool stays; /* exits leave RIP where it is */
    unsigned vcpus;
    uint64_t exits;  /* of all vCPUs since the last reset, then the guest shuts down */
    unsigned reason; /* of its exits */
    uint64_t xsetbv; /* the vCPUs' exit before which Xen has no XSAVE record of them; 0: none */
    void (*request)(struct fake_xen *xen, uint8_t *bytes); /* spoils what it sends */
    void (*before_call)(struct fake_xen *xen);             /* spoils the ring */

    /* What happened. */
    const char *broken;
    uint32_t domain; /* that is monitored */
    unsigned pauses, mode;
    bool enabled, is_fork, destroyed;
    uint64_t made, made_in_run, answered, notifications, contexts, resets;
    _Atomic uint64_t own_notifications; /* of the recorder by itself */
    uint32_t req_prod, rsp_cons;
    uint8_t *page;
    int event[2]; /* a pipe */
    bool announced;
    struct fake_xen_vcpu vcpu[FAKE_XEN_VCPUS];
    uint32_t sender[8];               /* vCPU of each request on the ring */
    int memory[2];                    /* files: of domain 1, of the fork */
    uint8_t (*pages)[XRW_PAGE_BYTES]; /* of the guest that runs */
    int type[FAKE_XEN_PAGES];         /* HVMMEM_* of the fork's pages */
    unsigned mapped[FAKE_XEN_PAGES];  /* so often */
    struct fake_xen_mapping mapping[FAKE_XEN_MAPPINGS];
    uint64_t ept_exits; /* of a fork that lacked a page */
    uint64_t random;
};

extern struct fake_xen fake_xen;

/* Begin anew: a guest of one vCPU that makes so many exits. */
void fake_xen_init(uint64_t exits);
void fake_xen_deinit(void);

/* Word of the page that each exit writes, as of exit n of a vCPU's own. */
uint64_t fake_xen_word(uint32_t vcpu, uint64_t exit);

#endif
