/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The domain handle (UUID) of a fork of ours: it names the fork's parent and the process that
 * records it, so that a fork whose recorder was killed can be told from one that is being recorded.
 * The handle is chosen over a lock file: it is there from the moment the domain is, goes with it,
 * and needs no folder to write to.
 */
#ifndef XRW_RECORDER_FORK_HANDLE_H
#define XRW_RECORDER_FORK_HANDLE_H

#include <stdbool.h>
#include <stdint.h>

#define FORK_HANDLE_BYTES 16u

struct fork_owner {
    uint32_t parent;   /* domain; 0: not known */
    uint32_t recorder; /* its process; 0: nobody's, kept on purpose */
    uint16_t started;  /* when, modulo 2^16 clock ticks: numbers of processes are used again */
};

/* This process, as the recorder of a fork of parent. */
struct fork_owner fork_owner_self(uint32_t parent);

void fork_handle_write(uint8_t handle[FORK_HANDLE_BYTES], const struct fork_owner *owner);

/* False, *owner untouched, if the domain is none of our forks. */
bool fork_handle_read(const uint8_t handle[FORK_HANDLE_BYTES], struct fork_owner *owner);

/* Whether a recorder made or took the fork, and does not run any more. */
bool fork_is_left_over(const struct fork_owner *owner);

#endif
