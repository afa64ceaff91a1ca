/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a Linux guest's kernel is: by its note, its registers, its interrupt table; symbol files
 * that are none. */
#include "history.h"

#include "elf_file.h"
#include "xrw/kaslr.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINKED UINT64_C(0xffffffff81000000)
#define SLIDE UINT64_C(0x1e000000)
#define TABLES UINT64_C(0x1000) /* four pages of page tables */
#define TEXT_GFN 0x10u
#define IDT_GFN 0x11u
#define NOTE_GFN 0x12u
#define BANNER 0x200u
#define FAULT 0x400u
#define SYSCALL 0x100u

struct world {
    struct xrw_store *store;
    struct xrw_error err;
    char path[64], symbols[64];
    uint8_t text[XRW_PAGE_BYTES];
};

/* ---- a symbol file of one page, made by hand --------------------------- */

struct file {
    Elf64_Ehdr header;
    Elf64_Phdr segment;
    Elf64_Shdr section[3];
    Elf64_Sym symbol[4];
    char names[64];
    uint8_t text[XRW_PAGE_BYTES];
};

static void fill_file(struct file *file, const uint8_t *text)
{
    static const char names[] = "\0entry_SYSCALL_64\0asm_exc_page_fault\0linux_banner";

    *file = (struct file){
        .header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                   .e_type = ET_EXEC,
                   .e_machine = EM_X86_64,
                   .e_phoff = offsetof(struct file, segment),
                   .e_phentsize = sizeof(Elf64_Phdr),
                   .e_phnum = 1,
                   .e_shoff = offsetof(struct file, section),
                   .e_shentsize = sizeof(Elf64_Shdr),
                   .e_shnum = 3},
        .segment = {.p_type = PT_LOAD,
                    .p_offset = offsetof(struct file, text),
                    .p_vaddr = LINKED,
                    .p_filesz = XRW_PAGE_BYTES,
                    .p_memsz = XRW_PAGE_BYTES},
        .section = {{0},
                    {.sh_type = SHT_SYMTAB,
                     .sh_offset = offsetof(struct file, symbol),
                     .sh_size = sizeof file->symbol,
                     .sh_link = 2,
                     .sh_entsize = sizeof(Elf64_Sym)},
                    {.sh_type = SHT_STRTAB,
                     .sh_offset = offsetof(struct file, names),
                     .sh_size = sizeof file->names}},
        .symbol = {{0},
                   {.st_name = 1, .st_shndx = 1, .st_value = LINKED + SYSCALL},
                   {.st_name = 18, .st_shndx = 1, .st_value = LINKED + FAULT},
                   {.st_name = 37, .st_shndx = 1, .st_value = LINKED + BANNER}},
    };
    memcpy(file->names, names, sizeof names);
    memcpy(file->text, text, XRW_PAGE_BYTES);
}

static void write_file(const char *path, const void *data, size_t bytes)
{
    FILE *out = fopen(path, "wb");

    assert_non_null(out);
    assert_int_equal(fwrite(data, 1, bytes, out), bytes);
    assert_int_equal(fclose(out), 0);
}

static void write_symbols(struct world *w)
{
    struct file *file = malloc(sizeof *file);

    assert_non_null(file);
    fill_file(file, w->text);
    write_file(w->symbols, file, sizeof *file);
    free(file);
}

/* ---- a recording of one exit ------------------------------------------- */

static void add_page(struct world *w, xrw_gfn gfn, const uint8_t *page)
{
    assert_done(xrw_store_add_page(w->store, 1, gfn, 0, page, false, &w->err), w->err);
}

/* The kernel's page, and the interrupt table right after it, where the slide puts them. */
static void add_tables(struct world *w)
{
    const uint64_t address = LINKED + SLIDE;

    for (unsigned level = 4; level >= 1; level--) {
        uint64_t table[512] = {0}, index = address >> (12 + 9 * (level - 1)) & 511;

        table[index] =
            level > 1 ? (TABLES + (5 - level) * XRW_PAGE_BYTES) | 3 : (uint64_t)TEXT_GFN << 12 | 3;
        if (level == 1)
            table[index + 1] = (uint64_t)IDT_GFN << 12 | 3;
        add_page(w, (TABLES >> 12) + 4 - level, (const uint8_t *)table);
    }
}

static void add_idt(struct world *w)
{
    uint64_t handler = LINKED + SLIDE + FAULT;
    uint8_t page[XRW_PAGE_BYTES] = {0}, *gate = page + 14 * 16;

    memcpy(gate, &handler, 2);
    gate[5] = 0x8e;
    for (unsigned i = 0; i < 6; i++)
        gate[6 + i] = (uint8_t)(handler >> (16 + 8 * i));
    add_page(w, IDT_GFN, page);
}

static void add_note(struct world *w, const char *slide)
{
    uint8_t page[XRW_PAGE_BYTES] = {0};

    (void)snprintf((char *)page, sizeof page,
                   "OSRELEASE=6.1.0\nPAGESIZE=4096\nSYMBOL(_stext)=%llx\nKERNELOFFSET=%s\n",
                   (unsigned long long)(LINKED + SLIDE), slide);
    add_page(w, NOTE_GFN, page);
}

static struct xrw_exit first_exit(bool lstar, bool idt)
{
    static const struct {
        enum xrw_register reg;
        uint64_t value;
    } paging[] = {{XRW_REG_cr0, 0x80000011},
                  {XRW_REG_cr3, TABLES},
                  {XRW_REG_cr4, 0x20},
                  {XRW_REG_efer, 0xd01}};
    struct xrw_exit exit = {.id = 1, .run = 1};

    for (size_t i = 0; i < sizeof paging / sizeof *paging; i++)
        xrw_registers_set(&exit.before, paging[i].reg, paging[i].value);
    for (unsigned i = 0; i < XRW_HOT_COUNT; i++)
        if (!exit.before.known[i])
            xrw_registers_set(&exit.before, i, 0);
    if (lstar)
        xrw_registers_set(&exit.before, XRW_REG_lstar, LINKED + SLIDE + SYSCALL);
    if (idt)
        xrw_registers_set(&exit.before, XRW_REG_idtr_base, LINKED + SLIDE + XRW_PAGE_BYTES);
    xrw_exit_set(&exit, XRW_EXIT_reason, 10);
    return exit;
}

/* note: the KERNELOFFSET line, NULL: no note. */
static void record(struct world *w, bool lstar, bool idt, const char *note)
{
    struct xrw_run run = {.id = 1, .vcpus = 1, .first_exit = 1, .memory = XRW_MEMORY_EXIT};
    struct xrw_exit exit = first_exit(lstar, idt);

    memset(w->text, 0x90, sizeof w->text);
    (void)snprintf((char *)w->text + BANNER, 128,
                   "Linux version 6.1.0 (of a test that never booted)");
    (void)snprintf(w->path, sizeof w->path, "/tmp/xrw-kaslr-%d.db", (int)getpid());
    (void)snprintf(w->symbols, sizeof w->symbols, "/tmp/xrw-kaslr-%d.elf", (int)getpid());
    (void)unlink(w->path);
    assert_done(xrw_store_create(&w->store, w->path, &w->err), w->err);
    assert_done(xrw_store_begin_run(w->store, &run, &w->err), w->err);
    add_tables(w);
    add_page(w, TEXT_GFN, w->text);
    add_idt(w);
    if (note)
        add_note(w, note);
    assert_done(xrw_store_add_exit(w->store, &exit, &w->err), w->err);
    run.last_exit = 1;
    assert_done(xrw_store_end_run(w->store, &run, &w->err), w->err);
    assert_done(xrw_store_close(w->store, &w->err), w->err);
    assert_done(xrw_store_open(&w->store, w->path, &w->err), w->err);
    write_symbols(w);
}

static void discard(struct world *w)
{
    (void)xrw_store_close(w->store, NULL);
    (void)unlink(w->path);
    (void)unlink(w->symbols);
}

/* ---- tests ------------------------------------------------------------- */

static void test_each_way(void **state)
{
    static const struct {
        bool lstar, idt;
        const char *note, *how;
        bool symbols;
    } cases[] = {
        {true, true, "1e000000", "LSTAR", true},
        {false, true, "1e000000", "IDT", true},
        {false, false, "1e000000", "VMCOREINFO", true},
        {true, true, "1e000000", "VMCOREINFO", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world w;
        struct xrw_kaslr kaslr;

        record(&w, cases[i].lstar, cases[i].idt, cases[i].note);
        assert_done(xrw_kaslr_find(w.store, cases[i].symbols ? w.symbols : NULL, &kaslr, &w.err),
                    w.err);
        assert_int_equal(kaslr.slide, SLIDE);
        assert_string_equal(kaslr.how, cases[i].how);
        assert_int_equal(kaslr.compared, cases[i].symbols);
        discard(&w);
    }
}

static void test_what_cannot_be_told(void **state)
{
    static const char *const notes[] = {NULL, "", "x", "1e000001", "ffffffffff000000", "40000000"};

    (void)state;
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++) {
        struct xrw_kaslr kaslr;
        struct world w;

        record(&w, false, false, notes[i]);
        assert_int_equal(xrw_kaslr_find(w.store, w.symbols, &kaslr, &w.err), -ENOENT);
        assert_int_equal(xrw_kaslr_find(w.store, NULL, &kaslr, &w.err), -ENOENT);
        assert_int_equal(xrw_kaslr_find(w.store, "/no/such/file", &kaslr, &w.err), -ENOENT);
        assert_int_equal(xrw_kaslr_recorded(w.store, &kaslr), -ENOENT);
        discard(&w);
    }
}

static void test_symbols_of_another_kernel(void **state)
{
    struct xrw_kaslr kaslr;
    struct world w;

    (void)state;
    record(&w, true, true, "1e000000");
    w.text[BANNER + 16] = '7';
    write_symbols(&w);
    assert_int_equal(xrw_kaslr_find(w.store, w.symbols, &kaslr, &w.err), -EILSEQ);
    assert_non_null(strstr(w.err.text, "another kernel"));
    discard(&w);
}

static void test_it_is_kept_in_the_recording(void **state)
{
    const struct xrw_kaslr made = {SLIDE, "LSTAR", true};
    struct xrw_store *store;
    struct xrw_kaslr read;
    struct world w;

    (void)state;
    record(&w, false, false, NULL);
    discard(&w);
    assert_done(xrw_store_create(&store, w.path, &w.err), w.err);
    assert_done(xrw_kaslr_record(store, &made, &w.err), w.err);
    assert_done(xrw_store_close(store, &w.err), w.err);
    assert_done(xrw_store_open(&w.store, w.path, &w.err), w.err);
    assert_done(xrw_kaslr_recorded(w.store, &read), w.err);
    assert_int_equal(read.slide, SLIDE);
    assert_string_equal(read.how, "LSTAR");
    assert_true(read.compared);
    discard(&w);
}

/* Cut off at each byte, and with each byte of its headers changed: no read outside, ever. */
static void test_damaged_symbol_files(void **state)
{
    struct file *file = malloc(sizeof *file);
    const char *path = "/tmp/xrw-kaslr-damaged.elf";
    uint8_t text[XRW_PAGE_BYTES] = {0};
    struct xrw_error err;
    struct xrw_elf *elf;
    size_t opened = 0;

    (void)state;
    assert_non_null(file);
    for (size_t i = 0; i < 2 * offsetof(struct file, text); i++) {
        size_t at = i / 2;
        uint64_t address;

        fill_file(file, text);
        ((uint8_t *)file)[at] = i % 2 ? 0xff : (uint8_t)(((uint8_t *)file)[at] ^ 0x80);
        write_file(path, file, i % 7 ? sizeof *file : at);
        if (xrw_elf_open(&elf, path, &err))
            continue;
        opened++;
        (void)xrw_elf_symbol(elf, "linux_banner", &address);
        (void)xrw_elf_symbol(elf, "no_such_symbol", &address);
        (void)xrw_elf_first_segment(elf, &address);
        for (uint64_t offset = 0; offset < 2 * XRW_PAGE_BYTES; offset += 1000) {
            const uint8_t *data = xrw_elf_data(elf, LINKED + offset, 64);

            if (data)
                memcpy(text, data, 64);
        }
        memset(text, 0, 64);
        xrw_elf_close(elf);
    }
    assert_true(opened > 100);
    free(file);
    (void)unlink(path);
    assert_int_equal(xrw_elf_open(&elf, "/tmp", &err), -ENOEXEC);
    assert_int_equal(xrw_elf_open(&elf, "/dev/null", &err), -ENOEXEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_way),
        cmocka_unit_test(test_what_cannot_be_told),
        cmocka_unit_test(test_symbols_of_another_kernel),
        cmocka_unit_test(test_it_is_kept_in_the_recording),
        cmocka_unit_test(test_damaged_symbol_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
