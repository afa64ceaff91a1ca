/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the recording thread hands to the writing thread: the types of records on their ring. */
#ifndef XRW_SCHEMA_PACKED_H
#define XRW_SCHEMA_PACKED_H

#include "ring.h"
#include "split.h"
#include "xrw/insn.h"
#include "xrw/store.h"
#include "xrw/types.h"

#include <stdint.h>

enum xrw_packed_type {
    XRW_PACKED_EXIT = 1,
    XRW_PACKED_SYSREGS,
    XRW_PACKED_INSN,
    XRW_PACKED_SITE,
    XRW_PACKED_SPACE,
    XRW_PACKED_SET,
    XRW_PACKED_PAGE,
    XRW_PACKED_VERSION,
    XRW_PACKED_FRAME,
    XRW_PACKED_CONTEXT,
    XRW_PACKED_RUN_BEGIN,
    XRW_PACKED_RUN_END,
    XRW_PACKED_INPUT,
};

/* As many bytes of the exit as are in use. */
struct xrw_packed_exit {
    struct xrw_ring_record record;
    struct xrw_split_exit exit;
};

/* What exits have in common, each before the first exit that has it. */
struct xrw_packed_site {
    struct xrw_ring_record record;
    uint64_t id, first_exit;
    struct xrw_site site;
};

struct xrw_packed_set {
    struct xrw_ring_record record;
    uint64_t id;
    enum xrw_set which;
    struct xrw_register_set set;
};

/* An address space: CR3 with what else decides how it is read. */
struct xrw_space_key {
    uint64_t cr3, cr0, cr4, efer;
    uint64_t known; /* bit n: that one of these */
};

struct xrw_packed_space {
    struct xrw_ring_record record;
    uint64_t id, first_exit;
    struct xrw_space_key space;
};

#define XRW_SYSTEM_COUNT (XRW_REGISTER_COUNT - XRW_HOT_COUNT)

struct xrw_packed_sysregs {
    struct xrw_ring_record record;
    uint64_t id;
    uint64_t value[XRW_SYSTEM_COUNT];
    bool known[XRW_SYSTEM_COUNT];
};

struct xrw_packed_insn {
    struct xrw_ring_record record;
    uint64_t id, rip;
    uint32_t mode, bytes;
    uint8_t code[XRW_INSN_MAX_BYTES];
    char text[]; /* NUL-terminated */
};

/* A content that is new. */
struct xrw_packed_page {
    struct xrw_ring_record record;
    uint64_t id, gfn;
    uint64_t before;  /* id of the content that the page had; 0: zeros, or none */
    uint8_t hash[16]; /* canonical */
    uint8_t page[XRW_PAGE_BYTES];
};

struct xrw_packed_version {
    struct xrw_ring_record record;
    uint64_t run, gfn, exit, page;
};

struct xrw_packed_frame {
    struct xrw_ring_record record;
    uint64_t run, exit;
};

struct xrw_packed_context {
    struct xrw_ring_record record;
    uint64_t run, exit;
    uint32_t vcpu, bytes;
    char kind[16];
    uint8_t data[];
};

/* A run that begins or ends. */
struct xrw_packed_run {
    struct xrw_ring_record record;
    struct xrw_run run;
    xrw_exit_id dropped; /* exit that was not added, but its memory was; 0: none */
};

struct xrw_packed_input {
    struct xrw_ring_record record;
    uint64_t run, n;
    struct xrw_input input;
    uint8_t data[];
};

#endif
