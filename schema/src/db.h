/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a store holds, and how its parts talk to SQLite. */
#ifndef XRW_SCHEMA_DB_H
#define XRW_SCHEMA_DB_H

#include "id_map.h"
#include "page_cache.h"
#include "statements.h"
#include "xrw/path.h"
#include "xrw/store.h"

#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

/* The writing side: what has been added, and what of it is safe. */
struct xrw_store_writer {
    bool in_run;
    bool in_transaction;
    struct xrw_run run; /* the current or last one; last_exit kept up to date */
    struct xrw_path path;
    uint64_t inputs; /* of the current run */
    xrw_exit_id committed_exit;
    uint64_t next_insn;
    uint64_t insn_rows, page_rows, sysregs_rows; /* ids given so far */
    struct xrw_id_map insns, pages, sysregs;
    bool pending;    /* memory or context of the next exit is in, the exit is not */
    bool commit_due; /* a commit was asked for while pending */
    int failed;      /* error after which nothing more is taken; 0: none */
    char failure[512];
};

/* System registers read last: most exits share a few rows. */
#define XRW_SYSREGS_CACHE 64u
struct xrw_sysregs_cache {
    uint64_t id[XRW_SYSREGS_CACHE]; /* 0: free */
    struct xrw_registers registers[XRW_SYSREGS_CACHE];
};

#define XRW_FIND_STATEMENTS 32u

/* Largest row of `context`: bounds what a recording can make a reader allocate. */
#define XRW_STORE_CONTEXT_MAX_BYTES (1u << 20)

struct xrw_store {
    sqlite3 *db;
    char *path;
    bool writable;
    bool in_query;      /* a stranger's SQL is being prepared or run */
    bool query_refused; /* the authorizer said no to it */
    sqlite3_stmt *statement[XRW_SQL_COUNT];
    sqlite3_stmt *find[XRW_FIND_STATEMENTS];
    struct xrw_store_writer writer;
    struct xrw_run last_run; /* read last; id 0: none */
    struct xrw_sysregs_cache sysregs;
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

/* ---- writing --------------------------------------------------------- */

/* Whether the store takes more; begins a transaction if none is open. */
int xrw_db_write(struct xrw_store *store, struct xrw_error *err);

/* Step a statement that writes and reset it; on failure give the transaction up for good. */
int xrw_db_insert(struct xrw_store *store, sqlite3_stmt *stmt, const char *doing,
                  struct xrw_error *err);

/* An exit that never came must not leave its memory behind: delete what is pending. */
int xrw_db_drop_pending(struct xrw_store *store, struct xrw_error *err);

/* Commit what is there, pending or not. */
int xrw_db_commit(struct xrw_store *store, struct xrw_error *err);

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

/* Run by id, from memory if it was read last. */
int xrw_db_run(struct xrw_store *store, uint64_t id, const struct xrw_run **run,
               struct xrw_error *err);

#endif
