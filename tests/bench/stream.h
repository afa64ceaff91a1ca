/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stream of exits of any length, grown from a real one: linux-exits.csv.xz, 6000 exits of a Linux
 * guest recorded in pause mode on Xen.  It is repeated lap by lap; time goes on, and in each lap
 * what looks like an address of the kernel's direct map or of a user's mapping lies elsewhere, as
 * it would for another process.
 */
#ifndef XENREWIND_BENCH_STREAM_H
#define XENREWIND_BENCH_STREAM_H

#include "xrw/exit.h"
#include "xrw/store.h"

struct stream;

/* Read the exits; ends the program if they cannot be read. */
struct stream *stream_open(void);
void stream_close(struct stream *stream);

/* Exits of one lap. */
size_t stream_lap(const struct stream *stream);

/* Begin anew. */
void stream_rewind(struct stream *stream);

/* The next exit: ids go on from 1, run is 1.  Valid until the next call. */
const struct xrw_exit *stream_next(struct stream *stream);

/* Give the store the instructions, once; then name that of the exit given last. */
void stream_add_insns(struct stream *stream, struct xrw_store *store);
void stream_name_insn(const struct stream *stream, struct xrw_store *store);

#endif
