/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the searches share. */
#ifndef XRW_SCHEMA_FIND_H
#define XRW_SCHEMA_FIND_H

#include "db.h"

struct finder {
    struct xrw_store *store;
    const struct xrw_exit_filter *filter;
    bool forward;
    xrw_exit_id first, last; /* inclusive */
    bool (*interrupted)(void *ctx);
    void *ctx;
    struct xrw_error *err;
};

/* Whether the search is to end: sets err. */
bool xrw_find_interrupted(const struct finder *finder);

/* Whether an exit of that site and block matches, register values aside: 1, 0 or an error. */
int xrw_find_row_matches(const struct finder *finder, uint64_t site, uint64_t block);

/* Look at exits one by one, at most *left.  stmt has them between its parameters 1 and 2, from the
 * near end on: id, site, block, and where the filter is by a register, that.  1 with *id, 0 or an
 * error; *left becomes 0 if there are more. */
int xrw_find_scan(const struct finder *finder, sqlite3_stmt *stmt, uint64_t *left, xrw_exit_id *id);

/* The nearest exit that matches where the filter is by a register: 1 with *id, 0 or an error. */
int xrw_find_by_register(const struct finder *finder, xrw_exit_id *id);

#endif
