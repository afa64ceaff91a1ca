/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "row.h"

#include <endian.h>
#include <string.h>

/* What a column is if nothing is put into it: NULL, or 0. */
#define NULL_WHOLE true
#define NULL_BASED false
#define NULL_RARE true
#define NULL_AFTER true
#define NULL_OF(kind, name) [XRW_COLUMN_##kind##_##name] = NULL_##kind,
static const bool default_null[XRW_EXIT_COLUMN_COUNT] = {XRW_EXIT_COLUMN_TABLE(NULL_OF)};

/* The values of those that are 0. */
#define CLEAR_WHOLE(name)
#define CLEAR_BASED(name) row->value[XRW_COLUMN_BASED_##name] = 0;
#define CLEAR_RARE(name)
#define CLEAR_AFTER(name)
#define CLEAR_OF(kind, name) CLEAR_##kind(name)
void xrw_row_clear(struct xrw_row *row)
{
    memcpy(row->null, default_null, sizeof default_null);
    XRW_EXIT_COLUMN_TABLE(CLEAR_OF)
    /* NULL is no default of these. */
    row->null[XRW_COLUMN_WHOLE_advance] = row->null[XRW_COLUMN_WHOLE_unknown] = false;
    row->value[XRW_COLUMN_WHOLE_advance] = row->value[XRW_COLUMN_WHOLE_unknown] = 0;
    row->used = 0;
}

/* Serial types: 1 to 6 are integers of 1, 2, 3, 4, 6 and 8 bytes; 8 and 9 are the constants 0 and
 * 1; 0 is NULL.  By the number of bits of a value without its sign. */
static const uint8_t type_of_bits[65] = {1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3,
                                         3, 3, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 5, 5,
                                         5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 6, 6, 6,
                                         6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6};
static const uint8_t bytes_of_type[10] = {0, 1, 2, 3, 4, 6, 8, 0, 0, 0};

/* Without a branch: which values are small is as good as random. */
static inline unsigned type_of(int64_t value)
{
    uint64_t magnitude = (uint64_t)value ^ (uint64_t)(value >> 63);
    unsigned type = type_of_bits[64 - __builtin_clzll(magnitude | 1)];

    return (uint64_t)value <= 1 ? 8 + (unsigned)value : type;
}

unsigned xrw_row_value_bytes(int64_t value)
{
    return bytes_of_type[type_of(value)];
}

size_t xrw_row_put_varint(uint8_t *to, uint64_t v)
{
    uint8_t reversed[9];
    size_t n = 0;

    if (v <= 0x7f) {
        to[0] = (uint8_t)v;
        return 1;
    }
    if (v >> 56) {
        to[8] = (uint8_t)v;
        v >>= 8;
        for (int i = 7; i >= 0; i--, v >>= 7)
            to[i] = (uint8_t)((v & 0x7f) | 0x80);
        return 9;
    }
    for (; v; v >>= 7)
        reversed[n++] = (uint8_t)((v & 0x7f) | 0x80);
    reversed[0] &= 0x7f;
    for (size_t i = 0; i < n; i++)
        to[i] = reversed[n - 1 - i];
    return n;
}

size_t xrw_row_encode(const struct xrw_row *row, uint8_t *record)
{
    /* The header is below 128 bytes: its own size, the rowid's NULL, and a byte a column. */
    size_t header = 2 + row->used;
    uint8_t *body = record + header;

    _Static_assert(2 + XRW_EXIT_COLUMN_COUNT < 128, "the size of the header takes one byte");
    record[0] = (uint8_t)header;
    record[1] = 0;
    for (unsigned i = 0; i < row->used; i++) {
        int64_t value = row->value[i];
        unsigned type = type_of(value) * !row->null[i], bytes = bytes_of_type[type];
        uint64_t big = htobe64((uint64_t)value << ((64 - 8 * bytes) & 63));

        record[2 + i] = (uint8_t)type;
        memcpy(body, &big, sizeof big); /* what is too much is overwritten by the next */
        body += bytes;
    }
    return (size_t)(body - record);
}
