/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the content of a guest page is kept in a row of `page`. */
#ifndef XRW_SCHEMA_PAGE_CODEC_H
#define XRW_SCHEMA_PAGE_CODEC_H

#include "xrw/types.h"

#include <stddef.h>
#include <stdint.h>

/* Values of page.encoding. */
enum xrw_page_encoding {
    XRW_PAGE_ZERO = 0, /* no data */
    XRW_PAGE_RAW = 1,  /* the 4096 bytes */
    XRW_PAGE_LZ4 = 2,  /* one LZ4 block */
};

#define XRW_PAGE_HASH_BYTES 16u

/* Encode page (XRW_PAGE_BYTES) into data (XRW_PAGE_BYTES); returns the encoding, *bytes its size.
 */
enum xrw_page_encoding xrw_page_encode(const uint8_t *page, uint8_t *data, size_t *bytes);

/* Decode data, which is not trusted, into page (XRW_PAGE_BYTES, untouched on failure).
 * Returns 0 or -EUCLEAN. */
int xrw_page_decode(int64_t encoding, const uint8_t *data, size_t bytes, uint8_t *page);

#endif
