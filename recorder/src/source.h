/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where exits come from.  The pipeline sees this table only: Xen fills it, and a fake for fault
 * injection in the tests.  Order of calls: start; meta, context, base, go; then for each exit next,
 * read_table, read_physical, memory, context, resume; context; stop, in every case once start was
 * called, whether it succeeded or not.  Before each go there may be write; after an exit, or
 * another outcome of next, reset leads back to write and go.  All functions are there, but
 * reached, write and reset need not be; they return 0 or a negative errno, with err set, unless
 * said otherwise.
 */
#ifndef XRW_RECORDER_SOURCE_H
#define XRW_RECORDER_SOURCE_H

#include "xrw/error.h"
#include "xrw/exit.h"
#include "xrw/store.h"

#include <stdbool.h>
#include <stddef.h>

/* A page of guest memory.  forced: known to differ from the parent's even if its content does not.
 * 0, or a negative errno; before the guest runs 1 if it is not what the base image has. */
typedef int (*source_page)(void *ctx, xrw_gfn gfn, const uint8_t *page, bool forced,
                           struct xrw_error *err);

/* A fact about the host or the guest, for `meta`. */
typedef int (*source_meta)(void *ctx, const char *key, const char *value, struct xrw_error *err);

/* Bytes to be written into the guest's memory, at a linear address in the address space that it
 * runs in, or at a guest-physical one. */
struct source_write {
    bool physical;
    uint64_t address;
    const void *data;
    size_t bytes;
};

/* Outcomes of next(). */
enum {
    SOURCE_TIMEOUT, /* no exit came */
    SOURCE_EXIT,
    SOURCE_IDLE,  /* no exit came: the guest waits for an interrupt, and has not run since the last
                   */
    SOURCE_ENDED, /* the guest shut down or crashed; it has not run since the last exit */
};

/* An exit, and how the guest stands at it. */
struct source_exit {
    struct xrw_exit exit; /* but id and run */
    bool held;        /* the guest stands still: its memory and context are those of this exit */
    bool final;       /* the guest cannot go on from here */
    uint64_t time_ns; /* when it was taken in, as now_ns() says; several may have been at once */
    bool has_fxsave;
    uint8_t fxsave[XRW_FXSAVE_BYTES];
};

struct source_ops {
    size_t size; /* of this table */

    /* Make the guest ready, not running yet; fills what is known of the run. */
    int (*start)(void *ctx, struct xrw_run *run, struct xrw_error *err);

    /* Give what is known of the host to set(). */
    int (*meta)(void *ctx, source_meta set, void *set_ctx, struct xrw_error *err);

    /* Give every page of the guest's memory to page(). */
    int (*base)(void *ctx, source_page page, void *page_ctx, struct xrw_error *err);

    /* In place of base: give every page that the guest changed since the last call as it was in the
     * beginning to page(), each once.  At the start, and before each memory; all: also what it only
     * read, after the last exit of a run.  NULL: it is not known what the guest reached. */
    int (*reached)(void *ctx, bool all, source_page page, void *page_ctx, struct xrw_error *err);

    /* Write into the guest's memory; the pages that were written, whole, are given to page(). */
    int (*write)(void *ctx, const struct source_write *write, source_page page, void *page_ctx,
                 struct xrw_error *err);

    /* Take the guest back to where it stood before the first go; pages that do not hold what they
     * held then are given to page(). */
    int (*reset)(void *ctx, source_page page, void *page_ctx, struct xrw_error *err);

    /* Let the guest run for the first time. */
    int (*go)(void *ctx, struct xrw_error *err);

    /* Whether the guest is held at every exit, so far as it can be; else where it is asked for. */
    bool (*holds_always)(void *ctx);

    /*
     * Wait up to timeout_ms for an exit: SOURCE_EXIT with *out.  hold_in: the guest is to be held
     * at the so manieth exit from this one on, or soon after; 0: it need not be.
     */
    int (*next)(void *ctx, unsigned timeout_ms, uint64_t hold_in, struct source_exit *out,
                struct xrw_error *err);

    /* Give every page that changed since the last call (or base) to page(). */
    int (*memory)(void *ctx, source_page page, void *page_ctx, struct xrw_error *err);

    /* As xrw_read_physical, of the held guest; read_table for entries of the page tables that it
     * uses. */
    int (*read_physical)(void *ctx, xrw_gpa gpa, void *buf, size_t bytes);
    int (*read_table)(void *ctx, xrw_gpa gpa, void *buf, size_t bytes);

    /* Let the guest go on after an exit. */
    int (*resume)(void *ctx, struct xrw_error *err);

    /* The vCPU's whole context, opaque; *data is the source's, valid until the next call. */
    int (*context)(void *ctx, const void **data, size_t *bytes, struct xrw_error *err);

    /* How the guest ended, in words; after SOURCE_ENDED. */
    const char *(*end_text)(void *ctx);

    /* Pages private to the guest, for the progress line. */
    uint64_t (*private_pages)(void *ctx);

    /* Domain that is recorded. */
    uint32_t (*domain)(void *ctx);

    /* Monotonic time. */
    uint64_t (*now_ns)(void *ctx);

    /* Take everything down.  Returns 0 or the first error; all is attempted anyway. */
    int (*stop)(void *ctx, struct xrw_error *err);
};

struct source {
    const struct source_ops *ops;
    void *ctx;
};

#endif
