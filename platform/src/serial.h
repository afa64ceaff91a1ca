/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A 16550 serial port that always has room and never receives.  Source: its data sheet. */
#ifndef XRW_PLATFORM_SERIAL_H
#define XRW_PLATFORM_SERIAL_H

#include <stdbool.h>
#include <stdint.h>

#define SERIAL_PORT 0x3f8u
#define SERIAL_IRQ 4u

struct serial {
    uint8_t ier, lcr, mcr, scratch, fcr;
    uint16_t divisor;
    bool thr_empty_pending; /* the interrupt for an empty transmitter was not yet acknowledged */
};

/* Write to register 0 to 7.  Returns 1 with *byte if that byte was sent, else 0. */
int serial_write(struct serial *serial, unsigned offset, uint8_t value, uint8_t *byte);
uint8_t serial_read(struct serial *serial, unsigned offset);

/* Whether its interrupt line is raised. */
bool serial_irq(const struct serial *serial);

#endif
