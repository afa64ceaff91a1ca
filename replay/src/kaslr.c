/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xrw/kaslr.h"

#include "elf_file.h"
#include "xrw/memory.h"
#include "xrw/timeline.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The kernel moves by multiples of this, and stays within its part of the address space.
 * Source: Linux, Documentation/arch/x86/x86_64/mm.rst, and CONFIG_PHYSICAL_ALIGN. */
#define SLIDE_STEP (UINT64_C(2) << 20)
#define SLIDE_END (UINT64_C(1) << 30)
#define PAGE_FAULT 14u
#define BANNER_BYTES 64u

/* What is looked at. */
struct guest {
    struct xrw_store *store;
    struct xrw_timeline *timeline;
    struct xrw_memory *memory;
    const struct xrw_exit *exit;
    struct xrw_elf *elf; /* NULL: no symbols */
};

static bool is_plausible(uint64_t slide)
{
    return slide % SLIDE_STEP == 0 && slide < SLIDE_END;
}

/* ---- VMCOREINFO: a page of lines, whose last ones are the architecture's ----
 * Source: Linux, Documentation/admin-guide/kdump/vmcoreinfo.rst. */

#define NOTE_BEGIN "OSRELEASE="
#define NOTE_SLIDE "\nKERNELOFFSET="

static bool slide_of_note(uint8_t page[XRW_PAGE_BYTES + 1], uint64_t *slide)
{
    const char *text = (const char *)page, *line;
    char *end;

    if (memcmp(text, NOTE_BEGIN, strlen(NOTE_BEGIN)) != 0)
        return false;
    page[XRW_PAGE_BYTES] = '\0';
    line = strstr(text, NOTE_SLIDE);
    if (!line)
        return false;
    line += strlen(NOTE_SLIDE);
    *slide = strtoull(line, &end, 16);
    return end != line && *end == '\n' && is_plausible(*slide);
}

/* Guest pages, one for each content. */
struct pages {
    struct guest *guest;
    uint64_t *slide;
    struct xrw_error *err;
};

enum { FOUND = 1 };

static int look_at_page(void *ctx, int columns, const char *const *names, const char *const *values)
{
    struct pages *pages = ctx;
    uint8_t page[XRW_PAGE_BYTES + 1];
    int ret;

    (void)names;
    if (columns != 1 || !values[0])
        return 0;
    ret = xrw_store_page(pages->guest->store, 1, strtoull(values[0], NULL, 10), 0, page, NULL,
                         pages->err);
    if (ret && ret != -ENODATA)
        return ret;
    return !ret && slide_of_note(page, pages->slide) ? FOUND : 0;
}

static int by_note(struct guest *guest, uint64_t *slide, struct xrw_error *err)
{
    static const char sql[] =
        "SELECT min(gfn) FROM page_version WHERE run = 1 AND exit = 0 GROUP BY page";
    struct pages pages = {guest, slide, err};
    int ret =
        xrw_store_query(guest->store, sql, UINT64_C(1) << 26, 60000, look_at_page, &pages, err);

    return ret == FOUND ? 0 : ret ? ret : -ENOENT;
}

/* ---- where the processor goes for system calls and page faults --------- */

static int by_symbol(const struct guest *guest, const char *const *names, uint64_t address,
                     uint64_t *slide)
{
    for (; *names; names++) {
        uint64_t linked;

        if (xrw_elf_symbol(guest->elf, *names, &linked) || !is_plausible(address - linked))
            continue;
        *slide = address - linked;
        return 0;
    }
    return -ENOENT;
}

static int by_lstar(struct guest *guest, uint64_t *slide, struct xrw_error *err)
{
    static const char *const names[] = {"entry_SYSCALL_64", NULL};
    const struct xrw_registers *regs = &guest->exit->before;

    (void)err;
    return guest->elf && regs->known[XRW_REG_lstar]
               ? by_symbol(guest, names, regs->value[XRW_REG_lstar], slide)
               : -ENOENT;
}

static int by_idt(struct guest *guest, uint64_t *slide, struct xrw_error *err)
{
    static const char *const names[] = {"asm_exc_page_fault", "page_fault", "async_page_fault",
                                        "asm_exc_xen_page_fault", NULL};
    const struct xrw_registers *regs = &guest->exit->before;
    uint8_t gate[16];
    size_t got;
    int ret;

    if (!guest->elf || !regs->known[XRW_REG_idtr_base])
        return -ENOENT;
    ret = xrw_memory_read(guest->memory, guest->exit,
                          regs->value[XRW_REG_idtr_base] + PAGE_FAULT * sizeof gate, gate,
                          sizeof gate, &got, err);
    if (ret == -ENODATA || ret == -EFAULT || (!ret && got < sizeof gate))
        return -ENOENT;
    if (ret)
        return ret;
    uint64_t handler = (uint64_t)gate[0] | (uint64_t)gate[1] << 8 | (uint64_t)gate[6] << 16 |
                       (uint64_t)gate[7] << 24;
    for (unsigned i = 0; i < 4; i++)
        handler |= (uint64_t)gate[8 + i] << (32 + 8 * i);
    return by_symbol(guest, names, handler, slide);
}

/* ---- is it this kernel? ------------------------------------------------ */

/* 0 with *compared, or -EILSEQ: another kernel's text stands there. */
static int compare_banner(struct guest *guest, uint64_t slide, bool *compared,
                          struct xrw_error *err)
{
    uint8_t there[BANNER_BYTES];
    const uint8_t *linked;
    uint64_t address;
    size_t got = 0;
    int ret;

    *compared = false;
    if (!guest->elf || xrw_elf_symbol(guest->elf, "linux_banner", &address) ||
        !(linked = xrw_elf_data(guest->elf, address, BANNER_BYTES)))
        return 0;
    ret = xrw_memory_read(guest->memory, guest->exit, address + slide, there, BANNER_BYTES, &got,
                          err);
    if (ret == -ENODATA || ret == -EFAULT || (!ret && got < BANNER_BYTES))
        return 0;
    if (ret)
        return ret;
    if (memcmp(there, linked, BANNER_BYTES) != 0)
        return xrw_error_set(err, -EILSEQ,
                             "the symbol file is of another kernel than the one in the recording");
    *compared = true;
    return 0;
}

/* ---- the whole --------------------------------------------------------- */

static const struct {
    const char *name;
    int (*find)(struct guest *guest, uint64_t *slide, struct xrw_error *err);
} ways[] = {{"LSTAR", by_lstar}, {"IDT", by_idt}, {"VMCOREINFO", by_note}};

/* The registers are asked first, for that costs nothing, and believed if the kernel's text is where
 * they say; else the note, which the guest wrote for this purpose, has the first word. */
static int find(struct guest *guest, struct xrw_kaslr *kaslr, struct xrw_error *err)
{
    int ret = xrw_error_set(err, -ENOENT, "%s",
                            guest->elf ? "neither registers nor memory tell where the kernel is"
                                       : "no symbol file to compare with, and no VMCOREINFO");
    bool found = false;

    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct xrw_kaslr one = {0};
        struct xrw_error why;
        int way = ways[i].find(guest, &one.slide, &why);

        if (!way)
            way = compare_banner(guest, one.slide, &one.compared, &why);
        if (way == -ENOENT)
            continue;
        if (way) {
            ret = found ? 0 : xrw_error_set(err, way, "%s", why.text);
            continue;
        }
        (void)snprintf(one.how, sizeof one.how, "%s", ways[i].name);
        *kaslr = one;
        found = true;
        ret = 0;
        if (one.compared)
            break;
    }
    return ret;
}

static int open_guest(struct guest *guest, struct xrw_store *store, const char *symbols,
                      struct xrw_error *err)
{
    int ret = xrw_timeline_create(store, 1, &guest->timeline, err);

    guest->store = store;
    if (ret)
        return ret;
    ret = xrw_memory_create(store, xrw_timeline_run(guest->timeline), &guest->memory);
    if (ret)
        return xrw_error_set(err, ret, "out of memory");
    guest->exit = xrw_timeline_exit(guest->timeline);
    return symbols && *symbols ? xrw_elf_open(&guest->elf, symbols, err) : 0;
}

int xrw_kaslr_find(struct xrw_store *store, const char *symbols, struct xrw_kaslr *kaslr,
                   struct xrw_error *err)
{
    struct guest guest = {0};
    int ret = open_guest(&guest, store, symbols, err);

    if (!ret)
        ret = find(&guest, kaslr, err);
    xrw_elf_close(guest.elf);
    xrw_memory_destroy(guest.memory);
    xrw_timeline_destroy(guest.timeline);
    return ret;
}

/* ---- as a text of the recording: "0x1e000000 LSTAR compared" ----------- */

int xrw_kaslr_recorded(struct xrw_store *store, struct xrw_kaslr *kaslr)
{
    struct xrw_kaslr read = {0};
    char text[64], compared[16] = "";
    int ret = xrw_store_get_meta(store, "kaslr", text, sizeof text);

    if (ret)
        return ret;
    if (sscanf(text, "0x%" SCNx64 " %23s %15s", &read.slide, read.how, compared) < 2 ||
        !is_plausible(read.slide))
        return -ENOENT;
    read.compared = !strcmp(compared, "compared");
    *kaslr = read;
    return 0;
}

int xrw_kaslr_record(struct xrw_store *store, const struct xrw_kaslr *kaslr, struct xrw_error *err)
{
    char text[64];

    (void)snprintf(text, sizeof text, "0x%" PRIx64 " %s%s", kaslr->slide, kaslr->how,
                   kaslr->compared ? " compared" : "");
    return xrw_store_set_meta(store, "kaslr", text, err);
}
