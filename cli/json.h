/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON values, by jansson. */
#ifndef XENREWIND_JSON_H
#define XENREWIND_JSON_H

#include "xrw/error.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* A number; as text where JSON readers would lose bits of it (above 2^53). */
json_t *xrw_json_u64(uint64_t value);

/* "0x1f": addresses and register values. */
json_t *xrw_json_hex(uint64_t value);

/* A text; bytes that are not UTF-8 are replaced. */
json_t *xrw_json_text(const char *text);

/* "0fa2" */
json_t *xrw_json_bytes(const uint8_t *bytes, size_t count);

/* Print and end the line; indent in blanks, 0: all on one line.  0 or -EIO. */
int xrw_json_print(const json_t *value, size_t indent, struct xrw_error *err);

#endif
