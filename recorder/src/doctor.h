/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the doctor found, and what follows from it.  Knows no Xen, so that tests can be any host. */
#ifndef XRW_RECORDER_DOCTOR_H
#define XRW_RECORDER_DOCTOR_H

#include "xrw/doctor.h"
#include "xrw/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fitness_answer { FITNESS_NO, FITNESS_YES, FITNESS_UNKNOWN };

/* One thing that re-execution asks of a guest. */
struct fitness {
    enum fitness_answer answer;
    const char *what, *advice; /* static; advice may be empty */
};

#define FITNESS_COUNT 5u

/* What was tried with the parent, in order; what failed is why the rest was not tried. */
enum parent_stage {
    PARENT_CHECK,   /* its kind, vCPUs, state */
    PARENT_FORK,    /* forking it, and removing the fork */
    PARENT_MONITOR, /* having the exits of the fork sent */
    PARENT_DONE,    /* all of that works */
};

/* Codes are 0 or a negative errno. */
struct doctor_facts {
    int no_xen_code; /* of opening its control interface; nothing else is known then */
    unsigned major, minor;
    char version[64], cpu[64];
    char vendor[16];   /* of CPUID leaf 0 */
    int control;       /* of asking about domain 0 */
    bool dom0_hvm;     /* PVH */
    int physical;      /* of asking about the machine: */
    bool hvm, hap;     /* it has VMX or SVM, and second-level page tables */
    uint64_t free_kib; /* memory */
    int sharing;       /* of a memory-sharing call on no domain: -ESRCH where that is built in */
    uint32_t asked;    /* domain that was asked for capabilities; 0: there is none to ask */
    int asked_code;    /* of that */
    bool event, pause; /* capabilities */

    uint32_t parent; /* 0: none given; the rest is of it */
    enum parent_stage stage;
    struct xrw_error trouble; /* what went wrong there: what, then what to do, a line each */
    uint32_t fork_ms;         /* how long the fork was there */
    uint64_t parent_kib;
    struct fitness fitness[FITNESS_COUNT];

    size_t fork_count;
    struct xrw_fork forks[XRW_DOCTOR_FORKS];
};

void doctor_report(const struct doctor_facts *facts, struct xrw_doctor_report *report);

/* What became of the parent of a fork that is gone. */
struct doctor_parent {
    bool exists, ended, paused; /* by the toolstack */
    uint32_t other_fork;        /* of ours, which it waits for; 0: none */
};

void doctor_outcome(struct xrw_fork *fork, int code, const struct doctor_parent *parent);

#endif
