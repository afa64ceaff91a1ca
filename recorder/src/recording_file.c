/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _POSIX_C_SOURCE 200809L
#include "recording_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int recording_check_path(const struct xrw_record_options *options, struct xrw_error *err)
{
    if (!options->overwrite && !access(options->path, F_OK))
        return xrw_error_set(
            err, -EEXIST, "%s exists already\nchoose another name, or give --force", options->path);
    return 0;
}

int recording_remove(const char *path)
{
    static const char *const suffixes[] = {"-wal", "-shm", "-journal", "-ring"};
    char name[4096];

    if (unlink(path) && errno != ENOENT)
        return -errno;
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        if (snprintf(name, sizeof name, "%s%s", path, suffixes[i]) < (int)sizeof name)
            (void)unlink(name);
    return 0;
}

static int set_one_meta(void *ctx, const char *key, const char *value, struct xrw_error *err)
{
    return xrw_store_set_meta(ctx, key, value, err);
}

static int set_meta(const struct xrw_record_options *options, const struct source *source,
                    struct xrw_store *store, struct xrw_error *err)
{
    const struct {
        const char *key, *value;
    } texts[] = {
        {"program", "xenrewind " XENREWIND_VERSION},
        {"command_line", options->command_line},
        {"symbol_file", options->symbol_file},
        {"guest_name", options->guest_name},
        {"base", options->base_touched ? "touched" : NULL},
    };
    int rc = 0;

    for (size_t i = 0; i < sizeof texts / sizeof *texts && !rc; i++)
        if (texts[i].value)
            rc = xrw_store_set_meta(store, texts[i].key, texts[i].value, err);
    return rc ? rc : source->ops->meta(source->ctx, set_one_meta, store, err);
}

int recording_create(const struct xrw_record_options *options, const struct source *source,
                     struct xrw_store **store, struct xrw_error *err)
{
    int rc = options->overwrite ? recording_remove(options->path) : 0;

    if (rc)
        return xrw_error_set(err, rc, "cannot replace %s: %s", options->path, strerror(-rc));
    rc = xrw_store_create(store, options->path, err);
    if (!rc && options->durable)
        rc = xrw_store_make_durable(*store, err);
    return rc ? rc : set_meta(options, source, *store, err);
}
