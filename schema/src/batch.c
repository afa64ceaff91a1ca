/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "batch.h"

#include <string.h>

/* ---- bases ----------------------------------------------------------- */

/* The known values of one column of one block. */
struct column {
    unsigned count;
    int64_t value[XRW_BATCH_EXITS];
};

static void collect(const struct xrw_batch *batch, unsigned block, unsigned based,
                    struct column *column)
{
    column->count = 0;
    for (unsigned i = 0; i < batch->count; i++)
        if (batch->block_of[i] == block && batch->exit[i].known >> based & 1)
            column->value[column->count++] = batch->exit[i].based[based];
}

/* Whether all differences fit: a sum that overflows would not be an integer in SQL. */
static bool fits(const struct column *column, int64_t base)
{
    int64_t least = column->value[0], most = column->value[0], difference;

    for (unsigned i = 1; i < column->count; i++) {
        least = column->value[i] < least ? column->value[i] : least;
        most = column->value[i] > most ? column->value[i] : most;
    }
    return !__builtin_sub_overflow(least, base, &difference) &&
           !__builtin_sub_overflow(most, base, &difference);
}

/* Bytes that the column would take with this base, by every n-th value. */
static unsigned cost(const struct column *column, int64_t base)
{
    unsigned step = column->count > 64 ? 4 : 1, bytes = 0;

    for (unsigned i = 0; i < column->count; i += step)
        bytes += xrw_row_value_bytes((int64_t)((uint64_t)column->value[i] - (uint64_t)base));
    return bytes;
}

static int64_t best_base(const struct column *column)
{
    const int64_t candidates[] = {column->value[0], column->value[column->count / 2],
                                  column->value[column->count - 1]};
    int64_t best = 0;
    unsigned least = cost(column, 0);

    if (!least) /* all are 0 or 1 */
        return 0;
    for (unsigned i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        unsigned bytes;

        if (i && candidates[i] == candidates[i - 1])
            continue;
        bytes = cost(column, candidates[i]);
        if (bytes < least && fits(column, candidates[i])) {
            least = bytes;
            best = candidates[i];
        }
    }
    return best;
}

static void choose_bases(const struct xrw_batch *batch, unsigned index, struct xrw_block *block)
{
    struct column column;

    block->known = 0;
    for (unsigned based = 0; based < XRW_BASED_COUNT; based++) {
        collect(batch, index, based, &column);
        block->base[based] = 0;
        if (!column.count)
            continue;
        block->known |= 1u << based;
        block->base[based] = best_base(&column);
    }
}

static unsigned find_block(struct xrw_batch *batch, const struct xrw_split_exit *exit)
{
    unsigned i = 0;

    while (i < batch->blocks &&
           (batch->block[i].vcpu != exit->vcpu || batch->block[i].resume != exit->resume))
        i++;
    if (i == batch->blocks) {
        batch->block[i].vcpu = exit->vcpu;
        batch->block[i].resume = exit->resume;
        batch->block[i].exits = 0;
        batch->blocks++;
    }
    return i;
}

void xrw_batch_make_blocks(struct xrw_batch *batch, uint64_t last_block)
{
    batch->blocks = 0;
    for (unsigned i = 0; i < batch->count; i++) {
        batch->block_of[i] = (uint8_t)find_block(batch, &batch->exit[i]);
        batch->block[batch->block_of[i]].exits++;
    }
    for (unsigned i = 0; i < batch->blocks; i++) {
        batch->block[i].id = last_block + 1 + i;
        choose_bases(batch, i, &batch->block[i]);
    }
}

/* ---- rows ------------------------------------------------------------ */

/* Where based values go; rare ones are NULL where they are not known. */
#define BASED_WHOLE(name)
#define BASED_BASED(name) [XRW_BASED_##name] = {XRW_COLUMN_BASED_##name, false},
#define BASED_RARE(name) [XRW_BASED_##name] = {XRW_COLUMN_RARE_##name, true},
#define BASED_AFTER(name)
#define BASED_OF(kind, name) BASED_##kind(name)
static const struct {
    uint8_t column;
    bool rare;
} based_columns[XRW_BASED_COUNT] = {XRW_EXIT_COLUMN_TABLE(BASED_OF)};

/* Where registers after the handling go, but RIP. */
#define AFTER_WHOLE(name)
#define AFTER_BASED(name)
#define AFTER_RARE(name)
#define AFTER_AFTER(name) [XRW_REG_##name] = XRW_COLUMN_AFTER_##name,
#define AFTER_OF(kind, name) AFTER_##kind(name)
static const uint8_t after_columns[XRW_HOT_COUNT] = {XRW_EXIT_COLUMN_TABLE(AFTER_OF)};

static void use(struct xrw_row *row, unsigned column)
{
    if (column >= row->used)
        row->used = column + 1;
}

static void put(struct xrw_row *row, unsigned column, uint64_t value)
{
    row->value[column] = (int64_t)value;
    row->null[column] = false;
    use(row, column);
}

static void put_based(struct xrw_row *row, const struct xrw_split_exit *exit,
                      const struct xrw_block *block)
{
    for (unsigned based = 0; based < XRW_BASED_COUNT; based++) {
        unsigned column = based_columns[based].column;
        uint64_t difference = (uint64_t)exit->based[based] - (uint64_t)block->base[based];

        if (exit->known >> based & 1) {
            if (difference || based_columns[based].rare)
                put(row, column, difference);
        } else if (block->known >> based & 1 && !based_columns[based].rare) {
            row->null[column] = true;
            use(row, column);
        }
    }
}

static void put_after(struct xrw_row *row, const struct xrw_split_exit *exit)
{
    const uint64_t *value = exit->after_value;
    int64_t advance;

    for (uint32_t left = exit->after; left; left &= left - 1, value++) {
        unsigned reg = (unsigned)__builtin_ctz(left);

        if (reg != XRW_REG_rip)
            put(row, after_columns[reg], *value);
        else if (exit->rip_known &&
                 !__builtin_sub_overflow((int64_t)*value, (int64_t)exit->rip, &advance))
            put(row, XRW_COLUMN_WHOLE_advance, (uint64_t)advance);
        else
            put(row, XRW_COLUMN_WHOLE_after_rip, *value);
    }
}

static void put_whole(struct xrw_row *row, const struct xrw_split_exit *exit)
{
    if (exit->has_qualification)
        put(row, XRW_COLUMN_WHOLE_qualification, exit->qualification);
    if (exit->has_entries)
        put(row, XRW_COLUMN_WHOLE_whole_entries, exit->entries);
    if (exit->has_gap)
        put(row, XRW_COLUMN_WHOLE_gap, (uint64_t)exit->gap);
    if (exit->has_entry_tsc)
        put(row, XRW_COLUMN_WHOLE_whole_entry_tsc, exit->entry_tsc);
    if (exit->after_sysregs)
        put(row, XRW_COLUMN_WHOLE_after_sysregs, exit->after_sysregs);
    if (exit->unknown)
        put(row, XRW_COLUMN_WHOLE_unknown, exit->unknown);
}

void xrw_batch_make_row(const struct xrw_batch *batch, unsigned index, struct xrw_row *row)
{
    const struct xrw_split_exit *exit = &batch->exit[index];
    const struct xrw_block *block = &batch->block[batch->block_of[index]];

    xrw_row_clear(row);
    put(row, XRW_COLUMN_WHOLE_site, exit->site);
    put(row, XRW_COLUMN_WHOLE_block, block->id);
    put(row, XRW_COLUMN_WHOLE_kept, exit->set[XRW_SET_KEPT]);
    put(row, XRW_COLUMN_WHOLE_work, exit->set[XRW_SET_WORK]);
    put_based(row, exit, block);
    put_after(row, exit);
    put_whole(row, exit);
}
