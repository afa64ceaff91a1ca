/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "load.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)
#define PVH_MAGIC 0x336ec578u
#define NOTE_PHYS32_ENTRY 18u
#define MEMORY_RAM 1u
#define MEMORY_RESERVED 2u

/* Where the boot information lies, in memory that kernels leave alone until they have read it. */
enum boot_layout {
    START_INFO = 0x1000,
    MODULES = 0x1400,
    MEMORY_MAP = 0x1800,
    CMDLINE = 0x2000,
    CMDLINE_BYTES = 0x1000,
    TABLES = 0x4000,       /* six pages: identity map for 64-bit entry */
    STATUS_PAGE = 0x9f000, /* RAM that the memory map keeps kernels away from */
};

struct start_info {
    uint32_t magic, version, flags, module_count;
    uint64_t modules, cmdline, rsdp, memory_map;
    uint32_t memory_map_count, reserved;
};

struct module {
    uint64_t address, bytes, cmdline, reserved;
};

struct memory_range {
    uint64_t address, bytes;
    uint32_t type, reserved;
};

struct image {
    uint8_t *data;
    uint64_t bytes;
};

struct kernel {
    uint64_t entry, end;
    bool pvh;
};

/* ---- files ------------------------------------------------------------ */

static int read_stream(FILE *file, struct image *image)
{
    long bytes;

    if (fseek(file, 0, SEEK_END) || (bytes = ftell(file)) < 0 || fseek(file, 0, SEEK_SET))
        return -EIO;
    image->data = malloc((size_t)bytes + 1);
    if (!image->data)
        return -ENOMEM;
    image->bytes = (uint64_t)bytes;
    return fread(image->data, 1, (size_t)bytes, file) == (size_t)bytes ? 0 : -EIO;
}

/* image->data is the caller's to free, whatever is returned. */
static int read_image(const char *path, struct image *image, struct xrw_error *err)
{
    FILE *file = fopen(path, "rb");
    int rc;

    *image = (struct image){NULL, 0};
    if (!file) {
        rc = -errno;
        return xrw_error_set(err, rc, "%s: %s", path, strerror(-rc));
    }
    rc = read_stream(file, image);
    (void)fclose(file);
    return rc ? xrw_error_set(err, rc, "%s: cannot be read whole", path) : 0;
}

/* Whether [offset, offset + bytes) lies within size. */
static bool within(uint64_t offset, uint64_t bytes, uint64_t size)
{
    return offset <= size && bytes <= size - offset;
}

/* ---- ELF --------------------------------------------------------------- */

/* Notes are name and descriptor, each padded to 4 bytes, behind a header. */
static void find_pvh_entry(const uint8_t *notes, uint64_t bytes, struct kernel *kernel)
{
    uint64_t at = 0;

    while (within(at, sizeof(Elf64_Nhdr), bytes)) {
        Elf64_Nhdr note;
        uint64_t name, descriptor;
        uint32_t entry;

        memcpy(&note, notes + at, sizeof note);
        name = at + sizeof note;
        descriptor = name + (((uint64_t)note.n_namesz + 3) & ~UINT64_C(3));
        if (!within(descriptor, note.n_descsz, bytes))
            return;
        if (note.n_type == NOTE_PHYS32_ENTRY && note.n_namesz == sizeof "Xen" &&
            !memcmp(notes + name, "Xen", sizeof "Xen") && note.n_descsz >= sizeof entry) {
            memcpy(&entry, notes + descriptor, sizeof entry);
            kernel->entry = entry;
            kernel->pvh = true;
            return;
        }
        at = descriptor + (((uint64_t)note.n_descsz + 3) & ~UINT64_C(3));
    }
}

static int no_room(const char *path, const struct load *load, struct xrw_error *err)
{
    return xrw_error_set(err, -ENOSPC,
                         "%s does not fit into the guest's %" PRIu64 " MiB of memory\n"
                         "give it more (--memory-size)",
                         path, load->ram_bytes / MIB);
}

static int load_segment(const struct load *load, const struct image *image,
                        const Elf64_Phdr *segment, struct kernel *kernel, struct xrw_error *err)
{
    uint64_t end = segment->p_paddr + segment->p_memsz;

    if (!within(segment->p_paddr, segment->p_memsz, load->ram_bytes) ||
        segment->p_filesz > segment->p_memsz)
        return no_room(load->kernel, load, err);
    memcpy(load->ram + segment->p_paddr, image->data + segment->p_offset, segment->p_filesz);
    /* The entry point may be given as a linear address. */
    if (!kernel->pvh && segment->p_vaddr != segment->p_paddr &&
        kernel->entry - segment->p_vaddr < segment->p_memsz)
        kernel->entry = kernel->entry - segment->p_vaddr + segment->p_paddr;
    if (end > kernel->end)
        kernel->end = end;
    return 0;
}

static int check_header(const struct load *load, const struct image *image, Elf64_Ehdr *header,
                        struct xrw_error *err)
{
    if (image->bytes < sizeof *header || memcmp(image->data, ELFMAG, SELFMAG))
        return xrw_error_set(err, -ENOEXEC,
                             "%s is not an ELF file\n"
                             "a packed kernel (vmlinuz) has to be unpacked to its vmlinux first",
                             load->kernel);
    memcpy(header, image->data, sizeof *header);
    if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_machine != EM_X86_64 ||
        header->e_phentsize != sizeof(Elf64_Phdr))
        return xrw_error_set(err, -ENOEXEC, "%s is not an ELF file for x86-64", load->kernel);
    if (!within(header->e_phoff, (uint64_t)header->e_phnum * sizeof(Elf64_Phdr), image->bytes))
        return xrw_error_set(err, -ENOEXEC, "%s is a truncated ELF file", load->kernel);
    return 0;
}

/* Segments of one type, in order; PT_NOTE before PT_LOAD, as the entry depends on it. */
static int walk_segments(const struct load *load, const struct image *image,
                         const Elf64_Ehdr *header, unsigned type, struct kernel *kernel,
                         struct xrw_error *err)
{
    int rc = 0;

    for (unsigned i = 0; i < header->e_phnum && !rc; i++) {
        Elf64_Phdr segment;

        memcpy(&segment, image->data + header->e_phoff + i * sizeof segment, sizeof segment);
        if (segment.p_type != type)
            continue;
        if (!within(segment.p_offset, segment.p_filesz, image->bytes))
            return xrw_error_set(err, -ENOEXEC, "%s is a truncated ELF file", load->kernel);
        if (type == PT_LOAD)
            rc = load_segment(load, image, &segment, kernel, err);
        else if (!kernel->pvh)
            find_pvh_entry(image->data + segment.p_offset, segment.p_filesz, kernel);
    }
    return rc;
}

static int load_kernel(const struct load *load, struct kernel *kernel, struct xrw_error *err)
{
    struct image image;
    Elf64_Ehdr header;
    int rc = read_image(load->kernel, &image, err);

    if (!rc)
        rc = check_header(load, &image, &header, err);
    if (!rc) {
        *kernel = (struct kernel){.entry = header.e_entry};
        rc = walk_segments(load, &image, &header, PT_NOTE, kernel, err);
    }
    if (!rc)
        rc = walk_segments(load, &image, &header, PT_LOAD, kernel, err);
    free(image.data);
    return rc;
}

/* ---- boot information --------------------------------------------------- */

/* The initrd goes to the end of RAM. */
static int load_initrd(const struct load *load, uint64_t kernel_end, struct module *module,
                       struct xrw_error *err)
{
    struct image image;
    uint64_t at;
    int rc = read_image(load->initrd, &image, err);

    at = image.bytes < load->ram_bytes
             ? (load->ram_bytes - image.bytes) & ~(uint64_t)(XRW_PAGE_BYTES - 1)
             : 0;
    if (!rc && (at < kernel_end || at < MIB))
        rc = no_room(load->initrd, load, err);
    if (!rc) {
        memcpy(load->ram + at, image.data, image.bytes);
        *module = (struct module){.address = at, .bytes = image.bytes};
    }
    free(image.data);
    return rc;
}

static int write_boot_information(const struct load *load, uint64_t kernel_end,
                                  struct xrw_error *err)
{
    const struct memory_range map[] = {
        {.address = 0, .bytes = STATUS_PAGE, .type = MEMORY_RAM},
        {.address = STATUS_PAGE, .bytes = XRW_PAGE_BYTES, .type = MEMORY_RESERVED},
        {.address = MIB, .bytes = load->ram_bytes - MIB, .type = MEMORY_RAM},
    };
    struct start_info info = {
        .magic = PVH_MAGIC,
        .version = 1,
        .cmdline = CMDLINE,
        .memory_map = MEMORY_MAP,
        .memory_map_count = sizeof map / sizeof *map,
    };
    const char *cmdline = load->cmdline ? load->cmdline : "";
    struct module module;

    if (strlen(cmdline) >= CMDLINE_BYTES)
        return xrw_error_set(err, -E2BIG, "the command line is longer than %d characters",
                             CMDLINE_BYTES - 1);
    if (load->initrd) {
        int rc = load_initrd(load, kernel_end, &module, err);

        if (rc)
            return rc;
        info.module_count = 1;
        info.modules = MODULES;
        memcpy(load->ram + MODULES, &module, sizeof module);
    }
    memcpy(load->ram + START_INFO, &info, sizeof info);
    memcpy(load->ram + MEMORY_MAP, map, sizeof map);
    memcpy(load->ram + CMDLINE, cmdline, strlen(cmdline) + 1);
    return 0;
}

/* ---- the vCPU ----------------------------------------------------------- */

#define CR0_PE 0x1u
#define CR0_ET 0x10u
#define CR0_PG 0x80000000u
#define CR4_PAE 0x20u
#define EFER_LME 0x100u
#define EFER_LMA 0x400u
#define DR6_RESET 0xffff0ff0u
#define DR7_RESET 0x400u
#define PAT_RESET UINT64_C(0x0007040600070406)
#define TABLE_ENTRY 0x67u
#define LARGE_ENTRY 0xe7u

static void set(struct xrw_machine_state *state, enum xrw_register r, uint64_t value)
{
    xrw_registers_set(&state->regs, r, value);
}

static void set_segment(struct xrw_machine_state *state, enum xrw_register segment,
                        uint16_t selector, uint32_t limit, uint16_t attributes)
{
    set(state, segment, selector);
    set(state, segment + 1, 0);
    set(state, segment + 2, limit);
    set(state, segment + 3, attributes);
}

/* 32-bit protected mode without paging, flat segments, RBX = start info. */
static void pvh_state(struct xrw_machine_state *state, uint64_t entry)
{
    static const enum xrw_register data[] = {XRW_REG_ds, XRW_REG_es, XRW_REG_fs, XRW_REG_gs,
                                             XRW_REG_ss};

    memset(state, 0, sizeof *state);
    for (unsigned r = 0; r < XRW_REGISTER_COUNT; r++)
        set(state, (enum xrw_register)r, 0);
    set(state, XRW_REG_rip, entry);
    set(state, XRW_REG_rbx, START_INFO);
    set(state, XRW_REG_rflags, 2);
    set(state, XRW_REG_cr0, CR0_PE | CR0_ET);
    set(state, XRW_REG_dr6, DR6_RESET);
    set(state, XRW_REG_dr7, DR7_RESET);
    set_segment(state, XRW_REG_cs, 0x08, UINT32_MAX, 0xc9b);
    for (unsigned i = 0; i < sizeof data / sizeof *data; i++)
        set_segment(state, data[i], 0x10, UINT32_MAX, 0xc93);
    set_segment(state, XRW_REG_tr, 0, 0x67, 0x8b);
    state->xcr0 = 1;
    state->pat = PAT_RESET;
}

static void put64(uint8_t *ram, uint64_t at, uint64_t value)
{
    memcpy(ram + at, &value, sizeof value);
}

/* 64-bit mode, the first 4 GiB of linear addresses mapped to themselves. */
static void long_mode_state(uint8_t *ram, struct xrw_machine_state *state)
{
    const uint64_t pdpt = TABLES + XRW_PAGE_BYTES, directories = pdpt + XRW_PAGE_BYTES;

    put64(ram, TABLES, pdpt | TABLE_ENTRY);
    for (uint64_t i = 0; i < 4; i++)
        put64(ram, pdpt + 8 * i, (directories + i * XRW_PAGE_BYTES) | TABLE_ENTRY);
    for (uint64_t i = 0; i < UINT64_C(4) * 512; i++)
        put64(ram, directories + 8 * i, i << 21 | LARGE_ENTRY);
    set(state, XRW_REG_cr3, TABLES);
    set(state, XRW_REG_cr4, CR4_PAE);
    set(state, XRW_REG_efer, EFER_LME | EFER_LMA);
    set(state, XRW_REG_cr0, CR0_PE | CR0_ET | CR0_PG);
    set(state, XRW_REG_rdi, START_INFO);
    set_segment(state, XRW_REG_cs, 0x08, UINT32_MAX, 0xa9b);
}

int load_guest(const struct load *load, struct xrw_machine_state *state, struct xrw_error *err)
{
    struct kernel kernel;
    int rc = load_kernel(load, &kernel, err);

    if (!rc)
        rc = write_boot_information(load, kernel.end, err);
    if (rc)
        return rc;
    pvh_state(state, kernel.entry);
    if (!kernel.pvh)
        long_mode_state(load->ram, state);
    return 0;
}
