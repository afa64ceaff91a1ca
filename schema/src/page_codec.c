/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "page_codec.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <lz4.h>

static bool all_zero(const uint8_t *page)
{
    return !page[0] && !memcmp(page, page + 1, XRW_PAGE_BYTES - 1);
}

enum xrw_page_encoding xrw_page_encode(const uint8_t *page, uint8_t *data, size_t *bytes)
{
    int packed;

    *bytes = 0;
    if (all_zero(page))
        return XRW_PAGE_ZERO;
    /* LZ4 gives up (0) when the result would not be smaller than the page. */
    packed = LZ4_compress_default((const char *)page, (char *)data, (int)XRW_PAGE_BYTES,
                                  (int)XRW_PAGE_BYTES - 1);
    if (packed > 0) {
        *bytes = (size_t)packed;
        return XRW_PAGE_LZ4;
    }
    memcpy(data, page, XRW_PAGE_BYTES);
    *bytes = XRW_PAGE_BYTES;
    return XRW_PAGE_RAW;
}

/* By words: byte by byte it takes longer than finding the page in the file does. */
static void exclusive_or(const uint8_t *a, const uint8_t *b, uint8_t *out)
{
    for (size_t i = 0; i < XRW_PAGE_BYTES; i += sizeof(uint64_t)) {
        uint64_t one, other;

        memcpy(&one, a + i, sizeof one);
        memcpy(&other, b + i, sizeof other);
        one ^= other;
        memcpy(out + i, &one, sizeof one);
    }
}

size_t xrw_page_encode_difference(const uint8_t *page, const uint8_t *base, uint8_t *data)
{
    uint8_t difference[XRW_PAGE_BYTES];
    int packed;

    exclusive_or(page, base, difference);
    packed = LZ4_compress_default((const char *)difference, (char *)data, (int)XRW_PAGE_BYTES,
                                  (int)XRW_PAGE_BYTES - 1);
    return packed > 0 ? (size_t)packed : 0;
}

static int decode_zero(const uint8_t *data, size_t bytes, uint8_t *page)
{
    (void)data;
    if (bytes)
        return -EUCLEAN;
    memset(page, 0, XRW_PAGE_BYTES);
    return 0;
}

static int decode_raw(const uint8_t *data, size_t bytes, uint8_t *page)
{
    if (bytes != XRW_PAGE_BYTES)
        return -EUCLEAN;
    memcpy(page, data, XRW_PAGE_BYTES);
    return 0;
}

static int decode_lz4(const uint8_t *data, size_t bytes, uint8_t *page)
{
    uint8_t whole[XRW_PAGE_BYTES];

    if (!bytes || bytes >= XRW_PAGE_BYTES ||
        LZ4_decompress_safe((const char *)data, (char *)whole, (int)bytes, (int)XRW_PAGE_BYTES) !=
            (int)XRW_PAGE_BYTES)
        return -EUCLEAN;
    memcpy(page, whole, XRW_PAGE_BYTES);
    return 0;
}

static int decode_difference(const uint8_t *data, size_t bytes, const uint8_t *base, uint8_t *page)
{
    uint8_t difference[XRW_PAGE_BYTES];
    int ret = decode_lz4(data, bytes, difference);

    if (!ret)
        exclusive_or(difference, base, page);
    return ret;
}

int xrw_page_decode(int64_t encoding, const uint8_t *data, size_t bytes, const uint8_t *base,
                    uint8_t *page)
{
    static int (*const decoders[])(const uint8_t *, size_t, uint8_t *) = {
        [XRW_PAGE_ZERO] = decode_zero,
        [XRW_PAGE_RAW] = decode_raw,
        [XRW_PAGE_LZ4] = decode_lz4,
    };

    if (encoding == XRW_PAGE_DIFFERENCE)
        return base ? decode_difference(data, bytes, base, page) : -EUCLEAN;
    if (encoding < 0 || encoding >= (int64_t)(sizeof decoders / sizeof *decoders))
        return -EUCLEAN;
    return decoders[encoding](data, bytes, page);
}
