/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "monitor_args.h"

#include "xrw/filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MAX_BYTES 128u

int xrw_parse_number(const char *text, uint64_t *number)
{
    unsigned long long value;
    char *end;

    if (*text < '0' || *text > '9')
        return -EINVAL;
    errno = 0;
    value = strtoull(text, &end, text[0] == '0' && (text[1] | 32) == 'x' ? 16 : 10);
    if (errno || *end)
        return -EINVAL;
    *number = value;
    return 0;
}

/* The next word; returns where to go on, NULL if there is none left or it is too long. */
static const char *next_word(const char *text, char word[WORD_MAX_BYTES])
{
    size_t bytes;

    text += strspn(text, " \t");
    bytes = strcspn(text, " \t");
    if (!bytes || bytes >= WORD_MAX_BYTES)
        return NULL;
    memcpy(word, text, bytes);
    word[bytes] = '\0';
    return text + bytes;
}

int xrw_parse_numbers(const char *text, uint64_t *numbers, int count)
{
    char word[WORD_MAX_BYTES];
    int given = 0;

    for (; text[strspn(text, " \t")]; given++) {
        text = next_word(text, word);
        if (!text || given == count || xrw_parse_number(word, &numbers[given]))
            return -EINVAL;
    }
    return given;
}

int xrw_parse_filter(const char *text, struct xrw_exit_filter *filter, struct xrw_error *err)
{
    struct xrw_exit_filter parsed = {0};
    char word[WORD_MAX_BYTES];

    while (text[strspn(text, " \t")]) {
        char *value;
        int ret;

        text = next_word(text, word);
        value = text ? strchr(word, '=') : NULL;
        if (!value)
            return xrw_error_set(err, -EINVAL, "usage: [reason=NAME] [rip=ADDR[-ADDR]] [vcpu=N] [REGISTER=N]");
        *value++ = '\0';
        ret = xrw_filter_set(&parsed, word, value, err);
        if (ret)
            return ret;
    }
    *filter = parsed;
    return 0;
}
