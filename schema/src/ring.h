/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records from one thread to another, in order, none lost: who is ahead waits.
 * One producer, one consumer.
 */
#ifndef XRW_SCHEMA_RING_H
#define XRW_SCHEMA_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xrw_ring;
struct xrw_ring_file;

/* Type of what fills the end of the buffer where the next record does not fit. */
#define XRW_RING_SKIP UINT32_MAX

/* What every record begins with. */
struct xrw_ring_record {
    uint32_t bytes; /* of the record, this included; the next one begins at a multiple of 8 */
    uint32_t type;
};

/* Capacity for this machine: an eighth of its memory, at most 64 MiB. */
size_t xrw_ring_default_bytes(void);

/* bytes: a power of two.  Returns NULL if there is no memory. */
struct xrw_ring *xrw_ring_create(size_t bytes);

/*
 * A ring in a file, which must outlive it.  Its consumer sleeps until the ring is nearly full or
 * the producer settles or ends, and what it takes is kept there until xrw_ring_release().
 */
struct xrw_ring *xrw_ring_create_in(struct xrw_ring_file *file);
void xrw_ring_destroy(struct xrw_ring *ring);

/* ---- producer -------------------------------------------------------- */

/* Room for a record of up to `bytes` (at most half of the ring), contiguous, aligned to 8; waits
 * until there is.  NULL: there will be none, see xrw_ring_abandon(). */
void *xrw_ring_reserve(struct xrw_ring *ring, size_t bytes);

/* Pass on the record that was written where xrw_ring_reserve() said. */
void xrw_ring_push(struct xrw_ring *ring);

/* Bytes that a record of so many takes: where the next one begins. */
static inline size_t xrw_ring_room(size_t bytes)
{
    return (bytes + 7) & ~(size_t)7;
}

/* Pass on several, written there one after the other: so many bytes in all. */
void xrw_ring_push_all(struct xrw_ring *ring, size_t bytes);

/* Wait until the consumer has taken everything and waits itself: it does nothing then until the
 * next push. */
void xrw_ring_settle(struct xrw_ring *ring);

/* No more comes: the consumer's next wait ends with -1 once the ring is empty. */
void xrw_ring_end(struct xrw_ring *ring);

/* How often and how long the producer had to wait for room. */
void xrw_ring_stalls(struct xrw_ring *ring, uint64_t *count, uint64_t *ns);

/* ---- consumer -------------------------------------------------------- */

/* What xrw_ring_wait() returns beside -1 and 1 (there are records). */
enum { XRW_RING_ENDED = -1, XRW_RING_IDLE = 0, XRW_RING_RECORDS = 1, XRW_RING_SETTLE = 2 };

/*
 * Wait for records.  XRW_RING_RECORDS: there are some.  XRW_RING_IDLE: none came for a while
 * (50 ms); of a ring in a file, not enough (in a second).  XRW_RING_SETTLE: none are left and the
 * producer waits for that: finish what is half done, then xrw_ring_settled().  XRW_RING_ENDED.
 */
int xrw_ring_wait(struct xrw_ring *ring);

/* The oldest record; NULL if none is left. */
const struct xrw_ring_record *xrw_ring_peek(struct xrw_ring *ring);

/* Done with it. */
void xrw_ring_pop(struct xrw_ring *ring);

/* What was taken from a ring in a file may be overwritten. */
void xrw_ring_release(struct xrw_ring *ring);

/* Nothing more is released: who needs room gets none. */
void xrw_ring_abandon(struct xrw_ring *ring);

/* Whether the ring is in a file; position up to which it was taken; bytes taken and not released.
 */
bool xrw_ring_is_kept(const struct xrw_ring *ring);
uint64_t xrw_ring_taken(const struct xrw_ring *ring);
uint64_t xrw_ring_unreleased(const struct xrw_ring *ring);

/* Tell the producer that all has been taken, and rest until it pushes again. */
void xrw_ring_settled(struct xrw_ring *ring);

#endif
