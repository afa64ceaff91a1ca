/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "history.h"

#include "xrw/vmx.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FRAME_EVERY 5u

struct guest {
    struct xrw_store *store;
    struct xrw_error err;
    uint8_t table[2][XRW_PAGE_BYTES]; /* the last level of each address space */
    uint8_t data[HISTORY_PAGES][XRW_PAGE_BYTES];
};

uint64_t history_random(struct history *history, uint64_t limit)
{
    uint64_t z = history->random += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (z ^ z >> 31) % limit;
}

uint64_t history_seed(void)
{
    const char *given = getenv("XRW_TEST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);

    print_message("XRW_TEST_SEED=%" PRIu64 "\n", seed);
    return seed;
}

static void add_page(struct guest *guest, xrw_gfn gfn, xrw_exit_id exit, const uint8_t *page)
{
    assert_done(xrw_store_add_page(guest->store, 1, gfn, exit, page, false, &guest->err),
                guest->err);
}

static void put(uint8_t *page, unsigned index, uint64_t entry)
{
    memcpy(page + 8 * index, &entry, sizeof entry);
}

static void add_tables(struct guest *guest, xrw_gfn top, unsigned space)
{
    uint8_t page[XRW_PAGE_BYTES] = {0};

    for (xrw_gfn level = 0; level < 3; level++) {
        memset(page, 0, sizeof page);
        put(page, level == 2 ? HISTORY_VA >> 21 & 511 : 0, (top + level + 1) << 12 | 7);
        add_page(guest, top + level, 0, page);
    }
    for (unsigned i = 0; i < HISTORY_PAGES; i++)
        put(guest->table[space], i, HISTORY_PA + i * XRW_PAGE_BYTES + 7);
    add_page(guest, top + 3, 0, guest->table[space]);
}

static void add_base_image(struct guest *guest)
{
    add_tables(guest, HISTORY_CR3_A >> 12, 0);
    add_tables(guest, HISTORY_CR3_B >> 12, 1);
    for (unsigned i = 0; i < HISTORY_PAGES; i++)
        add_page(guest, (HISTORY_PA >> 12) + i, 0, guest->data[i]);
}

/* Now and then map, unmap or exchange a page; more often write. */
static void change_memory(struct history *history, struct guest *guest, xrw_exit_id id)
{
    if (!history_random(history, 6)) {
        unsigned space = (unsigned)history_random(history, 2);
        uint64_t target = history_random(history, HISTORY_PAGES + 1);

        put(guest->table[space], (unsigned)history_random(history, HISTORY_PAGES),
            target == HISTORY_PAGES ? 0 : HISTORY_PA + target * XRW_PAGE_BYTES + 7);
        add_page(guest, space ? 8 : 4, id, guest->table[space]);
    }
    for (unsigned i = 0; i < HISTORY_PAGES; i++)
        if (!history_random(history, 4)) {
            guest->data[i][history_random(history, 8)] = (uint8_t)history_random(history, 3);
            add_page(guest, (HISTORY_PA >> 12) + i, id, guest->data[i]);
        }
}

static void add_exit(struct history *history, struct guest *guest, xrw_exit_id id)
{
    static const struct {
        unsigned reason;
        uint64_t qualification;
    } kinds[] = {{XRW_VMX_CPUID, 0},
                 {XRW_VMX_HLT, 0},
                 {XRW_VMX_EXTERNAL_INTERRUPT, 0},
                 {XRW_VMX_IO_INSTRUCTION, 0x600038}}; /* REP INSB */
    struct xrw_exit exit = {.id = id, .run = 1, .has_after = true};
    size_t kind = history_random(history, sizeof kinds / sizeof *kinds);

    xrw_exit_set(&exit, XRW_EXIT_reason, kinds[kind].reason);
    xrw_exit_set(&exit, XRW_EXIT_qualification, kinds[kind].qualification);
    xrw_registers_set(&exit.before, XRW_REG_rip,
                      HISTORY_RIP + history_random(history, HISTORY_RIPS));
    xrw_registers_set(&exit.before, XRW_REG_cr0, 0x80000011);
    xrw_registers_set(&exit.before, XRW_REG_cr4, 0x20);
    xrw_registers_set(&exit.before, XRW_REG_efer, 0x500);
    xrw_registers_set(&exit.before, XRW_REG_cr3,
                      (history_random(history, 4) ? HISTORY_CR3_A : HISTORY_CR3_B) | (id & 7));
    exit.after = exit.before;
    assert_done(xrw_store_add_exit(guest->store, &exit, &guest->err), guest->err);
}

static void record(struct history *history, struct guest *guest, unsigned exits,
                   enum xrw_memory_policy memory)
{
    struct xrw_run run = {
        .id = 1, .source = "xen", .mode = "pause", .memory = memory, .vcpus = 1, .first_exit = 1};

    assert_done(xrw_store_begin_run(guest->store, &run, &guest->err), guest->err);
    add_base_image(guest);
    for (xrw_exit_id id = 1; id <= exits; id++) {
        if (memory == XRW_MEMORY_EXIT || id % FRAME_EVERY == 0)
            change_memory(history, guest, id);
        add_exit(history, guest, id);
        if (memory == XRW_MEMORY_FRAMES && id % FRAME_EVERY == 0)
            assert_done(xrw_store_add_memory_frame(guest->store, 1, id, &guest->err), guest->err);
    }
    run.last_exit = exits;
    run.end_unix_ns = 1;
    assert_done(xrw_store_end_run(guest->store, &run, &guest->err), guest->err);
}

void history_make(struct history *history, uint64_t seed, unsigned exits,
                  enum xrw_memory_policy memory)
{
    struct guest *guest = calloc(1, sizeof *guest);
    int fd;

    assert_non_null(guest);
    *history = (struct history){.random = seed, .path = "/tmp/xrw-replay-XXXXXX"};
    fd = mkstemp(history->path);
    assert_true(fd >= 0);
    close(fd);
    unlink(history->path);
    assert_done(xrw_store_create(&guest->store, history->path, &guest->err), guest->err);
    record(history, guest, exits, memory);
    assert_done(xrw_store_close(guest->store, &guest->err), guest->err);
    assert_done(xrw_store_open(&history->store, history->path, &guest->err), guest->err);
    free(guest);
}

void history_remove(struct history *history)
{
    (void)xrw_store_close(history->store, NULL);
    unlink(history->path);
}
