/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xrw/domain.h"

#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Source: xen/tools/libs/store/include/xenstore.h */
struct xenstore {
    void *library, *handle;
    void *(*open)(unsigned long flags);
    void (*close)(void *handle);
    char **(*directory)(void *handle, uint32_t transaction, const char *path, unsigned *count);
    void *(*read)(void *handle, uint32_t transaction, const char *path, unsigned *bytes);
};

static bool find(void *library, const char *name, void *function, size_t bytes)
{
    void *found = dlsym(library, name);

    /* ISO C knows no conversion from a pointer to an object to one to a function. */
    memcpy(function, &found, bytes);
    return found != NULL;
}

static void close_store(struct xenstore *store)
{
    if (store->handle)
        store->close(store->handle);
    if (store->library)
        (void)dlclose(store->library);
}

static int open_store(struct xenstore *store, struct xrw_error *err)
{
    static const char *const names[] = {"libxenstore.so.4", "libxenstore.so.3.0", "libxenstore.so"};

    *store = (struct xenstore){0};
    for (size_t i = 0; !store->library && i < sizeof names / sizeof *names; i++)
        store->library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!store->library || !find(store->library, "xs_open", &store->open, sizeof store->open) ||
        !find(store->library, "xs_close", &store->close, sizeof store->close) ||
        !find(store->library, "xs_directory", &store->directory, sizeof store->directory) ||
        !find(store->library, "xs_read", &store->read, sizeof store->read))
        return xrw_error_set(err, -ENOSYS,
                             "domains cannot be found by name: there is no libxenstore\n"
                             "give the domain's number (`xl list`), or install libxenstore4");
    store->handle = store->open(0);
    if (store->handle)
        return 0;
    return xrw_error_set(err, errno ? -errno : -EIO,
                         "domains cannot be found by name: xenstore does not answer (%s)\n"
                         "give the domain's number (`xl list`), or start xenstored",
                         strerror(errno));
}

static bool is_called(const struct xenstore *store, const char *id, const char *name)
{
    char path[64];
    unsigned bytes = 0;
    char *found;
    bool same;

    if (snprintf(path, sizeof path, "/local/domain/%s/name", id) >= (int)sizeof path)
        return false;
    found = store->read(store->handle, 0, path, &bytes);
    same = found && bytes == strlen(name) && !memcmp(found, name, bytes);
    free(found);
    return same;
}

/* How many domains are called so, and the last of them. */
static unsigned look(const struct xenstore *store, const char *name, uint32_t *domain)
{
    unsigned count = 0, matches = 0;
    char **ids = store->directory(store->handle, 0, "/local/domain", &count);

    for (unsigned i = 0; ids && i < count; i++)
        if (is_called(store, ids[i], name)) {
            *domain = (uint32_t)strtoul(ids[i], NULL, 10);
            matches++;
        }
    free(ids);
    return matches;
}

int xrw_domain_by_name(const char *name, uint32_t *domain, struct xrw_error *err)
{
    struct xenstore store;
    uint32_t found = 0;
    unsigned matches;
    int rc = open_store(&store, err);

    if (rc) {
        close_store(&store);
        return rc;
    }
    matches = look(&store, name, &found);
    close_store(&store);
    if (matches > 1)
        return xrw_error_set(err, -EEXIST, "%u domains are called %s\ngive the number of one",
                             matches, name);
    if (!matches)
        return xrw_error_set(err, -ENOENT,
                             "no domain is called %s\n`xl list` shows the domains there are", name);
    *domain = found;
    return 0;
}
