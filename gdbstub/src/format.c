/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/*
 * printf of agent expressions. The format comes from the network and never reaches C's printf. All
 * arguments are 64-bit numbers, cut to their size.
 * Source: GDB manual, node Bytecode Descriptions (printf), and C's fprintf.
 */

#define NUMBER_MAX 200u /* of width and of precision */
#define STRING_MAX 256u /* of what %s reads from the target */

/* One directive: flags, width, precision, size of the argument, conversion. */
struct directive {
    char flags[6];
    unsigned width;
    int precision; /* -1: not given */
    unsigned bits;
    char conversion;
};

static bool take_digits(struct gs_cursor *at, unsigned *number)
{
    unsigned value = 0;

    while (gs_left(at) > 0 && *at->next >= '0' && *at->next <= '9' && value <= NUMBER_MAX)
        value = 10 * value + (unsigned)(*at->next++ - '0');
    *number = value;
    return value <= NUMBER_MAX;
}

static unsigned take_size(struct gs_cursor *at)
{
    static const struct {
        const char *text;
        unsigned bits;
    } sizes[] = {{"hh", 8}, {"h", 16}, {"ll", 64}, {"l", 64}, {"j", 64}, {"z", 64}, {"t", 64}};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        size_t length = strlen(sizes[i].text);
        if (gs_left(at) >= length && memcmp(at->next, sizes[i].text, length) == 0) {
            at->next += length;
            return sizes[i].bits;
        }
    }
    return 32;
}

/* What follows a '%'. */
static bool take_directive(struct gs_cursor *at, struct directive *directive)
{
    unsigned precision;
    size_t flags = 0;

    *directive = (struct directive){.precision = -1};
    while (gs_left(at) > 0 && *at->next != '\0' && strchr("-+ #0", *at->next)) {
        if (flags == sizeof(directive->flags) - 1)
            return false;
        directive->flags[flags++] = (char)*at->next++;
    }
    if (!take_digits(at, &directive->width))
        return false;
    if (gs_take(at, '.')) {
        if (!take_digits(at, &precision))
            return false;
        directive->precision = (int)precision;
    }
    directive->bits = take_size(at);
    if (gs_left(at) == 0 || *at->next == '\0' || !strchr("diouxXcsp", *at->next))
        return false;
    directive->conversion = (char)*at->next++;
    return true;
}

static void repeat(const struct gdbstub_view *view, char character, size_t count)
{
    while (count-- > 0)
        gdbstub_console_write(view->console, &character, 1);
}

static bool has(const struct directive *directive, char flag)
{
    return strchr(directive->flags, flag) != NULL;
}

/* Writes the number backwards from `end`; returns its first digit. */
static char *put_digits(char *end, uint64_t value, unsigned base, bool upper)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";

    do {
        *--end = digits[value % base];
        value /= base;
    } while (value != 0);
    return end;
}

static void print_number(const struct gdbstub_view *view, const struct directive *directive,
                         uint64_t value)
{
    char conversion = directive->conversion;
    bool is_signed = conversion == 'd' || conversion == 'i';
    unsigned base = conversion == 'o' ? 8 : conversion == 'x' || conversion == 'X' ? 16 : 10;
    unsigned shift = 64 - directive->bits;
    char text[24];
    const char *sign = "";

    value = value << shift >> shift;
    if (is_signed && value >> (directive->bits - 1) != 0) {
        value = (0 - value) << shift >> shift;
        sign = "-";
    } else if (is_signed && (has(directive, '+') || has(directive, ' '))) {
        sign = has(directive, '+') ? "+" : " ";
    } else if (has(directive, '#') && base != 10 && value != 0) {
        sign = base == 8 ? "0" : conversion == 'x' ? "0x" : "0X";
    }
    char *first = put_digits(text + sizeof(text), value, base, conversion == 'X');
    size_t size = (size_t)(text + sizeof(text) - first);
    size_t zeros = directive->precision > (int)size ? (size_t)directive->precision - size : 0;
    size_t used = strlen(sign) + zeros + size;
    size_t blanks = directive->width > used ? directive->width - used : 0;
    if (has(directive, '0') && !has(directive, '-') && directive->precision < 0) {
        zeros = blanks;
        blanks = 0;
    }
    repeat(view, ' ', has(directive, '-') ? 0 : blanks);
    gdbstub_console_write(view->console, sign, strlen(sign));
    repeat(view, '0', zeros);
    gdbstub_console_write(view->console, first, size);
    repeat(view, ' ', has(directive, '-') ? blanks : 0);
}

static int print_string(const struct gdbstub_view *view, const struct directive *directive,
                        uint64_t address)
{
    char text[STRING_MAX + 1];
    size_t size = 0;

    /* Byte by byte: what follows the end of the string may not be there. */
    for (; size < STRING_MAX; size++) {
        size_t got = 0;
        int ret = view->read_memory(view->ctx, view->thread, address + size, text + size, 1, &got);
        if (ret < 0 || got == 0)
            return ret < 0 ? ret : -EFAULT;
        if (text[size] == '\0')
            break;
    }
    text[size] = '\0';
    bool left = has(directive, '-');
    gdbstub_console_print(view->console, "%*.*s",
                          left ? -(int)directive->width : (int)directive->width,
                          directive->precision < 0 ? (int)STRING_MAX : directive->precision, text);
    return 0;
}

static int print_directive(const struct gdbstub_view *view, struct directive *directive,
                           uint64_t value)
{
    switch (directive->conversion) {
    case 's':
        return print_string(view, directive, value);
    case 'c':
        gdbstub_console_write(view->console, &(char){(char)value}, 1);
        return 0;
    case 'p':
        gdbstub_console_print(view->console, "0x%" PRIx64, value);
        return 0;
    default:
        print_number(view, directive, value);
        return 0;
    }
}

/* gdb sends escapes as they were typed. */
static bool take_escape(struct gs_cursor *at, char *character)
{
    static const char letters[] = "abefnrtv";
    static const char meanings[] = "\a\b\033\f\n\r\t\v";
    unsigned octal = 0;
    size_t digits = 0;

    if (gs_left(at) == 0 || *at->next == '\0')
        return false;
    for (; digits < 3 && gs_left(at) > 0 && *at->next >= '0' && *at->next <= '7'; digits++)
        octal = 8 * octal + (unsigned)(*at->next++ - '0');
    if (digits > 0) {
        *character = (char)octal;
        return true;
    }
    const char *letter = strchr(letters, *at->next);
    *character = letter ? meanings[letter - letters] : (char)*at->next;
    if (!letter && !strchr("\\\"'", *at->next))
        return false;
    at->next++;
    return true;
}

/* Text up to a directive or the end. */
static bool print_text(const struct gdbstub_view *view, struct gs_cursor *at)
{
    while (gs_left(at) > 0 && *at->next != '%' && *at->next != '\0') {
        char character = (char)*at->next++;
        if (character == '\\' && !take_escape(at, &character))
            return false;
        gdbstub_console_write(view->console, &character, 1);
    }
    return true;
}

int gs_print_format(const struct gdbstub_view *view, const uint8_t *format, size_t size,
                    const uint64_t *args, size_t count)
{
    struct gs_cursor at = {format, format + size};
    size_t used = 0;

    while (gs_left(&at) > 0 && *at.next != '\0') {
        struct directive directive;
        if (!print_text(view, &at))
            return -EINVAL;
        if (!gs_take(&at, '%'))
            continue;
        if (gs_take(&at, '%')) {
            gdbstub_console_write(view->console, "%", 1);
            continue;
        }
        if (!take_directive(&at, &directive) || used == count)
            return -EINVAL;
        int ret = print_directive(view, &directive, args[used++]);
        if (ret < 0)
            return ret;
    }
    return 0;
}
