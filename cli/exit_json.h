/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An exit as a JSON object, as `exits --json' prints it. */
#ifndef XENREWIND_EXIT_JSON_H
#define XENREWIND_EXIT_JSON_H

#include "xrw/error.h"
#include "xrw/insn.h"
#include "xrw/store.h"

#include <jansson.h>

/* *object is the caller's.  0 or what the store reports. */
int xrw_exit_json(struct xrw_store *store, struct xrw_disassembler *disassembler,
                  const struct xrw_exit *exit, json_t **object, struct xrw_error *err);

#endif
