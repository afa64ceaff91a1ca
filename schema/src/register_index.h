/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Indexes by the value of a register: of its set by value, and of exits by set.  Sets get their ids
 * in the order in which exits have them first, and one that an exit has again is at most `reach'
 * ids behind the newest then: that bounds how many of them a search has to look at.
 */
#ifndef XRW_SCHEMA_REGISTER_INDEX_H
#define XRW_SCHEMA_REGISTER_INDEX_H

#include "columns.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sqlite3;
struct xrw_store;
struct xrw_error;

#define XRW_REGISTER_INDEX_SQL_BYTES 256u

/* The table of a set. */
extern const char *const xrw_set_tables[XRW_SETS];

/* The set that a register is in: true with *set. */
bool xrw_register_set_of(enum xrw_register reg, enum xrw_set *set);

/* Make the indexes of a register. */
void xrw_register_index_sql(enum xrw_set set, enum xrw_register reg,
                            char sql[XRW_REGISTER_INDEX_SQL_BYTES]);

/* Whether the recording has them: 1 with *reach, 0 or a negative errno. */
int xrw_register_index_find(struct xrw_store *store, enum xrw_set set, enum xrw_register reg,
                            uint64_t *reach, struct xrw_error *err);

#endif
