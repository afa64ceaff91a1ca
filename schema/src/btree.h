/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of a table of integers by their id, straight from the pages of the file.  In a file larger
 * than any cache that is twice as fast as asking SQLite, which does more for each page than is
 * needed here.  What is not as it is in all recordings is left to SQLite, and so are all errors:
 * whoever gets no row here has to ask it.
 */
#ifndef XRW_SCHEMA_BTREE_H
#define XRW_SCHEMA_BTREE_H

#include <stdbool.h>
#include <stdint.h>

struct sqlite3;
struct xrw_btree;

enum xrw_btree_table {
    XRW_BTREE_EXIT,
    XRW_BTREE_BLOCK,
    XRW_BTREE_KEPT,
    XRW_BTREE_WORK,
    XRW_BTREE_TABLES
};

/* A reader of the main database, which cannot change as long as the caller's transaction is open.
 * NULL: no memory, or the file is of a kind that is left to SQLite (WAL mode, pages of another
 * size).  The connection must outlive it. */
struct xrw_btree *xrw_btree_create(struct sqlite3 *db);
void xrw_btree_destroy(struct xrw_btree *tree);

/*
 * Columns 1 to `columns` of the row with that id, which is column 0: integers, and null where they
 * are NULL, with value 0.  A column that the row leaves out is not touched.  Returns whether there
 * was such a row; if not, what was written is void.  tree may be NULL: there is none.
 */
bool xrw_btree_row(struct xrw_btree *tree, enum xrw_btree_table table, uint64_t id,
                   unsigned columns, int64_t *value, bool *null);

#endif
