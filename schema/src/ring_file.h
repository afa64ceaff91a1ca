/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file that a ring's buffer lies in where rows are made later: RECORDING-ring, beside the
 * recording as SQLite's RECORDING-wal is.  What is pushed is in the system's page cache at once, so
 * it outlives the recorder, though not the system: a file of another boot is not believed.
 */
#ifndef XRW_SCHEMA_RING_FILE_H
#define XRW_SCHEMA_RING_FILE_H

#include "xrw/error.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* Enough for what belongs together: the contexts that come with an exit. */
#define XRW_RING_FILE_MIN_BYTES ((size_t)4 << 20)

/* At the beginning of the file, a page long; the ring follows. */
struct xrw_ring_header {
    char magic[8];
    uint64_t bytes;        /* of the ring */
    char boot[40];         /* id of the system's boot */
    char id[40];           /* of the ring: the recording names it too */
    _Atomic uint64_t head; /* pushed up to here */
};

struct xrw_ring_file {
    int fd; /* locked as long as it is open */
    char *path;
    struct xrw_ring_header *header;
    uint8_t *buffer;
    size_t bytes; /* of the buffer: a power of two */
};

/* Create the file of a recording that is new: one that is there is another's, and is replaced. Room
 * for all of the ring is taken now.  id: a text, up to 39 bytes. */
int xrw_ring_file_create(struct xrw_ring_file *file, const char *recording, const char *id,
                         size_t bytes, struct xrw_error *err);

/*
 * Open what a recorder has left, and read it into memory.  -ENOENT: it has left none.  -EBUSY: it
 * is still at work.  -ESTALE: the file is of another boot of the system, or not of this program.
 */
int xrw_ring_file_open(struct xrw_ring_file *file, const char *recording, struct xrw_error *err);

/* What the file of a recording says now, its recorder at work or not: id (40 bytes) and head.
 * -ENOENT, -ESTALE as above. */
int xrw_ring_file_peek(const char *recording, char *id, uint64_t *head);

/* Close it; it is still there. */
void xrw_ring_file_close(struct xrw_ring_file *file);

/* Close and remove it. */
void xrw_ring_file_remove(struct xrw_ring_file *file);

#endif
