/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Source: System V ABI, "Object Files" and its AMD64 supplement. */
#include "elf_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct xrw_elf {
    uint8_t *map;
    size_t bytes;
    Elf64_Ehdr header;
};

/* The n bytes at an offset; NULL if the file ends before. */
static const void *part(const struct xrw_elf *elf, uint64_t offset, uint64_t bytes)
{
    return offset <= elf->bytes && bytes <= elf->bytes - offset ? elf->map + offset : NULL;
}

/* Entry i of a table; false if the file ends before.  Copied: it may lie at any address. */
static bool entry(const struct xrw_elf *elf, uint64_t offset, uint64_t i, void *out, size_t bytes)
{
    const void *at;

    if (i > elf->bytes / bytes || offset > elf->bytes)
        return false;
    at = part(elf, offset + i * bytes, bytes);
    if (at)
        memcpy(out, at, bytes);
    return at != NULL;
}

static int check(struct xrw_elf *elf)
{
    const Elf64_Ehdr *header = &elf->header;

    if (!entry(elf, 0, 0, &elf->header, sizeof elf->header) ||
        memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64 ||
        header->e_ident[EI_DATA] != ELFDATA2LSB || header->e_shentsize != sizeof(Elf64_Shdr) ||
        (header->e_phnum && header->e_phentsize != sizeof(Elf64_Phdr)))
        return -ENOEXEC;
    return 0;
}

/* Only a regular file: another kind could block, or change under the map. */
static int map(struct xrw_elf *elf, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    int ret = 0;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &st))
        ret = -errno;
    else if (!S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(Elf64_Ehdr))
        ret = -ENOEXEC;
    if (!ret) {
        void *at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);

        if (at == MAP_FAILED)
            ret = -errno;
        else {
            elf->map = at;
            elf->bytes = (size_t)st.st_size;
        }
    }
    close(fd);
    return ret;
}

int xrw_elf_open(struct xrw_elf **out, const char *path, struct xrw_error *err)
{
    struct xrw_elf *elf = calloc(1, sizeof *elf);
    int ret = elf ? map(elf, path) : -ENOMEM;

    if (!ret)
        ret = check(elf);
    if (!ret) {
        *out = elf;
        return 0;
    }
    xrw_elf_close(elf);
    return xrw_error_set(err, ret, "%.200s: %s", path,
                         ret == -ENOEXEC ? "no 64-bit ELF file" : strerror(-ret));
}

void xrw_elf_close(struct xrw_elf *elf)
{
    if (elf && elf->map)
        (void)munmap(elf->map, elf->bytes);
    free(elf);
}

const uint8_t *xrw_elf_bytes(const struct xrw_elf *elf, size_t *bytes)
{
    *bytes = elf->bytes;
    return elf->map;
}

/* ---- symbols ----------------------------------------------------------- */

static bool has_name(const struct xrw_elf *elf, const Elf64_Shdr *strings, uint32_t offset,
                     const char *name)
{
    size_t bytes = strlen(name) + 1;
    const char *at = NULL;

    if (offset < strings->sh_size && bytes <= strings->sh_size - offset &&
        strings->sh_offset <= elf->bytes)
        at = part(elf, strings->sh_offset + offset, bytes);
    return at && !memcmp(at, name, bytes);
}

static int find_symbol(const struct xrw_elf *elf, const Elf64_Shdr *table, const char *name,
                       uint64_t *address)
{
    uint64_t count = table->sh_size / sizeof(Elf64_Sym);
    Elf64_Shdr strings;
    Elf64_Sym symbol;

    if (!entry(elf, elf->header.e_shoff, table->sh_link, &strings, sizeof strings))
        return -ENOENT;
    for (uint64_t i = 0; i < count && entry(elf, table->sh_offset, i, &symbol, sizeof symbol); i++)
        if (symbol.st_shndx != SHN_UNDEF && has_name(elf, &strings, symbol.st_name, name)) {
            *address = symbol.st_value;
            return 0;
        }
    return -ENOENT;
}

int xrw_elf_symbol(const struct xrw_elf *elf, const char *name, uint64_t *address)
{
    Elf64_Shdr section;

    for (unsigned i = 0; i < elf->header.e_shnum; i++)
        if (entry(elf, elf->header.e_shoff, i, &section, sizeof section) &&
            section.sh_type == SHT_SYMTAB)
            return find_symbol(elf, &section, name, address);
    return -ENOENT;
}

/* ---- segments ---------------------------------------------------------- */

int xrw_elf_first_segment(const struct xrw_elf *elf, uint64_t *address)
{
    Elf64_Phdr segment;

    for (unsigned i = 0; i < elf->header.e_phnum; i++)
        if (entry(elf, elf->header.e_phoff, i, &segment, sizeof segment) &&
            segment.p_type == PT_LOAD) {
            *address = segment.p_vaddr;
            return 0;
        }
    return -ENOENT;
}

const uint8_t *xrw_elf_data(const struct xrw_elf *elf, uint64_t address, size_t bytes)
{
    Elf64_Phdr segment;

    for (unsigned i = 0; i < elf->header.e_phnum; i++) {
        uint64_t within;

        if (!entry(elf, elf->header.e_phoff, i, &segment, sizeof segment) ||
            segment.p_type != PT_LOAD)
            continue;
        within = address - segment.p_vaddr;
        if (within < segment.p_filesz && bytes <= segment.p_filesz - within &&
            segment.p_offset <= elf->bytes)
            return part(elf, segment.p_offset + within, bytes);
    }
    return NULL;
}
