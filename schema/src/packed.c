/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "packed.h"

#include <stddef.h>

static void pack_fields(const struct xrw_exit *exit, struct xrw_packed_exit *packed,
                        uint64_t **next)
{
    uint64_t *value = *next;
    uint32_t known = 0;

    for (unsigned i = 0; i < XRW_EXIT_FIELD_COUNT; i++) {
        *value = exit->field[i];
        value += exit->field_known[i];
        known |= (uint32_t)exit->field_known[i] << i;
    }
    packed->fields = known;
    *next = value;
}

static void pack_before(const struct xrw_exit *exit, struct xrw_packed_exit *packed,
                        uint64_t **next)
{
    uint64_t *value = *next;
    uint32_t known = 0;

    for (unsigned i = 0; i < XRW_HOT_COUNT; i++) {
        *value = exit->before.value[i];
        value += exit->before.known[i];
        known |= (uint32_t)exit->before.known[i] << i;
    }
    packed->before = known;
    *next = value;
}

static void pack_after(const struct xrw_exit *exit, struct xrw_packed_exit *packed, uint64_t **next)
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
    packed->after = given;
    packed->unknown = unknown;
    *next = value;
}

size_t xrw_pack_exit(const struct xrw_exit *exit, struct xrw_packed_exit *packed)
{
    uint64_t *next = packed->value;

    packed->record.type = XRW_PACKED_EXIT;
    packed->id = exit->id;
    packed->vcpu = exit->vcpu;
    packed->after = packed->unknown = 0;
    pack_fields(exit, packed, &next);
    pack_before(exit, packed, &next);
    if (exit->has_after)
        pack_after(exit, packed, &next);
    packed->values = (uint32_t)(next - packed->value);
    packed->record.bytes = (uint32_t)((const char *)next - (const char *)packed);
    return packed->record.bytes;
}
