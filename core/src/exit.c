/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xrw/exit.h"

#include <errno.h>
#include <string.h>

const struct xrw_exit_field_info xrw_exit_field_table[XRW_EXIT_FIELD_COUNT] = {
#define XRW_EXIT_FIELD_INFO(name, bits, what) {#name, bits, what},
    XRW_EXIT_FIELD_TABLE(XRW_EXIT_FIELD_INFO)
#undef XRW_EXIT_FIELD_INFO
};

void xrw_exit_set(struct xrw_exit *exit, enum xrw_exit_field field, uint64_t value)
{
    unsigned bits = xrw_exit_field_table[field].bits;

    exit->field[field] = bits < 64 ? value & ((UINT64_C(1) << bits) - 1) : value;
    exit->field_known[field] = true;
}

int xrw_exit_field_by_name(const char *name)
{
    for (int i = 0; i < XRW_EXIT_FIELD_COUNT; i++)
        if (!strcmp(name, xrw_exit_field_table[i].name))
            return i;
    return -ENOENT;
}

unsigned xrw_exit_basic_reason(const struct xrw_exit *exit)
{
    return (unsigned)(exit->field[XRW_EXIT_reason] & 0xffff);
}
