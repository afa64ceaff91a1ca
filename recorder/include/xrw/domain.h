/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Domains by the names that their toolstack gave them. */
#ifndef XRW_DOMAIN_H
#define XRW_DOMAIN_H

#include "xrw/error.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The domain of that name, as xenstore has it.  libxenstore is looked for now, since nothing else
 * needs it.  Returns 0 with *domain; -ENOENT if none is called so; -EEXIST if several are; -ENOSYS
 * if there is no libxenstore; -ETIMEDOUT if xenstore does not answer for some seconds; else that it
 * cannot be asked.
 */
int xrw_domain_by_name(const char *name, uint32_t *domain, struct xrw_error *err);

#ifdef __cplusplus
}
#endif
#endif
