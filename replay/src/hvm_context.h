/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What Xen's HVM save record, kept whole in a recording, has beyond the registers of core.
 * Source: xen/include/public/hvm/save.h, public/arch-x86/hvm/save.h.
 */
#ifndef XRW_REPLAY_HVM_CONTEXT_H
#define XRW_REPLAY_HVM_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hvm_context {
    bool has_xsave, has_pat;
    uint64_t xcr0;
    const uint8_t *xsave; /* XSAVE area, into the record */
    size_t xsave_bytes;
    uint64_t pat;
};

/* Find the records of a vCPU in a save record, which may hold anything. */
void hvm_context_parse(const uint8_t *data, size_t bytes, unsigned vcpu, struct hvm_context *out);

#endif
