/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How an exit is spread over tables.  What it shares with others is stored once: what is true of
 * all exits at a place in `site`, sets of registers that come back in `kept` and `work`.  Other
 * values are that of the exit's block plus the difference in its own row (BASED).  After its
 * handling registers are the same unless the row says otherwise (AFTER).  Columns that a row does
 * not need come last: SQLite leaves them out of the record, and reads them as their default.
 */
#ifndef XRW_SCHEMA_COLUMNS_H
#define XRW_SCHEMA_COLUMNS_H

#include "xrw/exit.h"
#include "xrw/registers.h"

/* Values that are kept as a difference from the block's: exit fields, the id of the system
 * registers before, and the hot registers that are in no set.  In the order of the columns of
 * `block`. */
#define XRW_BASED_TABLE(X)                                                                         \
    X(time_ns)                                                                                     \
    X(tsc)                                                                                         \
    X(entry_tsc_offset)                                                                            \
    X(entries)                                                                                     \
    X(gpa)                                                                                         \
    X(gla)                                                                                         \
    X(sysregs)                                                                                     \
    X(r9)                                                                                          \
    X(r10)

enum xrw_based {
#define XRW_BASED_ENUM(name) XRW_BASED_##name,
    XRW_BASED_TABLE(XRW_BASED_ENUM)
#undef XRW_BASED_ENUM
        XRW_BASED_COUNT
};

/* Registers that functions keep, or that change with the address space: few sets of values. */
#define XRW_KEPT_TABLE(X)                                                                          \
    X(rbx)                                                                                         \
    X(rsp)                                                                                         \
    X(rbp)                                                                                         \
    X(r11)                                                                                         \
    X(r12)                                                                                         \
    X(r13)                                                                                         \
    X(r14)                                                                                         \
    X(r15)                                                                                         \
    X(cr2)                                                                                         \
    X(cr3)

/* Registers that functions work with: the same code with the same work has the same set. */
#define XRW_WORK_TABLE(X)                                                                          \
    X(rax)                                                                                         \
    X(rcx)                                                                                         \
    X(rdx)                                                                                         \
    X(rsi)                                                                                         \
    X(rdi)                                                                                         \
    X(r8)                                                                                          \
    X(rflags)

enum xrw_kept {
#define XRW_KEPT_ENUM(name) XRW_KEPT_##name,
    XRW_KEPT_TABLE(XRW_KEPT_ENUM)
#undef XRW_KEPT_ENUM
        XRW_KEPT_COUNT
};

enum xrw_work {
#define XRW_WORK_ENUM(name) XRW_WORK_##name,
    XRW_WORK_TABLE(XRW_WORK_ENUM)
#undef XRW_WORK_ENUM
        XRW_WORK_COUNT
};

/* The sets of registers, each a table of its own. */
enum xrw_set { XRW_SET_KEPT, XRW_SET_WORK, XRW_SETS };
#define XRW_SET_MAX 10u

/* Fields of an exit that its site says; qualification too, unless it is an address. */
#define XRW_SITE_FIELD_TABLE(X)                                                                    \
    X(reason)                                                                                      \
    X(qualification)                                                                               \
    X(intr_info)                                                                                   \
    X(intr_error)                                                                                  \
    X(idt_info)                                                                                    \
    X(idt_error)                                                                                   \
    X(insn_len)                                                                                    \
    X(insn_info)                                                                                   \
    X(interruptibility)                                                                            \
    X(entry_intr_info)                                                                             \
    X(entry_error)

enum xrw_site_field {
#define XRW_SITE_FIELD_ENUM(name) XRW_SITE_##name,
    XRW_SITE_FIELD_TABLE(XRW_SITE_FIELD_ENUM)
#undef XRW_SITE_FIELD_ENUM
        XRW_SITE_FIELD_COUNT
};

/*
 * The columns of `exit` after its id, in order: kind, name.  A row has a byte for each up to the
 * last that it needs, so those that many need come first (tests/bench/bench_layout.py).
 * BASED d_NAME: difference from the block's, 0 if left out; RARE the same, NULL (not known) if left
 * out; AFTER after_NAME: value after the handling, NULL if unchanged; WHOLE: the value itself.
 */
#define XRW_EXIT_COLUMN_TABLE(X)                                                                   \
    X(WHOLE, site)                                                                                 \
    X(WHOLE, block)                                                                                \
    X(WHOLE, kept)                                                                                 \
    X(WHOLE, work)                                                                                 \
    X(WHOLE, gap)                                                                                  \
    X(BASED, time_ns)                                                                              \
    X(BASED, tsc)                                                                                  \
    X(WHOLE, advance)                                                                              \
    X(AFTER, rax)                                                                                  \
    X(AFTER, rdx)                                                                                  \
    X(BASED, r9)                                                                                   \
    X(AFTER, rcx)                                                                                  \
    X(BASED, r10)                                                                                  \
    X(BASED, sysregs)                                                                              \
    X(RARE, gpa)                                                                                   \
    X(RARE, gla)                                                                                   \
    X(AFTER, rbx)                                                                                  \
    X(AFTER, rsi)                                                                                  \
    X(WHOLE, after_sysregs)                                                                        \
    X(AFTER, rdi)                                                                                  \
    X(WHOLE, qualification)                                                                        \
    X(BASED, entries)                                                                              \
    X(AFTER, cr3)                                                                                  \
    X(AFTER, rflags)                                                                               \
    X(AFTER, cr2)                                                                                  \
    X(AFTER, rsp)                                                                                  \
    X(AFTER, rbp)                                                                                  \
    X(AFTER, r8)                                                                                   \
    X(AFTER, r9)                                                                                   \
    X(AFTER, r10)                                                                                  \
    X(AFTER, r11)                                                                                  \
    X(AFTER, r12)                                                                                  \
    X(AFTER, r13)                                                                                  \
    X(AFTER, r14)                                                                                  \
    X(AFTER, r15)                                                                                  \
    X(WHOLE, after_rip)                                                                            \
    X(WHOLE, whole_entries)                                                                        \
    X(WHOLE, whole_entry_tsc)                                                                      \
    X(WHOLE, unknown)                                                                              \
    X(BASED, entry_tsc_offset)

enum xrw_exit_column {
#define XRW_COLUMN_ENUM(kind, name) XRW_COLUMN_##kind##_##name,
    XRW_EXIT_COLUMN_TABLE(XRW_COLUMN_ENUM)
#undef XRW_COLUMN_ENUM
        XRW_EXIT_COLUMN_COUNT
};

#endif
