/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What benchmarks share.  A benchmark prints one JSON object a line on standard output: name,
 * value, unit, and where there is a yardstick ratio (value over the yardstick's, of the same run)
 * and against (which yardstick).  Progress and remarks go to standard error.  It exits with 0 if
 * it measured, whatever the figures.
 */
#ifndef XENREWIND_BENCH_H
#define XENREWIND_BENCH_H

#include <stddef.h>
#include <stdint.h>

#define BENCH_PAIRS 5u

/* Monotonic time. */
uint64_t bench_now_ns(void);

/* Processor time of the whole process. */
uint64_t bench_cpu_ns(void);

/* Median; sorts the values. */
double bench_median(double *values, size_t count);

/* The value at a fraction (0 to 1) of the sorted values; sorts them. */
double bench_quantile(double *values, size_t count, double fraction);

/* One figure without a yardstick. */
void bench_report(const char *name, double value, const char *unit);

/* One figure beside its yardstick. */
void bench_report_against(const char *name, double value, const char *unit, double ratio,
                          const char *against);

/* Runs once and returns its figure (rates: higher is better), e.g. exits a second. */
typedef double (*bench_run)(void *ctx);

/*
 * BENCH_PAIRS interleaved pairs of a run and of its yardstick.  Reports the median figure of the
 * run and the median of the pairs' ratios, and the yardstick's median as NAME/yardstick.  Returns
 * the median ratio.
 */
double bench_pairs(const char *name, const char *unit, bench_run run, const char *against,
                   bench_run yardstick, void *ctx);

/* Say what is wrong and exit with 1. */
_Noreturn void bench_fail(const char *format, ...);

#endif
