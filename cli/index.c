/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "commands.h"

#include <getopt.h>
#include <stdio.h>

static const char usage_text[] =
    "usage: xenrewind index FILE REGISTER...\n"
    "\n"
    "Indexes a recording by the values of registers, so that a search for one (`next rax=0x10' in\n"
    "gdb, `exits --register rax=0x10') takes no longer however far away the exit is.  The file\n"
    "grows by some tens of bytes an exit.  REGISTER: rax to r15 but r9 and r10, rflags, cr2, cr3;\n"
    "rip needs none.";

int xrw_cli_index(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
    struct xrw_error err = {""};
    int option;

    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == '?')
            return XRW_CLI_USAGE;
        (void)puts(usage_text);
        return xrw_cli_finish();
    }
    if (argc - optind < 2)
        return xrw_cli_usage("index", "which file, and which registers?");
    for (int i = optind + 1; i < argc; i++)
        if (xrw_register_by_name(argv[i]) < 0)
            return xrw_cli_usage("index", "there is no register %s", argv[i]);
    for (int i = optind + 1; i < argc; i++) {
        int reg = xrw_register_by_name(argv[i]);

        if (xrw_store_index_register(argv[optind], (enum xrw_register)reg, &err))
            return xrw_cli_fail(&err);
    }
    return xrw_cli_finish();
}
