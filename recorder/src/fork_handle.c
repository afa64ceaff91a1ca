/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _POSIX_C_SOURCE 200809L
#include "fork_handle.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

struct handle {
    uint8_t prefix[8];
    uint16_t parent;
    uint16_t started;
    uint32_t recorder;
};
_Static_assert(sizeof(struct handle) == FORK_HANDLE_BYTES, "size of a domain handle");

static const uint8_t handle_prefix[8] = {'x', 'e', 'n', 'r', 'w', 'i', 'n', 'd'};

void fork_handle_write(uint8_t out[FORK_HANDLE_BYTES], const struct fork_owner *owner)
{
    struct handle handle = {
        .parent = (uint16_t)owner->parent, .started = owner->started, .recorder = owner->recorder};

    memcpy(handle.prefix, handle_prefix, sizeof handle.prefix);
    memcpy(out, &handle, sizeof handle);
}

bool fork_handle_read(const uint8_t in[FORK_HANDLE_BYTES], struct fork_owner *owner)
{
    struct handle handle;

    memcpy(&handle, in, sizeof handle);
    if (memcmp(handle.prefix, handle_prefix, sizeof handle.prefix) != 0)
        return false;
    *owner = (struct fork_owner){
        .parent = handle.parent, .recorder = handle.recorder, .started = handle.started};
    return true;
}

/* What /proc says of a process: 0, or -ENOENT if it says nothing. */
static int process_status(uint32_t process, char *state, uint16_t *started)
{
    char path[32], line[1024];
    unsigned long long ticks;
    const char *rest;
    FILE *file;
    bool read;

    (void)snprintf(path, sizeof path, "/proc/%u/stat", (unsigned)process);
    file = fopen(path, "re");
    if (!file)
        return -ENOENT;
    read = fgets(line, sizeof line, file) != NULL;
    (void)fclose(file);
    /* The name, in parentheses, may hold anything; the start is the 20th word after it. */
    rest = read ? strrchr(line, ')') : NULL;
    if (!rest || sscanf(rest,
                        ") %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
                        "%*s %llu",
                        state, &ticks) != 2)
        return -ENOENT;
    *started = (uint16_t)ticks;
    return 0;
}

struct fork_owner fork_owner_self(uint32_t parent)
{
    struct fork_owner owner = {.parent = parent, .recorder = (uint32_t)getpid()};
    char state;

    (void)process_status(owner.recorder, &state, &owner.started);
    return owner;
}

bool fork_is_left_over(const struct fork_owner *owner)
{
    uint16_t started;
    char state;

    if (!owner->recorder)
        return false;
    if (kill((pid_t)owner->recorder, 0) && errno == ESRCH)
        return true;
    /* Without /proc a process with that number is taken for the recorder: the fork is safe. */
    if (process_status(owner->recorder, &state, &started))
        return false;
    return state == 'Z' || state == 'X' || started != owner->started;
}
