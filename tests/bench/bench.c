/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t bench_now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t bench_cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double bench_quantile(double *values, size_t count, double fraction)
{
    qsort(values, count, sizeof *values, compare);
    return count ? values[(size_t)(fraction * (double)(count - 1) + 0.5)] : 0;
}

double bench_median(double *values, size_t count)
{
    return bench_quantile(values, count, 0.5);
}

void bench_report(const char *name, double value, const char *unit)
{
    (void)printf("{\"name\": \"%s\", \"value\": %.6g, \"unit\": \"%s\"}\n", name, value, unit);
    (void)fflush(stdout);
}

void bench_report_against(const char *name, double value, const char *unit, double ratio,
                          const char *against)
{
    (void)printf("{\"name\": \"%s\", \"value\": %.6g, \"unit\": \"%s\", \"ratio\": %.4g, "
                 "\"against\": \"%s\"}\n",
                 name, value, unit, ratio, against);
    (void)fflush(stdout);
}

double bench_pairs(const char *name, const char *unit, bench_run run, const char *against,
                   bench_run yardstick, void *ctx)
{
    double value[BENCH_PAIRS], base[BENCH_PAIRS], ratio[BENCH_PAIRS], median;
    char base_name[128];

    for (unsigned i = 0; i < BENCH_PAIRS; i++) {
        base[i] = yardstick(ctx);
        value[i] = run(ctx);
        ratio[i] = value[i] / base[i];
        (void)fprintf(stderr, "%s: pair %u of %u: %.4g, %s: %.4g %s\n", name, i + 1, BENCH_PAIRS,
                      value[i], against, base[i], unit);
    }
    median = bench_median(ratio, BENCH_PAIRS);
    (void)snprintf(base_name, sizeof base_name, "%s/yardstick", name);
    bench_report(base_name, bench_median(base, BENCH_PAIRS), unit);
    bench_report_against(name, bench_median(value, BENCH_PAIRS), unit, median, against);
    return median;
}

void bench_fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    exit(1);
}
