/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A recording as a target for libgdbstub. */
#ifndef XRW_GDB_TARGET_H
#define XRW_GDB_TARGET_H

#include "gdbstub.h"
#include "xrw/error.h"
#include "xrw/store.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct xrw_gdb_target;

/*
 * Create a target over a run, at its first exit.  The store is borrowed.  Returns 0; -ENOENT if
 * there is no such run; -ENODATA if it has no exit; -ENOMEM; what the store reports.
 */
int xrw_gdb_target_create(struct xrw_store *store, uint64_t run, struct xrw_gdb_target **out,
                          struct xrw_error *err);
void xrw_gdb_target_destroy(struct xrw_gdb_target *target);

/*
 * Name the guest's symbol file, which gdb is then told of, and is told the place of.  serve: gdb
 * may read it from here, and will, however long that takes; else it opens the file itself.  To be
 * called before xrw_gdb_target_config(). Returns 0; -ENOENT, -ENOEXEC or another negative errno if
 * it is no readable ELF file: then nothing has changed.
 */
int xrw_gdb_target_set_symbols(struct xrw_gdb_target *target, const char *path, bool serve,
                               struct xrw_error *err);

/* Fill in all of an engine's configuration but the output; valid as long as the target. */
void xrw_gdb_target_config(struct xrw_gdb_target *target, struct gdbstub_config *config);

/*
 * What went wrong in the last operation that failed and could not tell the client, e.g. a damaged
 * row; empty if nothing.  Reading it clears it.
 */
void xrw_gdb_target_trouble(struct xrw_gdb_target *target, struct xrw_error *trouble);

#ifdef __cplusplus
}
#endif
#endif
