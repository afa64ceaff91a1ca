/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XRW_RECORDER_HOST_CPU_H
#define XRW_RECORDER_HOST_CPU_H

#include <stddef.h>

/* "model name : X" of the processor, as the kernel tells it: 0, or a negative errno. */
int host_cpu(char *text, size_t bytes);

/* Processors that this process may use; 0: not known. */
unsigned host_cpu_count(void);

#endif
