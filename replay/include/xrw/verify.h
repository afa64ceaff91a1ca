/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Re-executing a recording's gaps, to see which of them can be trusted instruction by instruction.
 */
#ifndef XRW_VERIFY_H
#define XRW_VERIFY_H

#include "xrw/error.h"
#include "xrw/types.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum xrw_gap_verdict {
    XRW_GAP_UNTRIED, /* not re-executed yet */
    XRW_GAP_EXACT,   /* it arrives at the next exit, every register and all memory it wrote equal */
    XRW_GAP_FLAGS,   /* ... but for flags that the architecture leaves undefined */
    XRW_GAP_ARRIVED, /* right instruction and general registers; something else differs */
    XRW_GAP_DIVERGED, /* it does not arrive there */
    XRW_GAP_UNKNOWN,  /* it cannot be re-executed: part of the state is not known, or not handled */
    XRW_GAP_VERDICTS
};

/* What a difference comes from, as far as can be told. */
enum xrw_gap_cause {
    XRW_CAUSE_NONE,
    XRW_CAUSE_UNDEFINED_FLAGS, /* undefined flags, or memory that they were stored in */
    XRW_CAUSE_TIME,            /* RDTSC, RDRAND, ... was executed and did not exit */
    XRW_CAUSE_HYPERVISOR,      /* the hypervisor wrote memory before the gap began */
    XRW_CAUSE_CPU_MODEL,       /* a value in which CPU models differ (MXCSR_MASK, ...) */
    XRW_CAUSE_STATE,           /* part of the state at the beginning was not recorded */
    XRW_CAUSE_NOT_HANDLED,     /* the engine does not do what the guest asked for */
    XRW_CAUSE_OTHER_VCPU,
    XRW_CAUSE_NOT_KNOWN,
    XRW_GAP_CAUSES
};

/* Names for people and programs, e.g. "exact", "undefined flags". */
extern const char *const xrw_gap_verdict_names[XRW_GAP_VERDICTS];
extern const char *const xrw_gap_cause_names[XRW_GAP_CAUSES];

/* Gap n, between exit n and exit n + 1. */
struct xrw_gap {
    xrw_exit_id exit; /* n */
    enum xrw_gap_verdict verdict;
    enum xrw_gap_cause cause; /* of the difference; with XRW_GAP_EXACT: what was seen beside */
    uint64_t instructions;    /* that the guest finished in it, as far as it was re-executed */
    uint32_t foreign_pages;   /* pages in which the record has changes that the guest did not make:
                                 the hypervisor's, at the entry or as it handled exit n + 1 */
    uint32_t candidates;      /* exits at no fixed instruction: places that matched in registers */
    char detail[192];         /* where it first differs; empty if it does not */
};

struct xrw_verify_progress {
    uint64_t gaps, done; /* to be done, and done */
    uint64_t instructions;
    double seconds;
};

struct xrw_verify_options {
    const char *path;
    uint64_t run;                    /* 0: all */
    xrw_exit_id first, last;         /* gaps, inclusive; 0: from the first, to the last */
    unsigned threads;                /* 0: as many as the host has processors */
    const char *gaps_path;           /* side file for the verdicts; NULL: none */
    const volatile int *interrupted; /* set to end */
    void (*progress)(void *ctx, const struct xrw_verify_progress *progress); /* now and then */
    /* Every gap in order, at the end. */
    void (*gap)(void *ctx, const struct xrw_gap *gap);
    void *ctx;
};

struct xrw_verify_result {
    uint64_t gaps; /* of the recording, as far as asked for */
    uint64_t verdicts[XRW_GAP_VERDICTS];
    uint64_t causes[XRW_GAP_CAUSES]; /* of those that are not exact */
    uint64_t hypervisor_wrote;       /* gaps with foreign pages */
    uint64_t instructions;
    double seconds;
    const char *profile; /* whose undefined results were imitated: "host", "bochs" */
};

/*
 * Re-execute the gaps of a recording in parallel.  Blocks; calls back on the calling thread.
 * Returns 0 with *result, whatever the verdicts; -EINTR if *interrupted was set, with the result so
 * far; another negative errno with err: the recording cannot be read, or none of its runs can be
 * re-executed (-ENODATA).
 */
int xrw_verify(const struct xrw_verify_options *options, struct xrw_verify_result *result,
               struct xrw_error *err);

#ifdef __cplusplus
}
#endif
#endif
