/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What user programs do, in a row: checksums, sorting, trees, floating point, vectors, indirect
 * calls, strings.  Built freestanding, for the engine and for other emulators, and into a host
 * program to know the right results.
 */
#include "work.h"

static uint32_t next(struct work *w)
{
    w->seed = w->seed * 1664525 + 1013904223;
    return w->seed >> 4;
}

static uint64_t crc(struct work *w)
{
    uint32_t value = 0xffffffff;
    for (unsigned i = 0; i < sizeof(w->bytes); i++) {
        value ^= w->bytes[i];
        for (unsigned bit = 0; bit < 8; bit++)
            value = value >> 1 ^ (value & 1 ? 0xedb88320 : 0);
    }
    return value;
}

static inline uint32_t rotate(uint32_t x, unsigned n)
{
    return x >> n | x << (32 - n);
}

static uint64_t digest(struct work *w)
{
    uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                     0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    for (unsigned i = 0; i + 64 <= sizeof(w->bytes); i += 64) {
        uint32_t x[64], v[8];
        for (unsigned t = 0; t < 16; t++)
            x[t] = (uint32_t)w->bytes[i + 4 * t] << 24 | (uint32_t)w->bytes[i + 4 * t + 1] << 16 |
                   (uint32_t)w->bytes[i + 4 * t + 2] << 8 | w->bytes[i + 4 * t + 3];
        for (unsigned t = 16; t < 64; t++)
            x[t] = x[t - 16] + x[t - 7] +
                   (rotate(x[t - 15], 7) ^ rotate(x[t - 15], 18) ^ x[t - 15] >> 3) +
                   (rotate(x[t - 2], 17) ^ rotate(x[t - 2], 19) ^ x[t - 2] >> 10);
        for (unsigned t = 0; t < 8; t++)
            v[t] = h[t];
        for (unsigned t = 0; t < 64; t++) {
            uint32_t a = v[7] + (rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)) +
                         ((v[4] & v[5]) ^ (~v[4] & v[6])) + x[t];
            uint32_t b = (rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)) +
                         ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
            for (unsigned n = 7; n > 0; n--)
                v[n] = v[n - 1];
            v[4] += a;
            v[0] = a + b;
        }
        for (unsigned t = 0; t < 8; t++)
            h[t] += v[t];
    }
    return (uint64_t)h[0] << 32 | h[7];
}

static void sort(int32_t *from, int32_t *to)
{
    while (from < to) {
        int32_t pivot = from[(to - from) / 2], *low = from, *high = to;
        while (low <= high) {
            while (*low < pivot)
                low++;
            while (*high > pivot)
                high--;
            if (low <= high) {
                int32_t kept = *low;
                *low++ = *high;
                *high-- = kept;
            }
        }
        sort(from, high);
        from = low;
    }
}

static uint64_t sorted(struct work *w)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < WORK_NUMBERS; i++)
        w->numbers[i] = (int32_t)(next(w) - 0x08000000);
    sort(w->numbers, w->numbers + WORK_NUMBERS - 1);
    for (unsigned i = 0; i < WORK_NUMBERS; i++)
        sum += (uint64_t)(int64_t)w->numbers[i] * (i + 1);
    return sum;
}

static uint64_t product(struct work *w)
{
    double sum = 0;
    for (unsigned i = 0; i < WORK_SIDE * WORK_SIDE; i++) {
        w->a[i] = (double)(next(w) & 0xffff) / 256;
        w->b[i] = (double)(next(w) & 0xffff) / 512;
    }
    for (unsigned i = 0; i < WORK_SIDE; i++)
        for (unsigned j = 0; j < WORK_SIDE; j++) {
            double cell = 0;
            for (unsigned k = 0; k < WORK_SIDE; k++)
                cell += w->a[i * WORK_SIDE + k] * w->b[k * WORK_SIDE + j];
            sum += cell;
        }
    return (uint64_t)sum;
}

static uint64_t tree(struct work *w)
{
    uint64_t depth_sum = 0;
    unsigned used = 1;
    w->nodes[0] = (struct work_node){next(w), 0, 0};
    while (used < WORK_NODES) {
        uint32_t key = next(w), *link, at = 0;
        do {
            link = key < w->nodes[at].key ? &w->nodes[at].left : &w->nodes[at].right;
            at = *link;
            depth_sum++;
        } while (at);
        *link = used;
        w->nodes[used++] = (struct work_node){key, 0, 0};
    }
    return depth_sum;
}

static uint64_t twist(uint64_t x)
{
    return x * 0x9e3779b97f4a7c15u ^ x >> 29;
}

static uint64_t count(uint64_t x)
{
    uint64_t bits = 0;
    for (; x; x &= x - 1)
        bits++;
    return bits;
}

static uint64_t divide(uint64_t x)
{
    return x / ((x & 1023) + 1) + x % 1000;
}

static uint64_t wide(uint64_t x)
{
    return (uint64_t)((unsigned __int128)x * (x + 12345) >> 64) + (uint64_t)__builtin_ctzll(x | 1);
}

static uint64_t indirect(struct work *w)
{
    static uint64_t (*const table[])(uint64_t) = {twist, count, divide, wide};
    uint64_t sum = 0;
    for (unsigned i = 0; i < 2000; i++)
        sum += table[next(w) & 3]((uint64_t)next(w) << 20 | next(w));
    return sum;
}

static uint64_t vectors(struct work *w)
{
    uint32_t sum = 0;
    for (unsigned i = 0; i < sizeof(w->bytes); i++)
        w->copy[i] = (uint8_t)(w->bytes[i] * 3 + 7);
    for (unsigned i = 0; i < sizeof(w->bytes); i++)
        sum += w->copy[i] ^ i;
    return sum;
}

void work_round(struct work *w)
{
    for (unsigned i = 0; i < sizeof(w->bytes); i++)
        w->bytes[i] = (uint8_t)next(w);
    w->results[0] += crc(w);
    w->results[1] += digest(w);
    w->results[2] += sorted(w);
    w->results[3] += product(w);
    w->results[4] += tree(w);
    w->results[5] += indirect(w);
    w->results[6] += vectors(w);
}

void work_all(struct work *w)
{
    for (uint32_t i = 0; i < w->rounds; i++)
        work_round(w);
}
