/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "inputs.h"

#include "commands.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The file of the run, one of --inputs. */
#define EACH_FILE "@"

int xrw_cli_add_input(struct xrw_cli_inputs *inputs, char *text)
{
    struct xrw_record_input *input = &inputs->input[inputs->count];
    char *file = strstr(text, ",file=");

    if (inputs->count == XRW_CLI_INPUTS_MAX)
        return xrw_cli_usage("record", "there can be %u inputs at most", XRW_CLI_INPUTS_MAX);
    if (!file || !file[6] || (strncmp(text, "gva=", 4) != 0 && strncmp(text, "gpa=", 4) != 0))
        return xrw_cli_usage("record",
                             "--input takes gva=ADDR,file=PATH or gpa=ADDR,file=PATH, "
                             "not %s",
                             text);
    *file = '\0';
    input->physical = text[1] == 'p';
    input->file = strcmp(file + 6, EACH_FILE) != 0 ? file + 6 : NULL;
    if (xrw_cli_number(text + 4, &input->address))
        return xrw_cli_usage("record", "--input: %s is not an address", text + 4);
    inputs->count++;
    return 0;
}

static bool has_each(const struct xrw_cli_inputs *inputs)
{
    for (size_t i = 0; i < inputs->count; i++)
        if (!inputs->input[i].file)
            return true;
    return false;
}

static int fail(const char *path, int code)
{
    struct xrw_error err;

    (void)xrw_error_set(&err, -code, "%.300s: %s", path, strerror(code));
    return xrw_cli_fail(&err);
}

/* Path of a file of the folder; NULL if it is none, or there is no memory. */
static char *file_path(const char *folder, const char *name)
{
    size_t bytes = strlen(folder) + strlen(name) + 2;
    char *path = name[0] == '.' ? NULL : malloc(bytes);
    struct stat st;

    if (!path)
        return NULL;
    (void)snprintf(path, bytes, "%s/%s", folder, name);
    if (!stat(path, &st) && S_ISREG(st.st_mode))
        return path;
    free(path);
    return NULL;
}

/* The regular files of the folder, by name; hidden ones and folders are left out. */
static int list_folder(struct xrw_cli_inputs *inputs)
{
    struct dirent **entries;
    int n = scandir(inputs->folder, &entries, NULL, alphasort);

    if (n < 0)
        return fail(inputs->folder, errno);
    inputs->files = calloc((size_t)n + 1, sizeof *inputs->files);
    for (int i = 0; i < n; i++) {
        char *path = inputs->files ? file_path(inputs->folder, entries[i]->d_name) : NULL;

        if (path)
            inputs->files[inputs->file_count++] = path;
        free(entries[i]);
    }
    free(entries);
    if (!inputs->files)
        return fail(inputs->folder, ENOMEM);
    return inputs->file_count ? 0 : fail(inputs->folder, ENOENT);
}

int xrw_cli_take_inputs(struct xrw_cli_inputs *inputs, struct xrw_record_options *options)
{
    int rc = 0;

    if (inputs->folder && !has_each(inputs))
        return xrw_cli_usage("record", "where do the files of --inputs go? give "
                                       "--input gva=ADDR,file=@");
    if (!inputs->folder && has_each(inputs))
        return xrw_cli_usage("record", "file=@ is each file of --inputs DIR, which is not given");
    if (inputs->folder && options->runs)
        return xrw_cli_usage("record", "--inputs makes a run for each file: --runs is not for it");
    if (inputs->folder)
        rc = list_folder(inputs);
    options->inputs = inputs->input;
    options->input_count = inputs->count;
    options->run_files = (const char *const *)inputs->files;
    if (inputs->file_count)
        options->runs = inputs->file_count;
    return rc;
}

void xrw_cli_inputs_deinit(struct xrw_cli_inputs *inputs)
{
    for (size_t i = 0; i < inputs->file_count; i++)
        free(inputs->files[i]);
    free(inputs->files);
}
