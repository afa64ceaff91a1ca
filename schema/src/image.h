/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of a table as a database image in memory, from which SQLite copies them cell by cell: its
 * transfer optimisation, for `INSERT INTO main.t SELECT * FROM src.t` where both tables are
 * declared alike and have no index.  SQLite does all writing of the recording itself; the page
 * sizes of the two may differ.
 *
 * Into a table that declares a key, it looks for each id before it adds the row, from the root
 * down: a third of the work.  So the rows are copied by an alias, `t_by_order`, which has the same
 * root page but declares no key: each row gets the id after the highest.  The alias stands in
 * sqlite_schema only within the transaction in which it is made; after that this connection alone
 * knows of it, until it reads the structure again.
 */
#ifndef XRW_SCHEMA_IMAGE_H
#define XRW_SCHEMA_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sqlite3;
struct xrw_image;

#define XRW_IMAGE_PAGE_BYTES 16384u

/* Make the aliases of these tables, in a transaction for writing; all at once, as those made before
 * are gone.  The connection reads the structure anew.  *made: false if this SQLite cannot do it.
 * Returns an SQLite result code: if it is not SQLITE_OK, the transaction may not be committed. */
int xrw_image_prepare(struct sqlite3 *db, const char *const *tables, unsigned count, bool *made);

/* For rows of one of them; a database in memory is attached to db as `src`.  NULL: no memory, or
 * this SQLite cannot do it. */
struct xrw_image *xrw_image_create(struct sqlite3 *db, const char *table);
void xrw_image_destroy(struct xrw_image *image);

/* Rows in it. */
size_t xrw_image_rows(const struct xrw_image *image);

/* Room for a record of up to `bytes` (below a quarter of a page): where to write it; NULL if the
 * image is full. */
uint8_t *xrw_image_reserve(struct xrw_image *image, size_t bytes);

/* The record was written, and is the row of that id: that after the last one of the table. */
void xrw_image_add(struct xrw_image *image, uint64_t rowid, size_t bytes);

/* Copy all rows into the table, as part of its transaction, and empty the image.  Returns an SQLite
 * result code, or that they did not follow the rows of the table: nothing of it may be committed.
 */
#define XRW_IMAGE_OUT_OF_ORDER (-1)
int xrw_image_flush(struct xrw_image *image);

#endif
