/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xrw/domain.h"

#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATIENCE_SECONDS 5

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

/* How many domains are called so, and the last of them; or a negative errno. */
static int look(const struct xenstore *store, const char *name, uint32_t *domain,
                struct xrw_error *err)
{
    unsigned count = 0;
    char **ids = store->directory(store->handle, 0, "/local/domain", &count);
    int matches = 0, error = errno ? errno : EIO;

    if (!ids)
        return xrw_error_set(err, -error, "xenstore does not list domains: %s", strerror(error));
    for (unsigned i = 0; i < count; i++)
        if (is_called(store, ids[i], name)) {
            *domain = (uint32_t)strtoul(ids[i], NULL, 10);
            matches++;
        }
    free(ids);
    return matches;
}

/* ---- in time --------------------------------------------------------- */

/* Where a kernel offers xenstore and no xenstored runs, asking never ends: it is done by a thread
 * that can be left alone. */
struct search {
    pthread_mutex_t lock;
    pthread_cond_t change;
    bool ended, left; /* what whoever comes second finds set: that one frees it */
    int result;       /* of look() */
    uint32_t domain;
    struct xrw_error err;
    char name[];
};

static void free_search(struct search *search)
{
    (void)pthread_cond_destroy(&search->change);
    (void)pthread_mutex_destroy(&search->lock);
    free(search);
}

static void *run_search(void *arg)
{
    struct search *search = arg;
    struct xenstore store;
    int result = open_store(&store, &search->err);
    bool left;

    if (!result)
        result = look(&store, search->name, &search->domain, &search->err);
    close_store(&store);
    (void)pthread_mutex_lock(&search->lock);
    search->result = result;
    search->ended = true;
    left = search->left;
    (void)pthread_cond_signal(&search->change);
    (void)pthread_mutex_unlock(&search->lock);
    if (left)
        free_search(search);
    return NULL;
}

/* False: it has not ended in time. */
static bool await(struct search *search)
{
    struct timespec until;
    bool ended;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += PATIENCE_SECONDS;
    (void)pthread_mutex_lock(&search->lock);
    while (!search->ended &&
           pthread_cond_timedwait(&search->change, &search->lock, &until) != ETIMEDOUT)
        continue;
    ended = search->ended;
    search->left = !ended;
    (void)pthread_mutex_unlock(&search->lock);
    return ended;
}

/* NULL, with err: it cannot be done. */
static struct search *start_search(const char *name, struct xrw_error *err)
{
    struct search *search = calloc(1, sizeof *search + strlen(name) + 1);
    pthread_condattr_t monotonic;
    pthread_t thread;
    int error;

    if (!search) {
        (void)xrw_error_set(err, -ENOMEM, "out of memory");
        return NULL;
    }
    (void)strcpy(search->name, name);
    (void)pthread_mutex_init(&search->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&search->change, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    error = pthread_create(&thread, NULL, run_search, search);
    if (error) {
        free_search(search);
        (void)xrw_error_set(err, -error, "no thread to ask xenstore with: %s", strerror(error));
        return NULL;
    }
    (void)pthread_detach(thread);
    return search;
}

int xrw_domain_by_name(const char *name, uint32_t *domain, struct xrw_error *err)
{
    struct search *search = start_search(name, err);
    int result;

    if (!search)
        return -EAGAIN;
    if (!await(search))
        return xrw_error_set(err, -ETIMEDOUT,
                             "domains cannot be found by name: xenstore does not answer\n"
                             "give the domain's number (`xl list`), or start xenstored");
    result = search->result;
    if (result < 0)
        result = xrw_error_set(err, result, "%s", search->err.text);
    else if (result > 1)
        result = xrw_error_set(err, -EEXIST, "%d domains are called %s\ngive the number of one",
                               result, name);
    else if (!result)
        result = xrw_error_set(
            err, -ENOENT, "no domain is called %s\n`xl list` shows the domains there are", name);
    else
        result = 0;
    if (!result)
        *domain = search->domain;
    free_search(search);
    return result;
}
