/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pit.h"

#include <string.h>

#define NS 1000000000u
#define READ_BACK 3u

enum mode { TERMINAL_COUNT = 0, RATE = 2, SQUARE = 3, STROBE = 4 };

void pit_init(struct pit *pit)
{
    memset(pit, 0, sizeof *pit);
    for (unsigned i = 0; i < 3; i++)
        pit->channel[i] = (struct pit_channel){.access = 3, .reload = 65536, .gate = i != 2};
}

static bool periodic(const struct pit_channel *channel)
{
    return channel->mode == RATE || channel->mode == SQUARE;
}

/* Ticks of its clock since it was programmed. */
static uint64_t elapsed(const struct pit_channel *channel, uint64_t now_ns)
{
    return (uint64_t)((unsigned __int128)(now_ns - channel->start_ns) * PIT_HZ / NS);
}

static uint64_t ticks_to_ns(uint64_t ticks)
{
    return (uint64_t)(((unsigned __int128)ticks * NS + PIT_HZ - 1) / PIT_HZ);
}

static uint16_t count(const struct pit_channel *channel, uint64_t now_ns)
{
    uint64_t ticks;

    if (!channel->running || !channel->gate)
        return (uint16_t)channel->reload;
    ticks = elapsed(channel, now_ns);
    if (!periodic(channel))
        return (uint16_t)(channel->reload - ticks);
    ticks %= channel->reload;
    if (channel->mode == SQUARE) /* counts by two, twice a period */
        return (uint16_t)(channel->reload - ticks * 2 % channel->reload);
    return (uint16_t)(channel->reload - ticks);
}

static bool output(const struct pit_channel *channel, uint64_t now_ns)
{
    uint64_t ticks = elapsed(channel, now_ns);

    if (!channel->running || !channel->gate)
        return channel->mode != TERMINAL_COUNT;
    switch (channel->mode) {
    case TERMINAL_COUNT:
        return ticks >= channel->reload;
    case SQUARE:
        return ticks % channel->reload < (channel->reload + 1) / 2;
    default:
        return true;
    }
}

static void write_control(struct pit *pit, uint8_t value, uint64_t now_ns)
{
    struct pit_channel *channel = &pit->channel[value >> 6 & 3];

    if (value >> 6 == READ_BACK)
        return;
    if (!(value & 0x30)) {
        channel->latch = count(channel, now_ns);
        channel->latched = true;
        return;
    }
    channel->access = value >> 4 & 3;
    channel->mode = value >> 1 & 7;
    if (channel->mode > 5)
        channel->mode &= 3;
    channel->high_next_write = channel->high_next_read = channel->latched = channel->running =
        false;
}

static void write_count(struct pit *pit, unsigned n, uint8_t value, uint64_t now_ns)
{
    struct pit_channel *channel = &pit->channel[n];
    uint32_t reload;

    if (channel->access == 3 && !channel->high_next_write) {
        channel->low = value;
        channel->high_next_write = true;
        return;
    }
    if (channel->access == 1)
        reload = value;
    else
        reload = (uint32_t)value << 8 | (channel->access == 3 ? channel->low : 0);
    channel->high_next_write = false;
    channel->reload = reload ? reload : 65536;
    channel->start_ns = now_ns;
    channel->running = true;
    if (n == 0)
        pit->fired = 0;
}

void pit_write(struct pit *pit, uint16_t port, uint8_t value, uint64_t now_ns)
{
    if ((port & 3) == 3)
        write_control(pit, value, now_ns);
    else
        write_count(pit, port & 3, value, now_ns);
}

uint8_t pit_read(struct pit *pit, uint16_t port, uint64_t now_ns)
{
    struct pit_channel *channel = &pit->channel[port & 3];
    uint16_t value;
    bool high;

    if ((port & 3) == 3)
        return 0xff;
    value = channel->latched ? channel->latch : count(channel, now_ns);
    high = channel->access == 2 || (channel->access == 3 && channel->high_next_read);
    if (channel->access == 3)
        channel->high_next_read = !channel->high_next_read;
    if (channel->access != 3 || high)
        channel->latched = false;
    return (uint8_t)(high ? value >> 8 : value);
}

void pit_gate2(struct pit *pit, bool gate, uint64_t now_ns)
{
    struct pit_channel *channel = &pit->channel[2];

    if (gate && !channel->gate)
        channel->start_ns = now_ns;
    channel->gate = gate;
}

bool pit_output2(const struct pit *pit, uint64_t now_ns)
{
    return output(&pit->channel[2], now_ns);
}

uint64_t pit_next_ns(const struct pit *pit)
{
    const struct pit_channel *channel = &pit->channel[0];

    if (!channel->running || (!periodic(channel) && pit->fired))
        return UINT64_MAX;
    return channel->start_ns + ticks_to_ns((pit->fired + 1) * channel->reload);
}

bool pit_take_edge(struct pit *pit, uint64_t now_ns)
{
    const struct pit_channel *channel = &pit->channel[0];
    uint64_t edges;

    if (!channel->running || now_ns < pit_next_ns(pit))
        return false;
    edges = elapsed(channel, now_ns) / channel->reload;
    if (edges <= pit->fired) /* rounding */
        edges = pit->fired + 1;
    pit->fired = periodic(channel) ? edges : 1;
    return true;
}
