/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stream.h"

#include "bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 256u
#define LAPS_UNTIL_SAME 1024u
#define LAP_SHIFT UINT64_C(0x3000)

struct pattern {
    struct xrw_exit exit;
    char text[96];
    uint64_t insn;
};

struct stream {
    size_t count, at;
    uint64_t lap, id;
    uint64_t span_ns, span_tsc;
    struct pattern *pattern;
};

/* Where a column goes. */
struct column {
    enum { IGNORED, VCPU, INSN, HAS_AFTER, FIELD, BEFORE, AFTER } kind;
    int index;
};

static struct column column_by_name(const char *name)
{
    if (!strcmp(name, "vcpu"))
        return (struct column){VCPU, 0};
    if (!strcmp(name, "insn"))
        return (struct column){INSN, 0};
    if (!strcmp(name, "has_after"))
        return (struct column){HAS_AFTER, 0};
    if (xrw_exit_field_by_name(name) >= 0)
        return (struct column){FIELD, xrw_exit_field_by_name(name)};
    if (xrw_register_by_name(name) >= 0)
        return (struct column){BEFORE, xrw_register_by_name(name)};
    if (!strncmp(name, "after_", 6) && xrw_register_by_name(name + 6) >= 0)
        return (struct column){AFTER, xrw_register_by_name(name + 6)};
    return (struct column){IGNORED, 0};
}

static void take(struct pattern *pattern, const struct column *column, const char *text)
{
    bool known = strcmp(text, "-") != 0;
    uint64_t value = known ? strtoull(text, NULL, 16) : 0;
    struct xrw_registers *regs =
        column->kind == BEFORE ? &pattern->exit.before : &pattern->exit.after;

    switch (column->kind) {
    case VCPU:
        pattern->exit.vcpu = (uint32_t)value;
        break;
    case INSN:
        (void)snprintf(pattern->text, sizeof pattern->text, "%s", text);
        break;
    case HAS_AFTER:
        pattern->exit.has_after = value != 0;
        break;
    case FIELD:
        pattern->exit.field[column->index] = value;
        pattern->exit.field_known[column->index] = known;
        break;
    case BEFORE:
    case AFTER:
        regs->value[column->index] = value;
        regs->known[column->index] = known;
        break;
    default:
        break;
    }
}

/* One line: an empty column is as in the line before. */
static void take_line(struct pattern *pattern, const struct column *columns, char *line)
{
    char *text = line;

    for (unsigned i = 0; text; i++) {
        char *end = strchr(text, ',');

        if (end)
            *end++ = '\0';
        if (*text)
            take(pattern, &columns[i], text);
        text = end;
    }
}

static unsigned read_columns(char *line, struct column *columns)
{
    unsigned count = 0;

    for (char *name = strtok(line, ",\n"); name && count < COLUMNS_MAX; name = strtok(NULL, ",\n"))
        columns[count++] = column_by_name(name);
    return count;
}

static void read_all(struct stream *stream, FILE *file)
{
    struct column columns[COLUMNS_MAX];
    struct pattern last = {0};
    size_t room = 0, line_bytes = 0;
    char *line = NULL;

    if (getline(&line, &line_bytes, file) < 0 || !read_columns(line, columns))
        bench_fail("bench: %s cannot be read; is xz installed?", BENCH_EXITS);
    while (getline(&line, &line_bytes, file) > 0) {
        line[strcspn(line, "\n")] = '\0';
        take_line(&last, columns, line);
        if (stream->count == room) {
            room = room ? 2 * room : 4096;
            stream->pattern = realloc(stream->pattern, room * sizeof last);
            if (!stream->pattern)
                bench_fail("bench: out of memory");
        }
        stream->pattern[stream->count++] = last;
    }
    free(line);
}

struct stream *stream_open(void)
{
    struct stream *stream = calloc(1, sizeof *stream);
    FILE *file = popen("xz -dc '" BENCH_EXITS "'", "r");
    const struct xrw_exit *first, *last;

    if (!stream || !file)
        bench_fail("bench: cannot start xz");
    read_all(stream, file);
    if (pclose(file) || stream->count < 100)
        bench_fail("bench: %s cannot be read", BENCH_EXITS);
    first = &stream->pattern[0].exit;
    last = &stream->pattern[stream->count - 1].exit;
    stream->span_ns = last->field[XRW_EXIT_time_ns] - first->field[XRW_EXIT_time_ns] + 10000;
    stream->span_tsc = last->field[XRW_EXIT_tsc] - first->field[XRW_EXIT_tsc] + 30000;
    return stream;
}

void stream_close(struct stream *stream)
{
    free(stream->pattern);
    free(stream);
}

size_t stream_lap(const struct stream *stream)
{
    return stream->count;
}

static bool is_movable(uint64_t value)
{
    return value >> 32 == 0xffff8880u || (value >> 40 == 0x7f && (value & 0xffff) != 0);
}

static void move_registers(struct xrw_registers *regs, uint64_t by)
{
    for (unsigned i = 0; i < XRW_HOT_COUNT; i++)
        if (regs->known[i] && i != XRW_REG_rip && is_movable(regs->value[i]))
            regs->value[i] += by;
}

/* Take all exits on by so many laps. */
static void move(struct stream *stream, int64_t laps, uint64_t by)
{
    static const enum xrw_exit_field times[] = {XRW_EXIT_tsc, XRW_EXIT_entry_tsc};

    for (size_t i = 0; i < stream->count; i++) {
        struct xrw_exit *exit = &stream->pattern[i].exit;

        exit->field[XRW_EXIT_time_ns] += (uint64_t)laps * stream->span_ns;
        for (size_t j = 0; j < sizeof times / sizeof *times; j++)
            exit->field[times[j]] += (uint64_t)laps * stream->span_tsc;
        exit->field[XRW_EXIT_entries] += (uint64_t)laps * stream->count;
        move_registers(&exit->before, by);
        move_registers(&exit->after, by);
    }
}

void stream_rewind(struct stream *stream)
{
    move(stream, -(int64_t)stream->lap, -(stream->lap % LAPS_UNTIL_SAME) * LAP_SHIFT);
    stream->at = stream->lap = stream->id = 0;
}

const struct xrw_exit *stream_next(struct stream *stream)
{
    struct xrw_exit *exit;

    if (stream->at == stream->count) {
        bool again = ++stream->lap % LAPS_UNTIL_SAME == 0;

        move(stream, 1, again ? -(LAPS_UNTIL_SAME - 1) * LAP_SHIFT : LAP_SHIFT);
        stream->at = 0;
    }
    exit = &stream->pattern[stream->at++].exit;
    exit->id = ++stream->id;
    exit->run = 1;
    return exit;
}

void stream_add_insns(struct stream *stream, struct xrw_store *store)
{
    static const uint8_t code[] = {0x90};
    struct xrw_error err = {""};

    for (size_t i = 0; i < stream->count; i++) {
        struct pattern *pattern = &stream->pattern[i];

        if (xrw_store_add_insn(store, pattern->exit.before.value[XRW_REG_rip], 64, code,
                               sizeof code, pattern->text, &pattern->insn, &err))
            bench_fail("bench: %s", err.text);
    }
}

void stream_name_insn(const struct stream *stream, struct xrw_store *store)
{
    xrw_store_set_next_insn(store, stream->pattern[stream->at - 1].insn);
}
