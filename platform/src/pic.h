/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two 8259 interrupt controllers of a PC, the second on line 2 of the first.  Edges only. */
#ifndef XRW_PLATFORM_PIC_H
#define XRW_PLATFORM_PIC_H

#include <stdbool.h>
#include <stdint.h>

struct pic_chip {
    uint8_t irr, isr, imr, base, level; /* level: of the lines */
    uint8_t step;                       /* initialisation word that is expected next; 0: none */
    bool wants_icw4, auto_eoi, read_isr;
};

struct pic {
    struct pic_chip chip[2];
};

void pic_init(struct pic *pic);

/* Set interrupt line 0 to 15; a rising edge is remembered. */
void pic_line(struct pic *pic, unsigned irq, bool level);

/* Whether an interrupt waits that is neither masked nor held back by one in service. */
bool pic_pending(const struct pic *pic);

/* Acknowledge it: its vector.  A spurious one if none waits. */
uint8_t pic_acknowledge(struct pic *pic);

/* Ports 0x20, 0x21, 0xa0, 0xa1. */
void pic_write(struct pic *pic, uint16_t port, uint8_t value);
uint8_t pic_read(const struct pic *pic, uint16_t port);

#endif
