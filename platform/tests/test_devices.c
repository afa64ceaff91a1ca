/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Serial port, interrupt controllers and timer, register by register. */
#include "pic.h"
#include "pit.h"
#include "serial.h"

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)

static void serial_sends_bytes_and_has_room(void **state)
{
    struct serial serial = {0};
    uint8_t byte = 0;

    (void)state;
    assert_int_equal(serial_read(&serial, 5), 0x60);
    assert_int_equal(serial_write(&serial, 0, 'x', &byte), 1);
    assert_int_equal(byte, 'x');
    assert_int_equal(serial_write(&serial, 3, 0x80, &byte), 0); /* divisor latch */
    assert_int_equal(serial_write(&serial, 0, 1, &byte), 0);
    assert_int_equal(serial_read(&serial, 0), 1);
    assert_int_equal(serial_write(&serial, 7, 0x5a, &byte), 0);
    assert_int_equal(serial_read(&serial, 7), 0x5a);
}

static void serial_interrupts_when_empty_once(void **state)
{
    struct serial serial = {0};
    uint8_t byte;

    (void)state;
    assert_false(serial_irq(&serial));
    (void)serial_write(&serial, 1, 2, &byte);
    assert_true(serial_irq(&serial));
    assert_int_equal(serial_read(&serial, 2) & 0xf, 2); /* identified, and acknowledged by that */
    assert_false(serial_irq(&serial));
    assert_int_equal(serial_read(&serial, 2) & 0xf, 1);
    (void)serial_write(&serial, 0, 'y', &byte);
    assert_true(serial_irq(&serial));
}

/* Vectors 0x30 and 0x38, all lines open, as a PC's kernel does it. */
static void start_pic(struct pic *pic)
{
    static const struct {
        uint16_t port;
        uint8_t value;
    } writes[] = {{0x20, 0x11}, {0x21, 0x30}, {0x21, 4}, {0x21, 1}, {0xa0, 0x11},
                  {0xa1, 0x38}, {0xa1, 2},    {0xa1, 1}, {0x21, 0}, {0xa1, 0}};

    pic_init(pic);
    for (unsigned i = 0; i < sizeof writes / sizeof *writes; i++)
        pic_write(pic, writes[i].port, writes[i].value);
}

static void pic_serves_by_priority(void **state)
{
    struct pic pic;

    (void)state;
    start_pic(&pic);
    assert_false(pic_pending(&pic));
    pic_line(&pic, 4, true);
    pic_line(&pic, 0, true);
    assert_int_equal(pic_acknowledge(&pic), 0x30);
    assert_false(pic_pending(&pic)); /* 0 is in service */
    pic_write(&pic, 0x20, 0x20);
    assert_int_equal(pic_acknowledge(&pic), 0x34);
    pic_write(&pic, 0x20, 0x20);
    assert_false(pic_pending(&pic)); /* an edge counts once */
    pic_line(&pic, 0, false);
    pic_line(&pic, 0, true);
    assert_true(pic_pending(&pic));
}

static void pic_masks_and_cascades(void **state)
{
    struct pic pic;

    (void)state;
    start_pic(&pic);
    pic_write(&pic, 0xa1, 0x10);
    pic_line(&pic, 12, true);
    assert_false(pic_pending(&pic));
    pic_write(&pic, 0xa1, 0);
    assert_true(pic_pending(&pic));
    assert_int_equal(pic_acknowledge(&pic), 0x3c);
    pic_write(&pic, 0x20, 0x0b); /* read the in-service register */
    assert_int_equal(pic_read(&pic, 0x20), 1 << 2);
    pic_write(&pic, 0xa0, 0x20);
    pic_write(&pic, 0x20, 0x20);
    assert_int_equal(pic_read(&pic, 0x20), 0);
    assert_int_equal(pic_acknowledge(&pic), 0x37); /* spurious */
}

static void pit_counts_down_and_fires(void **state)
{
    struct pit pit;
    unsigned edges = 0;

    (void)state;
    pit_init(&pit);
    assert_true(pit_next_ns(&pit) == UINT64_MAX);
    pit_write(&pit, 0x43, 0x34, 0);
    pit_write(&pit, 0x40, 0x9c, 0); /* 11932 ticks: 10 ms */
    pit_write(&pit, 0x40, 0x2e, 0);
    assert_in_range(pit_next_ns(&pit), 10 * MS, 10 * MS + 2000);
    for (uint64_t t = 0; t <= 100 * MS + 20000; t += 10000)
        edges += pit_take_edge(&pit, t);
    assert_int_equal(edges, 10);
}

static void pit_counts_edges_that_were_missed_as_one(void **state)
{
    struct pit pit;

    (void)state;
    pit_init(&pit);
    pit_write(&pit, 0x43, 0x34, 0);
    pit_write(&pit, 0x40, 0x9c, 0);
    pit_write(&pit, 0x40, 0x2e, 0);
    assert_true(pit_take_edge(&pit, 95 * MS));
    assert_false(pit_take_edge(&pit, 95 * MS));
    assert_in_range(pit_next_ns(&pit), 100 * MS, 101 * MS);
}

static void pit_one_shot_fires_once(void **state)
{
    struct pit pit;

    (void)state;
    pit_init(&pit);
    pit_write(&pit, 0x43, 0x38, 5 * MS); /* mode 4 */
    pit_write(&pit, 0x40, 0xa9, 5 * MS);
    pit_write(&pit, 0x40, 0x04, 5 * MS); /* 1193 ticks: 1 ms */
    assert_false(pit_take_edge(&pit, 5 * MS + 900000));
    assert_true(pit_take_edge(&pit, 6 * MS + 1000));
    assert_true(pit_next_ns(&pit) == UINT64_MAX);
    assert_false(pit_take_edge(&pit, 20 * MS));
}

/* As kernels measure the TSC with it. */
static void pit_channel_2_ends_after_its_time(void **state)
{
    struct pit pit;

    (void)state;
    pit_init(&pit);
    pit_gate2(&pit, true, 0);
    pit_write(&pit, 0x43, 0xb0, 0);
    pit_write(&pit, 0x42, 0x9c, 0);
    pit_write(&pit, 0x42, 0x2e, 0);
    assert_false(pit_output2(&pit, 9 * MS));
    assert_true(pit_output2(&pit, 11 * MS));
}

static void pit_reads_what_was_latched(void **state)
{
    struct pit pit;
    unsigned low, high;

    (void)state;
    pit_init(&pit);
    pit_write(&pit, 0x43, 0x34, 0);
    pit_write(&pit, 0x40, 0, 0);
    pit_write(&pit, 0x40, 0, 0); /* 65536 */
    pit_write(&pit, 0x43, 0, 10 * MS);
    low = pit_read(&pit, 0x40, 20 * MS);
    high = pit_read(&pit, 0x40, 30 * MS);
    assert_in_range(high << 8 | low, 65536 - 11933, 65536 - 11930);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serial_sends_bytes_and_has_room),
        cmocka_unit_test(serial_interrupts_when_empty_once),
        cmocka_unit_test(pic_serves_by_priority),
        cmocka_unit_test(pic_masks_and_cascades),
        cmocka_unit_test(pit_counts_down_and_fires),
        cmocka_unit_test(pit_counts_edges_that_were_missed_as_one),
        cmocka_unit_test(pit_one_shot_fires_once),
        cmocka_unit_test(pit_channel_2_ends_after_its_time),
        cmocka_unit_test(pit_reads_what_was_latched),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
