/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "db.h"

#include <errno.h>
#include <string.h>

const char *const xrw_memory_names[XRW_MEMORY_POLICIES] = {
    [XRW_MEMORY_NONE] = "none", [XRW_MEMORY_EXIT] = "exit", [XRW_MEMORY_FRAMES] = "frames"};

uint64_t xrw_store_run_count(struct xrw_store *store)
{
    sqlite3_stmt *stmt;
    uint64_t count = 0;

    if (xrw_db_statement(store, XRW_SQL_RUN_COUNT, &stmt, NULL))
        return 0;
    if (xrw_db_step(store, stmt, "counting runs", NULL) == 1)
        count = xrw_db_u64(stmt, 0);
    sqlite3_reset(stmt);
    return count;
}

static int memory_policy(struct xrw_store *store, sqlite3_stmt *stmt, int column,
                         enum xrw_memory_policy *policy, struct xrw_error *err)
{
    char name[16];

    xrw_db_text(stmt, column, name, sizeof name);
    for (unsigned i = 0; i < XRW_MEMORY_POLICIES; i++)
        if (!strcmp(name, xrw_memory_names[i])) {
            *policy = (enum xrw_memory_policy)i;
            return 0;
        }
    return xrw_db_damaged(store, "a run has an unknown memory policy", err);
}

/* The row of XRW_SQL_RUN. */
static int take_run(struct xrw_store *store, sqlite3_stmt *stmt, struct xrw_run *run,
                    struct xrw_error *err)
{
    int ret = memory_policy(store, stmt, 2, &run->memory, err);

    xrw_db_text(stmt, 0, run->source, sizeof run->source);
    xrw_db_text(stmt, 1, run->mode, sizeof run->mode);
    run->vcpus = (uint32_t)xrw_db_u64(stmt, 3);
    run->interrupts = xrw_db_u64(stmt, 4) != 0;
    run->reexecutable = xrw_db_u64(stmt, 5) != 0;
    xrw_db_text(stmt, 6, run->fitness, sizeof run->fitness);
    run->domain = (uint32_t)xrw_db_u64(stmt, 7);
    run->parent = (uint32_t)xrw_db_u64(stmt, 8);
    run->start_unix_ns = xrw_db_u64(stmt, 9);
    run->end_unix_ns = xrw_db_u64(stmt, 10);
    run->first_exit = xrw_db_u64(stmt, 11);
    run->last_exit = xrw_db_u64(stmt, 12);
    xrw_db_text(stmt, 13, run->stop, sizeof run->stop);
    xrw_db_text(stmt, 14, run->stop_detail, sizeof run->stop_detail);
    run->base_run = xrw_db_u64(stmt, 15);
    run->path_known = !xrw_db_is_null(stmt, 16);
    run->path = xrw_db_u64(stmt, 16);
    if (!ret && run->base_run > run->id)
        ret = xrw_db_damaged(store, "a run is based on one that comes later", err);
    if (!ret && (run->first_exit == 0 || run->first_exit > INT64_MAX ||
                 run->last_exit > INT64_MAX || run->last_exit + 1 < run->first_exit))
        ret = xrw_db_damaged(store, "a run ends before it begins", err);
    return ret;
}

int xrw_db_run(struct xrw_store *store, uint64_t id, const struct xrw_run **run,
               struct xrw_error *err)
{
    struct xrw_run read = {.id = id};
    sqlite3_stmt *stmt;
    int ret;

    if (store->writer.run.id == id && id) {
        *run = &store->writer.run;
        return 0;
    }
    if (store->last_run.id != id || !id) {
        ret = xrw_db_statement(store, XRW_SQL_RUN, &stmt, err);
        if (ret)
            return ret;
        xrw_db_bind_u64(stmt, 1, id);
        ret = xrw_db_step(store, stmt, "reading a run", err);
        if (ret == 0)
            return xrw_error_set(err, -ENOENT, "%s: no run %llu", store->path,
                                 (unsigned long long)id);
        if (ret > 0)
            ret = take_run(store, stmt, &read, err);
        sqlite3_reset(stmt);
        if (ret)
            return ret;
        store->last_run = read;
    }
    *run = &store->last_run;
    return 0;
}

int xrw_store_input(struct xrw_store *store, uint64_t run, uint64_t n, struct xrw_input *input,
                    struct xrw_error *err)
{
    struct xrw_input read = {0};
    sqlite3_stmt *stmt;
    char space[4];
    int ret = xrw_db_statement(store, XRW_SQL_INPUT, &stmt, err);

    if (ret)
        return ret;
    xrw_db_bind_u64(stmt, 1, run);
    xrw_db_bind_u64(stmt, 2, n);
    ret = xrw_db_step(store, stmt, "reading an input", err);
    if (ret == 0)
        return xrw_error_set(err, -ENOENT, "%s: run %llu has no input %llu", store->path,
                             (unsigned long long)run, (unsigned long long)n);
    if (ret < 0)
        return ret;
    xrw_db_text(stmt, 0, space, sizeof space);
    read.physical = !strcmp(space, "gpa");
    read.address = xrw_db_u64(stmt, 1);
    xrw_db_text(stmt, 2, read.name, sizeof read.name);
    read.bytes = xrw_db_u64(stmt, 3);
    sqlite3_reset(stmt);
    *input = read;
    return 0;
}

int xrw_store_run(struct xrw_store *store, uint64_t id, struct xrw_run *run, struct xrw_error *err)
{
    const struct xrw_run *read;
    int ret;

    /* Always from the file: a run that is being recorded has grown. */
    store->last_run.id = 0;
    ret = xrw_db_run(store, id, &read, err);
    if (!ret)
        *run = *read;
    return ret;
}
