/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The runs of a recording together: which took the same path, and where two of them part. */
#ifndef XRW_RUNS_H
#define XRW_RUNS_H

#include "xrw/error.h"
#include "xrw/exit.h"
#include "xrw/insn.h"
#include "xrw/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- all of them ----------------------------------------------------- */

struct xrw_runs_entry {
    uint64_t run, exits;
    bool path_known; /* false: the run is not ended, or was cut off */
    uint64_t path;
    uint64_t same_as; /* the first run that took this path; 0 if the path is not known */
};

/* Runs that took one path. */
struct xrw_runs_path {
    uint64_t path;
    uint64_t runs, first;
    bool stops_differ; /* some stopped for another reason than the first */
};

struct xrw_runs {
    size_t count, path_count, input_width;
    struct xrw_runs_entry *entry; /* by run */
    struct xrw_runs_path *path;   /* most frequent first */
};

/* Gather.  Returns 0; -ENOMEM; what the store reports. */
int xrw_runs_read(struct xrw_store *store, struct xrw_runs *runs, struct xrw_error *err);
void xrw_runs_deinit(struct xrw_runs *runs);

/* The names of a run's inputs, with blanks between; cut to bytes.  0 or what the store reports. */
int xrw_runs_inputs(struct xrw_store *store, uint64_t run, char *text, size_t bytes,
                    struct xrw_error *err);

/* A line a run; a line a path. */
int xrw_runs_print(struct xrw_store *store, const struct xrw_runs *runs, FILE *out,
                   struct xrw_error *err);
int xrw_runs_print_paths(struct xrw_store *store, const struct xrw_runs *runs, FILE *out,
                         struct xrw_error *err);

/* ---- two of them ----------------------------------------------------- */

struct xrw_run_diff {
    struct xrw_run run[2];
    uint64_t common; /* exits of the path (xrw/path.h) that both took alike, before they part */
    bool parted;     /* else both took the same path to its end */
    struct xrw_exit exit[2]; /* the first that are not alike; id 0: that run has no more */
    bool registers_differ;
    struct xrw_exit data[2]; /* of the alike ones, the first at which a register differs */
};

/* Compare.  Returns 0; -ENOENT if there is no such run; what the store reports. */
int xrw_run_diff(struct xrw_store *store, uint64_t a, uint64_t b, struct xrw_run_diff *diff,
                 struct xrw_error *err);

/* Print it, side by side. */
int xrw_run_diff_print(struct xrw_store *store, struct xrw_disassembler *disassembler,
                       const struct xrw_run_diff *diff, FILE *out, struct xrw_error *err);

#ifdef __cplusplus
}
#endif
#endif
