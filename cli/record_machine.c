/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "record_machine.h"

#include "commands.h"

#include <string.h>

#define MIB (UINT64_C(1) << 20)
#define DEFAULT_MIB 64u
#define LEAST_MIB 2u
#define MOST_MIB 3072u

static int set_source(struct record_machine *m, const char *value)
{
    m->asked_for = !strcmp(value, "machine");
    if (m->asked_for || !strcmp(value, "xen"))
        return 0;
    return xrw_cli_usage("record", "--source takes xen or machine, not %s", value);
}

static int set_memory(struct record_machine *m, const char *value)
{
    uint64_t mib;

    if (xrw_cli_number(value, &mib) || mib < LEAST_MIB || mib > MOST_MIB)
        return xrw_cli_usage("record", "--guest-memory takes a number of MiB from %u to %u, not %s",
                             LEAST_MIB, MOST_MIB, value);
    m->machine.memory_bytes = mib * MIB;
    return 0;
}

static int set_platform(struct record_machine *m, const char *value)
{
    m->machine.xen = !strcmp(value, "xen");
    if (m->machine.xen || !strcmp(value, "pc"))
        return 0;
    return xrw_cli_usage("record", "--platform takes pc or xen, not %s", value);
}

static int set_flags(struct record_machine *m, const char *value)
{
    m->machine.bochs_flags = !strcmp(value, "bochs");
    if (m->machine.bochs_flags || !strcmp(value, "host"))
        return 0;
    return xrw_cli_usage("record", "--undefined-flags takes host or bochs, not %s", value);
}

int record_machine_option(struct record_machine *m, const char *name, const char *value)
{
    if (!strcmp(name, "source"))
        return set_source(m, value);
    m->option = name;
    if (!strcmp(name, "guest-memory"))
        return set_memory(m, value);
    if (!strcmp(name, "platform"))
        return set_platform(m, value);
    if (!strcmp(name, "undefined-flags"))
        return set_flags(m, value);
    if (!strcmp(name, "initrd"))
        m->machine.initrd = value;
    else if (!strcmp(name, "cmdline"))
        m->machine.cmdline = value;
    else if (!strcmp(name, "cpu-of"))
        m->machine.cpu_of = value;
    else
        m->machine.console = value;
    return 0;
}

static int check_xen(const struct record_machine *m, char **operands, int count)
{
    if (m->option)
        return xrw_cli_usage("record", "--%s is for --source machine", m->option);
    if (count)
        return xrw_cli_usage("record", "%s is not an option (the file is named by -o)",
                             operands[0]);
    return 0;
}

int record_machine_finish(const struct record_machine *m, char **operands, int count,
                          struct xrw_record_options *options)
{
    if (!m->asked_for)
        return check_xen(m, operands, count);
    if (count != 1)
        return xrw_cli_usage("record", "--source machine takes one kernel");
    if (options->parent || options->fork || options->keep || options->allow_interrupts ||
        options->mode != XRW_RECORD_MODE_AUTO)
        return xrw_cli_usage("record", "--parent, --domain, --mode, --keep and --allow-interrupts "
                                       "are for domains of Xen");
    options->machine = m->machine;
    options->machine.kernel = operands[0];
    if (!options->machine.memory_bytes)
        options->machine.memory_bytes = DEFAULT_MIB * MIB;
    return 0;
}
