/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loading damaged kernels: refused or loaded, never read or written out of bounds (run with ASan).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guest_build.h"
#include "guest_image.h"

#define RAM_BYTES (2u << 20)

/* The real one prints; the damaged files would fill the log. */
int complain(int error, const char *format, ...)
{
    (void)error;
    (void)format;
    return -1;
}

/* A copy of exactly bytes, so that reading behind it is seen. */
static int load_copy(const struct image *image, size_t bytes, size_t damage_at, uint8_t damage,
                     uint8_t *ram, uint32_t *entry)
{
    struct image copy = {.data = malloc(bytes), .bytes = bytes};
    uint64_t end;
    int rc;

    assert_non_null(copy.data);
    memcpy(copy.data, image->data, bytes);
    if (damage_at < bytes)
        copy.data[damage_at] = damage;
    rc = image_load_kernel("test", &copy, ram, RAM_BYTES, entry, &end);
    free(copy.data);
    return rc;
}

static void loads_tour(void **state)
{
    uint8_t *ram = calloc(1, RAM_BYTES);
    uint32_t entry = 0;

    assert_int_equal(load_copy(*state, ((struct image *)*state)->bytes, SIZE_MAX, 0, ram, &entry),
                     0);
    assert_int_equal(entry, 0x100000);
    assert_int_equal(ram[entry], 0xfc); /* CLD, its first instruction */
    free(ram);
}

static void refuses_truncated(void **state)
{
    const struct image *image = *state;
    uint8_t *ram = calloc(1, RAM_BYTES);
    uint32_t entry = 1;

    for (size_t bytes = 1; bytes < 0x1000; bytes += bytes < 512 ? 1 : 97)
        assert_int_equal(load_copy(image, bytes, SIZE_MAX, 0, ram, &entry), -1);
    assert_int_equal(entry, 1);
    free(ram);
}

static void survives_damage(void **state)
{
    const struct image *image = *state;
    static const uint8_t values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    uint8_t *ram = calloc(1, RAM_BYTES);
    unsigned refused = 0;

    for (size_t at = 0; at < 64 + 5 * 56; at++) /* the headers */
        for (size_t i = 0; i < sizeof values; i++) {
            uint32_t entry;

            refused += load_copy(image, image->bytes, at, values[i], ram, &entry) != 0;
        }
    assert_true(refused > 100);
    free(ram);
}

static int read_tour(void **state)
{
    static struct image image;

    *state = &image;
    return image_read(getenv("GUEST_TOUR"), &image);
}

static int free_tour(void **state)
{
    free(((struct image *)*state)->data);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_tour),
        cmocka_unit_test(refuses_truncated),
        cmocka_unit_test(survives_damage),
    };

    if (!getenv("GUEST_TOUR")) {
        fputs("set GUEST_TOUR to the tour kernel\n", stderr);
        return 2;
    }
    return cmocka_run_group_tests(tests, read_tour, free_tour);
}
