/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "site.h"

#include "xrw/insn.h"
#include "xrw/kind.h"
#include "xrw/paging.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CACHE 4096u

/* What was last seen at some RIP: most exits come from few places. */
struct known_site {
    uint64_t id; /* in the store; 0: free */
    xrw_gva rip;
    unsigned mode, length;
    uint8_t code[XRW_INSN_MAX_BYTES];
};

struct sites {
    struct xrw_disassembler *disassembler;
    struct known_site known[CACHE];
};

int sites_create(struct sites **out)
{
    struct sites *sites = calloc(1, sizeof *sites);
    int rc = sites ? xrw_disassembler_create(&sites->disassembler) : -ENOMEM;

    if (rc) {
        free(sites);
        return rc;
    }
    *out = sites;
    return 0;
}

void sites_destroy(struct sites *sites)
{
    if (!sites)
        return;
    xrw_disassembler_destroy(sites->disassembler);
    free(sites);
}

/* Up to 15 bytes at the exit's RIP; fewer where the next page is not known. */
static size_t fetch(const struct source *source, const struct xrw_registers *regs, unsigned mode,
                    uint8_t *code)
{
    xrw_gva address = regs->value[XRW_REG_rip];
    size_t got = 0;

    if (mode != 64)
        address = (address + regs->value[XRW_REG_cs_base]) & 0xffffffff;
    while (got < XRW_INSN_MAX_BYTES) {
        size_t n = XRW_PAGE_BYTES - (address + got) % XRW_PAGE_BYTES;
        xrw_gpa gpa;

        if (n > XRW_INSN_MAX_BYTES - got)
            n = XRW_INSN_MAX_BYTES - got;
        if (xrw_paging_translate(regs, address + got, source->ops->read_table, source->ctx, &gpa) ||
            source->ops->read_physical(source->ctx, gpa, code + got, n))
            break;
        got += n;
    }
    return got;
}

static bool is_prefix(uint8_t byte, unsigned mode)
{
    static const uint8_t prefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65,
                                       0x66, 0x67, 0xf0, 0xf2, 0xf3};

    return memchr(prefixes, byte, sizeof prefixes) || (mode == 64 && (byte & 0xf0) == 0x40);
}

/* Whether these bytes may be LLDT, LTR, LGDT or LIDT: opcode groups 6 and 7. */
static bool may_load_descriptors(const uint8_t *code, size_t bytes, unsigned mode)
{
    size_t i = 0;

    while (i < bytes && is_prefix(code[i], mode))
        i++;
    return i + 1 >= bytes || (code[i] == 0x0f && code[i + 1] <= 1);
}

/* An access to memory that the hypervisor emulated: then it executed the whole instruction. */
static bool was_emulated(const struct xrw_exit *exit)
{
    enum xrw_exit_kind kind = xrw_exit_kind(exit);

    return exit->has_after && (kind == XRW_KIND_PAGE || kind == XRW_KIND_APIC_ACCESS) &&
           exit->after.value[XRW_REG_rip] != exit->before.value[XRW_REG_rip];
}

/* The event does not have these: they were taken from the state after. */
static void forget_descriptors(struct xrw_exit *exit)
{
    struct xrw_registers *regs = &exit->before;

    exit->system_id = 0;
    for (int reg = 0; reg < XRW_REGISTER_COUNT; reg++)
        if (reg >= XRW_REG_ldtr || reg == XRW_REG_idtr_base || reg == XRW_REG_idtr_limit) {
            regs->known[reg] = false;
            regs->value[reg] = 0;
        }
}

static int add(struct sites *sites, struct xrw_store *store, struct known_site *site,
               const uint8_t *code, size_t bytes, xrw_gva rip, unsigned mode, struct xrw_error *err)
{
    struct xrw_insn insn;
    uint64_t id;
    int rc;

    if (xrw_disassemble(sites->disassembler, mode, code, bytes, rip, &insn))
        return 0;
    rc = xrw_store_add_insn(store, rip, mode, code, insn.length, insn.text, &id, err);
    if (rc)
        return rc;
    *site = (struct known_site){.id = id, .rip = rip, .mode = mode, .length = insn.length};
    memcpy(site->code, code, insn.length);
    xrw_store_set_next_insn(store, id);
    return 0;
}

int sites_note(struct sites *sites, const struct source *source, struct xrw_store *store,
               struct xrw_exit *exit, struct xrw_error *err)
{
    const struct xrw_registers *regs = &exit->before;
    xrw_gva rip = regs->value[XRW_REG_rip];
    unsigned mode = xrw_insn_mode(regs);
    struct known_site *site = &sites->known[(rip ^ rip >> 12) % CACHE];
    uint8_t code[XRW_INSN_MAX_BYTES];
    size_t bytes = regs->known[XRW_REG_rip] ? fetch(source, regs, mode, code) : 0;

    if (was_emulated(exit) && may_load_descriptors(code, bytes, mode))
        forget_descriptors(exit);
    xrw_store_set_next_insn(store, 0);
    if (!bytes)
        return 0;
    if (site->id && site->rip == rip && site->mode == mode && site->length <= bytes &&
        !memcmp(site->code, code, site->length)) {
        xrw_store_set_next_insn(store, site->id);
        return 0;
    }
    return add(sites, store, site, code, bytes, rip, mode, err);
}
