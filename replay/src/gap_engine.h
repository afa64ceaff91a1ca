/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What running and comparing share. */
#ifndef XRW_REPLAY_GAP_ENGINE_H
#define XRW_REPLAY_GAP_ENGINE_H

#include "xrw/machine.h"
#include "xrw/store.h"

#define GAP_FOREIGN_MAX 64u /* pages that the hypervisor may have written before a gap */

struct gap_engine {
    struct xrw_store *store;
    struct xrw_run run;
    enum xrw_machine_profile profile;
    struct xrw_machine *machine;
    struct xrw_machine_cpu cpu;
    struct xrw_machine_controls controls;
    uint8_t apic_page[XRW_PAGE_BYTES];

    bool positioned;
    xrw_exit_id at; /* memory began as of this exit */
    struct xrw_exit from, to;
    struct xrw_machine_state state; /* what from.after lacks is carried on from gap to gap */
    uint64_t fpu_assumed; /* components of state.xsave that are not known, as in XSTATE_BV */

    bool limited; /* one page has fewer permissions, so that the access to it exits */
    xrw_gfn limited_gfn;
    unsigned limited_ept;

    uint64_t count_at_start;
    bool tsc_known; /* the TSC counts instructions, as the recording's own engine has it */
    uint64_t tsc_per_instruction;
    bool time_used;       /* an instruction asked for what was not recorded: time, random numbers */
    uint32_t unknown_msr; /* one that was accessed without exit and is not known; 0: none */

    struct {
        xrw_gfn gfn;
        uint8_t content[XRW_PAGE_BYTES];
    } foreign[GAP_FOREIGN_MAX];
    unsigned foreign_count;
};

#endif
