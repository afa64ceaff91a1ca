/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's symbol file in gdb: its name, its bytes for who cannot open it, and where it was
 * loaded. */
#include "gdb_target.h"

#include "xrw/kaslr.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int xrw_gdb_target_set_symbols(struct xrw_gdb_target *target, const char *path, bool serve,
                               struct xrw_error *err)
{
    char *absolute = realpath(path, NULL);
    struct xrw_elf *elf;
    int ret = absolute ? xrw_elf_open(&elf, absolute, err)
                       : xrw_error_set(err, -errno, "%.200s: %s", path, strerror(errno));

    if (ret) {
        free(absolute);
        return ret;
    }
    xrw_elf_close(target->symbols);
    free(target->symbol_path);
    target->symbols = elf;
    target->symbol_path = absolute;
    target->serves_symbols = serve;
    return 0;
}

/* ---- KASLR ------------------------------------------------------------- */

/* Found once, and only when it is asked for: what the recording says, else what it tells. */
static int find_slide(struct xrw_gdb_target *target)
{
    if (target->kaslr_sought)
        return target->kaslr_result;
    target->kaslr_sought = true;
    target->kaslr_result = xrw_kaslr_recorded(target->store, &target->kaslr);
    if (target->kaslr_result)
        target->kaslr_result =
            xrw_kaslr_find(target->store, target->symbol_path, &target->kaslr, &target->kaslr_why);
    return target->kaslr_result;
}

int xrw_gdb_offsets(void *ctx, struct gdbstub_offsets *offsets)
{
    struct xrw_gdb_target *target = ctx;
    uint64_t linked;

    if (!target->symbols || xrw_elf_first_segment(target->symbols, &linked) || find_slide(target))
        return -ENODATA;
    *offsets = (struct gdbstub_offsets){.text = linked + target->kaslr.slide, .segments = true};
    return 0;
}

int xrw_monitor_kaslr(void *ctx, const char *args, struct gdbstub_console *console,
                      struct gdbstub_reason *reason)
{
    struct xrw_gdb_target *target = ctx;
    int ret = find_slide(target);

    (void)args;
    if (ret) {
        gdbstub_reason_set(reason, "%s", target->kaslr_why.text);
        return ret;
    }
    gdbstub_console_print(console, "kernel moved by 0x%llx (from %s%s)\n",
                          (unsigned long long)target->kaslr.slide, target->kaslr.how,
                          target->kaslr.compared ? ", and its text stands there" : "");
    gdbstub_console_print(console,
                          "if gdb has not moved the symbols: symbol-file; add-symbol-file "
                          "VMLINUX -o 0x%llx\n",
                          (unsigned long long)target->kaslr.slide);
    return 0;
}

/* ---- the file ---------------------------------------------------------- */

int xrw_gdb_exec_file(void *ctx, char path[GDBSTUB_NAME_MAX])
{
    struct xrw_gdb_target *target = ctx;

    if (!target->symbol_path || strlen(target->symbol_path) >= GDBSTUB_NAME_MAX)
        return -ENOENT;
    memcpy(path, target->symbol_path, strlen(target->symbol_path) + 1);
    return 0;
}

/* This file and no other: the recording may come from a stranger, and so may the client. */
int xrw_gdb_open_file(void *ctx, const char *path, struct gdbstub_file *file)
{
    struct xrw_gdb_target *target = ctx;
    size_t bytes;

    if (!target->symbol_path || strcmp(path, target->symbol_path) != 0)
        return -ENOENT;
    (void)xrw_elf_bytes(target->symbols, &bytes);
    *file = (struct gdbstub_file){target->symbols, bytes};
    return 0;
}

int xrw_gdb_read_file(void *ctx, const struct gdbstub_file *file, uint64_t offset, void *bytes,
                      size_t size, size_t *got)
{
    size_t whole;
    const uint8_t *content = xrw_elf_bytes(file->handle, &whole);

    (void)ctx;
    *got = offset >= whole ? 0 : size < whole - offset ? size : whole - (size_t)offset;
    memcpy(bytes, content + (*got ? offset : 0), *got);
    return 0;
}

void xrw_gdb_close_file(void *ctx, const struct gdbstub_file *file)
{
    (void)ctx, (void)file; /* mapped as long as the target */
}
