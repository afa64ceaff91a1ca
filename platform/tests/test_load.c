/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernels that load, and the many that do not. */
#define _POSIX_C_SOURCE 200809L
#include "load.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define RAM_BYTES (UINT64_C(4) << 20)
#define LOAD_AT 0x100000u

/* One loadable segment of four bytes at 1 MiB, and a note that names an entry. */
struct file {
    Elf64_Ehdr header;
    Elf64_Phdr load, note;
    struct {
        Elf64_Nhdr header;
        char name[4];
        uint32_t entry;
    } pvh;
    uint8_t code[4];
};

static struct file good_file(void)
{
    struct file file = {
        .header = {.e_machine = EM_X86_64,
                   .e_entry = 0xffffffff80100002,
                   .e_phoff = offsetof(struct file, load),
                   .e_phentsize = sizeof(Elf64_Phdr),
                   .e_phnum = 2},
        .load = {.p_type = PT_LOAD,
                 .p_offset = offsetof(struct file, code),
                 .p_paddr = LOAD_AT,
                 .p_vaddr = 0xffffffff80100000,
                 .p_filesz = 4,
                 .p_memsz = 0x2000},
        .note = {.p_type = PT_NOTE,
                 .p_offset = offsetof(struct file, pvh),
                 .p_filesz = sizeof file.pvh},
        .pvh = {.header = {.n_namesz = 4, .n_descsz = 4, .n_type = 18},
                .name = "Xen",
                .entry = LOAD_AT + 1},
        .code = {1, 2, 3, 4},
    };

    memcpy(file.header.e_ident, ELFMAG, SELFMAG);
    file.header.e_ident[EI_CLASS] = ELFCLASS64;
    return file;
}

static char path[] = "/tmp/xrw-test-load-XXXXXX";
static uint8_t *ram;

static int load_bytes(const void *data, size_t bytes, const char *cmdline,
                      struct xrw_machine_state *machine, struct xrw_error *err)
{
    struct load load = {.kernel = path, .cmdline = cmdline, .ram = ram, .ram_bytes = RAM_BYTES};
    FILE *stream = fopen(path, "wb");

    assert_non_null(stream);
    assert_int_equal(fwrite(data, 1, bytes, stream), bytes);
    assert_int_equal(fclose(stream), 0);
    memset(ram, 0, RAM_BYTES);
    err->text[0] = '\0';
    return load_guest(&load, machine, err);
}

static int load_file(const struct file *file, struct xrw_machine_state *machine)
{
    struct xrw_error err;
    int rc = load_bytes(file, sizeof *file, "", machine, &err);

    if (rc)
        assert_non_null(strstr(err.text, path));
    return rc;
}

static void a_pvh_kernel_starts_at_its_note(void **state)
{
    struct file file = good_file();
    struct xrw_machine_state machine;
    uint32_t magic;

    (void)state;
    assert_int_equal(load_file(&file, &machine), 0);
    assert_true(machine.regs.value[XRW_REG_rip] == LOAD_AT + 1);
    assert_true(machine.regs.value[XRW_REG_cr0] == 0x11);
    assert_memory_equal(ram + LOAD_AT, file.code, 4);
    memcpy(&magic, ram + machine.regs.value[XRW_REG_rbx], sizeof magic);
    assert_int_equal(magic, 0x336ec578);
    for (unsigned r = 0; r < XRW_REGISTER_COUNT; r++)
        assert_true(machine.regs.known[r]);
}

static void another_kernel_starts_at_its_entry_in_long_mode(void **state)
{
    struct file file = good_file();
    struct xrw_machine_state machine;

    (void)state;
    file.pvh.header.n_type = 7;
    assert_int_equal(load_file(&file, &machine), 0);
    assert_true(machine.regs.value[XRW_REG_rip] == LOAD_AT + 2);
    assert_true(machine.regs.value[XRW_REG_efer] == 0x500);
    assert_true(machine.regs.value[XRW_REG_cs_attr] & 1u << 9);
}

static void a_long_command_line_is_refused(void **state)
{
    struct file file = good_file();
    struct xrw_machine_state machine;
    struct xrw_error err;
    char *text = malloc(5000);

    (void)state;
    assert_non_null(text);
    memset(text, 'x', 4999);
    text[4999] = '\0';
    assert_int_equal(load_bytes(&file, sizeof file, text, &machine, &err), -E2BIG);
    free(text);
}

static void damaged_files_are_refused(void **state)
{
    const struct file good = good_file();
    struct xrw_machine_state machine;
    struct xrw_error err;
    struct file file;

    (void)state;
    for (size_t bytes = 0; bytes < sizeof good; bytes++) /* cut off anywhere */
        assert_true(load_bytes(&good, bytes, "", &machine, &err) < 0 ||
                    bytes > offsetof(struct file, pvh));
    file = good;
    file.header.e_machine = EM_386;
    assert_int_equal(load_file(&file, &machine), -ENOEXEC);
    file = good;
    file.header.e_phoff = UINT64_MAX - 8;
    assert_int_equal(load_file(&file, &machine), -ENOEXEC);
    file = good;
    file.load.p_offset = UINT64_MAX;
    assert_int_equal(load_file(&file, &machine), -ENOEXEC);
    file = good;
    file.load.p_paddr = RAM_BYTES - 0x1000;
    assert_int_equal(load_file(&file, &machine), -ENOSPC);
    file = good;
    file.load.p_paddr = UINT64_MAX - 1;
    assert_int_equal(load_file(&file, &machine), -ENOSPC);
    file = good;
    file.load.p_memsz = 1; /* less than in the file */
    assert_int_equal(load_file(&file, &machine), -ENOSPC);
    file = good;
    file.pvh.header.n_namesz = UINT32_MAX;
    assert_int_equal(load_file(&file, &machine), 0); /* as one without the note */
    assert_true(machine.regs.value[XRW_REG_efer] != 0);
}

static void a_missing_file_is_named(void **state)
{
    struct load load = {.kernel = "/nonexistent/kernel", .ram = ram, .ram_bytes = RAM_BYTES};
    struct xrw_machine_state machine;
    struct xrw_error err;

    (void)state;
    assert_int_equal(load_guest(&load, &machine, &err), -ENOENT);
    assert_non_null(strstr(err.text, "/nonexistent/kernel"));
}

static int set_up(void **state)
{
    int fd = mkstemp(path);

    (void)state;
    ram = malloc(RAM_BYTES);
    return fd < 0 || close(fd) || !ram ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(ram);
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pvh_kernel_starts_at_its_note),
        cmocka_unit_test(another_kernel_starts_at_its_entry_in_long_mode),
        cmocka_unit_test(a_long_command_line_is_refused),
        cmocka_unit_test(damaged_files_are_refused),
        cmocka_unit_test(a_missing_file_is_named),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
