/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xrw/registers.h"

#include <errno.h>
#include <string.h>

const struct xrw_register_info xrw_register_table[XRW_REGISTER_COUNT] = {
#define XRW_REGISTER_INFO(name, bits, group) {#name, bits, XRW_GROUP_##group},
    XRW_REGISTER_TABLE(XRW_REGISTER_INFO)
#undef XRW_REGISTER_INFO
};

void xrw_registers_set(struct xrw_registers *regs, enum xrw_register reg, uint64_t value)
{
    unsigned bits = xrw_register_table[reg].bits;

    regs->value[reg] = bits < 64 ? value & ((UINT64_C(1) << bits) - 1) : value;
    regs->known[reg] = true;
}

int xrw_register_by_name(const char *name)
{
    for (int i = 0; i < XRW_REGISTER_COUNT; i++)
        if (!strcmp(name, xrw_register_table[i].name))
            return i;
    return -ENOENT;
}

bool xrw_registers_equal(const struct xrw_registers *a, const struct xrw_registers *b)
{
    for (int i = 0; i < XRW_REGISTER_COUNT; i++)
        if (a->known[i] != b->known[i] || (a->known[i] && a->value[i] != b->value[i]))
            return false;
    return true;
}
