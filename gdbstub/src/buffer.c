/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int gs_buffer_init(struct gs_buffer *buffer, size_t capacity, size_t limit)
{
    uint8_t *data = capacity > 0 ? malloc(capacity) : NULL;

    if (capacity > 0 && !data)
        return -ENOMEM;

    *buffer = (struct gs_buffer){.data = data, .capacity = capacity, .limit = limit};
    return 0;
}

void gs_buffer_deinit(struct gs_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct gs_buffer){0};
}

void gs_clear(struct gs_buffer *buffer)
{
    buffer->size = 0;
    buffer->overflow = false;
}

/* Makes room for `size` more bytes; false when the limit or memory is exhausted. */
static bool reserve(struct gs_buffer *buffer, size_t size)
{
    if (size <= buffer->capacity - buffer->size)
        return true;
    if (size > buffer->limit - buffer->size)
        return false;

    size_t capacity = buffer->size + size;
    capacity = capacity > buffer->limit / 2 ? buffer->limit : 2 * capacity;
    uint8_t *data = realloc(buffer->data, capacity);
    if (!data)
        return false;

    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

void gs_put(struct gs_buffer *buffer, const void *bytes, size_t size)
{
    if (buffer->overflow || !reserve(buffer, size)) {
        buffer->overflow = true;
        return;
    }
    if (size > 0)
        memcpy(buffer->data + buffer->size, bytes, size);
    buffer->size += size;
}

void gs_put_text(struct gs_buffer *buffer, const char *text)
{
    gs_put(buffer, text, strlen(text));
}

void gs_put_format(struct gs_buffer *buffer, const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    int size = vsnprintf(text, sizeof(text), format, args);
    va_end(args);

    if (size < 0 || (size_t)size >= sizeof(text))
        buffer->overflow = true;
    else
        gs_put(buffer, text, (size_t)size);
}

void gs_put_hex(struct gs_buffer *buffer, const void *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *byte = bytes;

    for (size_t i = 0; i < size; i++) {
        const char pair[2] = {digits[byte[i] >> 4], digits[byte[i] & 15]};
        gs_put(buffer, pair, sizeof(pair));
    }
}

void gs_put_xml(struct gs_buffer *buffer, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&':
            gs_put_text(buffer, "&amp;");
            break;
        case '<':
            gs_put_text(buffer, "&lt;");
            break;
        case '>':
            gs_put_text(buffer, "&gt;");
            break;
        case '"':
            gs_put_text(buffer, "&quot;");
            break;
        default: /* XML has no control characters */
            gs_put(buffer, (unsigned char)*text < ' ' ? "?" : text, 1);
        }
    }
}
