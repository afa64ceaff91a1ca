/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exits and recordings in words, for people: the command line and gdb's monitor show the same. */
#ifndef XRW_REPORT_H
#define XRW_REPORT_H

#include "xrw/error.h"
#include "xrw/exit.h"
#include "xrw/insn.h"
#include "xrw/memory.h"
#include "xrw/store.h"
#include "xrw/timeline.h"

#include <stdbool.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define XRW_DESCRIPTION_MAX 512

/* Name of the exit's basic reason: "CPUID"; "reason 99" if it has none, "?" if it is not known.
 * text: at least 24 bytes. */
const char *xrw_report_reason(const struct xrw_exit *exit, char text[24]);

/* What the exit asks for, operands decoded; empty if it has none.  What is not printable is
 * replaced. */
void xrw_report_operands(const struct xrw_exit *exit, char text[XRW_DESCRIPTION_MAX]);

/*
 * The instruction at the exit, disassembled from the bytes recorded with it.  Returns 0; -ENOENT if
 * none were; -EILSEQ if they are no instruction; what the store reports.
 */
int xrw_report_insn(struct xrw_store *store, struct xrw_disassembler *disassembler,
                    const struct xrw_exit *exit, struct xrw_insn *insn, struct xrw_error *err);

/* The heading of a listing, and one line of it. */
void xrw_report_line_heading(FILE *out);
int xrw_report_line(struct xrw_store *store, struct xrw_disassembler *disassembler,
                    const struct xrw_exit *exit, FILE *out, struct xrw_error *err);

/* A line: "exit 17 of 1500: CPUID at 0x1234, CPUID leaf 0x1". */
void xrw_report_position(const struct xrw_timeline *timeline, char *text, size_t bytes);

/* All about the exit at the timeline's position, in some ten lines. */
int xrw_report_where(struct xrw_timeline *timeline, struct xrw_disassembler *disassembler,
                     FILE *out, struct xrw_error *err);

/* ---- a recording as a whole ------------------------------------------ */

#define XRW_SUMMARY_TOP 10u
#define XRW_SUMMARY_REASONS 80u

struct xrw_summary_count {
    uint64_t number; /* basic reason, or rip */
    uint64_t exits;
    char text[128]; /* its name, or the instruction there */
};

struct xrw_summary {
    uint64_t runs, exits, guest_pages, page_versions, pages, page_bytes, file_bytes;
    uint64_t resumes; /* exits whose resume state is known */
    size_t reason_count, rip_count;
    struct xrw_summary_count reason[XRW_SUMMARY_REASONS]; /* most frequent first */
    struct xrw_summary_count rip[XRW_SUMMARY_TOP];
    uint64_t without_rows; /* bytes that a recorder at work has yet to make rows of */
    bool closed;           /* ended cleanly */
};

/* Gather.  Returns 0 or what the store reports. */
int xrw_summary_read(struct xrw_store *store, struct xrw_summary *summary, struct xrw_error *err);

/* Print it, with the runs and what is known of how they were recorded. */
int xrw_summary_print(struct xrw_store *store, const struct xrw_summary *summary, FILE *out,
                      struct xrw_error *err);

/* What a run's registers and memory are worth, in a sentence each. */
const char *xrw_report_register_truth(const struct xrw_run *run);
const char *xrw_report_memory_truth(const struct xrw_run *run);

/* Whether of memory at the start only the pages that runs reached were kept. */
bool xrw_report_base_touched(struct xrw_store *store);

/* Print with anything that is not printable ASCII replaced: texts come from a stranger's file. */
void xrw_report_text(FILE *out, const char *text);

#ifdef __cplusplus
}
#endif
#endif
