/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of pipeline.h share. */
#ifndef XRW_RECORDER_PIPELINE_PRIVATE_H
#define XRW_RECORDER_PIPELINE_PRIVATE_H

#include "hook.h"
#include "pipeline.h"
#include "site.h"

struct pipeline {
    const struct xrw_record_options *options;
    struct source source;
    struct xrw_store *store;
    struct sites *sites;
    struct hook hook;
    struct xrw_run run;
    enum xrw_record_memory memory; /* as asked for, or the mode's default */
    struct source_exit at;         /* the last exit */
    uint8_t last_fxsave[XRW_FXSAVE_BYTES];
    uint32_t fxsave_vcpu;
    bool have_fxsave;
    bool holds_always;
    bool rows_later;               /* rows are made when the guest is through */
    bool begun;                    /* the run is in the store */
    bool running;                  /* pages belong to exits, not to the base image */
    bool quiet;                    /* the guest has not run since the last exit */
    bool given_up;                 /* it does not come to a further exit */
    xrw_exit_id in_frame;          /* the last exit of which all memory was taken */
    uint64_t in_frame_ns, seen_ns; /* when that was, and what is the time by now, about */
    uint64_t started_ns, last_exit_ns, last_progress_ns;
    uint64_t uncommitted, unheld, base_pages;
    uint64_t begun_ns; /* the first run */
    uint64_t base_run; /* whose the base image is */
    unsigned poll_ms;  /* exits come quickly or not for long */
};

uint64_t pipeline_now_ns(const struct pipeline *p);
void pipeline_notice(const struct pipeline *p, const char *text);
void pipeline_show_progress(struct pipeline *p, uint64_t now);

/* Exits of this run so far. */
uint64_t pipeline_exits(const struct pipeline *p);

/* What is known of memory in the recording, from what was asked for and what the source does. */
void pipeline_choose_memory(struct pipeline *p);

/* Memory as it is before the guest runs, unless none is wanted. */
int pipeline_take_base(struct pipeline *p, struct xrw_error *err);

/* If only what the run reaches is wanted of that: what it has reached since; all: at its end. */
int pipeline_take_reached(struct pipeline *p, bool all, struct xrw_error *err);

/* Add a page as of the exit that the guest stands at, or as of the start; a source_page. */
int pipeline_add_page(void *ctx, xrw_gfn gfn, const uint8_t *page, bool private,
                      struct xrw_error *err);

/* The vCPU's whole context; exit 0: as before the guest ran. */
int pipeline_add_context(struct pipeline *p, xrw_exit_id exit, struct xrw_error *err);

/* In how many exits the source is to hold the guest, as its next() takes it. */
uint64_t pipeline_hold_in(const struct pipeline *p);

/* Whether memory is to be taken at the exit, which is not added yet. */
bool pipeline_wants_memory(const struct pipeline *p);
int pipeline_take_memory(struct pipeline *p, struct xrw_error *err);

/* The same when recording has ended between two exits: the last one may still be what the guest
 * stands at. */
int pipeline_take_last_memory(struct pipeline *p, struct xrw_error *err);

#endif
