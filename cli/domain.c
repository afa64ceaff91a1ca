/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "commands.h"

#include "xrw/domain.h"

int xrw_cli_domain(const char *command, const char *text, uint32_t *domain)
{
    const uint64_t max = 0x7fef; /* Xen's DOMID_FIRST_RESERVED - 1 */
    struct xrw_error err = {""};
    uint64_t number;

    if (*text < '0' || *text > '9')
        return *text && !xrw_domain_by_name(text, domain, &err) ? 0
               : *text                                          ? xrw_cli_fail(&err)
                       : xrw_cli_usage(command, "a domain is a number or a name");
    if (xrw_cli_number(text, &number) || number == 0 || number > max)
        return xrw_cli_usage(command, "%s is not the number of a domain (1 to %u), nor a name",
                             text, (unsigned)max);
    *domain = (uint32_t)number;
    return 0;
}
