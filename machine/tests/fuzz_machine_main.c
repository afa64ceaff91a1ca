/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine's fuzz harness without a fuzzer: random inputs from a seed, or files. */
#include "fuzz_machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define INPUT_MAX 600u

static uint64_t state;

static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* Bytes that often are instructions of interest. */
static const char *const favourites[] = {
    "\x0f\x01", "\x0f\x00", "\x0f\x20", "\x0f\x22",     "\x0f\xae", "\x0f\xc7",
    "\xf3\xa4", "\xf3\xab", "\x66",     "\x48",         "\x67",     "\x64",
    "\xf0\x48", "\xcd",     "\x48\xcf", "\xcf",         "\x8e\xd0", "\x9d",
    "\xc5\xf8", "\x62\xf1", "\x0f\x05", "\x48\x0f\x07", "\xff\x30", "\x8f\x00",
    "\xc8\x10", "\xfb",     "\xca",     "\x0f\xc7",     "\xd9\x30", "\xdd\x30"};

static size_t make(uint8_t *bytes)
{
    size_t size = 100 + next() % (INPUT_MAX - 100);

    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)next();
    for (size_t i = 80; i + 4 < size; i += 1 + next() % 12) {
        const char *f = favourites[next() % (sizeof favourites / sizeof *favourites)];
        memcpy(bytes + i, f, strlen(f));
    }
    return size;
}

static int run_file(const char *name)
{
    static uint8_t bytes[1 << 16];
    FILE *file = fopen(name, "rb");
    size_t size;

    if (!file) {
        perror(name);
        return 1;
    }
    size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return LLVMFuzzerTestOneInput(bytes, size);
}

int main(int argc, char **argv)
{
    uint8_t bytes[INPUT_MAX];
    unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 100, first;

    if (argc > 1 && !count) {
        for (int i = 1; i < argc; i++)
            if (run_file(argv[i]))
                return 1;
        return 0;
    }
    first = argc > 2 ? strtoul(argv[2], NULL, 10) : (unsigned long)time(NULL);
    for (unsigned long i = 0; i < count; i++) {
        fprintf(stderr, "\rseed %lu", first + i);
        state = (first + i) * UINT64_C(0x9e3779b97f4a7c15) + 1;
        LLVMFuzzerTestOneInput(bytes, make(bytes));
    }
    fprintf(stderr, "\n");
    return 0;
}
