/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which part of the engine does an instruction, by the tables that the engine itself goes by. */
#ifndef COVERAGE_H
#define COVERAGE_H

#include "native.h"

enum coverage_class {
    COVERAGE_NATIVE,        /* a thunk, registers only */
    COVERAGE_NATIVE_MEMORY, /* a thunk with a memory operand */
    COVERAGE_INTERPRETED,   /* C, by the interpreter */
    COVERAGE_EXIT,          /* C, and a VM exit under Xen's controls */
    COVERAGE_EXCEPTION,     /* #UD, as the guest is to have it */
    COVERAGE_UNHANDLED,
    COVERAGE_CLASSES,
};

struct coverage;

int coverage_create(struct coverage **coverage);
void coverage_destroy(struct coverage *coverage);

/* Outputs: *why, static, for a class where there is more to say; else NULL. */
enum coverage_class coverage_classify(struct coverage *coverage,
                                      const ZydisDecodedInstruction *insn,
                                      const ZydisDecodedOperand *operands, const uint8_t *bytes,
                                      const char **why);

const char *coverage_class_name(enum coverage_class class);

#endif
