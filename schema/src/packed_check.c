/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "packed_check.h"

#include "db.h"

#include <string.h>

#define TEXT_MAX_BYTES 4096u
#define BITS(n) ((UINT64_C(1) << (n)) - 1)

static bool is_text(const char *text, size_t bytes)
{
    return memchr(text, '\0', bytes) != NULL;
}

/* bool: what is neither 0 nor 1 must not even be read as one. */
static bool are_bools(const bool *values, size_t count)
{
    uint8_t bytes[XRW_REGISTER_COUNT];

    memcpy(bytes, values, count);
    for (size_t i = 0; i < count; i++)
        if (bytes[i] > 1)
            return false;
    return true;
}

static bool is_next(uint64_t id, uint64_t *last)
{
    if (id != *last + 1)
        return false;
    *last = id;
    return true;
}

static bool is_id(uint64_t id, uint64_t last)
{
    return id && id <= last;
}

static bool check_exit(const struct xrw_packed_exit *packed, struct xrw_packed_known *known)
{
    const struct xrw_split_exit *exit = &packed->exit;
    size_t bytes = offsetof(struct xrw_packed_exit, exit.after_value);

    if (packed->record.bytes < bytes ||
        packed->record.bytes != bytes + 8u * (unsigned)__builtin_popcount(exit->after))
        return false;
    return known->in_run && exit->after <= BITS(XRW_HOT_COUNT) &&
           exit->unknown <= BITS(XRW_HOT_COUNT) && exit->known <= BITS(XRW_BASED_COUNT) &&
           are_bools(&exit->resume, 1) && are_bools(&exit->has_qualification, 1) &&
           are_bools(&exit->has_entries, 1) && are_bools(&exit->has_entry_tsc, 1) &&
           are_bools(&exit->has_gap, 1) && are_bools(&exit->rip_known, 1) &&
           is_id(exit->site, known->sites) && is_id(exit->space, known->spaces) &&
           is_id(exit->set[XRW_SET_KEPT], known->sets[XRW_SET_KEPT]) &&
           is_id(exit->set[XRW_SET_WORK], known->sets[XRW_SET_WORK]) &&
           is_id((uint64_t)exit->based[XRW_BASED_sysregs], known->sysregs) &&
           exit->after_sysregs <= known->sysregs && is_next(exit->id, &known->exit);
}

static bool check_sysregs(const struct xrw_packed_sysregs *packed, struct xrw_packed_known *known)
{
    return packed->record.bytes == sizeof *packed && are_bools(packed->known, XRW_SYSTEM_COUNT) &&
           is_next(packed->id, &known->sysregs);
}

static bool check_insn(const struct xrw_packed_insn *packed, struct xrw_packed_known *known)
{
    size_t text_bytes = packed->record.bytes - sizeof *packed;

    return packed->record.bytes > sizeof *packed && text_bytes <= TEXT_MAX_BYTES &&
           packed->text[text_bytes - 1] == '\0' && packed->bytes <= XRW_INSN_MAX_BYTES &&
           is_next(packed->id, &known->insns);
}

static bool check_site(const struct xrw_packed_site *packed, struct xrw_packed_known *known)
{
    return packed->record.bytes == sizeof *packed && packed->first_exit == known->exit + 1 &&
           packed->site.known <= BITS(XRW_SITE_FIELD_COUNT) && packed->site.insn <= known->insns &&
           is_next(packed->id, &known->sites);
}

static bool check_space(const struct xrw_packed_space *packed, struct xrw_packed_known *known)
{
    return packed->record.bytes == sizeof *packed && packed->first_exit == known->exit + 1 &&
           is_next(packed->id, &known->spaces);
}

static bool check_set(const struct xrw_packed_set *packed, struct xrw_packed_known *known)
{
    return packed->record.bytes == sizeof *packed && (unsigned)packed->which < XRW_SETS &&
           packed->set.known <= BITS(xrw_set_sizes[packed->which]) &&
           is_next(packed->id, &known->sets[packed->which]);
}

static bool check_context(const struct xrw_packed_context *packed,
                          const struct xrw_packed_known *known)
{
    return packed->record.bytes >= sizeof *packed &&
           packed->bytes == packed->record.bytes - sizeof *packed &&
           packed->bytes <= XRW_STORE_CONTEXT_MAX_BYTES &&
           is_text(packed->kind, sizeof packed->kind) &&
           (strcmp(packed->kind, "fxsave") != 0 || packed->bytes == XRW_FXSAVE_BYTES) &&
           packed->run <= known->run && packed->exit <= known->exit + known->in_run;
}

static bool check_run(const struct xrw_packed_run *packed, struct xrw_packed_known *known)
{
    const struct xrw_run *run = &packed->run;
    bool begins = packed->record.type == XRW_PACKED_RUN_BEGIN;

    if (packed->record.bytes != sizeof *packed || !is_text(run->source, sizeof run->source) ||
        !is_text(run->mode, sizeof run->mode) || !is_text(run->fitness, sizeof run->fitness) ||
        !is_text(run->stop, sizeof run->stop) ||
        !is_text(run->stop_detail, sizeof run->stop_detail) || !are_bools(&run->interrupts, 1) ||
        !are_bools(&run->reexecutable, 1) || !are_bools(&run->path_known, 1))
        return false;
    if ((unsigned)run->memory >= XRW_MEMORY_POLICIES || run->base_run > run->id ||
        run->last_exit != known->exit || begins == known->in_run ||
        run->id != known->run + begins || run->first_exit > run->last_exit + 1 || !run->first_exit)
        return false;
    known->run = run->id;
    known->in_run = begins;
    return true;
}

bool xrw_packed_check(const struct xrw_ring_record *record, size_t left,
                      struct xrw_packed_known *known)
{
    const void *packed = record;

    if (left < sizeof *record || record->bytes < sizeof *record || record->bytes > left)
        return false;
    switch (record->type) {
    case XRW_PACKED_EXIT:
        return check_exit(packed, known);
    case XRW_PACKED_SYSREGS:
        return check_sysregs(packed, known);
    case XRW_PACKED_INSN:
        return check_insn(packed, known);
    case XRW_PACKED_SITE:
        return check_site(packed, known);
    case XRW_PACKED_SPACE:
        return check_space(packed, known);
    case XRW_PACKED_SET:
        return check_set(packed, known);
    case XRW_PACKED_CONTEXT:
        return check_context(packed, known);
    case XRW_PACKED_RUN_BEGIN:
    case XRW_PACKED_RUN_END:
        return check_run(packed, known);
    default:
        return false;
    }
}
