/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the content of a guest page is kept in a row of `page`. */
#ifndef XRW_SCHEMA_PAGE_CODEC_H
#define XRW_SCHEMA_PAGE_CODEC_H

#include "xrw/types.h"

#include <stddef.h>
#include <stdint.h>

/* Values of page.encoding. */
enum xrw_page_encoding {
    XRW_PAGE_ZERO = 0,       /* no data */
    XRW_PAGE_RAW = 1,        /* the 4096 bytes */
    XRW_PAGE_LZ4 = 2,        /* one LZ4 block */
    XRW_PAGE_DIFFERENCE = 3, /* one LZ4 block of the XOR with another page, which is none such */
};

#define XRW_PAGE_HASH_BYTES 16u

/* Encode page (XRW_PAGE_BYTES) into data (XRW_PAGE_BYTES); returns the encoding, *bytes its size.
 */
enum xrw_page_encoding xrw_page_encode(const uint8_t *page, uint8_t *data, size_t *bytes);

/* Encode the difference of page from base into data (XRW_PAGE_BYTES); returns its bytes, 0 if it
 * is no shorter than a page. */
size_t xrw_page_encode_difference(const uint8_t *page, const uint8_t *base, uint8_t *data);

/* Decode data, which is not trusted, into page (XRW_PAGE_BYTES, untouched on failure).
 * base: of a difference; NULL for the others.
 * Returns 0 or -EUCLEAN. */
int xrw_page_decode(int64_t encoding, const uint8_t *data, size_t bytes, const uint8_t *base,
                    uint8_t *page);

#endif
