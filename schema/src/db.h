/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a store holds, and how its parts talk to SQLite. */
#ifndef XRW_SCHEMA_DB_H
#define XRW_SCHEMA_DB_H

#include "batch.h"
#include "btree.h"
#include "gfn_versions.h"
#include "id_map.h"
#include "image.h"
#include "packed.h"
#include "page_cache.h"
#include "ring.h"
#include "ring_file.h"
#include "statements.h"
#include "xrw/path.h"
#include "xrw/store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

/* Ids of the sets of registers that were seen last, by a hash of their values. */
#define XRW_RECENT_SETS 65536u
struct xrw_recent_sets {
    struct xrw_id_map_entry entry[XRW_SETS][XRW_RECENT_SETS];
};

/* What exits at a place had lately: most are as the one before. */
#define XRW_LATELY 256u
struct xrw_lately {
    uint64_t id; /* of the site; 0: free */
    uint64_t set_id[XRW_SETS];
    struct xrw_site site;
    struct xrw_register_set set[XRW_SETS];
};

/* The writing side as its caller's thread sees it: what has been handed to the writing thread. */
struct xrw_store_writer {
    bool in_run;
    struct xrw_run run; /* the current or last one; last_exit kept up to date */
    struct xrw_path path;
    uint64_t inputs; /* of the current run */
    uint64_t next_insn;
    /* Ids given so far. */
    uint64_t insn_rows, page_rows, sysregs_rows, site_rows, space_rows, set_rows[XRW_SETS];
    struct xrw_id_map insns, pages, sysregs, sites, spaces;
    struct xrw_recent_sets *recent;
    struct xrw_lately *lately;                               /* XRW_LATELY of them */
    uint64_t last_space, last_space_sysregs, last_space_cr3; /* of the last exit; id 0: none */
    struct xrw_gfn_versions versions;                        /* of the current run */
    struct xrw_gfn_versions base;                            /* of base_run at exit 0 */
    uint64_t base_run;
    uint64_t last_sysregs;               /* id of the system registers of the last exit; 0: none */
    struct xrw_registers last_registers; /* these */
    uint64_t last_system_id, last_system_row; /* of the last exit that came with such a number */
    bool pending;    /* memory or context of the next exit is in, the exit is not */
    bool commit_due; /* a commit was asked for while pending */
    bool settled;    /* the writing thread rests: SQLite may be called from here */
    bool started;    /* there is a writing thread */
    pthread_t thread;
    struct xrw_ring *ring;
    struct xrw_ring_file ring_file; /* if rows are made later */
};

/* Rows that count exits, by id, and those that the file does not have up to date. */
struct xrw_count {
    uint64_t exits, last;
    bool dirty;
};
struct xrw_counts {
    struct xrw_count *count;
    uint64_t *dirty;
    size_t rows, capacity, dirty_rows;
};

/* The tables that get most rows. */
enum xrw_bulk { XRW_BULK_EXIT, XRW_BULK_KEPT, XRW_BULK_WORK, XRW_BULKS };

/* The writing thread's side; the caller's while that rests. */
struct xrw_store_drain {
    bool in_transaction;
    struct xrw_run run;         /* the one being recorded; id 0: none */
    bool run_written;           /* it has a row */
    xrw_exit_id applied_exit;   /* taken from the ring */
    xrw_exit_id committed_exit; /* safe */
    uint64_t last_block;
    uint64_t uncommitted; /* exits */
    uint64_t last_commit_ns;
    uint64_t commit_ns; /* from that to the next */
    bool half;          /* what came after the last exit belongs to the next one */
    struct xrw_batch *batch;
    struct xrw_image *image[XRW_BULKS]; /* NULL: rows are bound and stepped */
    bool may_copy, image_tried;
    struct xrw_counts site_counts, space_counts;
    uint32_t *page_base; /* by page id: the page that it is a difference from; 0: whole */
    size_t page_capacity;
    _Atomic int failed; /* error after which nothing more is taken; 0: none */
    char failure[512];  /* set before that */
};

/* System registers read last: most exits share a few rows. */
#define XRW_SYSREGS_CACHE 64u
struct xrw_sysregs_cache {
    uint64_t id[XRW_SYSREGS_CACHE]; /* 0: free */
    struct xrw_registers registers[XRW_SYSREGS_CACHE];
};

/* Blocks and sites read last. */
#define XRW_BLOCK_CACHE 64u
struct xrw_block_cache {
    struct xrw_block block[XRW_BLOCK_CACHE]; /* id 0: free */
    uint64_t run[XRW_BLOCK_CACHE];
};

#define XRW_SITE_CACHE 1024u
struct xrw_site_cache {
    uint64_t id[XRW_SITE_CACHE]; /* 0: free */
    struct xrw_site site[XRW_SITE_CACHE];
};

#define XRW_SET_CACHE 1024u
struct xrw_set_cache {
    uint64_t id[XRW_SETS][XRW_SET_CACHE]; /* 0: free */
    struct xrw_register_set set[XRW_SETS][XRW_SET_CACHE];
};

#define XRW_FIND_STATEMENTS 4u

/* Largest row of `context`: bounds what a recording can make a reader allocate. */
#define XRW_STORE_CONTEXT_MAX_BYTES (1u << 20)

struct xrw_site_index;

struct xrw_store {
    sqlite3 *db;
    char *path;
    bool writable;
    bool in_query;      /* a stranger's SQL is being prepared or run */
    bool query_refused; /* the authorizer said no to it */
    sqlite3_stmt *statement[XRW_SQL_COUNT];
    sqlite3_stmt *find[XRW_FIND_STATEMENTS];
    struct xrw_store_writer writer;
    struct xrw_store_drain drain;
    struct xrw_btree *btree; /* NULL: rows are read by SQLite */
    struct xrw_run last_run; /* read last; id 0: none */
    struct xrw_sysregs_cache sysregs;
    struct xrw_block_cache blocks;
    struct xrw_site_cache sites;
    struct xrw_set_cache sets;
    struct xrw_site_index *site_index;
    struct xrw_page_cache *pages;
};

/* Set err from a result code of SQLite and the connection's message; doing: "reading an exit".
 * Returns the negative errno that stands for it, or 0 for SQLITE_OK. */
int xrw_db_error(const struct xrw_store *store, int rc, const char *doing, struct xrw_error *err);

/* Set err for a recording that contradicts itself; returns -EUCLEAN. */
int xrw_db_damaged(const struct xrw_store *store, const char *what, struct xrw_error *err);

/* The prepared statement, ready to be bound; 0 or a negative errno. */
int xrw_db_statement(struct xrw_store *store, enum xrw_statement which, sqlite3_stmt **out,
                     struct xrw_error *err);

/* Step a statement that reads and gives at most one row of interest.  1: there is a row, to be
 * followed by sqlite3_reset() once its columns have been taken; 0: none; negative: error. */
int xrw_db_step(struct xrw_store *store, sqlite3_stmt *stmt, const char *doing,
                struct xrw_error *err);

/* Execute SQL text without parameters. */
int xrw_db_exec(struct xrw_store *store, const char *sql, const char *doing, struct xrw_error *err);

void xrw_db_bind_u64(sqlite3_stmt *stmt, int parameter, uint64_t value);
void xrw_db_bind_known(sqlite3_stmt *stmt, int parameter, bool known, uint64_t value);
/* The text must live until the statement is reset. */
void xrw_db_bind_text(sqlite3_stmt *stmt, int parameter, const char *text);
uint64_t xrw_db_u64(sqlite3_stmt *stmt, int column);
bool xrw_db_is_null(sqlite3_stmt *stmt, int column);
/* Copy a text column, cut to bytes, without control characters; empty for NULL. */
void xrw_db_text(sqlite3_stmt *stmt, int column, char *text, size_t bytes);

/* ---- writing: what the caller's thread does -------------------------- */

/* Whether the store takes more. */
int xrw_db_writable(struct xrw_store *store, struct xrw_error *err);

/* As that, and ready for SQL from this thread, in a transaction. */
int xrw_db_write(struct xrw_store *store, struct xrw_error *err);

/* Room for a record for the writing thread, which is started if need be; NULL, with err, if it
 * cannot be. */
void *xrw_queue_reserve(struct xrw_store *store, size_t bytes, struct xrw_error *err);
void xrw_queue_push(struct xrw_store *store);
void xrw_queue_push_all(struct xrw_store *store, size_t bytes); /* see xrw_ring_push_all() */

/* The error of that. */
int xrw_queue_refused(const struct xrw_store *store);

/* Wait until the writing thread has done everything that was pushed and rests. */
void xrw_queue_settle(struct xrw_store *store);

/* End the writing thread. */
void xrw_queue_stop(struct xrw_store *store);

/* Leave one file that needs no WAL, so that it can be read anywhere.  Where a reader still holds
 * it, the WAL stays, which is not an error. */
void xrw_db_leave_wal(struct xrw_store *store);

/* Open a recording, whose structure is ours, so that rows or indexes can be added. */
int xrw_db_open_to_add(struct xrw_store **store, const char *path, struct xrw_error *err);

/* Make rows of what a recorder that was killed has left in its ring's file, and remove that; 0 too
 * if there is none, or the recorder is at work still. */
int xrw_db_recover(const char *path, struct xrw_error *err);

/* Key of the meta text that names the ring in a file, and says up to where there are rows of it. */
#define XRW_META_RING "ring"

/* Set it, in the transaction. */
int xrw_drain_ring(struct xrw_store *store, const struct xrw_ring_file *file, uint64_t position,
                   struct xrw_error *err);

/* Close it and free everything. */
void xrw_db_release(struct xrw_store *store);

/* ---- writing: what the writing thread does, or the caller's while it rests --------------------
 */

/* Take everything from the ring until it ends. */
void *xrw_drain_thread(void *store);

/* Begin a transaction if none is open. */
int xrw_drain_begin(struct xrw_store *store, struct xrw_error *err);

/* Step a statement that writes and reset it; on failure give the transaction up for good. */
int xrw_db_insert(struct xrw_store *store, sqlite3_stmt *stmt, const char *doing,
                  struct xrw_error *err);

/* As that for what is not a statement of ours: rc is SQLite's result code. */
int xrw_drain_result(struct xrw_store *store, int rc, const char *doing, struct xrw_error *err);

/* Within the transaction that makes the structure, when there is as little as possible of it: get
 * ready to copy rows from images. */
int xrw_drain_prepare_images(struct xrw_store *store, struct xrw_error *err);

/* Turn the exits of the batch into rows. */
int xrw_drain_batch(struct xrw_store *store, struct xrw_error *err);

/* Commit what is there, pending or not. */
int xrw_db_commit(struct xrw_store *store, struct xrw_error *err);

/* Any record. */
int xrw_drain_record(struct xrw_store *store, const struct xrw_ring_record *record,
                     struct xrw_error *err);

/* One record each. */
int xrw_drain_exit(struct xrw_store *store, const struct xrw_packed_exit *packed,
                   struct xrw_error *err);
int xrw_drain_sysregs(struct xrw_store *store, const struct xrw_packed_sysregs *packed,
                      struct xrw_error *err);
int xrw_drain_site(struct xrw_store *store, const struct xrw_packed_site *packed,
                   struct xrw_error *err);
int xrw_drain_space(struct xrw_store *store, const struct xrw_packed_space *packed,
                    struct xrw_error *err);
int xrw_drain_set(struct xrw_store *store, const struct xrw_packed_set *packed,
                  struct xrw_error *err);
int xrw_drain_insn(struct xrw_store *store, const struct xrw_packed_insn *packed,
                   struct xrw_error *err);
int xrw_drain_page(struct xrw_store *store, const struct xrw_packed_page *packed,
                   struct xrw_error *err);
int xrw_drain_version(struct xrw_store *store, const struct xrw_packed_version *packed,
                      struct xrw_error *err);
int xrw_drain_frame(struct xrw_store *store, const struct xrw_packed_frame *packed,
                    struct xrw_error *err);
int xrw_drain_context(struct xrw_store *store, const struct xrw_packed_context *packed,
                      struct xrw_error *err);

int xrw_drain_begin_run(struct xrw_store *store, const struct xrw_packed_run *packed,
                        struct xrw_error *err);
int xrw_drain_end_run(struct xrw_store *store, const struct xrw_packed_run *packed,
                      struct xrw_error *err);
/* data: packed->input.bytes of it. */
int xrw_drain_input(struct xrw_store *store, const struct xrw_packed_input *packed,
                    const void *data, struct xrw_error *err);

/* An exit that never came must not leave its memory behind. */
int xrw_drain_drop(struct xrw_store *store, uint64_t run, xrw_exit_id exit, struct xrw_error *err);

/* The row of the run that is being recorded says how far it goes, so that one that is cut off needs
 * no repair. */
int xrw_drain_run(struct xrw_store *store, struct xrw_error *err);

/* Rows that are complete but in an image still. */
int xrw_drain_images(struct xrw_store *store, struct xrw_error *err);

/* Count an exit in a row, which was added as the next one if it is above all; ids of rows begin
 * with 1. */
int xrw_drain_count(struct xrw_counts *counts, uint64_t id, xrw_exit_id exit);

/* Write the counts that changed. */
int xrw_drain_counts(struct xrw_store *store, struct xrw_error *err);

/* ---- reading --------------------------------------------------------- */

/* Limits, flags and authorizer for a file that is not trusted. */
int xrw_db_distrust(struct xrw_store *store, struct xrw_error *err);

/* Whether the structure is exactly that of this format. */
int xrw_db_verify(struct xrw_store *store, struct xrw_error *err);

/* Authorizer: lets a stranger's SQL read and nothing else.  arg: the store. */
int xrw_query_authorize(void *arg, int action, const char *a, const char *b, const char *database,
                        const char *trigger);

/* What run.memory says for each enum xrw_memory_policy. */
#define XRW_MEMORY_POLICIES 3u
extern const char *const xrw_memory_names[XRW_MEMORY_POLICIES];

/* The row of `site` or `block`; valid until the next is read. */
int xrw_db_site(struct xrw_store *store, uint64_t id, const struct xrw_site **site,
                struct xrw_error *err);
int xrw_db_block(struct xrw_store *store, uint64_t id, const struct xrw_block **block,
                 uint64_t *run, struct xrw_error *err);

/* Forget what was read of a recording that has grown since. */
void xrw_db_forget(struct xrw_store *store);

/* Content of a page by its id. */
int xrw_db_page(struct xrw_store *store, uint64_t id, uint8_t *page, struct xrw_error *err);

/* The context of a kind that is valid at an exit: 1 with *stmt at its data, to be reset by the
 * caller; 0: none; or a negative errno. */
int xrw_db_context(struct xrw_store *store, uint64_t run, const char *kind, uint32_t vcpu,
                   xrw_exit_id exit, sqlite3_stmt **stmt, struct xrw_error *err);

/* Run by id, from memory if it was read last. */
int xrw_db_run(struct xrw_store *store, uint64_t id, const struct xrw_run **run,
               struct xrw_error *err);

#endif
