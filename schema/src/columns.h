/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How an exit is spread over `exit`, `block` and `site`.  A value of an exit is that of its block
 * plus the difference in its own row (BASED), or what its site says; after its handling it is the
 * same unless the row says otherwise (AFTER).  Columns that a row does not need come last: SQLite
 * leaves them out of the record, and reads them as their default.
 */
#ifndef XRW_SCHEMA_COLUMNS_H
#define XRW_SCHEMA_COLUMNS_H

#include "xrw/exit.h"
#include "xrw/registers.h"

/* Values that are kept as a difference from the block's: exit fields, the id of the system
 * registers before, and the hot registers but rip.  In the order of the columns of `block`. */
#define XRW_BASED_TABLE(X)                                                                         \
    X(time_ns)                                                                                     \
    X(tsc)                                                                                         \
    X(entry_tsc)                                                                                   \
    X(entry_tsc_offset)                                                                            \
    X(entries)                                                                                     \
    X(gpa)                                                                                         \
    X(gla)                                                                                         \
    X(sysregs)                                                                                     \
    X(rax)                                                                                         \
    X(rcx)                                                                                         \
    X(rdx)                                                                                         \
    X(rbx)                                                                                         \
    X(rsp)                                                                                         \
    X(rbp)                                                                                         \
    X(rsi)                                                                                         \
    X(rdi)                                                                                         \
    X(r8)                                                                                          \
    X(r9)                                                                                          \
    X(r10)                                                                                         \
    X(r11)                                                                                         \
    X(r12)                                                                                         \
    X(r13)                                                                                         \
    X(r14)                                                                                         \
    X(r15)                                                                                         \
    X(rflags)                                                                                      \
    X(cr2)                                                                                         \
    X(cr3)

enum xrw_based {
#define XRW_BASED_ENUM(name) XRW_BASED_##name,
    XRW_BASED_TABLE(XRW_BASED_ENUM)
#undef XRW_BASED_ENUM
        XRW_BASED_COUNT
};

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
 * The columns of `exit` after its id, in order: kind, name.
 * BASED d_NAME: difference from the block's, 0 if left out; RARE the same, NULL (not known) if left
 * out; AFTER after_NAME: value after the handling, NULL if unchanged; WHOLE: the value itself.
 */
#define XRW_EXIT_COLUMN_TABLE(X)                                                                   \
    X(WHOLE, site)                                                                                 \
    X(WHOLE, block)                                                                                \
    X(BASED, time_ns)                                                                              \
    X(BASED, tsc)                                                                                  \
    X(BASED, entry_tsc)                                                                            \
    X(WHOLE, advance)                                                                              \
    X(BASED, rax)                                                                                  \
    X(AFTER, rax)                                                                                  \
    X(BASED, rsp)                                                                                  \
    X(BASED, rdx)                                                                                  \
    X(BASED, rcx)                                                                                  \
    X(BASED, rsi)                                                                                  \
    X(BASED, rdi)                                                                                  \
    X(BASED, rflags)                                                                               \
    X(BASED, rbx)                                                                                  \
    X(BASED, rbp)                                                                                  \
    X(BASED, r8)                                                                                   \
    X(BASED, r9)                                                                                   \
    X(BASED, r10)                                                                                  \
    X(BASED, r11)                                                                                  \
    X(BASED, r12)                                                                                  \
    X(BASED, r13)                                                                                  \
    X(BASED, r14)                                                                                  \
    X(BASED, r15)                                                                                  \
    X(AFTER, rflags)                                                                               \
    X(BASED, cr2)                                                                                  \
    X(BASED, cr3)                                                                                  \
    X(BASED, sysregs)                                                                              \
    X(BASED, entries)                                                                              \
    X(RARE, gpa)                                                                                   \
    X(RARE, gla)                                                                                   \
    X(WHOLE, qualification)                                                                        \
    X(AFTER, rcx)                                                                                  \
    X(AFTER, rdx)                                                                                  \
    X(AFTER, rbx)                                                                                  \
    X(WHOLE, after_sysregs)                                                                        \
    X(AFTER, rsi)                                                                                  \
    X(AFTER, rdi)                                                                                  \
    X(AFTER, cr2)                                                                                  \
    X(AFTER, cr3)                                                                                  \
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
    X(WHOLE, unknown)                                                                              \
    X(BASED, entry_tsc_offset)

enum xrw_exit_column {
#define XRW_COLUMN_ENUM(kind, name) XRW_COLUMN_##kind##_##name,
    XRW_EXIT_COLUMN_TABLE(XRW_COLUMN_ENUM)
#undef XRW_COLUMN_ENUM
        XRW_EXIT_COLUMN_COUNT
};

/* Where a hot register is among the based values; rip has its own columns. */
static inline unsigned xrw_based_of_register(unsigned reg)
{
    return XRW_BASED_rax + reg - (reg > XRW_REG_rip);
}

#endif
