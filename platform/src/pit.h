/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The 8254 timer of a PC: channel 0 is interrupt line 0, channel 2 is read through port 0x61.  It
 * follows guest time, which it is told.  Binary counting in modes 0, 2, 3 and 4.
 */
#ifndef XRW_PLATFORM_PIT_H
#define XRW_PLATFORM_PIT_H

#include <stdbool.h>
#include <stdint.h>

#define PIT_HZ 1193182u

struct pit_channel {
    uint8_t mode, access; /* access: 1 low byte, 2 high byte, 3 both in turn */
    bool high_next_write, high_next_read, latched, running, gate;
    uint16_t latch;
    uint32_t reload; /* 1 to 65536 */
    uint8_t low;     /* of a reload value that is half written */
    uint64_t start_ns;
};

struct pit {
    struct pit_channel channel[3];
    uint64_t fired; /* edges of channel 0 since it was programmed, as far as delivered */
};

void pit_init(struct pit *pit);
void pit_write(struct pit *pit, uint16_t port, uint8_t value, uint64_t now_ns);
uint8_t pit_read(struct pit *pit, uint16_t port, uint64_t now_ns);

/* Channel 2's gate, as port 0x61 sets it, and its output. */
void pit_gate2(struct pit *pit, bool gate, uint64_t now_ns);
bool pit_output2(const struct pit *pit, uint64_t now_ns);

/* When channel 0's output next rises: a time at or after now_ns, UINT64_MAX if never. */
uint64_t pit_next_ns(const struct pit *pit);

/* Whether it has risen up to now_ns since it was last asked; several count as one. */
bool pit_take_edge(struct pit *pit, uint64_t now_ns);

#endif
