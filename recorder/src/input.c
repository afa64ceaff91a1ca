/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _POSIX_C_SOURCE 200809L
#include "input.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *file_of(const struct xrw_record_options *options,
                           const struct xrw_record_input *input, uint64_t run)
{
    return input->file ? input->file : options->run_files[run - 1];
}

/* Size of a file that may be an input. */
static int check_file(const char *path, struct xrw_error *err)
{
    struct stat st;

    if (stat(path, &st))
        return xrw_error_set(err, -errno, "the input %s cannot be read: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return xrw_error_set(err, -EINVAL, "the input %s is no regular file", path);
    if ((uint64_t)st.st_size > XRW_INPUT_MAX_BYTES)
        return xrw_error_set(err, -EFBIG, "the input %s is larger than %" PRIu64 " MiB", path,
                             XRW_INPUT_MAX_BYTES >> 20);
    return 0;
}

int input_check(const struct xrw_record_options *options, struct xrw_error *err)
{
    int rc = 0;

    for (size_t i = 0; i < options->input_count && !rc; i++)
        if (options->inputs[i].file)
            rc = check_file(options->inputs[i].file, err);
    for (uint64_t run = 0; options->run_files && run < options->runs && !rc; run++)
        rc = check_file(options->run_files[run], err);
    return rc;
}

/* Its whole content, to be freed. */
static int load(const char *path, uint8_t **data, size_t *bytes, struct xrw_error *err)
{
    FILE *file = fopen(path, "rb");
    uint8_t *content = NULL;
    size_t size = 0;
    struct stat st;
    int rc = file && !fstat(fileno(file), &st) ? 0 : -errno;

    if (!rc && (uint64_t)st.st_size > XRW_INPUT_MAX_BYTES)
        rc = -EFBIG;
    if (!rc) {
        content = malloc((size_t)st.st_size + 1);
        if (!content)
            rc = -ENOMEM;
        else
            size = fread(content, 1, (size_t)st.st_size, file);
        if (!rc && ferror(file))
            rc = -EIO;
    }
    if (file)
        (void)fclose(file);
    if (rc) {
        free(content);
        return xrw_error_set(err, rc, "the input %s cannot be read: %s", path, strerror(-rc));
    }
    *data = content;
    *bytes = size;
    return 0;
}

static int write_one(const struct xrw_record_input *input, const char *path, uint64_t run,
                     const struct source *source, struct xrw_store *store, source_page page,
                     void *page_ctx, struct xrw_error *err)
{
    struct source_write write = {.physical = input->physical, .address = input->address};
    struct xrw_input stored = {.physical = input->physical, .address = input->address};
    const char *name = strrchr(path, '/');
    uint8_t *data = NULL;
    int rc = load(path, &data, &write.bytes, err);

    if (rc)
        return rc;
    write.data = data;
    stored.bytes = write.bytes;
    (void)snprintf(stored.name, sizeof stored.name, "%s", name ? name + 1 : path);
    rc = source->ops->write(source->ctx, &write, page, page_ctx, err);
    if (!rc)
        rc = xrw_store_add_input(store, run, &stored, data, err);
    free(data);
    return rc;
}

int input_write(const struct xrw_record_options *options, uint64_t run, const struct source *source,
                struct xrw_store *store, source_page page, void *page_ctx, struct xrw_error *err)
{
    int rc = 0;

    if (options->input_count && !source->ops->write)
        return xrw_error_set(err, -EOPNOTSUPP, "nothing can be written into this guest");
    for (size_t i = 0; i < options->input_count && !rc; i++)
        rc = write_one(&options->inputs[i], file_of(options, &options->inputs[i], run), run, source,
                       store, page, page_ctx, err);
    return rc;
}
