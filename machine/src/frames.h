/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the frames of a machine's memory come from: large pieces, which the host can map at once.
 */
#ifndef XRW_MACHINE_FRAMES_H
#define XRW_MACHINE_FRAMES_H

#include "cpu.h"

struct frames;

/* Returns NULL if there is no memory.  All frames go with the pool. */
struct frames *frames_create(void);
void frames_destroy(struct frames *frames);

/* A frame with one reference and any content; NULL: no memory. */
struct frame *frame_create(struct frames *frames);
/* Give up a reference; the last one forgets the frame's code. */
void frame_release(struct frame *frame);

#endif
