/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <string.h>

size_t gs_left(const struct gs_cursor *cursor)
{
    return (size_t)(cursor->end - cursor->next);
}

bool gs_take(struct gs_cursor *cursor, char expected)
{
    if (gs_left(cursor) == 0 || *cursor->next != (uint8_t)expected)
        return false;
    cursor->next++;
    return true;
}

int gs_digit(uint8_t character)
{
    if (character >= '0' && character <= '9')
        return character - '0';
    if (character >= 'a' && character <= 'f')
        return character - 'a' + 10;
    if (character >= 'A' && character <= 'F')
        return character - 'A' + 10;
    return -1;
}

bool gs_take_number(struct gs_cursor *cursor, uint64_t *value)
{
    const uint8_t *next = cursor->next;
    uint64_t number = 0;

    for (; next < cursor->end && gs_digit(*next) >= 0; next++) {
        if (number >> 60 != 0)
            return false;
        number = number << 4 | (uint64_t)gs_digit(*next);
    }
    if (next == cursor->next)
        return false;

    cursor->next = next;
    *value = number;
    return true;
}

/* One part of a thread id: a number, or "-1" for all, which like 0 becomes 0. */
static bool take_id(struct gs_cursor *cursor, uint64_t *id)
{
    struct gs_cursor at = *cursor;
    uint64_t number;
    bool all = gs_take(&at, '-');

    if (!gs_take_number(&at, &number) || number > INT32_MAX || (all && number != 1))
        return false;

    *cursor = at;
    *id = all ? 0 : number;
    return true;
}

/* Both forms are taken whatever was negotiated: lldb mixes them. */
bool gs_take_thread(struct gs_cursor *cursor, gdbstub_thread *thread)
{
    struct gs_cursor at = *cursor;
    uint64_t id = 0;

    if (gs_take(&at, 'p')) {
        uint64_t process;
        if (!take_id(&at, &process) || (process != 0 && process != GS_PROCESS))
            return false;
        if (gs_take(&at, '.') && !take_id(&at, &id))
            return false;
    } else if (!take_id(&at, &id)) {
        return false;
    }

    *cursor = at;
    *thread = (gdbstub_thread)id;
    return true;
}

bool gs_take_signal(struct gs_cursor *cursor, int *signal)
{
    struct gs_cursor at = *cursor;
    uint64_t number;

    if (!gs_take_number(&at, &number) || number > UINT8_MAX)
        return false;

    *cursor = at;
    *signal = (int)number;
    return true;
}

struct gs_cursor gs_take_until(struct gs_cursor *cursor, char delimiter)
{
    struct gs_cursor part = *cursor;
    const uint8_t *found = NULL;

    if (gs_left(cursor) > 0)
        found = memchr(cursor->next, delimiter, gs_left(cursor));
    part.end = found ? found : cursor->end;
    cursor->next = found ? found + 1 : cursor->end;
    return part;
}

bool gs_equals(struct gs_cursor cursor, const char *text)
{
    return gs_left(&cursor) == strlen(text) && memcmp(cursor.next, text, strlen(text)) == 0;
}

bool gs_decode_hex(const uint8_t *digits, size_t size, uint8_t *bytes)
{
    for (size_t i = 0; i < size; i++) {
        int high = gs_digit(digits[2 * i]);
        int low = gs_digit(digits[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}
