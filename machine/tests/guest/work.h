/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef WORK_H
#define WORK_H

#include <stdint.h>

#define WORK_NUMBERS 4096
#define WORK_SIDE 24
#define WORK_NODES 2048
#define WORK_RESULTS 7

struct work_node {
    uint32_t key, left, right;
};

/* Where the guest's own data begins; the first two are set before it runs. */
struct work {
    uint32_t rounds, seed;
    uint64_t results[WORK_RESULTS];
    uint8_t bytes[4096], copy[4096];
    int32_t numbers[WORK_NUMBERS];
    double a[WORK_SIDE * WORK_SIDE], b[WORK_SIDE * WORK_SIDE];
    struct work_node nodes[WORK_NODES];
};

void work_round(struct work *w);
void work_all(struct work *w);

#endif
