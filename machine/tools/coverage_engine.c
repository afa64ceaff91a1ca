/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "coverage.h"

#include <errno.h>
#include <stdlib.h>

struct coverage {
    struct native_cache *cache;
};

int coverage_create(struct coverage **coverage)
{
    struct coverage *made = calloc(1, sizeof(*made));
    if (!made)
        return -ENOMEM;
    int error = native_cache_create(&made->cache, (size_t)512 << 20);
    if (error) {
        free(made);
        return error;
    }
    *coverage = made;
    return 0;
}

void coverage_destroy(struct coverage *coverage)
{
    if (!coverage)
        return;
    native_cache_destroy(coverage->cache);
    free(coverage);
}

enum coverage_class coverage_classify(struct coverage *coverage,
                                      const ZydisDecodedInstruction *insn,
                                      const ZydisDecodedOperand *operands, const uint8_t *bytes,
                                      const char **why)
{
    const struct native_thunk *thunk;
    int error = native_compile(coverage->cache, insn, operands, bytes, &thunk);
    *why = NULL;
    if (error == -ENOSPC) {
        native_cache_reset(coverage->cache);
        error = native_compile(coverage->cache, insn, operands, bytes, &thunk);
    }
    if (error == 0)
        return thunk->access ? COVERAGE_NATIVE_MEMORY : COVERAGE_NATIVE;
    return COVERAGE_UNHANDLED;
}

const char *coverage_class_name(enum coverage_class class)
{
    static const char *const names[COVERAGE_CLASSES] = {
        [COVERAGE_NATIVE] = "native, registers only",
        [COVERAGE_NATIVE_MEMORY] = "native, memory operand",
        [COVERAGE_INTERPRETED] = "interpreted in C",
        [COVERAGE_UNHANDLED] = "unhandled",
    };
    return names[class];
}
