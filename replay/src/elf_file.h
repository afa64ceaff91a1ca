/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The little that replay wants of a guest's symbol file (vmlinux): a few symbols, and what is
 * loaded where.  The file may be anything: nothing in it is trusted. */
#ifndef XRW_ELF_FILE_H
#define XRW_ELF_FILE_H

#include "xrw/error.h"
#include "xrw/types.h"

#include <stddef.h>
#include <stdint.h>

struct xrw_elf;

/* Map a 64-bit little-endian ELF file.  Returns 0; -ENOENT, -EACCES ...; -ENOEXEC if it is no such
 * file. */
int xrw_elf_open(struct xrw_elf **out, const char *path, struct xrw_error *err);
void xrw_elf_close(struct xrw_elf *elf);

/* The file as bytes, for whom it is served to. */
const uint8_t *xrw_elf_bytes(const struct xrw_elf *elf, size_t *bytes);

/* Address that a symbol was linked at.  Returns 0 or -ENOENT. */
int xrw_elf_symbol(const struct xrw_elf *elf, const char *name, uint64_t *address);

/* Link address of the first loaded segment.  Returns 0 or -ENOENT. */
int xrw_elf_first_segment(const struct xrw_elf *elf, uint64_t *address);

/* What the file has for [address, address + bytes), in one segment.  NULL if it has not all. */
const uint8_t *xrw_elf_data(const struct xrw_elf *elf, uint64_t address, size_t bytes);

#endif
