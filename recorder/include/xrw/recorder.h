/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records the VM exits of a Xen domain's fork, or of a guest of the embedded engine. */
#ifndef XRW_RECORDER_H
#define XRW_RECORDER_H

#include "xrw/error.h"
#include "xrw/types.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How exits are taken. */
enum xrw_record_mode {
    XRW_RECORD_MODE_AUTO,  /* the first of these that the host can do */
    XRW_RECORD_MODE_PAUSE, /* the guest is held after each exit was handled; needs our patches */
    XRW_RECORD_MODE_ASYNC, /* it goes on at once, but at key frames */
    XRW_RECORD_MODE_SYNC,  /* it is held at its first exit, which is not handled; there it ends */
    XRW_RECORD_MODES
};

/* "auto", "pause", "async", "sync". */
extern const char *const xrw_record_mode_names[XRW_RECORD_MODES];

/* When memory is taken.  All but NONE take it at the start too. */
enum xrw_record_memory {
    XRW_RECORD_MEMORY_DEFAULT, /* EXIT in pause and sync mode, NONE in async */
    XRW_RECORD_MEMORY_EXIT,    /* at every exit */
    XRW_RECORD_MEMORY_EVERY,   /* at every n-th exit, or every n nanoseconds, and at the end */
    XRW_RECORD_MEMORY_END,     /* at the end */
    XRW_RECORD_MEMORY_START,   /* the base image only */
    XRW_RECORD_MEMORY_NONE,    /* not at all */
};

/* When rows are made of what is recorded; see xrw_store_make_rows_later(). */
enum xrw_record_rows {
    XRW_RECORD_ROWS_AUTO, /* later where the guest is another domain's and this host has one
                             processor for both, if it can be; else at once */
    XRW_RECORD_ROWS_NOW,
    XRW_RECORD_ROWS_LATER, /* of a single run without memory, inputs and `durable` alone */
};

/* What is written into the guest's memory before each run. */
struct xrw_record_input {
    bool physical; /* address is guest-physical; else linear, where the guest stands then */
    uint64_t address;
    const char *file; /* NULL: the run's own, of run_files */
};

struct xrw_record_progress {
    uint64_t runs;       /* begun */
    uint64_t base_pages; /* of the base image; exits come only when all are there */
    uint64_t exits;
    uint64_t private_pages; /* of the fork: copied from its parent so far */
    uint64_t file_bytes;
    double seconds;
};

/* A guest for the embedded source, run by the engine: no Xen is needed. */
struct xrw_record_machine {
    const char *kernel; /* an ELF file; NULL: a domain of Xen is recorded */
    const char *initrd, *cmdline;
    uint64_t memory_bytes; /* 2 MiB to 3 GiB */
    bool xen;              /* like a fork of a Xen domain, else like a PC: see xrw/platform.h */
    const char *cpu_of;  /* recording whose CPUID answers the guest gets; NULL: a CPU of its own */
    bool bochs_flags;    /* undefined flags as Bochs has them, else as the host's CPU */
    const char *console; /* file for what the guest prints; "-": standard output */
};

/* Texts may be NULL where not wanted; all pointers belong to the caller. */
struct xrw_store;

struct xrw_record_options {
    const char *path;
    bool overwrite;
    struct xrw_record_machine machine;
    enum xrw_record_mode mode;
    uint32_t parent; /* domain to fork, if fork is 0; else the one fork was made from, or 0 */
    uint32_t fork;   /* domain that exists, a fork or not: recorded, and paused or running
                        afterwards as before */
    bool allow_interrupts;
    bool durable; /* every batch is on the disk before the next: outlives a power loss */
    bool keep;    /* leave the fork that was made, paused */

    enum xrw_record_rows rows;

    enum xrw_record_memory memory;
    uint64_t memory_every;    /* exits, or 0: */
    uint64_t memory_every_ns; /* time */
    bool base_touched; /* of memory at the start keep only pages that a run reaches: forks alone */

    uint64_t runs; /* the guest is reset between them; 0: one */
    const struct xrw_record_input *inputs;
    size_t input_count;
    const char *const *run_files; /* as many as runs; NULL if no input needs them */

    /* Of each run: */
    uint64_t max_exits;  /* 0: no limit */
    double max_seconds;  /* 0: no limit */
    double idle_seconds; /* stop when the guest has waited for an interrupt so long; 0: never */
    bool until_rip;
    xrw_gva rip;
    int until_reason; /* basic exit reason; negative: none */

    const char *symbol_file, *guest_name, *command_line;
    const char *each_exit; /* shell command told of every exit while the fork is held; the caller
                              ignores SIGPIPE */

    const volatile sig_atomic_t *interrupted;                                /* set to end */
    void (*progress)(void *ctx, const struct xrw_record_progress *progress); /* once a second */
    void (*notice)(void *ctx, const char *text);                             /* worth a line */
    /* Once all is recorded and committed and the fork is gone, before the recording is closed: the
     * last that is written into it, which can be read through another handle meanwhile. */
    int (*finish)(void *ctx, struct xrw_store *store, struct xrw_error *err);
    void *ctx;
};

struct xrw_record_result {
    struct xrw_record_progress progress;
    double rows_seconds; /* how long it took to make rows, if they were made later; else 0 */
    char stop[32];       /* of the last run, as in struct xrw_run */
    char stop_detail[128];
};

/*
 * Record until a stop condition holds, the guest ends, or *interrupted is set.  Afterwards,
 * whatever happened, the fork that was made is gone and its parent goes on.  Blocks; calls back on
 * the same thread.  Returns 0 with *result, or a negative errno with err: -EEXIST (the file is
 * there), -ESRCH (no such domain), -EOPNOTSUPP and -ENOSYS (what this Xen cannot do), -EACCES,
 * -EBUSY, -ENOSPC, ... The recording then holds what was committed before, and is removed if no
 * exit was.
 */
int xrw_record(const struct xrw_record_options *options, struct xrw_record_result *result,
               struct xrw_error *err);

#ifdef __cplusplus
}
#endif
#endif
