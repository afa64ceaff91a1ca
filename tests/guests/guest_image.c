/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest_image.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/elfnote.h>
#include <xenctrl.h>

#include "guest_build.h"

int image_read(const char *path, struct image *image)
{
    FILE *file = fopen(path, "rb");
    long bytes;
    uint8_t *data;

    if (!file)
        return complain(errno, "%s", path);
    if (fseek(file, 0, SEEK_END) || (bytes = ftell(file)) < 0 || fseek(file, 0, SEEK_SET)) {
        fclose(file);
        return complain(errno, "%s", path);
    }
    data = malloc((size_t)bytes + 1);
    if (!data || fread(data, 1, (size_t)bytes, file) != (size_t)bytes) {
        fclose(file);
        free(data);
        return complain(0, "%s: cannot be read whole", path);
    }
    fclose(file);
    *image = (struct image){.data = data, .bytes = (size_t)bytes};
    return 0;
}

/* Whether [offset, offset + bytes) lies within size. */
static int within(uint64_t offset, uint64_t bytes, uint64_t size)
{
    return offset <= size && bytes <= size - offset;
}

/* Notes are name and descriptor, each padded to 4 bytes, behind a header. */
static uint32_t phys32_entry(const uint8_t *notes, uint64_t bytes)
{
    uint64_t at = 0;

    while (within(at, sizeof(Elf64_Nhdr), bytes)) {
        Elf64_Nhdr note;
        uint64_t name, descriptor;
        uint32_t entry;

        memcpy(&note, notes + at, sizeof note);
        name = at + sizeof note;
        descriptor = name + (((uint64_t)note.n_namesz + 3) & ~3ull);
        if (!within(descriptor, note.n_descsz, bytes))
            break;
        if (note.n_type == XEN_ELFNOTE_PHYS32_ENTRY && note.n_namesz == sizeof "Xen" &&
            !memcmp(notes + name, "Xen", sizeof "Xen") && note.n_descsz >= sizeof entry) {
            memcpy(&entry, notes + descriptor, sizeof entry);
            return entry;
        }
        at = descriptor + (((uint64_t)note.n_descsz + 3) & ~3ull);
    }
    return 0;
}

static int load_segment(const char *path, const struct image *image, const Elf64_Phdr *segment,
                        uint8_t *ram, size_t ram_bytes)
{
    if (!within(segment->p_paddr, segment->p_memsz, ram_bytes) ||
        segment->p_filesz > segment->p_memsz)
        return complain(0, "%s: does not fit into the guest's memory: give it more with --memory",
                        path);
    memcpy(ram + segment->p_paddr, image->data + segment->p_offset, segment->p_filesz);
    return 0;
}

int image_load_kernel(const char *path, const struct image *image, uint8_t *ram, size_t ram_bytes,
                      uint32_t *entry, uint64_t *end)
{
    Elf64_Ehdr header;
    uint32_t found = 0;
    uint64_t last = 0;

    if (image->bytes < sizeof header)
        return complain(0, "%s: not an ELF file", path);
    memcpy(&header, image->data, sizeof header);
    if (memcmp(header.e_ident, ELFMAG, SELFMAG) || header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_machine != EM_X86_64 || header.e_phentsize != sizeof(Elf64_Phdr))
        return complain(0, "%s: not an ELF file for x86-64", path);
    if (!within(header.e_phoff, (uint64_t)header.e_phnum * sizeof(Elf64_Phdr), image->bytes))
        return complain(0, "%s: truncated ELF file", path);
    for (unsigned i = 0; i < header.e_phnum; i++) {
        Elf64_Phdr segment;

        memcpy(&segment, image->data + header.e_phoff + i * sizeof segment, sizeof segment);
        if (!within(segment.p_offset, segment.p_filesz, image->bytes))
            return complain(0, "%s: truncated ELF file", path);
        if (segment.p_type == PT_NOTE && !found)
            found = phys32_entry(image->data + segment.p_offset, segment.p_filesz);
        if (segment.p_type != PT_LOAD)
            continue;
        if (load_segment(path, image, &segment, ram, ram_bytes))
            return -1;
        if (segment.p_paddr + segment.p_memsz > last)
            last = segment.p_paddr + segment.p_memsz;
    }
    if (!found)
        return complain(0, "%s: has no PVH entry point (XEN_ELFNOTE_PHYS32_ENTRY)", path);
    *entry = found;
    *end = last;
    return 0;
}
