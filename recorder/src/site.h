/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The instruction at an exit. */
#ifndef XRW_RECORDER_SITE_H
#define XRW_RECORDER_SITE_H

#include "source.h"

struct sites;

/* 0 or -ENOMEM; NULL may be destroyed. */
int sites_create(struct sites **out);
void sites_destroy(struct sites *sites);

/*
 * Read the instruction at the exit's RIP through the guest's page tables, store it if it is new,
 * and name it as the one of the exit that is added next; not readable: none is named.  Forgets of
 * exit->before what this very instruction, if the hypervisor emulated it, may have changed.
 * 0 or a negative errno of the store.
 */
int sites_note(struct sites *sites, const struct source *source, struct xrw_store *store,
               struct xrw_exit *exit, struct xrw_error *err);

#endif
