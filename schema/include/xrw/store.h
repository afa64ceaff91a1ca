/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A recording: one SQLite file.  This library is the only one that knows it is SQLite; the tables
 * and views themselves are a public interface too, described in docs/recording.md.
 *
 * Writing: create, begin a run, then for each exit in order: its memory, its insn, the exit;
 * end the run; close.  What is added is handed to a thread of the store's own, which writes and
 * commits it; a commit never splits an exit from its memory.  If that thread falls behind by more
 * than its ring holds, adding waits: nothing is dropped.  An error there is told by the next call.
 * Reading: a recording is untrusted input.  It is opened read-only, its structure is checked, and
 * nothing in it (views, triggers, functions, sizes) is trusted.
 *
 * One thread at a time per store.  All functions return 0 or a negative errno unless said
 * otherwise: -ENOENT/-ENODATA as documented, -EUCLEAN for a recording that contradicts itself,
 * -ENOSPC, -EIO as SQLite reports them.  On failure outputs are untouched and err, which may be
 * NULL, says why.
 */
#ifndef XRW_STORE_H
#define XRW_STORE_H

#include "xrw/error.h"
#include "xrw/exit.h"
#include "xrw/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define XRW_STORE_APPLICATION_ID 0x58524557 /* "XREW" */
#define XRW_STORE_FORMAT_VERSION 4          /* user_version */

struct xrw_store;

/* How densely memory was taken. */
enum xrw_memory_policy {
    XRW_MEMORY_NONE,   /* base image only, at most */
    XRW_MEMORY_EXIT,   /* exact at every exit */
    XRW_MEMORY_FRAMES, /* exact at the exits that have a row in memory_frame */
};

/* What is known of a run.  Texts are NUL-terminated; empty where not known. */
struct xrw_run {
    uint64_t id;     /* 1, 2, 3 ... */
    char source[16]; /* "xen", "machine" */
    char mode[16];   /* "pause", "async", "sync", "machine" */
    enum xrw_memory_policy memory;
    uint32_t vcpus;
    bool interrupts;        /* interrupts were allowed in the fork */
    bool reexecutable;      /* the guest is fit for re-execution: see fitness */
    char fitness[256];      /* what was checked, e.g. "rdtsc exits; rdrand hidden; ..." */
    uint32_t domain;        /* of the fork */
    uint32_t parent;        /* of its parent; 0 if not known */
    uint64_t start_unix_ns; /* wall clock at the start */
    uint64_t end_unix_ns;   /* at the end; 0 while it is not ended */
    uint64_t base_run;      /* whose base image is this one's too: an earlier run's, or, 0, the
                               one that belongs to no run; else itself */
    xrw_exit_id first_exit, last_exit; /* inclusive; first = last + 1 while empty */
    char stop[32]; /* why it stopped: "exits", "seconds", "until-rip", "until-reason", "guest-end",
                      "guest-idle", "one-exit", "interrupted", "error"; empty while it runs or when
                      it was cut off */
    char stop_detail[128]; /* in words */
    bool path_known;       /* once it has ended */
    uint64_t path;         /* hash of its path: xrw/path.h */
};

/* Data that was written into the guest's memory before a run; stored with it. */
struct xrw_input {
    bool physical; /* address is guest-physical, not linear */
    uint64_t address;
    uint64_t bytes;
    char name[256]; /* of the file it is from */
};

#define XRW_INPUT_MAX_BYTES (UINT64_C(16) << 20)

/* ---- whole files ----------------------------------------------------- */

/*
 * Create a recording at path, which must not exist (-EEXIST).  The file is a valid, empty
 * recording at once.
 */
int xrw_store_create(struct xrw_store **out, const char *path, struct xrw_error *err);

/*
 * Open a recording for reading.  err says in one or two lines what is wrong and what to do:
 * missing, a directory, not a recording, a newer format version, truncated or corrupt.
 * A recording that is still being written opens too: see xrw_store_refresh().
 */
int xrw_store_open(struct xrw_store **out, const char *path, struct xrw_error *err);

/* Close; commits what was added to one being written, and builds its indexes if no run is open.
 * NULL is allowed.  Returns 0, or the error of that; the store is gone either way. */
int xrw_store_close(struct xrw_store *store, struct xrw_error *err);

/*
 * Commit everything added so far, and wait until it is.  The store commits by itself, after many
 * exits or a quarter of a second (up to a second, where a commit takes long), so this is for
 * moments when nothing more comes.  Asked for between an exit's memory and the exit, it happens
 * when the exit is added. After a failure to write (-ENOSPC ...) the store takes nothing more and
 * says so again; what was committed before is intact, and err tells up to which exit.
 */
int xrw_store_commit(struct xrw_store *store, struct xrw_error *err);

/* Size in bytes of the file and what belongs to it (journals) on disk. */
uint64_t xrw_store_file_bytes(const struct xrw_store *store);

/* How often, and for how long in all, adding had to wait because the disk did not keep up. */
void xrw_store_stalls(const struct xrw_store *store, uint64_t *count, uint64_t *ns);

/* From now on a commit is on the disk before it counts, so that power loss loses no more than being
 * killed does.  Without it the file stays sound as long as the system goes on. */
int xrw_store_make_durable(struct xrw_store *store, struct xrw_error *err);

/*
 * From now on what is added is put into a file, PATH-ring, and rows are made of it when that is
 * nearly full, at xrw_store_commit() and at the end: on a host with one processor the guest is
 * disturbed least so.  Being killed, or a full disk, loses nothing: who opens the recording then
 * makes rows of the rest first, for which it must be writable.  Power loss loses it.  Readers
 * meanwhile see what there are rows of.
 * bytes: of that file, a power of two from 4 MiB; 0: as suits the machine.  Before the first run,
 * and not for one with memory (-EINVAL).  Fails where there is no room for the file: rows are made
 * at once then, as they are without this.
 */
int xrw_store_make_rows_later(struct xrw_store *store, size_t bytes, struct xrw_error *err);

/* Of a recording whose rows are made later: bytes recorded that have none yet; else 0. */
uint64_t xrw_store_bytes_without_rows(struct xrw_store *store);

/* See what a recorder has committed since the recording was opened.  Reading functions otherwise
 * may or may not see it. */
int xrw_store_refresh(struct xrw_store *store, struct xrw_error *err);

/* ---- meta: texts by key ---------------------------------------------- */

/* Keys in use: "program", "host_cpu", "hypervisor", "command_line", "symbol_file", "guest_name",
 * "kaslr", "closed" ("1" once ended cleanly: set by xrw_store_close() after the last run was
 * ended); see docs/recording.md.  Control characters in what is read are replaced by '?'. */
int xrw_store_set_meta(struct xrw_store *store, const char *key, const char *value,
                       struct xrw_error *err);

/* Copy the value (cut to bytes, NUL-terminated); -ENOENT if there is none. */
int xrw_store_get_meta(struct xrw_store *store, const char *key, char *value, size_t bytes);

/* ---- writing --------------------------------------------------------- */

/*
 * Begin run `run->id`, which must be the next one, with first_exit the last exit + 1 and last_exit
 * that - 1 (-EINVAL otherwise).  If it began with the same memory and context as base_run, only
 * what differs from that one's at exit 0 is added at exit 0.
 */
int xrw_store_begin_run(struct xrw_store *store, const struct xrw_run *run, struct xrw_error *err);

/* Add the next input of the run that is being recorded; the pages that it changed are added at exit
 * 0 beside it.  At most XRW_INPUT_MAX_BYTES. */
int xrw_store_add_input(struct xrw_store *store, uint64_t run, const struct xrw_input *input,
                        const void *data, struct xrw_error *err);

/* End the run: write its stop, end and path (the last exit is the last one added).
 * Memory of an exit that was not added is dropped. */
int xrw_store_end_run(struct xrw_store *store, const struct xrw_run *run, struct xrw_error *err);

/* Add an exit; its id must be the last one + 1, or 1 for the first (-EINVAL). */
int xrw_store_add_exit(struct xrw_store *store, const struct xrw_exit *exit, struct xrw_error *err);

/*
 * Add the content of a page of guest memory as it stood at exit `exit` of the run (0: at the
 * start, the base image), unless it equals the version before it; force adds it all the same
 * (a page known to be private to the fork though not changed).  page: XRW_PAGE_BYTES.
 * exit is 0, an exit of the run, or the next one.  run is the current one, or, with exit 0, 0: the
 * base image that belongs to no run (which xrw_store_add_context takes, too).  The same content
 * twice is taken once; two contents at one exit are -EINVAL.
 */
int xrw_store_add_page(struct xrw_store *store, uint64_t run, xrw_gfn gfn, xrw_exit_id exit,
                       const uint8_t *page, bool force, struct xrw_error *err);

/* Whether the current run has a version of this page, so that its base image's is not its own. */
bool xrw_store_has_own_page(const struct xrw_store *store, xrw_gfn gfn);

/* Say that all of memory is as recorded at this exit (XRW_MEMORY_FRAMES). */
int xrw_store_add_memory_frame(struct xrw_store *store, uint64_t run, xrw_exit_id exit,
                               struct xrw_error *err);

/*
 * Add part of a vCPU's context at an exit (0: at the start of the run).  kind: "fxsave"
 * (XRW_FXSAVE_BYTES, added when it changed: valid until the next row), "hvm" (Xen's whole HVM save
 * record, opaque).
 */
int xrw_store_add_context(struct xrw_store *store, uint64_t run, xrw_exit_id exit, uint32_t vcpu,
                          const char *kind, const void *data, size_t bytes, struct xrw_error *err);

/*
 * Add the instruction at an exit site: bytes as they stood at rip in address space cr3 in the
 * mode (64, 32, 16), with its disassembly.  The same (rip, bytes, mode) is stored once; *insn is
 * its id, to be given to xrw_store_set_next_insn() before each exit there.
 */
int xrw_store_add_insn(struct xrw_store *store, xrw_gva rip, unsigned mode, const uint8_t *code,
                       size_t bytes, const char *text, uint64_t *insn, struct xrw_error *err);

/* Name the instruction of the exit that is added next.  0: not known. */
void xrw_store_set_next_insn(struct xrw_store *store, uint64_t insn);

/* ---- reading --------------------------------------------------------- */

/* Number of runs. */
uint64_t xrw_store_run_count(struct xrw_store *store);

/* Run by id; -ENOENT.  For a run that was cut off last_exit is what has been committed. */
int xrw_store_run(struct xrw_store *store, uint64_t id, struct xrw_run *run, struct xrw_error *err);

/* Input n (1, 2 ...) of a run; 0 with *input, or -ENOENT. */
int xrw_store_input(struct xrw_store *store, uint64_t run, uint64_t n, struct xrw_input *input,
                    struct xrw_error *err);

/* Exit by id; -ENOENT. */
int xrw_store_exit(struct xrw_store *store, xrw_exit_id id, struct xrw_exit *exit,
                   struct xrw_error *err);

/* Bytes and text of the instruction at exit id; -ENOENT if not recorded.  code: at least 15
 * bytes, *bytes their number; text may be NULL. */
int xrw_store_insn(struct xrw_store *store, xrw_exit_id id, uint8_t *code, size_t *bytes,
                   char *text, size_t text_bytes, struct xrw_error *err);

/*
 * Content of a guest page as it stood at exit `exit` of the run (after the hypervisor handled it;
 * 0: at the start).  -ENODATA if that is not known: not recorded, not RAM, or between two frames
 * and possibly changed.  *since, if not NULL: the exit at which this content was first seen
 * (0: base image).
 */
int xrw_store_page(struct xrw_store *store, uint64_t run, xrw_gfn gfn, xrw_exit_id exit,
                   uint8_t *page, xrw_exit_id *since, struct xrw_error *err);

/*
 * The next (forward) or previous exit after/before `from`, itself excluded, at which a new
 * version of the page was recorded.  1 with *exit; 0 if there is none.
 */
int xrw_store_find_page_change(struct xrw_store *store, uint64_t run, xrw_gfn gfn, xrw_exit_id from,
                               bool forward, xrw_exit_id *exit, struct xrw_error *err);

/*
 * The first page, from *gfn on, of which a new version was recorded at that exit.  1 with *gfn; 0
 * if there is none.
 */
int xrw_store_next_changed_page(struct xrw_store *store, uint64_t run, xrw_exit_id exit,
                                xrw_gfn *gfn, struct xrw_error *err);

/*
 * The part of a vCPU's context of that kind which was recorded last as of an exit of the run (0: at
 * its start).  *data is the caller's to free.  Returns 0; -ENODATA; -ENOMEM.
 */
int xrw_store_context(struct xrw_store *store, uint64_t run, const char *kind, uint32_t vcpu,
                      xrw_exit_id exit, uint8_t **data, size_t *bytes, struct xrw_error *err);

/* FXSAVE image valid at exit id on its vCPU; -ENODATA. */
int xrw_store_fxsave(struct xrw_store *store, xrw_exit_id id, uint8_t *fxsave,
                     struct xrw_error *err);

/* Which exits to look for; an unset member matches all. */
struct xrw_exit_filter {
    bool by_reason;
    unsigned reason; /* basic reason; its xrw_reason_twin() matches too */
    bool by_rip;
    xrw_gva rip_first, rip_last; /* inclusive */
    bool by_vcpu;
    uint32_t vcpu;
    bool by_register;
    enum xrw_register reg; /* known at the exit, before its handling, and of that value: */
    uint64_t value;
    bool guest_only; /* leave the host's exits out (xrw_exit_is_host) */
};

/*
 * The next or previous exit that matches, `from` itself excluded, within first..last inclusive.
 * 1 with *id; 0 if there is none; -EINTR if interrupted() said true (it is asked now and then;
 * may be NULL).
 */
int xrw_store_find_exit(struct xrw_store *store, const struct xrw_exit_filter *filter,
                        xrw_exit_id from, bool forward, xrw_exit_id first, xrw_exit_id last,
                        bool (*interrupted)(void *ctx), void *ctx, xrw_exit_id *id,
                        struct xrw_error *err);

/*
 * Index a closed recording by the values of a general register, cr2, cr3 or rflags, so that a
 * search for one does not look at every exit; the file grows.  Again does no harm.  Returns 0,
 * -EINVAL for a register of which there is no such index (rip is indexed anyway), -EBUSY while it
 * is being recorded, or what the file system or SQLite reported.
 */
int xrw_store_index_register(const char *path, enum xrw_register reg, struct xrw_error *err);

/* An address space in which exits were: a value of CR3, and of the registers that decide how page
 * tables are read. */
struct xrw_space {
    struct xrw_registers registers;    /* cr3, cr0, cr4 and efer alone */
    xrw_exit_id first_exit, last_exit; /* of the recording */
};

/* Address space n (1, 2 ...): 0 with *space, or -ENOENT after the last one. */
int xrw_store_space(struct xrw_store *store, uint64_t n, struct xrw_space *space,
                    struct xrw_error *err);

/* A result row of xrw_store_query(): texts as the sqlite3 shell prints them, NULL for NULL. */
typedef int (*xrw_store_row)(void *ctx, int columns, const char *const *names,
                             const char *const *values);

/*
 * Run one SELECT (anything that would write, attach or load is refused: -EPERM).  row is called
 * for each row; it ends the query by returning nonzero, which is returned.  At most max_rows rows
 * (then -EOVERFLOW) and max_ms milliseconds (then -ETIMEDOUT).  -EINVAL: wrong SQL; err has
 * SQLite's words.  Values are what the file holds, control characters included: clean them for a
 * terminal.
 */
int xrw_store_query(struct xrw_store *store, const char *sql, uint64_t max_rows, unsigned max_ms,
                    xrw_store_row row, void *ctx, struct xrw_error *err);

/* ---- checking -------------------------------------------------------- */

struct xrw_check_options {
    void (*problem)(void *ctx, const char *problem); /* told of each; one line; may be NULL */
    bool (*interrupted)(void *ctx);                  /* asked now and then; may be NULL */
    void *ctx;
};

struct xrw_check_result {
    uint64_t problems, runs, exits, pages;
};

/*
 * Check that an open recording is whole: SQLite's structure, that runs and exits are complete and
 * in order, that everything they refer to is there and counts are right, and that every page has
 * the content that its hash says.  Reads all of it.  Returns 0 with *result, whatever the problems;
 * -EINTR; an error that kept it from being checked.
 */
int xrw_store_check(struct xrw_store *store, const struct xrw_check_options *options,
                    struct xrw_check_result *result, struct xrw_error *err);

#ifdef __cplusplus
}
#endif
#endif
