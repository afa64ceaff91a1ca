/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks the decoder that the interpreter runs by, in 64-bit mode with everything enabled. */
#include "coverage.h"

#include "cpu.h"
#include "ops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct coverage {
    struct xrw_machine *machine;
    struct xrw_machine_config config;
    uint64_t decoded;
};

/* Decoded code is kept until it is forgotten: now and then. */
#define FORGET_AFTER 4096u

static int no_page(void *ctx, xrw_gfn gfn, uint8_t *content, unsigned *ept)
{
    (void)ctx;
    (void)gfn;
    memset(content, 0, XRW_PAGE_BYTES);
    *ept = 0;
    return 0;
}

static void enable_everything(struct xrw_machine *m)
{
    (void)xrw_machine_set_register(m, XRW_REG_cr4, CR4_PAE | CR4_OSFXSR | CR4_OSXSAVE);
    (void)xrw_machine_set_register(m, XRW_REG_efer, EFER_LME | EFER_LMA);
    (void)xrw_machine_set_register(m, XRW_REG_cr0, CR0_PG | CR0_PE);
    (void)xrw_machine_set_register(m, XRW_REG_cs_attr, 0xa9b);
    (void)xrw_machine_set_xcr0(m, 0xe7);
    (void)xrw_machine_set_xcr0(m, 7);
    (void)xrw_machine_set_xcr0(m, 0xe7);
}

int coverage_create(struct coverage **coverage)
{
    struct coverage *made = calloc(1, sizeof(*made));
    if (!made)
        return -ENOMEM;
    made->config.page = no_page;
    xrw_machine_cpu_host(&made->config.cpu);
    xrw_machine_controls_xen(&made->config.controls, made->config.cpu.cr4_valid, false);
    int error = xrw_machine_create(&made->config, &made->machine, NULL);
    if (error) {
        free(made);
        return error;
    }
    enable_everything(made->machine);
    *coverage = made;
    return 0;
}

void coverage_destroy(struct coverage *coverage)
{
    if (!coverage)
        return;
    xrw_machine_destroy(coverage->machine);
    free(coverage);
}

/* The interpreter's operations, by name. */
static const struct {
    insn_op *op;
    const char *name;
} names[] = {
#define OPERATION_NAME(name) {op_##name, #name},
    OPERATIONS(OPERATION_NAME)
#undef OPERATION_NAME
};

static const char *name_of(insn_op *op)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].op == op)
            return names[i].name;
    return "?";
}

/* Operations that exit with these controls, or may, by what their operands are. */
static const struct {
    insn_op *op;
    uint32_t exits; /* any of them; 0: always */
} exiting[] = {
    {op_cpuid, XRW_EXITS_CPUID},
    {op_hlt, XRW_EXITS_HLT},
    {op_invd, XRW_EXITS_INVD},
    {op_xsetbv, XRW_EXITS_XSETBV},
    {op_vmx, XRW_EXITS_VMX},
    {op_vmcall, XRW_EXITS_VMX},
    {op_in, 0},
    {op_out, 0},
    {op_ins, 0},
    {op_outs, 0},
    {op_rdmsr, 0},
    {op_wrmsr, 0},
    {op_mov_to_cr, 0},
    {op_lmsw, 0},
    {op_clts, 0},
    {op_wbinvd, XRW_EXITS_WBINVD},
    {op_mov_to_dr, XRW_EXITS_MOV_DR},
    {op_mov_from_dr, XRW_EXITS_MOV_DR},
    {op_mwait, XRW_EXITS_MWAIT},
    {op_monitor, XRW_EXITS_MONITOR},
    {op_rdpmc, XRW_EXITS_RDPMC},
    {op_invlpg, XRW_EXITS_INVLPG},
    {op_invpcid, XRW_EXITS_INVLPG},
    {op_pause, XRW_EXITS_PAUSE | XRW_EXITS_PAUSE_LOOP},
};

static bool may_exit(const struct coverage *coverage, insn_op *op)
{
    for (size_t i = 0; i < sizeof(exiting) / sizeof(exiting[0]); i++)
        if (exiting[i].op == op)
            return !exiting[i].exits || exiting[i].exits & coverage->config.controls.exits;
    return false;
}

static bool is_native(insn_op *op)
{
    return op == op_native || op == op_native_read || op == op_native_write ||
           op == op_native_modify || op == op_native_any;
}

enum coverage_class coverage_classify(struct coverage *coverage,
                                      const ZydisDecodedInstruction *decoded,
                                      const ZydisDecodedOperand *operands, const uint8_t *bytes,
                                      const char **why)
{
    struct insn insn;
    (void)operands;
    if (++coverage->decoded % FORGET_AFTER == 0)
        code_flush(coverage->machine);
    *why = NULL;
    if (decode_insn(coverage->machine, (struct code_bytes){bytes, decoded->length}, 0, &insn) !=
        0) {
        *why = "not decoded";
        return COVERAGE_UNHANDLED;
    }
    if (insn.op == op_unhandled) {
        *why = "neither a thunk nor an operation";
        return COVERAGE_UNHANDLED;
    }
    if (is_native(insn.op))
        return insn.thunk->access ? COVERAGE_NATIVE_MEMORY : COVERAGE_NATIVE;
    *why = name_of(insn.op);
    if (insn.op == op_undefined || insn.op == op_not_available || insn.op == op_too_long)
        return COVERAGE_EXCEPTION;
    return may_exit(coverage, insn.op) ? COVERAGE_EXIT : COVERAGE_INTERPRETED;
}

const char *coverage_class_name(enum coverage_class class)
{
    static const char *const names_of_classes[COVERAGE_CLASSES] = {
        [COVERAGE_NATIVE] = "native, registers only",
        [COVERAGE_NATIVE_MEMORY] = "native, memory operand",
        [COVERAGE_INTERPRETED] = "interpreted in C",
        [COVERAGE_EXIT] = "exits, or may, under Xen's controls",
        [COVERAGE_EXCEPTION] = "raises an exception (#UD)",
        [COVERAGE_UNHANDLED] = "unhandled",
    };
    return names_of_classes[class];
}
