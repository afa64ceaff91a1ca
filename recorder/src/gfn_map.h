/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From guest frame numbers to indexes. */
#ifndef XRW_RECORDER_GFN_MAP_H
#define XRW_RECORDER_GFN_MAP_H

#include "xrw/types.h"

#include <stddef.h>

#define GFN_MAP_NONE SIZE_MAX

struct gfn_map {
    struct gfn_map_entry *entries;
    size_t capacity, count;
};

/* Index kept for the frame, GFN_MAP_NONE if there is none.  A zeroed map is an empty one. */
size_t gfn_map_find(const struct gfn_map *map, xrw_gfn gfn);

/* Keep an index for a frame that has none.  0 or -ENOMEM. */
int gfn_map_add(struct gfn_map *map, xrw_gfn gfn, size_t index);

void gfn_map_deinit(struct gfn_map *map);

#endif
