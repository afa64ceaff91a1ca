/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files, and ELF kernels in them. */
#ifndef XENREWIND_TESTS_GUEST_IMAGE_H
#define XENREWIND_TESTS_GUEST_IMAGE_H

#include <stddef.h>
#include <stdint.h>

struct image {
    uint8_t *data;
    size_t bytes;
};

/**
 * Read a whole file.  The caller frees image->data.
 *
 * @return 0, or -1 after having said why on stderr
 */
int image_read(const char *path, struct image *image);

/**
 * Copy the loadable segments of an ELF-64 kernel to their physical addresses.
 * Source: "PVH boot start info" in xen/include/public/arch-x86/hvm/start_info.h.
 *
 * @param path for messages
 * @param ram guest RAM from address 0 on, ram_bytes of it
 * @param entry set to the address of its XEN_ELFNOTE_PHYS32_ENTRY note
 * @param end set to the first address behind the kernel
 * @return 0, or -1 after having said why on stderr
 */
int image_load_kernel(const char *path, const struct image *image, uint8_t *ram, size_t ram_bytes,
                      uint32_t *entry, uint64_t *end);

#endif
