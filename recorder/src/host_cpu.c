/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "host_cpu.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

int host_cpu(char *text, size_t bytes)
{
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[256];
    int rc = -ENOENT;

    if (!file)
        return -errno;
    while (rc && fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');

        if (strncmp(line, "model name", 10) || !colon || colon[1] != ' ')
            continue;
        line[strcspn(line, "\n")] = '\0';
        (void)snprintf(text, bytes, "%s", colon + 2);
        rc = 0;
    }
    (void)fclose(file);
    return rc;
}

unsigned host_cpu_count(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) ? 0 : (unsigned)CPU_COUNT(&set);
}
