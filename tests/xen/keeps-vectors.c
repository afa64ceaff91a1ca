/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether the AVX registers of a process are as it left them after others have run: exits with 0 if
 * so.  Where the emulated processor loses them, everything that copies memory by them is damaged,
 * and that looks like a defect of whatever did.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES 2
#define ROUNDS 10u
#define TURNS UINT64_C(2000000) /* of an empty loop: longer than a process runs undisturbed */

struct vectors {
    _Alignas(32) uint8_t byte[4][32];
};

/* Load registers, let time pass, and store them. */
static void carry(const struct vectors *in, struct vectors *out)
{
    uint64_t turns = TURNS;

    __asm__ volatile("vmovdqa (%1), %%ymm0\n\t"
                     "vmovdqa 32(%1), %%ymm7\n\t"
                     "vmovdqa 64(%1), %%ymm8\n\t"
                     "vmovdqa 96(%1), %%ymm15\n"
                     "1:\n\t"
                     "dec %0\n\t"
                     "jnz 1b\n\t"
                     "vmovdqa %%ymm0, (%2)\n\t"
                     "vmovdqa %%ymm7, 32(%2)\n\t"
                     "vmovdqa %%ymm8, 64(%2)\n\t"
                     "vmovdqa %%ymm15, 96(%2)"
                     : "+r"(turns)
                     : "r"(in), "r"(out)
                     : "cc", "memory", "xmm0", "xmm7", "xmm8", "xmm15");
}

static int check(unsigned process)
{
    struct vectors in, out;
    unsigned lost = 0;

    for (unsigned round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < sizeof in; i++)
            ((uint8_t *)&in)[i] = (uint8_t)(1 + i + 16 * round + process);
        carry(&in, &out);
        lost += memcmp(&in, &out, sizeof in) != 0;
    }
    if (lost)
        (void)printf("process %u: its vector registers were lost in %u rounds of %u\n", process,
                     lost, ROUNDS);
    return lost != 0;
}

int main(void)
{
    bool failed = false;

    if (!__builtin_cpu_supports("avx")) {
        (void)puts("this processor has no AVX");
        return 1;
    }
    for (unsigned i = 0; i < PROCESSES; i++) {
        pid_t child = fork();

        if (child < 0)
            return 1;
        if (!child)
            return check(i);
    }
    for (unsigned i = 0; i < PROCESSES; i++) {
        int status = -1;

        if (wait(&status) < 0 || status) {
            (void)printf("a process ended with status %#x\n", (unsigned)status);
            failed = true;
        }
    }
    return failed;
}
