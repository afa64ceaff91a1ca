/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define EXACT_MAX (UINT64_C(1) << 53)
#define TEXT_MAX 1024u

json_t *xrw_json_u64(uint64_t value)
{
    char text[24];

    if (value <= EXACT_MAX)
        return json_integer((json_int_t)value);
    (void)snprintf(text, sizeof text, "%" PRIu64, value);
    return json_string(text);
}

json_t *xrw_json_hex(uint64_t value)
{
    char text[24];

    (void)snprintf(text, sizeof text, "0x%" PRIx64, value);
    return json_string(text);
}

json_t *xrw_json_text(const char *text)
{
    json_t *value = json_string(text);
    char clean[TEXT_MAX];

    if (value)
        return value;
    (void)snprintf(clean, sizeof clean, "%s", text);
    for (char *c = clean; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
    return json_string(clean);
}

json_t *xrw_json_bytes(const uint8_t *bytes, size_t count)
{
    char text[64] = "";

    for (size_t i = 0; i < count && 2 * i + 2 < sizeof text; i++)
        (void)snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    return json_string(text);
}

int xrw_json_print(const json_t *value, size_t indent, struct xrw_error *err)
{
    if (!value)
        return xrw_error_set(err, -ENOMEM, "out of memory");
    if (json_dumpf(value, stdout, indent ? JSON_INDENT(indent) : JSON_COMPACT) ||
        putchar('\n') == EOF)
        return ferror(stdout) ? 0 : xrw_error_set(err, -EIO, "cannot write JSON");
    return 0;
}
