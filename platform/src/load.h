/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A kernel in memory, ready for its first instruction. */
#ifndef XRW_PLATFORM_LOAD_H
#define XRW_PLATFORM_LOAD_H

#include "xrw/error.h"
#include "xrw/machine.h"

#include <stdbool.h>
#include <stdint.h>

struct load {
    const char *kernel, *initrd, *cmdline;
    uint8_t *ram; /* zeroed; filled by load_guest() */
    uint64_t ram_bytes;
};

/*
 * Load kernel, initrd and boot information into ram, and make *state that of the vCPU at the
 * kernel's entry.  Returns 0, or a negative errno with err: -ENOEXEC, -ENOSPC, -EIO, -ENOENT, ...
 * Source: "PVH boot start info", xen/include/public/arch-x86/hvm/start_info.h;
 * docs/misc/pvh.pandoc.
 */
int load_guest(const struct load *load, struct xrw_machine_state *state, struct xrw_error *err);

#endif
