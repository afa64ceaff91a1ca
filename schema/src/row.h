/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A row of `exit` in the making, and as SQLite stores it. */
#ifndef XRW_SCHEMA_ROW_H
#define XRW_SCHEMA_ROW_H

#include "columns.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The values of the columns of one row; null: NULL. */
struct xrw_row {
    int64_t value[XRW_EXIT_COLUMN_COUNT];
    bool null[XRW_EXIT_COLUMN_COUNT];
    unsigned used; /* columns before this one are needed; the others have their default */
};

/* All columns of `exit` as they are where a row leaves them out: NULL, or 0. */
void xrw_row_clear(struct xrw_row *row);

/* Longest record of a row: header and values. */
#define XRW_ROW_MAX_BYTES (2u + 9u * XRW_EXIT_COLUMN_COUNT + 8u)

/* Bytes that SQLite needs for the value. */
unsigned xrw_row_value_bytes(int64_t value);

/*
 * Write the row as an SQLite record, the rowid column first as NULL; returns its bytes.
 * Source: SQLite, "Database File Format", section "Record Format".
 */
size_t xrw_row_encode(const struct xrw_row *row, uint8_t *record);

/* Write v as SQLite's variable-length integer; returns its bytes (1 to 9). */
size_t xrw_row_put_varint(uint8_t *to, uint64_t v);

#endif
