/* SPDX-License-Identifier: MIT */
#ifndef GDBSTUB_DESCRIPTION_H
#define GDBSTUB_DESCRIPTION_H

/**
 * How a target describes itself: its registers and their layout.
 * Source: GDB manual, "Target Descriptions".
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Largest register, in bits (an AVX-512 register). */
#define GDBSTUB_REGISTER_BITS_MAX 512u

/** Flags of struct gdbstub_register. */
enum gdbstub_register_flag {
    GDBSTUB_REGISTER_EXPEDITE = 1 << 0, /**< sent with every stop reply: pc, sp, fp, flags */
    GDBSTUB_REGISTER_NO_SAVE = 1 << 1,  /**< not saved around calls that the user makes */
};

/**
 * One register. Its place in the table is its number in the protocol and its place in the register
 * block, so a table must not change while a client is connected.
 * Source: GDB manual, "Target Description Format", element reg.
 */
struct gdbstub_register {
    const char *name;    /**< as gdb shows it: "rax" */
    uint16_t bits;       /**< size: a multiple of 8, 8 to GDBSTUB_REGISTER_BITS_MAX */
    const char *feature; /**< "org.gnu.gdb.i386.core", or a name of the caller's own */
    const char *type;    /**< "int64", "code_ptr", "i387_ext", …; NULL: an integer of that size */
    const char *group;   /**< "general", "float", "vector", "system", …; NULL: gdb decides */
    unsigned flags;      /**< of enum gdbstub_register_flag */
};

/**
 * What a feature needs beside its registers. Optional: a feature without an entry has registers
 * only.
 */
struct gdbstub_feature {
    const char *name;  /**< as in struct gdbstub_register */
    const char *types; /**< XML of the types (vector, flags, union, …) that its registers use */
};

/** The target description: target.xml and the layout of the register block follow from it. */
struct gdbstub_description {
    const char *architecture; /**< "i386:x86-64"; NULL: not stated */
    const char *osabi;        /**< "none", "GNU/Linux"; NULL: not stated */
    const char *triple; /**< "x86_64-unknown-linux" for lldb; NULL, or one without an operating
                           system: lldb searches memory for a kernel */
    const struct gdbstub_register *registers;
    size_t register_count; /**< 1 to 4096 */
    const struct gdbstub_feature *features;
    size_t feature_count;
    bool big_endian; /**< byte order of registers and memory, for conditions */
};

#endif
