/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xrw/filter.h"

#include "xrw/reason.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int set_reason(struct xrw_exit_filter *filter, const char *value, struct xrw_error *err)
{
    int reason = xrw_reason_by_name(value);

    if (reason < 0)
        return xrw_error_set(err, -EINVAL,
                             "there is no exit reason %.64s; `xenrewind info' lists those of a "
                             "recording",
                             value);
    filter->by_reason = true;
    filter->reason = (unsigned)reason;
    return 0;
}

static bool is_hex_digit(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'f');
}

/* A hexadecimal address; *end is what follows it. */
static int parse_address(const char *text, uint64_t *address, char **end)
{
    if (!is_hex_digit(*text))
        return -EINVAL;
    errno = 0;
    *address = strtoull(text, end, 16);
    return errno ? -EINVAL : 0;
}

static int set_rip(struct xrw_exit_filter *filter, const char *value, struct xrw_error *err)
{
    uint64_t first, last;
    char *end;
    int ret = parse_address(value, &first, &end);

    last = first;
    if (!ret && *end == '-')
        ret = parse_address(end + 1, &last, &end);
    if (ret || *end || last < first)
        return xrw_error_set(err, -EINVAL, "%.64s is not ADDR or ADDR-ADDR in hexadecimal", value);
    filter->by_rip = true;
    filter->rip_first = first;
    filter->rip_last = last;
    return 0;
}

static int set_vcpu(struct xrw_exit_filter *filter, const char *value, struct xrw_error *err)
{
    char *end;
    unsigned long vcpu;

    errno = 0;
    vcpu = strtoul(value, &end, 10);
    if (*value < '0' || *value > '9' || *end || errno || vcpu > UINT32_MAX)
        return xrw_error_set(err, -EINVAL, "%.64s is not the number of a vCPU", value);
    filter->by_vcpu = true;
    filter->vcpu = (uint32_t)vcpu;
    return 0;
}

/* A number, decimal or hexadecimal with 0x. */
static int set_register(struct xrw_exit_filter *filter, int reg, const char *value,
                        struct xrw_error *err)
{
    bool hex = value[0] == '0' && (value[1] | 32) == 'x';
    const char *digits = value + (hex ? 2 : 0);
    uint64_t number;
    char *end;

    errno = 0;
    number = strtoull(digits, &end, hex ? 16 : 10);
    if (!(hex ? is_hex_digit(*digits) : *digits >= '0' && *digits <= '9') || *end || errno)
        return xrw_error_set(err, -EINVAL, "%.64s is not a number, decimal or hexadecimal with 0x",
                             value);
    filter->by_register = true;
    filter->reg = (enum xrw_register)reg;
    filter->value = number;
    return 0;
}

int xrw_filter_set(struct xrw_exit_filter *filter, const char *key, const char *value,
                   struct xrw_error *err)
{
    static const struct {
        const char *key;
        int (*set)(struct xrw_exit_filter *filter, const char *value, struct xrw_error *err);
    } keys[] = {{"reason", set_reason}, {"rip", set_rip}, {"vcpu", set_vcpu}};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!strcmp(key, keys[i].key))
            return keys[i].set(filter, value, err);
    if (xrw_register_by_name(key) >= 0)
        return set_register(filter, xrw_register_by_name(key), value, err);
    return xrw_error_set(err, -EINVAL, "unknown filter %.64s: reason, rip, vcpu or a register",
                         key);
}
