/* SPDX-License-Identifier: MIT */
#ifndef GDBSTUB_X86_H
#define GDBSTUB_X86_H

/**
 * What an x86-64 target needs for its struct gdbstub_description: the features that gdb knows, in
 * the layout that it uses itself. A table of registers begins with GDBSTUB_X86_64_CORE:
 *
 *     static const struct gdbstub_register registers[] = {
 *         GDBSTUB_X86_64_CORE, GDBSTUB_X86_64_SSE, GDBSTUB_X86_64_SEGMENTS, {"cr0", …}, … };
 *     static const struct gdbstub_feature features[] = {GDBSTUB_X86_FEATURES};
 *
 * gdb refuses a description without the whole of the core; registers that a target does not have
 * are unavailable.
 * Source: GDB manual, "i386 Features" and "Predefined Target Types".
 */

#include "gdbstub_description.h"

#define GDBSTUB_X86_FEATURE_CORE "org.gnu.gdb.i386.core"
#define GDBSTUB_X86_FEATURE_SSE "org.gnu.gdb.i386.sse"
#define GDBSTUB_X86_FEATURE_SEGMENTS "org.gnu.gdb.i386.segments"

/** Indices of the rows of GDBSTUB_X86_64_CORE, when it comes first. */
enum gdbstub_x86_64_register {
    GDBSTUB_X86_64_RAX,
    GDBSTUB_X86_64_RBX,
    GDBSTUB_X86_64_RCX,
    GDBSTUB_X86_64_RDX,
    GDBSTUB_X86_64_RSI,
    GDBSTUB_X86_64_RDI,
    GDBSTUB_X86_64_RBP,
    GDBSTUB_X86_64_RSP,
    GDBSTUB_X86_64_R8, /**< to r15: 8 rows */
    GDBSTUB_X86_64_RIP = 16,
    GDBSTUB_X86_64_EFLAGS,
    GDBSTUB_X86_64_CS,         /**< cs ss ds es fs gs */
    GDBSTUB_X86_64_ST0 = 24,   /**< st0 to st7 */
    GDBSTUB_X86_64_FCTRL = 32, /**< fctrl fstat ftag fiseg fioff foseg fooff fop */
    GDBSTUB_X86_64_CORE_COUNT = 40,
};

/** 40 rows: general registers, segment selectors, x87. */
#define GDBSTUB_X86_64_CORE                                                                        \
    {"rax", 64, GDBSTUB_X86_FEATURE_CORE, "int64", "general", 0},                                  \
        {"rbx", 64, GDBSTUB_X86_FEATURE_CORE, "int64", "general", 0},                              \
        {"rcx", 64, GDBSTUB_X86_FEATURE_CORE, "int64", "general", 0},                              \
        {"rdx", 64, GDBSTUB_X86_FEATURE_CORE, "int64", "general", 0},                              \
        {"rsi", 64, GDBSTUB_X86_FEATURE_CORE, "int64", "general", 0},                              \
        {"rdi", 64, GDBSTUB_X86_FEATURE_CORE, "int64", "general", 0},                              \
        {"rbp", 64, GDBSTUB_X86_FEATURE_CORE, "data_ptr", "general", GDBSTUB_REGISTER_EXPEDITE},   \
        {"rsp", 64, GDBSTUB_X86_FEATURE_CORE, "data_ptr", "general", GDBSTUB_REGISTER_EXPEDITE},   \
        {"r8", 64, GDBSTUB_X86_FEATURE_CORE, "int64", "general", 0},                               \
        {"r9", 64, GDBSTUB_X86_FEATURE_CORE, "int64", "general", 0},                               \
        {"r10", 64, GDBSTUB_X86_FEATURE_CORE, "int64", "general", 0},                              \
        {"r11", 64, GDBSTUB_X86_FEATURE_CORE, "int64", "general", 0},                              \
        {"r12", 64, GDBSTUB_X86_FEATURE_CORE, "int64", "general", 0},                              \
        {"r13", 64, GDBSTUB_X86_FEATURE_CORE, "int64", "general", 0},                              \
        {"r14", 64, GDBSTUB_X86_FEATURE_CORE, "int64", "general", 0},                              \
        {"r15", 64, GDBSTUB_X86_FEATURE_CORE, "int64", "general", 0},                              \
        {"rip", 64, GDBSTUB_X86_FEATURE_CORE, "code_ptr", "general", GDBSTUB_REGISTER_EXPEDITE},   \
        {"eflags",      32,        GDBSTUB_X86_FEATURE_CORE,                                       \
         "i386_eflags", "general", GDBSTUB_REGISTER_EXPEDITE},                                     \
        {"cs", 32, GDBSTUB_X86_FEATURE_CORE, "int32", "general", 0},                               \
        {"ss", 32, GDBSTUB_X86_FEATURE_CORE, "int32", "general", 0},                               \
        {"ds", 32, GDBSTUB_X86_FEATURE_CORE, "int32", "general", 0},                               \
        {"es", 32, GDBSTUB_X86_FEATURE_CORE, "int32", "general", 0},                               \
        {"fs", 32, GDBSTUB_X86_FEATURE_CORE, "int32", "general", 0},                               \
        {"gs", 32, GDBSTUB_X86_FEATURE_CORE, "int32", "general", 0},                               \
        {"st0", 80, GDBSTUB_X86_FEATURE_CORE, "i387_ext", "float", 0},                             \
        {"st1", 80, GDBSTUB_X86_FEATURE_CORE, "i387_ext", "float", 0},                             \
        {"st2", 80, GDBSTUB_X86_FEATURE_CORE, "i387_ext", "float", 0},                             \
        {"st3", 80, GDBSTUB_X86_FEATURE_CORE, "i387_ext", "float", 0},                             \
        {"st4", 80, GDBSTUB_X86_FEATURE_CORE, "i387_ext", "float", 0},                             \
        {"st5", 80, GDBSTUB_X86_FEATURE_CORE, "i387_ext", "float", 0},                             \
        {"st6", 80, GDBSTUB_X86_FEATURE_CORE, "i387_ext", "float", 0},                             \
        {"st7", 80, GDBSTUB_X86_FEATURE_CORE, "i387_ext", "float", 0},                             \
        {"fctrl", 32, GDBSTUB_X86_FEATURE_CORE, "int", "float", 0},                                \
        {"fstat", 32, GDBSTUB_X86_FEATURE_CORE, "int", "float", 0},                                \
        {"ftag", 32, GDBSTUB_X86_FEATURE_CORE, "int", "float", 0},                                 \
        {"fiseg", 32, GDBSTUB_X86_FEATURE_CORE, "int", "float", 0},                                \
        {"fioff", 32, GDBSTUB_X86_FEATURE_CORE, "int", "float", 0},                                \
        {"foseg", 32, GDBSTUB_X86_FEATURE_CORE, "int", "float", 0},                                \
        {"fooff", 32, GDBSTUB_X86_FEATURE_CORE, "int", "float", 0},                                \
    {                                                                                              \
        "fop", 32, GDBSTUB_X86_FEATURE_CORE, "int", "float", 0                                     \
    }

/** 17 rows: xmm0 to xmm15, mxcsr. */
#define GDBSTUB_X86_64_SSE                                                                         \
    {"xmm0", 128, GDBSTUB_X86_FEATURE_SSE, "vec128", "vector", 0},                                 \
        {"xmm1", 128, GDBSTUB_X86_FEATURE_SSE, "vec128", "vector", 0},                             \
        {"xmm2", 128, GDBSTUB_X86_FEATURE_SSE, "vec128", "vector", 0},                             \
        {"xmm3", 128, GDBSTUB_X86_FEATURE_SSE, "vec128", "vector", 0},                             \
        {"xmm4", 128, GDBSTUB_X86_FEATURE_SSE, "vec128", "vector", 0},                             \
        {"xmm5", 128, GDBSTUB_X86_FEATURE_SSE, "vec128", "vector", 0},                             \
        {"xmm6", 128, GDBSTUB_X86_FEATURE_SSE, "vec128", "vector", 0},                             \
        {"xmm7", 128, GDBSTUB_X86_FEATURE_SSE, "vec128", "vector", 0},                             \
        {"xmm8", 128, GDBSTUB_X86_FEATURE_SSE, "vec128", "vector", 0},                             \
        {"xmm9", 128, GDBSTUB_X86_FEATURE_SSE, "vec128", "vector", 0},                             \
        {"xmm10", 128, GDBSTUB_X86_FEATURE_SSE, "vec128", "vector", 0},                            \
        {"xmm11", 128, GDBSTUB_X86_FEATURE_SSE, "vec128", "vector", 0},                            \
        {"xmm12", 128, GDBSTUB_X86_FEATURE_SSE, "vec128", "vector", 0},                            \
        {"xmm13", 128, GDBSTUB_X86_FEATURE_SSE, "vec128", "vector", 0},                            \
        {"xmm14", 128, GDBSTUB_X86_FEATURE_SSE, "vec128", "vector", 0},                            \
        {"xmm15", 128, GDBSTUB_X86_FEATURE_SSE, "vec128", "vector", 0},                            \
    {                                                                                              \
        "mxcsr", 32, GDBSTUB_X86_FEATURE_SSE, "i386_mxcsr", "vector", 0                            \
    }

/** 2 rows: fs_base, gs_base. */
#define GDBSTUB_X86_64_SEGMENTS                                                                    \
    {"fs_base", 64, GDBSTUB_X86_FEATURE_SEGMENTS, "long", "general", 0},                           \
    {                                                                                              \
        "gs_base", 64, GDBSTUB_X86_FEATURE_SEGMENTS, "long", "general", 0                          \
    }

/** Rows for gdbstub_description.features: the types that the registers above use. */
#define GDBSTUB_X86_FEATURES                                                                       \
    {GDBSTUB_X86_FEATURE_CORE, GDBSTUB_X86_TYPES_CORE},                                            \
    {                                                                                              \
        GDBSTUB_X86_FEATURE_SSE, GDBSTUB_X86_TYPES_SSE                                             \
    }

/** For org.gnu.gdb.i386.core: "i386_eflags". */
#define GDBSTUB_X86_TYPES_CORE                                                                     \
    "<flags id=\"i386_eflags\" size=\"4\">"                                                        \
    "<field name=\"CF\" start=\"0\" end=\"0\"/>"                                                   \
    "<field name=\"PF\" start=\"2\" end=\"2\"/><field name=\"AF\" start=\"4\" end=\"4\"/>"         \
    "<field name=\"ZF\" start=\"6\" end=\"6\"/><field name=\"SF\" start=\"7\" end=\"7\"/>"         \
    "<field name=\"TF\" start=\"8\" end=\"8\"/><field name=\"IF\" start=\"9\" end=\"9\"/>"         \
    "<field name=\"DF\" start=\"10\" end=\"10\"/><field name=\"OF\" start=\"11\" end=\"11\"/>"     \
    "<field name=\"IOPL\" start=\"12\" end=\"13\"/><field name=\"NT\" start=\"14\" end=\"14\"/>"   \
    "<field name=\"RF\" start=\"16\" end=\"16\"/><field name=\"VM\" start=\"17\" end=\"17\"/>"     \
    "<field name=\"AC\" start=\"18\" end=\"18\"/><field name=\"VIF\" start=\"19\" end=\"19\"/>"    \
    "<field name=\"VIP\" start=\"20\" end=\"20\"/><field name=\"ID\" start=\"21\" end=\"21\"/>"    \
    "</flags>"

/** For org.gnu.gdb.i386.sse: "vec128" and "i386_mxcsr". */
#define GDBSTUB_X86_TYPES_SSE                                                                      \
    "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>"                                        \
    "<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"                                        \
    "<vector id=\"v16i8\" type=\"int8\" count=\"16\"/>"                                            \
    "<vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"                                            \
    "<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>"                                            \
    "<vector id=\"v2i64\" type=\"int64\" count=\"2\"/>"                                            \
    "<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/>"                                 \
    "<field name=\"v2_double\" type=\"v2d\"/><field name=\"v16_int8\" type=\"v16i8\"/>"            \
    "<field name=\"v8_int16\" type=\"v8i16\"/><field name=\"v4_int32\" type=\"v4i32\"/>"           \
    "<field name=\"v2_int64\" type=\"v2i64\"/><field name=\"uint128\" type=\"uint128\"/></union>"  \
    "<flags id=\"i386_mxcsr\" size=\"4\">"                                                         \
    "<field name=\"IE\" start=\"0\" end=\"0\"/><field name=\"DE\" start=\"1\" end=\"1\"/>"         \
    "<field name=\"ZE\" start=\"2\" end=\"2\"/><field name=\"OE\" start=\"3\" end=\"3\"/>"         \
    "<field name=\"UE\" start=\"4\" end=\"4\"/><field name=\"PE\" start=\"5\" end=\"5\"/>"         \
    "<field name=\"DAZ\" start=\"6\" end=\"6\"/><field name=\"IM\" start=\"7\" end=\"7\"/>"        \
    "<field name=\"DM\" start=\"8\" end=\"8\"/><field name=\"ZM\" start=\"9\" end=\"9\"/>"         \
    "<field name=\"OM\" start=\"10\" end=\"10\"/><field name=\"UM\" start=\"11\" end=\"11\"/>"     \
    "<field name=\"PM\" start=\"12\" end=\"12\"/><field name=\"RC\" start=\"13\" end=\"14\"/>"     \
    "<field name=\"FZ\" start=\"15\" end=\"15\"/></flags>"

#endif
