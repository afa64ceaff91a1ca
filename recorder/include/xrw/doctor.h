/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this host, and a guest of it, can be recorded with; and forks that recorders left behind. */
#ifndef XRW_DOCTOR_H
#define XRW_DOCTOR_H

#include "xrw/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define XRW_DOCTOR_CHECKS 20u
#define XRW_DOCTOR_FORKS 32u

enum xrw_check_state {
    XRW_CHECK_OK,
    XRW_CHECK_MISSING,
    XRW_CHECK_UNKNOWN, /* advice says how to find out */
    XRW_CHECK_NOTE,    /* does not hinder recording, but is worth knowing */
};

/* One thing that was looked at. */
struct xrw_check {
    const char *id;   /* static; a word for programs */
    const char *name; /* static; for people */
    enum xrw_check_state state;
    bool required;    /* there is no recording without it */
    char found[256];  /* one line */
    char advice[256]; /* the one thing to change, one line; empty if there is none */
};

/* A fork that a recorder made. */
struct xrw_fork {
    uint32_t domain;
    uint32_t parent;   /* 0: not known */
    uint32_t recorder; /* process; 0: the fork was kept on purpose */
    bool left_over;    /* that process does not run any more */
    bool removed;      /* by us, just now */
    char outcome[160]; /* of removing it, one line; empty if that was not tried */
};

struct xrw_doctor_report {
    bool xen; /* this is a Xen host; if not, there is one check, and it is missing */
    /* XRW_CHECK_OK: recording can be done; _MISSING: it cannot; _UNKNOWN: nothing is missing, but
     * something required is not known. */
    enum xrw_check_state verdict;
    size_t check_count, fork_count;
    struct xrw_check checks[XRW_DOCTOR_CHECKS];
    struct xrw_fork forks[XRW_DOCTOR_FORKS];
};

struct xrw_doctor_options {
    uint32_t parent; /* also look at this domain, and fork it for a moment; 0: none */
    bool clean;      /* remove left-over forks */
};

/*
 * Look at the host.  Nothing is changed but what options ask for; the parent stands still while its
 * fork is there (milliseconds), and a fork that is being recorded is never removed.  Blocks.
 * Returns 0 with *report (the caller's), whatever was found; -ENOMEM with err.
 */
int xrw_doctor(const struct xrw_doctor_options *options, struct xrw_doctor_report *report,
               struct xrw_error *err);

#ifdef __cplusplus
}
#endif
#endif
