/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Page tables are made by a second reading of the SDM, with shifts written out, then walked. */
#include "xrw/paging.h"

#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGES 4096u
#define PG (UINT64_C(1) << 31)
#define PSE (UINT64_C(1) << 4)
#define PAE (UINT64_C(1) << 5)
#define LA57 (UINT64_C(1) << 12)
#define LMA (UINT64_C(1) << 10)
#define ADDRESS UINT64_C(0x000ffffffffff000)
#define NX (UINT64_C(1) << 63)

/* Guest-physical memory of PAGES pages; what lies beyond is not known. */
struct memory {
    uint8_t *bytes;
    unsigned next_page; /* the next free one */
    unsigned reads;
    int fail_with; /* what a read returns, if not 0 */
};

struct mode {
    const char *name;
    uint64_t cr4, efer;
    unsigned levels, index_mask, entry_bytes;
    unsigned shifts[5]; /* from the root */
    unsigned linear_bits;
    bool large[5]; /* whether an entry of that level may map a page */
};

static const struct mode modes[] = {
    {"32-bit", 0, 0, 2, 1023, 4, {22, 12}, 32, {false, true}},
    {"32-bit PSE", PSE, 0, 2, 1023, 4, {22, 12}, 32, {true, true}},
    {"PAE", PAE, 0, 3, 511, 8, {30, 21, 12}, 32, {false, true, true}},
    {"PAE with PSE", PAE | PSE, 0, 3, 511, 8, {30, 21, 12}, 32, {false, true, true}},
    {"4-level", PAE, LMA, 4, 511, 8, {39, 30, 21, 12}, 48, {false, true, true, true}},
    {"5-level",
     PAE | LA57,
     LMA,
     5,
     511,
     8,
     {48, 39, 30, 21, 12},
     57,
     {false, false, true, true, true}},
};
#define MODES (sizeof modes / sizeof *modes)

static int set_up(void **state)
{
    struct memory *memory = calloc(1, sizeof *memory);

    if (!memory || !(memory->bytes = calloc(PAGES, XRW_PAGE_BYTES)))
        return -1;
    *state = memory;
    return 0;
}

static int tear_down(void **state)
{
    struct memory *memory = *state;

    free(memory->bytes);
    free(memory);
    return 0;
}

static int read_memory(void *ctx, xrw_gpa gpa, void *buf, size_t bytes)
{
    struct memory *memory = ctx;

    memory->reads++;
    assert_in_range(bytes, 1, XRW_PAGE_BYTES);
    assert_true(gpa / XRW_PAGE_BYTES == (gpa + bytes - 1) / XRW_PAGE_BYTES);
    if (memory->fail_with)
        return memory->fail_with;
    if (gpa / XRW_PAGE_BYTES >= PAGES)
        return -ENODATA;
    memcpy(buf, memory->bytes + gpa, bytes);
    return 0;
}

static uint64_t get(struct memory *memory, const struct mode *mode, xrw_gpa gpa)
{
    uint64_t entry = 0;

    memcpy(&entry, memory->bytes + gpa, mode->entry_bytes);
    return entry;
}

static void put(struct memory *memory, const struct mode *mode, xrw_gpa gpa, uint64_t entry)
{
    memcpy(memory->bytes + gpa, &entry, mode->entry_bytes);
}

/* The index into a table of that level; a PAE root has 4 entries only. */
static uint64_t table_index(const struct mode *mode, unsigned level, xrw_gva gva)
{
    unsigned mask = mode->levels == 3 && level == 0 ? 3 : mode->index_mask;

    return gva >> mode->shifts[level] & mask;
}

/* Memory with an empty root table, and the registers that point to it. */
static struct xrw_registers start(struct memory *memory, const struct mode *mode)
{
    struct xrw_registers regs = {0};

    memset(memory->bytes, 0, (size_t)PAGES * XRW_PAGE_BYTES);
    memory->next_page = 2;
    memory->reads = 0;
    memory->fail_with = 0;
    xrw_registers_set(&regs, XRW_REG_cr0, PG | 1);
    xrw_registers_set(&regs, XRW_REG_cr3, 0x1000 | 0x18); /* PWT and PCD are no address bits */
    xrw_registers_set(&regs, XRW_REG_cr4, mode->cr4);
    xrw_registers_set(&regs, XRW_REG_efer, mode->efer);
    if (mode->levels == 3) /* PAE: the root is only 32-byte aligned */
        xrw_registers_set(&regs, XRW_REG_cr3, 0x1fe0);
    return regs;
}

static uint64_t page_bytes(const struct mode *mode, unsigned level)
{
    return UINT64_C(1) << mode->shifts[level];
}

/* The entry that maps a page at gpa at that level. */
static uint64_t leaf(const struct mode *mode, unsigned level, xrw_gpa gpa)
{
    if (level == mode->levels - 1)
        return gpa | (mode->entry_bytes == 8 ? NX : 0) | 0x80 | 0x67; /* 0x80 is PAT here */
    if (mode->entry_bytes == 4)                                       /* PSE-36 */
        return (gpa & 0xffc00000u) | ((gpa >> 32 & 0xff) << 13) | 0x1000 | 0xe7;
    return gpa | NX | 0x1000 | 0xe7; /* 0x1000 is PAT here, no address bit */
}

/*
 * Map the page at gva, of that level's size, to gpa.  False if a large page is in the way, or the
 * entry is taken.
 */
static bool map(struct memory *memory, const struct mode *mode, uint64_t root, unsigned level,
                xrw_gva gva, xrw_gpa gpa)
{
    uint64_t table = root;

    for (unsigned i = 0;; i++) {
        xrw_gpa at = table + table_index(mode, i, gva) * mode->entry_bytes;
        uint64_t entry = get(memory, mode, at);

        if (i == level) {
            if (entry & 1)
                return false;
            put(memory, mode, at, leaf(mode, level, gpa));
            return true;
        }
        if (!(entry & 1)) {
            assert_true(memory->next_page < PAGES);
            entry = (uint64_t)memory->next_page++ * XRW_PAGE_BYTES;
            entry |= mode->large[i] ? 7 : 0x87; /* "large" means nothing where no page fits */
            put(memory, mode, at, entry);
        } else if (mode->large[i] && entry & 0x80) {
            return false;
        }
        table = entry & ADDRESS;
    }
}

static uint64_t root_of(const struct xrw_registers *regs)
{
    return regs->value[XRW_REG_cr3] & ~UINT64_C(0x1f);
}

static xrw_gva random_gva(struct random *random, const struct mode *mode)
{
    uint64_t gva = random_next(random) >> (64 - mode->linear_bits);

    if (mode->linear_bits > 32 && gva >> (mode->linear_bits - 1))
        gva |= UINT64_MAX << mode->linear_bits;
    return gva;
}

static void random_pages_are_found_in_every_mode(void **state)
{
    struct random random = random_seed();
    struct memory *memory = *state;

    for (unsigned round = 0; round < 3 * MODES; round++) {
        const struct mode *mode = &modes[round % MODES];
        struct xrw_registers regs = start(memory, mode);
        unsigned mapped = 0;

        for (unsigned i = 0; i < 400; i++) {
            unsigned level = (unsigned)random_below(&random, mode->levels);
            uint64_t bytes = page_bytes(mode, level), offset = random_below(&random, bytes);
            xrw_gva gva = random_gva(&random, mode) & ~(bytes - 1);
            xrw_gpa gpa = random_next(&random) & ADDRESS & ~(bytes - 1), found = 0;

            if (mode->entry_bytes == 4) /* a small page is below 4 GiB, a large one below 1 TiB */
                gpa &= level == 1 ? UINT64_C(0xffffffff) : UINT64_C(0xffffffffff);
            if (!mode->large[level] || !map(memory, mode, root_of(&regs), level, gva, gpa))
                continue;
            mapped++;
            memory->reads = 0;
            assert_int_equal(xrw_paging_translate(&regs, gva + offset, read_memory, memory, &found),
                             0);
            assert_true(found == gpa + offset);
            assert_int_equal(memory->reads, level + 1);
        }
        print_message("%s: %u pages\n", mode->name, mapped);
        assert_true(mapped > 20);
    }
}

static void an_absent_entry_of_any_level_is_a_fault(void **state)
{
    struct memory *memory = *state;

    for (unsigned m = 0; m < MODES; m++)
        for (unsigned level = 0; level < modes[m].levels; level++) {
            struct xrw_registers regs = start(memory, &modes[m]);
            xrw_gva gva = 0x12345678;
            uint64_t table = root_of(&regs);
            xrw_gpa found = 99, at;

            assert_true(map(memory, &modes[m], table, modes[m].levels - 1, gva & ~0xfffu, 0x5000));
            for (unsigned i = 0;; i++) {
                at = table + table_index(&modes[m], i, gva) * modes[m].entry_bytes;
                if (i == level)
                    break;
                table = get(memory, &modes[m], at) & ADDRESS;
            }
            put(memory, &modes[m], at, get(memory, &modes[m], at) & ~UINT64_C(1));
            assert_int_equal(xrw_paging_translate(&regs, gva, read_memory, memory, &found),
                             -EFAULT);
            assert_true(found == 99);
        }
}

static void only_canonical_addresses_translate(void **state)
{
    static const struct {
        unsigned mode;
        xrw_gva gva;
        bool canonical;
    } cases[] = {
        {0, 0xffffffff, true},
        {0, UINT64_C(0x100000000), false},
        {2, UINT64_C(0x100000000), false},
        {2, UINT64_MAX, false},
        {4, UINT64_C(0x00007fffffffffff), true},
        {4, UINT64_C(0x0000800000000000), false},
        {4, UINT64_C(0xffff7fffffffffff), false},
        {4, UINT64_C(0xffff800000000000), true},
        {4, UINT64_C(0xff00000000000000), false},
        {5, UINT64_C(0x00ffffffffffffff), true},
        {5, UINT64_C(0x0100000000000000), false},
        {5, UINT64_C(0xfeffffffffffffff), false},
        {5, UINT64_C(0xff00000000000000), true},
        {5, UINT64_MAX, true},
    };
    struct memory *memory = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct mode *mode = &modes[cases[i].mode];
        struct xrw_registers regs = start(memory, mode);
        xrw_gpa found = 99;

        /* mapped, as the tables cannot tell: they see the low bits only */
        assert_true(map(memory, mode, root_of(&regs), mode->levels - 1,
                        cases[i].gva & ~UINT64_C(0xfff), 0x7000));
        assert_int_equal(xrw_paging_translate(&regs, cases[i].gva, read_memory, memory, &found),
                         cases[i].canonical ? 0 : -EFAULT);
        assert_true(found == (cases[i].canonical ? 0x7000 + (cases[i].gva & 0xfff) : 99));
    }
}

static void without_paging_addresses_are_physical(void **state)
{
    struct xrw_registers regs = {0};
    xrw_gpa found = 99;

    (void)state;
    xrw_registers_set(&regs, XRW_REG_cr0, 0x10); /* that is all it takes */
    assert_int_equal(xrw_paging_translate(&regs, 0xfffffff0, read_memory, NULL, &found), 0);
    assert_true(found == 0xfffffff0);
    found = 99;
    assert_int_equal(xrw_paging_translate(&regs, UINT64_C(0x100000000), read_memory, NULL, &found),
                     -EFAULT);
    assert_true(found == 99);
}

static void registers_that_are_needed_must_be_known(void **state)
{
    static const enum xrw_register needed[] = {XRW_REG_cr0, XRW_REG_cr3, XRW_REG_cr4, XRW_REG_efer};
    struct memory *memory = *state;

    for (unsigned m = 0; m < MODES; m++)
        for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
            struct xrw_registers regs = start(memory, &modes[m]);
            bool enough = needed[i] == XRW_REG_efer && modes[m].entry_bytes == 4;
            xrw_gpa found = 99;

            assert_true(
                map(memory, &modes[m], root_of(&regs), modes[m].levels - 1, 0x1000, 0x4000));
            assert_int_equal(xrw_paging_translate(&regs, 0x1234, read_memory, memory, &found), 0);
            assert_true(found == 0x4234);
            regs.known[needed[i]] = false;
            found = 99;
            assert_int_equal(xrw_paging_translate(&regs, 0x1234, read_memory, memory, &found),
                             enough ? 0 : -ENODATA);
            assert_true(found == (enough ? 0x4234 : 99));
        }
}

static void failed_reads_are_passed_on(void **state)
{
    static const int codes[] = {-ENODATA, -EIO, -EINTR};
    struct memory *memory = *state;

    for (unsigned m = 0; m < MODES; m++)
        for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
            struct xrw_registers regs = start(memory, &modes[m]);
            xrw_gpa found = 99;

            memory->fail_with = codes[i];
            assert_int_equal(xrw_paging_translate(&regs, 0x1000, read_memory, memory, &found),
                             codes[i]);
            assert_int_equal(memory->reads, 1);
            assert_true(found == 99);
        }
}

/* Registers and tables of a stranger: any bits at all. */
static void any_tables_are_survived(void **state)
{
    struct random random = random_seed();
    struct memory *memory = *state;
    unsigned count[3] = {0};

    for (size_t i = 0; i < (size_t)PAGES * XRW_PAGE_BYTES / 8; i++) {
        uint64_t entry = random_next(&random);

        if (random_below(&random, 4)) /* stay in memory, mostly */
            entry = (entry & ~ADDRESS) | random_below(&random, PAGES) << XRW_PAGE_SHIFT | 1;
        memcpy(memory->bytes + 8 * i, &entry, 8);
    }
    memory->fail_with = 0;
    for (unsigned i = 0; i < 200000; i++) {
        const struct mode *mode = &modes[random_below(&random, MODES)];
        struct xrw_registers regs = {0};
        xrw_gpa found;
        int ret;

        xrw_registers_set(&regs, XRW_REG_cr0, random_next(&random) | PG);
        xrw_registers_set(&regs, XRW_REG_cr3, random_next(&random) >> random_below(&random, 64));
        xrw_registers_set(&regs, XRW_REG_cr4, mode->cr4);
        xrw_registers_set(&regs, XRW_REG_efer, mode->efer);
        memory->reads = 0;
        ret = xrw_paging_translate(&regs, random_gva(&random, mode), read_memory, memory, &found);
        assert_true(ret == 0 || ret == -EFAULT || ret == -ENODATA);
        assert_in_range(memory->reads, 1, mode->levels);
        count[ret == 0 ? 0 : ret == -EFAULT ? 1 : 2]++;
        if (ret == 0)
            assert_true(found >> 52 == 0);
    }
    for (unsigned i = 0; i < 3; i++)
        assert_true(count[i] > 100);
}

int main(void)
{
#define WITH_MEMORY(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_MEMORY(random_pages_are_found_in_every_mode),
        WITH_MEMORY(an_absent_entry_of_any_level_is_a_fault),
        WITH_MEMORY(only_canonical_addresses_translate),
        WITH_MEMORY(without_paging_addresses_are_physical),
        WITH_MEMORY(registers_that_are_needed_must_be_known),
        WITH_MEMORY(failed_reads_are_passed_on),
        WITH_MEMORY(any_tables_are_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
