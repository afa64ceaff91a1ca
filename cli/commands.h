/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The subcommands of xenrewind, and what they share. */
#ifndef XENREWIND_COMMANDS_H
#define XENREWIND_COMMANDS_H

#include "xrw/error.h"
#include "xrw/store.h"

/* Exit codes of the program. */
enum {
    XRW_CLI_OK = 0,
    XRW_CLI_FAILED = 1, /* said why on standard error */
    XRW_CLI_USAGE = 2,  /* called wrongly */
};

/* One a subcommand: argv[0] is its name; return an exit code. */
int xrw_cli_record(int argc, char **argv);
int xrw_cli_doctor(int argc, char **argv);
int xrw_cli_replay(int argc, char **argv);
int xrw_cli_info(int argc, char **argv);
int xrw_cli_exits(int argc, char **argv);
int xrw_cli_runs(int argc, char **argv);
int xrw_cli_diff(int argc, char **argv);
int xrw_cli_verify(int argc, char **argv);
int xrw_cli_check(int argc, char **argv);
int xrw_cli_index(int argc, char **argv);
int xrw_cli_writes(int argc, char **argv);

/* Say what is wrong: "xenrewind: TEXT".  Returns XRW_CLI_FAILED. */
int xrw_cli_fail(const struct xrw_error *err);

/* Say that the subcommand was called wrongly, and how to learn more.  Returns XRW_CLI_USAGE. */
int xrw_cli_usage(const char *command, const char *format, ...) XRW_PRINTF(2, 3);

/* Take the options of a subcommand that has --json and --help alone.  True: go on, with *json set
 * and optind at the first operand; false: end with *exit_code. */
bool xrw_cli_json_option(int argc, char **argv, const char *usage_text, bool *json, int *exit_code);

/* The one operand of a subcommand, its file, after getopt has taken the options; NULL, having said
 * so, if there is none or more than one. */
const char *xrw_cli_file(const char *command, int argc, char **argv, int optind_now);

/* A whole number in decimal, or hexadecimal with 0x.  0 or -EINVAL. */
int xrw_cli_number(const char *text, uint64_t *number);

/* A domain by its number (1 to 32751) or its name.  0, or an exit code, having said why. */
int xrw_cli_domain(const char *command, const char *text, uint32_t *domain);

/* Flush standard output: XRW_CLI_OK, also if its reader has gone (as in `| head'); else say why it
 * could not be written. */
int xrw_cli_finish(void);

/* What `--help' says first about each subcommand. */
struct xrw_cli_command {
    const char *name;
    const char *what;
    int (*run)(int argc, char **argv);
};

#endif
