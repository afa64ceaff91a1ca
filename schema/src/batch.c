/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "batch.h"

#include "xrw/svm.h"
#include "xrw/vmx.h"

#include <string.h>

#define NOWHERE UINT8_MAX

/* Where each field of an exit goes: a based value, or a field of the site. */
static const struct {
    uint8_t based, site;
} places[XRW_EXIT_FIELD_COUNT] = {
    [XRW_EXIT_time_ns] = {XRW_BASED_time_ns, NOWHERE},
    [XRW_EXIT_tsc] = {XRW_BASED_tsc, NOWHERE},
    [XRW_EXIT_reason] = {NOWHERE, XRW_SITE_reason},
    [XRW_EXIT_qualification] = {NOWHERE, XRW_SITE_qualification},
    [XRW_EXIT_gpa] = {XRW_BASED_gpa, NOWHERE},
    [XRW_EXIT_gla] = {XRW_BASED_gla, NOWHERE},
    [XRW_EXIT_intr_info] = {NOWHERE, XRW_SITE_intr_info},
    [XRW_EXIT_intr_error] = {NOWHERE, XRW_SITE_intr_error},
    [XRW_EXIT_idt_info] = {NOWHERE, XRW_SITE_idt_info},
    [XRW_EXIT_idt_error] = {NOWHERE, XRW_SITE_idt_error},
    [XRW_EXIT_insn_len] = {NOWHERE, XRW_SITE_insn_len},
    [XRW_EXIT_insn_info] = {NOWHERE, XRW_SITE_insn_info},
    [XRW_EXIT_interruptibility] = {NOWHERE, XRW_SITE_interruptibility},
    [XRW_EXIT_entry_intr_info] = {NOWHERE, XRW_SITE_entry_intr_info},
    [XRW_EXIT_entry_error] = {NOWHERE, XRW_SITE_entry_error},
    [XRW_EXIT_entry_tsc] = {NOWHERE, NOWHERE}, /* see take_entry_tsc() */
    [XRW_EXIT_entry_tsc_offset] = {XRW_BASED_entry_tsc_offset, NOWHERE},
    [XRW_EXIT_entries] = {XRW_BASED_entries, NOWHERE},
};

#define REGISTER(name) XRW_REG_##name,
const uint8_t xrw_set_registers[XRW_SETS][XRW_SET_MAX] = {
    [XRW_SET_KEPT] = {XRW_KEPT_TABLE(REGISTER)},
    [XRW_SET_WORK] = {XRW_WORK_TABLE(REGISTER)},
};

const unsigned xrw_set_sizes[XRW_SETS] = {
    [XRW_SET_KEPT] = XRW_KEPT_COUNT,
    [XRW_SET_WORK] = XRW_WORK_COUNT,
};

/* Where each hot register goes: to a set, or to the based values (set XRW_SETS), and as which. */
static const struct {
    uint8_t set, index;
} register_places[XRW_HOT_COUNT] = {
#define KEPT_PLACE(name) [XRW_REG_##name] = {XRW_SET_KEPT, XRW_KEPT_##name},
    XRW_KEPT_TABLE(KEPT_PLACE)
#define WORK_PLACE(name) [XRW_REG_##name] = {XRW_SET_WORK, XRW_WORK_##name},
        XRW_WORK_TABLE(WORK_PLACE)[XRW_REG_r9] = {XRW_SETS, XRW_BASED_r9},
    [XRW_REG_r10] = {XRW_SETS, XRW_BASED_r10},
};

/* ---- unpacking ------------------------------------------------------- */

static const uint64_t *unpack_fields(const struct xrw_packed_exit *packed, const uint64_t *value,
                                     struct xrw_batch_exit *exit, struct xrw_site *site)
{
    for (uint32_t left = packed->fields; left; left &= left - 1) {
        unsigned field = (unsigned)__builtin_ctz(left);
        unsigned based = places[field].based;

        if (based != NOWHERE) {
            exit->known |= 1u << based;
            exit->based[based] = (int64_t)*value++;
        } else if (places[field].site != NOWHERE) {
            site->known |= 1u << places[field].site;
            site->field[places[field].site] = *value++;
        } else {
            exit->has_entry_tsc = true;
            exit->entry_tsc = *value++;
        }
    }
    return value;
}

static const uint64_t *unpack_before(const struct xrw_packed_exit *packed, const uint64_t *value,
                                     struct xrw_batch_exit *exit,
                                     struct xrw_register_set sets[XRW_SETS])
{
    for (uint32_t left = packed->before; left; left &= left - 1) {
        unsigned reg = (unsigned)__builtin_ctz(left);
        unsigned set = register_places[reg].set, index = register_places[reg].index;

        if (reg == XRW_REG_rip) {
            exit->rip_known = true;
            exit->rip = *value++;
        } else if (set < XRW_SETS) {
            sets[set].known |= UINT64_C(1) << index;
            sets[set].value[index] = *value++;
        } else {
            exit->known |= 1u << index;
            exit->based[index] = (int64_t)*value++;
        }
    }
    return value;
}

/* The time of the entry is near that of the exit. */
static void take_entry_tsc(struct xrw_batch_exit *exit)
{
    exit->has_gap =
        exit->has_entry_tsc && exit->known >> XRW_BASED_tsc & 1 &&
        !__builtin_sub_overflow(exit->based[XRW_BASED_tsc], (int64_t)exit->entry_tsc, &exit->gap);
    exit->has_entry_tsc = exit->has_entry_tsc && !exit->has_gap;
}

/* An address in the qualification would make a site of every exit. */
static void take_qualification(struct xrw_batch_exit *exit, struct xrw_site *site)
{
    unsigned reason = (unsigned)(site->field[XRW_SITE_reason] & 0xffff);

    if (!(site->known >> XRW_SITE_qualification & 1) ||
        (reason != XRW_VMX_EXCEPTION_NMI && reason != XRW_VMX_INVLPG && reason != XRW_SVM_INVLPG))
        return;
    exit->has_qualification = true;
    exit->qualification = site->field[XRW_SITE_qualification];
    site->known &= ~(1u << XRW_SITE_qualification);
    site->field[XRW_SITE_qualification] = 0;
}

/* Usually one more at every exit: what is kept is what goes beyond the exit's number. */
static void take_entries(struct xrw_batch_exit *exit)
{
    const uint32_t bit = 1u << XRW_BASED_entries;
    int64_t beyond;

    if (!(exit->known & bit))
        return;
    if (!__builtin_sub_overflow(exit->based[XRW_BASED_entries], (int64_t)exit->id, &beyond)) {
        exit->based[XRW_BASED_entries] = beyond;
        return;
    }
    exit->has_entries = true;
    exit->entries = (uint64_t)exit->based[XRW_BASED_entries];
    exit->known &= ~bit;
}

void xrw_batch_unpack(const struct xrw_packed_exit *packed, struct xrw_batch_exit *exit,
                      struct xrw_site *site, struct xrw_register_set sets[XRW_SETS])
{
    const uint64_t *value = packed->value;

    memset(site, 0, sizeof *site);
    memset(sets, 0, XRW_SETS * sizeof *sets);
    exit->id = packed->id;
    exit->vcpu = packed->vcpu;
    exit->known = 1u << XRW_BASED_sysregs;
    exit->based[XRW_BASED_sysregs] = packed->sysregs;
    exit->has_qualification = exit->has_entries = exit->has_entry_tsc = exit->rip_known = false;
    exit->rip = 0;
    value = unpack_fields(packed, value, exit, site);
    value = unpack_before(packed, value, exit, sets);
    exit->resume = packed->after_sysregs != 0;
    exit->after_sysregs = packed->after_sysregs == packed->sysregs ? 0 : packed->after_sysregs;
    exit->unknown = packed->unknown;
    exit->after = packed->after;
    for (uint32_t left = packed->after; left; left &= left - 1)
        exit->after_value[__builtin_ctz(left)] = *value++;
    take_qualification(exit, site);
    take_entries(exit);
    take_entry_tsc(exit);
    site->insn = packed->insn;
    site->rip = exit->rip;
    site->rip_known = exit->rip_known;
}

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

static unsigned find_block(struct xrw_batch *batch, const struct xrw_batch_exit *exit)
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

/* What a column is if nothing is put into it: NULL, or 0. */
#define NULL_WHOLE true
#define NULL_BASED false
#define NULL_RARE true
#define NULL_AFTER true
#define NULL_OF(kind, name) [XRW_COLUMN_##kind##_##name] = NULL_##kind,
static const bool default_null[XRW_EXIT_COLUMN_COUNT] = {XRW_EXIT_COLUMN_TABLE(NULL_OF)};

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

static void put_based(struct xrw_row *row, const struct xrw_batch_exit *exit,
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

static void put_after(struct xrw_row *row, const struct xrw_batch_exit *exit)
{
    const uint32_t rip = UINT32_C(1) << XRW_REG_rip;
    int64_t advance;

    for (uint32_t left = exit->after & ~rip; left; left &= left - 1) {
        unsigned reg = (unsigned)__builtin_ctz(left);

        put(row, after_columns[reg], exit->after_value[reg]);
    }
    if (!(exit->after & rip))
        return;
    if (exit->rip_known && !__builtin_sub_overflow((int64_t)exit->after_value[XRW_REG_rip],
                                                   (int64_t)exit->rip, &advance))
        put(row, XRW_COLUMN_WHOLE_advance, (uint64_t)advance);
    else
        put(row, XRW_COLUMN_WHOLE_after_rip, exit->after_value[XRW_REG_rip]);
}

static void put_whole(struct xrw_row *row, const struct xrw_batch_exit *exit)
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
    const struct xrw_batch_exit *exit = &batch->exit[index];
    const struct xrw_block *block = &batch->block[batch->block_of[index]];

    row->used = 0;
    memset(row->value, 0, sizeof row->value);
    memcpy(row->null, default_null, sizeof default_null);
    /* NULL is no default of these. */
    row->null[XRW_COLUMN_WHOLE_advance] = false;
    row->null[XRW_COLUMN_WHOLE_unknown] = false;
    put(row, XRW_COLUMN_WHOLE_site, exit->site);
    put(row, XRW_COLUMN_WHOLE_block, block->id);
    put(row, XRW_COLUMN_WHOLE_kept, exit->set[XRW_SET_KEPT]);
    put(row, XRW_COLUMN_WHOLE_work, exit->set[XRW_SET_WORK]);
    put_based(row, exit, block);
    put_after(row, exit);
    put_whole(row, exit);
}
