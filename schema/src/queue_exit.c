/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The caller's side of writing exits: checks what is added, gives ids to contents that are new, and
 * hands it to the writing thread.  Nothing here waits for the disk, unless the ring is full.
 */
#include "db.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* ---- system registers ------------------------------------------------ */

/* Hash of the system registers, unknown ones as such. */
static XXH128_hash_t hash_system(const struct xrw_registers *regs)
{
    uint64_t image[2 * XRW_SYSTEM_COUNT];

    for (unsigned i = 0; i < XRW_SYSTEM_COUNT; i++) {
        image[2 * i] = regs->known[XRW_HOT_COUNT + i];
        image[2 * i + 1] = regs->known[XRW_HOT_COUNT + i] ? regs->value[XRW_HOT_COUNT + i] : 0;
    }
    return XXH3_128bits(image, sizeof image);
}

static bool same_system(const struct xrw_registers *a, const struct xrw_registers *b)
{
    return !memcmp(a->value + XRW_HOT_COUNT, b->value + XRW_HOT_COUNT,
                   XRW_SYSTEM_COUNT * sizeof a->value[0]) &&
           !memcmp(a->known + XRW_HOT_COUNT, b->known + XRW_HOT_COUNT,
                   XRW_SYSTEM_COUNT * sizeof a->known[0]);
}

static int push_sysregs(struct xrw_store *store, uint64_t id, const struct xrw_registers *regs,
                        struct xrw_error *err)
{
    struct xrw_packed_sysregs *packed = xrw_queue_reserve(store, sizeof *packed, err);

    if (!packed)
        return xrw_queue_refused(store);
    packed->record = (struct xrw_ring_record){sizeof *packed, XRW_PACKED_SYSREGS};
    packed->id = id;
    memcpy(packed->value, regs->value + XRW_HOT_COUNT, sizeof packed->value);
    memcpy(packed->known, regs->known + XRW_HOT_COUNT, sizeof packed->known);
    xrw_queue_push(store);
    return 0;
}

static int queue_sysregs(struct xrw_store *store, const struct xrw_registers *regs, uint64_t *id,
                         struct xrw_error *err)
{
    struct xrw_store_writer *writer = &store->writer;
    XXH128_hash_t key;
    uint64_t found;

    if (writer->last_sysregs && same_system(regs, &writer->last_registers)) {
        *id = writer->last_sysregs;
        return 0;
    }
    key = hash_system(regs);
    found = xrw_id_map_find(&writer->sysregs, key);
    if (!found) {
        int ret = push_sysregs(store, writer->sysregs_rows + 1, regs, err);

        if (ret)
            return ret;
        found = ++writer->sysregs_rows;
        xrw_id_map_add(&writer->sysregs, key, found);
    }
    writer->last_sysregs = found;
    writer->last_registers = *regs;
    *id = found;
    return 0;
}

/* Those before an exit, whose source may have said that they are the same. */
static int queue_sysregs_before(struct xrw_store *store, const struct xrw_exit *exit, uint64_t *id,
                                struct xrw_error *err)
{
    struct xrw_store_writer *writer = &store->writer;
    int ret;

    if (exit->system_id && exit->system_id == writer->last_system_id) {
        *id = writer->last_system_row;
        return 0;
    }
    ret = queue_sysregs(store, &exit->before, id, err);
    if (ret)
        return ret;
    writer->last_system_id = exit->system_id;
    writer->last_system_row = *id;
    return 0;
}

/* ---- what exits have in common --------------------------------------- */

static int push_site(struct xrw_store *store, uint64_t id, const struct xrw_site *site,
                     xrw_exit_id exit, struct xrw_error *err)
{
    struct xrw_packed_site *packed = xrw_queue_reserve(store, sizeof *packed, err);

    if (!packed)
        return xrw_queue_refused(store);
    *packed = (struct xrw_packed_site){{sizeof *packed, XRW_PACKED_SITE}, id, exit, *site};
    xrw_queue_push(store);
    return 0;
}

static int find_site(struct xrw_store *store, const struct xrw_site *site, xrw_exit_id exit,
                     uint64_t *id, struct xrw_error *err)
{
    struct xrw_store_writer *writer = &store->writer;
    XXH128_hash_t key = XXH3_128bits(site, sizeof *site);
    int ret;

    *id = xrw_id_map_find(&writer->sites, key);
    if (*id)
        return 0;
    ret = push_site(store, writer->site_rows + 1, site, exit, err);
    if (ret)
        return ret;
    *id = ++writer->site_rows;
    xrw_id_map_add(&writer->sites, key, *id);
    return 0;
}

/* The site, with what was lately at this place. */
static int queue_site(struct xrw_store *store, const struct xrw_site *site, xrw_exit_id exit,
                      struct xrw_lately **out, struct xrw_error *err)
{
    uint64_t place = site->rip + (site->field[XRW_SITE_reason] << 40);
    struct xrw_lately *lately =
        &store->writer.lately[place * UINT64_C(0x9e3779b97f4a7c15) >> 32 & (XRW_LATELY - 1)];
    uint64_t id;
    int ret;

    *out = lately;
    if (lately->id && !memcmp(&lately->site, site, sizeof *site))
        return 0;
    ret = find_site(store, site, exit, &id, err);
    if (ret)
        return ret;
    lately->id = id;
    lately->site = *site;
    return 0;
}

static struct xrw_space_key space_of(const struct xrw_registers *regs)
{
    static const enum xrw_register order[] = {XRW_REG_cr3, XRW_REG_cr0, XRW_REG_cr4, XRW_REG_efer};
    struct xrw_space_key space = {regs->value[XRW_REG_cr3], regs->value[XRW_REG_cr0],
                                  regs->value[XRW_REG_cr4], regs->value[XRW_REG_efer], 0};

    for (unsigned i = 0; i < sizeof order / sizeof *order; i++)
        space.known |= (uint64_t)regs->known[order[i]] << i;
    return space;
}

static int push_space(struct xrw_store *store, uint64_t id, const struct xrw_space_key *space,
                      xrw_exit_id exit, struct xrw_error *err)
{
    struct xrw_packed_space *packed = xrw_queue_reserve(store, sizeof *packed, err);

    if (!packed)
        return xrw_queue_refused(store);
    *packed = (struct xrw_packed_space){{sizeof *packed, XRW_PACKED_SPACE}, id, exit, *space};
    xrw_queue_push(store);
    return 0;
}

static int find_space(struct xrw_store *store, const struct xrw_registers *regs, xrw_exit_id exit,
                      uint64_t *id, struct xrw_error *err)
{
    struct xrw_store_writer *writer = &store->writer;
    struct xrw_space_key space = space_of(regs);
    XXH128_hash_t key = XXH3_128bits(&space, sizeof space);
    int ret;

    *id = xrw_id_map_find(&writer->spaces, key);
    if (*id)
        return 0;
    ret = push_space(store, writer->space_rows + 1, &space, exit, err);
    if (ret)
        return ret;
    *id = ++writer->space_rows;
    xrw_id_map_add(&writer->spaces, key, *id);
    return 0;
}

/* The address space; that of the exit before, if CR3 and the system registers are the same. */
static int queue_space(struct xrw_store *store, const struct xrw_registers *regs, uint64_t sysregs,
                       xrw_exit_id exit, uint64_t *id, struct xrw_error *err)
{
    struct xrw_store_writer *writer = &store->writer;
    uint64_t cr3 = regs->value[XRW_REG_cr3];
    bool known = regs->known[XRW_REG_cr3];
    int ret;

    *id = writer->last_space;
    if (*id && sysregs == writer->last_space_sysregs && cr3 == writer->last_space_cr3 && known)
        return 0;
    ret = find_space(store, regs, exit, id, err);
    if (ret)
        return ret;
    writer->last_space = known ? *id : 0;
    writer->last_space_sysregs = sysregs;
    writer->last_space_cr3 = cr3;
    return 0;
}

/* Not a set too old: who searches for exits with one looks at the last few alone. */
static bool is_recent(const struct xrw_store_writer *writer, enum xrw_set which, uint64_t id)
{
    return id && id + XRW_RECENT_SETS > writer->set_rows[which];
}

/* What is in use of a set. */
static size_t bytes_of(enum xrw_set which)
{
    return offsetof(struct xrw_register_set, value) + xrw_set_sizes[which] * sizeof(uint64_t);
}

/* The entry of a set that was seen lately and is as that; else its entry is free. */
static struct xrw_id_map_entry *find_set(const struct xrw_store_writer *writer, enum xrw_set which,
                                         const struct xrw_register_set *set)
{
    XXH128_hash_t key = XXH3_128bits(set, bytes_of(which));
    struct xrw_id_map_entry *entry = &writer->recent->entry[which][key.low64 % XRW_RECENT_SETS];

    if (!is_recent(writer, which, entry->id) || !XXH128_isEqual(entry->key, key))
        *entry = (struct xrw_id_map_entry){.key = key};
    return entry;
}

/* The id of a set, which is put into `to` if it has none.  Returns the bytes that this takes. */
static size_t queue_set(struct xrw_store_writer *writer, enum xrw_set which,
                        const struct xrw_register_set *set, struct xrw_lately *lately, uint64_t *id,
                        uint8_t *to)
{
    struct xrw_packed_set *packed = (struct xrw_packed_set *)(void *)to;
    struct xrw_id_map_entry *entry;

    *id = lately->set_id[which];
    if (is_recent(writer, which, *id) && !memcmp(&lately->set[which], set, bytes_of(which)))
        return 0;
    entry = find_set(writer, which, set);
    lately->set[which] = *set;
    lately->set_id[which] = *id = entry->id ? entry->id : writer->set_rows[which] + 1;
    if (entry->id)
        return 0;
    entry->id = ++writer->set_rows[which];
    *packed = (struct xrw_packed_set){{sizeof *packed, XRW_PACKED_SET}, entry->id, which, *set};
    return xrw_ring_room(sizeof *packed);
}

/* ---- exits ----------------------------------------------------------- */

/* The exit, and before it those of its sets that are new: in one piece. */
static int push_exit(struct xrw_store *store, struct xrw_split_exit *split, size_t bytes,
                     const struct xrw_register_set sets[XRW_SETS], struct xrw_lately *lately,
                     struct xrw_error *err)
{
    const size_t most = XRW_SETS * xrw_ring_room(sizeof(struct xrw_packed_set)) +
                        xrw_ring_room(sizeof(struct xrw_packed_exit));
    uint8_t *room = xrw_queue_reserve(store, most, err), *next = room;
    struct xrw_packed_exit *packed;

    if (!room)
        return xrw_queue_refused(store);
    for (unsigned i = 0; i < XRW_SETS; i++)
        next += queue_set(&store->writer, (enum xrw_set)i, &sets[i], lately, &split->set[i], next);
    packed = (struct xrw_packed_exit *)(void *)next;
    memcpy(&packed->exit, split, bytes);
    bytes += offsetof(struct xrw_packed_exit, exit);
    packed->record = (struct xrw_ring_record){(uint32_t)bytes, XRW_PACKED_EXIT};
    xrw_queue_push_all(store, (size_t)(next - room) + xrw_ring_room(bytes));
    return 0;
}

/* Hand over what is new in it, then the exit. */
static int queue_exit(struct xrw_store *store, const struct xrw_exit *exit, struct xrw_error *err)
{
    struct xrw_register_set sets[XRW_SETS];
    struct xrw_split_exit split;
    struct xrw_lately *lately;
    struct xrw_site site;
    uint64_t before, after = 0;
    size_t bytes;
    int ret = queue_sysregs_before(store, exit, &before, err);

    if (!ret && exit->has_after)
        ret = queue_sysregs(store, &exit->after, &after, err);
    if (ret)
        return ret;
    bytes = xrw_exit_split(exit, &split, &site, sets);
    split.based[XRW_BASED_sysregs] = (int64_t)before;
    split.after_sysregs = after == before ? 0 : (uint32_t)after;
    site.insn = store->writer.next_insn;
    ret = queue_site(store, &site, exit->id, &lately, err);
    if (ret)
        return ret;
    split.site = lately->id;
    ret = queue_space(store, &exit->before, before, exit->id, &split.space, err);
    return ret ? ret : push_exit(store, &split, bytes, sets, lately, err);
}

int xrw_store_add_exit(struct xrw_store *store, const struct xrw_exit *exit, struct xrw_error *err)
{
    struct xrw_store_writer *writer = &store->writer;
    int ret = xrw_db_writable(store, err);

    if (ret)
        return ret;
    if (!writer->in_run || exit->run != writer->run.id || exit->id != writer->run.last_exit + 1)
        return xrw_error_set(err, -EINVAL,
                             "%s: exit %" PRIu64 " of run %" PRIu64 " cannot follow exit %" PRIu64
                             " of run %" PRIu64,
                             store->path, exit->id, exit->run, writer->run.last_exit,
                             writer->run.id);
    ret = queue_exit(store, exit, err);
    if (ret)
        return ret;
    xrw_path_add(&writer->path, exit);
    writer->run.last_exit = exit->id;
    writer->next_insn = 0;
    writer->pending = false;
    if (!writer->commit_due)
        return 0;
    writer->commit_due = false;
    return xrw_store_commit(store, err);
}

/* ---- instructions ---------------------------------------------------- */

static int push_insn(struct xrw_store *store, uint64_t id, xrw_gva rip, unsigned mode,
                     const uint8_t *code, size_t bytes, const char *text, struct xrw_error *err)
{
    size_t text_bytes = strlen(text) + 1;
    struct xrw_packed_insn *packed = xrw_queue_reserve(store, sizeof *packed + text_bytes, err);

    if (!packed)
        return xrw_queue_refused(store);
    packed->record =
        (struct xrw_ring_record){(uint32_t)(sizeof *packed + text_bytes), XRW_PACKED_INSN};
    packed->id = id;
    packed->rip = rip;
    packed->mode = mode;
    packed->bytes = (uint32_t)bytes;
    memcpy(packed->code, code, bytes);
    memcpy(packed->text, text, text_bytes);
    xrw_queue_push(store);
    return 0;
}

#define TEXT_MAX_BYTES 4096u

int xrw_store_add_insn(struct xrw_store *store, xrw_gva rip, unsigned mode, const uint8_t *code,
                       size_t bytes, const char *text, uint64_t *insn, struct xrw_error *err)
{
    struct xrw_store_writer *writer = &store->writer;
    uint8_t image[sizeof rip + sizeof mode + XRW_INSN_MAX_BYTES];
    XXH128_hash_t key;
    uint64_t found;
    int ret = xrw_db_writable(store, err);

    if (ret)
        return ret;
    if (bytes > XRW_INSN_MAX_BYTES || strlen(text) >= TEXT_MAX_BYTES)
        return xrw_error_set(err, -EINVAL, "%s: an instruction of %zu bytes", store->path, bytes);
    memcpy(image, &rip, sizeof rip);
    memcpy(image + sizeof rip, &mode, sizeof mode);
    memcpy(image + sizeof rip + sizeof mode, code, bytes);
    key = XXH3_128bits(image, sizeof rip + sizeof mode + bytes);
    found = xrw_id_map_find(&writer->insns, key);
    if (!found) {
        ret = push_insn(store, writer->insn_rows + 1, rip, mode, code, bytes, text, err);
        if (ret)
            return ret;
        found = ++writer->insn_rows;
        xrw_id_map_add(&writer->insns, key, found);
    }
    *insn = found;
    return 0;
}

void xrw_store_set_next_insn(struct xrw_store *store, uint64_t insn)
{
    store->writer.next_insn = insn;
}
