/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "raw_record.h"

#include <stddef.h>

static void pack_fields(const struct xrw_exit *exit, struct raw_record *record, uint64_t **next)
{
    uint64_t *value = *next;
    uint32_t known = 0;

    for (unsigned i = 0; i < XRW_EXIT_FIELD_COUNT; i++) {
        *value = exit->field[i];
        value += exit->field_known[i];
        known |= (uint32_t)exit->field_known[i] << i;
    }
    record->fields = known;
    *next = value;
}

static void pack_before(const struct xrw_exit *exit, struct raw_record *record, uint64_t **next)
{
    uint64_t *value = *next;
    uint32_t known = 0;

    for (unsigned i = 0; i < XRW_HOT_COUNT; i++) {
        *value = exit->before.value[i];
        value += exit->before.known[i];
        known |= (uint32_t)exit->before.known[i] << i;
    }
    record->before = known;
    *next = value;
}

static void pack_after(const struct xrw_exit *exit, struct raw_record *record, uint64_t **next)
{
    const struct xrw_registers *before = &exit->before, *after = &exit->after;
    uint64_t *value = *next;
    uint32_t given = 0, unknown = 0;

    for (unsigned i = 0; i < XRW_HOT_COUNT; i++) {
        bool differs =
            after->known[i] & (!before->known[i] | (after->value[i] != before->value[i]));

        *value = after->value[i];
        value += differs;
        given |= (uint32_t)differs << i;
        unknown |= (uint32_t)!after->known[i] << i;
    }
    record->after = given;
    record->unknown = unknown;
    *next = value;
}

void raw_record_fill(struct raw_record *record, const struct xrw_exit *exit)
{
    uint64_t *next = record->value;

    record->record.type = 1;
    record->id = exit->id;
    record->vcpu = exit->vcpu;
    record->after = record->unknown = 0;
    pack_fields(exit, record, &next);
    pack_before(exit, record, &next);
    if (exit->has_after)
        pack_after(exit, record, &next);
    record->values = (uint32_t)(next - record->value);
    record->record.bytes = (uint32_t)((const char *)next - (const char *)record);
}
