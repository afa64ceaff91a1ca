/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes a recording of every kind of exit at the path given, for tests in other languages. */
#include "sample.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fprintf(stderr, "usage: %s RECORDING\n", argv[0]);
        return 2;
    }
    sample_tour(argv[1]);
    return 0;
}
