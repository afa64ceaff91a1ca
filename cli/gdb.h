/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starting gdb on a recording. */
#ifndef XENREWIND_GDB_H
#define XENREWIND_GDB_H

#include "xrw/error.h"

#include <stdint.h>

#include <limits.h>
#include <stdbool.h>

/*
 * The symbol file that a recording names, as a path: beside the recording if relative.  False if it
 * names none, or none that can be read.
 */
bool xrw_symbol_file(const char *recording, const char *named, char path[PATH_MAX]);

/*
 * Become gdb, connected through a pipe to `xenrewind replay --stdio`.  symbols: a symbol file; may
 * be empty.  arguments: gdb's further ones, NULL-terminated.  Returns only on failure: -ENOENT if
 * there is no gdb, another negative errno.
 */
int xrw_gdb_start(const char *recording, uint64_t run, const char *symbols, char **arguments,
                  struct xrw_error *err);

#endif
