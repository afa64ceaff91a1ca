/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdio.h>

/* Runs files through the fuzz harness without a fuzzer: the corpus as an ordinary test. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
    static uint8_t bytes[1 << 16];

    if (argc < 2) {
        fprintf(stderr, "Usage: %s FILE…\n", argv[0]);
        return 2;
    }
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        if (!file) {
            perror(argv[i]);
            return 1;
        }
        size_t size = fread(bytes, 1, sizeof(bytes), file);
        fclose(file);
        if (size == 0) {
            fprintf(stderr, "%s: empty\n", argv[i]);
            return 1;
        }
        LLVMFuzzerTestOneInput(bytes, size);
    }
    printf("%d inputs\n", argc - 1);
    return 0;
}
