/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "exit_json.h"
#include "json.h"

#include "xrw/report.h"

#include <errno.h>

static json_t *fields_object(const struct xrw_exit *exit)
{
    json_t *object = json_object();

    for (unsigned i = 0; i < XRW_EXIT_FIELD_COUNT; i++)
        if (exit->field_known[i] && i != XRW_EXIT_time_ns)
            json_object_set_new(object, xrw_exit_field_table[i].name, xrw_json_hex(exit->field[i]));
    return object;
}

/* The registers that the guest works with, or all that the handling changed. */
static json_t *registers_object(const struct xrw_exit *exit, bool changed)
{
    json_t *object = json_object();
    unsigned count = changed ? XRW_REGISTER_COUNT : XRW_HOT_COUNT;

    for (unsigned i = 0; i < count; i++) {
        const struct xrw_registers *regs = changed ? &exit->after : &exit->before;

        if (!regs->known[i] ||
            (changed && exit->before.known[i] && exit->before.value[i] == regs->value[i]))
            continue;
        json_object_set_new(object, xrw_register_table[i].name, xrw_json_hex(regs->value[i]));
    }
    return object;
}

int xrw_exit_json(struct xrw_store *store, struct xrw_disassembler *disassembler,
                  const struct xrw_exit *exit, json_t **out, struct xrw_error *err)
{
    char number[24], operands[XRW_DESCRIPTION_MAX];
    struct xrw_insn insn;
    int ret = xrw_report_insn(store, disassembler, exit, &insn, err);
    json_t *object;

    if (ret && ret != -ENOENT && ret != -EILSEQ)
        return ret;
    object = json_object();
    xrw_report_operands(exit, operands);
    json_object_set_new(object, "id", xrw_json_u64(exit->id));
    json_object_set_new(object, "run", xrw_json_u64(exit->run));
    json_object_set_new(object, "vcpu", xrw_json_u64(exit->vcpu));
    if (exit->field_known[XRW_EXIT_time_ns])
        json_object_set_new(object, "time_ns", xrw_json_u64(exit->field[XRW_EXIT_time_ns]));
    json_object_set_new(object, "reason", xrw_json_text(xrw_report_reason(exit, number)));
    if (exit->before.known[XRW_REG_rip])
        json_object_set_new(object, "rip", xrw_json_hex(exit->before.value[XRW_REG_rip]));
    if (!ret)
        json_object_set_new(object, "instruction", xrw_json_text(insn.text));
    json_object_set_new(object, "operands", xrw_json_text(operands));
    json_object_set_new(object, "fields", fields_object(exit));
    json_object_set_new(object, "before", registers_object(exit, false));
    if (exit->has_after)
        json_object_set_new(object, "changed", registers_object(exit, true));
    *out = object;
    return 0;
}
