/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of a table as a database image in memory, from which SQLite copies them cell by cell: its
 * transfer optimisation, for `INSERT INTO main.t SELECT * FROM src.t` where both tables are
 * declared alike and have no index.  SQLite does all writing of the recording itself; the page
 * sizes of the two may differ.
 */
#ifndef XRW_SCHEMA_IMAGE_H
#define XRW_SCHEMA_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sqlite3;
struct xrw_image;

#define XRW_IMAGE_PAGE_BYTES 16384u

/* create_table: the declaration of the table, which is the only one in the image.  NULL: no memory,
 * or this SQLite cannot do it. */
struct xrw_image *xrw_image_create(const char *create_table);
void xrw_image_destroy(struct xrw_image *image);

/* Rows in it. */
size_t xrw_image_rows(const struct xrw_image *image);

/* Room for a record of up to `bytes` (below a quarter of a page): where to write it; NULL if the
 * image is full. */
uint8_t *xrw_image_reserve(struct xrw_image *image, size_t bytes);

/* The record was written, and is the row of that id, above all before. */
void xrw_image_add(struct xrw_image *image, uint64_t rowid, size_t bytes);

/* Copy all rows into the table of that name of the database, as part of its transaction, and empty
 * the image.  Returns an SQLite result code. */
int xrw_image_flush(struct xrw_image *image, struct sqlite3 *db, const char *table);

#endif
