/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "commands.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int xrw_cli_fail(const struct xrw_error *err)
{
    (void)fflush(stdout);
    (void)fprintf(stderr, "xenrewind: %s\n", err->text);
    return XRW_CLI_FAILED;
}

int xrw_cli_usage(const char *command, const char *format, ...)
{
    va_list args;

    (void)fprintf(stderr, "xenrewind %s: ", command);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fprintf(stderr, "\nTry `xenrewind %s --help'.\n", command);
    return XRW_CLI_USAGE;
}

bool xrw_cli_json_option(int argc, char **argv, const char *usage_text, bool *json, int *exit_code)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0}};
    int option;

    *json = false;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) == 'j')
        *json = true;
    if (option == 'h') {
        (void)puts(usage_text);
        *exit_code = xrw_cli_finish();
    } else if (option != -1) {
        *exit_code = XRW_CLI_USAGE;
    }
    return option == -1;
}

const char *xrw_cli_file(const char *command, int argc, char **argv, int optind_now)
{
    if (argc - optind_now == 1)
        return argv[optind_now];
    (void)xrw_cli_usage(command, argc == optind_now ? "which recording?"
                                                    : "one recording at a time, please");
    return NULL;
}

int xrw_cli_number(const char *text, uint64_t *number)
{
    unsigned long long value;
    char *end;

    if (*text < '0' || *text > '9')
        return -EINVAL;
    errno = 0;
    value = strtoull(text, &end, text[0] == '0' && (text[1] | 32) == 'x' ? 16 : 10);
    if (errno || *end)
        return -EINVAL;
    *number = value;
    return 0;
}

int xrw_cli_finish(void)
{
    if (!fflush(stdout) && !ferror(stdout))
        return XRW_CLI_OK;
    if (errno == EPIPE)
        return XRW_CLI_OK;
    (void)fprintf(stderr, "xenrewind: cannot write the output: %s\n", strerror(errno));
    return XRW_CLI_FAILED;
}
