/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Searching for an exit at which a register has a value.  Where there is an index
 * (register_index.h) the sets of registers with that value are known.  Those that exits have for
 * the first time beyond where the search begins come in the order of the search, so the nearest is
 * enough; of those that exits had before, only the last few can come again, and each is asked for
 * its next exit.  Without an index exits are looked at one by one.
 */
#include "find.h"
#include "register_index.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* Exits looked at one by one before the index is asked. */
#define NEAR 64u

/* ---- one by one ------------------------------------------------------ */

/* Where a register of an exit `e' is to be found. */
static void locate(enum xrw_register reg, const char **from, char value[48])
{
    const char *name = xrw_register_table[reg].name;
    enum xrw_set set;

    (void)snprintf(value, 48, "s.%s", name);
    if (reg == XRW_REG_rip) {
        *from = "site s ON s.id = e.site";
    } else if (reg >= XRW_HOT_COUNT) {
        *from = "block b ON b.id = e.block CROSS JOIN sysregs s ON s.id = b.sysregs + e.d_sysregs";
    } else if (xrw_register_set_of(reg, &set)) {
        *from = set == XRW_SET_KEPT ? "kept s ON s.id = e.kept" : "work s ON s.id = e.work";
    } else {
        *from = "block s ON s.id = e.block";
        (void)snprintf(value, 48, "s.%s + e.d_%s", name, name);
    }
}

static int prepare_scan(const struct finder *finder, sqlite3_stmt **stmt)
{
    const char *from;
    char sql[320], value[48];
    int rc;

    locate(finder->filter->reg, &from, value);
    (void)snprintf(sql, sizeof sql,
                   "SELECT e.id, e.site, e.block, %s FROM exit e CROSS JOIN %s"
                   " WHERE e.id BETWEEN ?1 AND ?2 ORDER BY e.id %s",
                   value, from, finder->forward ? "" : "DESC");
    rc = sqlite3_prepare_v2(finder->store->db, sql, -1, stmt, NULL);
    return xrw_db_error(finder->store, rc, "preparing a search", finder->err);
}

static int scan(const struct finder *finder, uint64_t *left, xrw_exit_id *id)
{
    sqlite3_stmt *stmt = NULL;
    int ret = prepare_scan(finder, &stmt);

    if (!ret)
        ret = xrw_find_scan(finder, stmt, left, id);
    sqlite3_finalize(stmt);
    return ret;
}

/* ---- by index -------------------------------------------------------- */

struct search {
    const struct finder *finder;
    uint64_t reach;
    sqlite3_stmt *set_of;    /* exit ?1 */
    sqlite3_stmt *first_use; /* of set ?1 */
    sqlite3_stmt *next_set;  /* with value ?1 behind ?2; searching backward, up to ?2 */
    sqlite3_stmt *nearest;   /* exit from ?4 on, or up to ?4, of the sets ?2 to ?3 with value ?1 */
    sqlite3_stmt *site_of;   /* exit ?1, and its block */
};

XRW_PRINTF(3, 4)
static int prepare(const struct search *search, sqlite3_stmt **stmt, const char *format, ...)
{
    char sql[320];
    va_list args;
    int rc;

    va_start(args, format);
    (void)vsnprintf(sql, sizeof sql, format, args);
    va_end(args);
    rc = sqlite3_prepare_v2(search->finder->store->db, sql, -1, stmt, NULL);
    return xrw_db_error(search->finder->store, rc, "preparing a search", search->finder->err);
}

static int begin(struct search *search, enum xrw_set set)
{
    const char *table = xrw_set_tables[set];
    const char *name = xrw_register_table[search->finder->filter->reg].name;
    bool forward = search->finder->forward;
    int ret = prepare(search, &search->set_of, "SELECT %s FROM exit WHERE id = ?1", table);

    if (!ret)
        ret = prepare(search, &search->first_use,
                      "SELECT id FROM exit WHERE %s = ?1 ORDER BY id LIMIT 1", table);
    if (!ret)
        ret = prepare(search, &search->next_set,
                      "SELECT id FROM %s WHERE %s = ?1 AND id %s ?2 ORDER BY id %s LIMIT 1", table,
                      name, forward ? ">" : "<=", forward ? "" : "DESC");
    if (!ret)
        ret = prepare(search, &search->nearest,
                      "SELECT %s((SELECT e.id FROM exit e WHERE e.%s = s.id AND e.id %s ?4"
                      " ORDER BY e.id %s LIMIT 1)) FROM %s s"
                      " WHERE s.%s = ?1 AND s.id BETWEEN ?2 AND ?3",
                      forward ? "min" : "max", table, forward ? ">=" : "<=", forward ? "" : "DESC",
                      table, name);
    if (!ret)
        ret = prepare(search, &search->site_of, "SELECT site, block FROM exit WHERE id = ?1");
    return ret;
}

static void end(struct search *search)
{
    sqlite3_finalize(search->set_of);
    sqlite3_finalize(search->first_use);
    sqlite3_finalize(search->next_set);
    sqlite3_finalize(search->nearest);
    sqlite3_finalize(search->site_of);
}

/* The first column of the only row: 1, 0 if there is none or it is NULL, or an error. */
static int ask(const struct search *search, sqlite3_stmt *stmt, const uint64_t *parameters,
               unsigned count, uint64_t *answer)
{
    int ret;

    for (unsigned i = 0; i < count; i++)
        xrw_db_bind_u64(stmt, (int)i + 1, parameters[i]);
    ret = xrw_db_step(search->finder->store, stmt, "searching the exits", search->finder->err);
    if (ret == 1 && xrw_db_is_null(stmt, 0))
        ret = 0;
    if (ret == 1)
        *answer = xrw_db_u64(stmt, 0);
    sqlite3_reset(stmt);
    return ret;
}

/* Whether a set is there and an exit up to that one has it: 1, 0 or an error. */
static int is_used(const struct search *search, uint64_t set, xrw_exit_id exit)
{
    xrw_exit_id first = 0;
    int ret = ask(search, search->first_use, &set, 1, &first);

    return ret == 1 ? first <= exit : ret;
}

/* The newest set that exits up to that one have, which is there. */
static int newest_set(const struct search *search, xrw_exit_id exit, uint64_t *set)
{
    uint64_t step = 1, at = 0;
    int ret = ask(search, search->set_of, &exit, 1, &at);

    if (ret <= 0)
        return ret ? ret
                   : xrw_db_damaged(search->finder->store, "an exit is missing",
                                    search->finder->err);
    while (step <= INT64_MAX / 4 && (ret = is_used(search, at + step, exit)) == 1) {
        at += step;
        step *= 2;
    }
    for (step /= 2; ret >= 0 && step; step /= 2) {
        ret = is_used(search, at + step, exit);
        if (ret == 1)
            at += step;
    }
    *set = at;
    return ret < 0 ? ret : 0;
}

/* The nearest exit of first..last with the value: 1 with *id, 0 or an error. */
static int next_forward(const struct search *search, xrw_exit_id first, xrw_exit_id *id)
{
    uint64_t value = search->finder->filter->value, newest = 0, set, old = 0, new = 0;
    int ret = first > 1 ? newest_set(search, first - 1, &newest) : 0, found;

    if (ret)
        return ret;
    found = ask(search, search->nearest,
                (const uint64_t[]){value, newest > search->reach ? newest - search->reach : 0,
                                   newest, first},
                4, &old);
    if (found < 0)
        return found;
    ret = ask(search, search->next_set, (const uint64_t[]){value, newest}, 2, &set);
    if (ret == 1)
        ret = ask(search, search->first_use, &set, 1, &new);
    if (ret < 0)
        return ret;
    if (ret == 1 && (!found || new < old))
        old = new;
    *id = old;
    return found || ret;
}

static int next_backward(const struct search *search, xrw_exit_id last, xrw_exit_id *id)
{
    uint64_t value = search->finder->filter->value, newest, set;
    int ret = newest_set(search, last, &newest);

    if (ret)
        return ret;
    ret = ask(search, search->next_set, (const uint64_t[]){value, newest}, 2, &set);
    if (ret != 1)
        return ret;
    return ask(search, search->nearest,
               (const uint64_t[]){value, set > search->reach ? set - search->reach : 0, set, last},
               4, id);
}

/* Whether the rest of the filter matches too. */
static int rest_matches(const struct search *search, xrw_exit_id id)
{
    uint64_t site, block;
    int ret;

    xrw_db_bind_u64(search->site_of, 1, id);
    ret = xrw_db_step(search->finder->store, search->site_of, "searching the exits",
                      search->finder->err);
    if (ret != 1)
        return ret;
    site = xrw_db_u64(search->site_of, 0);
    block = xrw_db_u64(search->site_of, 1);
    sqlite3_reset(search->site_of);
    return xrw_find_row_matches(search->finder, site, block);
}

static int find(const struct search *search, xrw_exit_id *id)
{
    xrw_exit_id first = search->finder->first, last = search->finder->last, at = 0;
    int ret = 0;

    while (first <= last) {
        ret = search->finder->forward ? next_forward(search, first, &at)
                                      : next_backward(search, last, &at);
        if (ret != 1 || at < first || at > last)
            return ret < 0 ? ret : 0;
        ret = rest_matches(search, at);
        if (ret == 1)
            *id = at;
        if (ret)
            return ret;
        if (xrw_find_interrupted(search->finder))
            return -EINTR;
        if (search->finder->forward)
            first = at + 1;
        else
            last = at - 1;
    }
    return 0;
}

/* ---- both ------------------------------------------------------------ */

/* The exits there are: a search may be asked for more. */
static int clamp(struct finder *finder)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(finder->store->db, "SELECT max(id) FROM exit", -1, &stmt, NULL);
    int ret = xrw_db_error(finder->store, rc, "searching the exits", finder->err);

    if (!ret)
        ret = xrw_db_step(finder->store, stmt, "searching the exits", finder->err);
    if (ret == 1) {
        ret = 0;
        if (finder->last > xrw_db_u64(stmt, 0))
            finder->last = xrw_db_u64(stmt, 0);
    }
    sqlite3_finalize(stmt);
    if (!finder->first)
        finder->first = 1;
    return ret;
}

static int find_by_index(const struct finder *finder, enum xrw_set set, uint64_t reach,
                         xrw_exit_id *id)
{
    struct finder rest = *finder;
    struct search search = {.finder = &rest, .reach = reach};
    int ret = clamp(&rest);

    if (!ret)
        ret = begin(&search, set);
    if (!ret)
        ret = find(&search, id);
    end(&search);
    return ret;
}

int xrw_find_by_register(const struct finder *finder, xrw_exit_id *id)
{
    uint64_t reach = 0, left = UINT64_MAX;
    enum xrw_set set = XRW_SETS;
    int indexed = 0, ret;

    xrw_queue_settle(finder->store);
    if (xrw_register_set_of(finder->filter->reg, &set))
        indexed =
            xrw_register_index_find(finder->store, set, finder->filter->reg, &reach, finder->err);
    if (indexed < 0)
        return indexed;
    if (indexed)
        left = NEAR;
    ret = scan(finder, &left, id);
    return ret || left || !indexed ? ret : find_by_index(finder, set, reach, id);
}
