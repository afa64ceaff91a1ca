/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "commands.h"

#include <stdio.h>
#include <string.h>

static const struct xrw_cli_command commands[] = {
#ifdef XENREWIND_HAVE_RECORD
    {"record", "record the VM exits of a fork of a Xen domain", xrw_cli_record},
    {"doctor", "say what this host can record, and remove left-over forks", xrw_cli_doctor},
#endif
    {"replay", "serve a recording to gdb, or start gdb on it", xrw_cli_replay},
    {"info", "say what a recording holds", xrw_cli_info},
    {"exits", "list the exits of a recording", xrw_cli_exits},
    {"runs", "list the runs of a recording, and which took the same path", xrw_cli_runs},
    {"diff", "show where two runs of a recording part", xrw_cli_diff},
    {"verify", "re-execute what lies between the exits, and compare", xrw_cli_verify},
    {"writes", "list every change of guest memory at an address", xrw_cli_writes},
    {"index", "index a recording by the values of registers", xrw_cli_index},
    {"check", "check that a recording is whole", xrw_cli_check},
};

static int print_help(void)
{
    (void)puts("usage: xenrewind COMMAND [ARGUMENTS]\n"
               "\n"
               "Records every VM exit of a Xen VM fork into one file, and walks through it in\n"
               "gdb, forward and backward.\n");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        (void)printf("  %-8s %s\n", commands[i].name, commands[i].what);
    (void)puts("\n"
               "  help COMMAND    what a command does and takes (also COMMAND --help)\n"
               "  --version       print the version\n"
               "\n"
               "A recording is an SQLite database: `sqlite3 FILE' asks it any question.\n"
               "Exit status: 0 done, 1 failed, 2 called wrongly.  See xenrewind(1).");
    return xrw_cli_finish();
}

static const struct xrw_cli_command *find_command(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (!strcmp(name, commands[i].name))
            return &commands[i];
    (void)fprintf(stderr, "xenrewind: there is no command %s\nTry `xenrewind --help'.\n", name);
    return NULL;
}

static int help(int argc, char **argv)
{
    static char help_option[] = "--help";
    const struct xrw_cli_command *command;

    if (argc < 3)
        return print_help();
    command = find_command(argv[2]);
    return command ? command->run(2, (char *[]){argv[2], help_option, NULL}) : XRW_CLI_USAGE;
}

int main(int argc, char **argv)
{
    const struct xrw_cli_command *command;

    if (argc < 2) {
        (void)fputs("xenrewind: which command?\nTry `xenrewind --help'.\n", stderr);
        return XRW_CLI_USAGE;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
        return help(argc, argv);
    if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
        (void)printf("xenrewind %s (recording format %d)\n", XENREWIND_VERSION,
                     XRW_STORE_FORMAT_VERSION);
        return xrw_cli_finish();
    }
    command = find_command(argv[1]);
    return command ? command->run(argc - 1, argv + 1) : XRW_CLI_USAGE;
}
