/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What xenrewind uses of libxenstore: three domains, two of them with one name. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *xs_open(unsigned long flags);
void xs_close(void *handle);
char **xs_directory(void *handle, uint32_t transaction, const char *path, unsigned *count);
void *xs_read(void *handle, uint32_t transaction, const char *path, unsigned *bytes);

void *xs_open(unsigned long flags)
{
    (void)flags;
    while (getenv("FAKE_XENSTORE_SILENT"))
        (void)pause();
    return getenv("FAKE_XENSTORE_DEAD") ? NULL : malloc(1);
}

void xs_close(void *handle)
{
    free(handle);
}

char **xs_directory(void *handle, uint32_t transaction, const char *path, unsigned *count)
{
    static char ids[3][4] = {"4", "5", "11"};
    char **list =
        strcmp(path, "/local/domain") ? NULL : malloc(sizeof ids / sizeof *ids * sizeof(char *));

    (void)handle, (void)transaction;
    *count = list ? 3 : 0;
    for (unsigned i = 0; i < *count; i++)
        list[i] = ids[i];
    return list;
}

void *xs_read(void *handle, uint32_t transaction, const char *path, unsigned *bytes)
{
    const char *name = strstr(path, "/11/") ? "victim" : "twin";
    char *text = malloc(strlen(name) + 1);

    (void)handle, (void)transaction;
    if (text)
        memcpy(text, name, strlen(name) + 1);
    *bytes = (unsigned)strlen(name);
    return text;
}
